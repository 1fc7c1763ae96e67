"""Driver records to ROS messages and back."""

from __future__ import annotations

import array
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from geometry_msgs.msg import TwistWithCovarianceStamped
from scipy.spatial.transform import Rotation
from sensor_msgs.msg import CameraInfo, CompressedImage, Imu, NavSatFix, NavSatStatus

from twin_common import stamps
from twin_common.pointcloud import Cloud
from twin_drivers.core import nmea
from twin_drivers.core.camera_model import CameraModel
from twin_drivers.core.scan import Packet, Scan, split
from twin_msgs.msg import LidarPackets


def scan_to_cloud(scan: Scan, frame_id: str) -> Cloud:
    """Return a scan as a cloud."""
    return Cloud(scan.stamp_ns, frame_id, scan.points)


def packets_of(message: Any) -> Iterator[Packet]:
    """Return the packets of a LidarPackets."""
    return split(
        np.asarray(message.stamps_ns, np.int64), np.asarray(message.sizes, np.int64), np.asarray(message.data, np.uint8)
    )


def packets_to_message(packets: Sequence[Packet], model: str, frame_id: str) -> LidarPackets:
    """Return packets as one LidarPackets, stamped with the arrival of the first."""
    message = LidarPackets(model=model)
    message.header.frame_id = frame_id
    if packets:
        stamps.fill_time(message.header.stamp, packets[0].stamp_ns)
    message.stamps_ns = array.array("Q", [packet.stamp_ns for packet in packets])
    message.sizes = array.array("I", [len(packet.payload) for packet in packets])
    message.data = array.array("B", b"".join(packet.payload for packet in packets))
    return message


UNKNOWN_RATE = 1e6  # (rad/s)², variance of angular rates that are not measured
_STATUS = {
    nmea.QUALITY_NONE: NavSatStatus.STATUS_NO_FIX,
    nmea.QUALITY_DIFFERENTIAL: NavSatStatus.STATUS_SBAS_FIX,
    nmea.QUALITY_FIXED: NavSatStatus.STATUS_GBAS_FIX,
    nmea.QUALITY_FLOAT: NavSatStatus.STATUS_GBAS_FIX,
}


def fix_to_message(fix: nmea.Fix, frame_id: str) -> NavSatFix:
    """Return a fix; without position its status says so and latitude, longitude and altitude are NaN."""
    message = NavSatFix(latitude=fix.latitude_deg, longitude=fix.longitude_deg, altitude=fix.altitude)
    stamps.fill_time(message.header.stamp, fix.stamp_ns)
    message.header.frame_id = frame_id
    message.status.status = _STATUS.get(fix.quality, NavSatStatus.STATUS_FIX)
    message.status.service = NavSatStatus.SERVICE_GPS
    if fix.quality != nmea.QUALITY_NONE:
        message.position_covariance = np.diag(fix.variances).reshape(-1)
        message.position_covariance_type = (
            NavSatFix.COVARIANCE_TYPE_DIAGONAL_KNOWN if fix.measured else NavSatFix.COVARIANCE_TYPE_APPROXIMATED
        )
    return message


def velocity_to_message(velocity: nmea.GroundVelocity, frame_id: str) -> TwistWithCovarianceStamped:
    """Return a velocity over ground, east-north-up; ``frame_id`` is a frame with these axes."""
    message = TwistWithCovarianceStamped()
    stamps.fill_time(message.header.stamp, velocity.stamp_ns)
    message.header.frame_id = frame_id
    message.twist.twist.linear.x, message.twist.twist.linear.y = velocity.east, velocity.north
    vertical = 100.0 * velocity.variance  # not measured: level within what a road allows
    variances = (velocity.variance, velocity.variance, vertical, *3 * (UNKNOWN_RATE,))
    message.twist.covariance = np.diag(variances).reshape(-1)
    return message


def attitude_to_message(attitude: nmea.Attitude, frame_id: str) -> Imu:
    """Return an attitude; rates and accelerations are marked as not measured (REP-145)."""
    message = Imu()
    stamps.fill_time(message.header.stamp, attitude.stamp_ns)
    message.header.frame_id = frame_id
    quaternion = Rotation.from_euler("xyz", (attitude.roll, attitude.pitch, attitude.yaw)).as_quat()
    q = message.orientation
    q.x, q.y, q.z, q.w = map(float, quaternion)
    message.orientation_covariance = np.diag(attitude.variances).reshape(-1)
    message.angular_velocity_covariance[0] = -1.0
    message.linear_acceleration_covariance[0] = -1.0
    return message


def jpeg_to_message(jpeg: bytes, stamp_ns: int, frame_id: str) -> CompressedImage:
    """Return an encoded image."""
    message = CompressedImage(format="jpeg", data=array.array("B", jpeg))
    stamps.fill_time(message.header.stamp, stamp_ns)
    message.header.frame_id = frame_id
    return message


def camera_info(model: CameraModel | None, size: tuple[int, int], stamp_ns: int, frame_id: str) -> CameraInfo:
    """Return intrinsics; without ``model`` those of an uncalibrated camera, K = 0, of ``size`` (width, height)."""
    message = CameraInfo(width=size[0], height=size[1])
    stamps.fill_time(message.header.stamp, stamp_ns)
    message.header.frame_id = frame_id
    if model is not None:
        message.distortion_model = model.distortion_model
        message.d = model.distortion.tolist()
        message.k, message.r = model.matrix.reshape(-1), model.rectification.reshape(-1)
        message.p = model.projection.reshape(-1)
    return message
