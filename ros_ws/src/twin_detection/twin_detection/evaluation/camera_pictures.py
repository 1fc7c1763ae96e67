"""Pictures to score cameras on: held-out scenarios, and staged ones in which rare kinds and postures are frequent."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from twin_detection.camera_scenes import labels
from twin_detection.camera_staging import leave_out_hidden, mixed, random_camera, random_fog, random_weather
from twin_detection.core.camera_signals import Camera
from twin_detection.evaluation.camera_plates import plates
from twin_detection.evaluation.scenes import HELD_OUT, SceneSpec
from twin_sim.core.camera import CameraRenderer
from twin_sim.core.camera_model import CameraModel
from twin_sim.core.frame import Frame
from twin_sim.core.scenery import parked_actors
from twin_sim.core.zone_index import ZoneIndex
from twin_sim.scenario import Scenario, load_scenario
from twin_sim.scenery_cache import cached_scenery
from twin_sim.sensor_config import camera_of
from twin_sim.sensor_messages import JPEG_QUALITY
from twin_sim.simulation import Simulation

STAGED, STAGED_IN_FOG, STAGED_SEED = "staged", "staged, fog", 10_011
STAGED_SCENARIO, STAGED_FRAMES = "rush_hour", 12
STAGED_FOG = 5  # one of so many staged pictures is in fog


@dataclass(frozen=True, slots=True)
class Scene:
    """One picture: of which group it is, (H, W, 3) uint8 BGR as it leaves the camera, what it shows, (N,) LABEL.

    ``camera``: intrinsics and pose; ``signals``: (S,) SIGNAL, true; ``plates``: (P, 4) pixels, those that can be read.
    """

    group: str
    image: np.ndarray
    labels: np.ndarray
    camera: Camera
    signals: np.ndarray
    plates: np.ndarray


def as_sent(rgb: np.ndarray) -> np.ndarray:
    """Return a picture (H, W, 3) uint8 RGB as it comes out of its JPEG, BGR."""
    _, content = cv2.imencode(".jpg", rgb[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
    return np.asarray(cv2.imdecode(content, cv2.IMREAD_COLOR))


def held_out(folder: Path, every: int = 10, specs: Sequence[SceneSpec] = HELD_OUT) -> Iterator[Scene]:
    """Yield what the poles' cameras see of scenarios; ``every``: tenths of a second from one picture to the next."""
    for spec in specs:
        scenario = load_scenario(folder / f"{spec.scenario}.yaml", dict(spec.changes))
        with Simulation(scenario, spec.seed) as simulation:
            first = round(spec.skip * 10)
            steps = [simulation.step() for _ in range(first + round(spec.duration * 10))]
        yield from _poles(scenario, spec, steps[first::every])


def _poles(scenario: Scenario, spec: SceneSpec, frames: list[Frame]) -> Iterator[Scene]:
    world = scenario.world
    parked = parked_actors(world.config.parked)
    with CameraRenderer(cached_scenery(world), world, seed=spec.seed) as renderer:
        for number, name in enumerate(spec.platforms):
            platform = world.district.platform(name)
            config = camera_of(platform)
            if config is None or platform.camera is None:
                continue
            model, view = config.image, renderer.view(config.image, number)
            pose = platform.pose.matrix() @ platform.camera.mount.matrix()
            camera = Camera(model.matrix(), model.coefficients(), pose)
            for frame in frames:
                picture = renderer.render(view, pose, frame, scenario.weather)
                found = labels(picture, frame.actors, parked)
                seen = plates(picture, frame.actors)
                yield Scene(spec.weather, as_sent(picture.rgb), found, camera, frame.signals, seen)


def staged(folder: Path, count: int, seed: int = STAGED_SEED, scenario: str = STAGED_SCENARIO) -> Iterator[Scene]:
    """Yield staged pictures of random cameras and weathers.

    Args:
        folder: of the scenarios.
        count: of pictures.
        seed: of everything random.
        scenario: whose frames are used.

    """
    loaded = load_scenario(folder / f"{scenario}.yaml")
    world, rng = loaded.world, np.random.default_rng((seed, 41))
    with Simulation(loaded, seed) as simulation:
        frames = [simulation.step() for _ in range(STAGED_FRAMES * 40)][39::40]
    index, parked = ZoneIndex(world.district.zones), parked_actors(world.config.parked)
    with CameraRenderer(cached_scenery(world), world, seed=seed) as renderer:
        model = CameraModel()
        view = renderer.view(model)
        for number in range(count):
            group = STAGED if number % STAGED_FOG else STAGED_IN_FOG
            weather = random_weather(rng) if group == STAGED else random_fog(rng)
            pose = random_camera(rng, world, index)
            frame = mixed(rng, frames[rng.integers(len(frames))], pose, index, weather)
            picture = renderer.render(view, pose, frame, weather)
            found = labels(picture, frame.actors, parked)
            leave_out_hidden(found, weather)
            camera = Camera(model.matrix(), model.coefficients(), pose)
            seen = plates(picture, frame.actors)
            yield Scene(group, as_sent(picture.rgb), found, camera, frame.signals, seen)
