"""Launch descriptions: what to run for given options, executed by the runner or by ``ros2 launch``."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from twin_bringup.graph import GraphOptions, build_graph, sensor_topics
from twin_bringup.jobs import Job, container_jobs
from twin_bringup.paths import find
from twin_bringup.plan import Plan, foxglove_job, names_of, recorder_job
from twin_bringup.simulation import SimulationOptions, plan_simulation
from twin_common.config import Config, ConfigError, from_mapping, setting
from twin_common.district import load_district


@dataclass(frozen=True, slots=True)
class DistrictOptions(Config):
    """A live district: its nodes and the operator's server on this computer, and the platforms named."""

    district: str = setting("bags/near_miss/district.yaml", doc="district file")
    platforms: str = setting("all", doc="platforms run here: all, none, or names with commas")
    foxglove_port: int = setting(8765, doc="port of the Foxglove server; 0: none", low=0, high=65535)
    foxglove_host: str = setting("127.0.0.1", doc="address the Foxglove server listens on")
    history: str = setting("", doc="history file; empty: kept while it runs")
    record: str = setting("", doc="bag folder to record into; empty: none")


@dataclass(frozen=True, slots=True)
class PlatformOptions(Config):
    """One pole or vehicle on a computer of its own."""

    platform: str = setting(doc="its name in the district file")
    district: str = setting("bags/near_miss/district.yaml", doc="district file")


@dataclass(frozen=True, slots=True)
class ReplayOptions(Config):
    """A recording played into the whole graph; all ends when it does."""

    bag: str = setting("bags/near_miss", doc="bag folder")
    district: str = setting("", doc="district file; empty: the bag's own")
    platforms: str = setting("all", doc="platforms of the district that take part: all, or names with commas")
    rate: float = setting(1.0, "", "speed of the recording's time", low=0.05, high=20.0)
    start: float = setting(0.0, "s", "where in the recording to start", low=0)
    duration: float = setting(0.0, "s", "how much of it to play; 0: all", low=0)
    loop: bool = setting(False, doc="start again at the end")
    foxglove_port: int = setting(8765, doc="port of the Foxglove server; 0: none", low=0, high=65535)
    foxglove_host: str = setting("127.0.0.1", doc="address the Foxglove server listens on")
    history: str = setting("", doc="history file; empty: kept while it runs")
    record: str = setting("", doc="bag folder to record into; empty: none")


def plan_district(options: DistrictOptions, folder: Path) -> Plan:
    """Plan a live district."""
    path = find(options.district, "a district file")
    graph = build_graph(path, GraphOptions(here=names_of(options.platforms), history=options.history))
    jobs = foxglove_job(path, options.foxglove_host, options.foxglove_port, use_sim_time=False)
    jobs += container_jobs(graph, folder)
    return Plan(graph, (*jobs, *recorder_job(options.record, use_sim_time=False)))


def plan_platform(options: PlatformOptions, folder: Path) -> Plan:
    """Plan one platform."""
    path = find(options.district, "a district file")
    graph = build_graph(path, GraphOptions(here=(options.platform,), with_district=False))
    return Plan(graph, tuple(container_jobs(graph, folder)))


def bag_district(bag: Path, district: str) -> Path:
    """Return the district file named, or else the one in the bag's folder.

    Raises:
        ConfigError: neither is there.

    """
    if district:
        return find(district, "a district file")
    path = bag / "district.yaml"
    if not path.is_file():
        raise ConfigError(f"{path}: no such file; expected the bag's district file, or district:=FILE")
    return path


def plan_replay(options: ReplayOptions, folder: Path) -> Plan:
    """Plan a recording played into the graph."""
    from twin_replay.bag import topics_of

    bag = find(options.bag, "a bag folder")
    path = bag_district(bag, options.district)
    district = load_district(path)
    available = topics_of(bag)
    played = sensor_topics(district, available)
    if not played:
        raise ConfigError(
            f"{bag}: none of its topics feeds the graph ({', '.join(sorted(available)) or 'no topics'}); expected "
            f"sensor topics such as /{district.platforms[0].name}/lidar/points"
        )
    graph = build_graph(
        path,
        GraphOptions(
            use_sim_time=True, provided=played, platforms=names_of(options.platforms), history=options.history
        ),
    )
    needed = {topic for process in graph for node in process.nodes for topic in node.remappings.values()}
    jobs = foxglove_job(path, options.foxglove_host, options.foxglove_port, use_sim_time=True)
    jobs += container_jobs(graph, folder)
    jobs += recorder_job(options.record, use_sim_time=True)
    arguments = [str(bag), "--rate", str(options.rate), "--start", str(options.start)]
    arguments += ["--duration", str(options.duration)] if options.duration else []
    arguments += ["--loop"] if options.loop else []
    arguments += ["--topics", *sorted(played & needed)]
    jobs.append(Job("player", "twin_replay", "player", "twin_replay.player_node", tuple(arguments), ends_all=True))
    return Plan(graph, tuple(jobs))


DESCRIPTIONS: dict[str, tuple[type[Config], Callable[[Any, Path], Plan]]] = {
    "district": (DistrictOptions, plan_district),
    "platform": (PlatformOptions, plan_platform),
    "replay": (ReplayOptions, plan_replay),
    "simulation": (SimulationOptions, plan_simulation),
}


def description(name: str) -> tuple[type[Config], Callable[[Any, Path], Plan]]:
    """Return the options of a description and the function that plans it.

    Raises:
        ConfigError: no such description; lists those there are.

    """
    try:
        return DESCRIPTIONS[name]
    except KeyError:
        raise ConfigError(f"launch: no description {name!r}; expected one of {', '.join(DESCRIPTIONS)}") from None


def options_from_text(cls: type[Config], values: Mapping[str, str], where: str) -> Any:
    """Build options from ``key:=value`` texts, each read as its field's type.

    Raises:
        ConfigError: an unknown key, or a text that is not of its field's type.

    """
    kinds = {field.name: field.type for field in dataclasses.fields(cls)}
    typed: dict[str, Any] = {}
    for key, text in values.items():
        kind = kinds.get(key)
        try:
            if kind == "bool":
                typed[key] = {"true": True, "1": True, "false": False, "0": False}[text.lower()]
            elif kind in ("int", "float"):
                typed[key] = {"int": int, "float": float}[kind](text)
            else:
                typed[key] = text
        except (KeyError, ValueError):
            raise ConfigError(f"{where}: {key}:={text}; expected {kind}") from None
    return from_mapping(cls, typed, where)
