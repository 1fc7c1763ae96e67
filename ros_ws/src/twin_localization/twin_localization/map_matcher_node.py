"""Finds a vehicle's scans on the district's map, for the localizer."""

from __future__ import annotations

from collections import deque

import numpy as np
from nav_msgs.msg import Odometry

from twin_common import stamps
from twin_common.component import Component, Context, Input, Output
from twin_common.config import ConfigError
from twin_common.core import geometry
from twin_common.district import load_district
from twin_common.pointcloud import Cloud
from twin_localization import convert
from twin_localization.config import MapMatcherConfig
from twin_localization.core.map_matching import MapMatcher
from twin_localization.district_map import static_map

_KEPT_NS = 3_000_000_000  # of odometry
_LONGEST_NS = 500_000_000  # that a scan waits for odometry of its moment


class MapMatching(Component):
    """Registers a scan now and then; runs in the platform's process, so that clouds do not leave it."""

    Config = MapMatcherConfig
    inputs = (Input("points", "lidar_points"), Input("odometry", "odometry"))
    outputs = (Output("map_pose", "map_pose"),)

    def __init__(self, config: MapMatcherConfig, context: Context) -> None:
        """Read walls, roads and the LiDAR's mount from the district."""
        super().__init__(config, context)
        district = load_district(config.district)
        lidar = district.platform(config.platform).lidar
        if lidar is None:
            raise ConfigError(f"{context.name}: {config.platform} has no lidar in {config.district}; expected one")
        self._matcher = MapMatcher(
            config,
            lambda place: static_map(district, place, config.road, config.kerb, config.reach),
            lidar.mount.matrix(),
        )
        self._odometry: deque[tuple[int, Odometry]] = deque()
        self._waiting: Cloud | None = None
        self._taken_ns: int | None = None

    def on_points(self, cloud: Cloud, _source: str) -> None:
        """Take a scan every ``every`` seconds."""
        every_ns = stamps.from_seconds(self.config.every)
        due = self._taken_ns is None or not 0 <= cloud.stamp_ns - self._taken_ns < every_ns
        if not due or (self._waiting is not None and abs(cloud.stamp_ns - self._waiting.stamp_ns) <= _LONGEST_NS):
            return
        if self._waiting is not None:
            self.context.report("not found on the map: no odometry of the moments of the scans")
        self._waiting = cloud
        self._work()

    def on_odometry(self, message: Odometry, _source: str) -> None:
        """Take where the platform is thought to be."""
        if convert.pose_of(message) is None:
            self.context.count("odometry_not_finite")
            return
        stamp_ns = stamps.from_time(message.header.stamp)
        if self._odometry and stamp_ns <= self._odometry[-1][0]:
            self._odometry.clear()
            self._waiting = None
        self._odometry.append((stamp_ns, message))
        while stamp_ns - self._odometry[0][0] > _KEPT_NS:
            self._odometry.popleft()
        self._work()

    def _work(self) -> None:
        """Match the scan that waits, once odometry of its moment is there."""
        cloud = self._waiting
        if cloud is None or len(self._odometry) < 2 or self._odometry[-1][0] < cloud.stamp_ns:
            return
        self._waiting = None
        after = next(k for k, (stamp_ns, _) in enumerate(self._odometry) if stamp_ns >= cloud.stamp_ns)
        if after == 0:
            return
        self._taken_ns = cloud.stamp_ns
        (first_ns, first), (last_ns, last) = self._odometry[after - 1], self._odometry[after]
        share = (cloud.stamp_ns - first_ns) / (last_ns - first_ns)
        before, behind = convert.pose_of(first), convert.pose_of(last)
        assert before is not None and behind is not None, "kept only with a pose"
        guess = geometry.interpolate(before, behind, share)
        points = cloud.points.reshape(-1)
        found = self._matcher.match(
            cloud.xyz, _offsets(points), convert.motion_of(last, cloud.stamp_ns), guess, convert.position_sigma_of(last)
        )
        self.context.report(None if found.problem is None else f"not found on the map: {found.problem}")
        self.context.measure("on_walls", found.share)
        if found.problem is None:
            self.context.publish("map_pose", convert.map_pose(found, cloud.stamp_ns))


def _offsets(points: np.ndarray) -> np.ndarray:
    """Return the times of points after the stamp, (N,) seconds; 0 where the cloud has none."""
    names = points.dtype.names or ()
    return points["time_offset_ns"] / 1e9 if "time_offset_ns" in names else np.zeros(len(points))


def main() -> int:
    """Run the node."""
    from twin_common.ros_host import run_component  # only here: lockstep replay needs no middleware

    return run_component(MapMatching, "map_matcher")
