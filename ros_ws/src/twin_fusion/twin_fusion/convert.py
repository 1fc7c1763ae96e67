"""ROS messages to and from the arrays of the fusion's core."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from nav_msgs.msg import Odometry
from scipy.spatial.transform import Rotation
from tf2_msgs.msg import TFMessage

from twin_common import stamps
from twin_common.cdr import ArrayMessage
from twin_common.core import geometry
from twin_fusion.core.lens import Lens
from twin_fusion.core.placement import PoseError

MAP = "map"


def transforms(message: TFMessage) -> Iterator[tuple[str, str, np.ndarray, int]]:
    """Yield (parent, child, parent_from_child (4, 4), stamp_ns) of each transform with a proper rotation."""
    for item in message.transforms:
        t, q = item.transform.translation, item.transform.rotation
        quaternion = np.array([q.x, q.y, q.z, q.w])
        if abs(float(np.linalg.norm(quaternion)) - 1) > 0.1:
            continue
        matrix = geometry.transform((t.x, t.y, t.z), Rotation.from_quat(quaternion))
        if np.isfinite(matrix).all():
            parent = item.header.frame_id.lstrip("/")
            yield parent, item.child_frame_id.lstrip("/"), matrix, stamps.from_time(item.header.stamp)


def objects_in_map(stamp_ns: int, objects: np.ndarray) -> ArrayMessage:
    """Return objects (N,) in the map frame as a DetectedObjectArray."""
    fields: dict[str, Any] = {"objects": objects}
    return ArrayMessage(stamp_ns, MAP, fields)


def lens_from_info(message: Any) -> Lens:
    """Return the lens of a sensor_msgs/CameraInfo.

    Raises:
        ValueError: numbers that are no camera's.

    """
    matrix = np.array(message.k, float).reshape(3, 3)
    distortion = np.array(message.d, float)
    model = message.distortion_model or "plumb_bob"
    return Lens(int(message.width), int(message.height), matrix, model, distortion)


def pose_error(message: Odometry, position_sigma: float, yaw_sigma: float) -> PoseError | None:
    """Return how well a moving platform knows its pose: the least that is given, and what its odometry tells.

    None: that is not finite.
    """
    covariance = np.reshape(message.pose.covariance, (6, 6))
    if not np.isfinite(covariance).all():
        return None
    least = PoseError.even(position_sigma, yaw_sigma)
    yaw = float(np.sqrt(yaw_sigma**2 + max(covariance[5, 5], 0.0)))
    return PoseError(least.position + covariance[:3, :3], yaw)
