"""Brings what a platform's LiDAR and camera detect to the map frame, as one list."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any

import numpy as np
from nav_msgs.msg import Odometry
from tf2_msgs.msg import TFMessage

from twin_common import stamps
from twin_common.cdr import ArrayMessage, record_dtype
from twin_common.component import Component, Context, Input, Output, Timer
from twin_common.config import ConfigError
from twin_common.core.transform_buffer import TransformError
from twin_common.district import load_district
from twin_common.ros_host import run_component
from twin_fusion import convert
from twin_fusion.config import FusionConfig
from twin_fusion.core import camera_bodies
from twin_fusion.core.camera_pairing import View, image_boxes
from twin_fusion.core.ground_height import Ground
from twin_fusion.core.ground_position import locate
from twin_fusion.core.lens import Lens
from twin_fusion.core.placement import finite, finite_boxes, place
from twin_fusion.core.platform_fusion import LIDAR, PlatformFusion
from twin_fusion.core.sensor_level import Rhythm, Sight, level_of
from twin_fusion.frames import Frames

WAITING = 20  # arrays that may wait for a pose


class Fusion(Component):
    """Places detections by the pose of their moment, and joins what LiDAR and camera see of one object."""

    Config = FusionConfig
    inputs = (
        Input("lidar_objects", "lidar_objects", max_age=0.5), Input("camera_objects", "camera_objects", max_age=1.0),
        Input("camera_info", "camera_info"), Input("tf", "tf"), Input("tf_static", "tf_static"),
        Input("odometry", "odometry"),
    )  # fmt: skip
    outputs = (Output("objects", "platform_objects"),)
    timers = (Timer("retry", 0.01), Timer("level", 0.5))

    def __init__(self, config: FusionConfig, context: Context) -> None:
        """Find the platform's bit, and the roads."""
        super().__init__(config, context)
        if config.platform not in config.platforms:
            raise ConfigError(f"{context.name}: platform {config.platform!r} is not one of {list(config.platforms)}")
        self._bit = config.platforms.index(config.platform)
        district = load_district(config.district) if config.district else None
        roads = [*district.polygons("carriageway"), *district.polygons("crosswalk")] if district else []
        self._ground = Ground(0.0, roads, config.kerb if roads else 0.0)
        self._frames = Frames(config.max_extrapolation)
        self._fusion = PlatformFusion(config, record_dtype("twin_msgs/msg/DetectedObject"))
        self._lens: Lens | None = None
        self._scans: deque[tuple[int, ArrayMessage]] = deque()
        self._shots: deque[tuple[int, ArrayMessage]] = deque()
        self._lidar, self._camera = Rhythm(), Rhythm()
        self._trouble: str | None = None
        self._no_lens: str | None = None
        self._reasons: list[str] = []

    def on_tf_static(self, message: TFMessage, _source: str) -> None:
        """Learn fixed frames."""
        self._frames.add_fixed(message)
        self._work(self.context.now_ns())

    def on_tf(self, message: TFMessage, _source: str) -> None:
        """Learn where moving frames are."""
        if self._frames.add_moving(message):
            self.context.count("time_went_back")
        self._work(self.context.now_ns())

    def on_odometry(self, message: Odometry, _source: str) -> None:
        """Learn how well a moving platform knows where it is."""
        error = convert.pose_error(message, self.config.position_sigma, self.config.yaw_sigma)
        if error is None:
            self.context.count("odometry_not_finite")
        else:
            self._fusion.pose_error = error

    def on_camera_info(self, message: Any, _source: str) -> None:
        """Learn the camera's intrinsics."""
        try:
            self._lens, self._no_lens = convert.lens_from_info(message), None
        except ValueError as error:
            self.context.count("bad_camera_info")
            self._lens, self._no_lens = None, f"camera_info: {error}"
            self._tell(self._no_lens)

    def on_lidar_objects(self, message: ArrayMessage, _source: str) -> None:
        """Take the detections of one scan."""
        self._lidar.beat(self.context.now_ns(), message.stamp_ns)
        self._queue(self._scans, message)

    def on_camera_objects(self, message: ArrayMessage, _source: str) -> None:
        """Take the detections of one frame."""
        shifted = message.stamp_ns + stamps.from_seconds(self.config.camera_offset)
        self._camera.beat(self.context.now_ns(), shifted)
        self._queue(self._shots, ArrayMessage(shifted, message.frame_id, {"objects": message["objects"]}))

    def _queue(self, waiting: deque[tuple[int, ArrayMessage]], message: ArrayMessage) -> None:
        if len(waiting) >= WAITING:
            waiting.popleft()
            self.context.count("dropped_no_pose")
        waiting.append((self.context.now_ns(), message))
        self._work(self.context.now_ns())

    def on_timer_retry(self, now_ns: int) -> None:
        """Give up on what has waited long enough."""
        self._work(now_ns)

    def on_timer_level(self, now_ns: int) -> None:
        """Say with which sensors the platform works."""
        sights = (Sight(*self._fusion.lidar_hits.near()), Sight(*self._fusion.camera_hits.near()))
        level, self._reasons = level_of(self._lidar, self._camera, sights, self.config.silence, now_ns)
        self.context.measure("level", level)
        for name, sight in zip(("lidar_sees", "camera_sees"), sights, strict=True):
            if sight.chances:
                self.context.measure(name, sight.share)
        self._tell(self._trouble)

    def _tell(self, trouble: str | None) -> None:
        """Report what is wrong, with the reasons of the level."""
        self._trouble = trouble
        self.context.report("; ".join([*([trouble] if trouble else []), *self._reasons]) or None)

    def _work(self, now_ns: int) -> None:
        """Take frames, then publish scans that can be placed, oldest first; an array never overtakes an older one."""
        while self._shots and (pose := self._pose(self._shots, now_ns)) is not None:
            self._take_shot(self._shots.popleft()[1], pose, now_ns)
        while self._scans and (pose := self._pose(self._scans, now_ns)) is not None:
            since_ns, message = self._scans[0]
            if self._camera.due(message.stamp_ns, since_ns, stamps.from_seconds(self.config.camera_wait), now_ns):
                return
            self._scans.popleft()
            self._trouble = self._no_lens
            self.on_timer_level(now_ns)
            self._publish(message, pose)

    def _pose(self, waiting: deque[tuple[int, ArrayMessage]], now_ns: int) -> np.ndarray | None:
        """Return the pose of the first array that has one or may still get one; drop those that will not."""
        while waiting:
            since_ns, message = waiting[0]
            try:
                return self._frames.map_from(message.frame_id, message.stamp_ns)
            except TransformError as error:
                if 0 <= now_ns - since_ns < stamps.from_seconds(self.config.max_wait):
                    return None
                waiting.popleft()
                self.context.count("dropped_no_pose")
                self._tell(f"no pose for detections: {error}")
        return None

    def _publish(self, message: ArrayMessage, pose: np.ndarray) -> None:
        objects = self._only(message["objects"], finite)
        if not self.config.deskewed:
            pose = self._frames.poses_of(message.frame_id, message.stamp_ns, objects["time_offset"].astype(float), pose)
        placed = place(objects, pose, self._bit, self._fusion.pose_error)
        placed["sensors"] |= LIDAR
        self._ground.learn_from(placed)
        fused = self._fusion.scan(message.stamp_ns, placed)
        self.context.publish("objects", convert.objects_in_map(message.stamp_ns, fused))

    def _only(self, objects: np.ndarray, check: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
        """Return the objects that pass a check, counting the others."""
        good = check(objects)
        if not good.all():
            self.context.count("not_finite", int(np.count_nonzero(~good)))
        return np.asarray(objects[good])

    def _take_shot(self, message: ArrayMessage, pose: np.ndarray, now_ns: int) -> None:
        """Place the objects of a frame; where there is no LiDAR they go out by themselves."""
        if self._lens is None:
            self.context.count("no_camera_info")
            return
        objects = self._only(message["objects"], finite_boxes)
        self._level_ground(message.stamp_ns)
        rows = camera_bodies.rows_of(objects["classification"], objects["posture"])
        placed = locate(image_boxes(objects), objects["cut"], rows, self._lens, pose, self._ground, self.config)
        self._fusion.frame(View(message.stamp_ns, objects, placed, self._lens, pose), self._bit)
        if self._lidar.silence(now_ns) > self.config.silence:
            alone = self._fusion.camera_only(message.stamp_ns)
            self.context.publish("objects", convert.objects_in_map(message.stamp_ns, np.concatenate(alone)))

    def _level_ground(self, stamp_ns: int) -> None:
        """Take the road's height from the platform's own: it stands on the ground."""
        base = self._frames.map_from_earlier(f"{self.config.platform}/base_link", stamp_ns)
        if base is not None:
            self._ground.level = float(base[2, 3]) - self._ground.raised_by(base[:2, 3])


def main() -> int:
    """Run the node."""
    return run_component(Fusion, "fusion")
