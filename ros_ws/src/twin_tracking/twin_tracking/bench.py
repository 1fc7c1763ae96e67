"""How long a step takes, beside a tracker of the usual kind: one Kalman filter object per track."""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np
from scipy.optimize import linear_sum_assignment

from twin_tracking.config import TrackerConfig
from twin_tracking.core.detections import Detections
from twin_tracking.core.tracker import Tracker
from twin_tracking.synthetic import START_NS, clutter, crowd, detect, joined

COUNTS = (10, 100, 1000)
STEPS, WARM_UP = 20, 8
PERIOD = 0.1
AREA = (600.0, 400.0)
CLUTTER_SHARE, MISS = 0.3, 0.1


class LoopTrack:
    """A constant-velocity Kalman filter of one object, with matrices of its own."""

    def __init__(self, position: np.ndarray, number: int) -> None:
        """Start at rest with an unknown speed."""
        self.number = number
        self.x = np.array([position[0], position[1], 0.0, 0.0])
        self.P = np.diag([0.1, 0.1, 50.0, 50.0])
        self.hits, self.misses = 1, 0

    def predict(self, dt: float) -> None:
        """Move on by ``dt`` seconds."""
        F = np.eye(4)
        F[0, 2] = F[1, 3] = dt
        G = np.array([[dt**2 / 2, 0], [0, dt**2 / 2], [dt, 0], [0, dt]])
        self.x = F @ self.x
        self.P = F @ self.P @ F.T + 4.0 * G @ G.T

    def update(self, position: np.ndarray) -> None:
        """Correct by a measured position."""
        H, R = np.eye(2, 4), 0.04 * np.eye(2)
        S = H @ self.P @ H.T + R
        K = self.P @ H.T @ np.linalg.inv(S)
        self.x = self.x + K @ (position - H @ self.x)
        self.P = (np.eye(4) - K @ H) @ self.P
        self.hits, self.misses = self.hits + 1, 0


class LoopTracker:
    """The peer: AB3DMOT's plan (Weng et al. 2020), a loop over filter objects and one dense assignment by distance."""

    def __init__(self, gate: float = 2.0, min_hits: int = 3, max_misses: int = 2) -> None:
        """Start without tracks."""
        self.tracks: list[LoopTrack] = []
        self._gate, self._min_hits, self._max_misses = gate, min_hits, max_misses
        self._born = 0

    def step(self, position: np.ndarray, dt: float) -> list[LoopTrack]:
        """Take detections (M, 2) into account; return the confirmed tracks measured now."""
        for track in self.tracks:
            track.predict(dt)
            track.misses += 1
        taken: set[int] = set()
        if self.tracks and len(position):
            predicted = np.array([track.x[:2] for track in self.tracks])
            distance = np.linalg.norm(predicted[:, None] - position[None], axis=2)
            for row, column in zip(*linear_sum_assignment(distance), strict=True):
                if distance[row, column] <= self._gate:
                    self.tracks[row].update(position[column])
                    taken.add(int(column))
        for column in set(range(len(position))) - taken:
            self.tracks.append(LoopTrack(position[column], self._born))
            self._born += 1
        self.tracks = [track for track in self.tracks if track.misses <= self._max_misses]
        return [track for track in self.tracks if track.hits >= self._min_hits and track.misses == 0]


def scene(count: int, seed: int = 0) -> list[Detections]:
    """Return the detections of ``count`` moving objects and clutter, one array per period."""
    rng = np.random.default_rng(seed)
    objects = crowd(count, rng, AREA)
    return [
        joined(detect(objects.at(PERIOD * step), rng, miss=MISS), clutter(round(CLUTTER_SHARE * count), rng, AREA))
        for step in range(STEPS)
    ]


def _median_ms(step: Callable[[int], object]) -> float:
    times = []
    for number in range(STEPS):
        started = time.thread_time()
        step(number)
        times.append((time.thread_time() - started) * 1e3)
    return float(np.median(times[WARM_UP:]))


def run() -> dict[str, float]:
    """Return the median CPU time of a step in ms, by number of objects, for the tracker and its peer."""
    results = {}
    for count in COUNTS:
        frames = scene(count)
        tracker, peer = Tracker(TrackerConfig()), LoopTracker()
        results[f"tracker.{count}_objects"] = _median_ms(
            lambda n, t=tracker, f=frames: t.step(f[n], START_NS + round(n * PERIOD * 1e9))  # type: ignore[misc]
        )
        results[f"peer_loop.{count}_objects"] = _median_ms(
            lambda n, t=peer, f=frames: t.step(f[n].position[:, :2], PERIOD)  # type: ignore[misc]
        )
    return results


if __name__ == "__main__":
    for name, milliseconds in run().items():
        print(f"{name:26s} {milliseconds:8.2f} ms")
