"""Node that tells once a second how a platform is."""

from __future__ import annotations

from typing import Any

import numpy as np

from twin_common import stamps
from twin_common.cdr import ArrayMessage
from twin_common.component import Component, Context, Input, Output, Timer
from twin_common.district import load_district
from twin_incidents.config import PlatformMonitorConfig
from twin_incidents.core.vitals import Pulse
from twin_msgs.msg import PlatformStatus


class PlatformMonitor(Component):
    """Watches what the platform's detectors and fusion send; runs in their process, so that it costs nothing.

    It counts the detectors' arrays and not the raw clouds and images: there is one for every scan, once a background is
    known, and for every frame, and when a recording is played they never have to cross between processes.
    """

    Config = PlatformMonitorConfig
    inputs = (
        Input("scans", "lidar_objects"),
        Input("frames", "camera_objects"),
        Input("objects", "platform_objects"),
        Input("odometry", "odometry"),
    )
    outputs = (Output("status", "platform_status"),)
    timers = (Timer("status", 1.0),)

    def __init__(self, config: PlatformMonitorConfig, context: Context) -> None:
        """Read the district."""
        super().__init__(config, context)
        district = load_district(config.district)
        self._platform = district.platform(config.platform)
        self._datum = district.origin()
        pose = self._platform.pose
        self._position = np.array([pose.x, pose.y, pose.z])
        self._scans, self._objects, self._frames = Pulse(0), Pulse(0), Pulse(0)
        self._last_ns = 0

    def on_scans(self, message: ArrayMessage, source: str) -> None:
        """Count a scan."""
        self._scans.beat(self.context.now_ns(), message.stamp_ns)

    def on_frames(self, message: ArrayMessage, source: str) -> None:
        """Count a camera's frame."""
        self._frames.beat(self.context.now_ns(), message.stamp_ns)

    def on_objects(self, message: ArrayMessage, source: str) -> None:
        """Count an array of objects and note how old it is."""
        self._objects.beat(self.context.now_ns(), message.stamp_ns)

    def on_odometry(self, message: Any, source: str) -> None:
        """Follow a moving platform."""
        position = message.pose.pose.position
        self._position = np.array([position.x, position.y, position.z])

    def on_timer_status(self, now_ns: int) -> None:
        """Publish the platform's state."""
        if not 0 < self._last_ns < now_ns:  # the first time, or time was set back
            self._scans, self._objects, self._frames = Pulse(now_ns), Pulse(now_ns), Pulse(now_ns)
            self._last_ns = now_ns
        elapsed = (now_ns - self._last_ns) / stamps.NANOSECONDS
        self._last_ns = now_ns
        silent = self._silent(now_ns)
        lidar_rate, _ = self._scans.read(elapsed)
        camera_rate, _ = self._frames.read(elapsed)
        object_rate, latency_ms = self._objects.read(elapsed)
        problem = self._problem(silent, latency_ms)
        self.context.report(problem or None)
        latitude, longitude, altitude = (float(value) for value in self._datum.to_wgs84(*self._position))
        message = PlatformStatus(
            platform=self.config.platform, lidar_rate=lidar_rate, camera_rate=camera_rate, object_rate=object_rate,
            pipeline_latency_ms=latency_ms, latitude=latitude, longitude=longitude, altitude=altitude, message=problem,
            state=PlatformStatus.STATE_DEGRADED if problem else PlatformStatus.STATE_OK,
        )  # fmt: skip
        stamps.fill_time(message.header.stamp, now_ns)
        message.header.frame_id = f"{self.config.platform}/base_link"
        self.context.publish("status", message)

    def _silent(self, now_ns: int) -> list[str]:
        """Return which sensors are silent, and for how long; a camera counts from its first frame on.

        A LiDAR that stands still has no objects until its background is known; not every run has images.
        """
        limit = self.config.max_silence
        patience = self.config.max_start if self._scans.last_ns is None else limit
        lidar = self._platform.lidar is not None and self._scans.silence(now_ns) > patience
        camera = self._frames.last_ns is not None and self._frames.silence(now_ns) > limit
        sensors = (("LiDAR", lidar, patience), ("camera", camera, limit))
        return [f"{name} silent for more than {after:.1f} s" for name, silent, after in sensors if silent]

    def _problem(self, silent: list[str], latency_ms: float) -> str:
        """Return what is wrong, in one line; "" where nothing is."""
        if silent:
            return "; ".join(silent)
        if latency_ms > self.config.max_latency_ms:
            return f"objects are more than {self.config.max_latency_ms:.0f} ms late"
        return ""


def main() -> int:
    """Run the node."""
    from twin_common.ros_host import run_component  # only here: lockstep replay needs no middleware

    return run_component(PlatformMonitor, "platform_monitor")


if __name__ == "__main__":
    raise SystemExit(main())
