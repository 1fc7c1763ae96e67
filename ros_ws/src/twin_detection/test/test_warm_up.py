"""A node compiles its loops when it starts, and none at a scan."""

import subprocess
import sys

import pytest

SCRIPT = """
import importlib
import json
import sys
from pkgutil import iter_modules

import numpy as np

import twin_detection.core as core
from twin_common.lockstep import LockstepHost
from twin_common.node_spec import NodeSpec
from twin_common.pointcloud import encode
from twin_detection.core.reach import within
from twin_detection.synthetic import Box, Lidar, scan


def compiled():
    modules = [importlib.import_module(f"{core.__name__}.{found.name}") for found in iter_modules(core.__path__)]
    kernels = {id(one): one for module in modules for one in vars(module).values() if hasattr(one, "signatures")}
    return sum(len(kernel.signatures) for kernel in kernels.values())


seen = []
values = {"platform": "pole_01", "roll_deg": 1.0, "pitch_deg": 2.0, **json.loads(sys.argv[1])}
spec = NodeSpec("twin_detection.lidar_detector_node:LidarDetector", "lidar_detector", "/pole_01", values)
host = LockstepHost([spec], lambda topic, _t, _n, message: seen.append(message))
before = compiled()
street = [Box(0.0, 14.0, 40.0, 1.0, 8.0)]
people = [Box(8.0 + 0.5 * n, 3.0 + 0.3 * (n % 3), 0.5, 0.5, 1.6 + 0.05 * n) for n in range(6)]
users = [*people, Box(-8.0, -5.0, 12.0, 2.6, 3.4), Box(5.0, -9.0, 4.4, 1.8, 1.5)]
for index in range(16):
    lidar, rng = Lidar(values["sensor_height"], columns=1024), np.random.default_rng(index)
    cloud = scan(lidar, street + users * (index > 11), rng, index)
    host.feed("/pole_01/lidar_detector/input/points", cloud.stamp_ns, encode(cloud))
assert len(seen[-1]["objects"]) >= 3, len(seen[-1]["objects"])
kept = np.ones((9, 3))  # other kinds of numbers, as other drivers send them, and not to be written to
kept.flags.writeable = False
within(kept, np.zeros(9, np.uint8), np.zeros(9, np.float32), 0.5, 50.0)
within(kept[::2], np.zeros(18, np.int32)[::4], np.zeros(5), 0.5, 50.0)
assert compiled() == before >= int(sys.argv[2]), (before, compiled())
"""


@pytest.mark.parametrize(
    ("values", "loops"),
    [
        ('{"sensor_height": 5.0}', 9),
        ('{"sensor_height": 1.9, "mode": "moving"}', 3),
        ('{"sensor_height": 1.9, "mode": "moving", "method": "rules"}', 1),
    ],
)
def test_no_scan_waits_for_the_compiler(values: str, loops: int) -> None:
    command = [sys.executable, "-c", SCRIPT, values, str(loops)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stderr[-2000:]
