"""Objects that are out of sight: tracks that have ended and may come back."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from twin_tracking.core import identity
from twin_tracking.core import state as states


@dataclass(frozen=True, slots=True)
class Absent:
    """Ended tracks (L,), predicted to the present.

    ``records``: TRACK; ``host``: id of the track in whose place it was lost, 0: none. ``own``: id that the track which
    has taken the place had before, 0: nobody has; ``own_first_ns``, ``taken_ns``: its first measurement, and when it
    took the place; ``density``: log density of its motion then. Arrays are never changed in place, so that a state can
    be kept and gone back to.
    """

    records: np.ndarray
    host: np.ndarray
    own: np.ndarray
    own_first_ns: np.ndarray
    taken_ns: np.ndarray
    density: np.ndarray

    def __len__(self) -> int:
        return len(self.records)

    def take(self, index: np.ndarray) -> Absent:
        """Return the chosen ones (indices or mask)."""
        return Absent(
            self.records[index], self.host[index], self.own[index], self.own_first_ns[index], self.taken_ns[index],
            self.density[index],
        )  # fmt: skip

    def joined(self, records: np.ndarray, host: np.ndarray) -> Absent:
        """Return these and others that have just been lost, whose place nobody has."""
        both = np.empty(len(self) + len(records), states.TRACK)
        both[: len(self)], both[len(self) :] = self.records, records
        none = np.zeros(len(records), np.int64)
        return Absent(
            both, np.concatenate([self.host, host]), np.concatenate([self.own, none.astype(np.uint64)]),
            np.concatenate([self.own_first_ns, none]), np.concatenate([self.taken_ns, none]),
            np.concatenate([self.density, none.astype(float)]),
        )  # fmt: skip

    def exchanged(self, old: np.ndarray, new: np.ndarray) -> Absent:
        """Return the same with the tracks ``old`` (K,) called ``new`` (K,): hosts, and who has taken a place."""
        return replace(self, host=identity.exchanged(self.host, old, new), own=identity.exchanged(self.own, old, new))

    def moved(self, records: np.ndarray) -> Absent:
        """Return the same with other records (L,)."""
        return replace(self, records=records)


def nobody() -> Absent:
    """Return no absent objects."""
    none = np.zeros(0, np.int64)
    return Absent(states.empty(), none.astype(np.uint64), none.astype(np.uint64), none, none, none.astype(float))
