"""Brings what a platform detects to the map frame."""

from __future__ import annotations

from collections import deque

import numpy as np
from tf2_msgs.msg import TFMessage

from twin_common import stamps
from twin_common.cdr import ArrayMessage
from twin_common.component import Component, Context, Input, Output, Timer
from twin_common.config import ConfigError
from twin_common.core.transform_buffer import TransformBuffer, TransformError
from twin_common.ros_host import run_component
from twin_fusion import convert
from twin_fusion.config import FusionConfig
from twin_fusion.core.placement import finite, place

SENSOR_LIDAR = 1
KEEP = 10.0  # seconds of poses
WAITING = 20  # arrays that may wait for a pose


class Fusion(Component):
    """Transforms the detections of a platform to the map frame at their stamp, waiting for the pose if need be."""

    Config = FusionConfig
    inputs = (Input("lidar_objects", "lidar_objects", max_age=0.5), Input("tf", "tf"), Input("tf_static", "tf_static"))
    outputs = (Output("objects", "platform_objects"),)
    timers = (Timer("retry", 0.02),)

    def __init__(self, config: FusionConfig, context: Context) -> None:
        """Find the platform's bit."""
        super().__init__(config, context)
        if config.platform not in config.platforms:
            raise ConfigError(f"{context.name}: platform {config.platform!r} is not one of {list(config.platforms)}")
        self._bit = config.platforms.index(config.platform)
        self._fixed: dict[str, tuple[str, np.ndarray, int]] = {}
        self._newest_ns: dict[str, int] = {}
        self._waiting: deque[tuple[int, ArrayMessage]] = deque()
        self._buffer = self._new_buffer()

    def _new_buffer(self) -> TransformBuffer:
        buffer = TransformBuffer(KEEP, self.config.max_extrapolation)
        for child, (parent, pose, stamp_ns) in self._fixed.items():
            buffer.insert(parent, child, pose, stamp_ns, static=True)
        return buffer

    def on_tf_static(self, message: TFMessage, _source: str) -> None:
        """Learn fixed frames."""
        for parent, child, pose, stamp_ns in convert.transforms(message):
            self._fixed[child] = (parent, pose, stamp_ns)
            self._buffer.insert(parent, child, pose, stamp_ns, static=True)
        self._retry(self.context.now_ns())

    def on_tf(self, message: TFMessage, _source: str) -> None:
        """Learn where moving frames are; poses from long before the newest tell that a recording began anew."""
        for parent, child, pose, stamp_ns in convert.transforms(message):
            if stamp_ns < self._newest_ns.get(child, stamp_ns) - KEEP / 2 * stamps.NANOSECONDS:
                self.context.count("time_went_back")
                self._newest_ns.clear()
                self._buffer = self._new_buffer()
            self._newest_ns[child] = max(stamp_ns, self._newest_ns.get(child, stamp_ns))
            self._buffer.insert(parent, child, pose, stamp_ns, static=False)
        self._retry(self.context.now_ns())

    def on_lidar_objects(self, message: ArrayMessage, _source: str) -> None:
        """Take the detections of one scan."""
        if len(self._waiting) >= WAITING:
            self._waiting.popleft()
            self.context.count("dropped_no_pose")
        self._waiting.append((self.context.now_ns(), message))
        self._retry(self.context.now_ns())

    def on_timer_retry(self, now_ns: int) -> None:
        """Give up on detections whose pose does not come."""
        self._retry(now_ns)

    def _retry(self, now_ns: int) -> None:
        """Publish what can be placed, oldest first; an array never overtakes an older one."""
        while self._waiting:
            since_ns, message = self._waiting[0]
            try:
                map_from_sensor = self._buffer.lookup(convert.MAP, message.frame_id, message.stamp_ns)
            except TransformError as error:
                waited_ns = now_ns - since_ns
                if 0 <= waited_ns < stamps.from_seconds(self.config.max_wait):
                    return
                self._waiting.popleft()
                self.context.count("dropped_no_pose")
                self.context.report(f"no pose for detections: {error}")
                continue
            self._waiting.popleft()
            self.context.report(None)
            self._publish(message, map_from_sensor)

    def _publish(self, message: ArrayMessage, map_from_sensor: np.ndarray) -> None:
        objects = message["objects"]
        good = finite(objects)
        if not good.all():
            self.context.count("not_finite", int(np.count_nonzero(~good)))
            objects = objects[good]
        placed = place(objects, map_from_sensor, self._bit, self.config.position_sigma, self.config.yaw_sigma)
        placed["sensors"] |= SENSOR_LIDAR
        self.context.publish("objects", convert.objects_in_map(message.stamp_ns, placed))


def main() -> int:
    """Run the node."""
    return run_component(Fusion, "fusion")
