"""Scores the tracker in the simulated district, beside a plain tracker: ``./twin eval tracking --format sim``."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
from scipy.stats import chi2

from twin_common.district import load_district
from twin_tracking.config import TrackerConfig
from twin_tracking.evaluation.boxes import near_in_frames, nearness
from twin_tracking.evaluation.metrics import (
    TrackedSequence,
    best_pairs,
    clear_mot,
    hota,
    identity,
    judged,
)
from twin_tracking.evaluation.sim_run import Observation, Outcome, Rows, run_scene
from twin_tracking.evaluation.sim_scenes import SCENES, Course, Scene, run_course

#: Seeds of the reported figures; everything is tuned on seeds below 1000.
HELD_OUT = (20_000, 20_001)
_MATCHED = 0.5
_MOVES = 0.3  # m/s
_INDEPENDENT = 1.0  # s between errors that count as independent


@dataclass(frozen=True, slots=True)
class SceneScores:
    """Figures of one tracker in one scene.

    ``nees`` is divided by its degrees of freedom: 1 where the covariance is right, with its 95 % bounds;
    ``nees_moving``: of what truly moves.
    """

    idf1: float
    hota: float
    mota: float
    switches: int
    position_rmse: float
    speed_rmse: float
    velocity_rmse: float
    nees: float
    nees_low: float
    nees_high: float
    nees_moving: float
    objects: int


def _sequence(outcome: Outcome, rows: Rows, match: float) -> tuple[TrackedSequence, np.ndarray]:
    """Return all truth and all tracks of a run, and which truth is asked for."""
    truth = outcome.truth
    stamps = np.unique(truth.column("stamp"))
    frames = [np.searchsorted(stamps, part.column("stamp")) for part in (truth, rows)]
    places = [np.pad(part.column("position"), ((0, 0), (0, 5))) for part in (truth, rows)]
    i, j = near_in_frames(frames[0], places[0], frames[1], places[1], 2 * match)
    alike = nearness(match / _MATCHED)(places[0][i], places[1][j])
    some = alike > 0
    return (
        TrackedSequence(frames[0], truth.column("id"), frames[1], rows.column("id"), i[some], j[some], alike[some]),
        truth.column("asked"),
    )


def score(outcomes: Sequence[Outcome], rows: Sequence[Rows], match: float) -> SceneScores:
    """Return the figures of one tracker over runs of a scene."""
    sequences, errors, speeds, velocities, nees, moves, samples, objects = [], [], [], [], [], [], 0, 0
    for outcome, tracks in zip(outcomes, rows, strict=True):
        sequence, asked = _sequence(outcome, tracks, match)
        sequences.append(judged(sequence, ~asked, np.zeros(len(sequence.track_id), bool), _MATCHED))
        fits = np.flatnonzero(sequence.similarity >= _MATCHED)
        fits = fits[best_pairs(sequence.truth[fits], sequence.track[fits], sequence.similarity[fits])]
        fits = fits[asked[sequence.truth[fits]]]
        truth, track = sequence.truth[fits], sequence.track[fits]
        position = tracks.column("position")[track] - outcome.truth.column("position")[truth]
        true_velocity, velocity = outcome.truth.column("velocity")[truth], tracks.column("velocity")[track]
        error = np.column_stack([position, velocity - true_velocity])
        spread = tracks.column("covariance")[track]
        errors.append((position**2).sum(axis=1))
        velocities.append(((velocity - true_velocity) ** 2).sum(axis=1))
        speeds.append((np.hypot(*velocity.T) - np.hypot(*true_velocity.T)) ** 2)
        nees.append(np.einsum("ki,ki->k", error, np.linalg.solve(spread, error[..., None])[..., 0]))
        moves.append(np.hypot(*true_velocity.T) > _MOVES)
        seconds = outcome.truth.column("stamp")[truth] // round(_INDEPENDENT * 1e9)
        samples += len(np.unique(np.column_stack([sequence.truth_id[truth], seconds]), axis=0))
        objects += len(np.unique(outcome.truth.column("id")[asked]))
    clear = clear_mot(sequences, _MATCHED)
    low, high = chi2.ppf([0.025, 0.975], 4 * max(samples, 1)) / (4 * max(samples, 1))
    position_rmse, speed_rmse, velocity_rmse = (
        float(np.sqrt(np.concatenate(part).mean())) for part in (errors, speeds, velocities)
    )
    ratio, moving = np.concatenate(nees) / 4, np.concatenate(moves)
    return SceneScores(
        identity(sequences, _MATCHED).idf1, hota(sequences).hota, clear.mota, clear.switches, position_rmse,
        speed_rmse, velocity_rmse, float(ratio.mean()), float(low), float(high),
        float(ratio[moving].mean()) if moving.any() else float("nan"), objects,
    )  # fmt: skip


def evaluate_scenes(
    scenes: Sequence[Scene], seeds: Sequence[int], root: Path, config: TrackerConfig | None = None
) -> dict[str, dict[str, SceneScores]]:
    """Return the figures of both trackers by scene; ``root``: the project's folder."""
    district = load_district(root / "config" / "districts" / "sangmu" / "district.yaml")
    config = config or TrackerConfig()
    courses: dict[tuple[str, int], Course] = {}
    results = {}
    for scene in scenes:
        outcomes = []
        for seed in seeds:
            if scene.lidar:
                from twin_tracking.evaluation.sim_lidar import LidarObservation  # the detector's network, only here

                outcomes.append(
                    run_scene(LidarObservation(scene, district, seed, root / "config" / "scenarios"), config)
                )
                continue
            key = f"{scene.scenario} {scene.overrides} {scene.skip} {scene.seconds}", seed
            if key not in courses:
                courses[key] = run_course(root / "config" / "scenarios", scene, seed)
            outcomes.append(run_scene(Observation(scene, courses[key], district, seed), config))
        results[scene.name] = {
            "tracker": score(outcomes, [one.tracks for one in outcomes], scene.match),
            "peer": score(outcomes, [one.peer for one in outcomes], scene.match),
        }
        print(_line(scene.name, results[scene.name]), flush=True)
    return results


