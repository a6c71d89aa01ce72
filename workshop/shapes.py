"""Pictures of coloured shapes on noisy ground: what the image algorithms train on here, in RecordIO files.

The same seed gives the same pictures on every machine.
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import Final

import numpy as np
from PIL import Image

from examples.images.toolkit.recordio import Picture, write_pictures

Coordinates = np.ndarray[tuple[int, ...], np.dtype[np.float64]]
Pixels = np.ndarray[tuple[int, ...], np.dtype[np.uint8]]
Mask = np.ndarray[tuple[int, ...], np.dtype[np.bool_]]

KINDS: Final = 10
_EARLY_KINDS: Final = 6
_COLOURS: Final = ((220, 60, 50), (60, 90, 210), (70, 170, 80), (230, 190, 60), (150, 80, 170))
# Of Caltech-256's and VOC's classes, those of the ten kinds.
_CALTECH: Final = tuple(range(0, 250, 25))
_VOC: Final = tuple(range(0, 20, 2))


@dataclass(frozen=True)
class Shape:
    """A shape in a picture: its kind, its middle and its radius, as shares of the picture's side."""

    kind: int
    row: float
    column: float
    radius: float

    @property
    def box(self) -> tuple[float, float, float, float]:
        """The left, upper, right and lower edge, as shares."""
        edges = (self.column - self.radius, self.row - self.radius, self.column + self.radius, self.row + self.radius)
        return tuple(min(1.0, max(0.0, edge)) for edge in edges)  # type: ignore[return-value]


def draw_pixels(shapes: list[Shape], side: int, rng: np.random.Generator) -> Pixels:
    """Return the pixels of a picture with these shapes; a later one covers an earlier one."""
    ground = rng.uniform(90, 190, 3) + rng.normal(0, 6, (side, side, 3))
    rows, columns = (line / side for line in np.ogrid[0:side, 0:side])
    for shape in shapes:
        inside = _inside(shape.kind, (rows - shape.row) / shape.radius, (columns - shape.column) / shape.radius)
        ground[inside] = _COLOURS[shape.kind % len(_COLOURS)] + rng.normal(0, 12, 3)
    return np.clip(ground, 0, 255).astype(np.uint8)


def draw_picture(shapes: list[Shape], side: int, rng: np.random.Generator) -> bytes:
    """Return a JPEG with these shapes."""
    file = io.BytesIO()
    Image.fromarray(draw_pixels(shapes, side, rng)).save(file, "JPEG", quality=80)
    return file.getvalue()


def _inside(kind: int, down: Coordinates, right: Coordinates) -> Mask:
    """Return where a shape of a kind is, in coordinates from -1 to 1: round or square, and whole or with a hole."""
    distance = np.hypot(down, right) if kind < len(_COLOURS) else np.maximum(abs(down), abs(right))
    inner = 0.45 if kind % 2 else 0.0
    inside: Mask = (distance <= 1.0) & (distance >= inner)
    return inside


def _place(kind: int, rng: np.random.Generator, middle: tuple[float, float], radius: tuple[float, float]) -> Shape:
    return Shape(kind, rng.uniform(*middle), rng.uniform(*middle), rng.uniform(*radius))


def build_caltech(prefix: str, train: int = 640, validation: int = 128, side: int = 224) -> dict[str, bytes]:
    """Return the objects of both channels by their keys: pictures of one large shape, with its class."""
    objects = {}
    for channel, count, seed in (("train", train, 1), ("validation", validation, 2)):
        rng = np.random.default_rng(seed)
        pictures = []
        for kind in rng.integers(0, KINDS, count):
            shape = _place(int(kind), rng, middle=(0.4, 0.6), radius=(0.25, 0.38))
            pictures.append(Picture((float(_CALTECH[kind]),), draw_picture([shape], side, rng)))
        objects[f"{prefix}/{channel}/caltech-256-{channel}.rec"] = write_pictures(pictures)
    return objects


def build_voc(prefix: str, train: int = 192, validation: int = 32) -> dict[str, bytes]:
    """Return the objects of both channels by their keys: pictures of one to three shapes of some kinds, with boxes."""
    return {
        f"{prefix}/{channel}/{channel}.rec": _draw_scenes(count, _EARLY_KINDS, seed)
        for channel, count, seed in (("train", train, 3), ("validation", validation, 4))
    }


def build_more_voc(prefix: str, train: int = 192, validation: int = 32) -> dict[str, bytes]:
    """Return another file for each channel, with shapes of all kinds: what a detector is trained further for."""
    return {
        f"{prefix}/{channel}/{channel}-more.rec": _draw_scenes(count, KINDS, seed)
        for channel, count, seed in (("train", train, 7), ("validation", validation, 8))
    }


def _draw_scenes(count: int, kinds: int, seed: int, side: int = 300) -> bytes:
    rng = np.random.default_rng(seed)
    pictures = []
    for _ in range(count):
        shapes = [
            _place(int(rng.integers(0, kinds)), rng, middle=(0.2, 0.8), radius=(0.12, 0.22))
            for _ in range(int(rng.integers(1, 4)))
        ]
        labels = [2.0, 5.0]  # the widths of this header and of an object
        for shape in shapes:
            labels += [float(_VOC[shape.kind]), *shape.box]
        pictures.append(Picture(tuple(labels), draw_picture(shapes, side, rng)))
    return write_pictures(pictures)


def build_cifar(prefix: str, count: int = 2000, side: int = 32) -> dict[str, bytes]:
    """Return the objects of the channel by their keys: small pictures in CIFAR-10's binary format."""
    rng = np.random.default_rng(6)
    records = []
    for kind in rng.integers(0, KINDS, count):
        shape = _place(int(kind), rng, middle=(0.4, 0.6), radius=(0.25, 0.38))
        pixels = draw_pixels([shape], side, rng)
        records.append(bytes([kind]) + pixels.transpose(2, 0, 1).tobytes())
    return {f"{prefix}/training/data_batch_1.bin": b"".join(records)}
