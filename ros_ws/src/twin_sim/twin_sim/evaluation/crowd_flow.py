"""Density, speed and flow of our crowd model beside the experiments of Jülich: a bottleneck and a corridor.

Bottleneck: 75 persons before a door 0.5 m wide in a corridor 5.6 m wide (Adrian, Seyfried & Sieben 2020, "Crowds in
front of bottlenecks at entrances from the perspective of physics and social psychology", J. R. Soc. Interface 17).
Corridor: one-way, 5 m wide (Zhang, Klingsch, Schadschneider & Seyfried 2011, "Transitions in pedestrian fundamental
diagrams of straight corridors and T-junctions", J. Stat. Mech. P06004). Simulated persons begin where and when the
recorded ones do, with the free speeds of the corridor's.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import jupedsim
import numpy as np
import shapely

from twin_sim.core import crowd_model as crowd
from twin_sim.evaluation import plots
from twin_sim.evaluation.density import cells, measured
from twin_sim.evaluation.results import Figure
from twin_sim.evaluation.tracks import read_table

TOPIC = "crowd"
BOTTLENECK, CORRIDOR = "bottleneck_040_c_56_h-.txt", "uni_corr_500_01.txt"
RATE = 25.0  # frames a second of both recordings
PERIOD = 0.2  # s between two measurements
SPAN = 0.4  # s before and after, over which a speed is taken
DOOR, APPROACH = 0.5, 5.6  # m, widths
TIMEOUT = 150.0  # s after which a simulated crowd that does not get through is given up
BINS = np.arange(0.0, 8.0, 0.5)  # 1/m²
FEWEST = 15  # measurements in a bin
FLOW_TOLERANCE, DENSITY_TOLERANCE, SPEED_TOLERANCE, CURVE_TOLERANCE = 0.10, 0.20, 0.10, 0.10

Arrival = tuple[int, tuple[float, float]]  # step and place


@dataclass(frozen=True, slots=True)
class Walkers:
    """Positions of many people, one row each sample: ``ids``, ``steps`` (N,) int at PERIOD / 2, ``places`` (N, 2)."""

    ids: np.ndarray
    steps: np.ndarray
    places: np.ndarray


def bottleneck_ground() -> shapely.Polygon:
    """Return the walkable ground: the corridor, the door with slanted posts, and the room behind."""
    wide, narrow, end = APPROACH / 2, DOOR / 2, -1.1
    right = [(narrow + 0.15, 0.0), (narrow, -0.15), (narrow, end), (3.0, end), (3.0, -3.5)]
    left = [(-x, y) for x, y in right[::-1]]
    return shapely.Polygon([(wide, 7.0), (wide, 0.0), *right, *left, (-wide, 0.0), (-wide, 7.0)])


def corridor_ground() -> shapely.Polygon:
    """Return the walkable ground: 5 m wide, longer than the part that was filmed."""
    return shapely.box(-9.0, 0.0, 8.0, 5.0)


BOTTLENECK_WINDOWS = np.array(
    [shapely.box(-0.4, 0.5, 0.4, 1.3)]
    + [shapely.box(x, y, x + 1.0, y + 1.0) for x in (-1.5, -0.5, 0.5) for y in (0.5, 1.5, 2.5, 3.5)]
)
CORRIDOR_WINDOWS = np.array([shapely.box(x, 0.0, x + 2.0, 5.0) for x in (-3.0, -1.0, 1.0)])


def recorded(data: Path, name: str) -> Walkers:
    """Read one recording of id, frame, x, y, thinned to PERIOD / 2."""
    rows = read_table(data / "crowd" / name, 4)
    period = RATE * PERIOD / 2
    step = np.round(rows[:, 1] / period).astype(int)
    kept = np.abs(rows[:, 1] - step * period) < 0.5
    return Walkers(rows[kept, 0].astype(int), step[kept], rows[kept, 2:4])


def free_speeds(walkers: Walkers) -> np.ndarray:
    """Return the mean speed of every person, (P,) m/s."""
    found = []
    for person in np.unique(walkers.ids):
        own = walkers.ids == person
        way = np.hypot(*(walkers.places[own][-1] - walkers.places[own][0]))
        time = (walkers.steps[own][-1] - walkers.steps[own][0]) * PERIOD / 2
        if time > 1.0:
            found.append(way / time)
    return np.array(found)


def simulate_bottleneck(config: crowd.CrowdConfig, real: Walkers, speeds: np.ndarray, seed: int) -> Walkers:
    """Let our crowd go through the door from where the recorded persons stood at first."""
    first = real.places[real.steps == real.steps.min()]
    widest = config.radius + config.radius_spread
    ground = bottleneck_ground()
    places = _spread(first, 2 * widest + 0.02, ground.buffer(-widest - 0.03))
    arrivals = [(0, tuple(place)) for place in places]
    return _run(config, ground, arrivals, (0.0, -2.9), speeds, seed)


def simulate_corridor(config: crowd.CrowdConfig, real: Walkers, speeds: np.ndarray, seed: int) -> Walkers:
    """Let our crowd walk the corridor; each comes in where and when a recorded person does."""
    arrivals = []
    for person in np.unique(real.ids):
        row = int(np.flatnonzero(real.ids == person)[0])
        x, y = real.places[row]
        arrivals.append((int(real.steps[row]), (float(x), float(np.clip(y, 0.3, 4.7)))))
    return _run(config, corridor_ground(), sorted(arrivals), None, speeds, seed)


def _run(
    config: crowd.CrowdConfig, ground: shapely.Polygon, arrivals: list[Arrival], goal: tuple[float, float] | None,
    speeds: np.ndarray, seed: int,
) -> Walkers:  # fmt: skip
    """Simulate people who arrive at (step, place) and walk to a goal, or straight along -x without one."""
    rng = np.random.default_rng([seed, 0xC0])
    model = crowd.simulation(config, ground)
    half = 0.15
    corners = [(-8.8, 0.2), (-8.3, 0.2), (-8.3, 4.8), (-8.8, 4.8)]
    if goal is not None:
        corners = [(goal[0] + dx * 2.9, goal[1] + dy * half * 3) for dx, dy in ((-1, -1), (1, -1), (1, 1), (-1, 1))]
    stage = model.add_exit_stage(corners)
    ways = model.add_journey(jupedsim.JourneyDescription([stage]))
    waiting, rows, step = list(arrivals), [], arrivals[0][0]
    first, per_step = step, round(PERIOD / 2 / config.step)
    pace: dict[Arrival, float] = {}
    while (waiting or model.agent_count() > 0) and (step - first) * PERIOD / 2 < TIMEOUT:
        for arrival in [item for item in waiting if item[0] <= step]:
            speed = pace.setdefault(arrival, float(rng.choice(speeds)))
            try:
                number = seed * 1_000_003 + len(pace) * 7
                model.add_agent(crowd.agent_parameters(config, arrival[1], speed, ways, stage, number))
                waiting.remove(arrival)
            except RuntimeError:
                continue
        rows += [(agent.id, step, *agent.position) for agent in model.agents()]
        model.iterate(per_step)
        step += 1
    table = np.array(rows)
    return Walkers(table[:, 0].astype(int), table[:, 1].astype(int), table[:, 2:4])


def _spread(places: np.ndarray, least: float, ground: shapely.Geometry) -> np.ndarray:
    """Return places moved apart until they are ``least`` metres apart, within the ground."""
    moved = places.copy()
    for _ in range(400):
        apart = moved[:, None] - moved[None]
        gap = np.hypot(apart[..., 0], apart[..., 1])
        np.fill_diagonal(gap, np.inf)
        close = gap < least
        if not close.any():
            break
        push = apart / np.maximum(gap, 1e-6)[..., None] * (np.where(close, least - gap, 0.0) * 0.55)[..., None]
        moved = moved + push.sum(axis=1)
        outside = ~shapely.contains_xy(ground, moved[:, 0], moved[:, 1])
        for i in np.flatnonzero(outside):
            moved[i] = shapely.shortest_line(ground, shapely.Point(moved[i])).coords[0]
    return moved


def relation(
    walkers: Walkers, ground: shapely.Polygon, windows: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return step (T,), density (T, M) 1/m² and speed (T, M) m/s in windows, every PERIOD."""
    span = round(SPAN / (PERIOD / 2))
    where = {(person, step): row for row, (person, step) in enumerate(zip(walkers.ids, walkers.steps, strict=True))}
    steps, densities, speeds = [], [], []
    for step, rows in _moments(walkers):
        inside = rows[shapely.contains_xy(ground, walkers.places[rows, 0], walkers.places[rows, 1])]
        speed = np.full(len(inside), np.nan)
        for i, row in enumerate(inside):
            person = walkers.ids[row]
            before, after = where.get((person, step - span)), where.get((person, step + span))
            if before is not None and after is not None:
                way = walkers.places[after] - walkers.places[before]
                speed[i] = np.hypot(way[0], way[1]) / (2 * SPAN)
        density, mean = measured(cells(walkers.places[inside], ground), speed, windows)
        steps.append(step)
        densities.append(density)
        speeds.append(mean)
    return np.array(steps), np.array(densities), np.array(speeds)


