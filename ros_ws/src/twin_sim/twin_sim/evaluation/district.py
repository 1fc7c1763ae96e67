"""Tracks of walkers and cyclists of the simulated district, for the comparison with recorded ones."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from twin_common.core.object_class import ObjectClass
from twin_sim.core.demand import PopulationConfig
from twin_sim.core.frame import Weather, no_actors
from twin_sim.core.population import TICK_NS, Population
from twin_sim.evaluation.tracks import Track
from twin_sim.world import load_world

PERIOD = 0.1  # s
PIECE = 10.0  # s; a camera of the recordings sees a walker about as long


def tracks(folder: Path, settings: PopulationConfig, duration: float, seed: int) -> Mapping[ObjectClass, list[Track]]:
    """Return everybody's tracks in a fine day of a district, by class.

    Raises:
        ConfigError: the district cannot be read.

    """
    rows: list[np.ndarray] = []
    with Population(load_world(folder), settings, Weather(), seed) as population:
        nobody = no_actors()
        for step in range(round(duration / PERIOD)):
            actors = population.step(step * TICK_NS, nobody)
            chosen = np.isin(actors["classification"], (ObjectClass.PEDESTRIAN, ObjectClass.BICYCLE))
            some = actors[chosen]
            rows.append(
                np.column_stack(
                    [np.full(len(some), step), some["actor_id"], some["classification"], some["x"], some["y"]]
                )
            )
    table = np.concatenate(rows)
    table = table[np.lexsort((table[:, 0], table[:, 1]))]
    breaks = np.flatnonzero((np.diff(table[:, 1]) != 0) | (np.diff(table[:, 0]) != 1)) + 1
    found: dict[ObjectClass, list[Track]] = {ObjectClass.PEDESTRIAN: [], ObjectClass.BICYCLE: []}
    for part in np.split(table, breaks):
        if len(part) > 1:
            found[ObjectClass(int(part[0, 2]))].append(Track(part[:, 0] * PERIOD, part[:, 3:5]))
    return found


def pieces(whole: list[Track], length: float = PIECE) -> list[Track]:
    """Return tracks cut into pieces of a length in seconds; what is left over is dropped."""
    found = []
    for track in whole:
        count = round(length / float(track.times[1] - track.times[0]))
        for start in range(0, len(track.times) - count + 1, count):
            found.append(Track(track.times[start : start + count], track.places[start : start + count]))
    return found
