"""Clouds to the arrays of the detector, and what it finds to messages."""

from __future__ import annotations

from typing import Any

import numpy as np

from twin_common import stamps
from twin_common.cdr import ArrayMessage, record_dtype
from twin_common.core.own_motion import OwnMotion
from twin_common.pointcloud import Cloud
from twin_detection.core.detections import Detections

_RECORD = "twin_msgs/msg/DetectedObject"
_SENSOR_LIDAR = 1
#: Elevation that stands for one laser where a cloud does not name them, radians.
_RING_STEP = np.radians(0.5)


def arrays_from_cloud(cloud: Cloud) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return coordinates (N, 3) float32, laser (N,) and time after the stamp (N,) in seconds.

    Where a cloud has no ``ring``, bands of elevation stand for lasers; without ``time_offset_ns`` all points
    have the stamp's time.
    """
    xyz = cloud.xyz
    points = cloud.points.reshape(-1)
    names = points.dtype.names or ()
    if "ring" in names:
        ring = points["ring"]
    else:
        elevation = np.nan_to_num(np.arctan2(xyz[:, 2], np.hypot(xyz[:, 0], xyz[:, 1])))
        ring = ((elevation + np.pi / 2) / _RING_STEP).astype(np.uint16)
    if "time_offset_ns" in names:
        return xyz, ring, points["time_offset_ns"] * np.float32(1e-9)
    return xyz, ring, np.zeros(len(xyz), np.float32)


def motion_from_odometry(message: Any) -> OwnMotion:
    """Return the motion of a nav_msgs/Odometry, along the axes of its child frame."""
    linear, angular = message.twist.twist.linear, message.twist.twist.angular
    velocity = np.array([linear.x, linear.y, linear.z])
    return OwnMotion(velocity, float(angular.z), stamps.from_time(message.header.stamp))


def message_from_detections(detections: Detections, stamp_ns: int, frame_id: str) -> ArrayMessage:
    """Return the twin_msgs/DetectedObjectArray of one scan's detections."""
    objects = np.zeros(len(detections), record_dtype(_RECORD))
    objects["object_id"] = np.arange(len(detections))
    objects["x"], objects["y"], objects["z"] = detections.centre.T
    objects["length"], objects["width"], objects["height"] = detections.size.T
    objects["yaw"] = detections.yaw
    objects["velocity_x"] = objects["velocity_y"] = np.nan
    objects["position_covariance"] = detections.covariance.reshape(-1, 9)
    objects["yaw_variance"] = detections.yaw_variance
    objects["class_probability"] = detections.class_probability
    objects["existence"] = detections.existence
    objects["point_count"] = detections.point_count
    objects["time_offset"] = detections.time_offset
    objects["classification"] = detections.label
    objects["sensors"] = _SENSOR_LIDAR
    objects["posture"] = detections.posture
    return ArrayMessage(stamp_ns, frame_id, {"objects": objects})


def detections_from_message(message: ArrayMessage) -> Detections:
    """Return what a twin_msgs/DetectedObjectArray holds."""
    objects = message["objects"]
    return Detections(
        centre=np.column_stack([objects["x"], objects["y"], objects["z"]]),
        size=np.column_stack([objects["length"], objects["width"], objects["height"]]).astype(float),
        yaw=objects["yaw"].astype(float),
        covariance=objects["position_covariance"].reshape(-1, 3, 3).astype(float),
        yaw_variance=objects["yaw_variance"].astype(float),
        class_probability=objects["class_probability"].astype(float),
        existence=objects["existence"].astype(float),
        point_count=objects["point_count"].astype(np.int64),
        time_offset=objects["time_offset"].astype(float),
        posture=objects["posture"].copy(),
    )
