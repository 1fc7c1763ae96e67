"""How fast the camera is, for ``./twin bench sim``."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from twin_common.core.object_class import ObjectClass
from twin_sim.core.camera import CameraRenderer
from twin_sim.core.camera_model import CameraModel
from twin_sim.core.frame import SIGNAL, Activity, Frame, Light, Weather, no_actors
from twin_sim.core.meshes import Mesh
from twin_sim.world import World

STREET = 80.0  # metres along which the actors of the measurement stand, ahead of the camera
RUNS = 12


@dataclass(frozen=True, slots=True)
class CameraSpeed:
    """Time for one picture with depth and ids: median on the wall's clock and mean of the processor's, ms."""

    case: str
    wall_ms: float
    processor_ms: float
    triangles: int


def camera_speed(world: World, mesh: Mesh, model: CameraModel | None = None, actors: int = 40) -> list[CameraSpeed]:
    """Measure a pole's camera by day, at night and in rain, and a vehicle's by day.

    Args:
        world: district; its first pole with a camera is used.
        mesh: its scenery.
        model: of the camera; None: 640 x 360.
        actors: on the street before the camera; a third are cars.

    """
    pole = next(item for item in world.district.platforms if item.kind == "pole" and item.camera is not None)
    assert pole.camera is not None
    pose = pole.pose.matrix() @ pole.camera.mount.matrix()
    day, night = Weather(), Weather(sun_elevation=-0.6)
    cases: list[tuple[str, Weather, Callable[[int], np.ndarray]]] = [
        ("pole, day", day, lambda _: pose),
        ("pole, night", night, lambda _: pose),
        ("pole, rain", Weather(rain=8.0, visibility=4000.0), lambda _: pose),
        ("vehicle, day", day, lambda run: _moved(pose, 0.8 * run)),
    ]
    people = _street(pose, actors)
    found = []
    with CameraRenderer(mesh, world) as renderer:
        view = renderer.view(model or CameraModel())
        for case, weather, pose_of in cases:
            lit = people.copy()
            lit["lights"] = np.where(lit["classification"] == ObjectClass.CAR, int(Light.HEAD) * weather.night, 0)
            frames = [Frame(10**18 + i * 10**8, lit, np.zeros(0, SIGNAL)) for i in range(RUNS + 2)]
            walls, began = [], 0.0
            for run, frame in enumerate(frames):
                if run == 2:
                    began = time.process_time()
                start = time.perf_counter()
                picture = renderer.render(view, pose_of(run), frame, weather)
                walls.append(time.perf_counter() - start)
            spent = (time.process_time() - began) / RUNS
            shown = len(mesh.triangles) + len(picture.bodies.triangles)
            found.append(CameraSpeed(case, 1e3 * float(np.median(walls[2:])), 1e3 * spent, shown))
    return found


def _moved(pose: np.ndarray, way: float) -> np.ndarray:
    moved = pose.copy()
    moved[:3, 3] += pose[:3, 2] * (1, 1, 0) * way
    return moved


def _street(pose: np.ndarray, count: int) -> np.ndarray:
    """Return cars and persons at random places ahead of a camera, (count,) ACTOR."""
    rng = np.random.default_rng(7)
    actors = no_actors(count)
    actors["actor_id"], actors["appearance"] = np.arange(1, count + 1), rng.integers(1 << 31, size=count)
    ahead, aside = pose[:2, 2] / np.linalg.norm(pose[:2, 2]), pose[:2, 0]
    places = pose[:2, 3] + rng.uniform(8, STREET, (count, 1)) * ahead + rng.uniform(-15, 15, (count, 1)) * aside
    actors["x"], actors["y"] = places.T
    actors["yaw"], actors["phase"] = rng.uniform(-np.pi, np.pi, count), rng.uniform(0, 2 * np.pi, count)
    cars = np.arange(count) % 3 == 0
    actors["classification"] = np.where(cars, int(ObjectClass.CAR), int(ObjectClass.PEDESTRIAN))
    actors["activity"] = np.where(cars, int(Activity.DRIVING), int(Activity.WALKING))
    for name, car, person in (("length", 4.6, 0.6), ("width", 1.84, 0.6), ("height", 1.47, 1.7), ("stature", 0.0, 1.7)):
        actors[name] = np.where(cars, car, person)
    return actors
