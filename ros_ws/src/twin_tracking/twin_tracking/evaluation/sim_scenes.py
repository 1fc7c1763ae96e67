"""Scenes in which the tracker is judged, and their true course."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from scipy.spatial import cKDTree

from twin_common.core.object_class import ObjectClass

POLES = ("pole_01", "pole_02", "pole_03", "pole_04")
#: Crossing one of these lines, (axis, metres), hides an object for as long as the scene's gap.
GAP_LINES = ((0, -25.0), (0, 25.0), (1, -22.0), (1, 22.0))
ALLEY_POLES = {"alley_a": (-38.1, 50.0, 6.0), "alley_b": (-41.4, 58.0, 6.0)}


@dataclass(frozen=True, slots=True)
class Scene:
    """One scene.

    Args:
        name: for the table.
        platforms: who looks; names of the district's, or of ``placed``.
        scenario: file of the true course, and ``overrides`` of it.
        skip, seconds: how much of the course is left out first, and how much is judged.
        least: how many platforms must see an object for it to be asked for.
        gap: s for which an object is hidden after each of ``GAP_LINES``; then only such objects are asked for.
        skew: s by which a platform's clock is ahead.
        lost: platform, and from when to when after the start it is silent, s.
        placed: sensors of the scene's own, x, y, z.
        region: x and y, low and high, in which objects are asked for.
        match: farthest distance of a match, m.
        apart: persons that come nearer to each other than this walk through each other, as the simulation's walkers
            may; they are not asked for.
        settings: of the tracker, in place of its defaults.
        colours: whether detections have colours.
        lidar: whether detections come from simulated scans and the poles' detector, not from a model.
        mapped, sighted: whether the tracker knows where objects can be, and what the poles can see.

    """

    name: str
    platforms: tuple[str, ...]
    scenario: str = "rush_hour"
    overrides: dict[str, Any] = field(default_factory=dict)
    skip: float = 0.0
    seconds: float = 40.0
    least: int = 1
    gap: float = 0.0
    skew: dict[str, float] = field(default_factory=dict)
    lost: tuple[str, float, float] | None = None
    placed: dict[str, tuple[float, float, float]] = field(default_factory=dict)
    region: tuple[float, float, float, float] | None = None
    match: float = 1.0
    apart: float = 0.3
    settings: dict[str, Any] = field(default_factory=dict)
    colours: bool = True
    mapped: bool = True
    sighted: bool = True
    lidar: bool = False


SCENES = (
    Scene("overlap of two poles", POLES[:2], least=2),
    Scene("overlap of four poles", POLES, least=2),
    Scene("gap of 2 s", POLES, gap=2.0),
    Scene("gap of 4 s", POLES, gap=4.0),
    Scene("gap of 8 s", POLES, gap=8.0),
    Scene("gap of 4 s, no colours", POLES, gap=4.0, colours=False),
    Scene("gap of 4 s, no colours, no map", POLES, gap=4.0, colours=False, mapped=False),
    Scene("gap of 4 s, no colours, no map, no view", POLES, gap=4.0, colours=False, mapped=False, sighted=False),
    Scene("gap of 4 s, no handover", POLES, gap=4.0, settings={"handover_reach": 0.0}),
    Scene("occlusion, one pole", POLES[:1]),
    Scene("occlusion, one pole, no view", POLES[:1], sighted=False),
    Scene("clock of one pole 50 ms ahead", POLES, least=2, skew={"pole_02": 0.05}),
    Scene(
        "the same, clocks believed", POLES, least=2, skew={"pole_02": 0.05}, settings={"max_clock_offset": 0.0}
    ),
    Scene("one pole lost for 10 s", POLES, lost=("pole_02", 12.0, 22.0)),
    Scene("vehicle passes poles", ("vehicle_01", *POLES), scenario="vehicle_pass", seconds=24.0),
    Scene(
        "crowd of 3 persons per m2", tuple(ALLEY_POLES), scenario="crowd_crush", seconds=15.0, skip=5.0,
        overrides={"population.crowd_areas": {"alley": 3.0}, "flows.0.rate": 0}, placed=ALLEY_POLES,
        region=(-43.0, -37.0, 44.0, 64.0), match=0.5, apart=0.0,
    ),
    Scene("overlap of two poles, LiDAR chain", POLES[:2], least=2, skip=10.0, seconds=25.0, lidar=True),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Course:
    """Where everybody truly is: frames of actors sorted by id, 0.1 s apart; ids of the sensor vehicles."""

    frames: tuple[np.ndarray, ...]
    start_ns: int
    vehicles: dict[str, int]

    def at(self, frame: int, times: float | np.ndarray | Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
        """Return the actors (N,) that are in the frames about ``frame``, ``times`` s after it (-0.1 to 0.1).

        ``times`` may be a function of the actors at the frame itself.
        """
        before, now, after = self.frames[frame - 1 : frame + 2]
        ids = np.intersect1d(np.intersect1d(before["actor_id"], now["actor_id"]), after["actor_id"])
        before, now, after = (part[np.searchsorted(part["actor_id"], ids)] for part in (before, now, after))
        moved: np.ndarray = now.copy()
        delay = np.broadcast_to(np.asarray(times(now) if callable(times) else times, float), len(now))
        share = np.abs(delay) / 0.1
        for name in ("x", "y", "z", "velocity_x", "velocity_y"):
            other = np.where(delay < 0, before[name], after[name])
            moved[name] = now[name] + share * (other - now[name])
        return moved


def run_course(folder: Path, scene: Scene, seed: int) -> Course:
    """Simulate a scene's scenario from ``folder``."""
    from twin_sim.scenario import load_scenario
    from twin_sim.simulation import Simulation

    scenario = load_scenario(folder / f"{scene.scenario}.yaml", scene.overrides)
    first, count = round(scene.skip * 10), round(scene.seconds * 10) + 2
    frames: list[np.ndarray] = []
    vehicles: dict[str, int] = {}
    start_ns = 0
    with Simulation(scenario, seed=seed) as simulation:
        for number in range(first + count):
            frame = simulation.step()
            if number == first:
                start_ns = frame.stamp_ns
            if number >= first:
                frames.append(frame.actors.copy())
                vehicles = vehicles | frame.vehicles
    return Course(tuple(frames), start_ns, vehicles)


def walk_through_each_other(course: Course, apart: float) -> set[int]:
    """Return the persons who come nearer to another one than ``apart`` metres, by actor_id."""
    found: set[int] = set()
    for actors in course.frames if apart > 0 else ():
        persons = actors[actors["classification"] == ObjectClass.PEDESTRIAN]
        pairs = cKDTree(np.column_stack([persons["x"], persons["y"]])).query_pairs(apart, output_type="ndarray")
        found.update(persons["actor_id"][pairs.ravel()].tolist())
    return found


def gap_until(course: Course, gap: float, lines: Sequence[tuple[int, float]] = GAP_LINES) -> dict[int, list[float]]:
    """Return for each actor that crosses a line when it is hidden from, s after the start; it ends ``gap`` s later."""
    found: dict[int, list[float]] = {}
    for number in range(1, len(course.frames)):
        before, now = course.frames[number - 1], course.frames[number]
        _, i, j = np.intersect1d(before["actor_id"], now["actor_id"], return_indices=True)
        for axis, place in lines:
            name = "xy"[axis]
            crossed = (before[name][i] < place) != (now[name][j] < place)
            for actor in now["actor_id"][j[crossed]].tolist():
                times = found.setdefault(actor, [])
                if not times or number / 10 > times[-1] + gap + 1.0:
                    times.append(number / 10)
    return found
