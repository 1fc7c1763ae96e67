"""Camera and fusion as sources of detections, beside the LiDAR, scored on what lies in the camera's view."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from rich.console import Console

from twin_common.cdr import ArrayMessage, record_dtype
from twin_common.core.geometry import apply, inverse
from twin_detection import camera_convert
from twin_detection.camera_config import CameraDetectorConfig
from twin_detection.camera_network import CameraNetwork
from twin_detection.config import LEARNED
from twin_detection.convert import detections_from_message, message_from_detections
from twin_detection.core.detections import Detections, none_detected
from twin_detection.evaluation import comparison, tables
from twin_detection.evaluation.comparison import BLOCK
from twin_detection.evaluation.lidar_sources import PoleLidar, VehicleLidar
from twin_detection.evaluation.parked import with_parked
from twin_detection.evaluation.plots import draw_gains
from twin_detection.evaluation.scenes import (
    RIDERS,
    Scenes,
    SceneSpec,
    Source,
    View,
    answers,
    repeated,
    wanted_platforms,
)
from twin_detection.evaluation.scoring import GROUPS, Rows, Truth, joined, score_frame, truth_of
from twin_fusion.config import FusionConfig
from twin_fusion.core import camera_bodies
from twin_fusion.core.camera_pairing import View as CameraView
from twin_fusion.core.camera_pairing import image_boxes
from twin_fusion.core.ground_height import Ground
from twin_fusion.core.ground_position import locate
from twin_fusion.core.lens import Lens
from twin_fusion.core.placement import PoseError, add_pose_error
from twin_fusion.core.platform_fusion import PlatformFusion
from twin_sim.core.camera_model import CameraModel
from twin_sim.core.frame import no_actors
from twin_sim.core.scenery import parked_actors
from twin_sim.platform_sensors import Shot, Stage
from twin_sim.sensor_messages import jpeg

OBJECT = "twin_msgs/msg/DetectedObject"
JOINT = "fused"
EVERY = 2  # n-th picture that is scored
_PARKED = 2.0  # metres within which a detection is taken for a parked vehicle
#: The held-out scenarios with seeds of their own, as much as can be drawn in some ten minutes.
CAMERA_SCENES = tuple(replace(spec, duration=12.0) for spec in repeated(190_000, 2))
#: The same for a sensor vehicle.
VEHICLE_SCENES = repeated(200_000, 2, (
    SceneSpec("vehicle_pass", 10_004, "day", ("vehicle_01",)),
    SceneSpec("rush_hour", 10_001, "day", ("vehicle_01",), skip=10.0),
    SceneSpec("rain", 10_006, "rain", ("vehicle_01",), skip=10.0, duration=12.0),
    SceneSpec("rush_hour", 10_008, "day", ("vehicle_01",), skip=10.0, changes=RIDERS),
))  # fmt: skip


def lens_of(model: CameraModel) -> Lens:
    """Return the lens that CameraInfo tells of a simulated camera."""
    return Lens(model.width, model.height, model.matrix(), "plumb_bob", model.coefficients())


@dataclass(slots=True)
class Remembered:
    """A source that is asked once for every view, by however many."""

    source: Source
    name: str = field(init=False)
    _view: View | None = None
    _found: Detections = field(default_factory=none_detected)

    def __post_init__(self) -> None:
        """Keep its name."""
        self.name = self.source.name

    def start(self, spec: SceneSpec, stage: Stage) -> None:
        """Begin a scene."""
        self._view = None
        self.source.start(spec, stage)

    def detect(self, view: View) -> Detections:
        """Return what the source finds."""
        if view is not self._view:
            self._view, self._found = view, self.source.detect(view)
        return self._found


@dataclass(slots=True)
class Fusions:
    """Fusion of each platform as its node runs it, fed by a LiDAR source and the camera's network."""

    lidar: Remembered
    network: CameraNetwork
    config: FusionConfig = field(default_factory=FusionConfig)
    min_existence: float = CameraDetectorConfig().min_existence
    _fusions: dict[str, PlatformFusion] = field(default_factory=dict)
    _grounds: dict[str, Ground] = field(default_factory=dict)
    _view: View | None = None
    _answer: tuple[Detections, Detections] = field(default_factory=lambda: (none_detected(), none_detected()))

    def start(self, stage: Stage) -> None:
        """Begin a scene: no history, and the ground as the district has it."""
        roads = [polygon for kind in ("carriageway", "crosswalk") for polygon in stage.world.district.polygons(kind)]
        self._fusions, self._view = {}, None
        self._grounds = {item.name: Ground(0.0, roads, self.config.kerb) for item in stage.world.district.platforms}

    def answer(self, view: View) -> tuple[Detections, Detections]:
        """Return what the camera alone finds, and what both find; called for every view in order."""
        if view is not self._view:
            self._view, self._answer = view, self._step(view)
        return self._answer

    def _step(self, view: View) -> tuple[Detections, Detections]:
        fusion = self._fusions.setdefault(view.platform, PlatformFusion(self.config, record_dtype(OBJECT)))
        ground = self._grounds[view.platform]
        base = view.map_from_base
        ground.level = float(base[2, 3]) - ground.raised_by(base[:2, 3])
        stamp_ns = view.frame.stamp_ns
        objects = message_from_detections(self.lidar.detect(view), stamp_ns, "map")["objects"]
        error = PoseError.even(self.config.position_sigma, self.config.yaw_sigma)
        add_pose_error(objects, view.map_from_lidar[:3, 3], error)
        ground.learn_from(objects)
        fused: np.ndarray | None = fusion.scan(stamp_ns, objects)
        alone = none_detected()
        if view.shot is not None:
            shot = self._look(view.shot, ground)
            fusion.frame(shot, view.sensors.number)
            fused = fusion.again()
            alone = _detections(fusion.objects_of(shot, view.sensors.number)[shot.placed.good])
        assert fused is not None
        return alone, _detections(fused)

    def _look(self, shot: Shot, ground: Ground) -> CameraView:
        """Return what the network finds in a picture, after the JPEG that a driver sends, and where it is."""
        picture = shot.picture
        image = np.asarray(cv2.imdecode(np.frombuffer(jpeg(picture.rgb), np.uint8), cv2.IMREAD_COLOR))
        found = self.network.find(image, self.min_existence)
        boxes = camera_convert.message_from_objects(found, image, picture.stamp_ns, "camera")["objects"]
        lens, pose = lens_of(picture.model), picture.map_from_camera
        rows = camera_bodies.rows_of(boxes["classification"], boxes["posture"])
        placed = locate(image_boxes(boxes), boxes["cut"], rows, lens, pose, ground, self.config)
        return CameraView(picture.stamp_ns, boxes, placed, lens, pose)


