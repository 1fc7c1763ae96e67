"""Detected objects from a sensor's frame to the map frame."""

from __future__ import annotations

import numpy as np

from twin_common.core import geometry


def finite(objects: np.ndarray) -> np.ndarray:
    """Return which objects have finite centre, size, heading and covariance, (N,) bool.

    ``objects``: (N,) with the fields of twin_msgs/DetectedObject.
    """
    good: np.ndarray = np.isfinite(objects["position_covariance"]).all(axis=1)
    for name in ("x", "y", "z", "length", "width", "height", "yaw", "yaw_variance"):
        good &= np.isfinite(objects[name])
    return good


def place(
    objects: np.ndarray, map_from_sensor: np.ndarray, platform: int, position_sigma: float, yaw_sigma: float
) -> np.ndarray:
    """Return a copy of the objects in the map frame, with the platform's bit set.

    The error of the pose is added: ``position_sigma`` (metres, every axis) to all objects, and
    ``yaw_sigma`` (radians), which moves an object across the line of sight, the more the farther it is.

    ``objects``: (N,) with the fields of twin_msgs/DetectedObject; ``map_from_sensor``: (4, 4).
    """
    if map_from_sensor.shape != (4, 4):
        raise ValueError(f"map_from_sensor: expected (4, 4), got {map_from_sensor.shape}")
    placed = objects.copy()
    rotation = map_from_sensor[:3, :3]
    centres = geometry.apply(map_from_sensor, np.stack([objects["x"], objects["y"], objects["z"]], axis=1))
    placed["x"], placed["y"], placed["z"] = centres.T
    heading = np.stack([np.cos(objects["yaw"]), np.sin(objects["yaw"]), np.zeros(len(objects))], axis=1) @ rotation.T
    placed["yaw"] = geometry.wrap(np.arctan2(heading[:, 1], heading[:, 0]))
    velocity = np.stack([objects["velocity_x"], objects["velocity_y"]], axis=1) @ rotation[:2, :2].T
    placed["velocity_x"], placed["velocity_y"] = velocity.T
    covariance = objects["position_covariance"].reshape(-1, 3, 3).astype(float)
    covariance = rotation @ covariance @ rotation.T
    across = np.zeros((len(objects), 3))  # how a small turn of the platform moves the object, per radian
    across[:, 0] = -(centres[:, 1] - map_from_sensor[1, 3])
    across[:, 1] = centres[:, 0] - map_from_sensor[0, 3]
    covariance += yaw_sigma**2 * across[:, :, None] * across[:, None, :]
    covariance += position_sigma**2 * np.eye(3)
    placed["position_covariance"] = covariance.reshape(-1, 9)
    placed["yaw_variance"] += yaw_sigma**2
    placed["platforms"] |= np.uint64(1 << platform)
    return placed
