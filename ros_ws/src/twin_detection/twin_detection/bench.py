"""How long a scan takes, beside Open3D's DBSCAN on the same points."""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np

from twin_common.pointcloud import Cloud
from twin_detection.config import MOVING, STILL, LidarDetectorConfig
from twin_detection.convert import arrays_from_cloud
from twin_detection.core.detector import LidarDetector
from twin_detection.synthetic import Box, Lidar, scan

SCANS, WARM_UP = 40, 15
POLE = Lidar(height=5.0)
#: As many points as the 64 lasers of a KITTI scan return.
ROOF = Lidar(height=1.73, columns=2048, lowest_deg=-24.0, highest_deg=2.5)


def run() -> dict[str, float]:
    """Return the median time of each detector, milliseconds."""
    figures = {
        "still, 64 x 512 points": _time_ours(LidarDetectorConfig(mode=STILL, sensor_height=POLE.height), POLE),
        "moving, 64 x 2048 points": _time_ours(LidarDetectorConfig(mode=MOVING, sensor_height=ROOF.height), ROOF),
        "peer: Open3D plane and DBSCAN, 64 x 2048 points": _time_peer(),
    }
    figures["moving over peer, ratio"] = figures["moving, 64 x 2048 points"] / list(figures.values())[2]
    return figures


def _scene(rng: np.random.Generator, moved: float) -> list[Box]:
    """Return a street: houses, trees, parked and moving cars, people."""
    walls = [Box(0.0, 14.0, 80.0, 1.0, 9.0), Box(0.0, -14.0, 80.0, 1.0, 9.0)]
    trees = [Box(x, 10.0, 0.4, 0.4, 7.0) for x in range(-35, 36, 10)]
    parked = [Box(x, -8.0, 4.4, 1.8, 1.5) for x in range(-30, 31, 6)]
    cars = [Box(x + moved, 3.0, 4.4, 1.8, 1.5, 0.05) for x in (-28.0, -14.0, 9.0, 22.0)]
    people = [Box(x, 7.5, 0.5, 0.5, 1.7) for x in rng.uniform(-25, 25, 12) if abs(x) > 2] if moved else []
    return walls + trees + parked + (cars if moved else []) + people


def _scans(lidar: Lidar) -> list[Cloud]:
    rng = np.random.default_rng(0)
    return [scan(lidar, _scene(rng, 0.8 * max(i - WARM_UP, 0)), rng, i) for i in range(SCANS)]


def _median_ms(calls: list[Callable[[], object]]) -> float:
    spent = []
    for call in calls:
        started = time.perf_counter()
        call()
        spent.append((time.perf_counter() - started) * 1e3)
    return float(np.median(spent))


def _time_ours(config: LidarDetectorConfig, lidar: Lidar) -> float:
    detector = LidarDetector(config)

    def step(cloud: Cloud) -> Callable[[], object]:
        return lambda: detector.step(*arrays_from_cloud(cloud), cloud.stamp_ns)

    clouds = _scans(lidar)
    for cloud in clouds[:WARM_UP]:
        step(cloud)()
    return _median_ms([step(cloud) for cloud in clouds[WARM_UP:]])


def _time_peer() -> float:
    clouds = [cloud.xyz for cloud in _scans(ROOF)[WARM_UP : WARM_UP + 5]]
    _peer(clouds[0])
    return _median_ms([lambda xyz=xyz: _peer(xyz) for xyz in clouds])  # type: ignore[misc]


def _peer(xyz: np.ndarray) -> list[object]:
    """Do what the usual short script does: thin out, remove the plane, DBSCAN, oriented boxes."""
    from twin_common.open3d_core import open3d

    cloud = open3d.geometry.PointCloud(open3d.utility.Vector3dVector(xyz.astype(np.float64)))
    cloud = cloud.voxel_down_sample(0.15)
    _, plane = cloud.segment_plane(0.25, ransac_n=3, num_iterations=100)
    cloud = cloud.select_by_index(plane, invert=True)
    label = np.asarray(cloud.cluster_dbscan(0.6, 8))
    groups = [cloud.select_by_index(np.flatnonzero(label == number)) for number in range(label.max(initial=-1) + 1)]
    return [group.get_oriented_bounding_box(robust=True) for group in groups if len(group.points) > 3]
