"""YOLOX's output form, decoded: boxes of known numbers, letterboxes, suppression."""

from __future__ import annotations

import numpy as np
import pytest

from twin_common.core.image_boxes import anchors, overlaps
from twin_detection.core.camera_decode import Boxes, decoded, kept, letterboxed


def raw_with(height: int, width: int, box: tuple[float, ...], stride: int, scores: tuple[float, ...]) -> np.ndarray:
    """Return an output of one object: its box in pixels, told by the cell of a stride that holds its middle."""
    grid = anchors(height, width)
    raw = np.zeros((len(grid), 4 + len(scores)), np.float32)
    x, y = (box[0] + box[2]) / 2, (box[1] + box[3]) / 2
    cell = np.flatnonzero((grid[:, 2] == stride) & (grid[:, 0] == x // stride) & (grid[:, 1] == y // stride))[0]
    column, row, _ = grid[cell]
    raw[cell, :2] = x / stride - column, y / stride - row
    raw[cell, 2:4] = np.log([(box[2] - box[0]) / stride, (box[3] - box[1]) / stride])
    raw[cell, 4:] = scores
    return raw


@pytest.mark.parametrize("stride", [8, 16, 32])
def test_a_box_of_each_scale_comes_back(stride: int) -> None:
    box = (100.0, 50.0, 180.0, 90.0)
    raw = raw_with(384, 640, box, stride, (0.9, 0.2, 0.8, 0.5))
    found = decoded(raw, 384, 640, 2, 0.5)
    np.testing.assert_allclose(found.box, [box], atol=1e-3)
    np.testing.assert_allclose(found.score, [0.72], atol=1e-6)
    np.testing.assert_allclose(found.extra, [[0.5]])


def test_little_scores_and_numbers_that_are_none_are_left_out() -> None:
    raw = raw_with(384, 640, (0, 0, 20, 20), 8, (0.5, 0.5))
    raw[5] = np.nan
    assert len(decoded(raw, 384, 640, 1, 0.3)) == 0
    assert len(decoded(raw, 384, 640, 1, 0.2)) == 1


def test_other_shapes_are_refused() -> None:
    with pytest.raises(ValueError, match=r"output: expected \(5040, 85 or more\), got \(3549, 85\)"):
        decoded(np.zeros((3549, 85)), 384, 640, 80, 0.1)
    with pytest.raises(ValueError, match=r"image: expected \(H, W, 3\), got \(4, 4\)"):
        letterboxed(np.zeros((4, 4), np.uint8), 384, 640)


def test_a_letterbox_keeps_shape_and_values() -> None:
    image = np.full((375, 1242, 3), 200, np.uint8)
    blob, scale = letterboxed(image, 416, 416)
    assert blob.shape == (1, 3, 416, 416) and scale == pytest.approx(416 / 1242)
    assert (blob[0, :, :126] == 200).all() and (blob[0, :, 126:] == 114).all()
    same, scale = letterboxed(np.arange(384 * 640 * 3, dtype=np.uint64).astype(np.uint8).reshape(384, 640, 3), 384, 640)
    assert scale == 1.0 and same[0, 1, 0, 2] == 7


def boxes(rows: list[tuple[float, ...]], kinds: list[int], scores: list[float]) -> Boxes:
    table = np.zeros((len(rows), 3))
    table[np.arange(len(rows)), kinds] = scores
    return Boxes(np.array(rows, float).reshape(-1, 4), np.ones(len(rows)), table, np.zeros((len(rows), 0)))


def test_of_boxes_of_one_class_that_overlap_the_best_stays() -> None:
    first, near, far = (0, 0, 100, 100), (10, 0, 110, 100), (200, 0, 300, 100)
    left = kept(boxes([near, first, far], [0, 0, 0], [0.6, 0.9, 0.5]), 0.5)
    assert left.box.tolist() == [list(first), list(far)]


def test_classes_do_not_suppress_each_other_but_where_they_are_the_same_box() -> None:
    car, person = (0, 0, 100, 100), (0, 0, 60, 100)
    assert len(kept(boxes([car, person], [0, 1], [0.9, 0.8]), 0.5)) == 2
    assert kept(boxes([car, car], [0, 2], [0.7, 0.8]), 0.5).scores.argmax(axis=1).tolist() == [2]


def test_nothing_stays_nothing() -> None:
    assert len(kept(boxes([], [], []), 0.5)) == 0
    assert overlaps(np.zeros((0, 4)), np.ones((3, 4))).shape == (0, 3)


def test_overlap_against_numbers_by_hand() -> None:
    share = overlaps(np.array([[0.0, 0, 10, 10]]), np.array([[5.0, 0, 15, 10], [20, 20, 30, 30], [0, 0, 10, 10]]))
    np.testing.assert_allclose(share, [[1 / 3, 0.0, 1.0]])
