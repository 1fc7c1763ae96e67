"""Behaviours over time: another one must be clearly more probable, and stay so, before it is believed."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from twin_behavior.config import BehaviorConfig
from twin_behavior.core.table import KINDS, Motions, probabilities

SECOND = 1_000_000_000


@dataclass(frozen=True, slots=True)
class Behaviors:
    """Behaviours of N tracks; all (N,): kind, its probability, and the stamp at which it began."""

    kind: np.ndarray
    probability: np.ndarray
    since_ns: np.ndarray


@dataclass(frozen=True, slots=True)
class _Memory:
    """What is remembered of each track, in order of ``track_id``; all (M,)."""

    track_id: np.ndarray
    born_ns: np.ndarray
    kind: np.ndarray
    since_ns: np.ndarray
    candidate: np.ndarray
    candidate_ns: np.ndarray
    slow_speed: np.ndarray

    def take(self, index: np.ndarray) -> _Memory:
        return _Memory(*(getattr(self, name)[index] for name in self.__dataclass_fields__))


class Recognizer:
    """Recognises the behaviours of all tracks, step by step; forgets a track that vanishes."""

    def __init__(self, config: BehaviorConfig) -> None:
        """Start without tracks."""
        self._config = config
        self._stamp_ns: int | None = None
        self._memory = self._fresh(np.zeros(0, np.uint64), np.zeros(0), 0)

    def step(self, motions: Motions, stamp_ns: int) -> Behaviors:
        """Return the behaviours at ``stamp_ns``, in the order of ``motions``.

        A stamp that is not after the last one starts anew.
        """
        if self._stamp_ns is None or stamp_ns <= self._stamp_ns:
            self._memory, elapsed = self._fresh(np.zeros(0, np.uint64), np.zeros(0), 0), 0.0
        else:
            elapsed = (stamp_ns - self._stamp_ns) / SECOND
        self._stamp_ns = stamp_ns
        memory, known = self._recall(motions, stamp_ns)
        slow, acceleration = self._acceleration(memory.slow_speed, motions.speed, elapsed)
        belief = probabilities(motions, np.where(known, acceleration, 0.0), self._config)
        memory = self._decide(memory, belief, slow, stamp_ns)
        self._memory = memory.take(np.argsort(memory.track_id, kind="stable"))
        return Behaviors(memory.kind, belief[np.arange(len(motions)), memory.kind], memory.since_ns)

    def _fresh(self, track_id: np.ndarray, speed: np.ndarray, stamp_ns: int) -> _Memory:
        count = len(track_id)
        stamps = np.full(count, stamp_ns, np.int64)
        return _Memory(
            track_id, stamps, np.zeros(count, np.int64), stamps, np.zeros(count, np.int64), stamps, speed.astype(float)
        )

    def _recall(self, motions: Motions, stamp_ns: int) -> tuple[_Memory, np.ndarray]:
        """Return the memory of each track, in their order, fresh for new ones, and which are known."""
        fresh, old = self._fresh(motions.track_id, motions.speed, stamp_ns), self._memory
        if not len(old.track_id):
            return fresh, np.zeros(len(motions), bool)
        place = np.clip(np.searchsorted(old.track_id, motions.track_id), 0, len(old.track_id) - 1)
        known = old.track_id[place] == motions.track_id
        recalled = old.take(place)
        names = _Memory.__dataclass_fields__
        return _Memory(*(np.where(known, getattr(recalled, n), getattr(fresh, n)) for n in names)), known

    def _acceleration(self, slow: np.ndarray, speed: np.ndarray, elapsed: float) -> tuple[np.ndarray, np.ndarray]:
        """Return the speed smoothed by a first-order lag, and the acceleration: how far it is behind."""
        weight = -np.expm1(-elapsed / self._config.smoothing)
        return slow + weight * (speed - slow), (speed - slow) / max(self._config.smoothing, elapsed)

    def _decide(self, memory: _Memory, belief: np.ndarray, slow: np.ndarray, stamp_ns: int) -> _Memory:
        """Change to the most probable behaviour where it has been that for long enough."""
        settled = stamp_ns - memory.born_ns >= max(round(self._config.settling * SECOND), 1)
        favoured = belief * np.where(np.arange(KINDS) == memory.kind[:, None], self._config.stickiness, 1.0)
        best = np.where(settled, favoured.argmax(axis=1), belief.argmax(axis=1))
        candidate_ns = np.where(best == memory.candidate, memory.candidate_ns, stamp_ns)
        candidate_ns = np.where(settled, candidate_ns, memory.born_ns)
        lasted = stamp_ns - candidate_ns >= round(self._config.confirmation * SECOND)
        change = ~settled | ((best != memory.kind) & lasted)
        return _Memory(
            memory.track_id, memory.born_ns, np.where(change, best, memory.kind),
            np.where(change, candidate_ns, memory.since_ns), best, candidate_ns, slow,
        )  # fmt: skip
