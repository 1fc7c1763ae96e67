"""Two objects cannot be in one place: detections inside a track that has its detection are parts of it."""

from __future__ import annotations

import numpy as np
from scipy.spatial import cKDTree

SHRINK = 0.8


def inside_boxes(
    points: np.ndarray, centre: np.ndarray, yaw: np.ndarray, size: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return (point, box) index pairs of points (M, 2) well inside boxes seen from above.

    ``centre`` (N, 2) m, ``yaw`` (N,) rad, ``size`` (N, 2 or more) length, width m.
    """
    if not len(points) or not len(centre):
        return np.zeros(0, np.intp), np.zeros(0, np.intp)
    reach = 0.5 * SHRINK * float(np.hypot(size[:, 0], size[:, 1]).max())
    near = cKDTree(points).sparse_distance_matrix(cKDTree(centre), reach, output_type="ndarray")
    point, box = near["i"], near["j"]
    dx, dy = (points[point] - centre[box]).T
    cos, sin = np.cos(yaw[box]), np.sin(yaw[box])
    along, across = np.abs(cos * dx + sin * dy), np.abs(cos * dy - sin * dx)
    inside = (along <= 0.5 * SHRINK * size[box, 0]) & (across <= 0.5 * SHRINK * size[box, 1])
    return point[inside], box[inside]
