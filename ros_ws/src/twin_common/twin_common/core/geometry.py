"""Rigid transforms, headings and oriented boxes.

A transform ``map_from_lidar`` is a (4, 4) float64 matrix that takes homogeneous lidar coordinates to
map coordinates, so that chains read ``map_from_lidar = map_from_base @ base_from_lidar``.
"""

from __future__ import annotations

import numpy as np
from scipy.spatial.transform import Rotation


def transform(translation: np.ndarray | tuple[float, ...], rotation: Rotation | None = None) -> np.ndarray:
    """Return the (4, 4) matrix of a rotation followed by a translation in metres."""
    matrix = np.eye(4)
    if rotation is not None:
        matrix[:3, :3] = rotation.as_matrix()
    matrix[:3, 3] = translation
    return matrix


def transform_from_rpy(translation: tuple[float, ...], roll: float, pitch: float, yaw: float) -> np.ndarray:
    """Return the (4, 4) matrix of fixed-axis roll, pitch, yaw (REP-103, radians) and a translation (metres)."""
    return transform(translation, Rotation.from_euler("xyz", (roll, pitch, yaw)))


def inverse(b_from_a: np.ndarray) -> np.ndarray:
    """Return a_from_b of a rigid (4, 4) transform."""
    a_from_b = np.eye(4)
    a_from_b[:3, :3] = b_from_a[:3, :3].T
    a_from_b[:3, 3] = -b_from_a[:3, :3].T @ b_from_a[:3, 3]
    return a_from_b


def apply(b_from_a: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Transform (N, 3) points from frame a to frame b; the dtype of ``points`` is kept.

    Raises:
        ValueError: ``points`` is not (N, 3) or the transform not (4, 4).

    """
    if points.ndim != 2 or points.shape[1] != 3:
        raise ValueError(f"points: expected (N, 3), got {points.shape}")
    if b_from_a.shape != (4, 4):
        raise ValueError(f"b_from_a: expected (4, 4), got {b_from_a.shape}")
    rotation = b_from_a[:3, :3].astype(points.dtype, copy=False)
    moved: np.ndarray = points @ rotation.T + b_from_a[:3, 3].astype(points.dtype, copy=False)
    return moved


def interpolate(b_from_a0: np.ndarray, b_from_a1: np.ndarray, fraction: float) -> np.ndarray:
    """Return the pose between two poses, or beyond them where ``fraction`` is outside 0 to 1.

    Linear in position; constant angular velocity in rotation (the slerp of Shoemake 1985).
    """
    turn = Rotation.from_matrix(b_from_a0[:3, :3].T @ b_from_a1[:3, :3]).as_rotvec()
    rotation = Rotation.from_matrix(b_from_a0[:3, :3]) * Rotation.from_rotvec(fraction * turn)
    return transform((1 - fraction) * b_from_a0[:3, 3] + fraction * b_from_a1[:3, 3], rotation)


def yaw_of(b_from_a: np.ndarray) -> float:
    """Return the heading of frame a's x axis in frame b, radians."""
    return float(np.arctan2(b_from_a[1, 0], b_from_a[0, 0]))


def wrap(angle: np.ndarray | float) -> np.ndarray:
    """Return angles in (-pi, pi], radians."""
    return np.pi - np.mod(np.pi - np.asarray(angle), 2 * np.pi)


def box_corners(x: np.ndarray, y: np.ndarray, length: np.ndarray, width: np.ndarray, yaw: np.ndarray) -> np.ndarray:
    """Return the corners of oriented boxes seen from above, (N, 4, 2), counter-clockwise, metres."""
    along = np.array([0.5, -0.5, -0.5, 0.5])[None] * np.asarray(length)[:, None]
    across = np.array([0.5, 0.5, -0.5, -0.5])[None] * np.asarray(width)[:, None]
    cos, sin = np.cos(yaw)[:, None], np.sin(yaw)[:, None]
    return np.stack(
        [np.asarray(x)[:, None] + along * cos - across * sin, np.asarray(y)[:, None] + along * sin + across * cos],
        axis=2,
    )


def inside_polygon(points: np.ndarray, polygon: np.ndarray) -> np.ndarray:
    """Return which (N, 2) points lie in a polygon of (M, 2) corners, by the crossing rule; (N,) bool."""
    if points.ndim != 2 or points.shape[1] != 2:
        raise ValueError(f"points: expected (N, 2), got {points.shape}")
    x, y = points[:, 0, None], points[:, 1, None]
    x0, y0 = polygon[None, :, 0], polygon[None, :, 1]
    x1, y1 = np.roll(x0, -1, axis=1), np.roll(y0, -1, axis=1)
    spans = (y0 > y) != (y1 > y)
    with np.errstate(divide="ignore", invalid="ignore"):
        left = x < (x1 - x0) * (y - y0) / (y1 - y0) + x0
    return np.asarray(np.count_nonzero(spans & left, axis=1) % 2 == 1)
