"""The graph as data, from the default district and small changes of it."""

import dataclasses
from pathlib import Path

import pytest

from twin_bringup.descriptions import ReplayOptions, options_from_text, plan_replay
from twin_bringup.graph import GraphOptions, SimulatedSensors, build_graph, mermaid, nodes_for_replay, sensor_topics
from twin_bringup.simulation import chosen_platforms
from twin_common.config import ConfigError
from twin_common.district import load_district
from twin_common.node_spec import NodeSpec

ROOT = Path(__file__).parents[4]
DISTRICT = ROOT / "bags/near_miss/district.yaml"
PACKETS = frozenset({"/pole_01/lidar/packets", "/pole_02/lidar/packets"})


def nodes(options: GraphOptions, path: Path = DISTRICT) -> dict[str, NodeSpec]:
    return {node.full_name: node for process in build_graph(path, options) for node in process.nodes}


def changed(tmp_path: Path, old: str, new: str) -> Path:
    path = tmp_path / "district.yaml"
    text = DISTRICT.read_text()
    assert old in text
    path.write_text(text.replace(old, new))
    return path


def test_each_platform_is_a_process_and_the_district_comes_first() -> None:
    processes = build_graph(DISTRICT, GraphOptions())
    assert [process.name for process in processes] == ["district", "pole_01", "pole_02"]
    only = build_graph(DISTRICT, GraphOptions(here=("pole_02",), with_district=False))
    assert [process.name for process in only] == ["pole_02"]


def test_a_district_hears_the_poles_that_run_on_other_computers() -> None:
    district = nodes(GraphOptions(here=()))
    assert district["/district/merger"].parameters["platforms"] == ("pole_01", "pole_02")
    assert district["/district/merger"].remappings["~/input/objects/pole_02"] == "/pole_02/objects"
    pole = nodes(GraphOptions(here=("pole_02",), with_district=False))
    assert pole["/pole_02/fusion"].parameters["platforms"] == ("pole_01", "pole_02")


def test_every_input_but_a_sensors_has_a_node_that_makes_it() -> None:
    graph = nodes(GraphOptions(provided=PACKETS))
    made = {t for n in graph.values() for port, t in n.remappings.items() if port.startswith("~/output/")}
    optional = {"/tf"}
    for pole in ("pole_01", "pole_02"):  # of vehicles, and of platforms with a camera
        optional |= {f"/{pole}/odometry", f"/{pole}/camera/objects", f"/{pole}/camera/camera_info"}
    for node in graph.values():
        taken = {t for port, t in node.remappings.items() if port.startswith("~/input/")}
        assert taken <= made | PACKETS | optional, node.full_name


def test_points_that_are_recorded_replace_the_driver() -> None:
    points = frozenset({"/pole_01/lidar/points"})
    graph = nodes(GraphOptions(provided=points))
    assert "/pole_01/lidar_driver" not in graph
    assert "/pole_02/lidar_driver" in graph


def test_recorded_packets_are_preferred_to_points_and_feed_the_driver(tmp_path: Path) -> None:
    available = {*PACKETS, "/pole_01/lidar/points", "/district/tracks", "/tf"}
    assert sensor_topics(load_district(DISTRICT), available) == PACKETS
    live = changed(tmp_path, "source: packets", "source: udp")
    assert nodes(GraphOptions(), live)["/pole_01/lidar_driver"].parameters["source"] == "udp"
    driver = nodes(GraphOptions(provided=PACKETS), live)["/pole_01/lidar_driver"]
    assert driver.parameters["source"] == "packets"
    assert driver.remappings["~/input/packets"] == "/pole_01/lidar/packets"
    assert "~/output/raw" not in driver.remappings


def test_a_vehicle_gets_a_localizer_and_a_moving_detector(tmp_path: Path) -> None:
    path = changed(tmp_path, "name: pole_01\n", "name: pole_01\n  kind: vehicle\n")
    graph = nodes(GraphOptions(), path)
    assert "/pole_01/localizer" in graph and "/pole_02/localizer" not in graph
    assert graph["/pole_01/lidar_detector"].parameters["mode"] == "moving"
    assert graph["/pole_02/lidar_detector"].parameters["mode"] == "still"


