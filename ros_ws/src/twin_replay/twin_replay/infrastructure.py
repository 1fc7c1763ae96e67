"""What player and recorder share: a plain rclpy node that serves in the background and ends on a signal."""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import rclpy
from rclpy.experimental import EventsExecutor
from rclpy.node import Node
from rclpy.signals import SignalHandlerOptions
from rclpy.task import Future

from twin_common.config import ConfigError
from twin_replay.core.mcap_file import BagError

FOREVER = 1e8  # seconds


@contextmanager
def background_node(name: str, arguments: Sequence[str]) -> Iterator[Node]:
    """Make a node whose callbacks run in a thread of their own; ``arguments`` may contain ``--ros-args``."""
    context = rclpy.Context()
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
