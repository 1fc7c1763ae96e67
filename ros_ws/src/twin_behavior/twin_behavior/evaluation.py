"""Scores the behaviours on recorded cyclists and pedestrians (VRU trajectory dataset), beside a plain threshold."""

from __future__ import annotations

import csv
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from twin_behavior.config import BehaviorConfig
from twin_behavior.core.observed import filter_tracks
from twin_behavior.core.recognition import Recognizer
from twin_behavior.core.table import AT_REST, Motions
from twin_common.config import ConfigError

LABELS = ("moving", "starting", "stopping", "waiting")
GROUPS = {"cyclists": 6, "pedestrians": 7}  # folder -> ObjectClass
STEP = 0.1  # seconds; as the tracker gives tracks
POSITION_SIGMA = {6: 0.05, 7: 0.01}  # of recorded positions by class, metres
DENSITY = {6: 0.8, 7: 0.3}  # of the filter's acceleration by class, m^2/s^3
LEAST = 0.5  # a state counts for the label of a track if it lasts this long, seconds


@dataclass(frozen=True, slots=True)
class Recording:
    """One recorded track: whose it is, what the recording calls it, positions (T, 2) every STEP seconds."""

    name: str
    group: str
    label: str
    positions: np.ndarray


def read_recordings(folder: Path) -> list[Recording]:
    """Return all tracks in ``folder/{cyclists,pedestrians}/{moving,starting,stopping,waiting}/*.csv``.

    Raises:
        ConfigError: there are none, or a file is not rows of number, timestamp, x, y.

    """
    found = []
    for group in GROUPS:
        for label in LABELS:
            for path in sorted((folder / group / label).glob("*.csv")):
                found.append(Recording(f"{group}/{label}/{path.stem}", group, label, read_positions(path)))
    if not found:
        raise ConfigError(f"{folder}: no tracks; expected {{cyclists,pedestrians}}/{{{','.join(LABELS)}}}/*.csv")
    return found


def read_positions(path: Path) -> np.ndarray:
    """Return the positions of a recorded track every STEP seconds, (T, 2) metres; stamps that go back are dropped.

    Raises:
        ConfigError: the file is not rows of number, timestamp, x, y.

    """
    try:
        rows = np.loadtxt(path, delimiter=",", skiprows=1, ndmin=2)
    except ValueError as error:
        raise ConfigError(f"{path}: {error}; expected rows of number, timestamp, x, y") from error
    if rows.shape[1] != 4 or len(rows) < 2:
        raise ConfigError(f"{path}: {rows.shape[0]} rows of {rows.shape[1]}; expected number, timestamp, x, y")
    time = rows[:, 1]
    rows = rows[np.concatenate([[True], time[1:] > np.maximum.accumulate(time)[:-1]])]
    moments = np.arange(rows[0, 1], rows[-1, 1] + 1e-9, STEP)
    return np.stack([np.interp(moments, rows[:, 1], rows[:, axis]) for axis in (2, 3)], axis=1)


def recognized_rest(recordings: Sequence[Recording], config: BehaviorConfig) -> list[np.ndarray]:
    """Return, per track, whether it is recognised as at rest at every moment, (T,) bool."""
    lengths = [len(item.positions) for item in recordings]
    positions = np.full((len(recordings), max(lengths), 2), np.nan)
    for row, item in zip(positions, recordings, strict=True):
        row[: len(item.positions)] = item.positions
    classes = np.array([GROUPS[item.group] for item in recordings])
    density, sigma = (np.array([table[kind] for kind in classes.tolist()]) for table in (DENSITY, POSITION_SIGMA))
    velocity, variance = filter_tracks(positions, STEP, density, sigma)
    recognizer, numbers = Recognizer(config), np.arange(1, len(recordings) + 1, dtype=np.uint64)
    rest = np.zeros(positions.shape[:2], bool)
    for k in range(positions.shape[1]):
        live = np.isfinite(velocity[:, k, 0])
        zero = np.zeros(int(live.sum()))
        motions = Motions(
            numbers[live], classes[live], zero.astype(int), np.linalg.norm(velocity[live, k], axis=1),
            np.sqrt(variance[live, k]), zero, zero + 0.1,
        )  # fmt: skip
        rest[live, k] = np.isin(recognizer.step(motions, round((k + 1) * STEP * 1e9)).kind, AT_REST)
    return [row[:length] for row, length in zip(rest, lengths, strict=True)]


