"""The main job, as a person runs it: real processes, real middleware, the shipped recording."""

import os
import signal
import subprocess
import time
from pathlib import Path

import psutil
import pytest

pytestmark = pytest.mark.graph
ROOT = Path(__file__).parent.parent
# At half speed, so that a slow machine too has its restarted process back before the near collision.
COMMAND = [str(ROOT / "twin"), "demo", "--headless", "--port", "0", "--rate", "0.5"]


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
