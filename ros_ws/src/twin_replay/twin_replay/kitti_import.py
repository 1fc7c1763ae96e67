"""Turns a sequence of the KITTI tracking benchmark into a bag with its district and its labels.

The vehicle's base_link is on the ground below the IMU, its axes those of the IMU. Scans are stamped with
the time of their last point and keep a time for each point (``core.kitti`` says how); position, orientation,
velocity and image of a frame carry the frame's own stamp. The sequences publish no times: frames are 0.1 s apart.
"""

from __future__ import annotations

import array
import shutil
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from geometry_msgs.msg import TwistWithCovarianceStamped
from rich.console import Console
from rich.progress import track
from scipy.spatial.transform import Rotation
from sensor_msgs.msg import CameraInfo, CompressedImage, Imu, NavSatFix, NavSatStatus

from twin_common import pointcloud, registry, stamps
from twin_common.codecs import codec_for
from twin_common.core import geometry
from twin_replay.bag import BagWriter
from twin_replay.core import kitti
from twin_replay.folders import whole_folder

PLATFORM = "vehicle_01"
LIDAR_HEIGHT = 1.73  # above the ground, metres (Geiger et al. 2013, figure 3)
#: What the car covers: the IMU is above its rear axle and 0.31 m left of its middle, the axles are 2.71 m apart (figure
#: 3); 0.4 m beside the doors, 1 m behind the LiDAR, there are returns of the car itself.
BODY = {"length": 5.0, "width": 3.2, "x": 1.4, "y": -0.31}
ORIENTATION_SIGMA = np.radians(0.1)  # OXTS RT3003, as given by its maker
JPEG_QUALITY = 90
_TRUTH = ("label_02", "calib", "oxts")


def import_sequence(
    source: Path, name: str, target: Path, *, force: bool = False, console: Console | None = None
) -> int:
    """Write sequence ``name`` of the folder ``source`` as the bag ``target``; return the number of messages.

    Raises:
        KittiError: a file is missing or has another format.
        BagError: ``target`` exists already or cannot be written.

    """
    sequence = kitti.TrackingSequence(source, name)
    mounts = sensor_mounts(sequence.calibration)
    oxts = sequence.oxts
    with whole_folder(target, replace=force) as folder:
        bag = folder / "bag"
        with BagWriter(bag, name=target.name, custom={"source": f"KITTI tracking, sequence {name}"}) as writer:
            for entry in ("lidar_points", "gnss_fix", "gnss_velocity", "imu"):
                writer.add_topic(_topic(entry))
            frames = sequence.frames
            shown = track(frames, f"importing {name}", console=console or Console(stderr=True), transient=True)
            for time_ns, key, message in messages_in_order(sequence, oxts, shown):
                writer.add_topic(_topic(key))
                writer.write(_topic(key), time_ns, codec_for(registry.topic(key).type_name).encode(message))
            count = sum(topic.count for topic in writer.topics.values())
        for path in bag.iterdir():
            path.rename(folder / path.name)
        bag.rmdir()
        with_camera = any(sequence.image(frame) for frame in frames)
        district = district_of(sequence, mounts, with_camera=with_camera)
        (folder / "district.yaml").write_text(yaml.safe_dump(district, sort_keys=False))
        _copy_truth(source, name, folder / "labels")
    return count


def sensor_mounts(calibration: kitti.Calibration) -> dict[str, np.ndarray]:
    """Return base_link from ``imu``, ``lidar`` and ``camera`` (the rectified one, optical axes), each (4, 4)."""
    imu_from_lidar = geometry.inverse(calibration.lidar_from_imu)
    base_from_imu = geometry.transform((0.0, 0.0, LIDAR_HEIGHT - imu_from_lidar[2, 3]))
    base_from_lidar = base_from_imu @ imu_from_lidar
    return {
        "imu": base_from_imu,
        "lidar": base_from_lidar,
        "camera": base_from_lidar @ calibration.lidar_from_camera,
    }


def district_of(
    sequence: kitti.TrackingSequence, mounts: dict[str, np.ndarray], *, with_camera: bool
) -> dict[str, Any]:
    """Return the district's YAML: datum on the ground below the first position, one vehicle."""
    oxts, first = sequence.oxts, sequence.frames[0]
    platform: dict[str, Any] = {
        "name": PLATFORM, "kind": "vehicle", "lidar": {"mount": _pose(mounts["lidar"])}, "body": BODY,
    }  # fmt: skip
    if with_camera:
        platform["camera"] = {"mount": _pose(mounts["camera"])}
    platform["gnss_imu"] = {"mount": _pose(mounts["imu"])}
    return {
        "name": f"KITTI tracking {sequence.name}",
        "datum": {
            "latitude": float(oxts.latitude[first]),
            "longitude": float(oxts.longitude[first]),
            "altitude": float(oxts.altitude[first] - mounts["imu"][2, 3]),
        },
        "platforms": [platform],
    }


def _pose(parent_from_child: np.ndarray) -> dict[str, float]:
    roll, pitch, yaw = Rotation.from_matrix(parent_from_child[:3, :3]).as_euler("xyz", degrees=True)
    x, y, z = parent_from_child[:3, 3]
    values = {"x": x, "y": y, "z": z, "roll_deg": roll, "pitch_deg": pitch, "yaw_deg": yaw}
    return {key: round(float(value), 9) for key, value in values.items()}


def _topic(key: str) -> str:
    return registry.topic(key).resolve(PLATFORM)