def _detections(objects: np.ndarray) -> Detections:
    return detections_from_message(ArrayMessage(0, "map", {"objects": objects}))


@dataclass(slots=True)
class Part:
    """One of the two answers of the platforms' fusion as a source."""

    fusions: Fusions
    name: str
    which: int

    def start(self, spec: SceneSpec, stage: Stage) -> None:
        """Begin a scene, once for both."""
        if self.which == 0:
            self.fusions.start(stage)

    def detect(self, view: View) -> Detections:
        """Return what is found."""
        return self.fusions.answer(view)[self.which]


def fusion_sources(lidar: Source, network: CameraNetwork, config: FusionConfig | None = None) -> list[Source]:
    """Return LiDAR, camera and both, which share their work."""
    remembered = Remembered(lidar)
    fusions = Fusions(remembered, network, config or FusionConfig())
    return [remembered, Part(fusions, "camera", 0), Part(fusions, JOINT, 1)]


def scored_in_view(specs: Sequence[SceneSpec], sources: Sequence[Source], scenes: Scenes) -> dict[str, Rows]:
    """Run scenes with pictures; return the rows of every source, of objects and detections in the camera's view only.

    Parked vehicles are background to a pole's LiDAR and objects to a camera: neither is asked for them, nor blamed. A
    vehicle's sensors have to find them. Rows know their ``block``, for ``comparison.compare``.

    Raises:
        ConfigError: pictures cannot be drawn on this machine.

    """
    console = Console(stderr=True)
    rows: dict[str, list[Rows]] = {source.name: [] for source in sources}
    blocks: dict[tuple[int, str, int], int] = {}
    for number, spec in enumerate(specs):
        console.print(f"scene {number + 1} of {len(specs)}, with cameras: {spec.name}", style="dim")
        for view, found in _pictured(spec, sources, scenes):
            assert view.shot is not None and scenes.current is not None
            position, world = view.map_from_lidar[:3, 3], scenes.current.world
            on_pole = view.sensors.platform.kind == "pole"
            seen = (view.frame, view.points, view.pixels) if on_pole else with_parked(view, world)
            truth = _truth_in_view(truth_of(seen[0], position, *seen[1:]), view.shot)
            parked = parked_actors(world.config.parked) if on_pole else no_actors()
            key = number, view.platform, int(view.frame.stamp_ns / 1e9 / BLOCK)
            block = blocks.setdefault(key, len(blocks))
            for name, detections in found.items():
                inside = in_view(detections.centre, view.shot) & ~_on_parked(detections, truth, parked)
                scored = score_frame(detections.select(inside), truth, position, number)
                scored.columns["block"] = np.full(len(scored["label"]), block)
                scored.columns["truth_block"] = np.full(len(truth), block)
                rows[name].append(scored)
    return {name: joined(parts) for name, parts in rows.items()}


