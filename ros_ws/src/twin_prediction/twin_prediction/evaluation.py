"""Scores the prediction on recorded pedestrians (ETH and UCY), with plain constant velocity beside it."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np

from twin_common.config import ConfigError
from twin_prediction.config import PredictionConfig
from twin_prediction.core import scores
from twin_prediction.core.observed import filter_positions
from twin_prediction.core.prediction import predict
from twin_prediction.core.states import STEP, STEPS, TrackStates

OBSERVED = 8
PEDESTRIAN = 7
POSITION_SIGMA = 0.02  # of the annotated positions, metres
FRAMES = 10  # the files count video frames; ten of them are one step of 0.4 s


def read_windows(path: Path) -> np.ndarray:
    """Return all windows of 8 observed and 12 future positions of one scene, (N, 20, 2), metres.

    Raises:
        ConfigError: the file is not rows of frame, id, x, y.

    """
    try:
        rows = np.loadtxt(path, ndmin=2)
    except ValueError as error:
        raise ConfigError(f"{path}: {error}; expected rows of frame, id, x, y") from error
    if rows.shape[1] != 4:
        raise ConfigError(f"{path}: {rows.shape[1]} columns; expected frame, id, x, y")
    length, windows = OBSERVED + STEPS, []
    for person in np.unique(rows[:, 1]):
        track = rows[rows[:, 1] == person]
        track = track[np.argsort(track[:, 0], kind="stable")]
        for start in range(len(track) - length + 1):
            window = track[start : start + length]
            if np.all(np.diff(window[:, 0]) == FRAMES):
                windows.append(window[:, 2:])
    return np.array(windows) if windows else np.zeros((0, length, 2))


def states_of(observed: np.ndarray, config: PredictionConfig) -> TrackStates:
    """Return pedestrian tracks, filtered from their observed positions (N, 8, 2)."""
    density = config.noise_along[PEDESTRIAN]
    state, covariance = filter_positions(observed, STEP, density, POSITION_SIGMA)
    count, zeros = len(state), np.zeros(len(state))
    return TrackStates(
        np.arange(count), state[:, :2], state[:, 2:], covariance, np.arctan2(state[:, 3], state[:, 2]), zeros,
        zeros + 1.0, zeros, np.full(count, PEDESTRIAN),
    )  # fmt: skip


def constant_velocity_baseline(observed: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Extrapolate the last displacement; its covariance is that of the two positions it rests on.

    Returns (N, 12, 2) positions and (N, 12, 2, 2) covariances (Schöller et al. 2020, "What the constant
    velocity model can teach us about pedestrian motion prediction").
    """
    k = np.arange(1, STEPS + 1)
    position = observed[:, -1, None] + k[:, None] * (observed[:, -1] - observed[:, -2])[:, None]
    variance = POSITION_SIGMA**2 * ((1 + k) ** 2 + k**2)
    covariance = np.broadcast_to(variance[:, None, None] * np.eye(2), (len(observed), STEPS, 2, 2))
    return position, covariance


def score(position: np.ndarray, covariance: np.ndarray, actual: np.ndarray) -> dict[str, float]:
    """Return the mean scores of paths (N, 12, 2) against what happened."""
    ade, fde = scores.displacement_errors(position, actual)
    return {
        "ade": float(ade.mean()),
        "fde": float(fde.mean()),
        "nll": float(scores.negative_log_likelihood(position, covariance, actual).mean()),
        "coverage_68": scores.coverage(position, covariance, actual, 0.6827),
        "coverage_95": scores.coverage(position, covariance, actual, 0.95),
    }


def evaluate_scene(windows: np.ndarray, config: PredictionConfig) -> tuple[dict[str, Any], np.ndarray]:
    """Return the scores of a scene, and its raw errors (N, 4): our ADE and FDE, the baseline's ADE and FDE."""
    observed, actual = windows[:, :OBSERVED], windows[:, OBSERVED:]
    paths = predict(states_of(observed, config), config)  # pedestrians have one mode: one path each, in order
    base_position, base_covariance = constant_velocity_baseline(observed)
    raw = np.stack(
        [
            *scores.displacement_errors(paths.position, actual),
            *scores.displacement_errors(base_position, actual),
        ],
        axis=1,
    )
    return {
        "windows": len(windows),
        "ours": score(paths.position, paths.covariance, actual),
        "constant_velocity": score(base_position, base_covariance, actual),
    }, raw


def evaluate_prediction(data: Path, out: Path) -> dict[str, Any]:
    """Score every scene in ``data/eth_ucy``, print a table, write ``metrics.json`` and ``prediction.csv`` to ``out``.

    Raises:
        ConfigError: the recordings are missing or not in their format.

    """
    folder = Path(data) / "eth_ucy"
    files = sorted(folder.glob("*.txt"))
    if not files:
        raise ConfigError(f"{folder}: no *.txt; expected the ETH/UCY pedestrians")
    config = PredictionConfig()
    results = {path.stem: evaluate_scene(read_windows(path), config) for path in files}
    metrics: dict[str, Any] = {"scenes": {name: result for name, (result, _) in results.items()}}
    metrics["mean"] = {
        method: {
            key: float(np.mean([result[method][key] for result, _ in results.values()]))
            for key in ("ade", "fde", "nll", "coverage_68", "coverage_95")
        }
        for method in ("ours", "constant_velocity")
    }
    Path(out).mkdir(parents=True, exist_ok=True)
    (Path(out) / "metrics.json").write_text(json.dumps(metrics, indent=2) + "\n")
    with (Path(out) / "prediction.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["scene", "window", "ade_m", "fde_m", "constant_velocity_ade_m", "constant_velocity_fde_m"])
        for name, (_, raw) in results.items():
            writer.writerows([name, i, *(f"{value:.4f}" for value in row)] for i, row in enumerate(raw))
    print(format_table(metrics))
    return metrics


def format_table(metrics: dict[str, Any]) -> str:
    """Return the scores as text, one line per scene and method."""
    lines = [f"{'scene':16} {'windows':>7} {'method':18} {'ADE m':>6} {'FDE m':>6} {'NLL':>7} {'68 %':>6} {'95 %':>6}"]
    rows = [(name, str(scene["windows"]), scene) for name, scene in metrics["scenes"].items()]
    for name, windows, scene in [*rows, ("mean of scenes", "", metrics["mean"])]:
        for method in ("ours", "constant_velocity"):
            s = scene[method]
            lines.append(
                f"{name:16} {windows:>7} {method:18} {s['ade']:6.2f} {s['fde']:6.2f} {s['nll']:7.2f} "
                f"{s['coverage_68']:6.2f} {s['coverage_95']:6.2f}"
            )
    return "\n".join(lines)
