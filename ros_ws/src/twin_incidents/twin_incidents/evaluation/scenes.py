"""Simulated scenes as the platforms report them: objects and signs of life of every platform, beside the truth."""

from __future__ import annotations

import dataclasses
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from twin_common.codecs import codec_for
from twin_common.config import ConfigError
from twin_common.lockstep import LockstepHost
from twin_common.registry import topic
from twin_replay.bag import BagReader, BagWriter

INTERRUPTED = 130  # exit code of a run that was broken off
KEPT = ("platform_objects", "platform_status", "odometry")
TRUTH = ("sim_actors", "sim_events", "sim_visibility", "signals")


@dataclass(frozen=True, slots=True)
class Scene:
    """A run that is judged: the scenario's name, seed and changes (key=value), and what of it in seconds."""

    scenario: str
    seed: int
    skip: float
    duration: float
    settings: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """Scenario and seed."""
        return f"{self.scenario}_{self.seed}"


#: In which poles learn their backgrounds, as they would have in the days before: without, what stands at a signal
#: through the first second would be taken for ground, and its going for somebody's coming.
LEARNING = Scene("normal_day", 29_999, 0.0, 60.0, ("population.density=0.3",))


def learn(platforms: Sequence[str], folder: Path) -> Path:
    """Return a folder with the backgrounds of the poles among the platforms, made in ``folder``."""
    backgrounds = folder / "backgrounds"
    backgrounds.mkdir(parents=True, exist_ok=True)
    shutil.rmtree(record(LEARNING, _poles(platforms), folder, backgrounds))
    return backgrounds


def _poles(platforms: Sequence[str]) -> list[str]:
    from twin_bringup.simulation import find_scenario
    from twin_sim.scenario import load_scenario

    district = load_scenario(find_scenario(LEARNING.scenario), LEARNING.settings).world.district
    return [platform.name for platform in district.platforms if platform.kind == "pole" and platform.name in platforms]


def record(scene: Scene, platforms: Sequence[str], folder: Path, backgrounds: Path) -> Path:
    """Simulate a scene, let the platforms' nodes look at it, and keep what they report in a bag of ``folder``.

    ``backgrounds``: of the poles. Returns the bag; sensor data lie beside it meanwhile.
    """
    from twin_bringup.simulation import find_scenario
    from twin_sim.run import RunOptions, run_scenario
    from twin_sim.scenario import load_scenario

    target, sensors = folder / scene.name, folder / f"{scene.name}_sensors"
    for path in (target, sensors):
        shutil.rmtree(path, ignore_errors=True)
    scenario = load_scenario(find_scenario(scene.scenario), scene.settings)
    code = run_scenario(RunOptions(
        scenario, tuple(platforms), scene.seed, skip=scene.skip, duration=scene.duration, out=sensors
    ))  # fmt: skip
    if code == INTERRUPTED:
        raise KeyboardInterrupt
    if code:
        raise ConfigError(f"scene {scene.name}: the simulation ended with code {code}; expected 0")
    _perceive(sensors, target, platforms, backgrounds)
    shutil.rmtree(sensors)
    return target


def _perceive(source: Path, target: Path, platforms: Sequence[str], backgrounds: Path) -> None:
    """Run the platforms' nodes over a bag of sensor data; keep their reports and the truth."""
    stored = {"state_folder": str(backgrounds.resolve()), "store_every": 10.0}
    from twin_bringup.graph import GraphOptions, build_graph, sensor_topics
    from twin_common.district import load_district

    reader = BagReader(source)
    path = source / "district.yaml"
    provided = sensor_topics(load_district(path), [name for name, item in reader.topics.items() if item.count])
    options = GraphOptions(True, provided, tuple(platforms), with_district=False)
    nodes = [
        dataclasses.replace(node, parameters={**node.parameters, **(stored if node.name == "lidar_detector" else {})})
        for process in build_graph(path, options)
        for node in process.nodes
    ]
    kept = {topic(key).resolve(name) for key in KEPT for name in platforms}
    truth = {topic(key).resolve(name) for key in TRUTH for name in platforms}
    with BagWriter(target) as bag:
        shutil.copy(path, target / "district.yaml")

        def keep(name: str, type_name: str, time_ns: int, message: Any) -> None:
            if name in kept:
                bag.add_topic(name)
                bag.write(name, time_ns, codec_for(type_name).encode(message))

        host = LockstepHost(nodes, keep, frozenset(kept))
        for message in reader.messages([name for name in reader.topics if name in truth or name in host.input_topics]):
            if message.topic in truth:
                bag.add_topic(message.topic)
                bag.write(message.topic, message.time_ns, message.content)
            if message.topic in host.input_topics:
                host.feed(message.topic, message.time_ns, message.content)
        host.close()