def _moments(walkers: Walkers) -> Iterator[tuple[int, np.ndarray]]:
    for step in np.unique(walkers.steps):
        if step % 2 == 0:
            yield int(step), np.flatnonzero(walkers.steps == step)


def crossings(walkers: Walkers) -> np.ndarray:
    """Return when each person passes the door, y = 0, sorted, (P,) seconds."""
    times = []
    for person in np.unique(walkers.ids):
        own = np.flatnonzero(walkers.ids == person)
        y = walkers.places[own, 1]
        through = np.flatnonzero((y[:-1] > 0) & (y[1:] <= 0))
        if len(through):
            row = through[0]
            share = y[row] / (y[row] - y[row + 1])
            times.append((walkers.steps[own[row]] + share) * PERIOD / 2)
    return np.sort(times)


def flow(walkers: Walkers) -> float:
    """Return the flow through the door while it is steady: from the 10th to the 60th person, 1/s."""
    times = crossings(walkers)
    return float(50 / (times[59] - times[9])) if len(times) >= 60 else float("nan")


def curve(density: np.ndarray, speed: np.ndarray) -> np.ndarray:
    """Return the mean speed in each bin of density, (B,) m/s; NaN where it was hardly ever met."""
    known = np.isfinite(speed)
    place = np.digitize(density[known], BINS) - 1
    return np.array(
        [speed[known][place == i].mean() if (place == i).sum() >= FEWEST else np.nan for i in range(len(BINS))]
    )


