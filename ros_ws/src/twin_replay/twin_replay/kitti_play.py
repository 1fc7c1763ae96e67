"""Feeds sequences of the KITTI tracking benchmark to nodes in lockstep, and keeps what methods find in them."""

from __future__ import annotations

import dataclasses
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from rich.console import Console
from rich.progress import track

from twin_common import registry
from twin_common.codecs import codec_for
from twin_common.district import load_district
from twin_common.lockstep import LockstepHost
from twin_common.node_spec import NodeSpec
from twin_replay import kitti_import
from twin_replay.core import kitti, kitti_results

PLATFORM = kitti_import.PLATFORM
VEHICLES = (1, 2, 3)
#: Names of the benchmark for ObjectClass; a class without one is not written.
KINDS = {1: "Car", 2: "Truck", 3: "Truck", 4: "Cyclist", 5: "Cyclist", 6: "Cyclist", 7: "Pedestrian"}


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


def found_of(boxes: np.ndarray, label: np.ndarray, score: np.ndarray, track_id: np.ndarray | None) -> Found:
    """Return what was found, without classes that the benchmark has no name for.

    ``boxes``: (D, 7); ``label``: (D,) of ObjectClass; ``score``: (D,); ``track_id``: (D,), None: none.
    """
    named = np.isin(label, list(KINDS))
    kinds = [KINDS[int(number)] for number in label[named]]
    identity = np.full(len(label), -1) if track_id is None else track_id
    return Found(boxes[named], kinds, np.isin(label[named], VEHICLES), score[named].astype(float), identity[named])


def played(
    sequence: kitti.TrackingSequence, components: Sequence[str], observe: Callable[[str, str, int, Any], None],
    changes: Mapping[str, Any] | None = None,
) -> Iterator[tuple[int, float]]:  # fmt: skip
    """Feed a sequence to nodes in lockstep; yield each frame after its scan, and the time the nodes took, s.

    ``changes``: parameters of nodes that have them, in place of their defaults.
    """
    mounts = kitti_import.sensor_mounts(sequence.calibration)
    district = kitti_import.district_of(sequence, mounts, with_camera=False)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "district.yaml"
        path.write_text(yaml.safe_dump(district, sort_keys=False))
        (platform,) = load_district(path).platforms
        values = {"platforms": (PLATFORM,), "district": str(path), **platform.parameters(), **(changes or {})}
        host = LockstepHost([_node(component, values) for component in components], observe)
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


def _node(component: str, values: Mapping[str, Any]) -> NodeSpec:
    """Return a node with those of the values that it has parameters for, and the topics that the graph gives it."""
    name = component.rpartition(":")[2].lower()
    made = NodeSpec(component, name, f"/{PLATFORM}").component_class()
    known = {item.name for item in dataclasses.fields(made.Config)}
    topics = {f"~/output/{item.name}": registry.topic(item.topic).resolve(PLATFORM) for item in made.outputs}
    for item in made.inputs:
        private = f"~/input/{item.name}" + (f"/{PLATFORM}" if item.each_platform else "")
        topics[private] = registry.topic(item.topic).resolve(PLATFORM)
    parameters = {key: value for key, value in values.items() if key in known}
    return NodeSpec(component, name, f"/{PLATFORM}", parameters, topics)
