"""The node graph as data: from a district's configuration to processes and nodes.

The one place that knows which nodes there are and which topic each port gets. The runner and the launch
files execute what this returns; documentation and lockstep replay read it.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from twin_bringup.jobs import DISTRICT
from twin_common import registry
from twin_common.component import Component
from twin_common.config import ConfigError, from_mapping
from twin_common.district import DistrictConfig, PlatformConfig, SensorConfig, load_district
from twin_common.node_spec import NodeSpec, ProcessSpec

#: Topics that sensors make: what a recording feeds into the graph, and what a driver makes when live.
SENSOR_TOPICS = ("lidar_packets", "lidar_points", "camera_image", "camera_info", "gnss_fix", "gnss_velocity", "imu")
DISTRICT_NAMESPACE = "/district"


@dataclass(frozen=True, slots=True)
class Stage:
    """One kind of node: its name in the graph and its component, module:Class."""

    name: str
    component: str


PLATFORM_STAGES = {
    "frames": Stage("frames", "twin_localization.frames_node:Frames"),
    "lidar_driver": Stage("lidar_driver", "twin_drivers.lidar_node:LidarDriver"),
    "camera_driver": Stage("camera_driver", "twin_drivers.camera_node:CameraDriver"),
    "gnss_imu_driver": Stage("gnss_imu_driver", "twin_drivers.gnss_imu_node:GnssImuDriver"),
    "sensors": Stage("sensors", "twin_sim.sensors_node:Sensors"),
    "localizer": Stage("localizer", "twin_localization.localizer_node:Localizer"),
    "map_matcher": Stage("map_matcher", "twin_localization.map_matcher_node:MapMatching"),
    "lidar_detector": Stage("lidar_detector", "twin_detection.lidar_detector_node:LidarDetector"),
    "camera_detector": Stage("camera_detector", "twin_detection.camera_detector_node:CameraDetector"),
    "fusion": Stage("fusion", "twin_fusion.fusion_node:Fusion"),
    "alignment": Stage("alignment", "twin_fusion.alignment_node:Alignment"),
    "platform_monitor": Stage("platform_monitor", "twin_incidents.platform_monitor_node:PlatformMonitor"),
}
DISTRICT_STAGES = (
    Stage("merger", "twin_fusion.merger_node:Merger"),
    Stage("tracker", "twin_tracking.tracker_node:Tracker"),
    Stage("behavior", "twin_behavior.behavior_node:Behavior"),
    Stage("prediction", "twin_prediction.prediction_node:Prediction"),
    Stage("twin", "twin_state.twin_node:Twin"),
    Stage("incident_detector", "twin_incidents.incident_node:IncidentDetector"),
    Stage("dispatcher", "twin_incidents.dispatcher_node:Dispatcher"),
)


@dataclass(frozen=True, slots=True)
class SimulatedSensors:
    """Where platforms get their sensor data from when the district is simulated.

    ``scenario`` is its file, ``settings`` are key=value changes of it; ``columns`` of an Ouster's scan, 0: its own;
    ``udp``: LiDARs send packets to the ordinary driver, at ``udp_port`` and the ports after it. ``cameras``: pictures
    are rendered and searched, which costs more than all else.
    """

    scenario: str
    seed: int = -1
    settings: tuple[str, ...] = ()
    columns: int = 0
    udp: bool = False
    udp_port: int = 17502
    cameras: bool = False


@dataclass(frozen=True, slots=True)
class GraphOptions:
    """What varies between runs of one district.

    ``provided`` names topics that a recording plays: the drivers that would make them are left out.
    ``platforms`` take part (None: all of the district); of these, ``here`` run on this computer (None: all).
    """

    use_sim_time: bool = False
    provided: frozenset[str] = frozenset()
    platforms: tuple[str, ...] | None = None
    here: tuple[str, ...] | None = None
    with_district: bool = True
    history: str = ""
    simulated: SimulatedSensors | None = None


def build_graph(district_path: Path, options: GraphOptions) -> tuple[ProcessSpec, ...]:
    """Return the processes of a district in order of start: the district first, then each platform.

    Raises:
        ConfigError: the file, a platform's name or a node's parameter is not what was expected.

    """
    district = load_district(district_path)
    chosen = [p.name for p in district.platforms] if options.platforms is None else list(options.platforms)
    platforms = [district.platform(name) for name in (chosen if options.here is None else options.here)]
    _check_overrides(district, district_path)
    processes = []
    if options.with_district:
        shared = _shared_values(district, district_path, chosen) | {"history": options.history}
        if options.use_sim_time:  # recordings and simulations: pseudonyms are the same in every run
            shared["key"] = 1
        nodes = [_node(stage, DISTRICT_NAMESPACE, shared, {}, district, "") for stage in DISTRICT_STAGES]
        processes.append(ProcessSpec(DISTRICT, tuple(nodes), options.use_sim_time))
    for platform in platforms:
        shared = _shared_values(district, district_path, chosen) | platform.parameters()
        nodes = [
            _node(stage, f"/{platform.name}", shared, own, district, platform.name)
            for stage, own in _platform_stages(platform, district, options)
        ]
        processes.append(ProcessSpec(platform.name, tuple(nodes), options.use_sim_time))
    for process in processes:
        for node in process.nodes:
            from_mapping(node.component_class().Config, node.parameters, f"{district_path}: {node.full_name}")
    return tuple(processes)


def nodes_for_replay(district_path: Path, provided: frozenset[str]) -> list[NodeSpec]:
    """Return every node of a district, in order, for lockstep replay of a recording with these topics."""
    processes = build_graph(district_path, GraphOptions(use_sim_time=True, provided=provided))
    return [node for process in reversed(processes) for node in process.nodes]


def sensor_topics(district: DistrictConfig, available: Iterable[str]) -> frozenset[str]:
    """Return the topics of a recording that are to be played into the graph.

    Where a recording has both a LiDAR's packets and its points, the packets are played: the driver then
    makes the points, as it did when the recording was made.
    """
    available = set(available)
    played = set()
    for platform in district.platforms:
        names = {key: registry.topic(key).resolve(platform.name) for key in SENSOR_TOPICS}
        here = {key for key, name in names.items() if name in available}
        if "lidar_packets" in here and platform.lidar is not None and platform.lidar.driver:
            here.discard("lidar_points")
        played |= {names[key] for key in here}
    return frozenset(played)


def _shared_values(district: DistrictConfig, path: Path, platforms: list[str]) -> dict[str, Any]:
    return {"district": str(path.resolve()), "platforms": tuple(platforms)}


def _platform_stages(
    platform: PlatformConfig, district: DistrictConfig, options: GraphOptions
) -> list[tuple[Stage, dict[str, Any]]]:
    """Return the stages of one platform of a district, with the values that only they get."""
    stages = PLATFORM_STAGES
    number = district.platforms.index(platform)
    sources = (
        _drivers(platform, options) if options.simulated is None else _simulated(platform, number, options.simulated)
    )
    chosen: list[tuple[Stage, dict[str, Any]]] = [(stages["frames"], {}), *sources["gnss_imu"]]
    chosen += [(stages["localizer"], {})] if platform.kind == "vehicle" else []
    chosen += sources["lidar"]
    mapped = any(zone.kind == "building" for zone in district.zones)
    if platform.kind == "vehicle" and platform.lidar is not None and mapped:
        chosen.append((stages["map_matcher"], {}))
    chosen += [(stages["lidar_detector"], {})] if platform.lidar is not None else []
    chosen += sources["camera"]
    chosen += [(stages["camera_detector"], {})] if _has_images(platform, options) else []
    watched = platform.kind == "pole" and platform.lidar is not None
    chosen += [(stages["fusion"], {}), *([(stages["alignment"], {})] if watched else [])]
    return [*chosen, (stages["platform_monitor"], {})]


def _has_images(platform: PlatformConfig, options: GraphOptions) -> bool:
    """Return whether a platform's camera gives images in this run: played, simulated, or from a driver."""
    if platform.camera is None:
        return False
    if options.simulated is not None:
        return options.simulated.cameras
    played = registry.topic("camera_image").resolve(platform.name) in options.provided
    return played or bool(platform.camera.driver)