def compare(data: Path, out: Path, config: crowd.CrowdConfig | None = None, seed: int = 1) -> list[Figure]:
    """Return the figures of our crowd beside the experiments, and plot both."""
    config = config or crowd.CrowdConfig()
    door, hall = recorded(data, BOTTLENECK), recorded(data, CORRIDOR)
    speeds = free_speeds(hall)
    ours_door = simulate_bottleneck(config, door, speeds, seed)
    ours_hall = simulate_corridor(config, hall, speeds, seed)
    ground = bottleneck_ground()
    door_relations = [relation(item, ground, BOTTLENECK_WINDOWS) for item in (ours_door, door)]
    hall_relations = [relation(item, corridor_ground(), CORRIDOR_WINDOWS) for item in (ours_hall, hall)]
    curves = [curve(r[1].ravel(), r[2].ravel()) for r in door_relations]
    both = np.isfinite(curves[0]) & np.isfinite(curves[1])
    error = float(np.sqrt(np.mean((curves[0][both] - curves[1][both]) ** 2))) if both.any() else float("nan")
    _plot(out, door_relations, hall_relations, curves, [crossings(ours_door), crossings(door)])
    steady = [_steady(r, crossings(item)) for r, item in zip(door_relations, (ours_door, door), strict=True)]
    walk = [float(np.nanmean(r[2])) for r in hall_relations]
    dense = [float(r[1][r[1].max(axis=1) > 0].mean()) for r in hall_relations]
    return [
        Figure(TOPIC, "bottleneck: flow through a door of 0.5 m", flow(ours_door), flow(door), "1/s", FLOW_TOLERANCE),
        Figure(TOPIC, "bottleneck: density before the door", steady[0][0], steady[1][0], "1/m²", DENSITY_TOLERANCE),
        Figure(TOPIC, "bottleneck: speed before the door", steady[0][1], steady[1][1], "m/s", 0.05, relative=False),
        Figure(TOPIC, "bottleneck: speed over density, RMS error of bins", error, 0.0, "m/s", CURVE_TOLERANCE,
               relative=False, of=f"{both.sum()} bins of {BINS[1]:g} 1/m²"),
        Figure(TOPIC, "corridor: speed", walk[0], walk[1], "m/s", SPEED_TOLERANCE),
        Figure(TOPIC, "corridor: density", dense[0], dense[1], "1/m²", DENSITY_TOLERANCE),
    ]  # fmt: skip


def _steady(found: tuple[np.ndarray, np.ndarray, np.ndarray], times: np.ndarray) -> tuple[float, float]:
    """Return density and speed in the first window while the 10th to 60th person pass."""
    if len(times) < 60:
        return float("nan"), float("nan")
    seconds = found[0] * PERIOD / 2
    rows = (seconds > times[9]) & (seconds < times[59])
    return float(found[1][rows, 0].mean()), float(np.nanmean(found[2][rows, 0]))


def _plot(out: Path, door: list, hall: list, curves: list, times: list) -> None:
    made, axes = plots.figure(3, 5.0)
    for name, relations in (("recorded", (door[1], hall[1])), ("simulated", (door[0], hall[0]))):
        for found, mark in zip(relations, (".", "x"), strict=True):
            axes[0].plot(found[1].ravel(), found[2].ravel(), mark, ms=2, alpha=0.15, color=plots.colour(name))
    for name, values in (("simulated", curves[0]), ("recorded", curves[1])):
        middle = BINS + (BINS[1] - BINS[0]) / 2
        axes[0].plot(middle, values, "o-", color=plots.colour(name), label=f"{name}, bottleneck")
    axes[0].set(xlabel="density, 1/m²", ylabel="speed, m/s", ylim=(0, 2), xlim=(0, 8))
    axes[0].legend()
    for name, passed in (("simulated", times[0]), ("recorded", times[1])):
        axes[1].plot(passed - passed[0], np.arange(len(passed)), color=plots.colour(name), label=name)
    axes[1].set(xlabel="time since the first, s", ylabel="persons through the door")
    axes[1].legend()
    for name, found in (("simulated", door[0]), ("recorded", door[1])):
        axes[2].plot(found[0] * PERIOD / 2, found[1][:, 0], color=plots.colour(name), label=name)
    axes[2].set(xlabel="time, s", ylabel="density before the door, 1/m²")
    axes[2].legend()
    plots.save(made, out / "crowd.png")
