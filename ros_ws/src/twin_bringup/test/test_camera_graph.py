"""Where a camera detector is in the graph: where a camera gives images, and nowhere else."""

from __future__ import annotations

from pathlib import Path

import yaml

from twin_bringup.graph import GraphOptions, SimulatedSensors, build_graph, sensor_topics
from twin_bringup.simulation import SimulationOptions
from twin_common.district import load_district
from twin_common.node_spec import NodeSpec, ProcessSpec

ROOT = Path(__file__).parents[4]
SANGMU = ROOT / "config/districts/sangmu/district.yaml"
SCENARIO = str(ROOT / "config/scenarios/demo.yaml")
PLATFORMS = ("pole_01", "vehicle_01")


def detectors(processes: tuple[ProcessSpec, ...]) -> dict[str, NodeSpec]:
    return {node.full_name: node for item in processes for node in item.nodes if node.name == "camera_detector"}


def simulated(cameras: bool) -> tuple[ProcessSpec, ...]:
    options = GraphOptions(platforms=PLATFORMS, simulated=SimulatedSensors(SCENARIO, cameras=cameras))
    return build_graph(SANGMU, options)


def test_simulated_cameras_are_searched_only_on_request() -> None:
    assert not SimulationOptions().cameras and not detectors(simulated(False))
    found = detectors(simulated(True))
    assert sorted(found) == ["/pole_01/camera_detector", "/vehicle_01/camera_detector"]
    node = found["/vehicle_01/camera_detector"]
    assert node.parameters["platform"] == "vehicle_01" and node.parameters["district"] == str(SANGMU)
    assert node.remappings["~/input/image"] == "/vehicle_01/camera/image/compressed"
    assert node.remappings["~/input/odometry"] == "/vehicle_01/odometry"
    assert node.remappings["~/output/view"] == "/vehicle_01/camera/view/compressed"


def test_images_are_searched_in_the_process_of_their_platform_before_they_are_fused() -> None:
    for process in simulated(True)[1:]:
        names = [node.name for node in process.nodes]
        assert names.index("sensors") < names.index("camera_detector") < names.index("fusion")


def test_a_recording_without_images_has_no_detector() -> None:
    district = load_district(SANGMU)
    images = {"/pole_02/camera/image/compressed", "/pole_02/camera/camera_info", "/pole_02/lidar/points"}
    assert sensor_topics(district, images) == images
    played = build_graph(SANGMU, GraphOptions(use_sim_time=True, provided=frozenset(images)))
    assert sorted(detectors(played)) == ["/pole_02/camera_detector"]
    silent = build_graph(SANGMU, GraphOptions(use_sim_time=True, provided=frozenset({"/pole_02/lidar/points"})))
    assert not detectors(silent)


def test_a_camera_with_a_driver_is_searched(tmp_path: Path) -> None:
    district = yaml.safe_load(SANGMU.read_text())
    district["platforms"] = district["platforms"][:2]
    district["platforms"][0]["camera"]["driver"] = {"source": "v4l2", "device": "/dev/video0"}
    path = tmp_path / "district.yaml"
    path.write_text(yaml.safe_dump(district))
    processes = build_graph(path, GraphOptions())
    assert sorted(detectors(processes)) == ["/pole_01/camera_detector"]
    names = [node.name for node in processes[1].nodes]
    assert names.index("camera_driver") < names.index("camera_detector")
