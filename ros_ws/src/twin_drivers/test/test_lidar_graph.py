"""The LiDAR driver as a process of its own, wired as the graph wires it, fed from another process."""

import random
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
import rclpy
import yaml
from rclpy.context import Context
from rclpy.executors import SingleThreadedExecutor
from sensor_msgs.msg import PointCloud2

from twin_bringup.graph import remappings
from twin_common import registry
from twin_common.node_spec import NodeSpec, ProcessSpec, as_mapping
from twin_common.ros_host import qos_profile
from twin_drivers import convert
from twin_drivers.core import synthetic
from twin_drivers.lidar_node import LidarDriver
from twin_msgs.msg import LidarPackets

START_NS = 1_700_000_000_000_000_000
pytestmark = pytest.mark.graph


@pytest.fixture
def driver(monkeypatch, tmp_path):
    monkeypatch.setenv("ROS_DOMAIN_ID", str(random.SystemRandom().randint(1, 76)))
    monkeypatch.setenv("ROS_AUTOMATIC_DISCOVERY_RANGE", "LOCALHOST")
    (tmp_path / "os1.json").write_text(synthetic.ouster_metadata(512))
    spec = NodeSpec(
        "twin_drivers.lidar_node:LidarDriver", "lidar_driver", "/pole_01",
        {"platform": "pole_01", "district": str(tmp_path / "district.yaml"), "metadata": "os1.json"},
        remappings(LidarDriver, (), "pole_01"),
    )  # fmt: skip
    path = tmp_path / "process.yaml"
    path.write_text(yaml.safe_dump(as_mapping(ProcessSpec("pole_01", (spec,)))))
    process = subprocess.Popen([sys.executable, "-m", "twin_bringup.container", "--spec", str(path)])
    yield process
    process.send_signal(signal.SIGINT)
    try:
        assert process.wait(timeout=15) == 0
    finally:
        process.kill()


def test_recorded_packets_of_another_process_become_clouds(driver, ranges):
    context = Context()
    rclpy.init(context=context)
    node = rclpy.create_node("player", context=context)
    executor = SingleThreadedExecutor(context=context)
    executor.add_node(node)
    clouds = []
    entry = registry.topic("lidar_packets")
    publisher = node.create_publisher(LidarPackets, entry.resolve("pole_01"), qos_profile(entry.qos))
    entry = registry.topic("lidar_points")
    node.create_subscription(PointCloud2, entry.resolve("pole_01"), clouds.append, qos_profile(entry.qos))
    deadline, number = time.monotonic() + 30.0, 0
    while not clouds and time.monotonic() < deadline:
        number += 1
        packets = synthetic.ouster_packets(
            synthetic.ouster_metadata(512), ranges, START_NS + number * synthetic.PERIOD_NS, number
        )
        publisher.publish(convert.packets_to_message(packets, "ouster/OS-1-64", "pole_01/lidar"))
        executor.spin_once(timeout_sec=0.1)
    node.destroy_node()
    context.try_shutdown()
    assert clouds and clouds[0].width == np.count_nonzero(ranges)
    assert clouds[0].header.frame_id == "pole_01/lidar"
