"""The tracker: predict, associate, update, spawn, prune; late arrays are put in their place and the rest replayed."""

from __future__ import annotations

from collections import Counter

import numpy as np

from twin_tracking.config import TrackerConfig
from twin_tracking.core import attributes, existence, heading, identity
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
        self._advance(detections, stamp_ns, fingerprint, self._number())
        self._replaying = True
        for moment in later:
            self._advance(moment.detections, moment.stamp_ns, moment.digest, moment.number)
        self._replaying = False
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
        partner = self._associate(tracks, detections)
        if not self._replaying:
            self.clocks.learn(tracks, detections, partner, dt)
        self._update(tracks, detections, partner, before_ns, stamp_ns, number)
        tracks = self._spawn(tracks, detections, partner, stamp_ns, number)
        tracks = self._prune(tracks, stamp_ns)
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

    def _associate(self, tracks: np.ndarray, detections: np.ndarray) -> np.ndarray:
        """Give the sure detections to all tracks, then the doubtful ones to confirmed tracks that are left.

        Returns the detection of each track, (N,), -1: none. Two stages as in ByteTrack (Zhang et al. 2022).
        """
        pairs = self._associator.pairs(tracks, detections)
        sizes = len(tracks), len(detections)
        sure = detections["existence"] >= self.config.high_existence
        if sure.all():
            return assign(pairs, *sizes)
        partner = assign(pairs.take(sure[pairs.detection]), *sizes)
        doubtful = ~sure & (detections["existence"] >= self.config.low_existence)
        left = tracks["confirmed"] & (partner < 0)
        second = assign(pairs.take(doubtful[pairs.detection] & left[pairs.track]), *sizes)
        return np.asarray(np.maximum(partner, second))

    def _update(
        self,
        tracks: np.ndarray,
        detections: np.ndarray,
        partner: np.ndarray,
        before_ns: int,
        stamp_ns: int,
        number: int,
    ) -> None:
        """Correct the tracks that have a partner by their detections; the others were missed."""
        dt = (stamp_ns - before_ns) / NANOSECONDS
        found = tracks["found"].copy()
        if self._visibility is not None:
            self._visibility.weigh(tracks, detections, partner, found)
        density = self._model.update(tracks, detections, partner)
        heading.update(tracks, detections, partner, self._turning)
        existence.update(tracks, detections, partner, density, found, dt, stamp_ns, self._rates)
        attributes.update(tracks, detections, partner, stamp_ns, self._memory)
        tracks["source"] = np.where(partner >= 0, number * _SOURCES_PER_ARRAY + partner, tracks["source"])
        if dt > 0:
            heading.follow_motion(tracks, dt, self._turning)

    def _spawn(
        self, tracks: np.ndarray, detections: np.ndarray, partner: np.ndarray, stamp_ns: int, number: int
    ) -> np.ndarray:
        """Begin a track at every sure detection that fits none and is not part of one."""
        alone = detections["existence"] >= self.config.high_existence
        alone[partner[partner >= 0]] = False
        index = np.flatnonzero(alone)
        if not len(index):
            return tracks
        position, yaw, size = detections["position"][:, :2], detections["yaw"], detections["size"]
        seen = tracks[(partner >= 0) & tracks["confirmed"]]
        part, _ = inside_boxes(position[index], seen["estimate"][:, :2], seen["yaw"], seen["size"])
        if len(part):
            self._count("part_of_track", len(np.unique(part)))
            index = np.delete(index, part)
        again = self._birth.seen_again(tracks, detections, partner, index)
        self._count("seen_again", int(again.sum()))
        index = index[~again]
        one, other = inside_boxes(position[index], position[index], yaw[index], size[index])
        rank = np.lexsort((index, -detections["existence"][index])).argsort()
        index = np.delete(index, one[rank[one] > rank[other]])
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
