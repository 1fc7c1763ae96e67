"""Simulated scenes with known truth, seen by the poles of the district: scenarios and seeds nobody trained on."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Protocol

import numpy as np

from twin_common.pointcloud import Cloud
from twin_detection.core.detections import Detections
from twin_sim.core.frame import Frame
from twin_sim.platform_sensors import Output, PlatformSensors, Shot, Stage, pose_of
from twin_sim.scenario import load_scenario
from twin_sim.simulation import Simulation

#: Seeds from here on, and these scenarios, are kept out of all training.
FIRST_HELD_OUT_SEED = 10_000
COLUMNS = 1024


@dataclass(frozen=True, slots=True)
class SceneSpec:
    """A run that is scored: the scenario's name, seed and changes; ``weather`` names its rows.

    ``skip`` and ``duration``: seconds; ``platforms``: whose sensors are scored.
    """

    scenario: str
    seed: int
    weather: str
    platforms: tuple[str, ...]
    duration: float = 20.0
    skip: float = 2.0
    changes: tuple[tuple[str, object], ...] = ()

    @property
    def name(self) -> str:
        """Scenario, what is unusual of it, weather and seed."""
        riders = " with many riders" if set(RIDERS) <= set(self.changes) else ""
        return f"{self.scenario}{riders}, {self.weather}, seed {self.seed}"


#: Changes of a scenario in which half of the vehicles have two wheels: the usual fifth are too few to judge.
RIDERS = tuple(
    (f"population.{kind}", share)
    for kind, share in {"cars": 0.4, "motorcycles": 0.2, "scooters": 0.13, "bicycles": 0.16}.items()
)
HELD_OUT = (
    SceneSpec("rush_hour", 10_001, "day", ("pole_01", "pole_02", "pole_03"), skip=10.0),
    SceneSpec("jaywalking", 10_002, "day", ("pole_01", "pole_03", "pole_04")),
    SceneSpec("stopped_in_lane", 10_003, "day", ("pole_01", "pole_02", "pole_08")),
    SceneSpec("vehicle_pass", 10_004, "day", ("pole_01", "pole_02", "pole_05")),
    SceneSpec("normal_night", 10_005, "night", ("pole_01", "pole_02", "pole_09"), skip=10.0),
    SceneSpec("rain", 10_006, "rain", ("pole_01", "pole_02", "pole_03"), skip=10.0),
    SceneSpec("rush_hour", 10_007, "fog", ("pole_01", "pole_02", "pole_04"), skip=10.0,
              changes=(("weather.kind", "fog"), ("weather.visibility", 90))),
    SceneSpec("rush_hour", 10_008, "day", ("pole_01", "pole_03", "pole_05"), skip=10.0, changes=RIDERS),
    SceneSpec("vehicle_pass", 10_009, "day", ("pole_01", "pole_02", "pole_04"), changes=RIDERS),
)  # fmt: skip


def repeated(first: int, times: int, specs: Sequence[SceneSpec] = HELD_OUT) -> tuple[SceneSpec, ...]:
    """Return scenes ``times`` over, each time with other road users: seeds from ``first`` on, ten for each time."""
    shift = first - FIRST_HELD_OUT_SEED
    return tuple(replace(spec, seed=spec.seed + shift + 10 * again) for again in range(times) for spec in specs)


#: For the LiDARs of poles, with seeds at which nobody had looked when their detector was changed. Who waits at a light
#: for 20 s is one road user in many scans, so that it takes several runs to judge.
POLES = repeated(160_000, 3)
#: For the LiDAR of a sensor vehicle, again with seeds of their own: more runs, each shorter, since one who waits beside
#: the vehicle, or half hidden before it, is one road user in every scan of a run.
VEHICLES = tuple(replace(spec, platforms=("vehicle_01",), duration=10.0) for spec in repeated(240_000, 6))
#: Where the backgrounds of the poles are learned, as they would have been in the days before.
LEARNING = SceneSpec("rush_hour", 10_000, "day", (), duration=110.0, skip=0.0)


@dataclass(frozen=True, slots=True)
class View:
    """What one platform's sensors gave of one frame, and the truth.

    ``cloud``: sensor frame; ``owners``: (N,) index of the actor of each point, -1: none; ``points``: (A,) LiDAR points
    on each actor, ``pixels``: (A,) camera pixels; ``shot``: None where no picture was taken; ``sensors``: of the
    platform, with its models and mounts.
    """

    frame: Frame
    previous: Frame
    platform: str
    cloud: Cloud
    owners: np.ndarray
    points: np.ndarray
    pixels: np.ndarray
    shot: Shot | None
    sensors: PlatformSensors
    output: Output
    map_from_base: np.ndarray

    @property
    def map_from_lidar(self) -> np.ndarray:
        """Pose of the LiDAR, (4, 4)."""
        lidar = self.sensors.platform.lidar
        assert lidar is not None
        return np.asarray(self.map_from_base @ lidar.mount.matrix())


class Source(Protocol):
    """Something that finds objects: a sensor with its detector, or several with their fusion."""

    name: str

    def start(self, spec: SceneSpec, stage: Stage) -> None:
        """Begin a scene; what was seen in others is forgotten, but for what stands still."""

    def detect(self, view: View) -> Detections:
        """Return what is there, map frame, at the time of the view; called for every view in order."""


@dataclass(slots=True)
class Scenes:
    """Runs scenes.

    ``folder``: of the scenarios; ``images``: whether cameras take pictures; ``every``: n-th frame that is scored;
    ``current``: what the sensors of the scene that runs share.
    """

    folder: Path
    images: bool = False
    every: int = 5
    current: Stage | None = None
    _stages: dict[object, Stage] = field(default_factory=dict)

    def views(self, spec: SceneSpec, stride: int = 1) -> Iterator[tuple[View, bool]]:
        """Yield every ``stride``-th view of a scene in order, and whether it is scored."""
        scenario = load_scenario(self.folder / f"{spec.scenario}.yaml", dict(spec.changes))
        with Simulation(scenario, spec.seed) as simulation:
            stage = self.current = self._stage(simulation)
            sensors = [_platform_sensors(stage, name) for name in spec.platforms]
            for _ in range(max(round(spec.skip * 10), 1)):
                previous = simulation.step()
            for number in range(round(spec.duration * 10)):
                frame = simulation.step()
                scored = number >= 10 and number % self.every == 0
                for platform in sensors if number % stride == 0 else ():
                    if number == 0 or stride > 1:
                        platform.push(previous)
                    view = _view(platform, frame, previous, picture=self.images)
                    if view is not None:
                        yield view, scored
                previous = frame

    def _stage(self, simulation: Simulation) -> Stage:
        """Return what the sensors of a scene share, kept for the next with the same weather."""
        key = (simulation.weather, simulation.seed)
        if key not in self._stages:
            for old in self._stages.values():
                old.close()
            self._stages = {key: Stage(simulation.world, simulation.weather, simulation.seed)}
        return self._stages[key]

    def close(self) -> None:
        """Release what was made."""
        for stage in self._stages.values():
            stage.close()
        self._stages = {}


def answers(
    spec: SceneSpec, sources: Sequence[Source], scenes: Scenes
) -> Iterator[tuple[View, bool, dict[str, Detections]]]:
    """Yield every view of a scene, whether it counts, and what each source found in it, by the source's name."""
    begun = False
    for view, counts in scenes.views(spec):
        if not begun:
            assert scenes.current is not None
            for source in sources:
                source.start(spec, scenes.current)
            begun = True
        yield view, counts, {source.name: source.detect(view) for source in sources}