def _pictured(
    spec: SceneSpec, sources: Sequence[Source], scenes: Scenes
) -> Iterator[tuple[View, dict[str, Detections]]]:
    """Yield the views of a scene that are scored, with what each source found."""
    pictures = dict.fromkeys(spec.platforms, 0)
    for number, (view, _, found) in enumerate(answers(spec, sources, scenes)):
        if view.shot is None or number < 10 * len(spec.platforms):
            continue
        pictures[view.platform] += 1
        if pictures[view.platform] % EVERY == 0:
            yield view, found


def in_view(places: np.ndarray, shot: Shot) -> np.ndarray:
    """Return which places (N, 3), map frame, lie within a picture, (N,) bool."""
    if not len(places):
        return np.zeros(0, bool)
    picture = shot.picture
    spots = lens_of(picture.model).project(apply(inverse(picture.map_from_camera), places.astype(float)))
    size = (picture.model.width, picture.model.height)
    return np.asarray(((spots >= 0) & (spots < size)).all(axis=1))


def _on_parked(found: Detections, truth: Truth, parked: np.ndarray) -> np.ndarray:
    """Return which vehicles (D,) are parked ones, (P,) ACTOR, and none that moves or has stopped.

    A person who walks past a parked car does not make it another's.
    """
    if not len(found) or not len(parked):
        return np.zeros(len(found), bool)
    places = found.centre[:, None, :2]
    there = np.column_stack([parked["x"], parked["y"]])
    near = (np.linalg.norm(places - there[None], axis=2) < _PARKED).any(axis=1)
    others = truth.centre[np.isin(truth.label, GROUPS["vehicles"])]
    moving = (np.linalg.norm(places - others[None], axis=2) < _PARKED).any(axis=1)
    return np.asarray(near & ~moving & np.isin(found.label, GROUPS["vehicles"]))


def _truth_in_view(truth: Truth, shot: Shot) -> Truth:
    middle = np.column_stack([truth.centre, 0.5 * truth.size[:, 2]])
    inside = in_view(middle, shot)
    return Truth(**{name: getattr(truth, name)[inside] for name in Truth.__dataclass_fields__})


def evaluate_cameras(
    folder: Path, out: Path, specs: Sequence[SceneSpec] = CAMERA_SCENES, config: FusionConfig | None = None,
    model: str = "camera",
) -> dict[str, Any]:  # fmt: skip
    """Score LiDAR, camera and both on platforms of one kind, side by side; print the figures, and return them.

    Raises:
        ConfigError: no model, or pictures cannot be drawn on this machine.

    """
    scenes = Scenes(folder, images=True)
    try:
        network = CameraNetwork(model)
        lidar, kind = _lidar_of(specs, scenes)
        rows = scored_in_view(specs, fusion_sources(lidar, network, config), scenes)
        name = f"{kind}, in the camera's view"
        figures = tables.report(name, rows, specs, out)
        compared = comparison.compare(rows, JOINT, specs)
        draw_gains(name, JOINT, compared, out)
        return {**figures, "compared": comparison.show(name, JOINT, compared)}
    finally:
        scenes.close()


def _lidar_of(specs: Sequence[SceneSpec], scenes: Scenes) -> tuple[Source, str]:
    """Return the LiDAR of the platforms of some scenes, poles or vehicles, and what they are called."""
    platforms = wanted_platforms(specs)
    if all(name.startswith("vehicle") for name in platforms):
        return VehicleLidar(LEARNED), "vehicle"
    lidar = PoleLidar()
    lidar.learn(scenes, platforms)
    return lidar, "poles"
