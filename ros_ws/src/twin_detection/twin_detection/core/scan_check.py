"""Says in one line what is wrong with a scan, if anything is."""

from __future__ import annotations

import numpy as np

#: More points than any LiDAR gives in a turn: 128 lasers, 2048 firings.
MOST_POINTS = 128 * 2048
#: A turn of any LiDAR gives more points than this, unless nothing returns.
_FEW = 16
#: This share of broken points, or of points in directions that have one already, is worth a line.
_SHARE = 0.2


def scan_problem(xyz: np.ndarray) -> str | None:
    """Return what is wrong with the points of a scan, (N, 3), or None."""
    count = len(xyz)
    if not count:
        return "points: empty scans"
    broken = count - int(np.count_nonzero(np.isfinite(xyz).all(axis=1)))
    if broken >= max(_SHARE * count, 1):
        return f"points: {broken} of {count} are not finite; expected few"
    if count < _FEW:
        return f"points: {count} in a scan; expected hundreds at least"
    if count > MOST_POINTS:
        return f"points: {count} in a scan, more than any LiDAR gives; expected at most {MOST_POINTS}"
    return None


def repeated_directions(points: int, directions: int) -> str | None:
    """Return what is wrong where many of a still LiDAR's returns share their directions, or None."""
    if points > _FEW and points - directions > _SHARE * points:
        return f"points: {points} in {directions} directions; expected one a direction"
    return None
