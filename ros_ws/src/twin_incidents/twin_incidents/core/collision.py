"""The rule predicted_collision: pairs whose predicted footprints touch soon, and that only hard braking keeps apart."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from twin_incidents.core.footprints import Boxes, box_gap, encounter_probability
from twin_incidents.core.scene import (
    ANIMAL,
    PEDESTRIAN,
    RIDERS,
    VEHICLES,
    Finding,
    PathTable,
    Scene,
    TrackTable,
    in_view,
)
from twin_incidents.table import CollisionLimits, IncidentRow

#: Length and width, by ObjectClass, that no road user of a class exceeds, m. Boxes lean to the largest that were seen,
#: and for a moment hold two that are close together: a footprint must not reach where nobody is. Articulated
#: lorries and buses may be 18.75 m long (directive 96/53/EC).
LARGEST = np.array(
    [(np.inf, np.inf), (5.6, 2.0), (18.75, 2.6), (18.75, 2.6), (2.5, 0.9), (1.5, 0.8), (2.2, 0.8), (2.0, 0.8),
     (2.0, 1.0), (np.inf, np.inf)]
)  # fmt: skip
SAMPLE = 0.1  # seconds between the moments at which footprints are compared
MARGIN = 0.8  # seconds beyond the time to collision in which the closest approach is looked for


@dataclass(frozen=True, slots=True)
class _Sampled:
    """Some paths at S moments from now on.

    Shapes: ``row`` of the track and ``probability`` (M,), position (M, S, 2), covariance (M, S, 2, 2), yaw (M, S).
    """

    row: np.ndarray
    probability: np.ndarray
    position: np.ndarray
    covariance: np.ndarray
    yaw: np.ndarray


def predicted_collision(scene: Scene, row: IncidentRow) -> list[Finding]:
    """Return the pairs that are about to collide.

    Time to collision is that of the modes' mean paths; the probability sums over all pairs of modes; the braking
    that avoids it is the rate at which the gap closes over twice the time, as in the deceleration rate to avoid a crash
    (Cooper and Ferguson 1976), so that cars that queue up normally are none.
    """
    limits: CollisionLimits = row.thresholds
    paths = scene.paths
    if paths is None or not len(paths):
        return []
    footprint = np.minimum(scene.tracks.size, LARGEST[scene.tracks.classification])
    scene = replace(scene, tracks=replace(scene.tracks, size=footprint))
    first, second = _pairs(scene.tracks, limits)
    if not len(first):
        return []
    paths = _unless_braking_hard(scene.tracks, paths, limits.hard_braking)
    row_of = _rows_of(scene.tracks, paths)
    a, b = _mode_pairs(row_of, first, second)
    horizon = max(limits.time_to_collision, limits.time_to_collision_vehicles) + MARGIN
    moments = np.arange(0.0, min(horizon, paths.step * paths.position.shape[1]) + 1e-9, SAMPLE)
    near = _touching(scene.tracks, paths, row_of, (a, b), moments, limits.contact_gap)
    if not near.any():
        return []
    used, index = np.unique(np.concatenate([a[near], b[near]]), return_inverse=True)
    sampled = _sample(scene.tracks, paths, row_of, used, moments)
    findings = _judge(scene, row, sampled, *np.split(index, 2))
    visible = in_view(scene, np.array([finding.position for finding in findings]).reshape(-1, 2), limits.view)
    return [finding for finding, seen in zip(findings, visible, strict=True) if seen]


def _pairs(tracks: TrackTable, limits: CollisionLimits) -> tuple[np.ndarray, np.ndarray]:
    """Return rows of the two tracks of every pair worth a look: in reach, one of them a vehicle or rider under way."""
    known = (tracks.age >= limits.min_age) & (tracks.unseen <= limits.max_unseen)
    known &= tracks.position_sigma <= limits.max_position_sigma
    driven = known & np.isin(tracks.classification, VEHICLES + RIDERS) & (tracks.speed >= limits.min_speed)
    driven &= tracks.age >= limits.min_age_driven
    others = known & np.isin(tracks.classification, (*VEHICLES, *RIDERS, PEDESTRIAN, ANIMAL))
    i, j = np.flatnonzero(driven), np.flatnonzero(others)
    reach = _reach(tracks, limits)
    x, y = tracks.position.T
    near = (x[i][:, None] - x[j]) ** 2 + (y[i][:, None] - y[j]) ** 2 <= (reach[i][:, None] + reach[j]) ** 2
    near &= (i[:, None] < j[None]) | (~driven[j][None] & (i[:, None] != j[None]))
    rows, columns = np.nonzero(near)
    return i[rows], j[columns]


def _unless_braking_hard(tracks: TrackTable, paths: PathTable, hard: float) -> PathTable:
    """Return the paths without the stops of those who brake hard: an emergency is told of while it lasts."""
    row_of = _rows_of(tracks, paths)
    emergency = (tracks.acceleration <= -hard)[row_of] & (row_of >= 0)
    others = emergency & ~paths.stopping
    left = np.bincount(row_of[others], paths.probability[others], len(tracks))[row_of]
    emergency &= left > 0
    probability = np.where(emergency, paths.probability / np.where(left > 0, left, 1.0), paths.probability)
    keep = ~(emergency & paths.stopping)
    return PathTable(
        paths.track_id[keep], probability[keep], paths.stopping[keep], paths.position[keep],
        paths.covariance[keep], paths.yaw[keep], paths.step,
    )  # fmt: skip


def _reach(tracks: TrackTable, limits: CollisionLimits) -> np.ndarray:
    """Return how far from its centre a track may meet another within the time to collision, (N,) m."""
    horizon = max(limits.time_to_collision, limits.time_to_collision_vehicles)
    return np.asarray(horizon * tracks.speed + _radius(tracks) + 0.5 * limits.contact_gap)


def _radius(tracks: TrackTable) -> np.ndarray:
    return np.asarray(0.5 * np.hypot(tracks.size[:, 0], tracks.size[:, 1]))


def _rows_of(tracks: TrackTable, paths: PathTable) -> np.ndarray:
    """Return the row of each path's track, (M,); -1 where there is none."""
    order = np.argsort(tracks.track_id, kind="stable")
    place = np.clip(np.searchsorted(tracks.track_id[order], paths.track_id), 0, len(order) - 1)
    row = order[place]
    return np.where(tracks.track_id[row] == paths.track_id, row, -1)


