"""The tracker: predict, associate, update, spawn, prune; late arrays are put in their place and the rest replayed."""

from __future__ import annotations

from collections import Counter

import numpy as np

from twin_tracking.config import NO_PIECES, TrackerConfig
from twin_tracking.core import attributes, doubles, existence, heading, identity, pieces
from twin_tracking.core import state as states
from twin_tracking.core.absent import nobody
from twin_tracking.core.association import Associator, assign
from twin_tracking.core.birth import Birth
from twin_tracking.core.clocks import ClockOffsets
from twin_tracking.core.detections import Detections, digest, limits_of, prepare
from twin_tracking.core.handover import Handover, Reidentification
from twin_tracking.core.history import History, Moment
from twin_tracking.core.motion import MotionModel
from twin_tracking.core.overlap import inside_boxes
from twin_tracking.core.region import ZoneRegion
from twin_tracking.core.state import NANOSECONDS
from twin_tracking.core.tracks import Tracks, tracks_of
from twin_tracking.core.views import passes
from twin_tracking.core.visibility import Visibility

_SOURCES_PER_ARRAY = 1 << 20


class Tracker:
    """Follows all objects of a district. ``events`` counts what was refused or put in order."""

    def __init__(
        self, config: TrackerConfig, region: ZoneRegion | None = None, visibility: Visibility | None = None
    ) -> None:
        """Start without tracks; ``region``: where objects can be; ``visibility``: what the platforms can see."""
        self.config = config
        self.events: Counter[str] = Counter()
        self._model = MotionModel(config)
        self._associator = Associator(config)
        self._birth = Birth(config, self._model)
        self._history = History(config.max_late)
        self._limits = limits_of(config)
        self._turning = heading.turning_of(config)
        self._rates = existence.rates_of(config)
        self._memory = attributes.memory_of(config)
        self._handover = Handover(config, self._model, region)
        self._visibility = visibility
        self._pieces = config.piece_margin > NO_PIECES
        self.clocks = ClockOffsets(config)
        self._replaying = False
        self._absent = nobody()
        self._state = states.empty()
        self._stamp_ns: int | None = None
        self._born = 0
        self._arrays = 0

    def step(self, detections: Detections, stamp_ns: int) -> Tracks:
        """Take what is seen at ``stamp_ns`` into account and return all tracks at the newest stamp so far."""
        seen = prepare(detections, self._limits)
        self._count("rejected", len(detections) - len(seen))
        fingerprint = digest(seen)
        self.clocks.correct(seen)
        if self._stamp_ns is not None and stamp_ns < self._stamp_ns - self.config.reset_backwards * NANOSECONDS:
            self._count("reset")
            self.reset()
        if self._stamp_ns is None or stamp_ns >= self._stamp_ns:
            if len(seen) and self._history.holds(stamp_ns, fingerprint):
                self._count("duplicate")
            else:
                self._advance(seen, stamp_ns, fingerprint, self._number())
        elif self._history.holds(stamp_ns, fingerprint):
            self._count("duplicate")
        elif stamp_ns < self._stamp_ns - self.config.max_late * NANOSECONDS or not self._history.reaches(stamp_ns):
            self._count("late")
        else:
            self._count("reordered")
            self._insert(seen, stamp_ns, fingerprint)
        return self.tracks()

    def tracks(self) -> Tracks:
        """Return all tracks at the newest stamp so far."""
        return tracks_of(self._state, self._stamp_ns or 0, self.config)

    def reidentified(self, since: int = 0) -> list[Reidentification]:
        """Return the decisions about who has come back, but the first ``since``; oldest first, at most 1000."""
        new = self._handover.decided - since
        return list(self._handover.log)[-new:] if new > 0 else []

    def reset(self) -> None:
        """Forget all tracks; ids are not used again."""
        self._state, self._absent = states.empty(), nobody()
        self._stamp_ns = None
        self._history.clear()

    def _count(self, event: str, number: int = 1) -> None:
        if number:
            self.events[event] += number

    def _number(self) -> int:
        self._arrays += 1
        return self._arrays

    def _insert(self, detections: np.ndarray, stamp_ns: int, fingerprint: bytes) -> None:
        """Go back before a late array, process it, and replay what came after; who was born since keeps the id."""
        published = self._state
        later = self._history.rewind(stamp_ns)
        self._state, self._absent, self._stamp_ns = later[0].before, later[0].absent, later[0].before_ns
        known = self._state["id"]
        self._handover.rewind(stamp_ns)
        self._advance(detections, stamp_ns, fingerprint, self._number())
        self._replaying = True
        for moment in later:
            self._advance(moment.detections, moment.stamp_ns, moment.digest, moment.number)
        self._replaying = False
        self._handover.replayed()
        was_young = np.flatnonzero(~np.isin(published["id"], known))
        is_young = np.flatnonzero(~np.isin(self._state["id"], known))
        sources = published["source"][was_young], self._state["source"][is_young]
        _, was, now = np.intersect1d(*sources, return_indices=True)
        ids = identity.renamed(self._state["id"], is_young[now], published["id"][was_young[was]])
        born_again = (ids != self._state["id"]) & ~np.isin(self._state["id"], later[0].absent.records["id"])
        told = self._state["id"][born_again], ids[born_again]
        self._history.exchange(*told)
        self._state, self._absent = self._state.copy(), self._absent.exchanged(*told)
        self._state["id"] = ids

    def _advance(self, detections: np.ndarray, stamp_ns: int, fingerprint: bytes, number: int) -> None:
        """Process one array that is not older than the tracks."""
        before_ns = stamp_ns if self._stamp_ns is None else self._stamp_ns
        self._history.add(Moment(stamp_ns, number, fingerprint, detections, self._state, before_ns, self._absent))
        before, dt = self._state, (stamp_ns - before_ns) / NANOSECONDS
        tracks = self._predict(before, before_ns, stamp_ns)
        partner, alone, seen_by = self._correct(tracks, detections, dt, stamp_ns, number)
        tracks = self._spawn(tracks, detections, partner, seen_by, alone, stamp_ns, number)
        tracks = self._prune(tracks, stamp_ns)
        double = doubles.redundant(tracks, stamp_ns)
        self._count("followed_twice", int(double.sum()))
        if self._pieces:
            part = pieces.note(tracks, stamp_ns)
            self._count("part_of_vehicle", int(part.sum()))
            double |= part
        tracks = tracks[~double] if double.any() else tracks
        self._absent, self._state = self._handover.follow(self._absent, before, tracks, dt, stamp_ns)
        self._stamp_ns = stamp_ns

    def _predict(self, tracks: np.ndarray, before_ns: int, stamp_ns: int) -> np.ndarray:
        """Move all tracks to ``stamp_ns``; those not measured for too long have ended by then."""
        tracks = self._prune(tracks, stamp_ns, copy=True)
        dt = (stamp_ns - before_ns) / NANOSECONDS
        if dt > 0 and len(tracks):
            self._model.predict(tracks, dt)
            heading.predict(tracks, dt, self._turning)
            existence.predict(tracks, dt, self._rates)
            attributes.predict(tracks, dt)
        quarter = self.config.platform_memory * NANOSECONDS / states.PLATFORM_SLOTS
        shift = min(int(stamp_ns // quarter) - int(before_ns // quarter), states.PLATFORM_SLOTS)
        if shift > 0:
            platforms = tracks["platforms"]
            platforms[:, shift:] = platforms[:, : states.PLATFORM_SLOTS - shift].copy()
            platforms[:, :shift] = 0
        return tracks

    def _correct(
        self, tracks: np.ndarray, detections: np.ndarray, dt: float, stamp_ns: int, number: int
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Correct the tracks by what each platform sees of them; the others were missed.

        Returns the first detection of each track, (N,), -1: none, which detections no track has, (M,) bool, and the
        platforms that have seen each track, (N,).
        """
        partner, density = np.full(len(tracks), -1, np.int64), np.zeros(len(tracks))
        alone, seen_by = np.ones(len(detections), bool), np.zeros(len(tracks), np.uint64)
        views: list[np.ndarray] = []
        found = tracks["found"].copy()
        for chosen in (*passes(detections["platforms"]), None):
            if chosen is not None:
                view = self._associate(tracks, detections, chosen, seen_by)
            else:
                view = self._leaps(tracks, detections, partner, alone)
            hit = view >= 0
            if views and not hit.any():
                continue
            if not self._replaying:
                self.clocks.learn(tracks, detections, view, 0.0 if views else dt)
            likelihood = self._model.update(tracks, detections, view)
            heading.update(tracks, detections, view, self._turning)
            first = hit & (partner < 0)
            partner[first], density[first] = view[first], likelihood[first]
            seen_by[hit] |= detections["platforms"][view[hit]]
            alone[view[hit]] = False
            views.append(view)
        if self._visibility is not None:
            self._visibility.weigh(tracks, detections, partner, found)
        existence.update(tracks, detections, partner, density, found, dt, stamp_ns, self._rates)
        for view in views:
            attributes.update(tracks, detections, view, stamp_ns, self._memory)
        tracks["source"] = np.where(partner >= 0, number * _SOURCES_PER_ARRAY + partner, tracks["source"])
        doubles.note(tracks, seen_by, stamp_ns)
        if dt > 0:
            heading.follow_motion(tracks, dt, self._turning)
        return partner, alone, seen_by

    def _associate(
        self, tracks: np.ndarray, detections: np.ndarray, chosen: np.ndarray, seen_by: np.ndarray
    ) -> np.ndarray:
        """Give the sure ones of the ``chosen`` (K,) detections to tracks, then the doubtful ones to confirmed tracks.

        ``seen_by`` (N,): platforms that have seen each track already. Returns the detection of each track, (N,), -1:
        none. Two stages as in ByteTrack (Zhang et al. 2022).
        """
        whole = len(chosen) == len(detections)
        seen = detections if whole else detections[chosen]
        pairs = self._associator.pairs(tracks, seen)
        if not whole:
            pairs = pairs.take(seen_by[pairs.track] & seen["platforms"][pairs.detection] == 0)
        sizes = len(tracks), len(seen)
        sure = seen["existence"] >= self.config.high_existence
        if sure.all():
            partner = assign(pairs, *sizes)
        else:
            partner = assign(pairs.take(sure[pairs.detection]), *sizes)
            doubtful = ~sure & (seen["existence"] >= self.config.low_existence)
            left = tracks["confirmed"] & (partner < 0)
            second = assign(pairs.take(doubtful[pairs.detection] & left[pairs.track]), *sizes)
            partner = np.maximum(partner, second)
        return np.asarray(partner if whole else np.where(partner >= 0, chosen[partner], -1))

    def _leaps(self, tracks: np.ndarray, detections: np.ndarray, partner: np.ndarray, alone: np.ndarray) -> np.ndarray:
        """Give sure detections that are left to confirmed tracks that are left and near: somebody has turned or braked.

        Nobody appears where somebody was expected and has not been seen. Returns the detection of each track, (N,).
        """
        left = (partner < 0) & tracks["confirmed"]
        index = np.flatnonzero(alone & (detections["existence"] >= self.config.high_existence))
        result: np.ndarray = np.full(len(tracks), -1, np.int64)
        if self.config.leap > 0 and left.any() and len(index):
            pairs = self._associator.near(tracks, detections[index], self.config.leap)
            nearest = np.full(len(index), np.inf)
            np.minimum.at(nearest, pairs.detection, pairs.cost)
            pairs = pairs.take(left[pairs.track] & (pairs.cost <= nearest[pairs.detection]))
            given = assign(pairs, len(tracks), len(index))
            result = np.where(given >= 0, index[given], -1)
        return result

    def _spawn(
        self, tracks: np.ndarray, detections: np.ndarray, partner: np.ndarray, seen_by: np.ndarray, alone: np.ndarray,
        stamp_ns: int, number: int,
    ) -> np.ndarray:  # fmt: skip
        """Begin a track at every sure detection that fits none (``alone``) and is not part of one."""
        index = np.flatnonzero(alone & (detections["existence"] >= self.config.high_existence))
        if not len(index):
            return tracks
        position = detections["position"][:, :2]
        if self._pieces:
            piece = pieces.begun(tracks, stamp_ns, seen_by, detections[index], self.config.piece_margin)
            self._count("part_of_vehicle", int(piece.sum()))
            index = index[~piece]
        seen = tracks[(partner >= 0) & tracks["confirmed"]]
        part, _ = inside_boxes(position[index], seen["estimate"][:, :2], seen["yaw"], seen["size"])
        if len(part):
            self._count("part_of_track", len(np.unique(part)))
            index = np.delete(index, part)
        again = self._birth.seen_again(tracks, detections, seen_by, index)
        self._count("seen_again", int(again.sum()))
        index = index[~again]
        index = self._birth.one_each(detections, index)
        young = self._birth.tracks(detections, index, stamp_ns)
        young["id"] = identity.pseudonyms(self._born, len(index), identity.key_of_day(self.config.key, stamp_ns))
        young["source"] = number * _SOURCES_PER_ARRAY + index
        self._born += len(index)
        both = np.empty(
            len(tracks) + len(young), states.TRACK
        )  # np.concatenate compares the fields first: 50 times slower
        both[: len(tracks)], both[len(tracks) :] = tracks, young
        return both

    def _prune(self, tracks: np.ndarray, stamp_ns: int, copy: bool = False) -> np.ndarray:
        """Confirm what is sure, end what is not, or was not measured for too long."""
        config = self.config
        confirmed = tracks["confirmed"] | (states.existence(tracks) >= config.confirm_existence)
        patience = np.where(confirmed, config.max_coast, config.max_coast_tentative)
        alive = stamp_ns - tracks["last_ns"] <= patience * NANOSECONDS
        alive &= tracks["visible"] + tracks["hidden"] >= config.delete_existence
        if copy or not alive.all():
            tracks, confirmed = tracks[alive], confirmed[alive]
        tracks["confirmed"] = confirmed
        return tracks
