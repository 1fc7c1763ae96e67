"""Scores detection on the KITTI tracking benchmark: ours, learned and by rules, beside two peers in the same run.

``docs/evaluation.md`` says what is asked for, what counts, and why.
"""

from __future__ import annotations

import dataclasses
import json
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.progress import track
from rich.table import Table

from twin_common import registry
from twin_replay.baselines import DbscanDetector
from twin_replay.core import kitti
from twin_replay.core.detection_scores import (
    FrameMatches,
    RankedFrame,
    average_precision,
    best_level,
    match_frame,
    rank_frame,
    summarize,
)
from twin_replay.core.protocol import FrameTruth, Protocol, frame_truth, judged
from twin_replay.kitti_play import PLATFORM, Found, Results, found_of, played
from twin_replay.miss_pictures import draw_misses

LEARNED, RULES, DBSCAN, POINT_RCNN = "ours, learned", "ours, rules", "Open3D DBSCAN + box", "PointRCNN (given)"
#: Name of the folder with a method's raw results.
FOLDERS = {LEARNED: "learned", RULES: "rules", DBSCAN: "dbscan", POINT_RCNN: "pointrcnn"}
PROTOCOL = Protocol()
NODES = ("twin_detection.lidar_detector_node:LidarDetector",)
#: Least existence that ours report when the whole curve is asked for.
LOWEST = 0.05
#: Least scores at which each method is asked for one recall and one precision: of ours what may begin a track, of the
#: others what they report by themselves.
WORKING = {LEARNED: 0.45, RULES: 0.45, DBSCAN: 0.0, POINT_RCNN: 0.0}
#: Kinds of PointRCNN's files that are vehicles.
_GIVEN = "Car"
_SHOWN = ("ap", "f1", "recall", "precision", "position_error", "position_error_p90", "best_f1", "fps")

Method = Callable[[kitti.TrackingSequence], Results]


def evaluate_detection(data: Path, out: Path, sequences: Sequence[str] | None = None) -> dict[str, Any]:
    """Score all methods; print the figures, write them, the raw results and pictures of typical misses to ``out``.

    Raises:
        KittiError: ``data`` has no scans or a file of it is broken.

    """
    names = list(kitti.sequences(data) if sequences is None else sequences)
    chosen = [kitti.TrackingSequence(data, name) for name in names]
    methods = _methods(chosen)
    metrics: dict[str, Any] = {"protocol": dataclasses.asdict(PROTOCOL), "sequences": names}
    truths = {sequence.name: list(_truths(sequence)) for sequence in chosen}
    for name, method in methods.items():
        frames: list[tuple[FrameTruth, Found, kitti.TrackingSequence]] = []
        seconds: list[float] = []
        for sequence in chosen:
            results = method(sequence)
            results.write(out / FOLDERS[name] / "data" / f"{sequence.name}.txt", sequence.calibration)
            seconds += results.seconds
            frames += [
                (truth, found, sequence) for truth, found in zip(truths[sequence.name], results.found, strict=True)
            ]
            if name == LEARNED:
                draw_misses(sequence, results, truths[sequence.name], WORKING[name], PROTOCOL, out / "misses")
        metrics[name] = _figures(frames, WORKING[name]) | {"fps": _rate(seconds)}
    _publish(metrics, list(methods), out)
    return metrics


def _methods(sequences: Sequence[kitti.TrackingSequence]) -> dict[str, Method]:
    """Return the methods that can run: PointRCNN's only where its results are given for every sequence."""
    methods: dict[str, Method] = {
        LEARNED: lambda sequence: _ours(sequence, "learned"),
        RULES: lambda sequence: _ours(sequence, "rules"),
        DBSCAN: detect_baseline,
    }
    if all(_given_path(sequence).is_file() for sequence in sequences):
        methods[POINT_RCNN] = _given
    return methods


def _truths(sequence: kitti.TrackingSequence) -> Iterator[FrameTruth]:
    for frame in sequence.frames:
        yield frame_truth(sequence.labels, frame, sequence.calibration, sequence.scan(frame).xyz, PROTOCOL)


