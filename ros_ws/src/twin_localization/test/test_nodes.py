"""Frames and localizer in lockstep, on known motion and on a real drive."""

from pathlib import Path

import numpy as np
import pymap3d
import pytest
from geometry_msgs.msg import TwistWithCovarianceStamped
from rclpy.serialization import serialize_message
from scipy.spatial.transform import Rotation
from sensor_msgs.msg import Imu, NavSatFix

from twin_common import stamps
from twin_common.config import ConfigError
from twin_common.core import geometry
from twin_common.lockstep import LockstepHost
from twin_common.node_spec import NodeSpec

START_NS = 1_700_000_000_000_000_000
PERIOD_NS = 100_000_000
ORIGIN = (35.15, 126.85, 30.0)
DISTRICT = """
name: street
datum: {{latitude: {0}, longitude: {1}, altitude: {2}}}
platforms:
  - {{name: pole_01, pose: {{x: 3.0, y: -4.0, yaw_deg: 90.0}}, lidar: {{mount: {{z: 5.0}}}}, camera: {{}}}}
  - {{name: vehicle_01, kind: vehicle, lidar: {{mount: {{z: 1.8}}}}, gnss_imu: {{mount: {3}}}}}
  - {{name: vehicle_02, kind: vehicle}}
"""
KITTI = Path(__file__).parents[4].parent / "shared" / "data" / "kitti_tracking" / "oxts" / "0000.txt"


class Vehicle:
    """A localizer in lockstep; ``poses`` keeps (stamp_ns, map_from_base), ``odometry`` the messages."""

    def __init__(self, folder: Path, origin=ORIGIN, mount: str = "{}", **parameters) -> None:
        district = folder / "district.yaml"
        district.write_text(DISTRICT.format(*origin, mount))
        self.poses: list[tuple[int, np.ndarray]] = []
        self.odometry: list = []
        parameters = {"platform": "vehicle_01", "district": str(district), **parameters}
        remappings = {"~/input/gnss_fix": "/fix", "~/input/imu": "/imu", "~/input/gnss_velocity": "/velocity"}
        spec = NodeSpec("twin_localization.localizer_node:Localizer", "localizer", "/v", parameters, remappings)
        self.host = LockstepHost([spec], self._observe)
        self.runtime = self.host.runtimes[0]

    def _observe(self, topic: str, _type: str, _time_ns: int, message) -> None:
        if topic.endswith("/tf"):
            item = message.transforms[0]
            assert (item.header.frame_id, item.child_frame_id) == ("map", "vehicle_01/base_link")
            t, q = item.transform.translation, item.transform.rotation
            pose = geometry.transform((t.x, t.y, t.z), Rotation.from_quat([q.x, q.y, q.z, q.w]))
            self.poses.append((stamps.from_time(item.header.stamp), pose))
        else:
            self.odometry.append(message)

    def feed(self, topic: str, message, stamp_ns: int, delay: float) -> None:
        stamps.fill_time(message.header.stamp, stamp_ns)
        self.host.feed(topic, stamp_ns + stamps.from_seconds(delay), serialize_message(message))

    def fix(self, stamp_ns: int, geodetic, sigma: float = 0.02, status: int = 0, delay: float = 0.01) -> None:
        message = NavSatFix(latitude=float(geodetic[0]), longitude=float(geodetic[1]), altitude=float(geodetic[2]))
        message.status.status = status
        message.position_covariance = (np.eye(3) * sigma**2).reshape(-1)
        message.position_covariance_type = NavSatFix.COVARIANCE_TYPE_APPROXIMATED
        self.feed("/fix", message, stamp_ns, delay)

    def imu(self, stamp_ns: int, rotation: Rotation | None, rates=(0.0, 0.0, 0.0), delay: float = 0.01) -> None:
        message = Imu()
        if rotation is None:
            message.orientation_covariance[0] = -1.0
        else:
            o = message.orientation
            o.x, o.y, o.z, o.w = map(float, rotation.as_quat())
            message.orientation_covariance = (np.eye(3) * 0.002**2).reshape(-1)
        message.angular_velocity.x, message.angular_velocity.y, message.angular_velocity.z = map(float, rates)
        self.feed("/imu", message, stamp_ns, delay)

    def velocity(self, stamp_ns: int, velocity, sigma: float = 0.05, delay: float = 0.01) -> None:
        message = TwistWithCovarianceStamped()
        linear = message.twist.twist.linear
        linear.x, linear.y, linear.z = map(float, velocity)
        message.twist.covariance = (np.eye(6) * sigma**2).reshape(-1)
        self.feed("/velocity", message, stamp_ns, delay)


def geodetic(position) -> tuple[float, float, float]:
    return pymap3d.enu2geodetic(*map(float, position), *ORIGIN)


def truth(t: float) -> np.ndarray:
    """A bend with 20 m radius at 6 m/s."""
    yaw = 0.3 * t
    return geometry.transform((20 * np.sin(yaw), 20 * (1 - np.cos(yaw)), 1.0), Rotation.from_euler("z", yaw))


