"""Pairs of points that are near each other, without looking at all pairs."""

from __future__ import annotations

from typing import Any

import numpy as np

from twin_common.core.compiled import kernel

_ROOM: Any = 64  # pairs there is room for at first


def near_pairs(centres: np.ndarray, reach: np.ndarray, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return (centre, point) indices of all points within ``reach`` (N,) of ``centres`` (N, 2), seen along each axis.

    ``points`` (M, 2). The points are sorted along the axis on which they are spread wider, so that those within reach
    of a centre are one stretch; the other axis is compared. Pairs are in order of centres, then of points.
    """
    if not len(centres) or not len(points):
        return np.zeros(0, np.int64), np.zeros(0, np.int64)
    # A kernel is compiled for each layout of its arrays: one layout, so that no later step waits for the compiler.
    return _near_pairs(*(np.ascontiguousarray(item, float) for item in (centres, reach, points)))


@kernel
def _near_pairs(centres: np.ndarray, reach: np.ndarray, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    wide_x, wide_y = np.ptp(points[:, 0]), np.ptp(points[:, 1])
    axis = 0 if wide_x >= wide_y else 1
    order = np.argsort(points[:, axis], kind="mergesort")
    along = points[:, axis][order]
    centre, point, count = np.empty(_ROOM, np.int64), np.empty(_ROOM, np.int64), 0
    for n in range(len(centres)):
        first = np.searchsorted(along, centres[n, axis] - reach[n])
        begin = count
        for k in range(first, len(along)):
            if along[k] > centres[n, axis] + reach[n]:
                break
            if abs(points[order[k], 1 - axis] - centres[n, 1 - axis]) <= reach[n]:
                if count == len(centre):
                    room = np.empty(count, np.int64)
                    centre, point = np.concatenate((centre, room)), np.concatenate((point, room))
                centre[count], point[count] = n, order[k]
                count += 1
        point[begin:count].sort()
    return centre[:count], point[:count]
