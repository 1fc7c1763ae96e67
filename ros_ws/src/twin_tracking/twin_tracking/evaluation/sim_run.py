"""Runs a scene: truth, detections of each platform, merger and tracker, in lockstep."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

import numpy as np

from twin_common.cdr import ArrayMessage
from twin_common.district import DistrictConfig
from twin_fusion.config import MergerConfig
from twin_fusion.core.merging import merge
from twin_fusion.core.slots import Part, SlotCollector
from twin_tracking.config import TrackerConfig
from twin_tracking.convert import detections_from_message
from twin_tracking.core.tracker import Tracker
from twin_tracking.core.visibility import Visibility
from twin_tracking.evaluation.sim_peer import PeerTracker
from twin_tracking.evaluation.sim_scenes import Course, Scene, gap_until, walk_through_each_other
from twin_tracking.evaluation.sim_sensing import (
    OBJECT,
    SensorModel,
    detect,
    reach_of,
    road_users,
    turn_offsets,
    visible_share,
)
from twin_tracking.surroundings import region_of, walls_of

_LATENCY_NS = 40_000_000
_PERIOD_NS = 100_000_000
_PERSON_DISTANCE = 0.65  # m: the peer takes one detection per object, so views of persons are joined for it


@dataclass(slots=True)
class Rows:
    """Columns that grow: one part per frame and name."""

    parts: dict[str, list[np.ndarray]] = field(default_factory=dict)

    def add(self, **columns: np.ndarray) -> None:
        """Append rows."""
        for name, values in columns.items():
            self.parts.setdefault(name, []).append(values)

    def column(self, name: str) -> np.ndarray:
        """Return a column over all frames."""
        return np.concatenate(self.parts[name])


@dataclass(frozen=True, slots=True)
class Outcome:
    """Rows of truth (frame, id, position, velocity, asked) and of both trackers (frame, id, position, velocity, …)."""

    truth: Rows
    tracks: Rows
    peer: Rows
    events: Counter[str]
    clocks: dict[str, float]


@dataclass(frozen=True, slots=True)
class Sweep:
    """What one platform reports at one turn, and which actors it could see."""

    platform: int
    stamp_ns: int
    objects: np.ndarray
    visible: np.ndarray


class Observation:
    """All sweeps of a scene's platforms over its true course."""

    def __init__(self, scene: Scene, course: Course, district: DistrictConfig, seed: int,
                 model: SensorModel | None = None) -> None:  # fmt: skip
        """Place the sensors."""
        self.scene, self.course, self.model = scene, course, model or SensorModel()
        self._rng = np.random.default_rng(seed)
        self._walls, self.region = walls_of(district), region_of(district)
        self._reach = max(self.model.range_person, self.model.range_vehicle)
        self._carriers = [course.vehicles[name] for name in scene.platforms if name in course.vehicles]
        poses = {item.name: item for item in district.platforms if item.name in scene.platforms and item.pose}
        self._fixed = {name: np.array(place) for name, place in scene.placed.items()}
        self._phase = {name: 0.05 * number for number, name in enumerate(scene.placed)}
        for name, item in poses.items():
            if name in course.vehicles or item.pose is None or item.lidar is None:
                continue
            self._fixed[name] = np.array([item.pose.x, item.pose.y, item.pose.z + item.lidar.mount.z])
            self._phase[name] = float((item.lidar.simulated or {}).get("phase", 0.0))
        self._near = {name: self._walls.near(place, self._reach) for name, place in self._fixed.items()}
        self.sensors = {scene.platforms.index(name): place for name, place in self._fixed.items()}
        self.hidden = gap_until(course, scene.gap) if scene.gap else {}
        self.left_out = walk_through_each_other(course, scene.apart)

    def visibility(self, config: TrackerConfig) -> Visibility:
        """Return what the tracker knows of the platforms' view."""
        return Visibility(self.sensors, self._walls, config)

    def truth(self, frame: int, times: float) -> np.ndarray:
        """Return who is to be tracked, ``times`` s after a frame."""
        return road_users(self.course.at(frame, times), self._carriers)

    def sweeps(self, frame: int) -> Iterator[Sweep]:
        """Return the sweeps that end within 0.1 s after a frame, by platform."""
        for number, name in enumerate(self.scene.platforms):
            phase = self._phase.get(name, 0.0)
            stamp_ns = self.course.start_ns + frame * _PERIOD_NS + round(phase * 1e9)
            lost = self.scene.lost
            if lost and lost[0] == name and lost[1] <= frame / 10 < lost[2]:
                continue
            everybody = self.course.at(frame, 0.0)
            sensor = self._fixed.get(name)
            if sensor is None:
                carrier = everybody[everybody["actor_id"] == self.course.vehicles.get(name, 0)]
                if not len(carrier):
                    continue
                sensor = np.array([carrier["x"][0], carrier["y"][0], carrier["z"][0] + 1.9])
            yield self._sweep(number, name, frame, phase, stamp_ns, sensor)

    def _sweep(self, number: int, name: str, frame: int, phase: float, stamp_ns: int, sensor: np.ndarray) -> Sweep:
        walls = self._near.get(name) or self._walls.near(sensor, self._reach)
        bodies = self.course.at(frame, lambda actors: phase + turn_offsets(actors, sensor))
        bodies = bodies[~np.isin(bodies["actor_id"], self._carriers)]
        share = visible_share(sensor, bodies, walls, self._reach)
        actors = road_users(bodies)
        share = share[np.isin(bodies["actor_id"], actors["actor_id"])]
        share = share * (np.hypot(actors["x"] - sensor[0], actors["y"] - sensor[1]) <= reach_of(actors, self.model))
        for row, actor in enumerate(actors["actor_id"].tolist()):
            times = self.hidden.get(actor, ())
            if any(start <= frame / 10 < start + self.scene.gap for start in times):
                share[row] = 0.0
        offset = turn_offsets(actors, sensor)
        objects = detect(actors, share, sensor, offset, number, self.model, self._rng)
        if not self.scene.colours:
            objects["colour"] = 0
        skew_ns = round(self.scene.skew.get(name, 0.0) * 1e9)
        return Sweep(number, stamp_ns + skew_ns, objects, actors["actor_id"][share > 0])


