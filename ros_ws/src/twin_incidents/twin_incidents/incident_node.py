"""Node that finds incidents in tracks, predictions and the platforms' signs of life."""

from __future__ import annotations

from typing import Any

from twin_common import stamps
from twin_common.cdr import ArrayMessage
from twin_common.component import Component, Context, Input, Output, Timer
from twin_common.district import load_district
from twin_incidents import convert
from twin_incidents.config import IncidentConfig
from twin_incidents.core.book import IncidentBook
from twin_incidents.core.rules import findings_of
from twin_incidents.core.scene import PathTable, PlatformHealth, Scene, empty_tracks
from twin_incidents.table import load_table
from twin_msgs.msg import PlatformStatus

TRACKS_LAST = 1.0  # seconds after which tracks are no longer the present


class IncidentDetector(Component):
    """Judges every set of tracks once: with its predictions, or without when they do not come."""

    Config = IncidentConfig
    inputs = (
        Input("tracks", "tracks", max_age=1.0),
        Input("predictions", "predictions", max_age=1.0),
        Input("platform_status", "platform_status", each_platform=True),
    )
    outputs = (Output("incidents", "incidents"),)
    timers = (Timer("check", 0.1),)

    def __init__(self, config: IncidentConfig, context: Context) -> None:
        """Read the district and the table."""
        super().__init__(config, context)
        self._district = load_district(config.district)
        self._rows = load_table(config.table)
        self._zones = convert.zones_from_district(self._district)
        self._book = IncidentBook(self._rows, config.max_gap)
        self._bits = {platform.name: bit for bit, platform in enumerate(self._district.platforms)}
        self._status: dict[str, tuple[int, PlatformStatus]] = {}
        self._tracks, self._tracks_ns, self._received_ns = empty_tracks(), 0, 0
        self._judged_ns = 0  # stamp of the tracks that were judged last
        self._published_ns = 0  # time of the last array
        self._started_ns = 0

    def on_platform_status(self, message: PlatformStatus, source: str) -> None:
        """Note a platform's sign of life."""
        self._status[source] = (self.context.now_ns(), message)

    def on_tracks(self, message: ArrayMessage, source: str) -> None:
        """Keep the tracks until their predictions come; judge those before them if theirs never came."""
        if self._tracks_ns > self._judged_ns:
            self.context.count("tracks_without_predictions")
            self._judge(None)
        self._tracks, rejected = convert.tracks_from_message(message, self.config.min_existence)
        self._tracks_ns, self._received_ns = message.stamp_ns, self.context.now_ns()
        if message.stamp_ns < self._judged_ns:  # a recording has started again
            self._judged_ns = 0
        if rejected:
            self.context.count("rejected", rejected)

    def on_predictions(self, message: ArrayMessage, source: str) -> None:
        """Judge the tracks that these paths were predicted from."""
        if message.stamp_ns == self._tracks_ns:
            self._judge(convert.paths_from_message(message))
        else:
            self.context.count("predictions_without_tracks")

    def on_timer_check(self, now_ns: int) -> None:
        """Judge what nothing else has: tracks without predictions, and silence."""
        if now_ns < self._started_ns:  # a recording has started again
            self._status.clear()
        if not 0 < self._started_ns <= now_ns:
            self._started_ns = now_ns
        waited = now_ns - self._received_ns > stamps.from_seconds(self.config.prediction_wait)
        if self._tracks_ns > self._judged_ns:
            if waited:
                self.context.count("tracks_without_predictions")
                self._judge(None)
        elif not 0 <= now_ns - self._published_ns < stamps.from_seconds(0.15):
            if now_ns - self._tracks_ns > stamps.from_seconds(TRACKS_LAST):
                self._tracks = empty_tracks()
            self._publish(Scene(now_ns, now_ns, self._tracks, None, self._zones, self._platforms()), now_ns)

    def _judge(self, paths: PathTable | None) -> None:
        self._judged_ns = self._tracks_ns
        now_ns = self.context.now_ns()
        scene = Scene(self._tracks_ns, now_ns, self._tracks, paths, self._zones, self._platforms())
        self._publish(scene, scene.stamp_ns)

    def _publish(self, scene: Scene, stamp_ns: int) -> None:
        incidents = self._book.step(findings_of(scene, self._rows), stamp_ns)
        self._published_ns = scene.now_ns
        self.context.measure("incidents", float(len(incidents)))
        self.context.publish("incidents", convert.message_from_incidents(stamp_ns, incidents, self._district))

    def _platforms(self) -> tuple[PlatformHealth, ...]:
        """Return what is known of every platform that takes part; none before the clock runs."""
        return tuple(self._health(name) for name in self.config.platforms) if self._started_ns else ()

    def _health(self, name: str) -> PlatformHealth:
        pose = self._district.platform(name).pose
        last_ns, status = self._status.get(name, (None, None))
        lost = status is not None and status.state == PlatformStatus.STATE_LOST
        return PlatformHealth(name, self._bits[name], last_ns, self._started_ns, lost, self._position(status, pose))

    def _position(self, status: PlatformStatus | None, pose: Any) -> tuple[float, float]:
        """Return where a platform is: where it last said, else where the district has it."""
        if status is None or not (status.latitude or status.longitude):
            return pose.x, pose.y
        east, north, _ = self._district.origin().to_map(status.latitude, status.longitude, status.altitude)
        return float(east), float(north)


def main() -> int:
    """Run the node."""
    from twin_common.ros_host import run_component  # only here: lockstep replay needs no middleware

    return run_component(IncidentDetector, "incident_detector")


if __name__ == "__main__":
    raise SystemExit(main())
