"""Signs of life of one platform: rates, latency and silence, from the moments at which messages came."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

SECOND = 1_000_000_000


@dataclass(slots=True)
class Pulse:
    """Counts the messages of one stream between two readings."""

    started_ns: int
    last_ns: int | None = None
    count: int = 0
    latencies_ms: list[float] = field(default_factory=list)

    def beat(self, now_ns: int, stamp_ns: int) -> None:
        """Take one message into account."""
        self.last_ns = now_ns
        self.count += 1
        self.latencies_ms.append((now_ns - stamp_ns) / 1e6)

    def silence(self, now_ns: int) -> float:
        """Return how long nothing has come, s."""
        return (now_ns - (self.started_ns if self.last_ns is None else self.last_ns)) / SECOND

    def read(self, elapsed: float) -> tuple[float, float]:
        """Return rate (Hz) and median latency (ms; NaN without messages) since the last reading, and start anew."""
        rate = self.count / elapsed if elapsed > 0 else 0.0
        latency = float(np.median(self.latencies_ms)) if self.latencies_ms else float("nan")
        self.count, self.latencies_ms = 0, []
        return rate, latency