def drive(vehicle: Vehicle, ks, mount: np.ndarray, order: str = "fiv") -> None:
    for k in ks:
        stamp_ns = START_NS + k * PERIOD_NS
        unit = truth(k * 0.1) @ mount
        ahead = (truth(k * 0.1 + 1e-4) @ mount)[:3, 3]
        behind = (truth(k * 0.1 - 1e-4) @ mount)[:3, 3]
        for kind in order:
            if kind == "f":
                vehicle.fix(stamp_ns, geodetic(unit[:3, 3]))
            elif kind == "i":
                vehicle.imu(stamp_ns, Rotation.from_matrix(unit[:3, :3]), (0, 0, 0.3))
            else:
                vehicle.velocity(stamp_ns, (ahead - behind) / 2e-4)


def distance(pose: np.ndarray, expected: np.ndarray) -> float:
    return float(np.linalg.norm(pose[:3, 3] - expected[:3, 3]))


@pytest.mark.parametrize("order", ["fiv", "ivf", "vfi"])
def test_the_pose_is_that_of_the_fix_whatever_comes_first(tmp_path: Path, order: str) -> None:
    mount = geometry.transform((-1.0, 0.4, 0.9))
    vehicle = Vehicle(tmp_path, mount="{x: -1.0, y: 0.4, z: 0.9}")
    drive(vehicle, range(50), mount, order)
    vehicle.host.advance(START_NS + 50 * PERIOD_NS)
    assert [stamp for stamp, _ in vehicle.poses] == [START_NS + k * PERIOD_NS for k in range(50)]
    for k, (_, pose) in enumerate(vehicle.poses):
        assert distance(pose, truth(k * 0.1)) < 0.05
        assert abs(geometry.wrap(geometry.yaw_of(pose) - 0.03 * k)) < 0.005
    last = vehicle.odometry[-1]
    assert last.twist.twist.linear.x == pytest.approx(6.0, abs=0.1)
    assert last.twist.twist.linear.y == pytest.approx(0.0, abs=0.1)
    assert last.twist.twist.angular.z == pytest.approx(0.3, abs=0.01)
    assert 0 < last.pose.covariance[0] < 0.02**2 + 1e-6
    assert vehicle.runtime.problem is None
    vehicle.host.close()


def test_without_a_fix_poses_go_on_for_a_while_and_the_reason_is_reported(tmp_path: Path) -> None:
    vehicle = Vehicle(tmp_path, max_coast=1.0)
    drive(vehicle, range(30), np.eye(4))
    for k in range(30, 38):
        stamp_ns = START_NS + k * PERIOD_NS
        vehicle.fix(stamp_ns, (np.nan, np.nan, np.nan) if k % 2 else geodetic(np.zeros(3)), status=-1)
        vehicle.imu(stamp_ns, Rotation.from_euler("z", 0.03 * k), (0, 0, 0.3))
    vehicle.host.advance(START_NS + 38 * PERIOD_NS)
    assert len(vehicle.poses) == 38
    assert distance(vehicle.poses[-1][1], truth(3.7)) < 2.0
    assert vehicle.runtime.events["no_fix"] == 8
    assert "predicted" in vehicle.runtime.problem
    spread = [message.pose.covariance[0] for message in vehicle.odometry[29:]]
    assert np.all(np.diff(spread) > 0)
    vehicle.host.advance(START_NS + 60 * PERIOD_NS)  # and then nothing at all
    assert "position lost" in vehicle.runtime.problem
    assert vehicle.poses[-1][0] < START_NS + 40 * PERIOD_NS
    drive(vehicle, range(60, 63), np.eye(4))
    vehicle.host.advance(START_NS + 63 * PERIOD_NS)
    assert vehicle.runtime.problem is None
    assert distance(vehicle.poses[-1][1], truth(6.2)) < 0.05
    vehicle.host.close()


def test_silence_is_bridged_by_prediction(tmp_path: Path) -> None:
    vehicle = Vehicle(tmp_path)
    drive(vehicle, range(20), np.eye(4))
    vehicle.host.advance(START_NS + 28 * PERIOD_NS)
    ahead = [(stamp, pose) for stamp, pose in vehicle.poses if stamp > START_NS + 19 * PERIOD_NS]
    assert ahead
    for stamp_ns, pose in ahead:
        assert distance(pose, truth((stamp_ns - START_NS) / 1e9)) < 1.0
    drive(vehicle, range(28, 30), np.eye(4))
    vehicle.host.advance(START_NS + 30 * PERIOD_NS)
    assert distance(vehicle.poses[-1][1], truth(2.9)) < 0.05
    vehicle.host.close()


