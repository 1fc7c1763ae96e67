"""The same scenes through the real chain: simulated LiDAR scans, the poles' detector, their fusion."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from twin_common.district import DistrictConfig
from twin_detection.convert import message_from_detections
from twin_detection.evaluation.lidar_sources import PoleLidar
from twin_detection.evaluation.scenes import Scenes, SceneSpec, answers
from twin_fusion.config import FusionConfig
from twin_fusion.core.placement import PoseError, add_pose_error
from twin_tracking.evaluation.sim_run import Observation, Sweep
from twin_tracking.evaluation.sim_scenes import Course, Scene

_LEAST_POINTS = 10  # of an object in a scan, from which on it is asked for


class LidarObservation(Observation):
    """All sweeps of a scene's poles as their detectors report them."""

    def __init__(self, scene: Scene, district: DistrictConfig, seed: int, folder: Path) -> None:
        """Learn the poles' backgrounds, simulate the scene and detect; ``folder``: of the scenarios."""
        scenes, lidar = Scenes(folder), PoleLidar()
        lidar.learn(scenes, scene.platforms)
        spec = SceneSpec(scene.scenario, seed, "day", scene.platforms, scene.seconds, scene.skip)
        frames: list[np.ndarray] = []
        self._reports: dict[int, list[Sweep]] = {}
        start_ns, fusion = 0, FusionConfig()
        for view, _, found in answers(spec, [lidar], scenes):
            if view.platform == scene.platforms[0]:
                start_ns = start_ns or view.frame.stamp_ns
                frames.append(view.frame.actors.copy())
            detections, late = found[lidar.name], (view.cloud.stamp_ns - view.frame.stamp_ns) / 1e9
            objects = message_from_detections(detections, view.cloud.stamp_ns, "map")["objects"].copy()
            objects["time_offset"] -= late
            number = scene.platforms.index(view.platform)
            objects["platforms"] = np.uint64(1) << np.uint64(number)
            add_pose_error(objects, view.map_from_lidar[:3, 3], PoseError.even(fusion.position_sigma, fusion.yaw_sigma))
            visible = view.frame.actors["actor_id"][view.points >= _LEAST_POINTS]
            sweep = Sweep(number, view.cloud.stamp_ns, objects, visible)
            self._reports.setdefault(len(frames) - 1, []).append(sweep)
        scenes.close()
        super().__init__(scene, Course(tuple(frames), start_ns, {}), district, seed)

    def sweeps(self, frame: int) -> Iterator[Sweep]:
        """Return the sweeps that end within 0.1 s after a frame, by platform."""
        yield from self._reports.get(frame, [])
