"""Scores detection and tracking on the KITTI tracking benchmark, beside a baseline in the same run.

``docs/evaluation.md`` says what is asked for, what counts, and why.
"""

from __future__ import annotations

import dataclasses
import json
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from rich.console import Console
from rich.progress import track
from rich.table import Table
from scipy.spatial.transform import Rotation

from twin_common import registry
from twin_common.codecs import codec_for
from twin_common.core import geodesy, geometry
from twin_common.lockstep import LockstepHost
from twin_common.node_spec import NodeSpec
from twin_replay import kitti_import
from twin_replay.baselines import DbscanDetector, NearestNeighbourTracker
from twin_replay.core import kitti, kitti_results
from twin_replay.core.detection_scores import DetectionScores, FrameMatches, match_frame, summarize
from twin_replay.core.protocol import FrameTruth, Protocol, frame_truth, judged
from twin_replay.core.tracking_scores import TrackingJudge

OURS, BASELINE = "ours", "baseline"
PROTOCOL = Protocol()
PLATFORM = kitti_import.PLATFORM
VEHICLES = (1, 2, 3)
#: Names of the benchmark for ObjectClass; a class without one is not written.
KINDS = {1: "Car", 2: "Truck", 3: "Truck", 4: "Cyclist", 5: "Cyclist", 6: "Cyclist", 7: "Pedestrian"}
DETECTION_NODES = ("twin_detection.lidar_detector_node:LidarDetector",)
TRACKING_NODES = (
    "twin_localization.frames_node:Frames", "twin_localization.localizer_node:Localizer", *DETECTION_NODES,
    "twin_fusion.fusion_node:Fusion", "twin_fusion.merger_node:Merger", "twin_tracking.tracker_node:Tracker",
)  # fmt: skip
#: Least existence at which the precision and recall of our detector are also given.
LEVELS = (0.5, 0.6, 0.7, 0.8, 0.9)


@dataclass(slots=True)
class Found:
    """What one method says of one frame, LiDAR frame at the frame's stamp.

    ``boxes``: (D, 7); ``kind``: names of the benchmark; ``vehicle``: (D,) bool, is scored; ``score``: (D,);
    ``track_id``: (D,), -1 where there is none.
    """

    boxes: np.ndarray
    kind: list[str]
    vehicle: np.ndarray
    score: np.ndarray
    track_id: np.ndarray


@dataclass(slots=True)
class Results:
    """What one method found in one sequence, and how long it took."""

    frames: list[int] = field(default_factory=list)
    found: list[Found] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)

    def add(self, frame: int, found: Found, seconds: float) -> None:
        """Append one frame."""
        self.frames.append(frame)
        self.found.append(found)
        self.seconds.append(seconds)

    @property
    def frames_per_second(self) -> float:
        """Frames over the time spent on them, reading excluded."""
        return len(self.seconds) / sum(self.seconds) if self.seconds else float("nan")

    def write(self, path: Path, calibration: kitti.Calibration) -> None:
        """Write all frames as text of the benchmark; what lies behind the camera is left out."""
        boxes = np.concatenate([found.boxes for found in self.found]) if self.found else np.zeros((0, 7))
        rows = kitti_results.boxes_from_lidar(
            calibration, np.repeat(self.frames, [len(found.boxes) for found in self.found]),
            np.concatenate([found.track_id for found in self.found] or [np.zeros(0)]),
            [kind for found in self.found for kind in found.kind], boxes,
            np.concatenate([found.score for found in self.found] or [np.zeros(0)]),
        )  # fmt: skip
        kitti_results.write_labels(path, rows.select(np.isfinite(rows.image_box).all(axis=1)))


