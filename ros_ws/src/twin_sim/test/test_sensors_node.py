"""The sensors' node over frames of the simulated district, in lockstep."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from twin_common import registry
from twin_common.codecs import codec_for
from twin_common.config import ConfigError
from twin_common.lockstep import LockstepHost
from twin_common.node_spec import NodeSpec
from twin_sim import convert
from twin_sim.core.frame import Frame
from twin_sim.scenario import load_scenario
from twin_sim.simulation import Simulation

SCENARIO = Path(__file__).parents[4] / "config/scenarios/vehicle_pass.yaml"
FRAMES = 12
STEP_NS = 100_000_000


@pytest.fixture(scope="module")
def frames() -> list[Frame]:
    with Simulation(load_scenario(SCENARIO)) as simulation:
        return [simulation.step() for _ in range(FRAMES)]


def play(
    frames: list[Frame], platform: str, *settings: str, pictures: bool = False, problems: list[str] | None = None
) -> dict[str, list[Any]]:
    """Return the messages of a platform's sensors by topic key; ``pictures``: somebody wants the camera's.

    What the node reports in the end is added to ``problems``.
    """
    given: dict[str, list[Any]] = {}
    keys = ("lidar_points", "gnss_fix", "gnss_velocity", "imu", "sim_visibility", "camera_image", "camera_info")
    topics = {f"~/output/{key}": f"/{platform}/{key}" for key in keys}
    inputs = {"~/input/actors": "/sim/actors", "~/input/signals": "/signals"}
    parameters = {"platform": platform, "scenario": str(SCENARIO), "columns": 512, "settings": settings}
    spec = NodeSpec("twin_sim.sensors_node:Sensors", "sensors", f"/{platform}", parameters, topics | inputs)

    def observe(topic: str, _type: str, time_ns: int, message: Any) -> None:
        given.setdefault(topic.rpartition("/")[2], []).append((time_ns, message))

    host = LockstepHost([spec], observe, frozenset({f"/{platform}/camera_image"} if pictures else ()))
    try:
        for frame in frames:
            for key, topic, message in (
                ("signals", "/signals", convert.signals_to_message(frame)),
                ("sim_actors", "/sim/actors", convert.actors_to_message(frame)),
            ):
                buffer = codec_for(registry.topic(key).type_name).encode(message)
                host.feed(topic, frame.stamp_ns - 150_000_000, buffer)
        host.advance(frames[-1].stamp_ns + STEP_NS)
        if problems is not None:
            problems += [runtime.problem for runtime in host.runtimes if runtime.problem]
    finally:
        host.close()
    return given


def test_a_pole_gives_a_cloud_at_the_end_of_every_turn(frames: list[Frame]) -> None:
    given = play(frames, "pole_02")
    stamps = [cloud.stamp_ns for _, cloud in given["lidar_points"]]
    assert stamps == [frame.stamp_ns - STEP_NS + 30_000_000 for frame in frames[1:]]  # 30 ms after pole_01
    late = [time_ns - cloud.stamp_ns for time_ns, cloud in given["lidar_points"]]
    assert 0 <= min(late) <= max(late) <= 10_000_000
    cloud = given["lidar_points"][-1][1]
    assert cloud.frame_id == "pole_02/lidar" and 15_000 < len(cloud.points) < 64 * 512
    assert cloud.points["time_offset_ns"].max() == 0 and cloud.points["time_offset_ns"].min() > -STEP_NS
    seen = given["sim_visibility"][-1][1]["actors"]
    assert len(seen) > 5 and 50 < seen["points"].sum() < len(cloud.points)
    assert set(seen["actor_id"]) <= set(frames[-1].actors["actor_id"])
    assert not given.keys() & {"gnss_fix", "imu", "camera_image"}


def test_a_vehicle_tells_where_it_is(frames: list[Frame]) -> None:
    given = play(frames, "vehicle_01")
    there = sum("vehicle_01" in frame.vehicles for frame in frames)
    there = sum(frame.vehicles["vehicle_01"] in frame.actors["actor_id"] for frame in frames[-there:])
    assert len(given["lidar_points"]) == len(given["gnss_fix"]) == there - 1 > 3
    assert len(given["imu"]) == 10 * (there - 1)
    own = frames[-1].actors[frames[-1].actors["actor_id"] == frames[-1].vehicles["vehicle_01"]][0]
    datum = load_scenario(SCENARIO).world.district.origin()
    _, fix = given["gnss_fix"][-1]
    east, north, _ = datum.to_map(fix.latitude, fix.longitude, fix.altitude)
    spread = 4 * np.sqrt(fix.position_covariance[0] + fix.position_covariance[4]) + 0.5
    assert np.hypot(east - own["x"], north - own["y"]) < spread
    assert own["actor_id"] not in given["sim_visibility"][-1][1]["actors"]["actor_id"]


def test_the_same_frames_give_the_same_clouds(frames: list[Frame]) -> None:
    first, second = (play(frames, "pole_01")["lidar_points"] for _ in range(2))
    assert all(a.points.tobytes() == b.points.tobytes() for (_, a), (_, b) in zip(first, second, strict=True))


def test_faults_reach_the_messages(frames: list[Frame]) -> None:
    whole = play(frames, "pole_01")
    dead = play(frames, "pole_01", "faults.outages=[{platform: pole_01, sensor: lidar, start: 0.45}]")
    assert len(dead["lidar_points"]) == 4 and len(dead["sim_visibility"]) == FRAMES - 1
    assert len(dead["sim_visibility"][-1][1]["actors"]) == 0
    late = play(frames, "pole_01", "faults.clocks=[{platform: pole_01, offset: 0.02}]")
    shift = {
        b.stamp_ns - a.stamp_ns for (_, a), (_, b) in zip(whole["lidar_points"], late["lidar_points"], strict=True)
    }
    assert shift == {20_000_000}
    thin = play(frames, "pole_01", "faults.links=[{platform: pole_01, sensor: lidar, loss: 0.3}]")
    share = sum(len(cloud.points) for _, cloud in thin["lidar_points"])
    share /= sum(len(cloud.points) for _, cloud in whole["lidar_points"])
    assert 0.55 < share < 0.85
    seen, there = (
        [message["actors"]["points"].sum() for _, message in given["sim_visibility"]] for given in (thin, whole)
    )
    assert all(a <= b for a, b in zip(seen, there, strict=True)) and 0.5 < sum(seen) / sum(there) < 0.9


def test_without_opengl_the_lidar_goes_on(frames: list[Frame]) -> None:
    """In a process of its own, in which no OpenGL can be found."""
    script = (
        "import test_sensors_node as here; from twin_sim.scenario import load_scenario;"
        "from twin_sim.simulation import Simulation;"
        "frames = [s.step() for s in [Simulation(load_scenario(here.SCENARIO), populated=False)] for _ in range(6)];"
        "problems = []; given = here.play(frames, 'pole_01', pictures=True, problems=problems);"
        "print(len(given['lidar_points']), 'camera_image' in given, *problems, sep='|')"
    )
    environment = {**os.environ, "__EGL_VENDOR_LIBRARY_DIRS": "/nonexistent", "EGL_PLATFORM": "nothing"}
    command = [sys.executable, "-c", script]
    done = subprocess.run(
        command, cwd=Path(__file__).parent, env=environment, capture_output=True, text=True, check=False, timeout=120
    )
    assert done.returncode == 0, done.stderr
    clouds, pictures, problem = done.stdout.strip().split("|")
    assert (clouds, pictures) == ("5", "False") and problem.startswith("camera: no OpenGL")


def test_time_that_goes_back_starts_afresh(frames: list[Frame]) -> None:
    given = play(frames[:6] + frames[:6], "pole_01")
    stamps = [cloud.stamp_ns for _, cloud in given["lidar_points"]]
    assert stamps[-5:] == [frame.stamp_ns for frame in frames[1:6]]


def test_a_wrong_setting_is_one_line(frames: list[Frame]) -> None:
    with pytest.raises(ConfigError, match="pole_77") as caught:
        play(frames, "pole_77")
    assert "\n" not in str(caught.value)


def test_a_late_sensor_holds_back_no_other(frames: list[Frame]) -> None:
    late = play(frames, "vehicle_01", "faults.links=[{platform: vehicle_01, sensor: lidar, delay: 0.25}]")
    times = [time_ns for time_ns, _ in late["sim_visibility"]]
    assert times == sorted(times) and len(times) == FRAMES - 1
    assert all(0 <= time_ns - told.stamp_ns <= 10_000_000 for time_ns, told in late["sim_visibility"])
    assert all(time_ns - cloud.stamp_ns >= 250_000_000 for time_ns, cloud in late["lidar_points"])