HEADER = (
    "| scene | objects | IDF1 | HOTA | switches | position RMSE | speed RMSE | NEES/4 (95 % bounds) | moving "
    "| peer: IDF1 | HOTA | switches | position | speed |\n" + "| --- " * 14 + "|"
)


def _line(name: str, scores: dict[str, SceneScores]) -> str:
    ours, peer = scores["tracker"], scores["peer"]
    return (
        f"| {name} | {ours.objects} | {ours.idf1:.3f} | {ours.hota:.3f} | {ours.switches} | {ours.position_rmse:.3f} m "
        f"| {ours.speed_rmse:.3f} m/s | {ours.nees:.2f} ({ours.nees_low:.2f}-{ours.nees_high:.2f}) "
        f"| {ours.nees_moving:.2f} | {peer.idf1:.3f} "
        f"| {peer.hota:.3f} | {peer.switches} | {peer.position_rmse:.3f} m | {peer.speed_rmse:.3f} m/s |"
    )


def evaluate_sim(out: Path, seeds: Sequence[int] = HELD_OUT, names: Sequence[str] = ()) -> int:
    """Run the scenes (all, or those whose names hold one of ``names``), print the table, write ``out/metrics.json``."""
    root = Path(os.environ["TWIN_ROOT"])
    chosen = [scene for scene in SCENES if not names or any(name in scene.name for name in names)]
    print(HEADER)
    results = evaluate_scenes(chosen, seeds, root)
    out.mkdir(parents=True, exist_ok=True)
    figures = {name: {who: asdict(one) for who, one in scores.items()} for name, scores in results.items()}
    (out / "metrics.json").write_text(json.dumps({"seeds": list(seeds), "scenes": figures}, indent=2) + "\n")
    return 0


__all__ = ["HELD_OUT", "evaluate_scenes", "evaluate_sim", "replace", "score"]