def messages_in_order(
    sequence: kitti.TrackingSequence, oxts: kitti.Oxts, frames: Iterable[int]
) -> Iterator[tuple[int, str, Any]]:
    """Yield (log time, registry key, message) of every frame, in order of time."""
    for frame in frames:
        stamp_ns = kitti.frame_stamp_ns(frame)
        yield stamp_ns, "imu", _imu(oxts, frame, stamp_ns)
        yield stamp_ns, "gnss_velocity", _velocity(oxts, frame, stamp_ns)
        yield stamp_ns, "gnss_fix", _fix(oxts, frame, stamp_ns)
        image = sequence.image(frame)
        if image is not None:
            content, size = _jpeg(image)
            yield stamp_ns, "camera_info", _camera_info(sequence.calibration, size, stamp_ns)
            yield stamp_ns, "camera_image", _compressed_image(content, stamp_ns)
        yield kitti.scan_stamp_ns(frame), "lidar_points", _cloud(sequence.scan(frame), kitti.scan_stamp_ns(frame))


def _cloud(scan: kitti.Scan, stamp_ns: int) -> pointcloud.Cloud:
    return pointcloud.from_xyz(
        stamp_ns, f"{PLATFORM}/lidar", scan.xyz, intensity=scan.intensity * np.float32(255),
        time_offset_ns=kitti.point_time_offsets_ns(scan.xyz), ring=kitti.rings(scan.xyz),
    )  # fmt: skip


def _stamped(message: Any, frame_id: str, stamp_ns: int) -> Any:
    message.header.frame_id = frame_id
    stamps.fill_time(message.header.stamp, stamp_ns)
    return message


def _fix(oxts: kitti.Oxts, frame: int, stamp_ns: int) -> NavSatFix:
    message = _stamped(NavSatFix(), f"{PLATFORM}/imu", stamp_ns)
    message.status.status, message.status.service = NavSatStatus.STATUS_FIX, NavSatStatus.SERVICE_GPS
    message.latitude, message.longitude = float(oxts.latitude[frame]), float(oxts.longitude[frame])
    message.altitude = float(oxts.altitude[frame])
    message.position_covariance = (np.eye(3) * oxts.position_accuracy[frame] ** 2).reshape(-1)
    message.position_covariance_type = NavSatFix.COVARIANCE_TYPE_APPROXIMATED
    return message


def _velocity(oxts: kitti.Oxts, frame: int, stamp_ns: int) -> TwistWithCovarianceStamped:
    message = _stamped(TwistWithCovarianceStamped(), "map", stamp_ns)
    linear = message.twist.twist.linear
    linear.x, linear.y, linear.z = float(oxts.ve[frame]), float(oxts.vn[frame]), float(oxts.vu[frame])
    covariance = np.zeros((6, 6))
    covariance[:3, :3] = np.eye(3) * oxts.velocity_accuracy[frame] ** 2
    message.twist.covariance = covariance.reshape(-1)
    return message


def _imu(oxts: kitti.Oxts, frame: int, stamp_ns: int) -> Imu:
    message = _stamped(Imu(), f"{PLATFORM}/imu", stamp_ns)
    angles = (oxts.roll[frame], oxts.pitch[frame], oxts.yaw[frame])
    q, w, a = message.orientation, message.angular_velocity, message.linear_acceleration
    q.x, q.y, q.z, q.w = map(float, Rotation.from_euler("xyz", angles).as_quat())
    w.x, w.y, w.z = float(oxts.wf[frame]), float(oxts.wl[frame]), float(oxts.wu[frame])
    a.x, a.y, a.z = float(oxts.af[frame]), float(oxts.al[frame]), float(oxts.au[frame])
    message.orientation_covariance = (np.eye(3) * ORIENTATION_SIGMA**2).reshape(-1)
    return message


def _jpeg(path: Path) -> tuple[bytes, tuple[int, int]]:
    """Return an image as JPEG, an eighth of the size of the benchmark's PNG, and its (width, height)."""
    import cv2

    pixels = cv2.imdecode(np.frombuffer(path.read_bytes(), np.uint8), cv2.IMREAD_COLOR)
    if pixels is None:
        raise kitti.KittiError(f"{path}: no readable image; expected PNG or JPEG")
    _, content = cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
    return content.tobytes(), (pixels.shape[1], pixels.shape[0])


def _compressed_image(content: bytes, stamp_ns: int) -> CompressedImage:
    message = _stamped(CompressedImage(format="bgr8; jpeg compressed bgr8"), f"{PLATFORM}/camera", stamp_ns)
    message.data = array.array("B", content)
    return message


def _camera_info(calibration: kitti.Calibration, size: tuple[int, int], stamp_ns: int) -> CameraInfo:
    message = _stamped(CameraInfo(distortion_model="plumb_bob"), f"{PLATFORM}/camera", stamp_ns)
    message.width, message.height = size
    message.d = [0.0] * 5
    message.k = calibration.projection[:, :3].reshape(-1)
    message.r = np.eye(3).reshape(-1)
    message.p = calibration.projection.reshape(-1)
    return message


def _copy_truth(source: Path, name: str, target: Path) -> None:
    """Copy labels, calibration and poses, where they are there, in the benchmark's own layout."""
    for kind in _TRUTH:
        path = Path(source) / kind / f"{name}.txt"
        if path.is_file():
            (target / kind).mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, target / kind / path.name)
