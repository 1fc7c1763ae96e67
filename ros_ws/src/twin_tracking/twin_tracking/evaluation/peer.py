"""The peer of the KITTI evaluation: a tracker after AB3DMOT's plan.

Weng et al. 2020, "3D Multi-Object Tracking: A Baseline and New Evaluation Metrics": one Kalman filter of constant
velocity per object, one optimal assignment by box overlap or distance, lives counted in frames.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.optimize import linear_sum_assignment

from twin_tracking.evaluation.boxes import box_overlap

#: Least overlap (cars) or largest distance of centres in metres (others) of a pair.
LEAST_OVERLAP = 0.01
LARGEST_DISTANCE = {"Pedestrian": 1.0, "Cyclist": 2.0}
MIN_HITS, MAX_AGE = 3, 2
_TRANSITION = np.eye(10)
_TRANSITION[[0, 1, 2], [7, 8, 9]] = 1.0
_DRIFT = np.diag([1.0] * 7 + [0.01] * 3)


@dataclass(slots=True)
class _Filter:
    """One object: x, y, z, length, width, height, yaw and the change of x, y, z per frame, with its covariance."""

    number: int
    mean: np.ndarray
    covariance: np.ndarray
    score: float
    hits: int = 1
    misses: int = 0


class Peer:
    """Boxes and scores of one frame after the other in, boxes with ids out."""

    def __init__(self, kind: str) -> None:
        """Start without objects; ``kind``: Car, Pedestrian or Cyclist."""
        self._kind = kind
        self._filters: list[_Filter] = []
        self._born, self._frames = 0, 0

    def step(self, boxes: np.ndarray, scores: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Take ``boxes`` (M, 7) with ``scores`` (M,); return boxes (N, 7), ids (N,) and scores (N,)."""
        self._frames += 1
        for one in self._filters:
            one.mean = _TRANSITION @ one.mean
            one.covariance = _TRANSITION @ one.covariance @ _TRANSITION.T + _DRIFT
            one.misses += 1
        taken = self._associate(boxes)
        for number, column in taken.items():
            self._update(self._filters[number], boxes[column], scores[column])
        for column in sorted(set(range(len(boxes))) - set(taken.values())):
            covariance = np.diag([10.0] * 7 + [10_000.0] * 3)
            self._filters.append(
                _Filter(self._born, np.concatenate([boxes[column], np.zeros(3)]), covariance, float(scores[column]))
            )
            self._born += 1
        self._filters = [one for one in self._filters if one.misses < MAX_AGE]
        shown = [one for one in self._filters if one.hits >= MIN_HITS or self._frames <= MIN_HITS]
        found = np.array([one.mean[:7] for one in shown]).reshape(-1, 7)
        return found, np.array([one.number for one in shown], int), np.array([one.score for one in shown], float)

    def _associate(self, boxes: np.ndarray) -> dict[int, int]:
        """Return the box of each object that has one."""
        if not self._filters or not len(boxes):
            return {}
        known = np.array([one.mean[:7] for one in self._filters])
        if self._kind in LARGEST_DISTANCE:
            cost = np.linalg.norm(known[:, None, :3] - boxes[None, :, :3], axis=2)
            most = LARGEST_DISTANCE[self._kind]
        else:
            i, j = np.divmod(np.arange(len(known) * len(boxes)), len(boxes))
            cost = -box_overlap(known[i], boxes[j]).reshape(len(known), len(boxes))
            most = -LEAST_OVERLAP
        rows, columns = linear_sum_assignment(cost)
        good = cost[rows, columns] <= most
        return {int(row): int(column) for row, column in zip(rows[good], columns[good], strict=True)}

    @staticmethod
    def _update(one: _Filter, box: np.ndarray, score: float) -> None:
        """Kalman update by a measured box of unit variance; a heading against the motion is turned round."""
        innovation = box - one.mean[:7]
        innovation[6] = np.mod(innovation[6] + np.pi / 2, np.pi) - np.pi / 2
        gain = one.covariance[:, :7] @ np.linalg.inv(one.covariance[:7, :7] + np.eye(7))
        one.mean = one.mean + gain @ innovation
        one.covariance = one.covariance - gain @ one.covariance[:7]
        one.score, one.hits, one.misses = float(score), one.hits + 1, 0
