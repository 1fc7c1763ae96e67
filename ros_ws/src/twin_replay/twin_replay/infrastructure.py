"""What player and recorder share: a plain rclpy node that serves in the background and ends on a signal."""

from __future__ import annotations

import os
import signal
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import rclpy
from rclpy.experimental import EventsExecutor
from rclpy.node import Node
from rclpy.signals import SignalHandlerOptions
from rclpy.task import Future

from twin_common.config import ConfigError
from twin_common.ros_host import FOREVER
from twin_replay.core.mcap_file import BagError

#: Fast DDS gives a process 0.5 MB of shared memory to send from; a scan of 3 MB that does not fit is sent in
#: pieces, and a reader that misses one loses the scan. Measured with such scans at 10 Hz: 60 to 80% lost with
#: the default, none with this.
_PROFILES = """<?xml version="1.0" encoding="UTF-8"?>
<profiles xmlns="http://www.eprosima.com/XMLSchemas/fastRTPS_Profiles">
  <transport_descriptors>
    <transport_descriptor>
      <transport_id>memory</transport_id><type>SHM</type>
      <segment_size>33554432</segment_size><maxMessageSize>8388608</maxMessageSize>
    </transport_descriptor>
    <transport_descriptor><transport_id>network</transport_id><type>UDPv4</type></transport_descriptor>
  </transport_descriptors>
  <participant profile_name="large_messages" is_default_profile="true">
    <rtps>
      <userTransports><transport_id>memory</transport_id><transport_id>network</transport_id></userTransports>
      <useBuiltinTransports>false</useBuiltinTransports>
    </rtps>
  </participant>
</profiles>
"""
_PROFILES_VARIABLE = "FASTRTPS_DEFAULT_PROFILES_FILE"
_CHOICES = (_PROFILES_VARIABLE, "FASTDDS_DEFAULT_PROFILES_FILE", "FASTDDS_BUILTIN_TRANSPORTS")


@contextmanager
def large_messages() -> Iterator[None]:
    """Let participants made meanwhile send messages of some MB whole, unless the user has chosen a transport."""
    if any(os.environ.get(name) for name in _CHOICES):
        yield
        return
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "profiles.xml"
        path.write_text(_PROFILES)
        os.environ[_PROFILES_VARIABLE] = str(path)
        try:
            yield
        finally:
            del os.environ[_PROFILES_VARIABLE]


@contextmanager
def background_node(name: str, arguments: Sequence[str]) -> Iterator[Node]:
    """Make a node whose callbacks run in a thread of their own; ``arguments`` may contain ``--ros-args``."""
    context = rclpy.Context()
    with large_messages():
        rclpy.init(args=list(arguments), context=context, signal_handler_options=SignalHandlerOptions.NO)
        node = Node(name, context=context, enable_rosout=False)
    executor = EventsExecutor(context=context)
    executor.add_node(node)
    done: Future = Future(executor=executor)
    thread = threading.Thread(target=executor.spin_until_future_complete, args=(done, FOREVER), daemon=True)
    thread.start()
    try:
        yield node
    finally:
        done.set_result(None)
        thread.join(timeout=2.0)
        node.destroy_node()
        rclpy.try_shutdown(context=context)


@contextmanager
def stop_on_signals() -> Iterator[threading.Event]:
    """Give an event that SIGINT and SIGTERM set; the handlers from before come back at the end."""
    stop = threading.Event()

    def handle(_number: int, _frame: Any) -> None:
        stop.set()

    numbers = (signal.SIGINT, signal.SIGTERM)
    before = [signal.signal(number, handle) for number in numbers]
    try:
        yield stop
    finally:
        for number, handler in zip(numbers, before, strict=True):
            signal.signal(number, handler)


def exit_code(work: Callable[[], int]) -> int:
    """Return the code of ``work``; 2, after one line on stderr, where its input is bad."""
    try:
        return work()
    except (BagError, ConfigError) as error:
        print(error, file=sys.stderr)
        return 2
