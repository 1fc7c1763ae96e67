"""Scans on the map: a street of known walls, and the simulated drive of a shipped recording."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest
from nav_msgs.msg import Odometry
from rclpy.serialization import serialize_message
from scipy.spatial.transform import Rotation

from twin_bringup.graph import nodes_for_replay, sensor_topics
from twin_common import pointcloud, stamps
from twin_common.codecs import codec_for
from twin_common.core import geometry
from twin_common.core.own_motion import OwnMotion
from twin_common.district import load_district
from twin_common.lockstep import LockstepHost
from twin_common.node_spec import NodeSpec
from twin_localization.config import MapMatcherConfig
from twin_localization.core.map_matching import MapMatcher
from twin_localization.district_map import static_map
from twin_localization.evaluation import evaluate_localization
from twin_replay.bag import BagReader

ROOT = Path(__file__).parents[4]
BAG = ROOT / "bags" / "vehicle_pass"
STREET = """
name: street
datum: {latitude: 35.15, longitude: 126.85, altitude: 30.0}
platforms:
  - {name: vehicle_01, kind: vehicle, lidar: {mount: {x: 0.3, z: 1.9, yaw_deg: 20.0}}, gnss_imu: {}}
zones:
  - {name: road, kind: carriageway, polygon: [[-80, -5], [80, -5], [80, 5], [-80, 5]]}
  - {name: a, kind: building, height: 12, polygon: [[-60, 9], [-22, 9], [-22, 25], [-60, 25]]}
  - {name: b, kind: building, height: 9, polygon: [[-15, 11], [8, 11], [8, 24], [-15, 24]]}
  - {name: c, kind: building, height: 15, polygon: [[13, 8], [55, 8], [55, 22], [13, 22]]}
  - {name: d, kind: building, height: 10, polygon: [[-50, -28], [-5, -28], [-5, -9], [-50, -9]]}
  - {name: e, kind: building, height: 14, polygon: [[2, -26], [50, -26], [50, -10], [2, -10]]}
