"""Which detection belongs to which track: gates, costs, optimal assignment.

The cost of a pair is minus twice the log of how much likelier it is that the detection comes from the track than
that it is clutter or a new object and the track was missed (Bar-Shalom, Li, "Multitarget-Multisensor Tracking",
section 6.3); a track stays alone where that is cheaper. Only pairs that are close are looked at, so the work grows with
the number of objects, not with its square.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_matrix
from scipy.sparse.csgraph import min_weight_full_bipartite_matching
from scipy.stats import chi2

from twin_tracking.config import TrackerConfig
from twin_tracking.core import classes
from twin_tracking.core.motion import Moments
from twin_tracking.core.neighbours import near_pairs

_REACH_STEP = 3.0


@dataclass(frozen=True, slots=True)
class Pairs:
    """Tracks and detections that may belong together, (K,) indices, with their cost; below 0: rather than alone."""

    track: np.ndarray
    detection: np.ndarray
    cost: np.ndarray

    def take(self, index: np.ndarray) -> Pairs:
        """Return the chosen pairs (indices or mask)."""
        return Pairs(self.track[index], self.detection[index], self.cost[index])


class Associator:
    """Finds the pairs inside the gates and the best assignment among them."""

    def __init__(self, config: TrackerConfig) -> None:
        """Take gate, densities and class table."""
        self._config = config
        self._gate = float(chi2.ppf(config.gate_probability, 2))
        self._affinity = classes.affinity_table()
        found, missed = config.detection_probability, 1.0 - config.detection_probability
        self._alone = 2 * np.log(found / missed / (config.clutter_density + config.birth_density))

    def pairs(self, tracks: Moments, track_class: np.ndarray, position: np.ndarray, noise: np.ndarray,
              time_offset: np.ndarray, detection_class: np.ndarray) -> Pairs:  # fmt: skip
        """Return all pairs inside the gates.

        Detections: ``position`` (M, 2) with ``noise`` (M, 2, 2), measured ``time_offset`` (M,) s after the tracks'
        time; class probabilities (N, 10) and (M, 10).
        """
        i, j = self._near(tracks, position, noise, time_offset)
        tau = time_offset[j]
        mean, cov = tracks.mean[i], tracks.covariance[i]
        dx = position[j, 0] - mean[:, 0] - tau * mean[:, 2]
        dy = position[j, 1] - mean[:, 1] - tau * mean[:, 3]
        tau2 = tau * tau
        xx = cov[:, 0, 0] + 2 * tau * cov[:, 0, 2] + tau2 * cov[:, 2, 2] + noise[j, 0, 0]
        yy = cov[:, 1, 1] + 2 * tau * cov[:, 1, 3] + tau2 * cov[:, 3, 3] + noise[j, 1, 1]
        xy = cov[:, 0, 1] + tau * (cov[:, 0, 3] + cov[:, 2, 1]) + tau2 * cov[:, 2, 3] + noise[j, 0, 1]
        determinant = xx * yy - xy * xy
        distance = (yy * dx * dx - 2 * xy * dx * dy + xx * dy * dy) / determinant
        distance = np.where(dx * dx + dy * dy < self._config.min_gate**2, np.minimum(distance, self._gate), distance)
        fits = np.einsum("kc,kc->k", (track_class @ self._affinity)[i], detection_class[j])
        cost = distance + np.log(determinant) + 2 * np.log(2 * np.pi) - 2 * np.log(np.maximum(fits, 1e-9)) - self._alone
        inside = (distance <= self._gate) & (fits >= self._config.min_class_affinity) & (cost < 0)
        return Pairs(i, j, cost).take(inside)

    def _near(self, tracks: Moments, position: np.ndarray, noise: np.ndarray, time_offset: np.ndarray
              ) -> tuple[np.ndarray, np.ndarray]:  # fmt: skip
        """Return the pairs that a gate could hold, sorted by track and detection."""
        none = np.zeros(0, np.intp)
        if not len(tracks.mean) or not len(position):
            return none, none
        speed = np.hypot(tracks.mean[:, 2], tracks.mean[:, 3])
        lag = float(np.abs(time_offset).max())
        spread = tracks.covariance[:, 0, 0] + tracks.covariance[:, 1, 1]
        spread += lag * (lag + 2.0) * (tracks.covariance[:, 2, 2] + tracks.covariance[:, 3, 3])
        noisy = noise[:, 0, 0] + noise[:, 1, 1]
        found = []
        for detections in _by_size(np.sqrt(noisy)):
            reach = np.sqrt(self._gate * (spread + noisy[detections].max()))
            reach = np.clip(reach, self._config.min_gate, self._config.max_gate) + speed * lag
            track, detection = near_pairs(tracks.mean[:, :2], reach, position[detections])
            found.append(np.column_stack([track, detections[detection]]))
        pairs = np.concatenate(found)
        pairs = pairs[np.lexsort((pairs[:, 1], pairs[:, 0]))]
        return pairs[:, 0], pairs[:, 1]


def _by_size(reach: np.ndarray) -> list[np.ndarray]:
    """Return indices grouped by the order of magnitude of ``reach``, so that one large value does not widen all."""
    level = np.ceil(np.log(np.maximum(reach, 0.5)) / np.log(_REACH_STEP)).astype(int)
    return [np.flatnonzero(level == value) for value in np.unique(level)]


def assign(pairs: Pairs, track_count: int, detection_count: int) -> Pairs:
    """Return the pairs of the cheapest assignment; a track may stay alone at cost 0.

    Pairs without rivals are taken at once.
    """
    rivals = np.bincount(pairs.track, minlength=track_count)[pairs.track]
    rivals += np.bincount(pairs.detection, minlength=detection_count)[pairs.detection]
    contested = rivals > 2
    chosen = ~contested
    chosen[contested] = _best(pairs.take(contested))
    return pairs.take(chosen)


def _best(pairs: Pairs) -> np.ndarray:
    """Return which pairs the cheapest assignment holds, (K,) bool.

    Each track gets a column of its own for staying alone, so that a full matching of the sparse matrix always exists
    (Jonker, Volgenant 1987; scipy's LAPJVsp).
    """
    if not len(pairs.track):
        return np.zeros(0, bool)
    tracks, row = np.unique(pairs.track, return_inverse=True)
    detections, column = np.unique(pairs.detection, return_inverse=True)
    alone = np.arange(len(tracks))
    shift = 1.0 - pairs.cost.min()
    cost = np.concatenate([pairs.cost + shift, np.full(len(tracks), shift)])
    place = np.concatenate([row, alone]), np.concatenate([column, len(detections) + alone])
    matrix = csr_matrix((cost, place), shape=(len(tracks), len(detections) + len(tracks)))
    chosen_row, chosen_column = min_weight_full_bipartite_matching(matrix)
    partner = np.empty(len(tracks), int)
    partner[chosen_row] = chosen_column
    return np.asarray(partner[row] == column)