def evaluate_detection(data: Path, out: Path, sequences: Sequence[str] | None = None) -> dict[str, Any]:
    """Score our LiDAR detector and the baseline; print the figures, write them and the raw results to ``out``.

    Raises:
        KittiError: ``data`` has no scans or a file of it is broken.

    """
    methods = {OURS: _detect_ours, BASELINE: _detect_baseline}
    matches: dict[str, list[FrameMatches]] = {name: [] for name in methods}
    levels: dict[float, list[FrameMatches]] = {level: [] for level in LEVELS}
    speed: dict[str, list[float]] = {name: [] for name in methods}
    for sequence in _sequences(data, sequences):
        truths = _truths(sequence)
        for name, method in methods.items():
            results = method(sequence)
            results.write(out / name / "data" / f"{sequence.name}.txt", sequence.calibration)
            speed[name] += results.seconds
            pairs = list(zip(truths, results.found, strict=True))
            matches[name] += [_matched(truth, found, sequence) for truth, found in pairs]
            if name == OURS:
                for level in LEVELS:
                    levels[level] += [_matched(truth, found, sequence, level) for truth, found in pairs]
    metrics = _header(data, sequences)
    for name, frames in matches.items():
        figures = dataclasses.asdict(summarize(frames)) | {"fps": len(speed[name]) / sum(speed[name])}
        metrics[name] = {key: _rounded(value) for key, value in figures.items()}
    metrics["levels"] = {str(level): _level(summarize(frames)) for level, frames in levels.items()}
    _publish(metrics, out, "detection", ("recall", "precision", "f1", "position_error", "position_error_p90", "fps"))
    return metrics


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


def _matched(truth: FrameTruth, found: Found, sequence: kitti.TrackingSequence, level: float = 0.0) -> FrameMatches:
    centres = found.boxes[found.vehicle & (found.score >= level), :3]
    counted = judged(centres, sequence.calibration, truth.dont_care, PROTOCOL)
    return match_frame(truth.boxes[:, :2], truth.must, centres[:, :2], counted, PROTOCOL.match_distance)


def _detect_ours(sequence: kitti.TrackingSequence) -> Results:
    objects: list[Any] = []

    def observe(topic: str, _type: str, _time_ns: int, message: Any) -> None:
        if topic == registry.topic("lidar_objects").resolve(PLATFORM):
            objects.append(message["objects"])

    results = Results()
    for frame, seconds in _play(sequence, DETECTION_NODES, observe):
        if len(objects) != len(results.frames) + 1:
            raise RuntimeError(f"sequence {sequence.name}, frame {frame}: the detector gave no objects for its scan")
        found = objects[-1]
        boxes = np.column_stack([found[name] for name in ("x", "y", "z", "length", "width", "height", "yaw")])
        results.add(frame, _found(boxes, found["classification"], found["existence"], None), seconds)
    return results


def _track_ours(sequence: kitti.TrackingSequence) -> Results:
    """Run the nodes from scan to track; bring the tracks back to each frame's stamp and LiDAR frame."""
    newest: dict[int, Any] = {}

    def observe(topic: str, _type: str, _time_ns: int, message: Any) -> None:
        if topic == registry.topic("tracks").name:
            newest[message.stamp_ns] = message["tracks"]

    spent = dict(_play(sequence, TRACKING_NODES, observe))
    poses = map_from_lidar(sequence)
    results = Results()
    for frame in sequence.frames:
        stamp_ns = kitti.scan_stamp_ns(frame)
        tracks = newest.get(stamp_ns)
        if tracks is None:
            results.add(frame, _found(np.zeros((0, 7)), np.zeros(0, int), np.zeros(0), np.zeros(0, int)), spent[frame])
            continue
        tracks = tracks[tracks["state"] == 1]
        back = (kitti.frame_stamp_ns(frame) - stamp_ns) / 1e9
        boxes = np.column_stack([tracks[name] for name in ("x", "y", "z", "length", "width", "height", "yaw")])
        boxes[:, 0] += back * tracks["velocity_x"]
        boxes[:, 1] += back * tracks["velocity_y"]
        lidar_from_map = geometry.inverse(poses[frame])
        boxes[:, :3] = geometry.apply(lidar_from_map, boxes[:, :3])
        boxes[:, 6] += geometry.yaw_of(lidar_from_map)
        found = _found(boxes, tracks["classification"], tracks["existence"], tracks["track_id"].astype(int))
        results.add(frame, found, spent[frame])
    return results


