"""Handover through gaps: a track that begins may be an object that was lost before, and then keeps its id.

What has ended is predicted on for a while. Each new track is compared with all that is absent (``resemblance``); the
best assignment of new tracks to the absent, or to strangers, says who is who, with a probability. For some seconds the
question stays open: better evidence or a better candidate takes the id back.
"""

from __future__ import annotations

from collections import Counter, deque
from dataclasses import dataclass, replace

import numpy as np
from scipy.optimize import linear_sum_assignment

from twin_tracking.config import TrackerConfig
from twin_tracking.core import classes, resemblance
from twin_tracking.core.absent import Absent
from twin_tracking.core.motion import MotionModel
from twin_tracking.core.region import ZoneRegion
from twin_tracking.core.state import NANOSECONDS

_KEEP = np.log(20.0)
_LEAST = -30.0
_PLAUSIBLE = -2.0  # log odds
_HOST_DISTANCE, _MOST_HOST_DISTANCE = 1.2, 2.5  # m, with what the prediction has drifted since the last measurement
_REMEMBERED = 1000


@dataclass(frozen=True, slots=True)
class Reidentification:
    """At ``stamp_ns`` the track ``own`` was taken for ``track_id``, or, where ``undone``, was found not to be it."""

    stamp_ns: int
    track_id: int
    own: int
    probability: float
    undone: bool


