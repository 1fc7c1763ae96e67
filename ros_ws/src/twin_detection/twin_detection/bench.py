"""``./twin bench perception``: time of a scan and of a picture on one core, beside Open3D, and memory of each node."""

from __future__ import annotations

import importlib
import json
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np

from twin_common.config import ConfigError
from twin_common.pointcloud import Cloud
from twin_detection.config import MOVING, STILL, LidarDetectorConfig
from twin_detection.convert import arrays_from_cloud
from twin_detection.core.detector import LidarDetector
from twin_detection.points_model import open_point_network
from twin_detection.synthetic import Box, Lidar, scan

SCANS, WARM_UP = 40, 15
POLE = Lidar(height=5.2, columns=1024, lowest_deg=-45.0, highest_deg=-2.8)
#: As many points as the 64 lasers of a KITTI scan return.
ROOF = Lidar(height=1.73, columns=2048, lowest_deg=-24.0, highest_deg=2.5)
#: Functions of other modules that measure a part: what they are called here, and where they are.
PARTS = {
    "vehicle LiDAR, learned": ("twin_detection.bev_bench", "bev_speed"),
    "camera": ("twin_detection.camera_bench", "camera_speed"),
}
#: Nodes whose memory is measured, with the parameters they get.
NODES: dict[str, tuple[str, dict[str, object]]] = {
    "lidar_detector of a pole": ("twin_detection.lidar_detector_node:LidarDetector", {"mode": STILL}),
    "lidar_detector of a vehicle, rules": (
        "twin_detection.lidar_detector_node:LidarDetector", {"mode": MOVING, "sensor_height": 1.73, "method": "rules"},
    ),
    "lidar_detector of a vehicle, learned": (
        "twin_detection.lidar_detector_node:LidarDetector",
        {"mode": MOVING, "sensor_height": 1.73, "method": "learned"},
    ),
    "camera_detector": ("twin_detection.camera_detector_node:CameraDetector", {}),
    "fusion": ("twin_fusion.fusion_node:Fusion", {"platforms": ["pole_01"]}),
}  # fmt: skip


def run() -> dict[str, float | str]:
    """Return processor milliseconds of a scan or picture, medians, on one core; and the memory of each node."""
    figures: dict[str, float | str] = {}
    poles = _simulated()
    ours = figures["pole LiDAR, 64 x 1024, simulated street"] = _time_still(*poles)
    figures["pole LiDAR, 64 x 1024, cast boxes"] = _time_still(*_cast(POLE))
    figures["vehicle LiDAR, rules, 64 x 2048"] = _time_moving(ROOF)
    peer = [cloud.xyz for cloud in poles[1][:5]]
    spent = _median_ms([lambda xyz=xyz: peer_boxes(xyz) for xyz in peer])  # type: ignore[misc]
    figures["peer: Open3D plane and DBSCAN, the pole's scans"] = spent
    figures["peer over pole LiDAR, times"] = spent / ours
    for name, (module, function) in PARTS.items():
        figures |= _part(name, module, function)
    for name, (component, parameters) in NODES.items():
        figures[f"memory of {name}, MiB"] = node_memory(component, parameters)
    return figures


def _part(name: str, module: str, function: str) -> dict[str, float | str]:
    """Return the figures of another module, or that it has none."""
    try:
        measure = getattr(importlib.import_module(module), function)
    except (ModuleNotFoundError, AttributeError):
        return {}
    try:
        found = measure()
    except ConfigError as error:
        return {name: str(error)}
    return {f"{name}, {what}": value for what, value in found.items()} if isinstance(found, dict) else {name: found}


def _simulated() -> tuple[Sequence[Cloud], Sequence[Cloud], float]:
    """Return scans of an empty street, scans with its traffic, and the height of the LiDAR."""
    from twin_detection.evaluation.virtual import Place, VirtualLidar, theatre_of
    from twin_detection.models import models_folder
    from twin_sim.core.frame import Weather
    from twin_sim.scenario import load_scenario
    from twin_sim.simulation import Simulation

    scenario = load_scenario(models_folder().parent / "config/scenarios/rush_hour.yaml")
    pole = scenario.world.district.platform("pole_01")
    assert pole.lidar is not None
    with Simulation(scenario) as simulation:
        shown = [simulation.step() for _ in range(SCANS + 50)][-SCANS:]
    place = Place(pole.pose.x, pole.pose.y, pole.pose.z, pole.lidar.mount.z, pole.pose.yaw_deg)
    lidar = VirtualLidar(theatre_of(scenario.world), place, "OS0-64", 1024, Weather(), 1)
    scans = [lidar.scan(frame, before)[0] for before, frame in pairwise(shown)]
    return lidar.empty_scans(shown[0].stamp_ns, WARM_UP), scans, place.height