def run_scene(observation: Observation, config: TrackerConfig) -> Outcome:
    """Merge and track a scene; truth is taken at the stamp of every output."""
    scene, course = observation.scene, observation.course
    collector, settings = SlotCollector(MergerConfig()), MergerConfig(platforms=scene.platforms)
    plain = replace(settings, person_distance=_PERSON_DISTANCE)
    config = replace(config, **scene.settings)
    region = observation.region if scene.mapped else None
    visibility = observation.visibility(config) if scene.sighted else None
    tracker, peer = Tracker(config, region, visibility), PeerTracker()
    outcome = Outcome(Rows(), Rows(), Rows(), Counter(), {})
    sweeps = (sweep for frame in range(1, len(course.frames) - 1) for sweep in observation.sweeps(frame))
    lately: dict[int, np.ndarray] = {}
    pending: list[Sweep] = []
    output_ns = 0
    for sweep in sorted_by_arrival(sweeps):
        lately[sweep.platform] = sweep.visible
        pending.append(sweep)
        part = Part(sweep.platform, sweep.stamp_ns, sweep.objects)
        for slot in (*collector.poll(sweep.stamp_ns + _LATENCY_NS), *collector.add(part, sweep.stamp_ns + _LATENCY_NS)):
            merged = merge(slot, settings)
            message = ArrayMessage(merged.stamp_ns, "map", {"objects": merged.objects})
            tracks = tracker.step(detections_from_message(message), merged.stamp_ns)
            peer_tracks = peer.step(merge(slot, plain).objects, merged.stamp_ns)
            frame = (tracks.stamp_ns - course.start_ns) // _PERIOD_NS
            if tracks.stamp_ns <= output_ns or not 1 <= frame < len(course.frames) - 1:
                continue
            output_ns = tracks.stamp_ns
            _note(outcome, observation, output_ns, Counter(np.concatenate(list(lately.values())).tolist()))
            keep = np.flatnonzero(tracks.state == 1)
            outcome.tracks.add(
                stamp=np.full(len(keep), output_ns), id=tracks.ids[keep].astype(np.int64),
                position=tracks.position[keep, :2], velocity=tracks.velocity[keep], covariance=tracks.covariance[keep],
            )  # fmt: skip
            outcome.peer.add(stamp=np.full(len(peer_tracks.ids), output_ns), **peer_tracks.columns())
    outcome.events.update(tracker.events)
    outcome.clocks.update(zip(scene.platforms, tracker.clocks.offset.tolist(), strict=False))
    return outcome


def sorted_by_arrival(sweeps: Iterator[Sweep]) -> Iterator[Sweep]:
    """Return sweeps in the order of their stamps; they come in frames of 0.1 s, and are off by less than a frame."""
    waiting: list[Sweep] = []
    for sweep in sweeps:
        waiting.append(sweep)
        waiting.sort(key=lambda one: one.stamp_ns)
        while waiting and waiting[0].stamp_ns < sweep.stamp_ns - 2 * _PERIOD_NS:
            yield waiting.pop(0)
    yield from waiting


def _note(outcome: Outcome, observation: Observation, stamp_ns: int, seen: Counter[int]) -> None:
    """Keep where everybody truly is at a stamp, and who is asked for."""
    scene, course = observation.scene, observation.course
    frame, rest = divmod(stamp_ns - course.start_ns, _PERIOD_NS)
    truth = observation.truth(int(frame), rest / 1e9)
    asked = np.array([seen[actor] >= scene.least for actor in truth["actor_id"].tolist()], bool)
    asked &= ~np.isin(truth["actor_id"], list(observation.left_out))
    if scene.gap:
        asked &= np.isin(truth["actor_id"], list(observation.hidden))
    if scene.region:
        low_x, high_x, low_y, high_y = scene.region
        asked &= (truth["x"] >= low_x) & (truth["x"] <= high_x) & (truth["y"] >= low_y) & (truth["y"] <= high_y)
    outcome.truth.add(
        stamp=np.full(len(truth), stamp_ns), id=truth["actor_id"].astype(np.int64), asked=asked,
        position=np.column_stack([truth["x"], truth["y"]]),
        velocity=np.column_stack([truth["velocity_x"], truth["velocity_y"]]).astype(float),
        label=truth["classification"],
    )  # fmt: skip


__all__ = ["OBJECT", "Observation", "Outcome", "Rows", "run_scene"]
