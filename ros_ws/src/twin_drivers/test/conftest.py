import socket
from pathlib import Path

import numpy as np
import pytest

from twin_common.codecs import codec_for
from twin_common.lockstep import LockstepHost
from twin_common.node_spec import NodeSpec
from twin_drivers.core import synthetic

DATA = Path(__file__).resolve().parents[4].parent / "shared" / "data" / "lidar_packets"
START_NS = 1_700_000_000_000_000_000


@pytest.fixture
def lidar_data():
    """Folder of the recorded packets."""
    if not DATA.is_dir():
        pytest.skip(f"real recordings are missing: {DATA}")
    return DATA


@pytest.fixture
def free_udp_port():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Driven:
    """One driver in a lockstep host, its published messages and its problems."""

    def __init__(self, component, parameters, watched=()):
        self.published = []
        self.problems = []
        self.host = LockstepHost(
            [NodeSpec(component, "driver", "/pole", parameters)],
            lambda topic, _type, _now, message: self.published.append((topic.rsplit("/", 1)[-1], message)),
            frozenset(f"/pole/driver/output/{port}" for port in watched),
        )
        self.runtime = self.host.runtimes[0]
        self.now_ns = START_NS

    def of(self, port):
        return [message for name, message in self.published if name == port]

    def advance(self, seconds):
        """Let time pass in steps of 10 ms."""
        for _ in range(round(seconds / 0.01)):
            self.now_ns += 10_000_000
            self.host.advance(self.now_ns)
            problem = self.runtime.problem
            if not self.problems or self.problems[-1] != problem:
                self.problems.append(problem)

    def feed(self, port, type_name, message):
        self.host.feed(f"/pole/driver/input/{port}", self.now_ns, codec_for(type_name).encode(message))


@pytest.fixture
def drive():
    """Return a function that runs one driver in lockstep."""
    running = []

    def make(component, parameters, watched=()):
        driven = Driven(component, parameters, watched)
        running.append(driven)
        return driven

    yield make
    for driven in running:
        driven.host.close()


@pytest.fixture
def ranges():
    """Ranges of an OS-1-64 with 512 columns: 2 to 40 m, a fifth of the pixels without return."""
    rng = np.random.default_rng(1)
    return np.where(rng.random((64, 512)) < 0.2, 0.0, np.rint(rng.uniform(2000, 40000, (64, 512)) / 8) * 8e-3)


@pytest.fixture
def frames(ranges):
    """Return a function that gives the packets of revolutions with these frame numbers."""
    metadata = synthetic.ouster_metadata(512)

    def make(numbers):
        return [
            synthetic.ouster_packets(metadata, ranges, START_NS + index * synthetic.PERIOD_NS, number)
            for index, number in enumerate(numbers)
        ]

    return make
