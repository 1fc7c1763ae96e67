"""Leaves out what is no return, too near or too far. Compiled: one pass over a scan in place of eight."""

from __future__ import annotations

import numpy as np

from twin_common.core.compiled import kernel

Returns = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray]


def within(xyz: np.ndarray, ring: np.ndarray, time_offset: np.ndarray, nearest: float, farthest: float) -> Returns:
    """Return the returns between two ranges: which they are, points (M, 3), lasers, distances and times, (M,) each.

    Args:
        xyz: (N, 3) float32, metres, sensor frame; what is not finite is no return.
        ring: (N,) laser of each.
        time_offset: (N,) seconds.
        nearest: exclusive, metres.
        farthest: exclusive, metres.

    """
    # One layout, whatever a driver sends: a kernel is compiled for each, and no scan should wait for that.
    points, lasers = np.require(xyz, np.float32, ("C", "W")), np.require(ring, np.uint16, ("C", "W"))
    return _within(points, lasers, np.require(time_offset, np.float64, ("C", "W")), nearest, farthest)


@kernel
def _within(xyz: np.ndarray, ring: np.ndarray, time_offset: np.ndarray, nearest: float, farthest: float) -> Returns:
    index, distance = np.empty(len(xyz), np.int64), np.empty(len(xyz), np.float32)
    count = 0
    for place in range(len(xyz)):
        x, y, z = xyz[place, 0], xyz[place, 1], xyz[place, 2]
        away = np.sqrt(x * x + y * y + z * z)
        if nearest < away < farthest:  # never true of what is not finite
            index[count], distance[count] = place, away
            count += 1
    points, lasers, late = np.empty((count, 3), np.float32), np.empty(count, ring.dtype), np.empty(count, np.float32)
    for place in range(count):
        at = index[place]
        points[place, 0], points[place, 1], points[place, 2] = xyz[at, 0], xyz[at, 1], xyz[at, 2]
        lasers[place], late[place] = ring[at], time_offset[at]
    return index[:count].copy(), points, lasers, distance[:count].copy(), late
