"""How long a step takes and what memory it needs, beside a tracker of the usual kind: a filter object per track."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import psutil
from scipy.optimize import linear_sum_assignment

from twin_tracking.config import TrackerConfig
from twin_tracking.core.detections import Detections
from twin_tracking.core.tracker import Tracker
from twin_tracking.synthetic import START_NS, clutter, crowd, detect, joined

COUNTS = (10, 30, 100, 300, 1000, 2000, 5000)
PEER_UP_TO = 1000
STEPS, WARM_UP = 20, 8
HOUR_STEPS, HOUR_OBJECTS, NEW_SCENE = 36_000, 20, 600
RECORDINGS = "../shared/data/kitti_tracking"
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


def scene(count: int, seed: int = 0, steps: int = STEPS) -> list[Detections]:
    """Return the detections of ``count`` moving objects and clutter, one array per period."""
    rng = np.random.default_rng(seed)
    objects = crowd(count, rng, AREA)
    return [
        joined(detect(objects.at(PERIOD * step), rng, miss=MISS), clutter(round(CLUTTER_SHARE * count), rng, AREA))
        for step in range(steps)
    ]


def _median_ms(step: Callable[[int], object]) -> float:
    times = []
    for number in range(STEPS):
        started = time.thread_time()
        step(number)
        times.append((time.thread_time() - started) * 1e3)
    return float(np.median(times[WARM_UP:]))


def growth() -> tuple[dict[int, float], dict[int, float]]:
    """Return the median CPU time of a step in ms by number of objects, for the tracker and for its peer."""
    ours: dict[int, float] = {}
    peers: dict[int, float] = {}
    for count in COUNTS:
        frames = scene(count)
        tracker, peer = Tracker(TrackerConfig()), LoopTracker()
        ours[count] = _median_ms(
            lambda n, t=tracker, f=frames: t.step(f[n], START_NS + round(n * PERIOD * 1e9))  # type: ignore[misc]
        )
        if count <= PEER_UP_TO:
            peers[count] = _median_ms(
                lambda n, t=peer, f=frames: t.step(f[n].position[:, :2], PERIOD)  # type: ignore[misc]
            )
    return ours, peers


def plot(ours: dict[int, float], peers: dict[int, float], path: Path) -> None:
    """Draw both over the number of objects."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6, 4), layout="constrained")
    axes = figure.add_subplot()
    axes.loglog(list(ours), list(ours.values()), "o-", label="tracker")
    axes.loglog(list(peers), list(peers.values()), "s--", label="one filter object per track")
    axes.set_xlabel("objects (and 30 % clutter)")
    axes.set_ylabel("CPU time of a step, ms")
    axes.grid(which="both", alpha=0.3)
    axes.legend()
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=120)


def memory_over_an_hour() -> tuple[float, float]:
    """Return the memory of the process in MiB after six minutes and after an hour of simulated time at 10 Hz.

    Every minute the objects are replaced, so that tracks begin and end all the time.
    """
    process, tracker, after = psutil.Process(), Tracker(TrackerConfig()), 0.0
    for step in range(HOUR_STEPS):
        if step % NEW_SCENE == 0:
            frames = scene(HOUR_OBJECTS, seed=step, steps=NEW_SCENE)
        tracker.step(frames[step % NEW_SCENE], START_NS + round(step * PERIOD * 1e9))
        if step == HOUR_STEPS // 10:
            after = process.memory_info().rss / 2**20
    return after, process.memory_info().rss / 2**20


def first_start() -> tuple[float, float]:
    """Return how long the loops take to be ready, in s: in a fresh install, and the next time."""
    with tempfile.TemporaryDirectory() as folder:
        environment = os.environ | {"NUMBA_CACHE_DIR": folder}
        command = [sys.executable, "-c", "from twin_tracking.warm_up import warm_up; print(warm_up())"]
        first, again = (
            float(subprocess.run(command, env=environment, check=True, capture_output=True, text=True).stdout)
            for _ in range(2)
        )
    return first, again


def kitti_speed(data: Path) -> dict[str, float]:
    """Return the frames per second of CPU time on KITTI's cars, for the tracker and for the KITTI evaluation's peer."""
    from twin_tracking.evaluation.kitti import read_all
    from twin_tracking.evaluation.kitti_tracks import track_boxes, track_with_peer
    from twin_tracking.kitti_config import KITTI

    sequences = [one for one in read_all(data)[0] if "Car" in one.boxes]
    frames = sum(one.frames for one in sequences)
    ours = sum(track_boxes(one, "Car", *KITTI["Car"]).seconds for one in sequences)
    peer = sum(track_with_peer(one, "Car").seconds for one in sequences)
    return {"kitti_car.frames_per_second": frames / ours, "kitti_car.peer_frames_per_second": frames / peer}


def run() -> dict[str, float | str]:
    """Return median CPU times of a step in ms, frames per second on KITTI, memory in MiB, starts in s."""
    results: dict[str, float | str] = {}
    results["start.first_s"], results["start.next_s"] = first_start()
    ours, peers = growth()
    for name, times in (("tracker", ours), ("peer_loop", peers)):
        results |= {f"{name}.{count}_objects_ms": value for count, value in times.items()}
    root = Path(os.environ["TWIN_ROOT"])
    drawn = root / "out" / "bench" / "tracking.png"
    plot(ours, peers, drawn)
    results["growth"] = f"drawn: {drawn.relative_to(root)}"
    if (root / RECORDINGS).is_dir():
        results |= kitti_speed(root / RECORDINGS)
    else:
        results["kitti_car"] = f"no {RECORDINGS}: not measured"
    after, hour = memory_over_an_hour()
    results |= {"memory.after_6_minutes_MiB": after, "memory.after_an_hour_MiB": hour}
    return results


if __name__ == "__main__":
    for name, value in run().items():
        print(f"{name:34s} {value if isinstance(value, str) else round(value, 3)}")
