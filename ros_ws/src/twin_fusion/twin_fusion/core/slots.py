"""Which arrays of several platforms belong to one moment.

Sensors are not triggered together, so a slot is not a cell of a fixed grid: it opens with the first array
that comes and closes as soon as nobody is left that is worth waiting for. After a time-out the platform
that was too late opens the next slot, so that slots settle where the waits are shortest.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

_BACKWARDS_NS = 1_000_000_000  # a clock set back by more than this starts a new recording


class SlotSettings(Protocol):
    """How long to wait; see ``config.MergerConfig``."""

    @property
    def period(self) -> float:
        """Seconds."""

    @property
    def max_wait(self) -> float:
        """Seconds."""

    @property
    def silence(self) -> float:
        """Seconds."""


@dataclass(frozen=True, slots=True)
class Part:
    """What one platform delivered: its index, the stamp and the objects."""

    platform: int
    stamp_ns: int
    objects: np.ndarray


@dataclass(frozen=True, slots=True)
class Slot:
    """Arrays of one moment, in order of platforms; ``late``: its moment has already been given out."""

    parts: tuple[Part, ...]
    late: bool = False

    @property
    def stamp_ns(self) -> int:
        """Stamp of the newest array."""
        return max(part.stamp_ns for part in self.parts)


@dataclass(slots=True)
class _Source:
    """When a platform's arrays come."""

    last_ns: int
    intervals_ns: deque[int] = field(default_factory=lambda: deque(maxlen=5))


class SlotCollector:
    """Puts arrays together; time is an argument of every call."""

    def __init__(self, settings: SlotSettings) -> None:
        """Start without platforms: each is known from its first array on."""
        self._period_ns = round(settings.period * 1e9)
        self._wait_ns = round(settings.max_wait * 1e9)
        self._silence_ns = round(settings.silence * 1e9)
        self._restart()

    def _restart(self) -> None:
        self._sources: dict[int, _Source] = {}
        self._open: dict[int, Part] = {}
        self._opened_ns = 0
        self._given_ns: int | None = None
        self._now_ns = 0

    def add(self, part: Part, now_ns: int) -> list[Slot]:
        """Take one array; return the slots that are finished by it, in order."""
        if now_ns < self._now_ns - _BACKWARDS_NS:
            self._restart()
        self._now_ns = now_ns
        self._note_arrival(part.platform, now_ns)
        if self._given_ns is not None and part.stamp_ns <= self._given_ns:
            return [Slot((part,), late=True)]
        finished = []
        if self._open:
            stamps = [other.stamp_ns for other in self._open.values()]
            if part.stamp_ns <= max(stamps) - self._period_ns:  # older than the open slot altogether
                return [Slot((part,))]
            if part.platform in self._open or part.stamp_ns >= min(stamps) + self._period_ns:
                finished.append(self._close())
        if not self._open:
            self._opened_ns = now_ns
        self._open[part.platform] = part
        return finished + self.poll(now_ns)

    def poll(self, now_ns: int) -> list[Slot]:
        """Return the open slot if it need not or must not wait longer."""
        if not self._open or not (now_ns - self._opened_ns >= self._wait_ns or self._complete(now_ns)):
            return []
        return [self._close()]

    def _note_arrival(self, platform: int, now_ns: int) -> None:
        source = self._sources.get(platform)
        if source is None or now_ns - source.last_ns > self._silence_ns:
            self._sources[platform] = _Source(now_ns)
            return
        source.intervals_ns.append(now_ns - source.last_ns)
        source.last_ns = now_ns

    def _complete(self, now_ns: int) -> bool:
        """Return whether no living platform is expected before the slot must be given out."""
        deadline_ns = self._opened_ns + self._wait_ns
        for platform, source in self._sources.items():
            if platform in self._open or now_ns - source.last_ns > self._silence_ns:
                continue
            interval_ns = float(np.median(source.intervals_ns)) if source.intervals_ns else self._period_ns
            if source.last_ns + interval_ns <= deadline_ns:
                return False
        return True

    def _close(self) -> Slot:
        slot = Slot(tuple(self._open[platform] for platform in sorted(self._open)))
        self._open = {}
        self._given_ns = max(slot.stamp_ns, self._given_ns or 0)
        return slot
