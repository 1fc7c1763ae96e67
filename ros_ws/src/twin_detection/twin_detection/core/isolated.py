"""Tells returns of surfaces from those of raindrops: a surface is seen by neighbouring beams too."""

from __future__ import annotations

import numpy as np

from twin_common.core.compiled import kernel
from twin_detection.core.beam_grid import range_image

#: Neighbouring beams that count: up to one laser and two firings away.
_LASERS, _FIRINGS = 1, 2
#: They see the same surface where the ranges differ by less than the first, and this share of the range, metres.
_APART, _SHARE = 0.3, 0.01
#: How many have to: more up to a range where drops are, and where any object is seen by many beams, metres.
_NEAR, _NEEDED_NEAR, _NEEDED = 12.0, 2, 1
#: What is so little before the background is no drop more often than anything else is, metres.
_LOW = 1.2


def supported(cell: np.ndarray, distance: np.ndarray, before: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """Return which foreground returns neighbouring beams support, or support something that is, (N,) bool.

    Droplets return from anywhere in the air, so that two neighbours rarely agree, while fog and wet air return from
    nearby alone (outlier removal by the beams' own order, as in Charron et al. 2018, with a fixed number of beams in
    place of a radius).

    Args:
        cell: (N,) flat index of each return in the image of directions.
        distance: (N,) metres.
        before: (N,) how far before the background each is, metres.
        shape: rows and columns of that image.

    """
    distance = distance.astype(np.float32)
    return np.asarray(_supported(cell, distance, before, range_image(cell, distance, *shape)))


@kernel
def _supported(cell: np.ndarray, distance: np.ndarray, before: np.ndarray, image: np.ndarray) -> np.ndarray:
    """Return what ``supported`` does; of the ``image`` of the ranges only what is supported by itself is left."""
    kept, columns = np.empty(len(cell), np.bool_), image.shape[1]
    row, column = cell // columns, cell % columns
    for place in range(len(cell)):
        needed = _NEEDED_NEAR if distance[place] < _NEAR and before[place] > _LOW else _NEEDED
        kept[place] = _agree(image, row[place], column[place], distance[place], needed)
    for place in range(len(cell)):
        if not kept[place] and image[row[place], column[place]] == distance[place]:  # no other return in its place
            image[row[place], column[place]] = 0.0
    for place in range(len(cell)):
        kept[place] = kept[place] or _agree(image, row[place], column[place], distance[place], 1)
    return kept


@kernel
def _agree(image: np.ndarray, row: int, column: int, distance: float, needed: int) -> bool:
    """Return whether as many beams as needed beside one see its surface; those that return nothing have the range 0."""
    rows, columns = image.shape
    near = _APART + _SHARE * distance
    agree = 0
    for beside in range(max(row - _LASERS, 0), min(row + _LASERS + 1, rows)):
        for left in range(-_FIRINGS, _FIRINGS + 1):
            at = column + left
            at += columns * ((at < 0) - (at >= columns))
            other = image[beside, at]
            if other > 0 and abs(other - distance) < near and not (beside == row and left == 0):
                agree += 1
                if agree >= needed:
                    return True
    return False
