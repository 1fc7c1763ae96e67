"""Which detection belongs to which track: gates, costs, optimal assignment.

The cost of a pair is minus twice the log of how much likelier it is that the detection comes from the track than
that it is clutter or a new object and the track was missed (Bar-Shalom, Li, "Multitarget-Multisensor Tracking",
section 6.3); a track stays alone where that is cheaper. Only pairs that are close are looked at, so the work grows with
the number of objects, not with its square.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from twin_common.core.compiled import Records, kernel
from twin_tracking.config import TrackerConfig
from twin_tracking.core import classes
from twin_tracking.core.neighbours import near_pairs
from twin_tracking.core.state import VX, VY, X, Y


@dataclass(frozen=True, slots=True)
class Pairs:
    """Tracks and detections that may belong together, (K,) indices, with their cost; below 0: rather than alone."""

    track: np.ndarray
    detection: np.ndarray
    cost: np.ndarray

    def take(self, index: np.ndarray) -> Pairs:
        """Return the chosen pairs (indices or mask)."""
        return Pairs(self.track[index], self.detection[index], self.cost[index])


class Gate(NamedTuple):
    """What the kernels need of the configuration."""

    distance: float  # largest squared Mahalanobis distance
    min_gate: float
    max_gate: float
    min_affinity: float
    alone: float
    affinity: np.ndarray


class Associator:
    """Finds the pairs inside the gates."""

    def __init__(self, config: TrackerConfig) -> None:
        """Take gate, densities and class table."""
        found, missed = config.detection_probability, 1.0 - config.detection_probability
        self._gate = Gate(
            _quantile(config.gate_probability), config.min_gate, config.max_gate, config.min_class_affinity,
            float(2 * np.log(found / missed / (config.clutter_density + config.birth_density))),
            classes.affinity_table(),
        )  # fmt: skip

    def pairs(self, tracks: np.ndarray, detections: np.ndarray) -> Pairs:
        """Return all pairs of ``tracks`` (N,) and ``detections`` (M,) inside the gates, in order of tracks."""
        if not len(tracks) or not len(detections):
            none = np.zeros(0, np.int64)
            return Pairs(none, none, np.zeros(0))
        reach = np.empty(len(tracks))
        _reach(tracks, detections, reach, self._gate)
        track, detection = near_pairs(tracks["estimate"][:, :2], reach, detections["position"][:, :2])
        cost = np.empty(len(track))
        _weigh(tracks, detections, track, detection, cost, self._gate)
        return Pairs(track, detection, cost).take(cost < 0)

    def near(self, tracks: np.ndarray, detections: np.ndarray, leap: float) -> Pairs:
        """Return the pairs whose centres are within ``leap`` metres, or with the centre inside the track's box."""
        reach = np.maximum(leap, 0.5 * np.hypot(tracks["size"][:, 0], tracks["size"][:, 1]))
        i, j = near_pairs(tracks["estimate"][:, :2], reach, detections["position"][:, :2])
        track, seen = tracks[i], detections[j]
        shift = seen["position"][:, :2] - track["estimate"][:, :2]
        shift -= seen["time_offset"][:, None] * track["estimate"][:, 2:4]
        cos, sin = np.cos(track["yaw"]), np.sin(track["yaw"])
        along, across = cos * shift[:, 0] + sin * shift[:, 1], cos * shift[:, 1] - sin * shift[:, 0]
        distance = np.hypot(along, across)
        inside = (np.abs(along) <= 0.5 * track["size"][:, 0]) & (np.abs(across) <= 0.5 * track["size"][:, 1])
        fits = np.einsum("kc,cd,kd->k", track["class_probability"], self._gate.affinity, seen["class_probability"])
        good = ((distance <= leap) | inside) & (fits >= self._gate.min_affinity)
        return Pairs(i[good], j[good], (distance - 1e3)[good])


def _quantile(probability: float) -> float:
    """Return the quantile of the chi-squared distribution with two degrees of freedom."""
    return float(-2.0 * np.log1p(-probability))


@kernel
def _reach(tracks: Records, detections: Records, reach: np.ndarray, gate: Gate) -> None:
    """Set how far each track's gate can reach, m."""
    noisy, lag = 0.0, 0.0
    for m in range(len(detections)):
        noisy = max(noisy, detections[m].noise[0, 0] + detections[m].noise[1, 1])
        lag = max(lag, abs(detections[m].time_offset))
    for n in range(len(tracks)):
        spread, estimate = tracks[n].spread, tracks[n].estimate
        wide = spread[X, X] + spread[Y, Y] + lag * (lag + 2.0) * (spread[VX, VX] + spread[VY, VY]) + noisy
        reach[n] = min(max(np.sqrt(gate.distance * wide), gate.min_gate), gate.max_gate)
        reach[n] += lag * np.hypot(estimate[VX], estimate[VY])


