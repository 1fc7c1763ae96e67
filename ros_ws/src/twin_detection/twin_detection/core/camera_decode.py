"""A detector's output in YOLOX's form, decoded: letterbox, grid, suppression (Ge et al. 2021, arXiv 2107.08430)."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from twin_common.core.image_boxes import anchors, corners, overlaps

GREY = 114  # of what a letterbox adds
_FAR = 1e5  # pixels between the boxes of different classes where each class is suppressed on its own


@dataclass(frozen=True, slots=True)
class Boxes:
    """What a network says of an image.

    Args:
        box: (N, 4) float64, x0 y0 x1 y1, pixels of the image.
        object_score: (N,) float64.
        scores: (N, C) float64 of the network's own classes, each on its own.
        extra: (N, K) float64, what the network gives besides; K may be 0.

    """

    box: np.ndarray
    object_score: np.ndarray
    scores: np.ndarray
    extra: np.ndarray

    def __len__(self) -> int:
        """Return how many there are."""
        return len(self.box)

    def __getitem__(self, chosen: np.ndarray) -> Boxes:
        """Return those of an index or mask."""
        return Boxes(self.box[chosen], self.object_score[chosen], self.scores[chosen], self.extra[chosen])

    @property
    def score(self) -> np.ndarray:
        """Object's score times that of its best class, (N,)."""
        return np.asarray(self.object_score * self.scores.max(axis=1, initial=0.0))


def letterboxed(image: np.ndarray, height: int, width: int) -> tuple[np.ndarray, float]:
    """Return an image as a network's input and the scale from the image to it; the image is at the upper left.

    Args:
        image: (H, W, 3) uint8.
        height: of the input, pixels.
        width: of the input, pixels.

    Returns:
        (1, 3, height, width) float32 with the image's channels and values, and the scale.

    """
    if image.ndim != 3 or image.shape[2] != 3:
        raise ValueError(f"image: expected (H, W, 3), got {image.shape}")
    scale = min(height / image.shape[0], width / image.shape[1])
    rows, columns = min(round(image.shape[0] * scale), height), min(round(image.shape[1] * scale), width)
    if (rows, columns) != image.shape[:2]:
        method = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
        image = cv2.resize(image, (columns, rows), interpolation=method)
    boxed = np.full((1, 3, height, width), GREY, np.float32)
    boxed[0, :, :rows, :columns] = image.transpose(2, 0, 1)
    return boxed, scale


def decoded(raw: np.ndarray, height: int, width: int, classes: int, min_score: float) -> Boxes:
    """Return what an output says, in pixels of the input, where object times best class is at least ``min_score``.

    Args:
        raw: (anchors, 5 + classes + K): offsets, log sizes, object, classes and K further numbers.
        height: of the input, pixels.
        width: of the input, pixels.
        classes: how many.
        min_score: 0..1.

    """
    grid = anchors(height, width)
    if raw.ndim != 2 or raw.shape[0] != len(grid) or raw.shape[1] < 5 + classes:
        raise ValueError(f"output: expected ({len(grid)}, {5 + classes} or more), got {raw.shape}")
    best = raw[:, 4] * raw[:, 5 : 5 + classes].max(axis=1)
    chosen = np.flatnonzero(best >= min_score)  # NaN is left out
    rows, grid = raw[chosen].astype(float), grid[chosen]
    return Boxes(corners(rows, grid), rows[:, 4], rows[:, 5 : 5 + classes], rows[:, 5 + classes :])


def kept(found: Boxes, overlap: float, limit: int = 300) -> Boxes:
    """Return the best of boxes that overlap, best first: within each class above ``overlap``.

    Boxes of two classes that are all but the same are one object too: the better stays.
    """
    if not len(found):
        return found
    order = np.argsort(-found.score, kind="stable")[: 4 * limit]
    found = found[order]
    kinds = found.scores.argmax(axis=1)
    apart = found[_suppressed(found.box + kinds[:, None] * _FAR, overlap)]
    return apart[_suppressed(apart.box, max(overlap, 0.8))[:limit]]


def _suppressed(boxes: np.ndarray, overlap: float) -> np.ndarray:
    """Return the indices of boxes (N, 4), best first, that no better one overlaps."""
    left = np.arange(len(boxes))
    chosen = []
    while len(left):
        chosen.append(left[0])
        left = left[1:][overlaps(boxes[left[:1]], boxes[left[1:]])[0] <= overlap]
    return np.array(chosen, int)
