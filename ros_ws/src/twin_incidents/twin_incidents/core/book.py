"""Incidents over time: what is found again and again becomes one incident with one name."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from dataclasses import dataclass

from twin_incidents.core.scene import Finding
from twin_incidents.table import IncidentRow

SECOND = 1_000_000_000


@dataclass(frozen=True, slots=True)
class Incident:
    """An incident that holds: its name, its latest finding, when it began and when it was last found."""

    incident_id: str
    finding: Finding
    first_ns: int
    last_ns: int


@dataclass(slots=True)
class _Entry:
    finding: Finding
    first_ns: int
    last_ns: int
    incident_id: str = ""
    severity: int = 0
    severity_ns: int = 0
    held_ns: int = 0

    def take(self, finding: Finding, now_ns: int, hold_ns: int) -> None:
        """Follow a new finding; a severity that was reached stays for the hold time.

        One that is only held changes nothing, and lets the time of one that is not an incident yet go on.
        """
        self.held_ns = now_ns
        if finding.held:
            return
        self.finding, self.last_ns = finding, now_ns
        if finding.severity >= self.severity or now_ns - self.severity_ns > hold_ns:
            self.severity, self.severity_ns = finding.severity, now_ns


class IncidentBook:
    """Keeps the incidents of all kinds of a table.

    Args:
        rows: the incident table.
        max_gap: how long a finding may be missing while it is not an incident yet, seconds.

    """

    def __init__(self, rows: Sequence[IncidentRow], max_gap: float) -> None:
        """Start without incidents."""
        self._rows = {row.kind: row for row in rows}
        self._gap_ns = round(max_gap * SECOND)
        self._entries: dict[str, list[_Entry]] = {row.kind: [] for row in rows}
        self._numbered = 0
        self._now_ns = 0

    def step(self, findings: Sequence[Finding], now_ns: int) -> list[Incident]:
        """Take the findings of one moment into account and return all incidents that hold.

        A stamp before the last one, as when a recording starts again, clears the book.
        """
        if now_ns < self._now_ns - SECOND:
            self._entries = {kind: [] for kind in self._entries}
        self._now_ns = now_ns
        for kind, row in self._rows.items():
            self._step_kind(row, [finding for finding in findings if finding.kind == kind], now_ns)
        return [
            Incident(entry.incident_id, _as_of(entry, now_ns), entry.first_ns, entry.last_ns)
            for entries in self._entries.values()
            for entry in entries
            if entry.incident_id
        ]

    def _step_kind(self, row: IncidentRow, findings: list[Finding], now_ns: int) -> None:
        entries, hold_ns = self._entries[row.kind], round(row.hold * SECOND)
        for finding, entry in _match(findings, entries):
            if entry is None and finding.held:
                continue
            if entry is None:
                entry = _Entry(finding, now_ns, now_ns, severity=finding.severity, severity_ns=now_ns)
                entries.append(entry)
            entry.take(finding, now_ns, hold_ns)
        kept = []
        for entry in entries:
            missing = now_ns - entry.last_ns > hold_ns if entry.incident_id else now_ns - entry.held_ns > self._gap_ns
            if missing:
                continue
            found = entry.last_ns == now_ns
            if found and not entry.incident_id and now_ns - entry.first_ns >= round(row.min_duration * SECOND):
                self._numbered += 1
                entry.incident_id = f"{row.kind}-{entry.first_ns // 1_000_000}-{self._numbered}"
            kept.append(entry)
        self._entries[row.kind] = kept


def _as_of(entry: _Entry, now_ns: int) -> Finding:
    """Return the latest finding with the severity that is held and the time that is left."""
    elapsed = (now_ns - entry.last_ns) / SECOND
    left = entry.finding.time_to_event
    left = left if math.isnan(left) else max(left - elapsed, 0.0)
    return dataclasses.replace(entry.finding, severity=entry.severity, time_to_event=left)


def _match(findings: list[Finding], entries: list[_Entry]) -> list[tuple[Finding, _Entry | None]]:
    """Pair findings with what is in the book: the same, then sharing tracks, then at the same place."""
    free, pairs = list(entries), []
    waiting = list(findings)
    for alike in (_same, _sharing, _overlapping):
        rest = []
        for finding in waiting:
            entry = next((entry for entry in free if alike(finding, entry.finding)), None)
            if entry is None:
                rest.append(finding)
            else:
                free.remove(entry)
                pairs.append((finding, entry))
        waiting = rest
    return [*pairs, *((finding, None) for finding in waiting)]


def _same(a: Finding, b: Finding) -> bool:
    return a.subject == b.subject and a.track_ids == b.track_ids


def _sharing(a: Finding, b: Finding) -> bool:
    return a.subject == b.subject and not set(a.track_ids).isdisjoint(b.track_ids)


def _overlapping(a: Finding, b: Finding) -> bool:
    """Whether a track was lost and found under another name: same place, within the smaller radius."""
    return a.subject == b.subject and math.dist(a.position, b.position) <= min(a.radius, b.radius)
