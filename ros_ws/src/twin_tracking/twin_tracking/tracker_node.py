"""Node: objects of the whole district to tracks."""

from __future__ import annotations

import secrets
import sys
from collections import Counter
from dataclasses import replace
from pathlib import Path

from twin_common.cdr import ArrayMessage
from twin_common.component import Component, Context, Input, Output
from twin_common.district import load_district
from twin_tracking.config import TrackerConfig
from twin_tracking.convert import detections_from_message, tracks_to_message
from twin_tracking.core.region import ZoneRegion
from twin_tracking.core.tracker import Tracker as TrackerCore
from twin_tracking.core.visibility import Visibility
from twin_tracking.surroundings import region_of, visibility_of
from twin_tracking.warm_up import warm_up


class Tracker(Component):
    """Follows all objects of the district over time."""

    Config = TrackerConfig
    inputs = (Input("objects", "objects"),)
    outputs = (Output("tracks", "tracks"),)

    def __init__(self, config: TrackerConfig, context: Context) -> None:
        """Start without tracks."""
        super().__init__(config, context)
        context.log.info(f"the tracker's loops are compiled: {warm_up():.1f} s")
        if config.key == 0:
            config = replace(config, key=1 + secrets.randbelow(2**53 - 1))
            context.log.info("pseudonyms have a new secret key: they cannot be linked with those of another start")
        self._tracker = TrackerCore(config, *self._surroundings())
        self._told = 0
        self._counted: Counter[str] = Counter()
        self._published_ns: int | None = None

    def on_objects(self, message: ArrayMessage, _source: str) -> None:
        """Take an array into account and publish the tracks, unless their stamp has been published before."""
        if message.frame_id != self.config.frame:
            self.context.count("wrong_frame")
            self.context.report(f"objects in frame {message.frame_id!r}; expected {self.config.frame!r}")
            return
        tracks = self._tracker.step(detections_from_message(message), message.stamp_ns)
        news = self._tracker.events - self._counted
        self._counted = Counter(self._tracker.events)
        for event, number in news.items():
            self.context.count(event, number)
        if news["reset"]:
            self.context.log.warning(f"time was set back to {message.stamp_ns} ns: all tracks are forgotten")
            self._published_ns = None
        self.context.report(
            None if not news["rejected"] else f"{news['rejected']} objects with unusable values refused"
        )
        if self._published_ns is not None and tracks.stamp_ns <= self._published_ns:
            return
        self._published_ns = tracks.stamp_ns
        self._tell_handovers()
        self.context.measure("tracks", float(len(tracks)))
        self.context.measure("confirmed", float((tracks.state > 0).sum()))
        for name, offset in zip(self.config.platforms, self._tracker.clocks.offset, strict=False):
            if offset:
                self.context.measure(f"clock_ahead_ms.{name}", 1e3 * float(offset))
        self.context.publish("tracks", tracks_to_message(tracks, message.frame_id))

    def _surroundings(self) -> tuple[ZoneRegion | None, Visibility | None]:
        """Return where objects can be and what the poles can see, where the district is known."""
        if not self.config.district:
            return None, None
        district = load_district(Path(self.config.district))
        return region_of(district), visibility_of(district, self.config.platforms, self.config)

    def _tell_handovers(self) -> None:
        """Count who has come back, and who was found not to have; developers see each decision in the log."""
        for decision in self._tracker.reidentified(self._told):
            self._told += 1
            self.context.count("reidentification_undone" if decision.undone else "reidentified")
            self.context.log.debug(
                f"track {decision.own} {'is not' if decision.undone else 'is'} the lost {decision.track_id}, "
                f"probability {decision.probability:.2f}"
            )


def main() -> int:
    """Run the node."""
    from twin_common.ros_host import run_component

    return run_component(Tracker, "tracker")


if __name__ == "__main__":
    sys.exit(main())