def _platform_sensors(stage: Stage, name: str) -> PlatformSensors:
    return PlatformSensors(stage, stage.world.district.platform(name), COLUMNS)


def _view(platform: PlatformSensors, frame: Frame, previous: Frame, *, picture: bool) -> View | None:
    """Return what a platform saw of a frame; None where it has no scan."""
    output = platform.push(frame, picture=picture)
    if output.scan is None:
        return None
    sweep = output.scan.sweep
    cloud = Cloud(sweep.stamp_ns, f"{platform.platform.name}/lidar", platform.cloud(sweep))
    owners = sweep.owners.reshape(-1)[sweep.ranges.reshape(-1) > 0]
    pixels = np.zeros(len(frame.actors), np.uint32)
    if output.shot is not None:
        ids = frame.actors["actor_id"]
        for actor_id, count in output.shot.pixels.items():
            pixels[ids == actor_id] = count
    return View(
        frame, previous, platform.platform.name, cloud, owners, sweep.points_of(len(frame.actors)), pixels, output.shot,
        platform, output, _base(platform, frame),
    )  # fmt: skip


def _base(platform: PlatformSensors, frame: Frame) -> np.ndarray:
    """Return map_from_base of a platform at a frame, (4, 4)."""
    config = platform.platform
    if config.kind == "pole":
        return np.asarray(config.pose.matrix())
    row = frame.actors[np.searchsorted(frame.actors["actor_id"], frame.vehicles[config.name])]
    return np.asarray(pose_of(row))


def wanted_platforms(specs: Sequence[SceneSpec]) -> tuple[str, ...]:
    """Return every platform of some scenes, once."""
    return tuple(dict.fromkeys(name for spec in specs for name in spec.platforms))
