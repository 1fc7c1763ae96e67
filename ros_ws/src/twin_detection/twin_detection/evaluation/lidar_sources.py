"""The LiDAR detectors as sources of detections to be scored: poles, and vehicles by rules or by the network."""

from __future__ import annotations

import copy
from dataclasses import dataclass, field, replace

import numpy as np

from twin_common.core.geometry import apply, yaw_of
from twin_common.core.own_motion import OwnMotion, compensated
from twin_common.district import PlatformConfig
from twin_detection.bev_model import open_bev_detector
from twin_detection.config import LEARNED, RULES, STILL, LidarDetectorConfig
from twin_detection.convert import arrays_from_cloud
from twin_detection.core.detections import Detections, none_detected
from twin_detection.core.detector import LidarDetector
from twin_detection.core.point_network import Calibration, Network
from twin_detection.core.still_detector import StillDetector
from twin_detection.evaluation.scenes import LEARNING, Scenes, SceneSpec, View
from twin_detection.points_model import open_point_network
from twin_sim.platform_sensors import Stage


def in_map(found: Detections, map_from_lidar: np.ndarray, late: float = 0.0) -> Detections:
    """Return detections of the sensor frame in the map frame; ``late``: of the scan after the view, seconds."""
    if not len(found):
        return found
    turn = map_from_lidar[:3, :3]
    return Detections(
        centre=apply(map_from_lidar, found.centre), size=found.size, yaw=found.yaw + yaw_of(map_from_lidar),
        covariance=turn @ found.covariance @ turn.T, yaw_variance=found.yaw_variance,
        class_probability=found.class_probability, existence=found.existence, point_count=found.point_count,
        time_offset=found.time_offset + late, posture=found.posture,
    )  # fmt: skip


def late(view: View) -> float:
    """Return how long after the view's frame its scan ends, seconds: LiDARs do not turn in step."""
    return (view.cloud.stamp_ns - view.frame.stamp_ns) / 1e9


def config_of(platform: PlatformConfig, method: str = RULES) -> LidarDetectorConfig:
    """Return the detector's configuration for a platform, as the graph fills it."""
    assert platform.lidar is not None
    return LidarDetectorConfig(**platform.parameters(), method=method)


@dataclass(slots=True)
class PoleLidar:
    """The LiDAR of a pole, whose background was learned before.

    ``model``: network and calibration in place of the shipped ones; ``min_existence``: in place of the usual one.
    """

    name: str = "LiDAR"
    model: tuple[Network, Calibration] | None = None
    min_existence: float | None = None
    _known: dict[str, StillDetector] = field(default_factory=dict)
    _running: dict[str, LidarDetector] = field(default_factory=dict)

    def learn(self, scenes: Scenes, platforms: tuple[str, ...], run: SceneSpec = LEARNING) -> None:
        """Let every platform watch a scene, a scan a second, for its background."""
        spec = replace(run, platforms=platforms)
        made: dict[str, LidarDetector] = {}
        for view, _ in scenes.views(spec, stride=10):
            detector = made.setdefault(view.platform, self._new(view.sensors.platform))
            detector.step(*arrays_from_cloud(view.cloud), view.cloud.stamp_ns)
        self._known = {name: detector.still for name, detector in made.items() if detector.still is not None}

    def start(self, spec: SceneSpec, stage: Stage) -> None:
        """Begin with the backgrounds that were learned."""
        self._running = {}
        for name in spec.platforms:
            platform = stage.world.district.platform(name)
            if platform.kind != "pole":
                continue
            detector = self._running[name] = self._new(platform)
            known = self._known.get(name)
            if known is not None and known.background is not None and known.grid is not None:
                assert detector.still is not None
                detector.still.adopt(known.grid, copy.deepcopy(known.background), known.beams.gaps)

    def _new(self, platform: PlatformConfig) -> LidarDetector:
        config = config_of(platform)
        if self.min_existence is not None:
            config = replace(config, min_existence=self.min_existence)
        return LidarDetector(config, *(self.model or open_point_network()))

    def detect(self, view: View) -> Detections:
        """Return what is before the background."""
        detector = self._running.get(view.platform)
        if detector is None:
            return none_detected()
        found, _ = detector.step(*arrays_from_cloud(view.cloud), view.cloud.stamp_ns)
        return in_map(found, view.map_from_lidar, late(view))


def new_detector(platform: PlatformConfig, method: str = RULES) -> LidarDetector:
    """Return the detector of a platform, as its node makes it."""
    config = config_of(platform, method)
    if config.mode == STILL:
        return LidarDetector(config, *open_point_network())
    return LidarDetector(config, bev=open_bev_detector(config) if method == LEARNED else None)


@dataclass(slots=True)
class VehicleLidar:
    """The LiDAR of a vehicle, by ``method``: rules or learned."""

    method: str
    name: str = field(init=False)
    _running: dict[str, LidarDetector] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Name it by its method."""
        self.name = f"LiDAR, {self.method}"

    def start(self, spec: SceneSpec, stage: Stage) -> None:
        """Begin anew."""
        self._running = {
            name: new_detector(stage.world.district.platform(name), self.method)
            for name in spec.platforms
            if stage.world.district.platform(name).kind == "vehicle"
        }

    def detect(self, view: View) -> Detections:
        """Return what stands on the ground."""
        detector = self._running.get(view.platform)
        if detector is None:
            return none_detected()
        motion = own_motion(view)
        found, _ = detector.step(*arrays_from_cloud(view.cloud), view.cloud.stamp_ns, motion)
        found = replace(
            found, centre=compensated(found.centre, found.time_offset, motion),
            yaw=found.yaw + motion.yaw_rate * found.time_offset,
        )  # fmt: skip
        return in_map(found, view.map_from_lidar, late(view))


def own_motion(view: View) -> OwnMotion:
    """Return how a vehicle's LiDAR moves, as its odometry would tell."""
    row = view.frame.actors[view.frame.actors["actor_id"] == view.frame.vehicles[view.platform]][0]
    velocity = np.array([row["velocity_x"], row["velocity_y"], row["velocity_z"]], float)
    motion = OwnMotion(velocity, float(row["yaw_rate"]), view.cloud.stamp_ns)
    return motion.turned(yaw_of(view.map_from_lidar))
