"""The live simulated district: its options, its plan, and the alerts that a scenario must raise."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from twin_bringup.graph import GraphOptions, SimulatedSensors, build_graph
from twin_bringup.jobs import Job, container_jobs
from twin_bringup.paths import find, root
from twin_bringup.plan import Plan, foxglove_job, recorder_job
from twin_common.config import Config, ConfigError, setting
from twin_common.district import DistrictConfig

SCENARIOS = "config/scenarios"
DEFAULT_SCENARIO = "demo"
#: The incident that an event of a scenario must raise, for those kinds that a rule exists for.
INCIDENT_OF = {
    "near_collision": "predicted_collision",
    "collision": "predicted_collision",
    "jaywalking": "pedestrian_on_carriageway",
    "stopped_in_lane": "vehicle_stopped_in_lane",
    "crowd_crush": "crowd_density",
}
#: How many platforms take part where nobody says, if the district has them.
USUAL = {"pole": 4, "vehicle": 1}
PROMPT = 6.0  # seconds an event may need to become an alert


@dataclass(frozen=True, slots=True)
class SimulationOptions(Config):
    """A scenario in the simulated district, live, through the whole graph; all ends when it does."""

    scenario: str = setting(DEFAULT_SCENARIO, doc="name of a scenario of config/scenarios, or a file")
    poles: int = setting(-1, doc="the first so many poles take part; -1: 4, or what there is", low=-1, high=64)
    vehicles: int = setting(-1, doc="and the first so many vehicles; -1: 1, or what there is", low=-1, high=64)
    platforms: str = setting("", doc="platforms that take part, with commas; empty: as poles and vehicles say")
    seed: int = setting(-1, doc="of everything random; -1: the scenario's own", low=-1)
    set: str = setting("", doc="changes of the scenario, key=value, with commas between them")
    duration: float = setting(0.0, "s", "end after so much; 0: the scenario's own duration", low=0)
    rate: float = setting(1.0, "", "speed of the scenario's time, where the machine can", low=0.05, high=20.0)
    columns: int = setting(512, doc="of a simulated Ouster's turn; 0: as the district says", low=0, high=4096)
    udp: bool = setting(False, doc="LiDARs send packets over UDP to the ordinary driver")
    cameras: bool = setting(False, doc="cameras give images, which are searched: 40 to 80 ms each to render")
    foxglove_port: int = setting(8765, doc="port of the Foxglove server; 0: none", low=0, high=65535)
    foxglove_host: str = setting("127.0.0.1", doc="address the Foxglove server listens on")
    history: str = setting("", doc="history file; empty: kept while it runs")
    record: str = setting("", doc="bag folder to record into; empty: none")

    def settings(self) -> tuple[str, ...]:
        """Return the changes of the scenario, one key=value each."""
        from twin_sim.overrides import separated

        return separated(self.set)


def scenario_folder() -> Path:
    """Return the folder of the scenarios."""
    return root() / SCENARIOS


def is_scenario(name: str) -> bool:
    """Return whether a demo's input names a scenario, and not a bag."""
    return name.endswith((".yaml", ".yml")) or (scenario_folder() / f"{name}.yaml").is_file()


def find_scenario(name: str) -> Path:
    """Return a scenario's file, by its name or its path.

    Raises:
        ConfigError: there is none; says which there are.

    """
    if name.endswith((".yaml", ".yml")):
        return find(name, "a scenario file")
    path = scenario_folder() / f"{name}.yaml"
    if not path.is_file():
        known = ", ".join(sorted(item.stem for item in scenario_folder().glob("*.yaml")))
        raise ConfigError(f"{name}: no such scenario; expected a file, or one of {known}")
    return path


def chosen_platforms(district: DistrictConfig, poles: int, vehicles: int, names: str = "") -> tuple[str, ...]:
    """Return the platforms that take part, in the order of the district; poles and vehicles of -1: as usual.

    Raises:
        ConfigError: the district has no such platform, not so many, or none is left.

    """
    if names:
        named = {district.platform(name.strip()).name for name in names.split(",")}
        return tuple(platform.name for platform in district.platforms if platform.name in named)
    chosen: list[str] = []
    for kind, wanted in (("pole", poles), ("vehicle", vehicles)):
        there = [platform.name for platform in district.platforms if platform.kind == kind]
        wanted = min(USUAL[kind], len(there)) if wanted == -1 else wanted
        if not 0 <= wanted <= len(there):
            raise ConfigError(f"{kind}s: {wanted}; expected at most {len(there)}, which district {district.name} has")
        chosen += there[:wanted]
    if not chosen:
        raise ConfigError(f"district {district.name}: no platform takes part; expected at least one pole or vehicle")
    return tuple(chosen)


def plan_simulation(options: SimulationOptions, folder: Path) -> Plan:
    """Plan a scenario in the simulated district."""
    from twin_sim.scenario import load_scenario

    path = find_scenario(options.scenario).resolve()
    scenario = load_scenario(path, options.settings())
    if options.duration > scenario.duration:
        raise ConfigError(
            f"{options.scenario}: duration {options.duration:g} s; expected at most its own {scenario.duration:g} s"
        )
    district = scenario.world.folder / "district.yaml"
    platforms = chosen_platforms(scenario.world.district, options.poles, options.vehicles, options.platforms)
    simulated = SimulatedSensors(
        str(path), options.seed, options.settings(), options.columns, options.udp, cameras=options.cameras
    )
    graph = build_graph(
        district,
        GraphOptions(use_sim_time=True, platforms=platforms, history=options.history, simulated=simulated),
    )
    jobs = foxglove_job(district, options.foxglove_host, options.foxglove_port, use_sim_time=True)
    jobs += container_jobs(graph, folder)
    jobs += recorder_job(options.record, use_sim_time=True)
    jobs.append(_simulator_job(options, path, platforms))
    return Plan(graph, tuple(jobs))


def _simulator_job(options: SimulationOptions, path: Path, platforms: Sequence[str]) -> Job:
    arguments = [str(path), "--rate", str(options.rate), "--seed", str(options.seed), "--platforms", *platforms]
    arguments += ["--duration", str(options.duration)] if options.duration else []
    arguments += ["--set", *options.settings()] if options.set else []
    return Job("simulator", "twin_sim", "simulator", "twin_sim.simulator_node", tuple(arguments), ends_all=True)


def simulated_alerts(options: SimulationOptions, played: float) -> set[str]:
    """Return the kinds of alerts that ``played`` seconds of a scenario must raise: of the default one only.

    Other scenarios may happen where no platform of the run looks.
    """
    from twin_sim.scenario import load_scenario

    if options.scenario != DEFAULT_SCENARIO or options.platforms:
        return set()
    scenario = load_scenario(find_scenario(options.scenario), options.settings())
    until = min(played, options.duration or math.inf, scenario.duration)
    return {
        INCIDENT_OF[event.kind]
        for event in scenario.config.events
        if event.kind in INCIDENT_OF and event.time + event.within + PROMPT < until
    }
