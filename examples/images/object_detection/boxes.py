"""Boxes: the anchors of a single-shot detector, how objects are matched with them, and how good detections are.

A box is left, upper, right and lower edge, as shares of the picture's sides.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np

Boxes = np.ndarray[Any, np.dtype[np.float32]]
Classes = np.ndarray[Any, np.dtype[np.int32]]

# The sides of the anchors around each place, as shares of the picture's side.
SIDES: Final = (0.25, 0.4)
# Offsets are divided by these, so that all have about the same size.
_VARIANCES: Final = np.array([0.1, 0.1, 0.2, 0.2], np.float32)


class LabelError(ValueError):
    """The labels of a picture are not those of objects; the message says why."""


def make_anchors(rows: int, columns: int) -> Boxes:
    """Return the anchors of a map with so many places, row by row, as middle and size."""
    down, right = np.mgrid[0:rows, 0:columns]
    middles = np.stack([(right + 0.5) / columns, (down + 0.5) / rows], axis=-1).reshape(-1, 1, 2)
    middles = np.repeat(middles, len(SIDES), axis=1)
    sizes = np.broadcast_to(np.array(SIDES)[None, :, None], middles.shape)
    return np.concatenate([middles, sizes], axis=-1).reshape(-1, 4).astype(np.float32)


def read_objects(labels: tuple[float, ...], num_classes: int) -> tuple[Classes, Boxes]:
    """Return the classes and the boxes in the labels of a picture, as im2rec writes them.

    The labels begin with the width of this header and of an object. An object is its class and its box, and perhaps
    more. A class of -1 fills up.
    """
    header, width = (int(labels[0]), int(labels[1])) if len(labels) >= 2 else (0, 0)
    if header < 2 or width < 5 or (len(labels) - header) % width:
        raise LabelError(f"A picture has {len(labels)} labels, which are not a header and objects of five numbers")
    objects = np.array(labels[header:], np.float32).reshape(-1, width)
    objects = objects[objects[:, 0] >= 0]
    classes = objects[:, 0].astype(np.int32)
    if classes.size and classes.max() >= num_classes:
        raise LabelError(f"A picture has an object of class {classes.max()}, but num_classes says {num_classes}")
    return classes, objects[:, 1:5]


def overlaps(some: Boxes, others: Boxes) -> Boxes:
    """Return the share that each box has in common with each other one: their intersection over their union."""
    low = np.maximum(some[:, None, :2], others[None, :, :2])
    high = np.minimum(some[:, None, 2:], others[None, :, 2:])
    common = np.prod(np.clip(high - low, 0, None), axis=-1)
    areas = [np.prod(np.clip(each[:, 2:] - each[:, :2], 0, None), axis=-1) for each in (some, others)]
    shared: Boxes = common / np.maximum(areas[0][:, None] + areas[1][None] - common, 1e-9)
    return shared


def match(anchors: Boxes, classes: Classes, boxes: Boxes, threshold: float) -> tuple[Classes, Boxes]:
    """Return for each anchor the class that it has to find, from 1, or 0 for nothing, and the offsets to its object."""
    found = np.zeros(len(anchors), np.int32)
    offsets = np.zeros((len(anchors), 4), np.float32)
    if not len(classes):
        return found, offsets
    shared = overlaps(corners(anchors), boxes)
    best = shared.argmax(axis=1)
    chosen = shared.max(axis=1) >= threshold
    # Each object has at least one anchor.
    nearest = shared.argmax(axis=0)
    chosen[nearest], best[nearest] = True, np.arange(len(classes))
    found[chosen] = classes[best[chosen]] + 1
    middle = (boxes[best, :2] + boxes[best, 2:]) / 2
    size = np.maximum(boxes[best, 2:] - boxes[best, :2], 1e-3)
    moved = np.concatenate([(middle - anchors[:, :2]) / anchors[:, 2:], np.log(size / anchors[:, 2:])], axis=1)
    offsets[chosen] = (moved / _VARIANCES)[chosen]
    return found, offsets


def corners(anchors: Boxes) -> Boxes:
    """Return boxes given as middle and size by their edges."""
    edges: Boxes = np.concatenate([anchors[:, :2] - anchors[:, 2:] / 2, anchors[:, :2] + anchors[:, 2:] / 2], axis=1)
    return edges


def move(anchors: Boxes, offsets: Boxes) -> Boxes:
    """Return the boxes that the network means with its offsets."""
    moved = offsets * _VARIANCES
    middle = anchors[:, :2] + moved[:, :2] * anchors[:, 2:]
    size = np.exp(np.clip(moved[:, 2:], -4, 4)) * anchors[:, 2:]
    return corners(np.concatenate([middle, size], axis=1))


def suppress(boxes: Boxes, scores: Boxes, threshold: float, most: int = 50) -> list[int]:
    """Return the places of the best boxes, without those that overlap a better one by more than ``threshold``."""
    order = list(np.argsort(-scores)[: 4 * most])
    kept: list[int] = []
    while order and len(kept) < most:
        best = order.pop(0)
        kept.append(int(best))
        if order:
            shared = overlaps(boxes[best][None], boxes[order])[0]
            order = [place for place, share in zip(order, shared, strict=True) if share <= threshold]
    return kept


def average_precision(hits: list[tuple[float, bool]], objects: int) -> float:
    """Return the area under precision by recall, for detections with their scores and whether they are right."""
    if not objects:
        return float("nan")
    right = np.cumsum([hit for _, hit in sorted(hits, key=lambda hit: -hit[0])])
    if not len(right):
        return 0.0
    precision = right / np.arange(1, len(right) + 1)
    # At each recall, the best precision that is still reached later counts.
    precision = np.maximum.accumulate(precision[::-1])[::-1]
    recall = np.concatenate([[0.0], right / objects])
    return float(np.sum(np.diff(recall) * precision))


def mean_average_precision(
    detected: list[list[tuple[int, float, Boxes]]], truths: list[tuple[Classes, Boxes]], threshold: float = 0.5
) -> float:
    """Return the mean of the average precisions of all classes that occur; a detection is class, score and box."""
    hits: dict[int, list[tuple[float, bool]]] = {}
    objects: dict[int, int] = {}
    for found, (classes, boxes) in zip(detected, truths, strict=True):
        for each in classes:
            objects[int(each)] = objects.get(int(each), 0) + 1
        taken: set[int] = set()
        for kind, score, box in sorted(found, key=lambda one: -one[1]):
            places = [place for place in np.flatnonzero(classes == kind).tolist() if place not in taken]
            shared = overlaps(box[None], boxes[places])[0] if places else np.zeros(1)
            hit = bool(places) and bool(shared.max() >= threshold)
            if hit:
                taken.add(places[int(shared.argmax())])
            hits.setdefault(kind, []).append((score, hit))
    precisions = [average_precision(hits.get(kind, []), count) for kind, count in objects.items()]
    return float(np.mean(precisions)) if precisions else 0.0
