"""Tells returns of surfaces from those of raindrops: a surface is seen by neighbouring beams too."""

from __future__ import annotations

import numpy as np

#: Neighbouring beams that count: up to one laser and two firings away.
_STEPS = [(row, column) for row in (-1, 0, 1) for column in (-2, -1, 0, 1, 2) if row or column]
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
    image = np.full((shape[0] + 2) * shape[1], np.inf, np.float32)  # a row of nothing below and above
    row, column = cell // shape[1] + 1, cell % shape[1]
    own = row * shape[1] + column
    image[own] = distance
    others = np.stack([(row + down) * shape[1] + (column + left) % shape[1] for down, left in _STEPS])
    agrees = np.abs(image[others] - distance) < _APART + _SHARE * distance
    found = np.count_nonzero(agrees, axis=0)
    sure = found >= np.where((distance < _NEAR) & (before > _LOW), _NEEDED_NEAR, _NEEDED)
    proven = np.zeros(len(image), bool)
    proven[own] = sure
    return np.asarray(sure | (agrees & proven[others]).any(axis=0))