def _between(present: np.ndarray, future: np.ndarray, step: float, moments: np.ndarray) -> np.ndarray:
    """Interpolate (M, T, ...) values that start a step after ``present``, at S moments; returns (M, S, ...)."""
    values = np.concatenate([present[:, None], future[:, : int(moments[-1] / step) + 1]], axis=1)
    before = np.minimum((moments / step).astype(int), values.shape[1] - 2)
    share = (moments / step - before).reshape(1, -1, *([1] * (values.ndim - 2)))
    return np.asarray(values[:, before] * (1 - share) + values[:, before + 1] * share)


def _touching(
    tracks: TrackTable, paths: PathTable, row_of: np.ndarray, pairs: tuple[np.ndarray, np.ndarray], moments: np.ndarray,
    gap: float,
) -> np.ndarray:  # fmt: skip
    """Return which path pairs have circles around the footprints that touch at some moment, (P,) bool."""
    used, index = np.unique(np.concatenate(pairs), return_inverse=True)
    position = _between(tracks.position[row_of[used]], paths.position[used], paths.step, moments)
    first, second = np.split(index, 2)
    delta = position[first] - position[second]
    radius = _radius(tracks)
    reach = radius[row_of[pairs[0]]] + radius[row_of[pairs[1]]] + gap
    return np.asarray((delta[..., 0] ** 2 + delta[..., 1] ** 2).min(axis=1) <= reach**2)


def _sample(
    tracks: TrackTable, paths: PathTable, row_of: np.ndarray, used: np.ndarray, moments: np.ndarray
) -> _Sampled:
    """Interpolate some paths from the tracks' present on; the first covariance stands for the present too."""
    row, covariance = row_of[used], paths.covariance[used]
    yaw = np.unwrap(np.concatenate([tracks.yaw[row][:, None], paths.yaw[used]], axis=1), axis=1)
    return _Sampled(
        row, paths.probability[used],
        _between(tracks.position[row], paths.position[used], paths.step, moments),
        _between(covariance[:, 0], covariance, paths.step, moments),
        _between(yaw[:, 0], yaw[:, 1:], paths.step, moments),
    )  # fmt: skip


