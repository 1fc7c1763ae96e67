"""The bridge on real middleware, watched by Foxglove's own client library."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from twin_common import registry

ROOT = Path(__file__).parent.parent.parent
PLATFORMS = ("pole_01", "pole_02")


def ask(port: int) -> dict:
    """Run the client and return what it found."""
    client = subprocess.run(
        ["node", "client.mjs", f"ws://127.0.0.1:{port}"],
        cwd=ROOT / "viewer",
        capture_output=True,
        text=True,
        timeout=40,
    )
    assert client.returncode == 0, client.stderr
    return json.loads(client.stdout)


@pytest.mark.graph
def test_a_client_sees_every_topic_and_the_scene_and_acknowledges_an_alert(served: Callable[..., int]) -> None:
    found = ask(served("--alerts", "2"))
    for entry in registry.TOPICS.values():
        for topic in [entry.resolve(name) for name in PLATFORMS] if entry.per_platform else [entry.name]:
            if entry.private:
                assert topic not in found["channels"], "raw images stay in their process"
                continue
            channel = found["channels"][topic]
            assert (channel["encoding"], channel["schemaEncoding"]) == ("cdr", "ros2msg")
            assert channel["schemaName"] == entry.type_name
            assert channel["schemaLength"] > 20
    assert found["channels"]["/scene"]["schemaName"] == "foxglove.SceneUpdate"
    assert found["channels"]["/alerts_log"]["schemaName"] == "foxglove.Log"
    assert found["ground"]["triangles"] == 5  # one surface for each kind of zone
    assert found["scene"]["objects"] == {"cubes": 12 + 3}
    assert found["scene"]["velocities"] == {"arrows": 10}
    assert found["scene"]["predictions"] == {"lines": 20}
    assert found["scene"]["incidents"] == {"cylinders": 2, "texts": 2}
    assert found["tracks"]["frame"] == "map"
    assert found["tracks"]["count"] == 12
    assert found["tracks"]["sec"] > 1_700_000_000
    assert found["acknowledged"]["success"] is True
    assert found["acknowledged"]["message"].startswith("alert-000")
    assert found["unknown"] == {"success": False, "message": "no such alert: no such alert: no such alert"}
    assert "unknown field 'alert'" in found["refused"]


@pytest.mark.graph
def test_a_busy_port_ends_the_bridge_with_one_line(served: Callable[..., int]) -> None:
    port = served("--empty")
    second = subprocess.run(
        [sys.executable, "-m", "twin_viz.foxglove_node", "--port", str(port)],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert second.returncode == 2
    assert second.stderr.strip().splitlines()[-1].startswith(f"foxglove: port {port} on 127.0.0.1 is in use; expected")
    assert "Traceback" not in second.stderr


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--district", "nowhere.yaml"], "nowhere.yaml: no such file"),
        (["--ros-args", "-p", "scene_rate:=99.0"], "scene_rate: 99.0 is out of range; expected 0.5 to 30.0"),
        (["--ros-args", "-p", "colour:=1"], "unknown key 'colour'"),
    ],
)
@pytest.mark.graph
def test_bad_input_ends_the_bridge_with_one_line(own_domain: int, arguments: list[str], words: str) -> None:
    run = subprocess.run(
        [sys.executable, "-m", "twin_viz.foxglove_node", *arguments], capture_output=True, text=True, timeout=60
    )
    assert run.returncode == 2
    assert words in run.stderr
    assert "Traceback" not in run.stderr