def threshold_rest(recordings: Sequence[Recording], config: BehaviorConfig) -> list[np.ndarray]:
    """Return the same by a plain threshold on the speed between two positions."""
    limit = {"cyclists": config.stopped_speed, "pedestrians": config.standing_speed}
    rest = []
    for item in recordings:
        speed = np.linalg.norm(np.diff(item.positions, axis=0), axis=1) / STEP
        rest.append(np.concatenate([speed[:1], speed]) < limit[item.group])
    return rest


def label_of(rest: np.ndarray) -> str:
    """Return what a track does, from its states at rest or not: how it ends, and whether it was otherwise before.

    Single states shorter than LEAST do not count.
    """
    least = round(LEAST / STEP)
    edges = np.flatnonzero(np.diff(rest)) + 1
    runs = [(bool(run[0]), len(run)) for run in np.split(rest, edges)]
    states = [state for state, length in runs if length >= least] or [bool(rest[-1])]
    if states[-1]:
        return "waiting" if all(states) else "stopping"
    return "starting" if any(states) else "moving"


def score(recordings: Sequence[Recording], rest: Sequence[np.ndarray]) -> dict[str, Any]:
    """Return confusion (rows: recorded, columns: given), accuracy, and changes of state per minute."""
    given = [label_of(item) for item in rest]
    confusion = {
        label: {
            other: sum(r.label == label and g == other for r, g in zip(recordings, given, strict=True))
            for other in LABELS
        }
        for label in LABELS
    }
    right = sum(confusion[label][label] for label in LABELS)
    minutes = sum(len(item) for item in rest) * STEP / 60
    changes = sum(int(np.count_nonzero(np.diff(item))) for item in rest)
    return {
        "confusion": confusion,
        "accuracy": right / max(len(recordings), 1),
        "changes_per_minute": changes / minutes,
        "given": given,
    }


def evaluate_behavior(data: Path, out: Path) -> dict[str, Any]:
    """Score every track in ``data/vru``, print confusion tables, write ``metrics.json`` and ``behavior.csv``.

    Tracks shorter than LEAST, as one whose stamps are all 0, are left out and named.

    Raises:
        ConfigError: the recordings are missing or not in their format.

    """
    everything = read_recordings(Path(data) / "vru")
    recordings = [item for item in everything if len(item.positions) * STEP >= LEAST]
    left_out = [item.name for item in everything if len(item.positions) * STEP < LEAST]
    config = BehaviorConfig()
    rests = {"ours": recognized_rest(recordings, config), "threshold": threshold_rest(recordings, config)}
    metrics: dict[str, Any] = {}
    given: dict[str, dict[str, str]] = {item.name: {} for item in recordings}
    for group in GROUPS:
        index = [i for i, item in enumerate(recordings) if item.group == group]
        metrics[group] = {"tracks": len(index)}
        for method, rest in rests.items():
            result = score([recordings[i] for i in index], [rest[i] for i in index])
            for i, label in zip(index, result.pop("given"), strict=True):
                given[recordings[i].name][method] = label
            metrics[group][method] = result
    metrics["left_out"] = left_out
    Path(out).mkdir(parents=True, exist_ok=True)
    (Path(out) / "metrics.json").write_text(json.dumps(metrics, indent=2) + "\n")
    with (Path(out) / "behavior.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["track", "recorded", "ours", "threshold"])
        writer.writerows([r.name, r.label, given[r.name]["ours"], given[r.name]["threshold"]] for r in recordings)
    print(format_tables(metrics))
    return metrics


def format_tables(metrics: dict[str, Any]) -> str:
    """Return the confusion of every group and method as text."""
    lines = []
    for group in GROUPS:
        result = metrics[group]
        for method in ("ours", "threshold"):
            s = result[method]
            lines.append(
                f"{group}, {result['tracks']} tracks, {method}: accuracy {s['accuracy']:.3f}, "
                f"{s['changes_per_minute']:.1f} changes a minute"
            )
            lines.append("  recorded".ljust(14) + "".join(label.rjust(10) for label in LABELS))
            lines += [
                f"  {label}".ljust(14) + "".join(f"{s['confusion'][label][other]:10d}" for other in LABELS)
                for label in LABELS
            ]
    lines.append(f"left out for being shorter than {LEAST:.1f} s: {', '.join(metrics['left_out']) or 'none'}")
    return "\n".join(lines)
