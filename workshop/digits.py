"""Handwriting, of a sort: digits of seven segments, each drawn a little differently, as MNIST's files in libsvm format.

The same seed gives the same digits on every machine.
"""

from __future__ import annotations

from typing import Final

import numpy as np

SIZE: Final = 28
_PIXELS: Final = np.mgrid[0:SIZE, 0:SIZE]
Image = np.ndarray[tuple[int, int], np.dtype[np.float64]]

# The segments: top, upper left, upper right, middle, lower left, lower right, bottom.
_LIT: Final = (
    "1110111",
    "0010010",
    "1011101",
    "1011011",
    "0111010",
    "1101011",
    "1101111",
    "1010010",
    "1111111",
    "1111011",
)
_ENDS: Final = (
    ((0, 0), (0, 1)),
    ((0, 0), (1, 0)),
    ((0, 1), (1, 1)),
    ((1, 0), (1, 1)),
    ((1, 0), (2, 0)),
    ((1, 1), (2, 1)),
    ((2, 0), (2, 1)),
)


def draw_digit(digit: int, rng: np.random.Generator) -> Image:
    """Return a digit in grey: 0 is paper, 1 is ink."""
    image = np.zeros((SIZE, SIZE))
    height, width = rng.uniform(7.5, 9.5), rng.uniform(8, 12)
    top, left = rng.uniform(3, 7), rng.uniform(5, 11)
    slant, pen = rng.uniform(-2.5, 2.5), rng.uniform(0.9, 1.7)
    for lit, ends in zip(_LIT[digit], _ENDS, strict=True):
        if lit == "1":
            start, end = ((top + row * height, left + column * width - (row - 1) * slant) for row, column in ends)
            np.maximum(image, np.clip(pen - _distances(start, end), 0, 1), out=image)
    noise = rng.normal(0, 0.12, image.shape)
    return np.clip(image + noise * (rng.random(image.shape) < 0.3), 0, 1)


def _distances(start: tuple[float, float], end: tuple[float, float]) -> Image:
    """Return how far each pixel is from a line between two points."""
    rows, columns = _PIXELS[0] - start[0], _PIXELS[1] - start[1]
    down, right = end[0] - start[0], end[1] - start[1]
    along = np.clip((rows * down + columns * right) / (down**2 + right**2), 0, 1)
    distances: Image = np.hypot(rows - along * down, columns - along * right)
    return distances


def write_libsvm(count: int, seed: int) -> bytes:
    """Return ``count`` digits, one per line: the digit, and the pixels that are not blank."""
    rng = np.random.default_rng(seed)
    lines = []
    for digit in rng.integers(0, 10, count):
        pixels = draw_digit(int(digit), rng).round(2).ravel().tolist()
        lines.append(f"{digit} " + " ".join(f"{place}:{ink:g}" for place, ink in enumerate(pixels) if ink))
    return ("\n".join(lines) + "\n").encode()


def build_mnist(prefix: str, parts: int, train: int = 3000, validation: int = 600) -> dict[str, bytes]:
    """Return the objects of both channels by their keys, each channel in ``parts`` files."""
    objects = {}
    for number, (channel, count) in enumerate((("train", train), ("validation", validation))):
        for part in range(parts):
            key = f"{prefix}/{channel}/part-{part:05}.libsvm"
            objects[key] = write_libsvm(count // parts, seed=100 * number + part)
    return objects
