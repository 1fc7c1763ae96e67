"""Player and recorder as processes, and what a test sees of them on real middleware."""

import contextlib
import os
import random
import subprocess
import sys
import time

from twin_common import cdr, registry, stamps
from twin_common.ros_host import qos_profile
from twin_replay import topic_names
from twin_replay.infrastructure import background_node

PATIENCE = 30.0  # seconds until something that is bound to happen counts as not happening


def use_own_domain(monkeypatch):
    monkeypatch.setenv("ROS_DOMAIN_ID", str(random.SystemRandom().choice([n for n in range(1, 101) if n != 77])))
    monkeypatch.setenv("ROS_AUTOMATIC_DISCOVERY_RANGE", "LOCALHOST")


@contextlib.contextmanager
def running(module, *arguments):
    """Run ``python -m twin_replay.<module>``; it is killed if the test leaves it running."""
    command = [sys.executable, "-m", f"twin_replay.{module}", *map(str, arguments)]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=dict(os.environ))
    try:
        yield process
    finally:
        if process.poll() is None:
            process.kill()
        process.communicate()


def finish(process):
    """Wait for the end; return exit code and what was printed."""
    out, err = process.communicate(timeout=PATIENCE)
    return process.returncode, out + err


def wait_until(condition, what):
    until = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < until, f"{what}: has not happened in {PATIENCE:.0f} s"
        time.sleep(0.01)


def same(received, sent):
    """Return whether CDR bytes arrived as sent; DDS may fill them up to a multiple of 4."""
    pairs = list(zip(received, sent, strict=True))
    return all(got.startswith(content) and len(got) - len(content) < 4 for got, content in pairs)


class Watcher:
    """Subscribes to topics and to /clock; keeps (topic, bytes, newest clock) in order of arrival."""

    def __init__(self, node, topics):
        from rosgraph_msgs.msg import Clock

        self.node, self.got, self.clock = node, [], []
        node.create_subscription(Clock, "/clock", self._on_clock, qos_profile(registry.topic("clock").qos))
        for name in topics:
            entry = topic_names.entry_of(name)
            qos = qos_profile(registry.Qos(1000, entry.qos.reliable, entry.qos.latched))
            node.create_subscription(
                cdr.message_class(entry.type_name), name,
                lambda content, name=name: self.got.append((name, content, self.clock[-1] if self.clock else None)),
                qos, raw=True,
            )  # fmt: skip

    def _on_clock(self, message):
        self.clock.append(stamps.from_time(message.clock))

    def of(self, topic):
        return [content for name, content, _ in self.got if name == topic]

    def call(self, kind, name, request):
        client = self.node.create_client(kind, name)
        wait_until(client.service_is_ready, f"service {name}")
        future = client.call_async(request)
        wait_until(future.done, f"answer of {name}")
        return future.result()


@contextlib.contextmanager
def watching(*topics):
    with background_node("watcher", []) as node:
        yield Watcher(node, topics)
