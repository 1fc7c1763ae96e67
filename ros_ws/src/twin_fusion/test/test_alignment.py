"""A mount that turns is noticed: registration of clouds, and the node in lockstep over simulated scans."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from twin_common import pointcloud
from twin_common.core import geometry
from twin_common.district import PoseConfig
from twin_common.lockstep import LockstepHost
from twin_common.node_spec import NodeSpec
from twin_fusion.config import AlignmentConfig
from twin_fusion.core.cloud_map import CloudMap, thinned
from twin_fusion.core.drift import DriftCheck
from twin_localization.core.registration import correction, register
from twin_sim.core.frame import Frame, no_actors
from twin_sim.platform_sensors import PlatformSensors, Stage
from twin_sim.scenario import load_scenario

ROOT = Path(__file__).parents[4]
START_NS = 1_700_000_000_000_000_000


def street(rng: np.random.Generator, count: int = 20_000) -> np.ndarray:
    """Points on a road between two fronts with a corner, seen from 5 m above, sigma 2 cm."""
    third = count // 3
    ground = np.column_stack([rng.uniform(-30, 30, third), rng.uniform(-12, 12, third), np.full(third, -5.0)])
    front = np.column_stack([rng.uniform(-30, 30, third), np.full(third, 12.0), rng.uniform(-5, 4, third)])
    across = np.column_stack([np.full(third, 25.0), rng.uniform(-12, 12, third), rng.uniform(-5, 4, third)])
    return np.concatenate([ground, front, across]) + rng.normal(scale=0.02, size=(3 * third, 3))


@pytest.mark.parametrize("seed", range(4))
def test_a_cloud_is_registered_to_another_of_the_same_place(seed: int) -> None:
    rng = np.random.default_rng(seed)
    known = CloudMap(street(rng))
    axis = rng.normal(size=3)
    moved = geometry.transform(
        rng.uniform(-0.2, 0.2, 3), Rotation.from_rotvec(np.radians(1.5) * axis / np.linalg.norm(axis))
    )
    points = geometry.apply(geometry.inverse(moved), thinned(street(rng), 0.5))
    strangers = rng.uniform((-20, -10, -5), (20, 10, -3), (len(points) // 5, 3))  # people and cars that have come
    found = register(np.concatenate([points, strangers]), np.eye(4), known, (1.0, 0.6, 0.4, 0.3, 0.2, 0.15))
    turn, shift = correction(moved, found.pose)
    assert np.degrees(np.linalg.norm(turn)) < 0.05 and np.linalg.norm(shift) < 0.03
    assert (np.abs(np.concatenate([turn, shift])) < 4 * found.sigma + 1e-4).all()
    assert found.rms() < 0.06


def test_too_few_points_are_refused() -> None:
    known = CloudMap(street(np.random.default_rng(0)))
    with pytest.raises(ValueError, match="expected 50"):
        register(np.zeros((10, 3)), np.eye(4), known)
    with pytest.raises(ValueError, match=r"expected \(N, 3\)"):
        register(np.zeros((10, 4)), np.eye(4), known)
    with pytest.raises(ValueError, match="reference: 3 points"):
        CloudMap(np.zeros((3, 3)) + np.arange(3)[:, None])


def test_where_too_little_stands_still_nothing_is_watched() -> None:
    rng = np.random.default_rng(5)
    leaves = rng.uniform((-20, -20, -2), (20, 20, 2), (20_000, 3))
    with pytest.raises(ValueError, match="points on surfaces; expected at least 100"):
        DriftCheck(AlignmentConfig(), leaves)


def test_a_covered_sensor_is_told_from_one_that_turned() -> None:
    rng = np.random.default_rng(3)
    check = DriftCheck(AlignmentConfig(patience=2), street(rng))
    assert check.check(street(rng)).problem is None
    rag = rng.normal(size=(20_000, 3)) * 0.05 + (3.0, 0, 0)
    assert check.check(rag).problem is None  # once may be chance
    assert "covered" in str(check.check(rag).problem)
    turned = street(rng) @ Rotation.from_euler("z", 1.0, degrees=True).as_matrix()
    assert check.check(street(rng)).problem is None
    assert check.check(turned).problem is None
    found = check.check(turned)
    assert "has turned by" in str(found.problem) and found.turn_deg == pytest.approx(1.0, abs=0.05)


def test_what_comes_and_goes_is_learned_and_a_mount_that_creeps_is_told_all_the_same() -> None:
    rng = np.random.default_rng(4)
    check = DriftCheck(AlignmentConfig(patience=1, min_share=0.6), street(rng))
    wall = np.column_stack([rng.uniform(-30, 30, 6000), np.full(6000, -12.0), rng.uniform(-5, 4, 6000)])
    gone = street(rng)
    gone = np.concatenate([gone[(gone[:, 1] < 11.5) | (gone[:, 0] > 0)], wall])  # half a front is gone, another built
    before = check.check(gone)
    assert before.agrees and check.renew(gone)
    assert check.check(gone).share > before.share + 0.05
    with_front = len(check.reference)
    turns = []
    for k in range(1, 9):
        turned = (gone + rng.normal(scale=0.01, size=gone.shape)) @ Rotation.from_euler(
            "z", 0.04 * k, degrees=True
        ).as_matrix()
        found = check.check(turned)
        turns.append(found.turn_deg)
        if found.agrees:
            check.renew(turned)
    assert np.allclose(turns, 0.04 * np.arange(1, 9), atol=0.025)
    assert "has turned by" in str(found.problem) and not found.agrees
    assert len(check.reference) < 1.5 * with_front


@pytest.fixture(scope="module")
def stage():
    scenario = load_scenario(ROOT / "config/scenarios/near_miss.yaml")
    stage = Stage(scenario.world, scenario.weather, 1)
    yield stage
    stage.close()


def scans(stage: Stage, mount: PoseConfig, first_ns: int, count: int) -> list[pointcloud.Cloud]:
    """Scans of pole_01 with a LiDAR on this mount, half a second apart, of a district without people."""
    platform = stage.world.district.platform("pole_01")
    lidar = dataclasses.replace(platform.lidar, mount=mount)
    sensors = PlatformSensors(stage, dataclasses.replace(platform, lidar=lidar, camera=None, gnss_imu=None), 1024)
    clouds = []
    for k in range(count):
        at = first_ns + k * 500_000_000
        sensors.push(Frame(at - 100_000_000, no_actors(), np.zeros(0)))
        sweep = sensors.push(Frame(at, no_actors(), np.zeros(0))).scan.sweep
        clouds.append(pointcloud.Cloud(at, "pole_01/lidar", sensors.cloud(sweep)))
    return clouds


def watched(clouds: list[pointcloud.Cloud], **values: object) -> tuple[list[str | None], list[float]]:
    """Return what a node of its own says after each cloud, and the turn it finds, degrees."""
    parameters = {"platform": "pole_01", "settle": 1.0, "period": 0.5, "patience": 3, **values}
    spec = NodeSpec(
        "twin_fusion.alignment_node:Alignment", "alignment", "/pole_01", parameters, {"~/input/points": "/p"}
    )
    host = LockstepHost([spec], lambda *_: None)
    node = host.runtimes[0]
    problems, turns = [], []
    for cloud in clouds:
        host.feed("/p", cloud.stamp_ns + 10_000_000, pointcloud.encode(cloud))
        problems.append(node.problem)
        turns.append(node.measures.get("turn_deg", 0.0))
    host.close()
    return problems, turns


def test_the_node_reports_a_mount_that_turns_by_half_a_degree(stage: Stage) -> None:
    mount = stage.world.district.platform("pole_01").lidar.mount
    turned = dataclasses.replace(mount, yaw_deg=mount.yaw_deg + 0.4, pitch_deg=mount.pitch_deg + 0.3)
    clouds = scans(stage, mount, START_NS, 8) + scans(stage, turned, START_NS + 4_000_000_000, 5)
    problems, turns = watched(clouds)
    assert not any(problems[:10])
    assert max(turns[:8]) < 0.03
    assert turns[-1] == pytest.approx(0.5, abs=0.04)
    assert "mount of the LiDAR has turned by 0." in str(problems[10])


def test_a_mount_that_turned_while_the_node_was_off_is_reported(stage: Stage, tmp_path: Path) -> None:
    mount = stage.world.district.platform("pole_01").lidar.mount
    turned = dataclasses.replace(mount, yaw_deg=mount.yaw_deg + 0.5)
    kept = {"state_folder": str(tmp_path), "renew_every": 1.0}
    assert not any(watched(scans(stage, mount, START_NS, 8), **kept)[0])
    assert [path.name for path in tmp_path.iterdir()] == ["pole_01.alignment.npz"]
    later = scans(stage, turned, START_NS + 10**13, 6)
    problems, turns = watched(later, **kept)
    assert turns[-1] == pytest.approx(0.5, abs=0.04) and "has turned by 0." in str(problems[-1])
    problems, turns = watched(later, **kept, yaw_deg=1.0)  # calibrated since: another mount, another reference
    assert "reference of yaw_deg 0.0; expected 1.0; learned anew" in str(problems[0])
    assert problems[-1] is None and turns[-1] < 0.03
    problems, _ = watched(later, **kept, yaw_deg=1.0, mount_x=0.3)  # moved sideways on purpose
    assert "reference of mount_x 0.0; expected 0.3; learned anew" in str(problems[0]) and problems[-1] is None


def test_a_damaged_reference_is_told_in_one_line_and_learned_anew(stage: Stage, tmp_path: Path) -> None:
    path = tmp_path / "pole_01.alignment.npz"
    path.write_bytes(b"PK\x03\x04 nothing")
    clouds = scans(stage, stage.world.district.platform("pole_01").lidar.mount, START_NS, 4)
    problems, _ = watched(clouds, state_folder=str(tmp_path))
    assert str(problems[0]).startswith(f"{path}: not a stored reference (")
    assert "\n" not in str(problems[0]) and problems[-1] is None
    assert path.stat().st_size > 10_000
    (tmp_path / "file").write_text("")
    problems, _ = watched(clouds, state_folder=str(tmp_path / "file"))
    assert "expected a file that can be written" in str(problems[-1])


def test_that_nothing_can_be_learned_is_said_until_it_can() -> None:
    rng = np.random.default_rng(7)
    leaves = [rng.uniform((-20, -20, -2), (20, 20, 2), (20_000, 3)) for _ in range(9)]
    clouds = [
        pointcloud.from_xyz(START_NS + k * 500_000_000, "pole_01/lidar", points)
        for k, points in enumerate([*leaves, *(street(rng) for _ in range(4))])
    ]
    problems, _ = watched(clouds, period=1.5)
    assert all("points on surfaces; expected at least 100" in str(problem) for problem in problems[2:9])
    assert problems[-1] is None