def _mode_pairs(row_of: np.ndarray, first: np.ndarray, second: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the paths of every pair of modes of every pair of tracks."""
    order = np.argsort(row_of, kind="stable")
    ordered = row_of[order]
    start_a, count_a = _ranges(ordered, first)
    start_b, count_b = _ranges(ordered, second)
    combinations = count_a * count_b
    pair = np.repeat(np.arange(len(first)), combinations)
    number = np.arange(len(pair)) - np.repeat(np.cumsum(combinations) - combinations, combinations)
    a = start_a[pair] + number // np.maximum(count_b[pair], 1)
    b = start_b[pair] + number % np.maximum(count_b[pair], 1)
    return order[a], order[b]


def _ranges(ordered: np.ndarray, wanted: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    start = np.searchsorted(ordered, wanted, side="left")
    return start, np.searchsorted(ordered, wanted, side="right") - start


def _judge(scene: Scene, row: IncidentRow, sampled: _Sampled, a: np.ndarray, b: np.ndarray) -> list[Finding]:
    """Compare footprints moment by moment and return one finding per pair of tracks that passes all thresholds."""
    limits: CollisionLimits = row.thresholds
    tracks = scene.tracks
    gap = _gaps(tracks, sampled, a, b)
    time = _first_contact(gap, limits.contact_gap)
    row_a, row_b = sampled.row[a], sampled.row[b]
    between_vehicles = np.isin(tracks.classification[row_a], VEHICLES) & np.isin(tracks.classification[row_b], VEHICLES)
    max_time = np.where(between_vehicles, limits.time_to_collision_vehicles, limits.time_to_collision)
    min_braking = np.where(between_vehicles, limits.braking_vehicles, limits.braking)
    closing = gap[:, 0] / np.maximum(time, SAMPLE)
    threatens = (gap[:, 0] > limits.contact_gap) & (time < max_time) & (closing >= limits.min_closing)
    threatens &= closing >= 2 * time * min_braking
    meeting = _meeting_probability(tracks, sampled, a, b, np.where(threatens, time, 0.0))
    weight = sampled.probability[a] * sampled.probability[b] * meeting * threatens
    findings = []
    pair = row_a.astype(np.int64) * len(tracks) + row_b
    for key in np.unique(pair[threatens]):
        members = np.flatnonzero((pair == key) & threatens)
        there = tracks.existence[row_a[members[0]]] * tracks.existence[row_b[members[0]]]
        probability = float(min(weight[members].sum(), 1.0) * there)
        if probability >= limits.probability:
            k = int(members[np.argmax(weight[members])])
            findings.append(
                _finding(scene, row, sampled, a[k], b[k], gap[k], float(time[k]), float(max_time[k]), probability)
            )
    return findings


def _gaps(tracks: TrackTable, sampled: _Sampled, a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Return the gaps between footprints of path pairs at every moment, (P, S) m."""
    shape = sampled.yaw[a].shape

    def boxes(path: np.ndarray) -> Boxes:
        extents = np.repeat(0.5 * tracks.size[sampled.row[path]], shape[1], axis=0)
        return Boxes(sampled.position[path].reshape(-1, 2), sampled.yaw[path].reshape(-1), extents)

    return box_gap(boxes(a), boxes(b)).reshape(shape)


def _meeting_probability(
    tracks: TrackTable, sampled: _Sampled, a: np.ndarray, b: np.ndarray, time: np.ndarray
) -> np.ndarray:
    """Return the probability that path pairs meet, (P,), from their motion and covariance at ``time`` (P,)."""
    k = np.clip(np.rint(time / SAMPLE).astype(int), 1, sampled.yaw.shape[1] - 1)

    def boxes(path: np.ndarray) -> Boxes:
        return Boxes(sampled.position[path, k], sampled.yaw[path, k], 0.5 * tracks.size[sampled.row[path]])

    offset = sampled.position[b] - sampled.position[a]
    pairs = np.arange(len(a))
    velocity = (offset[pairs, k] - offset[pairs, k - 1]) / SAMPLE
    return encounter_probability(boxes(a), boxes(b), velocity, sampled.covariance[a, k] + sampled.covariance[b, k])


def _first_contact(gap: np.ndarray, contact: float) -> np.ndarray:
    """Return when gaps (P, S) first fall to ``contact``, (P,) s, linear between moments; infinite where never."""
    touches = gap <= contact
    k = touches.argmax(axis=1)
    rows = np.arange(len(gap))
    after, before = gap[rows, k], gap[rows, np.maximum(k - 1, 0)]
    share = np.clip((before - contact) / np.maximum(before - after, 1e-9), 0.0, 1.0)
    time = np.where(k > 0, (k - 1 + share) * SAMPLE, 0.0)
    return np.where(touches.any(axis=1), time, np.inf)


def _finding(
    scene: Scene, row: IncidentRow, sampled: _Sampled, a: int, b: int, gap: np.ndarray, time: float, limit: float,
    probability: float,
) -> Finding:  # fmt: skip
    tracks, i, j = scene.tracks, int(sampled.row[a]), int(sampled.row[b])
    moment = min(round(time / SAMPLE), len(gap) - 1)
    centre = 0.5 * (sampled.position[a, moment] + sampled.position[b, moment])
    closest = float(gap.min())
    met = "footprints meet" if closest == 0 else f"closest {closest:.1f} m"
    return Finding(
        row.kind, row.severity_level, probability, time, (float(centre[0]), float(centre[1])),
        float(0.5 * tracks.size[[i, j], 0].sum() + 1.0),
        f"time to collision {time:.1f} s < {limit:.1f} s ({tracks.name(i)} and {tracks.name(j)}, {met})",
        tuple(sorted((int(tracks.track_id[i]), int(tracks.track_id[j])))),
        int(tracks.platforms[i]) | int(tracks.platforms[j]), stamp_ns=scene.stamp_ns,
    )  # fmt: skip
