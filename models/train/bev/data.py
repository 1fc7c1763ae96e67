"""Makes the labelled scans, once for each seed, and keeps them in a folder."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import scans

#: Scenarios of the training; those of scans.HELD_OUT_SCENARIOS are never among them.
SCENARIOS = ("normal_day", "scooter_sidewalk", "near_miss", "red_light", "heat", "fog", "car_collision", "wrong_way")
#: Streets in which there are as many two-wheelers as other vehicles.
MANY_RIDERS = {
    "population.vehicles_per_hour": 3000, "population.warmup": 200, "population.cars": 0.35,
    "population.scooters": 0.2, "population.bicycles": 0.2, "population.motorcycles": 0.2,
}  # fmt: skip
#: Changes of the training runs, in turn.
CHANGES: tuple[dict[str, object], ...] = (
    {}, {"start": "08:00", **MANY_RIDERS}, {"population.density": 1.5}, {"weather.rain": 6, **MANY_RIDERS}, MANY_RIDERS,
)  # fmt: skip
HELD_OUT_SEED = 10_000


@dataclass(frozen=True, slots=True)
class Amount:
    """How much is made: streets, runs in the district, scans of a run; the same of what is held out."""

    streets: int = 1020
    runs: int = 36
    scans: int = 60
    held_streets: int = 60
    held_scans: int = 30


SMOKE = Amount(streets=3, runs=0, scans=0, held_streets=2, held_scans=0)
_STREETS_A_FILE = 60


@dataclass(frozen=True, slots=True)
class Task:
    """One file of scans: streets of seeds from ``first`` to before ``last``, or a run of a scenario."""

    path: Path
    first: int
    last: int
    scenario: Path | None = None
    changes: tuple[tuple[str, object], ...] = ()
    jitter: bool = True


def tasks(folder: Path, scenarios: Path, seed: int, amount: Amount) -> tuple[list[Task], list[Task]]:
    """Return what is made for training, and what is held out."""
    training = _streets(folder, "train", 100 * seed, amount.streets)
    for i in range(amount.runs):
        name = SCENARIOS[i % len(SCENARIOS)]
        training.append(
            Task(folder / f"train_{name}_{seed}_{i}.npz", seed % 10 * 100 + i, amount.scans, scenarios / f"{name}.yaml",
                 tuple(CHANGES[i % len(CHANGES)].items()))
        )  # fmt: skip
    held = _streets(folder, "held", HELD_OUT_SEED, amount.held_streets)
    if amount.held_scans:
        held += [
            Task(folder / f"held_{name}.npz", HELD_OUT_SEED + i, amount.held_scans, scenarios / f"{name}.yaml",
                 jitter=False)
            for i, name in enumerate(scans.HELD_OUT_SCENARIOS)
        ]  # fmt: skip
    return training, held


def _streets(folder: Path, kind: str, first: int, count: int) -> list[Task]:
    return [
        Task(folder / f"{kind}_streets_{start}.npz", start, min(start + _STREETS_A_FILE, first + count))
        for start in range(first, first + count, _STREETS_A_FILE)
    ]


def make(task: Task) -> Path:
    """Make the scans of a task where they have not been made before."""
    if task.path.is_file():
        return task.path
    task.path.parent.mkdir(parents=True, exist_ok=True)
    if task.scenario is None:
        made = [scan for seed in range(task.first, task.last) for scan in scans.street_scans(seed)]
    else:
        run = scans.district_scans(task.scenario, task.first, dict(task.changes), task.last, jitter=task.jitter)
        made = list(islice(run, task.last))
    scans.save(task.path, made)
    return task.path


def make_all(wanted: Sequence[Task], workers: int) -> list[Path]:
    """Make the scans of all tasks."""
    with ProcessPoolExecutor(workers) as pool:
        return sorted(pool.map(make, wanted))


def read_all(paths: Sequence[Path]) -> list[scans.LabelledScan]:
    """Read the scans of files."""
    return [scan for path in paths for scan in scans.load(path)]
