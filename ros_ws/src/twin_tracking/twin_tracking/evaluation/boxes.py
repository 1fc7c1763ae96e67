"""How alike two boxes are: exact overlap of turned boxes, and nearness of centres.

Boxes are rows of x, y, z of the centre, length, width, height, yaw: metres and radians, z up, upright.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy.spatial import cKDTree

#: Takes two arrays of boxes, (K, 7) each, and returns how alike the boxes of each row are, (K,) from 0 to 1.
Similarity = Callable[[np.ndarray, np.ndarray], np.ndarray]

_CORNERS = np.array([[0.5, 0.5], [-0.5, 0.5], [-0.5, -0.5], [0.5, -0.5]])


def intersection_area(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Return the area that the ground rectangles of two boxes (K, 7) share, (K,) m^2.

    The second rectangle is cut by the four sides of the first (Sutherland and Hodgman 1974), all pairs at once.
    """
    first, second = _boxes(first), _boxes(second)
    cos, sin = np.cos(first[:, 6]), np.sin(first[:, 6])
    shift, turn = second[:, :2] - first[:, :2], second[:, 6] - first[:, 6]
    centre = np.stack([cos * shift[:, 0] + sin * shift[:, 1], cos * shift[:, 1] - sin * shift[:, 0]], axis=1)
    corners = _CORNERS * second[:, None, 3:5]
    c, s = np.cos(turn)[:, None], np.sin(turn)[:, None]
    polygon = np.stack([c * corners[..., 0] - s * corners[..., 1], s * corners[..., 0] + c * corners[..., 1]], axis=2)
    polygon += centre[:, None]
    for axis in (0, 1):
        half = first[:, 3 + axis, None] / 2
        polygon = _cut(polygon, half - polygon[..., axis])
        polygon = _cut(polygon, half + polygon[..., axis])
    following = np.roll(polygon, -1, axis=1)
    twice = (polygon[..., 0] * following[..., 1] - polygon[..., 1] * following[..., 0]).sum(axis=1)
    return np.asarray(np.maximum(twice / 2, 0.0))


def _cut(polygon: np.ndarray, depth: np.ndarray) -> np.ndarray:
    """Return polygons (K, V, 2) without what has a negative ``depth`` (K, V); corners left over are repeated."""
    count, corners = depth.shape
    following = np.roll(depth, -1, axis=1)
    inside = np.asarray(depth >= 0)
    crosses = inside != (following >= 0)
    share = depth / np.where(crosses, depth - following, 1.0)
    crossing = polygon + share[..., None] * (np.roll(polygon, -1, axis=1) - polygon)
    points = np.stack([polygon, crossing], axis=2).reshape(count, 2 * corners, 2)
    there = np.stack([inside, crosses], axis=2).reshape(count, 2 * corners)
    order = np.argsort(~there, axis=1, kind="stable")[:, : corners + 1]
    kept = np.minimum(np.arange(corners + 1), np.maximum(there.sum(axis=1), 1)[:, None] - 1)
    chosen = np.take_along_axis(order, kept, axis=1)
    return np.asarray(np.take_along_axis(points, chosen[..., None], axis=1) * there.any(axis=1).reshape(-1, 1, 1))


def box_overlap(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Return intersection over union of the volumes of two boxes (K, 7), (K,)."""
    first, second = _boxes(first), _boxes(second)
    top = np.minimum(first[:, 2] + first[:, 5] / 2, second[:, 2] + second[:, 5] / 2)
    bottom = np.maximum(first[:, 2] - first[:, 5] / 2, second[:, 2] - second[:, 5] / 2)
    shared = intersection_area(first, second) * np.maximum(top - bottom, 0.0)
    volume = first[:, 3:6].prod(axis=1) + second[:, 3:6].prod(axis=1)
    return np.asarray(shared / np.maximum(volume - shared, 1e-12))


def nearness(zero_distance: float) -> Similarity:
    """Return a similarity that falls from 1 to 0 as the centres, seen from above, get ``zero_distance`` apart, m."""

    def near(first: np.ndarray, second: np.ndarray) -> np.ndarray:
        distance = np.hypot(first[:, 0] - second[:, 0], first[:, 1] - second[:, 1])
        return np.asarray(np.maximum(1.0 - distance / zero_distance, 0.0))

    return near


def near_in_frames(
    first_frame: np.ndarray, first: np.ndarray, second_frame: np.ndarray, second: np.ndarray, reach: float
) -> tuple[np.ndarray, np.ndarray]:
    """Return indices (K,), (K,) of all boxes of the same frame whose centres are at most ``reach`` apart, in order."""
    none = np.zeros(0, np.intp)
    if not len(first) or not len(second):
        return none, none
    trees = [
        cKDTree(np.column_stack([boxes[:, :2], frame * (2.0 * reach + 1.0)]))
        for frame, boxes in ((first_frame, first), (second_frame, second))
    ]
    found = trees[0].sparse_distance_matrix(trees[1], reach, output_type="ndarray")
    order = np.lexsort((found["j"], found["i"]))
    return found["i"][order], found["j"][order]


def _boxes(boxes: np.ndarray) -> np.ndarray:
    boxes = np.asarray(boxes, float)
    if boxes.ndim != 2 or boxes.shape[1] != 7:
        raise ValueError(f"boxes: expected (K, 7), got {boxes.shape}")
    return boxes
