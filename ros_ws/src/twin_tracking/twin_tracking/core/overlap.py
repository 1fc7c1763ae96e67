"""Two objects cannot be in one place: detections inside a track that has its detection are parts of it."""

from __future__ import annotations

import numpy as np

from twin_tracking.core.neighbours import near_pairs

SHRINK = 0.8


def inside_boxes(
    points: np.ndarray, centre: np.ndarray, yaw: np.ndarray, size: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return (point, box) index pairs of points (M, 2) well inside boxes seen from above.

    ``centre`` (N, 2) m, ``yaw`` (N,) rad, ``size`` (N, 2 or more) length, width m.
    """
    reach = 0.5 * SHRINK * np.hypot(size[:, 0], size[:, 1])
    box, point = near_pairs(centre, reach, points)
    dx, dy = (points[point] - centre[box]).T
    cos, sin = np.cos(yaw[box]), np.sin(yaw[box])
    along, across = np.abs(cos * dx + sin * dy), np.abs(cos * dy - sin * dx)
    inside = (along <= 0.5 * SHRINK * size[box, 0]) & (across <= 0.5 * SHRINK * size[box, 1])
    return point[inside], box[inside]
