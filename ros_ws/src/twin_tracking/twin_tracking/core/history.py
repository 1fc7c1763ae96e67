"""The last moments of the tracker, so that late measurements can be put where they belong."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, replace

import numpy as np

from twin_tracking.core import identity
from twin_tracking.core.absent import Absent
from twin_tracking.core.state import NANOSECONDS

_MOST = 128  # moments; stamps that stand still would keep them all


@dataclass(frozen=True, slots=True)
class Moment:
    """One processed array (records), and the tracks (records) and the absent before it, at the time ``before_ns``."""

    stamp_ns: int
    number: int
    digest: bytes
    detections: np.ndarray
    before: np.ndarray
    before_ns: int
    absent: Absent


class History:
    """Processed arrays in order of their stamps: those of the last ``memory`` seconds, at most 128."""

    def __init__(self, memory: float) -> None:
        """Start empty."""
        self._memory_ns = round(memory * NANOSECONDS)
        self._moments: deque[Moment] = deque(maxlen=_MOST)

    def add(self, moment: Moment) -> None:
        """Keep the newest moment, forget those that are too old."""
        self._moments.append(moment)
        while self._moments[0].stamp_ns < moment.stamp_ns - self._memory_ns:
            self._moments.popleft()

    def holds(self, stamp_ns: int, digest: bytes) -> bool:
        """Return whether the same array has been processed."""
        return any(moment.stamp_ns == stamp_ns and moment.digest == digest for moment in self._moments)

    def reaches(self, stamp_ns: int) -> bool:
        """Return whether an array of that stamp can be put in its place."""
        return any(moment.stamp_ns <= stamp_ns for moment in self._moments) or (
            bool(self._moments) and self._moments[0].before_ns <= stamp_ns
        )

    def rewind(self, stamp_ns: int) -> list[Moment]:
        """Take out and return the moments after ``stamp_ns``, oldest first."""
        later: list[Moment] = []
        while self._moments and self._moments[-1].stamp_ns > stamp_ns:
            later.append(self._moments.pop())
        return later[::-1]

    def exchange(self, old: np.ndarray, new: np.ndarray) -> None:
        """Call the tracks ``old`` (K,) ``new`` (K,) in all moments in which nobody else is called so."""
        for place, moment in enumerate(self._moments):
            ids = identity.exchanged(moment.before["id"], old, new)
            if len(np.unique(ids)) < len(ids):
                continue
            before = moment.before.copy()
            before["id"] = ids
            self._moments[place] = replace(moment, before=before, absent=moment.absent.exchanged(old, new))

    def clear(self) -> None:
        """Forget everything."""
        self._moments.clear()