def _drivers(platform: PlatformConfig, options: GraphOptions) -> dict[str, list[tuple[Stage, dict[str, Any]]]]:
    """Return the drivers of a platform, by sensor: of those that are configured and not played."""

    def driver(stage: str, sensor: SensorConfig | None, made: str) -> list[tuple[Stage, dict[str, Any]]]:
        missing = registry.topic(made).resolve(platform.name) not in options.provided
        return [(PLATFORM_STAGES[stage], sensor.driver)] if sensor is not None and sensor.driver and missing else []

    played = registry.topic("lidar_packets").resolve(platform.name) in options.provided
    lidar = driver("lidar_driver", platform.lidar, "lidar_points")
    return {
        "gnss_imu": driver("gnss_imu_driver", platform.gnss_imu, "gnss_fix"),
        "lidar": [(stage, {**own, "source": "packets"} if played else own) for stage, own in lidar],
        "camera": driver("camera_driver", platform.camera, "camera_image"),
    }


def _simulated(
    platform: PlatformConfig, number: int, simulated: SimulatedSensors
) -> dict[str, list[tuple[Stage, dict[str, Any]]]]:
    """Return what stands in for the drivers of a platform whose sensors are simulated: one node for all."""
    from twin_sim.sensor_config import driver_of, ouster_columns  # what a simulated LiDAR is like

    columns = ouster_columns(platform, simulated.columns)
    own: dict[str, Any] = {
        "scenario": simulated.scenario, "seed": simulated.seed, "settings": simulated.settings, "columns": columns,
    }  # fmt: skip
    lidar: list[tuple[Stage, dict[str, Any]]] = []
    if simulated.udp and platform.lidar is not None:
        port = simulated.udp_port + number
        own |= {"udp_host": "127.0.0.1", "udp_port": port}
        driver = {"source": "udp", "host": "127.0.0.1", "port": port, "sensor_clock": True}
        lidar = [(PLATFORM_STAGES["lidar_driver"], driver | driver_of(platform, number, columns))]
    return {"gnss_imu": [(PLATFORM_STAGES["sensors"], own)], "lidar": lidar, "camera": []}


