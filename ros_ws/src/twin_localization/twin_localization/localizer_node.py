"""Gives a moving platform its pose."""

from __future__ import annotations

import math
from typing import TypeVar

from geometry_msgs.msg import PoseWithCovarianceStamped, TwistWithCovarianceStamped
from sensor_msgs.msg import Imu, NavSatFix
from tf2_msgs.msg import TFMessage

from twin_common import stamps
from twin_common.component import Component, Context, Input, Output, Timer
from twin_common.config import ConfigError
from twin_common.district import load_district
from twin_common.ros_host import run_component
from twin_localization import convert
from twin_localization.config import LocalizerConfig
from twin_localization.core.localizer import Fix, GnssLocalizer, Inertial, Velocity
from twin_localization.core.pose_filter import Pose

Sample = TypeVar("Sample", Inertial, Velocity)
ALIVE = 1.0  # seconds without a message after which a sensor is not waited for


class Localizer(Component):
    """Turns GNSS fixes, orientation and velocity into map from base_link, at the rate of the fixes."""

    Config = LocalizerConfig
    inputs = (
        Input("gnss_fix", "gnss_fix"), Input("imu", "imu"), Input("gnss_velocity", "gnss_velocity"),
        Input("map_pose", "map_pose", max_age=2.0),
    )  # fmt: skip
    outputs = (Output("tf", "tf"), Output("odometry", "odometry"))
    timers = (Timer("poll", 0.01),)

    def __init__(self, config: LocalizerConfig, context: Context) -> None:
        """Read datum and mount from the district."""
        super().__init__(config, context)
        district = load_district(config.district)
        platform = district.platform(config.platform)
        if platform.gnss_imu is None:
            raise ConfigError(
                f"{context.name}: {config.platform} has no gnss_imu in {config.district}; expected its mount"
            )
        self._datum = district.origin()
        self._mount = platform.gnss_imu.mount.matrix()
        self._restart()

    def _restart(self) -> None:
        self._localizer = GnssLocalizer(self.config, self._mount)
        self._fix: Fix | None = None
        self._fix_since_ns = 0
        self._inertial: Inertial | None = None
        self._velocity: Velocity | None = None
        self._seen_ns: dict[str, int] = {}
        self._last: tuple[int, int] | None = None  # stamp of the newest fix, and when it came
        self._predicted_ns = 0
        self._started = False

    def on_gnss_fix(self, message: NavSatFix, _source: str) -> None:
        """Take a fix; it may wait for the orientation and the velocity of its moment."""
        fix = convert.fix_from_message(message, self._datum, self.config.position_sigma)
        newest = self._last[0] if self._last else None
        if newest is not None and fix.stamp_ns <= newest:
            if newest - fix.stamp_ns < 2 * stamps.NANOSECONDS:
                self.context.count("late")
                return
            self.context.count("time_went_back")
            self._restart()
        if self._fix is not None:
            self._step(self._fix)
        now_ns = self.context.now_ns()
        self._fix, self._fix_since_ns, self._last = fix, now_ns, (fix.stamp_ns, now_ns)
        self._step_if_complete()

    def on_imu(self, message: Imu, _source: str) -> None:
        """Take orientation and rates."""
        self._inertial = convert.inertial_from_message(message, self.config.yaw_sigma)
        self._seen_ns["imu"] = self.context.now_ns()
        self._step_if_complete()

    def on_gnss_velocity(self, message: TwistWithCovarianceStamped, _source: str) -> None:
        """Take the velocity over ground."""
        velocity = convert.velocity_from_message(message, self.config.velocity_sigma)
        if velocity is None:
            self.context.count("velocity_not_finite")
            return
        self._velocity = velocity
        self._seen_ns["velocity"] = self.context.now_ns()
        self._step_if_complete()

    def on_map_pose(self, message: PoseWithCovarianceStamped, _source: str) -> None:
        """Take where a scan lies on the map."""
        found = convert.map_pose_from_message(message)
        if found is None:
            self.context.count("map_pose_not_finite")
        elif not self._localizer.locate(found, self._near(self._inertial, found.stamp_ns)):
            self.context.count("map_outliers")

    def on_timer_poll(self, now_ns: int) -> None:
        """Let no fix wait for long, and go on without fixes for a while."""
        if self._fix is not None:
            if now_ns - self._fix_since_ns >= stamps.from_seconds(self.config.max_wait):
                self._step(self._fix)
        elif self._last is not None:
            fix_ns, came_ns = self._last
            silent_ns = now_ns - came_ns
            timeout_ns = stamps.from_seconds(self.config.fix_timeout)
            if silent_ns >= timeout_ns and now_ns - self._predicted_ns >= timeout_ns // 2:
                self._predicted_ns = now_ns
                self._publish(self._localizer.predict(fix_ns + silent_ns), fix_ns + silent_ns)

    def _alive(self, sensor: str) -> bool:
        seen_ns = self._seen_ns.get(sensor)
        return seen_ns is not None and self.context.now_ns() - seen_ns < ALIVE * stamps.NANOSECONDS

    def _step_if_complete(self) -> None:
        fix = self._fix
        if fix is None:
            return
        for sensor, sample in (("imu", self._inertial), ("velocity", self._velocity)):
            if sample is None and not self._started:  # at first it is not known which sensors there are
                return
            if self._alive(sensor) and sample is not None and sample.stamp_ns < fix.stamp_ns:
                return
        self._step(fix)

    def _step(self, fix: Fix) -> None:
        self._fix, self._started = None, True
        outliers = self._localizer.outliers
        inertial, velocity = self._near(self._inertial, fix.stamp_ns), self._near(self._velocity, fix.stamp_ns)
        pose = self._localizer.step(fix, inertial, velocity)
        self.context.count("outliers", self._localizer.outliers - outliers)
        if fix.position is None:
            self.context.count("no_fix")
        self._publish(pose, fix.stamp_ns)

    def _near(self, sample: Sample | None, stamp_ns: int) -> Sample | None:
        """Return a sample if it is of this moment."""
        near_ns = stamps.from_seconds(self.config.fix_timeout)
        return sample if sample is not None and abs(stamp_ns - sample.stamp_ns) <= near_ns else None

    def _publish(self, pose: Pose | None, stamp_ns: int) -> None:
        """Publish a pose, or say why there is none."""
        silence = self._localizer.since_fix(stamp_ns)
        self.context.report(self._problem(silence, published=pose is not None))
        if pose is None:
            return
        base = f"{self.config.platform}/base_link"
        transform = convert.transform_stamped(convert.MAP, base, pose.map_from_base, pose.stamp_ns)
        self.context.publish("odometry", convert.odometry(pose, self.config.platform))
        self.context.publish("tf", TFMessage(transforms=[transform]))
        self.context.measure("position_sigma", math.sqrt(max(pose.covariance[0, 0], pose.covariance[1, 1])))

    def _problem(self, silence: float, *, published: bool) -> str | None:
        if math.isinf(silence):
            return "no position yet: waiting for a fix"
        if silence > self.config.max_coast:
            return f"position lost: no fix for more than {self.config.max_coast:g} s"
        if not published:
            return "heading unknown: the IMU gives no orientation and the platform has not moved"
        off = self._localizer.off_map
        if off is not None:
            return f"map and receiver disagree by {off:.1f} m: scans are not used"
        return "no fix: position is predicted" if silence >= self.config.fix_timeout else None


def main() -> int:
    """Run the node."""
    return run_component(Localizer, "localizer")