def test_the_detector_of_a_vehicle_knows_its_mount_and_its_body(tmp_path: Path) -> None:
    text = "name: pole_01\n  kind: vehicle\n  body: {length: 12.0, width: 3.4, x: 2.5, y: 0.1}\n"
    path = changed(tmp_path, "name: pole_01\n", text)
    mount = load_district(path).platforms[0].lidar
    assert mount is not None
    wanted = {"body_length": 12.0, "body_width": 3.4, "body_x": 2.5, "body_y": 0.1, "yaw_deg": mount.mount.yaw_deg,
              "mount_x": mount.mount.x, "mount_y": mount.mount.y}  # fmt: skip
    graph = nodes(GraphOptions(), path)
    assert graph["/pole_01/lidar_detector"].parameters.items() >= wanted.items()
    assert "body_length" not in graph["/pole_02/lidar_detector"].parameters


def test_a_detector_stands_as_high_as_its_mount_however_high_the_ground_is(tmp_path: Path) -> None:
    pole = next(item for item in load_district(DISTRICT).platforms if item.name == "pole_02")
    assert pole.lidar is not None
    path = changed(tmp_path, f"z: {pole.pose.z}", "z: 31.5")
    assert nodes(GraphOptions(), path)["/pole_02/lidar_detector"].parameters["sensor_height"] == pole.lidar.mount.z


def test_parameters_in_the_district_reach_every_node_of_that_name(tmp_path: Path) -> None:
    path = tmp_path / "district.yaml"
    path.write_text(DISTRICT.read_text() + "\nnodes: {lidar_detector: {max_range: 45.0}}\n")
    graph = nodes(GraphOptions(), path)
    assert {graph[f"/{pole}/lidar_detector"].parameters["max_range"] for pole in ("pole_01", "pole_02")} == {45.0}


def test_an_unknown_platform_is_refused() -> None:
    with pytest.raises(ConfigError, match="pole_07: no such platform; district Sangmu has pole_01, pole_02"):
        build_graph(DISTRICT, GraphOptions(platforms=("pole_07",)))


def test_lockstep_replay_runs_the_nodes_that_the_processes_run() -> None:
    replayed = {node.full_name for node in nodes_for_replay(DISTRICT, PACKETS)}
    assert replayed == set(nodes(GraphOptions(provided=PACKETS)))


def test_the_drawing_names_nodes_and_topics() -> None:
    drawing = mermaid(build_graph(DISTRICT, GraphOptions()))
    assert "district_merger -- /district/objects --> district_tracker" in drawing


def test_a_replay_ends_with_its_player_and_plays_only_what_its_platforms_take(tmp_path: Path) -> None:
    bag = str(ROOT / "bags/near_miss")
    jobs = plan_replay(ReplayOptions(bag=bag, platforms="pole_01", foxglove_port=0), tmp_path).jobs
    assert [job.name for job in jobs] == ["district", "pole_01", "player"]
    assert [job.name for job in jobs if job.ends_all] == ["player"]
    topics = jobs[-1].arguments[jobs[-1].arguments.index("--topics") + 1 :]
    assert topics == ("/pole_01/lidar/packets",)


def test_a_run_takes_the_usual_platforms_or_what_there_is() -> None:
    district = load_district(ROOT / "config/districts/sangmu/district.yaml")
    assert chosen_platforms(district, -1, -1) == ("pole_01", "pole_02", "pole_03", "pole_04", "vehicle_01")
    small = dataclasses.replace(district, platforms=district.platforms[:3])
    assert chosen_platforms(small, -1, -1) == ("pole_01", "pole_02", "pole_03")
    assert chosen_platforms(small, 0, -1, "pole_02") == ("pole_02",)
    with pytest.raises(ConfigError, match="vehicles: 1; expected at most 0"):
        chosen_platforms(small, -1, 1)
    with pytest.raises(ConfigError, match="poles: -3; expected at most 3"):
        chosen_platforms(small, -3, 0)


def test_only_ousters_take_other_columns(tmp_path: Path) -> None:
    path = changed(tmp_path, "simulated: {model: OS0-64, phase: 0.0}", "simulated: {model: VLP-16}")
    simulated = SimulatedSensors("scenario.yaml", columns=512)
    graph = nodes(GraphOptions(simulated=simulated), path)
    assert graph["/pole_01/sensors"].parameters["columns"] == 0
    assert graph["/pole_02/sensors"].parameters["columns"] == 512


def test_options_are_read_from_text() -> None:
    options = options_from_text(ReplayOptions, {"rate": "2", "loop": "true", "foxglove_port": "0"}, "launch replay")
    assert (options.rate, options.loop, options.foxglove_port) == (2.0, True, 0)
    with pytest.raises(ConfigError, match="loop:=perhaps; expected bool"):
        options_from_text(ReplayOptions, {"loop": "perhaps"}, "launch replay")
