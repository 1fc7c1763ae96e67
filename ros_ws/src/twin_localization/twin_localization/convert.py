"""ROS messages to and from the arrays of the localizer's core."""

from __future__ import annotations

import numpy as np
from geometry_msgs.msg import PoseWithCovarianceStamped, TransformStamped, TwistWithCovarianceStamped
from nav_msgs.msg import Odometry
from scipy.spatial.transform import Rotation
from sensor_msgs.msg import Imu, NavSatFix, NavSatStatus
from tf2_msgs.msg import TFMessage

from twin_common import stamps
from twin_common.core import geometry
from twin_common.core.geodesy import Datum
from twin_common.core.own_motion import OwnMotion
from twin_common.district import PlatformConfig
from twin_localization.core.localizer import Fix, Inertial, MapPose, Velocity
from twin_localization.core.map_matching import Match
from twin_localization.core.pose_filter import Pose

MAP = "map"
_PLACED = np.ix_((0, 1, 2, 5), (0, 1, 2, 5))  # x, y, z and yaw in a message's (6, 6) covariance


def transform_stamped(parent: str, child: str, parent_from_child: np.ndarray, stamp_ns: int) -> TransformStamped:
    """Return a (4, 4) transform as a message."""
    message = TransformStamped(child_frame_id=child)
    message.header.frame_id = parent
    stamps.fill_time(message.header.stamp, stamp_ns)
    translation, rotation = message.transform.translation, message.transform.rotation
    translation.x, translation.y, translation.z = map(float, parent_from_child[:3, 3])
    quaternion = Rotation.from_matrix(parent_from_child[:3, :3]).as_quat()
    rotation.x, rotation.y, rotation.z, rotation.w = map(float, quaternion)
    return message


def fixed_frames(platform: PlatformConfig) -> TFMessage:
    """Return what never moves on a platform: its mounts and, of a pole, base_link in map."""
    base = f"{platform.name}/base_link"
    frames = []
    if platform.kind == "pole":
        frames.append(transform_stamped(MAP, base, platform.pose.matrix(), 0))
    for name, sensor in (("lidar", platform.lidar), ("camera", platform.camera), ("imu", platform.gnss_imu)):
        if sensor is not None:
            frames.append(transform_stamped(base, f"{platform.name}/{name}", sensor.mount.matrix(), 0))
    return TFMessage(transforms=frames)


def fix_from_message(message: NavSatFix, datum: Datum, default_sigma: float) -> Fix:
    """Return a fix in the map frame; without position where the receiver has none or says NaN."""
    stamp_ns = stamps.from_time(message.header.stamp)
    coordinates = np.array([message.latitude, message.longitude, message.altitude])
    sigma = _sigma(np.diag(np.reshape(message.position_covariance, (3, 3))), default_sigma)
    if message.position_covariance_type == NavSatFix.COVARIANCE_TYPE_UNKNOWN:
        sigma = np.full(3, default_sigma)
    on_globe = abs(message.latitude) <= 90 and abs(message.longitude) <= 180
    if message.status.status < NavSatStatus.STATUS_FIX or not np.isfinite(coordinates).all() or not on_globe:
        return Fix(stamp_ns, None, sigma)
    return Fix(stamp_ns, datum.to_map(*coordinates), sigma)


def inertial_from_message(message: Imu, default_sigma: float) -> Inertial:
    """Return an IMU sample; by REP-145 a covariance starting with -1 tells that a part is not measured."""
    q = message.orientation
    quaternion = np.array([q.x, q.y, q.z, q.w])
    measured = message.orientation_covariance[0] >= 0 and abs(float(np.linalg.norm(quaternion)) - 1) < 0.1
    w = message.angular_velocity
    rates = np.array([w.x, w.y, w.z])
    if message.angular_velocity_covariance[0] < 0:
        rates = np.full(3, np.nan)
    sigma = float(_sigma(np.array([message.orientation_covariance[8]]), default_sigma)[0])
    orientation = Rotation.from_quat(quaternion) if measured else None
    return Inertial(stamps.from_time(message.header.stamp), orientation, sigma, rates)