class Handover:
    """Gives lost objects their ids back; ``log`` holds the latest of the ``decided`` decisions."""

    def __init__(self, config: TrackerConfig, model: MotionModel, region: ZoneRegion | None = None) -> None:
        """Take rates and times; without a ``region`` every place is as good as another."""
        self._config, self._model, self._region = config, model, region
        self._affinity = classes.affinity_table()
        self.log: deque[Reidentification] = deque(maxlen=_REMEMBERED)
        self.decided = 0
        self._told: Counter[tuple[int, bool]] = Counter()

    def rewind(self, stamp_ns: int) -> None:
        """Expect the decisions from ``stamp_ns`` on once more: what came after a late array is replayed."""
        self._told = Counter((item.track_id, item.undone) for item in self.log if item.stamp_ns >= stamp_ns)

    def replayed(self) -> None:
        """Take all decisions for new ones again."""
        self._told = Counter()

    def follow(
        self, absent: Absent, before: np.ndarray, tracks: np.ndarray, dt: float, stamp_ns: int
    ) -> tuple[Absent, np.ndarray]:
        """Return who is absent now, and the tracks (N,) with the ids they have now.

        ``before``: the tracks ``dt`` seconds ago; those that were confirmed and are no more have been lost.
        """
        if self._config.handover_reach <= 0:
            return absent, tracks
        absent = self._lose(absent, before, tracks)
        if not len(absent):
            return absent, tracks
        if dt > 0:
            records = absent.records.copy()
            self._model.predict(records, dt)
            absent = absent.moved(records)
        absent = self._forget(absent, tracks, stamp_ns)
        young = self._candidates(absent, tracks, stamp_ns)
        if not len(absent) or not len(young):
            return absent, tracks
        present = self._present(absent, tracks, young)
        density = self._density(absent, tracks, young)
        held = np.flatnonzero(present >= 0)
        density[held, present[held]] = np.maximum(density[held, present[held]], absent.density[held])
        odds = self._odds(absent, tracks[young], density)
        partner, probability = _decide(odds, present, self._config.handover_least)
        chosen = density[np.arange(len(absent)), np.maximum(partner, 0)]
        absent = replace(absent, density=np.where(present == partner, absent.density, chosen))
        doubtful = odds.max(axis=0) > _PLAUSIBLE
        doubtful[partner[partner >= 0]] = doubtful[present[present >= 0]] = False
        absent, tracks = self._apply(absent, tracks, young, present, partner, probability, stamp_ns)
        return absent, self._wait(before, tracks, young[doubtful], stamp_ns)

    def _wait(self, before: np.ndarray, tracks: np.ndarray, rows: np.ndarray, stamp_ns: int) -> np.ndarray:
        """Let new tracks that may be lost objects stay tentative for a moment, so that they are told under one id.

        Those that were confirmed ``before`` have been told, and stay so.
        """
        rows = rows[stamp_ns - tracks["first_ns"][rows] <= self._config.handover_wait * NANOSECONDS]
        rows = rows[~np.isin(tracks["id"][rows], before["id"][before["confirmed"]])]
        if not len(rows):
            return tracks
        tracks = tracks.copy()
        tracks["confirmed"][rows] = False
        return tracks

    def _lose(self, absent: Absent, before: np.ndarray, tracks: np.ndarray) -> Absent:
        """Add the confirmed tracks that have ended; their earlier absence is over."""
        ended = before[before["confirmed"] & ~np.isin(before["id"], tracks["id"])]
        if not len(ended):
            return absent
        absent = absent.take(~np.isin(absent.records["id"], ended["id"]))
        host = np.zeros(len(ended), np.uint64)
        others = tracks[tracks["confirmed"]]
        if len(others):
            shift = ended["estimate"][:, None, :2] - others["estimate"][None, :, :2]
            distance = np.hypot(shift[..., 0], shift[..., 1])
            nearest = distance.argmin(axis=1)
            spread = np.sqrt(ended["spread"][:, 0, 0] + ended["spread"][:, 1, 1])
            close = distance[np.arange(len(ended)), nearest] < np.minimum(_HOST_DISTANCE + spread, _MOST_HOST_DISTANCE)
            host[close] = others["id"][nearest[close]]
        return absent.joined(ended, host)

    def _forget(self, absent: Absent, tracks: np.ndarray, stamp_ns: int) -> Absent:
        """Leave out who has been away for too long, who has settled in his place, and who is there after all."""
        config = self._config
        away = stamp_ns - absent.records["last_ns"]
        grouped = np.isin(absent.host, tracks["id"])
        reach = np.where(grouped, config.handover_group_reach, config.handover_reach) * NANOSECONDS
        taken = absent.own > 0
        open_still = stamp_ns - absent.taken_ns <= config.handover_settle * NANOSECONDS
        there = np.isin(absent.records["id"], tracks["id"])
        keep = np.where(taken, open_still & there, (away <= reach) & ~there)
        return absent if keep.all() else absent.take(keep)

    def _candidates(self, absent: Absent, tracks: np.ndarray, stamp_ns: int) -> np.ndarray:
        """Return rows of tracks that are new, or whose identity is open."""
        fresh = tracks["confirmed"] & (stamp_ns - tracks["first_ns"] <= self._config.handover_young * NANOSECONDS)
        return np.flatnonzero(fresh | np.isin(tracks["id"], absent.records["id"][absent.own > 0]))

    @staticmethod
    def _present(absent: Absent, tracks: np.ndarray, young: np.ndarray) -> np.ndarray:
        """Return which candidate (C,) has the place of each absent one (L,) now, -1: none."""
        present = np.full(len(absent), -1)
        ids = tracks["id"][young]
        for row in np.flatnonzero(absent.own > 0):
            here = np.flatnonzero(ids == absent.records["id"][row])
            present[row] = here[0] if len(here) else -1
        return present

    def _density(self, absent: Absent, tracks: np.ndarray, young: np.ndarray) -> np.ndarray:
        """Return the log density (L, C), 1/m^2, of the candidates' motion by the absent ones.

        Who has taken a place is judged by how well he fitted when he came: later the prediction only grows stale.
        """
        candidates = tracks[young]
        density = resemblance.motion(absent, candidates)
        if self._region is not None:
            density = density + resemblance.place(absent, candidates, self._region)
        return np.asarray(np.logaddexp(density, resemblance.beside_host(absent, tracks, candidates)))

    def _odds(self, absent: Absent, candidates: np.ndarray, density: np.ndarray) -> np.ndarray:
        """Return the log odds (L, C) that a candidate is the absent one and not a stranger."""
        config = self._config
        prior = np.log(config.return_rate / config.stranger_density)
        odds = density + prior + resemblance.appearance(absent, candidates, self._affinity)
        # Nobody is in two places: who was seen before the other one was lost is somebody else.
        first = np.where(
            np.isin(candidates["id"], absent.records["id"]), np.iinfo(np.int64).max, candidates["first_ns"]
        )
        late = first[None] >= absent.records["last_ns"][:, None]
        return np.asarray(np.where(late, np.maximum(odds, _LEAST), _LEAST))

    def _apply(
        self, absent: Absent, tracks: np.ndarray, young: np.ndarray, present: np.ndarray, partner: np.ndarray,
        probability: np.ndarray, stamp_ns: int,
    ) -> tuple[Absent, np.ndarray]:  # fmt: skip
        """Give and take back ids so that candidate ``partner`` (L,) has the place of each absent one, -1: nobody."""
        if (present == partner).all():
            return absent, tracks
        tracks = tracks.copy()
        own, own_first, taken = absent.own.copy(), absent.own_first_ns.copy(), absent.taken_ns.copy()
        changed = np.flatnonzero(present != partner)
        for row in changed[present[changed] >= 0]:
            track = tracks[young[present[row]] : young[present[row]] + 1]
            self._note(stamp_ns, absent.records["id"][row], own[row], probability[row], undone=True)
            track["id"], track["first_ns"] = own[row], own_first[row]
            own[row] = own_first[row] = taken[row] = 0
        for row in changed[partner[changed] >= 0]:
            track = tracks[young[partner[row]] : young[partner[row]] + 1]
            own[row], own_first[row], taken[row] = track["id"][0], track["first_ns"][0], stamp_ns
            track["id"], track["first_ns"] = absent.records["id"][row], absent.records["first_ns"][row]
            self._note(stamp_ns, absent.records["id"][row], own[row], probability[row], undone=False)
        return replace(absent, own=own, own_first_ns=own_first, taken_ns=taken), tracks

    def _note(self, stamp_ns: int, track_id: int, own: int, probability: float, undone: bool) -> None:
        """Log a decision, unless it was told before a late array came."""
        told = int(track_id), undone
        if self._told[told] > 0:
            self._told[told] -= 1
            return
        self.decided += 1
        self.log.append(Reidentification(int(stamp_ns), int(track_id), int(own), float(probability), undone))


def _decide(odds: np.ndarray, present: np.ndarray, least: float) -> tuple[np.ndarray, np.ndarray]:
    """Return the candidate of each absent one (L,), -1: none, and the probability of that pair (L,).

    The best joint assignment; its probability weighs all rivals of the pair, and the stranger. Who has a place now
    keeps it unless the evidence is clear.
    """
    rows = np.arange(len(odds))
    held = np.flatnonzero(present >= 0)
    weighed = odds.copy()
    weighed[held, present[held]] += _KEEP
    row, column = linear_sum_assignment(np.maximum(weighed, 0), maximize=True)
    ratio = np.exp(np.minimum(odds, 50.0))
    rivals = ratio.sum(axis=1)[:, None] + ratio.sum(axis=0)[None] - ratio
    probability = ratio / (1 + rivals)
    partner = np.full(len(odds), -1)
    needed = np.where(present[row] == column, least / 3, least)
    sure = (weighed[row, column] > 0) & (probability[row, column] >= needed)
    partner[row[sure]] = column[sure]
    shown = np.where(partner >= 0, partner, np.maximum(present, 0))
    return partner, np.asarray(probability[rows, shown])
