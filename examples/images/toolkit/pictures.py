"""The pictures of a channel, decoded and brought to one size."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import tensorflow as tf

from examples.images.toolkit.recordio import read_pictures

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path
    from typing import Any

    Pixels = np.ndarray[tuple[int, ...], np.dtype[np.uint8]]


def load_pictures(paths: Sequence[Path], height: int, width: int) -> tuple[Pixels, list[tuple[float, ...]]]:
    """Return the pictures of RecordIO files, each of this size, and the labels of each."""
    pixels, labels = [], []
    for picture in read_pictures(paths):
        decoded: Any = tf.io.decode_image(picture.content, channels=3, expand_animations=False)
        if decoded.shape[:2] != (height, width):
            decoded = tf.cast(tf.image.resize(decoded, (height, width)), tf.uint8)
        pixels.append(decoded.numpy())
        labels.append(picture.labels)
    if not pixels:
        return np.zeros((0, height, width, 3), np.uint8), []
    return np.stack(pixels), labels


def to_inputs(pixels: Any) -> Any:
    """Return pixels as numbers from -1 to 1, which a network takes."""
    return tf.cast(pixels, tf.float32) / 127.5 - 1.0
