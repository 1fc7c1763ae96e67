"""The time of the graph inside a process: the wall clock, or /clock and what lies between its ticks."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable

import numpy as np

from twin_common import stamps

WINDOW = 250  # ticks: five seconds of /clock
MIN_TICKS = 5  # before the pace is measured; until then it is 1
MAX_STEP_NS = stamps.NANOSECONDS  # a greater step is a jump
MAX_AHEAD_NS = stamps.NANOSECONDS // 10


class WallClock:
    """Nanoseconds since the epoch."""

    def now_ns(self) -> int:
        """Return the present."""
        return time.time_ns()


class PlayedClock:
    """Follows /clock, and runs on between its ticks at the pace of the latest ones.

    Ticks come at some tens of hertz, and a busy process takes them late; latencies are measured in
    milliseconds. So the least delayed of the latest ticks says what time it is.

    Args:
        monotonic_ns: the wall's steady clock; an argument so that a test can turn it.

    """

    def __init__(self, monotonic_ns: Callable[[], int] = time.monotonic_ns) -> None:
        """Start before the first tick, at 0."""
        self._monotonic_ns = monotonic_ns
        self._ticks: deque[tuple[int, int]] = deque(maxlen=WINDOW)
        self._pace, self._offset_ns = 1.0, 0.0
        self._latest = 0

    def tick(self, time_ns: int) -> None:
        """Take one message of /clock; a pause, a jump or a step back starts afresh."""
        wall_ns = self._monotonic_ns()
        if self._ticks and not 0 < time_ns - self._ticks[-1][0] < MAX_STEP_NS:
            self._ticks.clear()
            self._latest = time_ns
        self._ticks.append((time_ns, wall_ns))
        ticks = np.array(self._ticks, dtype=np.int64) - (time_ns, wall_ns)
        recorded, wall = ticks[:, 0].astype(float), ticks[:, 1].astype(float)
        if len(ticks) >= MIN_TICKS and wall[0] < 0:
            centred = wall - wall.mean()
            self._pace = float(centred @ recorded / (centred @ centred))
        self._offset_ns = float((recorded - self._pace * wall).max())

    def now_ns(self) -> int:
        """Return the time of the recording; it stands still in a pause and never runs far past the last tick."""
        if not self._ticks:
            return 0
        time_ns, taken_ns = self._ticks[-1]
        if len(self._ticks) > 1:
            ahead = self._offset_ns + self._pace * (self._monotonic_ns() - taken_ns)
            self._latest = max(self._latest, time_ns + int(min(ahead, MAX_AHEAD_NS)))
        return max(time_ns, self._latest)
