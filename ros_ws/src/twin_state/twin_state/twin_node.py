"""The live twin of a district and its history."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from twin_common import stamps
from twin_common.cdr import ArrayMessage
from twin_common.component import Component, Context, Input, Output, Service, Timer
from twin_common.config import ConfigError
from twin_common.ros_host import run_component
from twin_msgs.msg import Alert
from twin_state import convert
from twin_state.config import TwinConfig
from twin_state.core.duckdb_store import StoreError
from twin_state.core.history import History, HistoryLimits
from twin_state.core.state import coasted, density, of_live_tracks

PERIOD = 0.1  # seconds between snapshots while the tracker is silent
SILENCE_NS = 150_000_000  # without tracks for this long, the timer makes the snapshots
BACKWARDS_NS = -1_000_000_000
DEFAULT_LIMIT = 100_000  # of QueryHistory


class Twin(Component):
    """Publishes the state of the district at 10 Hz and answers what has been."""

    Config = TwinConfig
    inputs = (
        Input("tracks", "tracks", max_age=0.5),
        Input("behaviors", "behaviors", max_age=0.5),
        Input("alerts", "alerts"),
    )
    outputs = (Output("snapshot", "snapshot"),)
    timers = (Timer("snapshot", PERIOD),)
    services = (Service("query_history", "twin_msgs/srv/QueryHistory"),)

    def __init__(self, config: TwinConfig, context: Context) -> None:
        """Open the history."""
        super().__init__(config, context)
        path = Path(config.history) if config.history else None
        kept = config.max_states if path else config.max_memory_states
        limits = HistoryLimits(config.flush_period, config.retention_hours * 3600, kept)
        try:
            if path is not None:
                path.parent.mkdir(parents=True, exist_ok=True)
            self._history = History(path, convert.TRACK, limits)
        except (StoreError, OSError) as error:
            raise ConfigError(f"{context.name}.history: {error}") from error
        self._sequence = 0
        self._tracks = ArrayMessage(0, convert.MAP, {"tracks": np.zeros(0, convert.TRACK)})
        self._behaviors = np.zeros(0, convert.BEHAVIOR)
        self._came_ns: int | None = None

    def on_tracks(self, message: ArrayMessage, _source: str) -> None:
        """Show the new tracks at once and remember them."""
        self._tracks, self._came_ns = message, self.context.now_ns()
        self._publish(message.stamp_ns, message["tracks"])
        self._history.append(message.stamp_ns, message["tracks"])

    def on_behaviors(self, message: ArrayMessage, _source: str) -> None:
        """Keep what the objects do for the next snapshot."""
        self._behaviors = message["behaviors"]

    def on_alerts(self, message: Alert, _source: str) -> None:
        """Remember every change of an alert."""
        self._history.append_alert(convert.alert_row(message))

    def on_timer_snapshot(self, now_ns: int) -> None:
        """Go on while the tracker is silent: objects coast for a while, then there are none."""
        self.context.report(self._history.problem)
        self.context.measure("history_states_lost", float(self._history.lost))
        if self._came_ns is None:
            self._publish(now_ns, np.zeros(0, convert.TRACK))
            return
        silent_ns = now_ns - self._came_ns
        if BACKWARDS_NS < silent_ns < SILENCE_NS:
            return
        elapsed = stamps.to_seconds(silent_ns)
        if not 0 <= elapsed <= self.config.max_coast:
            self._publish(now_ns, np.zeros(0, convert.TRACK))
            return
        self.context.count("coasted")
        self._publish(self._tracks.stamp_ns + silent_ns, coasted(self._tracks["tracks"], elapsed))

    def _publish(self, stamp_ns: int, tracks: np.ndarray) -> None:
        self._sequence += 1
        behaviors = of_live_tracks(self._behaviors, tracks)
        cells = density(tracks, self.config.cell_size, convert.DENSITY_CELL)
        self.context.publish("snapshot", convert.snapshot(stamp_ns, self._sequence, tracks, behaviors, cells))

    def on_service_query_history(self, request: Any, response: Any) -> Any:
        """Answer which objects were where."""
        try:
            window = convert.window_from_request(request)
        except ValueError as error:
            response.success, response.message = False, str(error)
            return response
        limit = min(request.limit or DEFAULT_LIMIT, self.config.max_answer)
        stamps_ns, records = self._history.query(window, limit + 1)
        response.success = True
        response.snapshots = convert.track_arrays(stamps_ns[:limit], records[:limit])
        if len(records) > limit:
            response.message = f"cut at {limit} states; the rest begins at {stamps_ns[limit]} ns"
        return response

    def close(self) -> None:
        """Write what is left."""
        self._history.close()


def main() -> int:
    """Run the node."""
    return run_component(Twin, "twin")
