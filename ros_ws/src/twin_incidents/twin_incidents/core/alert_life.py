"""The life of an alert: raised, updated, acknowledged, cancelled, expired. A state machine without clock or ROS."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import IntEnum

SECOND = 1_000_000_000
KEPT = 1000  # ended alerts that are remembered, to answer late operators


class State(IntEnum):
    """As in twin_msgs/Alert."""

    RAISED = 0
    UPDATED = 1
    ACKNOWLEDGED = 2
    CANCELLED = 3
    EXPIRED = 4


#: Which state may follow which.
TRANSITIONS: dict[State, frozenset[State]] = {
    State.RAISED: frozenset({State.UPDATED, State.ACKNOWLEDGED, State.CANCELLED, State.EXPIRED}),
    State.UPDATED: frozenset({State.UPDATED, State.ACKNOWLEDGED, State.CANCELLED, State.EXPIRED}),
    State.ACKNOWLEDGED: frozenset({State.CANCELLED, State.EXPIRED}),
    State.CANCELLED: frozenset(),
    State.EXPIRED: frozenset(),
}


class TransitionError(ValueError):
    """A change that an alert's state does not allow; one line for the operator."""


@dataclass(frozen=True, slots=True)
class Observed:
    """What matters of an incident: how grave, how likely, where (metres, map frame)."""

    incident_id: str
    severity: int
    probability: float
    x: float
    y: float


@dataclass(frozen=True, slots=True)
class UpdatePolicy:
    """When a change is worth telling: seconds, probability and metres."""

    min_interval: float
    repeat: float
    probability_band: float
    place_step: float


@dataclass(frozen=True, slots=True)
class Alert:
    """One alert in one state; ``told`` is the incident as it was told last."""

    alert_id: str
    state: State
    raised_ns: int
    entered_ns: int
    told: Observed
    operator_name: str = ""
    note: str = ""


class AlertLife:
    """All alerts of a dispatcher: at most one live alert per incident."""

    def __init__(self, policy: UpdatePolicy) -> None:
        """Start without alerts."""
        self._policy = policy
        self._alerts: dict[str, Alert] = {}
        self._live: dict[str, str] = {}  # incident -> alert, while the incident holds
        self._numbered = 0

    @property
    def live(self) -> list[Alert]:
        """Alerts that have neither been cancelled nor expired."""
        return [alert for alert in self._alerts.values() if TRANSITIONS[alert.state]]

    def step(self, incidents: Sequence[Observed], now_ns: int) -> list[Alert]:
        """Compare alerts with the incidents that hold now and return every alert whose state has changed.

        A cancelled alert's incident raises no other one while it holds.
        """
        changed = []
        holding = {incident.incident_id for incident in incidents}
        for incident_id in [incident_id for incident_id in self._live if incident_id not in holding]:
            alert = self._alerts[self._live.pop(incident_id)]
            if TRANSITIONS[alert.state]:
                changed.append(self._enter(alert, State.EXPIRED, now_ns))
        for incident in incidents:
            known = self._live.get(incident.incident_id)
            if known is None:
                changed.append(self._raise(incident, now_ns))
            elif self._worth_telling(self._alerts[known], incident, now_ns):
                changed.append(self._update(self._alerts[known], incident, now_ns))
        self._forget()
        return changed

    def acknowledge(self, alert_id: str, operator_name: str, note: str, now_ns: int) -> Alert:
        """Note that an operator takes care of an alert.

        Raises:
            TransitionError: no such alert, no operator's name, or the alert's state does not allow it.

        """
        return self._by_operator(alert_id, State.ACKNOWLEDGED, operator_name, note, now_ns)

    def cancel(self, alert_id: str, operator_name: str, note: str, now_ns: int) -> Alert:
        """Call an alert off.

        Raises:
            TransitionError: no such alert, no operator's name, or the alert's state does not allow it.

        """
        return self._by_operator(alert_id, State.CANCELLED, operator_name, note, now_ns)

    def _by_operator(self, alert_id: str, state: State, operator_name: str, note: str, now_ns: int) -> Alert:
        alert = self._alerts.get(alert_id)
        if alert is None:
            raise TransitionError(f"alert {alert_id!r}: no such alert; {len(self.live)} are open")
        if not operator_name.strip():
            raise TransitionError(f"alert {alert_id}: operator_name is empty; expected who asks for it")
        return self._enter(replace(alert, operator_name=operator_name, note=note), state, now_ns)

    def _enter(self, alert: Alert, state: State, now_ns: int) -> Alert:
        if state not in TRANSITIONS[alert.state]:
            raise TransitionError(
                f"alert {alert.alert_id}: is {alert.state.name.lower()}, cannot become {state.name.lower()}"
            )
        entered = self._alerts[alert.alert_id] = replace(alert, state=state, entered_ns=now_ns)
        return entered

    def _raise(self, incident: Observed, now_ns: int) -> Alert:
        self._numbered += 1
        alert_id = f"{incident.incident_id}-a{self._numbered}"
        alert = self._alerts[alert_id] = Alert(alert_id, State.RAISED, now_ns, now_ns, incident)
        self._live[incident.incident_id] = alert_id
        return alert

    def _worth_telling(self, alert: Alert, incident: Observed, now_ns: int) -> bool:
        """Whether an update is due: at once when it gets worse, else not too often and only for a clear change."""
        if not TRANSITIONS[alert.state]:
            return False
        told, policy = alert.told, self._policy
        if incident.severity > told.severity:
            return True
        if alert.state is State.ACKNOWLEDGED:
            return False
        since = (now_ns - alert.entered_ns) / SECOND
        if since < policy.min_interval:
            return False
        return (
            since >= policy.repeat
            or incident.severity != told.severity
            or abs(incident.probability - told.probability) >= policy.probability_band
            or math.hypot(incident.x - told.x, incident.y - told.y) >= policy.place_step
        )

    def _update(self, alert: Alert, incident: Observed, now_ns: int) -> Alert:
        """Tell the incident as it is now; an acknowledged alert that gets worse stays acknowledged."""
        alert = replace(alert, told=incident)
        if alert.state is State.ACKNOWLEDGED:
            self._alerts[alert.alert_id] = alert
            return alert
        return self._enter(alert, State.UPDATED, now_ns)

    def _forget(self) -> None:
        """Drop the oldest alerts that have ended and whose incident no longer holds."""
        holding = set(self._live.values())
        ended = [key for key, alert in self._alerts.items() if not TRANSITIONS[alert.state] and key not in holding]
        for key in ended[: max(len(ended) - KEPT, 0)]:
            del self._alerts[key]