@kernel
def _weigh(
    tracks: Records,
    detections: Records,
    track_index: np.ndarray,
    detection_index: np.ndarray,
    cost: np.ndarray,
    gate: Gate,
) -> None:
    """Set the cost of each pair; infinite outside the gate."""
    count, last = len(gate.affinity), -1
    fitting = np.zeros(count)
    for k in range(len(cost)):
        track, seen = tracks[track_index[k]], detections[detection_index[k]]
        if track_index[k] != last:
            last = track_index[k]
            fitting[:] = 0.0
            for a in range(count):
                for b in range(count):
                    fitting[b] += track.class_probability[a] * gate.affinity[a, b]
        fits = 0.0
        for b in range(count):
            fits += fitting[b] * seen.class_probability[b]
        spread, tau = track.spread, seen.time_offset
        dx = seen.position[0] - track.estimate[X] - tau * track.estimate[VX]
        dy = seen.position[1] - track.estimate[Y] - tau * track.estimate[VY]
        xx = spread[X, X] + 2 * tau * spread[X, VX] + tau**2 * spread[VX, VX] + seen.noise[0, 0]
        yy = spread[Y, Y] + 2 * tau * spread[Y, VY] + tau**2 * spread[VY, VY] + seen.noise[1, 1]
        xy = spread[X, Y] + tau * (spread[X, VY] + spread[VX, Y]) + tau**2 * spread[VX, VY] + seen.noise[0, 1]
        determinant = xx * yy - xy * xy
        distance = (yy * dx * dx - 2 * xy * dx * dy + xx * dy * dy) / determinant
        if dx * dx + dy * dy < gate.min_gate**2:
            distance = min(distance, gate.distance)
        if distance > gate.distance or fits < gate.min_affinity:
            cost[k] = np.inf
        else:
            cost[k] = distance + np.log(determinant) + 2 * np.log(2 * np.pi) - 2 * np.log(max(fits, 1e-9)) - gate.alone


def assign(pairs: Pairs, track_count: int, detection_count: int) -> np.ndarray:
    """Return the detection of each track in the cheapest assignment, (N,); -1: it stays alone, at cost 0."""
    if not len(pairs.track):
        return np.full(track_count, -1, np.int64)
    return _assign(pairs.track, pairs.detection, pairs.cost, track_count, detection_count)


@kernel
def _assign(
    track: np.ndarray, detection: np.ndarray, cost: np.ndarray, track_count: int, detection_count: int
) -> np.ndarray:
    """Shortest augmenting paths (Jonker, Volgenant 1987) on sparse rows, sorted by track.

    Each track has a column of its own for staying alone, after those of the detections, so that a row is always
    placed. All costs are shifted to be positive.
    """
    first = np.searchsorted(track, np.arange(track_count + 1))
    shift = -cost.min()
    columns = detection_count + track_count
    row_price, column_price = np.zeros(track_count), np.zeros(columns)
    row_of, column_of = np.full(columns, -1), np.full(track_count, -1)
    distance, origin = np.full(columns, np.inf), np.full(columns, -1)
    closed = np.zeros(columns, np.bool_)
    reached, rows = np.empty(columns, np.int64), np.empty(track_count, np.int64)
    for start in range(track_count):
        if first[start] == first[start + 1]:
            continue
        reached_count, row_count = 0, 0
        row, length, end = start, 0.0, -1
        while end < 0:
            rows[row_count] = row
            row_count += 1
            for k in range(first[row], first[row + 1] + 1):
                alone = k == first[row + 1]
                column = detection_count + row if alone else detection[k]
                if closed[column]:
                    continue
                through = length + shift + (0.0 if alone else cost[k]) - row_price[row] - column_price[column]
                if through < distance[column]:
                    if distance[column] == np.inf:
                        reached[reached_count] = column
                        reached_count += 1
                    distance[column], origin[column] = through, row
            best = -1
            for k in range(reached_count):
                column = reached[k]
                if not closed[column] and (best < 0 or distance[column] < distance[best]):
                    best = column
            length = distance[best]
            closed[best] = True
            if row_of[best] < 0:
                end = best
            else:
                row = row_of[best]
        row_price[start] += length
        for k in range(1, row_count):
            row_price[rows[k]] += length - distance[column_of[rows[k]]]
        for k in range(reached_count):
            column = reached[k]
            if closed[column]:
                column_price[column] -= length - distance[column]
            distance[column], closed[column] = np.inf, False
        while True:
            row = origin[end]
            row_of[end], end, column_of[row] = row, column_of[row], end
            if row == start:
                break
    for row in range(track_count):
        if column_of[row] >= detection_count:
            column_of[row] = -1
    return column_of