"""


@pytest.fixture
def street(tmp_path):
    path = tmp_path / "street.yaml"
    path.write_text(STREET)
    return load_district(path)


def scan(district, pose: np.ndarray, motion: OwnMotion, rng: np.random.Generator, count: int = 6000):
    """Return points (N, 3) of walls and ground in the LiDAR's frame, each at its own time, and these times (N,)."""
    known = static_map(district, pose[:2, 3], 0.0, 0.15, 60.0)
    span = known.walls.end - known.walls.start
    length = np.linalg.norm(span, axis=1)
    wall = rng.choice(len(span), count // 2, p=length / length.sum())
    flat = known.walls.start[wall] + rng.random((len(wall), 1)) * span[wall]
    high = np.column_stack([flat, rng.uniform(0.3, 8.5, len(wall))])
    ground = np.column_stack([pose[:2, 3] + rng.uniform(-40, 40, (count // 2, 2)), np.zeros(count // 2)])
    ground[:, 2] = np.where(np.abs(ground[:, 1]) > 5, 0.15, 0.0)
    points = np.concatenate([high, ground[np.abs(ground[:, 1]) < 7]])
    points += rng.normal(scale=0.02, size=points.shape)
    base = geometry.apply(geometry.inverse(pose), points)
    offset = rng.uniform(-0.1, 0.0, len(base))
    angle, back = -motion.yaw_rate * offset, base - offset[:, None] * motion.velocity
    turned = np.column_stack([
        np.cos(angle) * back[:, 0] - np.sin(angle) * back[:, 1],
        np.sin(angle) * back[:, 0] + np.cos(angle) * back[:, 1], back[:, 2],
    ])  # fmt: skip
    mount = district.platform("vehicle_01").lidar.mount.matrix()
    return geometry.apply(geometry.inverse(mount), turned), offset


def matcher(district, **settings) -> MapMatcher:
    config = MapMatcherConfig(**settings)
    mount = district.platform("vehicle_01").lidar.mount.matrix()
    return MapMatcher(config, lambda place: static_map(district, place, 0.0, 0.15, config.reach), mount)


def moved(pose: np.ndarray, x: float, y: float, degrees: float) -> np.ndarray:
    after = geometry.transform(pose[:3, 3] + (x, y, 0.0), Rotation.from_matrix(pose[:3, :3]))
    after[:3, :3] = Rotation.from_euler("z", degrees, degrees=True).as_matrix() @ pose[:3, :3]
    return after


@pytest.mark.parametrize(
    ("x", "y", "degrees", "sigma"),
    [(0.0, 0.0, 0.0, 0.2), (0.8, -0.6, 1.5, 0.5), (-3.0, 2.0, 1.0, 2.0), (6.0, -5.0, -1.0, 4.0)],
)
def test_a_moving_vehicle_is_found_on_its_street(street, x: float, y: float, degrees: float, sigma: float) -> None:
    rng = np.random.default_rng(5)
    pose = geometry.transform((3.0, -2.0, 0.02), Rotation.from_euler("z", 0.4))
    motion = OwnMotion(np.array([9.0, 0.2, 0.0]), 0.3, 1_000_000_000)
    points, offset = scan(street, pose, motion, rng)
    found = matcher(street).match(points, offset, motion, moved(pose, x, y, degrees), sigma)
    assert found.problem is None and found.share > 0.8
    error = found.place - np.array([*pose[:3, 3], 0.4])
    assert np.all(np.abs(error[:3]) < 0.1) and abs(error[3]) < 0.003
    assert error @ np.linalg.solve(found.covariance, error) < 20


def test_along_walls_without_ends_the_place_is_not_known(tmp_path) -> None:
    path = tmp_path / "corridor.yaml"
    path.write_text(
        STREET.split("  - {name: a,")[0]
        + "  - {name: n, kind: building, height: 12, polygon: [[-200, 9], [200, 9], [200, 25], [-200, 25]]}\n"
        + "  - {name: s, kind: building, height: 12, polygon: [[-200, -25], [200, -25], [200, -9], [-200, -9]]}\n"
    )
    corridor, rng = load_district(path), np.random.default_rng(1)
    pose = geometry.transform((0.0, -2.0, 0.0), Rotation.identity())
    still = OwnMotion(np.zeros(3), 0.0, 0)
    points, offset = scan(corridor, pose, still, rng)
    found = matcher(corridor).match(points, offset, still, moved(pose, 0.5, 0.3, 0.5), 0.3)
    assert found.problem is None and abs(found.place[1] + 2.0) < 0.1
    assert found.covariance[0, 0] > 1.0 > 100 * found.covariance[1, 1]


def test_what_is_no_scan_of_this_place_is_refused_in_one_line(street) -> None:
    rng, still = np.random.default_rng(2), OwnMotion(np.zeros(3), 0.0, 0)
    pose = geometry.transform((3.0, -2.0, 0.0), Rotation.identity())
    forest = np.column_stack([rng.uniform(-30, 30, (4000, 2)), rng.uniform(-1.9, 6, 4000)])
    for points, problem in (
        (np.zeros((0, 3)), "0 points above 2.5 m, 0 below; expected 100 of each"),
        (np.full((500, 3), np.nan), "0 points above 2.5 m, 0 below; expected 100 of each"),
        (forest, ""),
    ):
        found = matcher(street).match(points, np.zeros(len(points)), still, pose, 0.3)
        assert found.problem is not None and problem in found.problem and "\n" not in found.problem
    far = geometry.transform((900.0, 0.0, 0.0), Rotation.identity())
    points, offset = scan(street, pose, still, rng)
    assert "no walls and no ground" in str(matcher(street).match(points, offset, still, far, 0.3).problem)


def test_two_places_that_explain_a_scan_equally_well_are_none(tmp_path) -> None:
    """Fronts that are alike every 8 m: who is unsure is not told a place, who is sure is followed."""
    path = tmp_path / "fronts.yaml"
    rows = "".join(
        f"  - {{name: n{k}, kind: building, height: 12, polygon: [[{x}, 9], [{x + 5}, 9], [{x + 5}, 20], [{x}, 20]]}}\n"
        for k, x in enumerate(range(-96, 96, 8))
    )
    path.write_text(STREET.split("  - {name: a,")[0] + rows)
    fronts, rng, still = load_district(path), np.random.default_rng(3), OwnMotion(np.zeros(3), 0.0, 0)
    pose = geometry.transform((0.0, -2.0, 0.0), Rotation.identity())
    points, offset = scan(fronts, pose, still, rng)
    unsure = matcher(fronts).match(points, offset, still, moved(pose, 4.0, 0.0, 0.0), 2.0)
    assert unsure.problem is not None and "two places 8" in unsure.problem
    sure = matcher(fronts).match(points, offset, still, moved(pose, 0.5, 0.2, 0.5), 0.3)
    assert sure.problem is None and abs(sure.place[0]) < 0.1


def test_a_map_whose_street_is_elsewhere_is_refused(street) -> None:
    """The walls fit, the road and its kerbs do not: one of them is not where the file has it."""
    rng, still = np.random.default_rng(6), OwnMotion(np.zeros(3), 0.0, 0)
    pose = geometry.transform((3.0, -2.0, 0.0), Rotation.identity())
    points, offset = scan(street, pose, still, rng)
    zones = tuple(
        dataclasses.replace(zone, polygon=tuple((x, y + 4.0) for x, y in zone.polygon)) if zone.kind == "carriageway"
        else zone for zone in street.zones
    )  # fmt: skip
    found = matcher(dataclasses.replace(street, zones=zones)).match(points, offset, still, pose, 0.3)
    assert found.problem is not None and "of the ground is as mapped; expected 75%" in found.problem


class Matched:
    """The node in lockstep: scans at 2 Hz from a place that stands still, and odometry at 10 Hz."""

    def __init__(self, folder: Path, district) -> None:
        path = folder / "street.yaml"
        remappings = {"~/input/points": "/points", "~/input/odometry": "/odometry", "~/output/map_pose": "/map_pose"}
        parameters = {"platform": "vehicle_01", "district": str(path)}
        spec = NodeSpec("twin_localization.map_matcher_node:MapMatching", "map_matcher", "/v", parameters, remappings)
        self.found: list = []
        self.host = LockstepHost([spec], lambda *event: self.found.append(event[3]), frozenset({"/map_pose"}))
        self.runtime = self.host.runtimes[0]
        still = OwnMotion(np.zeros(3), 0.0, 0)
        self.pose = geometry.transform((3.0, -2.0, 0.0), Rotation.identity())
        self.points, self.offset = scan(district, self.pose, still, np.random.default_rng(1))

    def cloud(self, stamp_ns: int, came_ns: int) -> None:
        cloud = pointcloud.from_xyz(stamp_ns, "vehicle_01/lidar", self.points, time_offset_ns=self.offset * 1e9)
        self.host.feed("/points", came_ns, pointcloud.encode(cloud))

    def odometry(self, stamp_ns: int, w: float = 1.0) -> None:
        message = Odometry()
        stamps.fill_time(message.header.stamp, stamp_ns)
        message.pose.pose.position.x, message.pose.pose.position.y = 3.3, -2.2
        message.pose.pose.orientation.w = w
        self.host.feed("/odometry", stamp_ns + 1_000_000, serialize_message(message))


def test_the_node_lives_through_glitches(tmp_path, street) -> None:
    node, start = Matched(tmp_path, street), 1_700_000_000_000_000_000
    for k in range(40):
        now = start + k * 100_000_000
        node.odometry(now, w=float("nan") if k == 12 else 0.0 if k == 14 else 1.0)
        if k % 5 == 2:
            glitch = 10**15 if k == 17 else 0  # one scan is stamped days ahead
            node.cloud(now + 20_000_000 + glitch, now + 30_000_000)
    assert len(node.found) >= 6
    assert abs(node.found[-1].pose.pose.position.x - 3.0) < 0.1 and node.runtime.problem is None
    assert node.runtime.events["odometry_not_finite"] == 2
    for k in range(40, 60, 5):  # scans alone
        node.cloud(start + k * 100_000_000, start + k * 100_000_000)
    assert "no odometry of the moments of the scans" in str(node.runtime.problem)
    node.host.close()


def test_a_recorded_drive_lies_on_the_map() -> None:
    """Receiver, inertial unit and scans of the shipped recording: within 0.2 m, covariances of the right size."""
    reader, district = BagReader(BAG), BAG / "district.yaml"
    provided = sensor_topics(load_district(district), [name for name, topic in reader.topics.items() if topic.count])
    wanted = {"lidar_driver", "localizer", "map_matcher"}
    nodes = [n for n in nodes_for_replay(district, provided) if n.namespace == "/vehicle_01" and n.name in wanted]
    poses, seen = [], []

    def observe(topic: str, _type: str, _time_ns: int, message) -> None:
        if topic == "/vehicle_01/odometry":
            poses.append(message)
        elif topic == "/vehicle_01/map_pose":
            seen.append(message)

    host = LockstepHost(nodes, observe, {"/vehicle_01/odometry", "/vehicle_01/map_pose"})
    truth = []
    for message in reader.messages():
        if message.topic in host.input_topics and message.topic in reader.topics:
            host.feed(message.topic, message.time_ns, message.content)
        elif message.topic == "/sim/actors":
            row = codec_for(message.type_name).decode(message.content)
            own = row["actors"][row["actors"]["actor_id"] == 10_242][0]
            truth.append((row.stamp_ns, own["x"], own["y"]))
    host.close()
    truth = np.array([(stamp - truth[0][0], x, y) for stamp, x, y in truth], float), truth[0][0]
    errors, normalised = [], []
    for message in poses[20:]:
        stamp_ns = stamps.from_time(message.header.stamp) - truth[1]
        here = np.array([np.interp(stamp_ns, truth[0][:, 0], truth[0][:, k]) for k in (1, 2)])
        error = np.array([message.pose.pose.position.x, message.pose.pose.position.y]) - here
        spread = np.reshape(message.pose.covariance, (6, 6))[:2, :2]
        errors.append(np.linalg.norm(error))
        normalised.append(error @ np.linalg.solve(spread, error) / 2)
    assert len(seen) >= 15 and len(errors) > 80
    assert np.sqrt(np.mean(np.square(errors))) < 0.2
    assert 0.1 < np.mean(normalised) < 3.0


def test_the_evaluation_sets_both_ways_beside_the_truth(tmp_path, capsys) -> None:
    found = evaluate_localization(ROOT / "config" / "scenarios", tmp_path, (("normal_night", 700),), 7.0)
    alone, both = (found["normal_night"][name] for name in ("receiver alone", "with the map"))
    assert alone["poses"] == both["poses"] > 30
    assert both["rms"] < 0.3 and both["rms"] < alone["rms"] and both["heading"] < 0.5
    assert (tmp_path / "metrics.json").is_file() and "with the map" in capsys.readouterr().out
