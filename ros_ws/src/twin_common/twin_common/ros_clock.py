"""The time of the graph inside a process: the wall clock, or /clock with interpolation between ticks."""

from __future__ import annotations

import time

from twin_common import stamps


class WallClock:
    """Nanoseconds since the epoch."""

    def now_ns(self) -> int:
        """Return the present."""
        return time.time_ns()


class PlayedClock:
    """Follows /clock; between two ticks it runs on at the pace of the last two, but never past the next.

    Ticks come at some tens of hertz, latencies are measured in milliseconds: without interpolation every
    latency would be rounded to the tick.
    """

    def __init__(self) -> None:
        """Start before the first tick, at 0."""
        self._tick_ns = 0
        self._interval_ns = 0
        self._at = time.monotonic_ns()
        self._wall_interval_ns = 1

    def tick(self, time_ns: int) -> None:
        """Take one message of /clock."""
        now = time.monotonic_ns()
        self._interval_ns = min(max(time_ns - self._tick_ns, 0), stamps.NANOSECONDS // 5) if self._tick_ns else 0
        self._wall_interval_ns = max(now - self._at, 1)
        self._tick_ns, self._at = time_ns, now

    def now_ns(self) -> int:
        """Return the interpolated time of the recording."""
        fraction = min((time.monotonic_ns() - self._at) / self._wall_interval_ns, 1.0)
        return self._tick_ns + int(fraction * self._interval_ns)
