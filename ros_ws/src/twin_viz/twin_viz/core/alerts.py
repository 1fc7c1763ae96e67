"""The alerts an operator works with: their log lines, and which of them are still open."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import IntEnum

STATE_NAMES = ("raised", "updated", "acknowledged", "cancelled", "expired")
RAISED, UPDATED, ACKNOWLEDGED, CANCELLED, EXPIRED = range(len(STATE_NAMES))
_OPEN = frozenset({RAISED, UPDATED, ACKNOWLEDGED})


class LogLevel(IntEnum):
    """Levels of a log, as foxglove.Log numbers them."""

    INFO = 2
    WARNING = 3
    ERROR = 4
    FATAL = 5


#: Level of a log line, by Incident.severity.
LEVELS = (LogLevel.INFO, LogLevel.WARNING, LogLevel.ERROR, LogLevel.FATAL)


@dataclass(frozen=True, slots=True)
class AlertState:
    """One alert in one state of its life; fields as in twin_msgs/Alert."""

    stamp_ns: int
    alert_id: str
    state: int
    kind: str
    severity: int
    probability: float
    time_to_event: float
    latency_ms: float
    raised_ns: int
    latitude: float
    longitude: float
    radius: float
    place: str
    agencies: tuple[str, ...]
    text: str
    operator_name: str
    note: str


def level(alert: AlertState) -> LogLevel:
    """Return how loud the log line is: the severity's level while nobody has taken care, information after."""
    return LEVELS[min(alert.severity, len(LEVELS) - 1)] if alert.state in (RAISED, UPDATED) else LogLevel.INFO


def line(alert: AlertState) -> str:
    """Return the log line of one change of state."""
    parts = [f"{STATE_NAMES[alert.state].upper()} {alert.kind.replace('_', ' ')}"]
    if alert.text:
        parts.append(alert.text)
    if alert.place:
        parts.append(f"at {alert.place}")
    if alert.state in (RAISED, UPDATED) and math.isfinite(alert.time_to_event) and alert.time_to_event > 0:
        parts.append(f"in {alert.time_to_event:.1f} s")
    if alert.operator_name:
        parts.append(f"by {alert.operator_name}" + (f": {alert.note}" if alert.note else ""))
    if alert.state == RAISED:
        parts.append(f"to {', '.join(alert.agencies) or 'nobody'}, {alert.latency_ms:.0f} ms after the sensor")
    return "; ".join(parts) + f" [{alert.alert_id}]"


class AlertBook:
    """The newest state of every open alert."""

    def __init__(self) -> None:
        """Start empty."""
        self._open: dict[str, AlertState] = {}

    def take(self, alert: AlertState) -> None:
        """Take a change of state into account; a cancelled or expired alert leaves the book."""
        if alert.state in _OPEN:
            self._open[alert.alert_id] = alert
        else:
            self._open.pop(alert.alert_id, None)

    def open(self) -> list[AlertState]:
        """Return the open alerts: unacknowledged first, then by severity, then the newest."""
        return sorted(
            self._open.values(), key=lambda a: (a.state == ACKNOWLEDGED, -a.severity, -a.raised_ns, a.alert_id)
        )

    def summary(self) -> dict[str, list[dict[str, object]]]:
        """Return the open alerts as plain data for a table."""
        return {
            "alerts": [
                {
                    "alert_id": a.alert_id, "state": STATE_NAMES[a.state], "severity": a.severity, "kind": a.kind,
                    "text": a.text, "place": a.place, "raised_ns": str(a.raised_ns),
                    "probability": round(a.probability, 3), "operator_name": a.operator_name,
                    "agencies": list(a.agencies),
                }
                for a in self.open()
            ]
        }  # fmt: skip