def _cast(lidar: Lidar) -> tuple[Sequence[Cloud], Sequence[Cloud], float]:
    rng = np.random.default_rng(0)
    clouds = [scan(lidar, _scene(rng, 0.8 * max(i - WARM_UP, 0)), rng, i) for i in range(SCANS)]
    return clouds[:WARM_UP], clouds[WARM_UP:], lidar.height


def _scene(rng: np.random.Generator, moved: float) -> list[Box]:
    """Return a street: houses, trees, parked and moving cars, people."""
    walls = [Box(0.0, 14.0, 80.0, 1.0, 9.0), Box(0.0, -14.0, 80.0, 1.0, 9.0)]
    trees = [Box(x, 10.0, 0.4, 0.4, 7.0) for x in range(-35, 36, 10)]
    parked = [Box(x, -8.0, 4.4, 1.8, 1.5) for x in range(-30, 31, 6)]
    cars = [Box(x + moved, 3.0, 4.4, 1.8, 1.5, 0.05) for x in (-28.0, -14.0, 9.0, 22.0)]
    people = [Box(x, 7.5, 0.5, 0.5, 1.7) for x in rng.uniform(-25, 25, 12) if abs(x) > 2] if moved else []
    return walls + trees + parked + (cars if moved else []) + people


def _median_ms(calls: Sequence[Callable[[], object]]) -> float:
    """Return the median processor time: other work on the machine does not count."""
    spent = []
    for call in calls:
        started = time.process_time()
        call()
        spent.append((time.process_time() - started) * 1e3)
    return float(np.median(spent))


def _time_still(empty: Sequence[Cloud], scans: Sequence[Cloud], height: float) -> float:
    detector = LidarDetector(LidarDetectorConfig(mode=STILL, sensor_height=height), *open_point_network())
    for cloud in empty:
        detector.step(*arrays_from_cloud(cloud), cloud.stamp_ns)
    return _median_ms([lambda one=one: detector.step(*arrays_from_cloud(one), one.stamp_ns) for one in scans])  # type: ignore[misc]


def _time_moving(lidar: Lidar) -> float:
    detector = LidarDetector(LidarDetectorConfig(mode=MOVING, sensor_height=lidar.height))
    scans = _cast(lidar)[1]
    return _median_ms([lambda one=one: detector.step(*arrays_from_cloud(one), one.stamp_ns) for one in scans])  # type: ignore[misc]


def peer_boxes(xyz: np.ndarray) -> list[object]:
    """Do what the usual short script does: thin out, remove the plane, DBSCAN, oriented boxes."""
    from twin_common.open3d_core import open3d

    cloud = open3d.geometry.PointCloud(open3d.utility.Vector3dVector(xyz.astype(np.float64)))
    cloud = cloud.voxel_down_sample(0.15)
    _, plane = cloud.segment_plane(0.25, ransac_n=3, num_iterations=100)
    cloud = cloud.select_by_index(plane, invert=True)
    label = np.asarray(cloud.cluster_dbscan(0.6, 8))
    count = int(label.max(initial=-1)) + 1
    groups = [cloud.select_by_index(np.flatnonzero(label == number).tolist()) for number in range(count)]
    return [group.get_oriented_bounding_box(robust=True) for group in groups if len(group.points) > 3]


#: Makes a node, feeds it scans if it takes any, and prints its memory in MiB.
_MEMORY = """
import json, sys
import numpy, psutil
from twin_common import pointcloud
from twin_common.lockstep import LockstepHost
from twin_common.node_spec import NodeSpec
from twin_detection.synthetic import Lidar, scan
component, parameters = sys.argv[1], json.loads(sys.argv[2])
host = LockstepHost([NodeSpec(component, "node", "/pole_01", parameters)], lambda *_: None)
for number in range(15):
    pole = Lidar(height=5.0, columns=1024, lowest_deg=-45.0, highest_deg=-2.8)
    cloud = scan(pole, [], numpy.random.default_rng(0), number)
    topic = "/pole_01/node/input/points"
    if topic in host.input_topics:
        host.feed(topic, cloud.stamp_ns, pointcloud.encode(cloud))
print(psutil.Process().memory_info().rss / 2**20)
"""


def node_memory(component: str, parameters: dict[str, object]) -> float | str:
    """Return the memory of a process with one node that has run, MiB, or why there is none."""
    command = [sys.executable, "-c", _MEMORY, component, json.dumps({"platform": "pole_01", **parameters})]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=Path.cwd())
    if done.returncode:
        return (done.stderr.strip().splitlines() or ["failed"])[-1][:100]
    return float(done.stdout.strip().splitlines()[-1])
