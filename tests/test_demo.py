"""The main job, as a person runs it: real processes, real middleware, a recording and the simulated district."""

import os
import signal
import subprocess
import time
from pathlib import Path

import psutil
import pytest

from twin_replay.bag import BagReader

pytestmark = pytest.mark.graph
ROOT = Path(__file__).parent.parent
TWIN = [str(ROOT / "twin"), "demo", "--headless", "--port", "0"]
# Slowly, so that a slow machine too has its restarted process back before the near collision.
COMMAND = [*TWIN, "--input", "bags/near_miss", "--rate", "0.3"]


def children(process: subprocess.Popen, needle: str) -> list[psutil.Process]:
    found = []
    for child in psutil.Process(process.pid).children(recursive=True):
        try:
            if needle in " ".join(child.cmdline()):
                found.append(child)
        except psutil.NoSuchProcess:
            continue
    return found


def wait_for(condition, limit: float = 40.0) -> bool:
    deadline = time.monotonic() + limit
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.2)
    return bool(condition())


@pytest.fixture
def demo(own_domain: int, tmp_path: Path):
    log = tmp_path / "log"
    with log.open("w") as out:
        process = subprocess.Popen(COMMAND, stdout=out, stderr=subprocess.STDOUT, env=dict(os.environ))
    yield process, log
    if process.poll() is None:
        process.kill()
        process.wait()


def test_a_killed_process_is_restarted_and_the_graph_recovers(demo) -> None:
    process, log = demo
    assert wait_for(lambda: "objects now" in log.read_text() and "car" in log.read_text())
    victim = children(process, "district.yaml")[0]  # the process that holds tracker and dispatcher
    victim.send_signal(signal.SIGKILL)
    assert wait_for(lambda: "district ended with exit code 137; restarting" in log.read_text())
    assert process.wait(timeout=120) == 0, log.read_text()
    text = log.read_text()
    assert "every stage produced output (1 restarts)" in text
    assert "predicted_collision" in text


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=lambda n: n.name)
def test_one_signal_ends_everything(demo, number: signal.Signals) -> None:
    process, log = demo
    assert wait_for(lambda: len(children(process, "twin_")) >= 4)
    everything = children(process, "twin_")
    process.send_signal(number)
    process.wait(timeout=40)
    assert "summary of" in log.read_text()
    assert "Traceback" not in log.read_text()
    _, alive = psutil.wait_procs(everything, timeout=5)
    assert not alive


def test_the_simulated_district_runs_live(own_domain: int) -> None:
    """A pole and the sensor vehicle, of which every stage must produce output."""
    command = [*TWIN, "--duration", "6", "--platforms", "pole_01,vehicle_01"]
    result = subprocess.run(command, capture_output=True, text=True, timeout=200, check=False, cwd=ROOT)
    assert result.returncode == 0, result.stdout + result.stderr
    assert "every stage produced output (0 restarts)" in result.stdout
    assert "/vehicle_01/localizer" in result.stdout and "times real time" in result.stdout


def test_simulated_packets_go_through_the_ordinary_driver(own_domain: int, tmp_path: Path) -> None:
    """Over UDP: what the driver has received is recorded, and becomes tracks."""
    bag = tmp_path / "bag"
    options = ("scenario:=near_miss", "platforms:=pole_01", "udp:=true", "duration:=12", "foxglove_port:=0")
    command = [str(ROOT / "twin"), "launch", "simulation", *options, f"record:={bag}"]
    result = subprocess.run(command, capture_output=True, text=True, timeout=200, check=False, cwd=ROOT)
    assert result.returncode == 0, result.stdout + result.stderr
    topics = BagReader(bag).topics
    assert topics["/pole_01/lidar/packets"].count >= 40
    assert topics["/district/tracks"].count >= 40
