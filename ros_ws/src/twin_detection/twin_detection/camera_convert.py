"""Messages of cameras to arrays, and what is found in images to messages."""

from __future__ import annotations

import array
from typing import Any

import cv2
import numpy as np
from nav_msgs.msg import Odometry
from scipy.spatial.transform import Rotation
from sensor_msgs.msg import CameraInfo, CompressedImage

from twin_common import stamps
from twin_common.cdr import ArrayMessage, record_dtype
from twin_common.core.object_class import ObjectClass
from twin_common.district import SIGNAL_USERS, DistrictConfig
from twin_detection.core.camera_colour import colours
from twin_detection.core.camera_objects import ImageObjects, cut_off
from twin_detection.core.camera_signals import Camera, Heads, Reading

_OBJECT, _SIGNAL = "twin_msgs/msg/ImageObject", "twin_msgs/msg/Signal"
_JPEG, _JPEG_END = b"\xff\xd8", b"\xff\xd9"
_COEFFICIENTS = (4, 5, 8, 12, 14)  # that OpenCV takes
_PLAIN = ("plumb_bob", "rational_polynomial", "")  # distortion models of one kind, which OpenCV projects


def image_from_message(message: CompressedImage) -> np.ndarray:
    """Return an image (H, W, 3) uint8, BGR.

    Raises:
        ValueError: it is no JPEG or PNG, or it is cut off.

    """
    content = bytes(message.data)
    name = f"{message.format or 'no format'}, {len(content)} bytes"
    if content[:2] == _JPEG and _JPEG_END not in content[-64:]:
        raise ValueError(f"image ({name}): its end is missing; expected a whole JPEG")
    image = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR) if content else None
    if image is None:
        raise ValueError(f"image ({name}): cannot be decoded; expected JPEG or PNG")
    return np.asarray(image)


def message_from_image(image: np.ndarray, quality: int, stamp_ns: int, frame_id: str) -> CompressedImage:
    """Return an image (H, W, 3) uint8 BGR as JPEG."""
    good, content = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, quality])
    if not good:
        raise ValueError(f"image of shape {image.shape}: cannot be encoded as JPEG")
    message = CompressedImage(format="jpeg", data=array.array("B", content.tobytes()))
    stamps.fill_time(message.header.stamp, stamp_ns)
    message.header.frame_id = frame_id
    return message


def message_from_objects(objects: ImageObjects, image: np.ndarray, stamp_ns: int, frame_id: str) -> ArrayMessage:
    """Return the twin_msgs/ImageObjectArray of an image's objects, with their colours."""
    records = np.zeros(len(objects), record_dtype(_OBJECT))
    records["object_id"] = np.arange(len(objects))
    for column, name in enumerate(("x_min", "y_min", "x_max", "y_max")):
        records[name] = objects.box[:, column]
    records["class_probability"] = objects.class_probability
    records["posture_probability"] = objects.posture_probability
    records["existence"] = objects.existence
    records["classification"], records["posture"] = objects.label, objects.posture
    records["colour"] = colours(image, objects.box, objects.label == ObjectClass.PEDESTRIAN)
    records["cut"] = cut_off(objects.box, *image.shape[:2])
    return ArrayMessage(stamp_ns, frame_id, {"objects": records})


def objects_from_message(message: ArrayMessage) -> ImageObjects:
    """Return what a twin_msgs/ImageObjectArray holds."""
    records = message["objects"]
    box = np.column_stack([records[name] for name in ("x_min", "y_min", "x_max", "y_max")])
    return ImageObjects(
        box.astype(float), records["class_probability"].astype(float),
        records["posture_probability"].astype(float), records["existence"].astype(float),
    )  # fmt: skip


def heads_of(district: DistrictConfig) -> Heads:
    """Return the signal heads of a district."""
    listed = district.signals
    return Heads(
        np.array([item.id for item in listed], np.uint64),
        np.array([(item.x, item.y, item.z) for item in listed], float).reshape(-1, 3),
        np.radians([item.yaw_deg for item in listed]),
        np.array([SIGNAL_USERS.index(item.users) + 1 for item in listed], np.uint8),
    )


def camera_from_info(info: CameraInfo, map_from_camera: np.ndarray) -> Camera | None:
    """Return a camera at a pose, (4, 4); None where it is not calibrated, has a lens of another kind, or no pose."""
    matrix = np.array(info.k, float).reshape(3, 3)
    distortion = np.array(info.d, float) if len(info.d) else np.zeros(5)
    numbers = np.concatenate([matrix.reshape(-1), distortion, map_from_camera.reshape(-1)])
    if not np.isfinite(numbers).all() or matrix[0, 0] <= 0:
        return None
    if info.distortion_model not in _PLAIN or len(distortion) not in _COEFFICIENTS:
        return None
    return Camera(matrix, distortion, map_from_camera)


def message_from_reading(reading: Reading, heads: Heads, stamp_ns: int) -> ArrayMessage:
    """Return the twin_msgs/SignalArray of what a camera reads."""
    records = np.zeros(len(reading.index), record_dtype(_SIGNAL))
    records["signal_id"] = heads.signal_id[reading.index]
    records["x"], records["y"], records["z"] = heads.place[reading.index].T
    records["yaw"], records["users"] = heads.yaw[reading.index], heads.users[reading.index]
    records["state"] = reading.state
    return ArrayMessage(stamp_ns, "map", {"signals": records})


def pose_at(odometry: Any, stamp_ns: int) -> np.ndarray:
    """Return map_from_base (4, 4) at a stamp, from the odometry of a moment near it: its velocities are kept.

    NaN where the odometry has no rotation.
    """
    assert isinstance(odometry, Odometry)
    pose, twist = odometry.pose.pose, odometry.twist.twist
    ahead = stamps.to_seconds(stamp_ns - stamps.from_time(odometry.header.stamp))
    quaternion = np.array([pose.orientation.x, pose.orientation.y, pose.orientation.z, pose.orientation.w])
    if not abs(float(np.linalg.norm(quaternion)) - 1) < 0.1:
        return np.full((4, 4), np.nan)
    turn = Rotation.from_quat(quaternion)
    rates = np.array([twist.angular.x, twist.angular.y, twist.angular.z])
    way = np.array([twist.linear.x, twist.linear.y, twist.linear.z]) * ahead
    matrix = np.eye(4)
    matrix[:3, :3] = (turn * Rotation.from_rotvec(np.nan_to_num(rates) * ahead)).as_matrix()
    matrix[:3, 3] = np.array([pose.position.x, pose.position.y, pose.position.z]) + turn.apply(np.nan_to_num(way))
    return matrix