def test_heading_from_driving_where_the_imu_has_no_orientation(tmp_path: Path) -> None:
    vehicle = Vehicle(tmp_path)
    for k in range(30):
        stamp_ns = START_NS + k * PERIOD_NS
        x = max(k - 9, 0) * 0.5
        vehicle.imu(stamp_ns, None)
        vehicle.velocity(stamp_ns, (0.0, 5.0 if k > 9 else 0.0, 0.0))
        vehicle.fix(stamp_ns, geodetic((0.0, x, 0.0)))
        if k == 9:
            assert vehicle.poses == [] and "heading unknown" in vehicle.runtime.problem
    vehicle.host.advance(START_NS + 30 * PERIOD_NS)
    assert geometry.yaw_of(vehicle.poses[-1][1]) == pytest.approx(np.pi / 2, abs=0.03)
    assert vehicle.runtime.problem is None
    vehicle.host.close()


def test_a_recording_that_starts_again_is_followed_again(tmp_path: Path) -> None:
    vehicle = Vehicle(tmp_path)
    drive(vehicle, range(40), np.eye(4))
    vehicle.fix(START_NS + 20 * PERIOD_NS, geodetic(np.zeros(3)), delay=2.0)
    assert vehicle.runtime.events["late"] == 1
    for k in range(3):
        stamp_ns = START_NS + k * PERIOD_NS
        vehicle.imu(stamp_ns, Rotation.from_euler("z", 0.03 * k), (0, 0, 0.3), delay=4.1)
        vehicle.fix(stamp_ns, geodetic(truth(0.1 * k)[:3, 3]), delay=4.1)
    vehicle.host.advance(START_NS + 45 * PERIOD_NS)
    assert vehicle.poses[-1][0] == START_NS + 2 * PERIOD_NS
    vehicle.host.close()


def test_fixed_frames_of_a_pole_and_of_a_vehicle(tmp_path: Path) -> None:
    district = tmp_path / "district.yaml"
    district.write_text(DISTRICT.format(*ORIGIN, "{x: 0.5}"))
    frames = []
    specs = [
        NodeSpec("twin_localization.frames_node:Frames", "frames", f"/{p}", {"platform": p, "district": str(district)})
        for p in ("pole_01", "vehicle_01")
    ]
    host = LockstepHost(specs, lambda _topic, _type, _now, message: frames.append(message))
    host.close()
    named = {t.child_frame_id: (t.header.frame_id, t.transform) for message in frames for t in message.transforms}
    assert {child: parent for child, (parent, _) in named.items()} == {
        "pole_01/base_link": "map", "pole_01/lidar": "pole_01/base_link", "pole_01/camera": "pole_01/base_link",
        "vehicle_01/lidar": "vehicle_01/base_link", "vehicle_01/imu": "vehicle_01/base_link",
    }  # fmt: skip
    pole = named["pole_01/base_link"][1]
    assert (pole.translation.x, pole.translation.y) == (3.0, -4.0)
    assert pole.rotation.z == pytest.approx(np.sin(np.pi / 4))
    assert named["vehicle_01/imu"][1].translation.x == 0.5


def test_a_vehicle_without_a_receiver_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="vehicle_02 has no gnss_imu"):
        Vehicle(tmp_path, platform="vehicle_02")


@pytest.mark.realdata
def test_a_real_drive_follows_its_fixes_smoothly(tmp_path: Path) -> None:
    if not KITTI.is_file():
        pytest.skip("../shared/data/kitti_tracking/oxts/0000.txt is missing")
    rows = np.loadtxt(KITTI, usecols=range(25))
    origin = tuple(rows[0, :3])
    mount = geometry.transform((-0.81, 0.32, -0.80))
    vehicle = Vehicle(tmp_path, origin, mount="{x: -0.81, y: 0.32, z: -0.80}")
    for k, row in enumerate(rows):
        stamp_ns = START_NS + k * PERIOD_NS
        vehicle.imu(stamp_ns, Rotation.from_euler("ZYX", row[[5, 4, 3]]), row[20:23])
        yaw_velocity = (row[7], row[6], row[10])
        vehicle.velocity(stamp_ns, yaw_velocity, sigma=row[24])
        vehicle.fix(stamp_ns, row[:3], sigma=row[23])
    vehicle.host.advance(START_NS + len(rows) * PERIOD_NS)
    vehicle.host.close()
    assert len(vehicle.poses) == len(rows)
    direct = np.stack(pymap3d.geodetic2enu(rows[:, 0], rows[:, 1], rows[:, 2], *origin), axis=1)
    poses = np.stack([pose for _, pose in vehicle.poses])
    error = np.linalg.norm((poses @ mount)[:, :3, 3] - direct, axis=1)
    jerk = [np.abs(np.diff(points[:, :2], 3, axis=0)).max() for points in (direct, (poses @ mount)[:, :3, 3])]
    print(f"largest distance to the fixes {error.max():.3f} m, third differences {jerk[0]:.3f} and {jerk[1]:.3f} m")
    assert error.max() < 0.1
    assert jerk[1] <= jerk[0]