def velocity_from_message(message: TwistWithCovarianceStamped, default_sigma: float) -> Velocity | None:
    """Return a velocity over ground; None where it is not finite."""
    v = message.twist.twist.linear
    velocity = np.array([v.x, v.y, v.z])
    sigma = _sigma(np.diag(np.reshape(message.twist.covariance, (6, 6)))[:3], default_sigma)
    if not np.isfinite(velocity).all():
        return None
    return Velocity(stamps.from_time(message.header.stamp), velocity, sigma)


def _sigma(variance: np.ndarray, default: float) -> np.ndarray:
    """Return standard deviations; the default where a variance is not positive."""
    good = np.isfinite(variance) & (variance > 0)
    return np.where(good, np.sqrt(np.where(good, variance, 1.0)), default)


def odometry(pose: Pose, platform: str) -> Odometry:
    """Return a pose as nav_msgs/Odometry: pose in map, velocity in base_link."""
    message = Odometry(child_frame_id=f"{platform}/base_link")
    stamped = transform_stamped(MAP, message.child_frame_id, pose.map_from_base, pose.stamp_ns)
    message.header = stamped.header
    position, translation = message.pose.pose.position, stamped.transform.translation
    position.x, position.y, position.z = translation.x, translation.y, translation.z
    message.pose.pose.orientation = stamped.transform.rotation
    base_from_map = pose.map_from_base[:3, :3].T
    linear, angular = message.twist.twist.linear, message.twist.twist.angular
    linear.x, linear.y, linear.z = map(float, base_from_map @ pose.velocity)
    angular.z = pose.yaw_rate
    pose_covariance, twist_covariance = np.zeros((6, 6)), np.zeros((6, 6))
    pose_covariance[_PLACED] = pose.covariance[np.ix_((0, 1, 2, 6), (0, 1, 2, 6))]
    twist_covariance[:3, :3] = base_from_map @ pose.covariance[3:6, 3:6] @ base_from_map.T
    message.pose.covariance = pose_covariance.reshape(-1)
    message.twist.covariance = twist_covariance.reshape(-1)
    return message


def pose_of(message: Odometry | PoseWithCovarianceStamped) -> np.ndarray | None:
    """Return map_from_base (4, 4); None where it is not finite, or its quaternion is none."""
    position, q = message.pose.pose.position, message.pose.pose.orientation
    place, quaternion = np.array([position.x, position.y, position.z]), np.array([q.x, q.y, q.z, q.w])
    if not np.isfinite(place).all() or not abs(float(np.linalg.norm(quaternion)) - 1) < 0.1:
        return None
    return geometry.transform(place, Rotation.from_quat(quaternion))


def position_sigma_of(message: Odometry) -> float:
    """Return the standard deviation of the position seen from above, in its worst direction, metres."""
    plane = np.reshape(message.pose.covariance, (6, 6))[:2, :2]
    return float(np.sqrt(max(np.linalg.eigvalsh(plane)[-1], 0.0))) if np.isfinite(plane).all() else float("inf")


def motion_of(message: Odometry, stamp_ns: int) -> OwnMotion:
    """Return how base_link moves, in its own axes."""
    linear = message.twist.twist.linear
    return OwnMotion(np.array([linear.x, linear.y, linear.z]), message.twist.twist.angular.z, stamp_ns)


def map_pose(found: Match, stamp_ns: int) -> PoseWithCovarianceStamped:
    """Return where a scan lies on the map as a message: upright, turned by the heading."""
    message = PoseWithCovarianceStamped()
    stamps.fill_time(message.header.stamp, stamp_ns)
    message.header.frame_id = MAP
    position, orientation = message.pose.pose.position, message.pose.pose.orientation
    position.x, position.y, position.z = map(float, found.place[:3])
    orientation.z, orientation.w = float(np.sin(found.place[3] / 2)), float(np.cos(found.place[3] / 2))
    covariance = np.zeros((6, 6))
    covariance[_PLACED] = found.covariance
    message.pose.covariance = covariance.reshape(-1)
    return message


def map_pose_from_message(message: PoseWithCovarianceStamped) -> MapPose | None:
    """Return a pose by the map; None where it is not finite, or its covariance is none."""
    covariance = np.reshape(message.pose.covariance, (6, 6))[_PLACED]
    pose = pose_of(message)
    if pose is None or not np.isfinite(covariance).all() or np.linalg.eigvalsh(covariance)[0] <= 0:
        return None
    place = np.array([*pose[:3, 3], geometry.yaw_of(pose)])
    return MapPose(stamps.from_time(message.header.stamp), place, covariance)
