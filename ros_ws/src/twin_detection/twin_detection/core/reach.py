"""Leaves out what is no return, of the platform itself or too far. Compiled: one pass over a scan in place of eight."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from twin_common.core.compiled import kernel

Returns = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray]


@dataclass(frozen=True, slots=True)
class Body:
    """The rectangle that a platform covers, seen from above, and where its sensor is.

    ``length``, ``width``: metres, of nothing 0; ``place``: of the sensor ahead and left of the middle, metres;
    ``turn``: (2, 3) by which its points are turned into the platform's frame, seen from above.
    """

    length: float
    width: float
    place: tuple[float, float]
    turn: np.ndarray


NO_BODY = Body(0.0, 0.0, (0.0, 0.0), np.eye(2, 3))


def within(
    xyz: np.ndarray, ring: np.ndarray, time_offset: np.ndarray, nearest: float, farthest: float, body: Body = NO_BODY
) -> Returns:
    """Return the returns between two ranges: which they are, points (M, 3), lasers, distances and times, (M,) each.

    Args:
        xyz: (N, 3) float32, metres, sensor frame; what is not finite is no return.
        ring: (N,) laser of each.
        time_offset: (N,) seconds.
        nearest: exclusive, metres.
        farthest: exclusive, metres.
        body: returns above or below it are left out too.

    """
    # One layout, whatever a driver sends: a kernel is compiled for each, and no scan should wait for that.
    points, lasers = np.require(xyz, np.float32, ("C", "W")), np.require(ring, np.uint16, ("C", "W"))
    late = np.require(time_offset, np.float64, ("C", "W"))
    return _within(points, lasers, late, float(nearest), float(farthest), _rectangle(body))


def _rectangle(body: Body) -> np.ndarray:
    """Return a row along and one across, (2, 5): half of the size, the sensor's place, and the turn of its points."""
    return np.column_stack([(body.length / 2, body.width / 2), body.place, body.turn]).astype(np.float32)


@kernel
def _covers(rectangle: np.ndarray, x: np.float32, y: np.float32, z: np.float32) -> bool:
    for axis in range(2):
        half, place, of_x, of_y, of_z = rectangle[axis]
        if not abs(of_x * x + of_y * y + of_z * z + place) < half:
            return False
    return True


@kernel
def _within(
    xyz: np.ndarray, ring: np.ndarray, time_offset: np.ndarray, nearest: float, farthest: float, rectangle: np.ndarray
) -> Returns:
    index, distance = np.empty(len(xyz), np.int64), np.empty(len(xyz), np.float32)
    count = 0
    for place in range(len(xyz)):
        x, y, z = xyz[place, 0], xyz[place, 1], xyz[place, 2]
        away = np.sqrt(x * x + y * y + z * z)
        if nearest < away < farthest and not _covers(rectangle, x, y, z):  # the former never true of what is not finite
            index[count], distance[count] = place, away
            count += 1
    points, lasers, late = np.empty((count, 3), np.float32), np.empty(count, ring.dtype), np.empty(count, np.float32)
    for place in range(count):
        at = index[place]
        points[place, 0], points[place, 1], points[place, 2] = xyz[at, 0], xyz[at, 1], xyz[at, 2]
        lasers[place], late[place] = ring[at], time_offset[at]
    return index[:count].copy(), points, lasers, distance[:count].copy(), late