def _detect_baseline(sequence: kitti.TrackingSequence) -> Results:
    detector, results = DbscanDetector(), Results()
    for frame in track(sequence.frames, f"baseline on {sequence.name}", console=Console(stderr=True), transient=True):
        xyz = sequence.scan(frame).xyz
        started = time.perf_counter()
        boxes, counts = detector.detect(xyz)
        seconds = time.perf_counter() - started
        results.add(frame, _found(boxes, np.ones(len(boxes), int), counts / (counts + 100.0), None), seconds)
    return results


def _track_baseline(sequence: kitti.TrackingSequence) -> Results:
    results, poses, tracker = _detect_baseline(sequence), map_from_lidar(sequence), NearestNeighbourTracker()
    for index, (frame, found) in enumerate(zip(results.frames, results.found, strict=True)):
        started = time.perf_counter()
        found.track_id = tracker.step(geometry.apply(poses[frame], found.boxes[:, :3])[:, :2])
        results.seconds[index] += time.perf_counter() - started
    return results


def _found(boxes: np.ndarray, label: np.ndarray, score: np.ndarray, track_id: np.ndarray | None) -> Found:
    named = np.isin(label, list(KINDS))
    kinds = [KINDS[int(number)] for number in label[named]]
    identity = np.full(len(label), -1) if track_id is None else track_id
    return Found(boxes[named], kinds, np.isin(label[named], VEHICLES), score[named].astype(float), identity[named])


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


def _play(
    sequence: kitti.TrackingSequence, components: Sequence[str], observe: Callable[[str, str, int, Any], None]
) -> Iterator[tuple[int, float]]:
    """Feed a sequence to nodes in lockstep; yield each frame after its scan, and the time the nodes took, s."""
    mounts = kitti_import.sensor_mounts(sequence.calibration)
    district = kitti_import.district_of(sequence, mounts, with_camera=False)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "district.yaml"
        path.write_text(yaml.safe_dump(district, sort_keys=False))
        host = LockstepHost([_node(component, path, district) for component in components], observe)
        shown = track(sequence.frames, f"ours on {sequence.name}", console=Console(stderr=True), transient=True)
        frames, spent = iter(sequence.frames), 0.0
        for time_ns, key, message in kitti_import.messages_in_order(sequence, sequence.oxts, shown):
            topic = registry.topic(key).resolve(PLATFORM)
            if topic not in host.input_topics:
                continue
            buffer = codec_for(registry.topic(key).type_name).encode(message)
            started = time.perf_counter()
            host.feed(topic, time_ns, buffer)
            spent += time.perf_counter() - started
            if key == "lidar_points":
                yield next(frames), spent
                spent = 0.0
        host.close()


def _node(component: str, district_path: Path, district: dict[str, Any]) -> NodeSpec:
    """Return a node with the parameters and topics that the graph of this district gives it."""
    mount = district["platforms"][0]["lidar"]["mount"]
    values: dict[str, Any] = {
        "platform": PLATFORM, "platforms": (PLATFORM,), "district": str(district_path), "mode": "moving",
        "sensor_height": mount["z"], "roll_deg": mount["roll_deg"], "pitch_deg": mount["pitch_deg"],
    }  # fmt: skip
    name = component.rpartition(":")[2].lower()
    made = NodeSpec(component, name, f"/{PLATFORM}").component_class()
    known = {item.name for item in dataclasses.fields(made.Config)}
    topics = {f"~/output/{item.name}": registry.topic(item.topic).resolve(PLATFORM) for item in made.outputs}
    for item in made.inputs:
        private = f"~/input/{item.name}" + (f"/{PLATFORM}" if item.each_platform else "")
        topics[private] = registry.topic(item.topic).resolve(PLATFORM)
    parameters = {key: value for key, value in values.items() if key in known}
    return NodeSpec(component, name, f"/{PLATFORM}", parameters, topics)


def _header(data: Path, sequences: Sequence[str] | None) -> dict[str, Any]:
    names = list(kitti.sequences(data) if sequences is None else sequences)
    return {"protocol": dataclasses.asdict(PROTOCOL), "sequences": names}


def _level(scores: DetectionScores) -> dict[str, Any]:
    return {key: _rounded(getattr(scores, key)) for key in ("recall", "precision", "f1")}


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
