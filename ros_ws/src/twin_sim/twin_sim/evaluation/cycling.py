"""How cyclists set off and stop, beside the VRU trajectories of TH Aschaffenburg.

Recorded are tracks of heads at a signalled crossing, 12.5 Hz. From each track, sampled at 10 Hz and smoothed over
1.1 s, comes the rise from 0.5 to 2.5 m/s after a stand (or the fall from 2.5 to 0.5 m/s before one): its mean
acceleration, and the speed 4 s from the stand.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from twin_common.config import ConfigError
from twin_sim.evaluation import plots
from twin_sim.evaluation.results import Figure, distance, quantile
from twin_sim.evaluation.tracks import Motion, Track, motions, read_table

TOPIC = "cycling"
PERIOD, WINDOW = 0.1, 11
STILL, SLOW, QUICK = 0.3, 0.5, 2.5  # m/s
REACH = 15.0  # s within which the rise must be over
LATER = round(4.0 / PERIOD)
TOLERANCE, DISTANCE_TOLERANCE = 0.20, 0.35


@dataclass(frozen=True, slots=True)
class Ramps:
    """Rises or falls between SLOW and QUICK: ``mean`` (N,) m/s², positive; ``later`` (N,) m/s; ``profiles``.

    A profile runs from the stand, (K,) m/s at PERIOD; a fall's runs backwards in time.
    """

    mean: np.ndarray
    later: np.ndarray
    profiles: list[np.ndarray]


def recorded(data: Path, kind: str) -> list[Track]:
    """Read the cyclists' tracks of one kind: ``starting`` or ``stopping``.

    Raises:
        ConfigError: there is none.

    """
    folder = data / "vru" / "cyclists" / kind
    paths = sorted(folder.glob("*.csv"))
    if not paths:
        raise ConfigError(f"{folder}: no tracks; expected .csv files of timestamp, x, y")
    tables = [read_table(path, 4, ",", 1) for path in paths]
    return [Track(table[:, 1], table[:, 2:4]) for table in tables]


def ramps(tracks: Sequence[Track], *, backwards: bool = False) -> Ramps:
    """Return the first rise after every stand of tracks, or with ``backwards`` the last fall before it."""
    mean, later, profiles = [], [], []
    for item in motions(tracks, PERIOD, 0.0, WINDOW):
        for profile in _rises(item, backwards):
            quick = int(np.argmax(profile >= QUICK))
            slow = int(np.flatnonzero(profile[:quick] <= SLOW)[-1])
            mean.append((profile[quick] - profile[slow]) / ((quick - slow) * PERIOD))
            profiles.append(profile[slow:])
            if len(profiles[-1]) > LATER:
                later.append(profiles[-1][LATER])
    return Ramps(np.array(mean), np.array(later), profiles)


def _rises(item: Motion, backwards: bool) -> list[np.ndarray]:
    """Return the speed from each stand until QUICK is passed and on for a while."""
    speed = item.speed[::-1] if backwards else item.speed
    still = speed < STILL
    leaves = np.flatnonzero(still[:-1] & ~still[1:])
    found, used = [], -1
    for start in leaves:
        if start < used:
            continue
        ahead = speed[start : start + round(REACH / PERIOD)]
        if (ahead >= QUICK).any() and not still[start + 1 : start + int(np.argmax(ahead >= QUICK))].any():
            found.append(ahead)
            used = start + int(np.argmax(ahead >= QUICK))
    return found


def compare(data: Path, simulated: Sequence[Track], out: Path) -> list[Figure]:
    """Return the figures of simulated cyclists (tracks of 0.1 s) beside the recorded, and plot both."""
    figures: list[Figure] = []
    drawn = {}
    for kind, word, backwards in (("starting", "setting off", False), ("stopping", "stopping", True)):
        real, ours = ramps(recorded(data, kind), backwards=backwards), ramps(simulated, backwards=backwards)
        figures += [
            quantile(TOPIC, f"{word}: mean acceleration", ours.mean, real.mean, 0.5, "m/s²", TOLERANCE),
            quantile(TOPIC, f"{word}: speed 4 s from the stand", ours.later, real.later, 0.5, "m/s", TOLERANCE),
            distance(TOPIC, f"{word}: mean acceleration", ours.mean, real.mean, DISTANCE_TOLERANCE),
        ]
        drawn[word] = {"recorded": real.profiles, "simulated": ours.profiles}
    plots.profiles(out / "cycling.png", drawn, PERIOD)
    return figures
