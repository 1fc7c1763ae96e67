"""Watches whether the LiDAR of a pole still stands as it did."""

from __future__ import annotations

import numpy as np

from twin_common import stamps
from twin_common.component import Component, Context, Input
from twin_common.pointcloud import Cloud
from twin_fusion.alignment_store import ReferenceKeeper
from twin_fusion.config import AlignmentConfig
from twin_fusion.core.drift import DriftCheck


class Alignment(Component):
    """Looks at a scan now and then; runs in the platform's process, so that clouds do not leave it."""

    Config = AlignmentConfig
    inputs = (Input("points", "lidar_points"),)

    def __init__(self, config: AlignmentConfig, context: Context) -> None:
        """Wait for scans, with the reference of the run before where there is one."""
        super().__init__(config, context)
        self._keeper = ReferenceKeeper(config)
        self._check, self._notice = self._keeper.restore()
        self._due_ns: int | None = None
        self._renewed_ns: int | None = None

    def on_points(self, cloud: Cloud, _source: str) -> None:
        """Learn what stands still from a scan, then compare one every ``period``."""
        period_ns = stamps.from_seconds(self.config.period)
        if self._due_ns is None or cloud.stamp_ns < self._due_ns - max(
            stamps.from_seconds(self.config.settle), period_ns
        ):
            self._due_ns = cloud.stamp_ns + stamps.from_seconds(self.config.settle)
            self._renewed_ns = None
        if self._check is None:
            self.context.report(self._notice)
        if cloud.stamp_ns < self._due_ns:
            return
        self._due_ns = cloud.stamp_ns + period_ns
        points = cloud.xyz
        self._look(points[np.isfinite(points).all(axis=1)], cloud.stamp_ns)

    def _look(self, points: np.ndarray, stamp_ns: int) -> None:
        if self._check is None:
            self._learn(points)
            return
        found = self._check.check(points)
        self.context.measure("turn_deg", found.turn_deg)
        self.context.measure("shift", found.shift)
        self.context.measure("known_surfaces", found.share)
        if self._renewed_ns is None:
            self._renewed_ns = stamp_ns
        due = stamp_ns - self._renewed_ns >= stamps.from_seconds(self.config.renew_every)
        if due and found.agrees and self._check.renew(points):
            self._renewed_ns = stamp_ns
            self._notice = self._keeper.keep(self._check)
        self.context.report(found.problem or self._notice)

    def _learn(self, points: np.ndarray) -> None:
        try:
            self._check = DriftCheck(self.config, points)
        except ValueError as error:
            self._notice = f"alignment: {error}"
        else:
            self._notice = self._keeper.keep(self._check)
        self.context.report(self._notice)


def main() -> int:
    """Run the node."""
    from twin_common.ros_host import run_component  # only here: lockstep replay needs no middleware

    return run_component(Alignment, "alignment")
