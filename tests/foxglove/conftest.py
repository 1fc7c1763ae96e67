"""A bridge and what it listens to, as real processes."""

import contextlib
import os
import random
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

HERE = Path(__file__).parent
ROOT = HERE.parent.parent


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_for_port(port: int, process: subprocess.Popen, seconds: float = 40) -> None:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        assert process.poll() is None, "the bridge has ended"
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return
        time.sleep(0.1)
    raise AssertionError(f"port {port} was not opened within {seconds} s")


@pytest.fixture
def start() -> Iterator[Callable[..., subprocess.Popen]]:
    """Starts Python programs in a ROS domain of their own; ends them afterwards."""
    environment = os.environ | {
        "ROS_DOMAIN_ID": str(random.SystemRandom().randint(1, 100)),
        "ROS_AUTOMATIC_DISCOVERY_RANGE": "LOCALHOST",
        "TWIN_ROOT": str(ROOT),
    }
    running: list[subprocess.Popen] = []

    def run(*arguments: str) -> subprocess.Popen:
        process = subprocess.Popen([sys.executable, *arguments], env=environment)
        running.append(process)
        return process

    yield run
    for process in running:
        process.send_signal(signal.SIGINT)
    for process in running:
        try:
            process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


@pytest.fixture
def served(start: Callable[..., subprocess.Popen]) -> Callable[..., int]:
    """Starts a bridge and a feeder with the given options and returns the bridge's port."""

    def serve(*options: str, district: bool = True) -> int:
        port = free_port()
        place = ["--district", str(HERE / "crossing.yaml")] if district else []
        bridge = start("-m", "twin_viz.foxglove_node", *place, "--port", str(port))
        start(str(HERE / "feeder.py"), *options)
        wait_for_port(port, bridge)
        return port

    return serve
