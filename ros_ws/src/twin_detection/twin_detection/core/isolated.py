"""Tells returns of surfaces from those of raindrops: a surface is seen by neighbouring beams too."""

from __future__ import annotations

import numpy as np

#: Neighbouring beams that count: up to one laser and two firings away.
_STEPS = [(row, column) for row in (-1, 0, 1) for column in (-2, -1, 0, 1, 2) if row or column]
#: They see the same surface where the ranges differ by less than the first, and this share of the range, metres.
_APART, _SHARE = 0.3, 0.01
#: How many have to, up to a range: near a sensor any object is seen by many beams, and drops are.
_NEEDED = ((10.0, 3), (20.0, 2), (np.inf, 1))


def supported(cell: np.ndarray, distance: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """Return which foreground returns neighbouring beams support, (N,) bool.

    Droplets return from anywhere in the air, so that two neighbours rarely agree, while fog and wet air return from
    nearby alone (outlier removal by the beams' own order, as in Charron et al. 2018, with a fixed number of beams in
    place of a radius).

    Args:
        cell: (N,) flat index of each return in the image of directions.
        distance: (N,) metres.
        shape: rows and columns of that image.

    """
    image = np.full((shape[0] + 2) * shape[1], np.inf, np.float32)  # a row of nothing below and above
    image[cell + shape[1]] = distance
    row, column = cell // shape[1] + 1, cell % shape[1]
    tolerance = _APART + _SHARE * distance
    found = np.zeros(len(cell), np.int32)
    for down, left in _STEPS:
        other = image[(row + down) * shape[1] + (column + left) % shape[1]]
        found += np.abs(other - distance) < tolerance
    needed = np.select([distance < limit for limit, _ in _NEEDED], [number for _, number in _NEEDED])
    return np.asarray(found >= needed)
