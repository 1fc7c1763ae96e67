"""A tracker of the usual kind, to measure against: constant velocity, nearest neighbours, lifetimes in hits and misses.

AB3DMOT's plan (Weng et al. 2020) on the ground: one Kalman filter per track, an optimal assignment by distance, three
hits to be born, half a second of misses to die.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.optimize import linear_sum_assignment


@dataclass(frozen=True, slots=True)
class PeerTracks:
    """Tracks measured lately: ``ids`` (N,), ``position``, ``velocity`` (N, 2), ``covariance`` (N, 4, 4)."""

    ids: np.ndarray
    position: np.ndarray
    velocity: np.ndarray
    covariance: np.ndarray

    def columns(self) -> dict[str, np.ndarray]:
        """Return all by name."""
        return {"id": self.ids, "position": self.position, "velocity": self.velocity, "covariance": self.covariance}


class PeerTracker:
    """Constant-velocity filters; ``gate`` m, ``min_hits`` detections, ``max_age`` s, ``least`` existence used."""

    def __init__(self, gate: float = 2.0, min_hits: int = 3, max_age: float = 0.5, least: float = 0.4) -> None:
        """Start without tracks."""
        self._gate, self._min_hits, self._max_age, self._least = gate, min_hits, max_age, least
        self._mean: np.ndarray = np.zeros((0, 4))
        self._spread: np.ndarray = np.zeros((0, 4, 4))
        self._ids: np.ndarray = np.zeros(0, np.int64)
        self._hits: np.ndarray = np.zeros(0, int)
        self._seen_ns: np.ndarray = np.zeros(0, np.int64)
        self._stamp_ns: int | None = None
        self._born = 0

    def step(self, objects: np.ndarray, stamp_ns: int) -> PeerTracks:
        """Take DetectedObject records (M,) into account; older stamps than before are left out."""
        if self._stamp_ns is not None and stamp_ns < self._stamp_ns:
            return self._tracks(np.zeros(0, int))
        self._predict(0.0 if self._stamp_ns is None else (stamp_ns - self._stamp_ns) / 1e9)
        self._stamp_ns = stamp_ns
        objects = objects[objects["existence"] >= self._least]
        position = np.column_stack([objects["x"], objects["y"]])
        noise = objects["position_covariance"].reshape(-1, 3, 3)[:, :2, :2] + 0.01 * np.eye(2)
        distance = np.linalg.norm(self._mean[:, None, :2] - position[None], axis=2)
        row, column = linear_sum_assignment(np.where(distance <= self._gate, distance, 1e3))
        near = distance[row, column] <= self._gate
        row, column = row[near], column[near]
        self._update(row, position[column], noise[column])
        self._hits[row] += 1
        self._seen_ns[row] = stamp_ns
        self._spawn(np.delete(position, column, axis=0), np.delete(noise, column, axis=0), stamp_ns)
        alive = stamp_ns - self._seen_ns <= self._max_age * 1e9
        for name in ("_mean", "_spread", "_ids", "_hits", "_seen_ns"):
            setattr(self, name, getattr(self, name)[alive])
        return self._tracks(np.flatnonzero((self._hits >= self._min_hits) & (stamp_ns - self._seen_ns <= 0.25e9)))

    def _predict(self, dt: float) -> None:
        move = np.eye(4) + dt * np.eye(4, k=2)
        push = np.vstack([np.eye(2) * dt**2 / 2, np.eye(2) * dt])
        self._mean = self._mean @ move.T
        self._spread = move @ self._spread @ move.T + 4.0 * push @ push.T

    def _update(self, row: np.ndarray, position: np.ndarray, noise: np.ndarray) -> None:
        spread = self._spread[row]
        gain = spread[:, :, :2] @ np.linalg.inv(spread[:, :2, :2] + noise)
        self._mean[row] += np.einsum("kij,kj->ki", gain, position - self._mean[row, :2])
        self._spread[row] = spread - gain @ spread[:, :2]

    def _spawn(self, position: np.ndarray, noise: np.ndarray, stamp_ns: int) -> None:
        count = len(position)
        spread = np.zeros((count, 4, 4))
        spread[:, :2, :2], spread[:, 2, 2], spread[:, 3, 3] = noise, 50.0, 50.0
        self._mean = np.concatenate([self._mean, np.column_stack([position, np.zeros((count, 2))])])
        self._spread = np.concatenate([self._spread, spread])
        self._ids = np.concatenate([self._ids, self._born + np.arange(count)])
        self._hits = np.concatenate([self._hits, np.ones(count, int)])
        self._seen_ns = np.concatenate([self._seen_ns, np.full(count, stamp_ns, np.int64)])
        self._born += count

    def _tracks(self, index: np.ndarray) -> PeerTracks:
        mean = self._mean[index]
        return PeerTracks(self._ids[index], mean[:, :2], mean[:, 2:], self._spread[index])
