"""The node that turns scans into objects."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np

from twin_common.component import Component, Context, Input, Output
from twin_common.core.own_motion import OwnMotion
from twin_common.pointcloud import Cloud
from twin_detection import convert
from twin_detection.background_store import BackgroundKeeper
from twin_detection.bev_model import open_bev_detector
from twin_detection.config import LEARNED, STILL, LidarDetectorConfig
from twin_detection.core.detector import LidarDetector as Detector
from twin_detection.core.scan_check import scan_problem
from twin_detection.points_model import open_point_network
from twin_detection.warm_up import warm_up


class LidarDetector(Component):
    """Finds road users in the scans of one LiDAR."""

    Config = LidarDetectorConfig
    inputs = (Input("points", "lidar_points", max_age=1.0), Input("odometry", "odometry", max_age=1.0))
    outputs = (Output("objects", "lidar_objects"), Output("foreground", "lidar_foreground"))

    def __init__(self, config: LidarDetectorConfig, context: Context) -> None:
        """Make the detector."""
        super().__init__(config, context)
        spent = warm_up(config.mode, config.method)
        context.log.info(f"the loops of the LiDAR's detector are compiled: {spent:.1f} s")
        network, calibration = open_point_network() if config.mode == STILL else (None, None)
        learned = config.mode != STILL and config.method == LEARNED
        self._detector = Detector(config, network, calibration, bev=open_bev_detector(config) if learned else None)
        self._keeper = BackgroundKeeper(config)
        self._notice = self._keeper.restore(self._detector.still)
        self._last_ns: int | None = None
        self._motion: OwnMotion | None = None

    def on_odometry(self, message: Any, _source: str) -> None:
        """Remember how the sensor moves; only platforms that move say so."""
        config, motion = self.config, convert.motion_from_odometry(message)
        self._motion = motion.at(config.mount_x, config.mount_y).turned(np.radians(config.yaw_deg))

    def on_points(self, cloud: Cloud, _source: str) -> None:
        """Detect, and publish with the scan's stamp and frame; nothing while the background is not known yet."""
        if self._last_ns is not None and cloud.stamp_ns == self._last_ns:
            self.context.count("repeated")
            return
        if self._last_ns is not None and cloud.stamp_ns < self._last_ns:
            self.context.count("set_back")
        self._last_ns = cloud.stamp_ns
        frame_id = cloud.frame_id or self._frame()
        xyz, ring, time_offset = convert.arrays_from_cloud(cloud)
        detections, members = self._detector.step(xyz, ring, time_offset, cloud.stamp_ns, self._motion)
        self.context.report(self._problem(xyz, cloud.stamp_ns))
        self.context.measure("learning", float(self._detector.learning))
        self.context.measure("objects", float(len(detections)))
        if not self._detector.watching:  # an empty array would say that nobody is there
            return
        self.context.publish("objects", convert.message_from_detections(detections, cloud.stamp_ns, frame_id))
        if self.context.wanted("foreground"):
            self._publish_foreground(cloud, frame_id, members)

    def _problem(self, xyz: np.ndarray, stamp_ns: int) -> str | None:
        """Return in one line what is wrong with the scan, or with the stored background until there is a new one."""
        still = self._detector.still
        stored = self._keeper.keep(still, stamp_ns)
        if still is None:
            return scan_problem(xyz)
        self._notice = still.problem or (self._notice if still.learning else None)
        return scan_problem(xyz) or still.odd_scan or stored or self._notice

    def close(self) -> None:
        """Store the background."""
        if problem := self._keeper.keep(self._detector.still, self._last_ns or 0, now=True):
            self.context.log.error(problem)

    def _publish_foreground(self, cloud: Cloud, frame_id: str, members: np.ndarray) -> None:
        points: Any = cloud.points.reshape(-1)[members]
        self.context.publish("foreground", Cloud(cloud.stamp_ns, frame_id, points))

    def _frame(self) -> str:
        return f"{self.config.platform}/lidar" if self.config.platform else "lidar"


def main() -> int:
    """Run as a node of its own."""
    from twin_common.ros_host import run_component  # only here: lockstep replay needs no middleware

    return run_component(LidarDetector, "lidar_detector")


if __name__ == "__main__":
    sys.exit(main())
