"""The hosts on real middleware, in real processes."""

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import rclpy
import yaml
from diagnostic_msgs.msg import DiagnosticArray
from rclpy.context import Context
from rclpy.executors import SingleThreadedExecutor
from sensor_msgs.msg import CompressedImage

from twin_common import registry
from twin_common.node_spec import NodeSpec, ProcessSpec, as_mapping
from twin_common.ros_host import qos_profile
from twin_msgs.msg import DetectedObjectArray
from twin_msgs.srv import AcknowledgeAlert

HERE = Path(__file__).parent
SOURCE = NodeSpec(
    "host_components:Source", "source", "/pole_01", {"speed": 2}, {"~/output/objects": "/pole_01/objects"}
)
SINK = NodeSpec(
    "host_components:Sink", "sink", "/district", {"platforms": ("pole_01",)},
    {"~/input/objects/pole_01": "/pole_01/objects", "~/output/objects": "/district/objects"},
)  # fmt: skip
pytestmark = pytest.mark.graph


@pytest.fixture
def domain(monkeypatch: pytest.MonkeyPatch) -> int:
    number = random.SystemRandom().randint(1, 100)
    monkeypatch.setenv("ROS_DOMAIN_ID", str(number))
    monkeypatch.setenv("ROS_AUTOMATIC_DISCOVERY_RANGE", "LOCALHOST")
    return number


def start(process: ProcessSpec, folder: Path) -> subprocess.Popen:
    path = folder / f"{process.name}.yaml"
    path.write_text(yaml.safe_dump(as_mapping(process)))
    read_end, write_end = os.pipe()
    environment = {
        **os.environ, "PYTHONPATH": f"{HERE}:{os.environ.get('PYTHONPATH', '')}", "TWIN_READY_FD": str(write_end),
    }  # fmt: skip
    command = [sys.executable, "-m", "twin_bringup.container", "--spec", str(path)]
    started = subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True, pass_fds=(write_end,))
    os.close(write_end)
    os.read(read_end, 16)  # returns when it is ready, or has ended
    os.close(read_end)
    return started


def end(process: subprocess.Popen, number: int = signal.SIGINT) -> int:
    process.send_signal(number)
    try:
        return process.wait(timeout=15)
    finally:
        process.kill()


@pytest.fixture
def listener(domain: int) -> Iterator[tuple]:
    context = Context()
    rclpy.init(context=context)
    node = rclpy.create_node("listener", context=context)
    executor = SingleThreadedExecutor(context=context)
    executor.add_node(node)
    yield node, executor
    node.destroy_node()
    context.try_shutdown()


def spin_until(executor: SingleThreadedExecutor, done, limit: float = 20.0) -> bool:
    deadline = time.monotonic() + limit
    while not done() and time.monotonic() < deadline:
        executor.spin_once(timeout_sec=0.1)
    return bool(done())


@pytest.mark.parametrize("split", [False, True], ids=["one process", "two processes"])
def test_messages_reach_an_ordinary_subscriber(split: bool, listener: tuple, tmp_path: Path) -> None:
    node, executor = listener
    received: list[DetectedObjectArray] = []
    statuses: dict[str, dict[str, str]] = {}
    node.create_subscription(DetectedObjectArray, "/district/objects", received.append, 10)
    node.create_subscription(
        DiagnosticArray, "/diagnostics",
        lambda m: statuses.update({s.name: {v.key: v.value for v in s.values} for s in m.status}), 10,
    )  # fmt: skip
    specs = [ProcessSpec("a", (SOURCE,)), ProcessSpec("b", (SINK,))] if split else [ProcessSpec("ab", (SOURCE, SINK))]
    processes = [start(spec, tmp_path) for spec in specs]
    try:
        assert spin_until(executor, lambda: len(received) >= 10 and len(statuses) == 2)
        ids = [message.objects[0].object_id for message in received]
        assert ids == list(range(ids[0], ids[0] + len(ids)))
        assert len(received[-1].objects) == 3
        assert received[-1].objects[0].platforms == 1
        client = node.create_client(AcknowledgeAlert, "/district/sink/acknowledge")
        assert client.wait_for_service(timeout_sec=10)
        future = client.call_async(AcknowledgeAlert.Request(alert_id="known"))
        assert spin_until(executor, future.done)
        assert future.result().success
        # its first status may come before its first message
        assert spin_until(executor, lambda: "pipeline_latency_ms" in statuses["/district/sink"])
        values = statuses["/district/sink"]
        assert float(values["processing_time_ms"]) > 0
        assert 0 <= float(values["pipeline_latency_ms"]) < 1000
        assert int(values["input.objects.pole_01.received"]) > 0
    finally:
        codes = [end(process) for process in processes]
    assert codes == [0] * len(processes)


IMAGE, SHOWN = "/pole_01/camera/image/compressed", "/pole_01/camera/view/compressed"
LENS = NodeSpec("host_components:Lens", "lens", "/pole_01", {}, {"~/output/image": IMAGE})
EYE = NodeSpec("host_components:Eye", "eye", "/pole_01", {}, {"~/input/image": IMAGE, "~/output/view": SHOWN})


def test_what_shows_people_stays_in_the_process_of_its_platform(listener: tuple, tmp_path: Path) -> None:
    node, executor = listener
    shown: list[CompressedImage] = []
    leaked: list[CompressedImage] = []
    node.create_subscription(CompressedImage, SHOWN, shown.append, qos_profile(registry.topic("camera_view").qos))
    node.create_subscription(CompressedImage, IMAGE, leaked.append, qos_profile(registry.topic("camera_image").qos))
    process = start(ProcessSpec("pole_01", (LENS, EYE)), tmp_path)
    try:
        assert spin_until(executor, lambda: len(shown) >= 5)
        assert shown[-1].format == "people" and not leaked
        assert len(node.get_publishers_info_by_topic(SHOWN)) == 1 and not node.get_publishers_info_by_topic(IMAGE)
    finally:
        assert end(process) == 0


def test_a_camera_in_a_process_of_its_own_publishes(listener: tuple, tmp_path: Path) -> None:
    node, executor = listener
    images: list[CompressedImage] = []
    node.create_subscription(CompressedImage, IMAGE, images.append, qos_profile(registry.topic("camera_image").qos))
    process = start(ProcessSpec("lens", (LENS,)), tmp_path)
    try:
        assert spin_until(executor, lambda: len(images) >= 3)
    finally:
        assert end(process) == 0


def test_sigterm_ends_a_process_with_code_0(domain: int, tmp_path: Path) -> None:
    process = start(ProcessSpec("a", (SOURCE,)), tmp_path)
    assert end(process, signal.SIGTERM) == 0


def test_a_wrong_parameter_ends_with_one_line_and_code_2(domain: int, tmp_path: Path) -> None:
    wrong = NodeSpec("host_components:Source", "source", "/pole_01", {"sped": 2.0})
    process = start(ProcessSpec("a", (wrong,)), tmp_path)
    _, errors = process.communicate(timeout=20)
    assert process.returncode == 2
    assert errors.strip().splitlines() == ["/pole_01/source: unknown key 'sped'; did you mean speed?"]
