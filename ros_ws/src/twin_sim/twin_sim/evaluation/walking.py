"""How fast people walk and how they speed up and slow down, beside ETH and UCY.

Both are sampled at 2.5 Hz and smoothed alike, and who stops does not count. Recorded are free walkers of a street and
a campus entrance (ETH, Zara); the two scenes of students who stroll and stand in groups at 30 to 50 persons a frame are
shown but not compared.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from twin_sim.evaluation import plots
from twin_sim.evaluation.results import Figure, distance, quantile
from twin_sim.evaluation.tracks import Motion, Track, motions, read_scene

TOPIC = "walking"
STREETS = ("biwi_eth", "crowds_zara01", "crowds_zara03")
STUDENTS = ("students001", "students003")
PERIOD = 0.4
SLOWEST = 0.5  # m/s; who is slower for a moment has stopped: at a signal, for a talk, at a door
SPEED_TOLERANCE, SPREAD_TOLERANCE, DISTANCE_TOLERANCE = 0.10, 0.15, 0.20


def recorded(data: Path, scenes: Sequence[str]) -> list[Motion]:
    """Return the walkers of some scenes."""
    tracks = [track for scene in scenes for track in read_scene(data / "eth_ucy" / f"{scene}.txt")]
    return _walks(tracks)


def _walks(tracks: Sequence[Track]) -> list[Motion]:
    return [item for item in motions(tracks, PERIOD, SLOWEST) if float(item.speed.min()) >= SLOWEST]


def compare(data: Path, simulated: Sequence[Track], out: Path) -> list[Figure]:
    """Return the figures of simulated pedestrians (tracks of 0.1 s) beside the recorded, and plot both."""
    real, ours = recorded(data, STREETS), _walks(simulated)
    speeds = [_means(item) for item in (ours, real)]
    changes = [_all(item, "acceleration") for item in (ours, real)]
    strength = [np.abs(change) for change in changes]
    students = _means(recorded(data, STUDENTS))
    plots.distributions(
        out / "walking.png",
        [
            ("speed of a person, m/s",
             {"recorded: ETH, Zara": speeds[1], "simulated": speeds[0], "recorded: students": students}, (0.0, 2.5)),
            ("acceleration along the way, m/s²",
             {"recorded: ETH, Zara": changes[1], "simulated": changes[0]}, (-1.0, 1.0)),
        ],
    )  # fmt: skip
    np.savez_compressed(out / "walking.npz", simulated_speed=speeds[0], recorded_speed=speeds[1],
                        simulated_acceleration=changes[0], recorded_acceleration=changes[1])  # fmt: skip
    return [
        quantile(TOPIC, "speed of a person", speeds[0], speeds[1], 0.5, "m/s", SPEED_TOLERANCE),
        quantile(TOPIC, "speed of a person", speeds[0], speeds[1], 0.25, "m/s", SPREAD_TOLERANCE),
        quantile(TOPIC, "speed of a person", speeds[0], speeds[1], 0.75, "m/s", SPREAD_TOLERANCE),
        distance(TOPIC, "speed of a person", speeds[0], speeds[1], DISTANCE_TOLERANCE),
        _spread("acceleration along the way: standard deviation", changes[0], changes[1]),
        quantile(TOPIC, "acceleration, either way", strength[0], strength[1], 0.5, "m/s²", 0.3),
        distance(TOPIC, "acceleration along the way", changes[0], changes[1], DISTANCE_TOLERANCE),
    ]


def _spread(name: str, ours: np.ndarray, real: np.ndarray) -> Figure:
    values = [float(np.std(sample)) if len(sample) else float("nan") for sample in (ours, real)]
    return Figure(TOPIC, name, values[0], values[1], "m/s²", 0.5, of=f"{len(ours)} / {len(real)} samples")


def _means(items: Sequence[Motion]) -> np.ndarray:
    return np.array([item.speed.mean() for item in items])


def _all(items: Sequence[Motion], name: str) -> np.ndarray:
    return np.concatenate([getattr(item, name) for item in items] or [np.zeros(0)])
