"""Tracks that follow one object together: both are measured, no platform sees both at once, so one of them ends."""

from __future__ import annotations

import numpy as np

from twin_tracking.core.neighbours import near_pairs
from twin_tracking.core.state import NANOSECONDS, measured_lately

_APART = 0.4  # m: tracks farther from each other are two objects
_PATIENCE_NS = NANOSECONDS


def note(tracks: np.ndarray, seen_by: np.ndarray, stamp_ns: int) -> None:
    """Note for tracks, TRACK (N,), whether each is an object of its own; ``seen_by`` (N,): platforms of this array.

    Two tracks are two objects if a platform sees both in one turn, or if they are far enough from each other.
    """
    i, j = _close(tracks)
    rivals = np.zeros(len(tracks), bool)
    same = seen_by[i] & seen_by[j] == 0
    rivals[i[same]] = True
    tracks["apart_ns"][~rivals] = stamp_ns


def redundant(tracks: np.ndarray, stamp_ns: int) -> np.ndarray:
    """Return which tracks, TRACK (N,), only follow an object that an older track follows, (N,) bool.

    Both must have been measured lately: that one is not seen says nothing of whether there is one object or two.
    """
    ended = np.zeros(len(tracks), bool)
    i, j = _close(tracks)
    if not len(i):
        return ended
    together = measured_lately(tracks, stamp_ns) & (stamp_ns - tracks["apart_ns"] > _PATIENCE_NS)
    long = together[i] & together[j]
    first = tracks["first_ns"]
    older = (first[i] < first[j]) | ((first[i] == first[j]) & (i < j))
    ended[j[long & older]] = True
    return ended


def _close(tracks: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return pairs of different tracks that are confirmed and closer than two objects can be for long."""
    row = np.flatnonzero(tracks["confirmed"])
    place = tracks["estimate"][row, :2]
    i, j = near_pairs(place, np.full(len(row), _APART), place)
    shift = place[i] - place[j]
    good = (i != j) & (np.hypot(shift[:, 0], shift[:, 1]) < _APART)
    return row[i[good]], row[j[good]]
