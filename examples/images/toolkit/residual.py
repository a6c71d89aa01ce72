"""Small residual networks: the stages and blocks of ResNet, with a few channels, so that two cores can train them."""

from __future__ import annotations

from typing import Any, Final

import keras

# Blocks in each stage, by the number of layers that the networks have in the literature.
BLOCKS: Final = {
    18: (2, 2, 2, 2),
    34: (3, 4, 6, 3),
    50: (3, 4, 6, 3),
    101: (3, 4, 23, 3),
    152: (3, 8, 36, 3),
    200: (3, 24, 36, 3),
}
_CHANNELS: Final = (8, 16, 32, 64)
# The averages of the few steps that a small data set has must catch up soon.
_MOMENTUM: Final = 0.7


def add_stages(inputs: Any, layers: int, stages: int) -> Any:
    """Return what the first stages of a network put out; the first one has a quarter of the size of the picture."""
    x = keras.layers.Conv2D(_CHANNELS[0], 5, strides=2, padding="same", use_bias=False)(inputs)
    x = keras.layers.BatchNormalization(momentum=_MOMENTUM)(x)
    x = keras.layers.MaxPooling2D(3, strides=2, padding="same")(keras.layers.ReLU()(x))
    for stage, (blocks, channels) in enumerate(zip(BLOCKS[layers][:stages], _CHANNELS, strict=False)):
        for block in range(blocks):
            x = _add_block(x, channels, 2 if stage and not block else 1)
    return x


def _add_block(x: Any, channels: int, stride: int) -> Any:
    shortcut = x
    if stride > 1:
        shortcut = keras.layers.Conv2D(channels, 1, strides=stride, use_bias=False)(x)
        shortcut = keras.layers.BatchNormalization(momentum=_MOMENTUM)(shortcut)
    for number in range(2):
        x = keras.layers.Conv2D(channels, 3, strides=1 if number else stride, padding="same", use_bias=False)(x)
        x = keras.layers.BatchNormalization(momentum=_MOMENTUM)(x)
        x = x if number else keras.layers.ReLU()(x)
    return keras.layers.ReLU()(x + shortcut)