def _node(
    stage: Stage, namespace: str, shared: Mapping[str, Any], own: Mapping[str, Any], district: DistrictConfig,
    platform: str,
) -> NodeSpec:  # fmt: skip
    """Make one node: all of its own values, and of the shared ones those its configuration has a field for."""
    spec = NodeSpec(stage.component, stage.name, namespace)
    component = spec.component_class()
    known = {field.name for field in dataclasses.fields(component.Config)}
    parameters = {key: value for key, value in shared.items() if key in known} | dict(own)
    parameters |= district.nodes.get(stage.name, {})
    topics = remappings(component, parameters.get("platforms", ()), platform)
    if stage.name == "lidar_driver":  # packets are its input or its output, and never both
        topics.pop("~/output/raw" if parameters.get("source") == "packets" else "~/input/packets")
    return dataclasses.replace(spec, parameters=parameters, remappings=topics)


def remappings(component: type[Component], platforms: Iterable[str], platform: str) -> dict[str, str]:
    """Return the topic of every port of a component, from the registry."""
    table: dict[str, str] = {}
    for item in component.inputs:
        entry = registry.topic(item.topic)
        if item.each_platform:
            table |= {f"~/input/{item.name}/{name}": entry.resolve(name) for name in platforms}
        else:
            table[f"~/input/{item.name}"] = entry.resolve(platform)
    for output in component.outputs:
        table[f"~/output/{output.name}"] = registry.topic(output.topic).resolve(platform)
    return table


def _check_overrides(district: DistrictConfig, path: Path) -> None:
    names = [*PLATFORM_STAGES, *(stage.name for stage in DISTRICT_STAGES)]
    for name, values in district.nodes.items():
        if name not in names:
            raise ConfigError(f"{path}: nodes: unknown node {name!r}; expected one of {', '.join(names)}")
        if not isinstance(values, Mapping):
            raise ConfigError(f"{path}: nodes.{name}: {values!r}; expected a mapping of parameters")


def mermaid(processes: Iterable[ProcessSpec]) -> str:
    """Return the graph as a Mermaid flowchart: nodes by process, edges named by topic."""
    lines = ["flowchart LR"]
    makers: dict[str, list[str]] = {}
    takers: list[tuple[str, str]] = []
    for process in processes:
        lines.append(f'  subgraph {process.name}["process {process.name}"]')
        for node in process.nodes:
            key = node.full_name.strip("/").replace("/", "_")
            lines.append(f'    {key}["{node.name}"]')
            for private, topic in node.remappings.items():
                if private.startswith("~/output/"):
                    makers.setdefault(topic, []).append(key)
                else:
                    takers.append((topic, key))
        lines.append("  end")
    for topic, taker in takers:
        for maker in makers.get(topic, []):
            lines.append(f"  {maker} -- {topic} --> {taker}")
    return "\n".join(lines)
