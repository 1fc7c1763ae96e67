"""How well a detector trained on photographs finds cars and persons in the camera's pictures.

The detector is YOLOX-Nano (Ge et al. 2021) trained on COCO, run by OpenCV. What it finds in a picture is compared
with the boxes of what is visible there: the share found tells how far pictures are from photographs to a detector.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from twin_common.config import ConfigError
from twin_common.core.image_boxes import anchors, corners, overlaps
from twin_common.core.object_class import ObjectClass
from twin_sim.core.camera import CameraRenderer, Picture
from twin_sim.core.camera_truth import seen
from twin_sim.core.frame import TWO_WHEELERS, VEHICLES, Frame
from twin_sim.sensor_config import camera_of

if TYPE_CHECKING:
    from twin_sim.scenario import Scenario

SIDE = 416  # of the detector's input, px
PERSON, BICYCLE, CAR, MOTORCYCLE, BUS, TRUCK = 0, 1, 2, 3, 5, 7  # COCO, in the detector's order
#: What counts as found, by class of actor; a rider may be found as a person or as the machine.
ACCEPTED = {
    **{kind: (CAR, BUS, TRUCK) for kind in VEHICLES},
    **{kind: (PERSON, BICYCLE, MOTORCYCLE) for kind in TWO_WHEELERS},
    ObjectClass.PEDESTRIAN: (PERSON,),
}
GROUPS = {"cars": VEHICLES, "two-wheelers": TWO_WHEELERS, "persons": (ObjectClass.PEDESTRIAN,)}


class Detector:
    """YOLOX-Nano on COCO.

    Raises:
        ConfigError: the model is missing.

    """

    def __init__(self, path: Path) -> None:
        """Read the model."""
        import cv2

        if not path.is_file():
            raise ConfigError(f"{path}: no such file; expected YOLOX-Nano as ONNX")
        self._net: Any = cv2.dnn.readNetFromONNX(str(path))

    def find(self, rgb: np.ndarray, threshold: float = 0.25) -> np.ndarray:
        """Return what is found in an image (H, W, 3) uint8: rows of u0, v0, u1, v1 (px), score, class."""
        import cv2

        scale = SIDE / max(rgb.shape[:2])
        size = round(rgb.shape[1] * scale), round(rgb.shape[0] * scale)
        boxed = np.full((SIDE, SIDE, 3), 114, np.uint8)
        boxed[: size[1], : size[0]] = cv2.resize(rgb[..., ::-1], size, interpolation=cv2.INTER_LINEAR)
        self._net.setInput(boxed.transpose(2, 0, 1)[None].astype(np.float32))
        found = self._net.forward().reshape(-1, 85)
        scores = found[:, 4:5] * found[:, 5:]
        kinds = scores.argmax(axis=1)
        best = scores[np.arange(len(scores)), kinds]
        keep = best > threshold
        boxes = corners(found[keep], anchors(SIDE, SIDE)[keep]) / scale
        best, kinds = best[keep], kinds[keep]
        shifted = boxes + kinds[:, None] * 10_000.0  # so that classes do not suppress each other
        spans = np.hstack([shifted[:, :2], shifted[:, 2:] - shifted[:, :2]])
        kept = np.array(cv2.dnn.NMSBoxes(spans.tolist(), best.tolist(), threshold, 0.45), int).reshape(-1)
        return np.asarray(np.column_stack([boxes, best, kinds])[kept])


@dataclass(frozen=True, slots=True)
class Found:
    """How many of a group of actors were there and how many were found.

    ``spurious``: persons found where there is no actor; 0 for vehicles, since parked ones have no ids.
    """

    group: str
    present: int
    found: int
    spurious: int

    @property
    def share(self) -> float:
        """Found of those present; NaN if there were none."""
        return self.found / self.present if self.present else float("nan")


def detection(
    pictures: Iterable[tuple[Picture, np.ndarray]], detector: Detector, min_height: float = 24.0, overlap: float = 0.4
) -> list[Found]:
    """Return, by group, how many actors a detector finds.

    Args:
        pictures: pictures with the actors of their frames, (A,) ACTOR.
        detector: finds.
        min_height: of an actor's visible box, px; smaller ones, and those more than half hidden, do not count.
        overlap: intersection over union from which on an actor is found.

    """
    present, hits, spurious = ({name: 0 for name in GROUPS} for _ in range(3))
    for picture, actors in pictures:
        truth = seen(picture, actors, min_pixels=12)
        found = detector.find(picture.rgb)
        share = overlaps(truth["visible"], found)
        clear = _clear(truth, min_height)
        for name, kinds in GROUPS.items():
            codes = sorted({code for kind in kinds for code in ACCEPTED[kind]})
            right = np.isin(found[:, 5], codes)
            wanted = np.isin(truth["classification"], kinds)
            matched = (share[:, right] >= overlap).any(axis=1) if right.any() else np.zeros(len(truth), bool)
            present[name] += int((wanted & clear).sum())
            hits[name] += int((wanted & clear & matched).sum())
            if name == "persons":
                spurious[name] += int((~(share[:, right] > 0.1).any(axis=0)).sum()) if len(truth) else int(right.sum())
    return [Found(name, present[name], hits[name], spurious[name]) for name in GROUPS]


def _clear(truth: np.ndarray, min_height: float) -> np.ndarray:
    """Return which actors are large enough, and not more than half hidden."""
    visible, full = truth["visible"], truth["full"]
    tall = visible[:, 3] - visible[:, 1]
    area = (visible[:, 2:] - visible[:, :2]).prod(axis=1)
    whole = (full[:, 2:] - full[:, :2]).prod(axis=1)
    return np.asarray((tall >= min_height) & (area >= 0.5 * whole))


def detection_in_scenario(
    scenario: Path, model: Path, settings: Sequence[str] = (), *, seconds: float = 20.0, every: int = 20,
    min_height: float = 24.0,
) -> list[Found]:  # fmt: skip
    """Run a scenario and return what a detector finds in the pictures of all poles' cameras.

    Args:
        scenario: its file.
        model: of the detector, ONNX.
        settings: changes of the scenario, e.g. "weather.rain=5".
        seconds: of the scenario.
        every: tenths of a second from one picture to the next.
        min_height: of an actor's visible box, px.

    Raises:
        ConfigError: the scenario or the model is not right, or there is no OpenGL.

    """
    from twin_sim.scenario import load_scenario
    from twin_sim.simulation import Simulation

    detector, loaded = Detector(model), load_scenario(scenario, settings)
    with Simulation(loaded) as simulation:
        frames = [simulation.step() for _ in range(round(seconds * 10))][::every]
    return detection(_pictures(loaded, frames), detector, min_height)


def _pictures(scenario: Scenario, frames: Sequence[Frame]) -> Iterator[tuple[Picture, np.ndarray]]:
    from twin_sim.scenery_cache import cached_scenery

    world = scenario.world
    with CameraRenderer(cached_scenery(world), world) as renderer:
        for number, platform in enumerate(world.district.platforms):
            camera = camera_of(platform)
            if platform.kind == "pole" and camera is not None and platform.camera is not None:
                pose = platform.pose.matrix() @ platform.camera.mount.matrix()
                view = renderer.view(camera.image, number)
                for frame in frames:
                    yield renderer.render(view, pose, frame, scenario.weather), frame.actors
