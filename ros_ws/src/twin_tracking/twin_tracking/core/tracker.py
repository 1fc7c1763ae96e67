"""The tracker: predict, associate, update, spawn, prune; late arrays are put in their place and the rest replayed."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import numpy as np

from twin_tracking.config import TrackerConfig
from twin_tracking.core import attributes, existence, heading, identity
from twin_tracking.core import state as states
from twin_tracking.core.association import Associator, Pairs, assign
from twin_tracking.core.birth import measure_velocity, newborn
from twin_tracking.core.detections import Detections
from twin_tracking.core.history import History, Moment
from twin_tracking.core.motion import STANDING, MotionModel
from twin_tracking.core.overlap import inside_boxes
from twin_tracking.core.state import NANOSECONDS, TrackState
from twin_tracking.core.tracks import Tracks, tracks_of

_SOURCES_PER_ARRAY = 1 << 20


class Tracker:
    """Follows all objects of a district. ``events`` counts what was refused or put in order."""

    def __init__(self, config: TrackerConfig) -> None:
        """Start without tracks."""
        self.config = config
        self.events: Counter[str] = Counter()
        self.model = MotionModel(config)
        self._associator = Associator(config)
        self._history = History(config.max_late)
        self._acceleration_density = np.array(config.acceleration_density)
        self._sideways_share = np.array(config.sideways_share)
        self._position_sigma = np.array(config.default_position_sigma)
        self._box_yaw_variance = np.array(config.box_yaw_sigma) ** 2
        self._heading_density = np.array(config.heading_density)
        self._front_memory = np.array(config.front_memory)
        self._state = states.empty()
        self._stamp_ns: int | None = None
        self._born = 0
        self._arrays = 0

    def step(self, detections: Detections, stamp_ns: int) -> Tracks:
        """Take what is seen at ``stamp_ns`` into account and return all tracks at the newest stamp so far."""
        usable = detections.valid(self.config.max_time_offset)
        self._count("rejected", len(detections) - int(usable.sum()))
        detections = (detections if usable.all() else detections.take(usable)).canonical()
        digest = detections.digest()
        if self._stamp_ns is not None and stamp_ns < self._stamp_ns - self.config.reset_backwards * NANOSECONDS:
            self._count("reset")
            self.reset()
        if self._stamp_ns is None or stamp_ns >= self._stamp_ns:
            if len(detections) and self._history.holds(stamp_ns, digest):
                self._count("duplicate")
            else:
                self._advance(detections, stamp_ns, digest, self._number())
        elif self._history.holds(stamp_ns, digest):
            self._count("duplicate")
        elif stamp_ns < self._stamp_ns - self.config.max_late * NANOSECONDS or not self._history.reaches(stamp_ns):
            self._count("late")
        else:
            self._count("reordered")
            self._insert(detections, stamp_ns, digest)
        return self.tracks()

    def tracks(self) -> Tracks:
        """Return all tracks at the newest stamp so far."""
        return tracks_of(self._state, self._stamp_ns or 0, self.config)

    def reset(self) -> None:
        """Forget all tracks; ids are not used again."""
        self._state = states.empty()
        self._stamp_ns = None
        self._history.clear()

    def _count(self, event: str, number: int = 1) -> None:
        if number:
            self.events[event] += number

    def _number(self) -> int:
        self._arrays += 1
        return self._arrays

    def _insert(self, detections: Detections, stamp_ns: int, digest: bytes) -> None:
        """Go back before a late array, process it, and replay what came after; who was born since keeps the id."""
        published = self._state
        later = self._history.rewind(stamp_ns)
        self._state, self._stamp_ns = later[0].before, later[0].before_ns
        known = self._state.ids
        self._advance(detections, stamp_ns, digest, self._number())
        for moment in later:
            self._advance(moment.detections, moment.stamp_ns, moment.digest, moment.number)
        was_young = np.flatnonzero(~np.isin(published.ids, known))
        is_young = np.flatnonzero(~np.isin(self._state.ids, known))
        _, was, now = np.intersect1d(published.source[was_young], self._state.source[is_young], return_indices=True)
        self._state = self._state.copy()
        self._state.ids[is_young[now]] = published.ids[was_young[was]]

    def _advance(self, detections: Detections, stamp_ns: int, digest: bytes, number: int) -> None:
        """Process one array that is not older than the tracks."""
        before_ns = stamp_ns if self._stamp_ns is None else self._stamp_ns
        self._history.add(Moment(stamp_ns, number, digest, detections, self._state, before_ns))
        noise = self._noise(detections)
        tracks = self._predict(self._state, before_ns, stamp_ns)
        matches = self._associate(tracks, detections, noise)
        dt = (stamp_ns - before_ns) / NANOSECONDS
        tracks = self._update(tracks, detections, noise, matches, stamp_ns, number, dt)
        tracks = self._spawn(tracks, detections, noise, matches, stamp_ns, number)
        self._state = self._prune(tracks, stamp_ns)
        self._stamp_ns = stamp_ns

    def _noise(self, detections: Detections) -> np.ndarray:
        """Return the covariance of the measured positions, (M, 2, 2)."""
        noise = detections.covariance[:, :2, :2].copy()
        unknown = ~noise.any(axis=(1, 2))
        sigma = detections.class_probability[unknown] @ self._position_sigma
        noise[unknown] = sigma[:, None, None] ** 2 * np.eye(2)
        return noise + self.config.min_position_sigma**2 * np.eye(2)

    def _predict(self, tracks: TrackState, before_ns: int, stamp_ns: int) -> TrackState:
        """Move all tracks to ``stamp_ns``; those not measured for too long have ended by then."""
        tracks = self._prune(tracks, stamp_ns).copy()
        dt = (stamp_ns - before_ns) / NANOSECONDS
        if dt > 0 and len(tracks):
            probability = tracks.class_probability
            tracks.motion = self.model.predict(
                tracks.motion, probability @ self._acceleration_density, probability @ self._sideways_share, dt
            )
            tracks.moments = self.model.moments(tracks.motion)
            rate = tracks.estimate[:, 4]
            turning = np.where(np.abs(rate) > 0.02, rate, 0.0)
            density = (probability @ self._heading_density) * (1.02 - tracks.mode[STANDING])
            tracks.heading = heading.predict(tracks.heading, turning, density, dt)
            tracks.visible, tracks.hidden = existence.predict(tracks.visible, tracks.hidden, dt, self.config)
            tracks.z_variance = tracks.z_variance + attributes.HEIGHT_DENSITY * dt
        quarter = self.config.platform_memory * NANOSECONDS / states.PLATFORM_SLOTS
        shift = min(int(stamp_ns // quarter) - int(before_ns // quarter), states.PLATFORM_SLOTS)
        if shift > 0:
            tracks.platforms[:, shift:] = tracks.platforms[:, : states.PLATFORM_SLOTS - shift].copy()
            tracks.platforms[:, :shift] = 0
        return tracks

    def _associate(self, tracks: TrackState, detections: Detections, noise: np.ndarray) -> Pairs:
        """Give the sure detections to all tracks, then the doubtful ones to confirmed tracks that are left.

        Two stages as in ByteTrack (Zhang et al. 2022).
        """
        pairs = self._associator.pairs(
            tracks.moments, tracks.class_probability, detections.position[:, :2], noise, detections.time_offset,
            detections.class_probability,
        )  # fmt: skip
        sizes = len(tracks), len(detections)
        sure = detections.existence >= self.config.high_existence
        first = assign(pairs.take(sure[pairs.detection]), *sizes)
        open_tracks = tracks.confirmed.copy()
        open_tracks[first.track] = False
        doubtful = ~sure & (detections.existence >= self.config.low_existence)
        second = assign(pairs.take(doubtful[pairs.detection] & open_tracks[pairs.track]), *sizes)
        return Pairs(*(np.concatenate([getattr(first, n), getattr(second, n)]) for n in ("track", "detection", "cost")))

    def _update(self, tracks: TrackState, detections: Detections, noise: np.ndarray, matches: Pairs, stamp_ns: int,
                number: int, dt: float) -> TrackState:  # fmt: skip
        """Correct the matched tracks by their detections; the others were missed."""
        missed = np.ones(len(tracks), bool)
        missed[matches.track] = False
        tracks.visible[missed], tracks.hidden[missed] = existence.miss(
            tracks.visible[missed], tracks.hidden[missed], dt, self.config
        )
        if len(matches.track):
            chosen = detections.take(matches.detection)
            found = tracks.take(matches.track)
            self._measure_motion(found, chosen, noise[matches.detection], stamp_ns)
            self._measure_attributes(found, chosen, stamp_ns)
            found.source = number * _SOURCES_PER_ARRAY + matches.detection
            tracks.put(matches.track, found)
        if dt > 0 and len(tracks):
            self._follow_motion(tracks, dt)
        return tracks

    def _measure_motion(self, found: TrackState, chosen: Detections, noise: np.ndarray, stamp_ns: int) -> None:
        """Kalman update of position, velocity where measured, and yaw; existence and score."""
        one = np.ones(len(found))
        found.motion, density = self.model.update(found.motion, chosen.position[:, :2], noise, one, chosen.time_offset)
        measure_velocity(found, chosen.velocity, self.model, self.config)
        found.moments = self.model.moments(found.motion)
        probability = found.class_probability
        found.heading = heading.update_from_box(
            found.heading, chosen.yaw, chosen.yaw_variance + probability @ self._box_yaw_variance
        )
        found.visible, found.hidden = existence.hit(found.visible, found.hidden, density, self.config)
        elapsed = _elapsed(found, stamp_ns)
        found.score_weight = found.score_weight * np.exp(-elapsed / self.config.score_memory) + 1.0
        found.score = found.score + (chosen.existence - found.score) / found.score_weight

    def _measure_attributes(self, found: TrackState, chosen: Detections, stamp_ns: int) -> None:
        """Correct height, size, class, posture, platforms; note the time."""
        config, elapsed = self.config, _elapsed(found, stamp_ns)
        found.z, found.z_variance = attributes.update_height(
            found.z, found.z_variance, chosen.position[:, 2], chosen.height_noise()
        )
        crossed = np.abs(heading.half_turn(chosen.yaw - found.yaw)) > np.pi / 4
        size = np.where(crossed[:, None], chosen.size[:, [1, 0, 2]], chosen.size)
        found.size, found.size_weight = attributes.update_size(
            found.size, found.size_weight, size, attributes.view_weight(chosen.point_count), config.size_memory,
            config.size_expectile,
        )  # fmt: skip
        found.class_probability = attributes.update_class(
            found.class_probability, chosen.class_probability, elapsed, config.class_memory
        )
        found.posture_votes = attributes.update_posture(
            found.posture_votes, chosen.posture, elapsed, config.class_memory
        )
        found.platforms[:, 0] |= chosen.platforms
        found.last_ns = np.maximum(found.last_ns, chosen.measured_ns(stamp_ns))

    def _follow_motion(self, tracks: TrackState, dt: float) -> None:
        """Turn the headings the way the tracks go; average the change of their speed."""
        velocity = tracks.estimate[:, 2:4]
        probability, yaw_before = tracks.class_probability, tracks.yaw
        tracks.heading = heading.update_from_motion(
            tracks.heading, velocity, tracks.spread[:, 2:4, 2:4], probability @ self._front_memory, dt
        )
        turned_round = np.cos(tracks.yaw - yaw_before) < 0
        speed = velocity[:, 0] * np.cos(tracks.yaw) + velocity[:, 1] * np.sin(tracks.yaw)
        speed_before = np.where(turned_round, -tracks.speed, tracks.speed)
        kept = np.exp(-dt / self.config.acceleration_memory)
        tracks.acceleration = kept * tracks.acceleration + (1 - kept) * (speed - speed_before) / dt
        tracks.speed = speed

    def _spawn(self, tracks: TrackState, detections: Detections, noise: np.ndarray, matches: Pairs, stamp_ns: int,
               number: int) -> TrackState:  # fmt: skip
        """Begin a track at every sure detection that fits none and is not part of one."""
        alone = detections.existence >= self.config.high_existence
        alone[matches.detection] = False
        index = np.flatnonzero(alone)
        if not len(index):
            return tracks
        position = detections.position[:, :2]
        seen = matches.track[tracks.confirmed[matches.track]]
        part, _ = inside_boxes(position[index], tracks.estimate[seen, :2], tracks.yaw[seen], tracks.size[seen])
        self._count("part_of_track", len(np.unique(part)))
        index = np.delete(index, part)
        one, other = inside_boxes(position[index], position[index], detections.yaw[index], detections.size[index])
        rank = np.lexsort((index, -detections.existence[index])).argsort()
        index = np.delete(index, one[rank[one] > rank[other]])
        if not len(index):
            return tracks
        young = newborn(detections.take(index), noise[index], stamp_ns, self.model, self.config)
        young.ids = identity.pseudonyms(self._born, len(index), self.config.key)
        young.source = number * _SOURCES_PER_ARRAY + index
        self._born += len(index)
        return tracks.append(young)

    def _prune(self, tracks: TrackState, stamp_ns: int) -> TrackState:
        """Confirm what is sure, end what is not, or was not measured for too long."""
        config = self.config
        confirmed = tracks.confirmed | (tracks.existence >= config.confirm_existence)
        patience = np.where(confirmed, config.max_coast, config.max_coast_tentative)
        alive = stamp_ns - tracks.last_ns <= patience * NANOSECONDS
        alive &= tracks.visible + tracks.hidden >= config.delete_existence
        tracks = replace(tracks, confirmed=confirmed)
        return tracks if alive.all() else tracks.take(alive)


def _elapsed(found: TrackState, stamp_ns: int) -> np.ndarray:
    """Return the time since the last measurement, (N,) s."""
    return np.asarray(np.maximum(stamp_ns - found.last_ns, 0) / NANOSECONDS)