def _figures(frames: list[tuple[FrameTruth, Found, kitti.TrackingSequence]], level: float) -> dict[str, Any]:
    """Return the figures at a method's own level, its average precision and the best F1 over all levels."""
    matches = [_matched(truth, found, sequence, level) for truth, found, sequence in frames]
    ranked = [_ranked(truth, found, sequence) for truth, found, sequence in frames]
    best = best_level(ranked)
    figures = dataclasses.asdict(summarize(matches)) | {"ap": average_precision(ranked), "best_f1": best.f1}
    figures |= {"best_f1_level": best.level, "level": level}
    return {key: value if isinstance(value, int) else round(float(value), 4) for key, value in figures.items()}


def _matched(truth: FrameTruth, found: Found, sequence: kitti.TrackingSequence, level: float) -> FrameMatches:
    centres = found.boxes[found.vehicle & (found.score >= level), :3]
    counted = judged(centres, sequence.calibration, truth.dont_care, PROTOCOL)
    return match_frame(truth.boxes[:, :2], truth.must, centres[:, :2], counted, PROTOCOL.match_distance)


def _ranked(truth: FrameTruth, found: Found, sequence: kitti.TrackingSequence) -> RankedFrame:
    centres, score = found.boxes[found.vehicle, :3], found.score[found.vehicle]
    counted = judged(centres, sequence.calibration, truth.dont_care, PROTOCOL)
    return rank_frame(truth.boxes[:, :2], truth.must, centres[:, :2], score, counted, PROTOCOL.match_distance)


def _ours(sequence: kitti.TrackingSequence, method: str) -> Results:
    """Run the detector's node over a sequence, with everything it finds however doubtful."""
    objects: list[Any] = []

    def observe(topic: str, _type: str, _time_ns: int, message: Any) -> None:
        if topic == registry.topic("lidar_objects").resolve(PLATFORM):
            objects.append(message["objects"])

    results = Results()
    least = {"min_existence": LOWEST, "learned_min_existence": LOWEST}
    for frame, seconds in played(sequence, NODES, observe, {"method": method, **least}):
        if len(objects) != len(results.frames) + 1:
            raise RuntimeError(f"sequence {sequence.name}, frame {frame}: the detector gave no objects for its scan")
        found = objects[-1]
        boxes = np.column_stack([found[name] for name in ("x", "y", "z", "length", "width", "height", "yaw")])
        results.add(frame, found_of(boxes, found["classification"], found["existence"], None), seconds)
    return results


def detect_baseline(sequence: kitti.TrackingSequence) -> Results:
    """Run Open3D's plane removal and DBSCAN over a sequence."""
    detector, results = DbscanDetector(), Results()
    for frame in track(sequence.frames, f"baseline on {sequence.name}", console=Console(stderr=True), transient=True):
        xyz = sequence.scan(frame).xyz
        started = time.perf_counter()
        boxes, counts = detector.detect(xyz)
        seconds = time.perf_counter() - started
        results.add(frame, found_of(boxes, np.ones(len(boxes), int), counts / (counts + 100.0), None), seconds)
    return results


def _given_path(sequence: kitti.TrackingSequence) -> Path:
    return sequence.root / "det_pointrcnn" / _GIVEN / f"{sequence.name}.txt"


def _given(sequence: kitti.TrackingSequence) -> Results:
    """Return the detections that came with the recordings; they took no time here."""
    given = kitti.read_detections(_given_path(sequence), _GIVEN)
    boxes, results = given.in_lidar(sequence.calibration), Results()
    for frame in sequence.frames:
        here = given.frame == frame
        results.add(frame, found_of(boxes[here], np.ones(int(here.sum()), int), given.score[here], None), 0.0)
    return results


def _rate(seconds: Sequence[float]) -> float:
    return round(len(seconds) / sum(seconds), 4) if sum(seconds) else float("nan")


def _publish(metrics: dict[str, Any], methods: Sequence[str], out: Path) -> None:
    """Print a table and write metrics.json."""
    out.mkdir(parents=True, exist_ok=True)
    (out / "metrics.json").write_text(json.dumps(metrics, indent=2) + "\n")
    asked = f"{' and '.join(PROTOCOL.kinds)}, within {PROTOCOL.max_range:g} m, at least {PROTOCOL.min_points} points"
    title = f"detection on KITTI tracking {', '.join(metrics['sequences'])}: {asked}; a match lies within 1 m"
    table = Table("method", *(name.replace("_", " ") for name in _SHOWN), title=title, title_justify="left")
    for name in methods:
        table.add_row(name, *(f"{metrics[name][key]:.3f}".rstrip("0").rstrip(".") for key in _SHOWN))
    Console(width=140).print(table)
