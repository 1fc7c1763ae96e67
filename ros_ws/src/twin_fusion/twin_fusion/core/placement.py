"""Detected objects from a sensor's frame to the map frame."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.spatial.transform import Rotation

from twin_common.core import geometry


def finite(objects: np.ndarray) -> np.ndarray:
    """Return which objects have finite numbers, and a class and a posture that there are, (N,) bool.

    Velocities may be unknown, NaN.

    ``objects``: (N,) with the fields of twin_msgs/DetectedObject.
    """
    good: np.ndarray = np.isfinite(objects["position_covariance"]).all(axis=1)
    for name in ("x", "y", "z", "length", "width", "height", "yaw", "yaw_variance", "existence", "time_offset"):
        good &= np.isfinite(objects[name])
    good &= np.isfinite(objects["class_probability"]).all(axis=1)
    good &= (objects["classification"] < objects["class_probability"].shape[1]) & (objects["posture"] < 4)
    return good


def finite_boxes(objects: np.ndarray) -> np.ndarray:
    """Return which objects of a frame (M,), ImageObject, have a box with an inside and finite numbers, (M,) bool."""
    good: np.ndarray = (objects["x_max"] > objects["x_min"]) & (objects["y_max"] > objects["y_min"])
    for name in ("x_min", "y_min", "x_max", "y_max", "existence"):
        good &= np.isfinite(objects[name])
    good &= np.isfinite(objects["class_probability"]).all(axis=1)
    good &= np.isfinite(objects["posture_probability"]).all(axis=1)
    good &= (objects["classification"] < objects["class_probability"].shape[1]) & (objects["posture"] < 4)
    return good


def poses_between(first: np.ndarray, last: np.ndarray, fraction: np.ndarray) -> np.ndarray:
    """Return poses (N, 4, 4) at fractions (N,) of the way from one pose (4, 4) to another.

    Linear in position, of constant turn rate in rotation, as ``geometry.interpolate``.
    """
    turn = Rotation.from_matrix(first[:3, :3].T @ last[:3, :3]).as_rotvec()
    poses = np.tile(np.eye(4), (len(fraction), 1, 1))
    poses[:, :3, :3] = first[:3, :3] @ Rotation.from_rotvec(fraction[:, None] * turn).as_matrix().reshape(-1, 3, 3)
    poses[:, :3, 3] = first[:3, 3] + fraction[:, None] * (last[:3, 3] - first[:3, 3])
    return poses


@dataclass(frozen=True, slots=True)
class PoseError:
    """How well a platform knows its pose: ``position`` (3, 3) m², map frame, and ``yaw_sigma``, radians."""

    position: np.ndarray
    yaw_sigma: float

    @classmethod
    def even(cls, position_sigma: float, yaw_sigma: float) -> PoseError:
        """Return the error of a position that is as uncertain along every axis, metres."""
        return cls(position_sigma**2 * np.eye(3), yaw_sigma)


def place(objects: np.ndarray, map_from_sensor: np.ndarray, platform: int, error: PoseError) -> np.ndarray:
    """Return a copy of the objects in the map frame, with the platform's bit set.

    The error of the pose is added: that of the position to all objects, and that of the heading, which moves an object
    across the line of sight, the more the farther it is.

    ``objects``: (N,) with the fields of twin_msgs/DetectedObject; ``map_from_sensor``: (4, 4), or (N, 4, 4) where the
    sensor has moved between the objects.
    """
    if map_from_sensor.shape not in ((4, 4), (len(objects), 4, 4)):
        raise ValueError(f"map_from_sensor: expected (4, 4) or ({len(objects)}, 4, 4), got {map_from_sensor.shape}")
    placed = objects.copy()
    poses = np.broadcast_to(map_from_sensor, (len(objects), 4, 4))
    rotation, origin = poses[:, :3, :3], poses[:, :3, 3]
    local = np.stack([objects["x"], objects["y"], objects["z"]], axis=1)
    centres = np.einsum("nij,nj->ni", rotation, local) + origin
    placed["x"], placed["y"], placed["z"] = centres.T
    heading = np.einsum("nij,nj->ni", rotation[:, :, :2], np.stack([np.cos(objects["yaw"]), np.sin(objects["yaw"])], 1))
    placed["yaw"] = geometry.wrap(np.arctan2(heading[:, 1], heading[:, 0]))
    velocity = np.stack([objects["velocity_x"], objects["velocity_y"]], axis=1)
    placed["velocity_x"], placed["velocity_y"] = np.einsum("nij,nj->ni", rotation[:, :2, :2], velocity).T
    covariance = objects["position_covariance"].reshape(-1, 3, 3).astype(float)
    covariance = rotation @ covariance @ rotation.transpose(0, 2, 1)
    placed["position_covariance"] = covariance.reshape(-1, 9)
    placed["platforms"] |= np.uint64(1 << platform)
    return add_pose_error(placed, origin, error)


def add_pose_error(objects: np.ndarray, origin: np.ndarray, error: PoseError) -> np.ndarray:
    """Add the error of the platform's pose to objects (N,) in the map frame, in place; return them.

    ``origin``: (3,) or (N, 3), where the sensor was.
    """
    across = np.zeros((len(objects), 3))  # how a small turn of the platform moves the object, per radian
    across[:, 0] = -(objects["y"] - origin[..., 1])
    across[:, 1] = objects["x"] - origin[..., 0]
    covariance = objects["position_covariance"].reshape(-1, 3, 3).astype(float)
    covariance += error.yaw_sigma**2 * across[:, :, None] * across[:, None, :]
    covariance += error.position
    objects["position_covariance"] = covariance.reshape(-1, 9)
    objects["yaw_variance"] += error.yaw_sigma**2
    return objects
