"""Scores tracking on the KITTI tracking benchmark, beside a baseline in the same run.

``docs/evaluation.md`` says what is asked for, what counts, and why.
"""

from __future__ import annotations

import dataclasses
import json
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table
from scipy.spatial.transform import Rotation

from twin_common import registry
from twin_common.core import geodesy, geometry
from twin_replay import kitti_import
from twin_replay.baselines import NearestNeighbourTracker
from twin_replay.core import kitti
from twin_replay.core.protocol import FrameTruth, Protocol, frame_truth, judged
from twin_replay.core.tracking_scores import TrackingJudge
from twin_replay.detection_evaluation import detect_baseline
from twin_replay.kitti_play import Results, found_of, played

OURS, BASELINE = "ours", "baseline"
PROTOCOL = Protocol()
TRACKING_NODES = (
    "twin_localization.frames_node:Frames", "twin_localization.localizer_node:Localizer",
    "twin_detection.lidar_detector_node:LidarDetector",
    "twin_fusion.fusion_node:Fusion", "twin_fusion.merger_node:Merger", "twin_tracking.tracker_node:Tracker",
)  # fmt: skip


def evaluate_tracking(data: Path, out: Path, sequences: Sequence[str] | None = None) -> dict[str, Any]:
    """Score our nodes from scan to track and the baseline; print the figures, write them and the raw results.

    Raises:
        KittiError: ``data`` has no scans or a file of it is broken.

    """
    methods = {OURS: _track_ours, BASELINE: _track_baseline}
    judges = {name: TrackingJudge(PROTOCOL.match_distance) for name in methods}
    speed: dict[str, list[float]] = {name: [] for name in methods}
    for number, sequence in enumerate(_sequences(data, sequences)):
        truths = _truths(sequence)
        for name, method in methods.items():
            results = method(sequence)
            results.write(out / name / "data" / f"{sequence.name}.txt", sequence.calibration)
            speed[name] += results.seconds
            for truth, found in zip(truths, results.found, strict=True):
                chosen = found.vehicle & (found.track_id > 0)
                centres = found.boxes[chosen, :3]
                counted = judged(centres, sequence.calibration, truth.dont_care, PROTOCOL)
                judges[name].add(
                    truth.track_id + number * 1_000_000, truth.boxes[:, :2], truth.must,
                    found.track_id[chosen] + number * 1_000_000, centres[:, :2], counted,
                )  # fmt: skip
    metrics = _header(data, sequences)
    for name, judge in judges.items():
        figures = dataclasses.asdict(judge.scores()) | {"fps": len(speed[name]) / sum(speed[name])}
        metrics[name] = {key: _rounded(value) for key, value in figures.items()}
    shown = ("mota", "id_switches", "idf1", "fragmentations", "recall", "precision", "motp", "fps")
    _publish(metrics, out, "tracking", shown)
    return metrics


def _sequences(data: Path, names: Sequence[str] | None) -> Iterator[kitti.TrackingSequence]:
    for name in kitti.sequences(data) if names is None else names:
        yield kitti.TrackingSequence(data, name)


def _truths(sequence: kitti.TrackingSequence) -> list[FrameTruth]:
    return [
        frame_truth(sequence.labels, frame, sequence.calibration, sequence.scan(frame).xyz, PROTOCOL)
        for frame in sequence.frames
    ]


def _track_ours(sequence: kitti.TrackingSequence) -> Results:
    """Run the nodes from scan to track; bring the tracks back to each frame's stamp and LiDAR frame."""
    newest: dict[int, Any] = {}

    def observe(topic: str, _type: str, _time_ns: int, message: Any) -> None:
        if topic == registry.topic("tracks").name:
            newest[message.stamp_ns] = message["tracks"]

    spent = dict(played(sequence, TRACKING_NODES, observe))
    poses = map_from_lidar(sequence)
    results = Results()
    for frame in sequence.frames:
        stamp_ns = kitti.scan_stamp_ns(frame)
        tracks = newest.get(stamp_ns)
        if tracks is None:
            results.add(
                frame, found_of(np.zeros((0, 7)), np.zeros(0, int), np.zeros(0), np.zeros(0, int)), spent[frame]
            )
            continue
        tracks = tracks[tracks["state"] == 1]
        back = (kitti.frame_stamp_ns(frame) - stamp_ns) / 1e9
        boxes = np.column_stack([tracks[name] for name in ("x", "y", "z", "length", "width", "height", "yaw")])
        boxes[:, 0] += back * tracks["velocity_x"]
        boxes[:, 1] += back * tracks["velocity_y"]
        lidar_from_map = geometry.inverse(poses[frame])
        boxes[:, :3] = geometry.apply(lidar_from_map, boxes[:, :3])
        boxes[:, 6] += geometry.yaw_of(lidar_from_map)
        found = found_of(boxes, tracks["classification"], tracks["existence"], tracks["track_id"].astype(int))
        results.add(frame, found, spent[frame])
    return results


def _track_baseline(sequence: kitti.TrackingSequence) -> Results:
    results, poses, tracker = detect_baseline(sequence), map_from_lidar(sequence), NearestNeighbourTracker()
    for index, (frame, found) in enumerate(zip(results.frames, results.found, strict=True)):
        started = time.perf_counter()
        found.track_id = tracker.step(geometry.apply(poses[frame], found.boxes[:, :3])[:, :2])
        results.seconds[index] += time.perf_counter() - started
    return results


def map_from_lidar(sequence: kitti.TrackingSequence) -> dict[int, np.ndarray]:
    """Return the recorded pose of the LiDAR at each frame's stamp, map frame as ``import-kitti`` sets it up."""
    oxts = sequence.oxts
    mounts = kitti_import.sensor_mounts(sequence.calibration)
    datum = kitti_import.district_of(sequence, mounts, with_camera=False)["datum"]
    place = geodesy.Datum(**datum).to_map(oxts.latitude, oxts.longitude, oxts.altitude)
    imu_from_lidar = geometry.inverse(sequence.calibration.lidar_from_imu)
    return {
        frame: geometry.transform(
            place[frame], Rotation.from_euler("xyz", (oxts.roll[frame], oxts.pitch[frame], oxts.yaw[frame]))
        )
        @ imu_from_lidar
        for frame in sequence.frames
    }


def _header(data: Path, sequences: Sequence[str] | None) -> dict[str, Any]:
    names = list(kitti.sequences(data) if sequences is None else sequences)
    return {"protocol": dataclasses.asdict(PROTOCOL), "sequences": names}


def _rounded(value: float) -> float:
    return value if isinstance(value, int) else round(float(value), 4)


def _publish(metrics: dict[str, Any], out: Path, what: str, shown: Sequence[str]) -> None:
    """Print a table and write metrics.json."""
    out.mkdir(parents=True, exist_ok=True)
    (out / "metrics.json").write_text(json.dumps(metrics, indent=2) + "\n")
    names = ", ".join(metrics["sequences"])
    asked = f"{' and '.join(PROTOCOL.kinds)}, within {PROTOCOL.max_range:g} m, at least {PROTOCOL.min_points} points"
    table = Table("method", *shown, title=f"{what} on KITTI tracking {names}: {asked}", title_justify="left")
    for name in (OURS, BASELINE):
        table.add_row(name, *(f"{metrics[name][key]:.3f}".rstrip("0").rstrip(".") for key in shown))
    Console(width=120).print(table)
