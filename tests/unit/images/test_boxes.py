"""Objects are matched with anchors and found again, and the mean average precision is computed as in VOC."""

from __future__ import annotations

import numpy as np
import pytest

from examples.images.object_detection.boxes import (
    LabelError,
    average_precision,
    corners,
    make_anchors,
    match,
    mean_average_precision,
    move,
    overlaps,
    read_objects,
    suppress,
)


def boxes(*edges: tuple[float, float, float, float]) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    return np.array(edges, np.float32).reshape(-1, 4)


def classes(*numbers: int) -> np.ndarray[tuple[int, ...], np.dtype[np.int32]]:
    return np.array(numbers, np.int32)


def test_overlaps_are_intersection_over_union() -> None:
    shared = overlaps(boxes((0, 0, 1, 1), (0, 0, 0.5, 1)), boxes((0, 0, 1, 1), (0.5, 0, 1, 1)))
    assert shared == pytest.approx(np.array([[1.0, 0.5], [0.5, 0.0]]))


def test_the_objects_in_the_labels_are_read_without_what_fills_up() -> None:
    labels = (2.0, 6.0, 3.0, 0.1, 0.2, 0.3, 0.4, 1.0, *([-1.0] * 6))
    found, placed = read_objects(labels, num_classes=20)
    assert found.tolist() == [3]
    assert placed == pytest.approx(boxes((0.1, 0.2, 0.3, 0.4)))


def test_a_longer_header_is_skipped() -> None:
    found, placed = read_objects((4.0, 5.0, 300.0, 300.0, 3.0, 0.1, 0.2, 0.3, 0.4), num_classes=20)
    assert found.tolist() == [3]
    assert placed == pytest.approx(boxes((0.1, 0.2, 0.3, 0.4)))


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        ((3.0,), "has 1 labels, which are not a header and objects"),
        ((2.0, 5.0, 1.0), "has 3 labels, which are not a header and objects"),
        ((2.0, 5.0, 20.0, 0, 0, 1, 1), "an object of class 20, but num_classes says 20"),
    ],
)
def test_other_labels_are_refused(labels: tuple[float, ...], message: str) -> None:
    with pytest.raises(LabelError, match=message):
        read_objects(labels, num_classes=20)


def test_an_object_is_found_again_from_the_offsets_of_its_anchors() -> None:
    anchors = make_anchors(10, 10)
    truth = boxes((0.2, 0.3, 0.5, 0.55), (0.02, 0.02, 0.08, 0.08))  # the second one is too small for every anchor
    found, offsets = match(anchors, classes(7, 3), truth, threshold=0.5)
    assert set(found.tolist()) == {0, 4, 8}
    again = move(anchors, offsets)
    for number, box in zip((8, 4), truth, strict=True):
        assert again[found == number] == pytest.approx(np.tile(box, ((found == number).sum(), 1)), abs=1e-5)
    assert overlaps(corners(anchors)[found == 8], truth[:1]).max() >= 0.5


def test_a_picture_without_objects_has_nothing_to_find() -> None:
    found, offsets = match(make_anchors(2, 2), classes(), boxes(), threshold=0.5)
    assert not found.any()
    assert not offsets.any()


def test_of_boxes_that_overlap_only_the_best_is_kept() -> None:
    some = boxes((0, 0, 0.5, 0.5), (0.02, 0, 0.52, 0.5), (0.5, 0.5, 1, 1))
    assert suppress(some, np.array([0.6, 0.9, 0.3], np.float32), threshold=0.45) == [1, 2]
    assert suppress(some, np.array([0.6, 0.9, 0.3], np.float32), threshold=0.95) == [1, 0, 2]


def test_average_precision_is_the_area_under_the_curve() -> None:
    assert average_precision([(0.9, True), (0.8, False), (0.7, True)], objects=2) == pytest.approx(0.5 + 0.5 * 2 / 3)
    assert average_precision([], objects=2) == 0.0


def test_each_object_counts_once_and_only_for_its_class() -> None:
    truth = [(classes(1, 2), boxes((0, 0, 0.5, 0.5), (0.5, 0.5, 1, 1)))]
    right = boxes((0, 0, 0.5, 0.5))[0]
    twice = [[(1, 0.9, right), (1, 0.8, right), (2, 0.7, right)]]
    assert mean_average_precision(twice, truth) == pytest.approx(0.5)
    assert mean_average_precision([[]], [(classes(), boxes())]) == 0.0
