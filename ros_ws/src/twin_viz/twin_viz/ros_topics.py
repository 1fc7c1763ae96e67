"""Every topic of the registry as it is, subscribed to only while somebody watches, and calls to the dispatcher.

A node of its own on a thread of its own: what it subscribes to changes while it runs, and a large cloud must
not hold up the scene.
"""

from __future__ import annotations

import contextlib
import functools
import threading
from collections.abc import Callable
from typing import Any

import foxglove
from rclpy.executors import ExternalShutdownException
from rclpy.experimental import EventsExecutor
from rclpy.node import Node
from rclpy.task import Future

from twin_common import cdr, registry
from twin_common.ros_host import FOREVER, qos_profile
from twin_replay.message_definitions import definition
from twin_viz.server import Feed, Server


class CallFailed(RuntimeError):
    """A service that is not there or does not answer; the message is one line for a person."""


class RosTopics:
    """Forwards messages without decoding them.

    Args:
        name: of the node.
        server: gets one feed per topic.
        platforms: names of the platforms whose topics are offered.
        now_ns: the time of the graph.

    """

    def __init__(self, name: str, server: Server, platforms: tuple[str, ...], now_ns: Callable[[], int]) -> None:
        """Offer every topic."""
        self._now_ns = now_ns
        self._node = Node(name, use_global_arguments=False, start_parameter_services=False)
        self._executor = EventsExecutor()
        self._executor.add_node(self._node)
        self._finished: Future = Future(executor=self._executor)
        self._subscriptions: dict[str, Any] = {}
        self._clients: dict[str, Any] = {}
        self.received = 0
        for entry in (item for item in registry.TOPICS.values() if not item.private):
            for topic in [entry.resolve(p) for p in platforms] if entry.per_platform else [entry.resolve()]:
                self._offer(server, entry, topic)
        self._thread = threading.Thread(target=self._spin, name="foxglove topics", daemon=True)
        self._thread.start()

    def _offer(self, server: Server, entry: registry.Topic, topic: str) -> None:
        text = definition(entry.type_name).encode()
        schema = foxglove.Schema(name=entry.type_name, encoding="ros2msg", data=text)
        feeds: list[Feed] = []

        def on_listeners(present: bool) -> None:
            change = self._subscribe if present else self._unsubscribe
            self._executor.create_task(change, entry, topic, feeds[0])

        keep = entry.qos.depth if entry.qos.latched else 0
        urgent = entry.key == "alerts"
        feeds.append(server.feed(topic, "cdr", schema, keep=keep, urgent=urgent, on_listeners=on_listeners))

    def _subscribe(self, entry: registry.Topic, topic: str, feed: Feed) -> None:
        if topic in self._subscriptions:
            return
        forward = functools.partial(self._forward, feed, entry.qos.latched)
        self._subscriptions[topic] = self._node.create_subscription(
            cdr.message_class(entry.type_name), topic, forward, qos_profile(entry.qos), raw=True
        )

    def _unsubscribe(self, _entry: registry.Topic, topic: str, feed: Feed) -> None:
        if feed.wanted:  # somebody has come back meanwhile
            return
        subscription = self._subscriptions.pop(topic, None)
        if subscription is not None:
            self._node.destroy_subscription(subscription)
            feed.forget()

    def _forward(self, feed: Feed, latched: bool, message: bytes) -> None:
        self.received += 1
        feed.send(message, self._now_ns(), retain=latched)

    def add_service(self, name: str, type_name: str) -> None:
        """Prepare calls of a ROS service."""
        self._clients[name] = self._node.create_client(cdr.message_class(type_name), name)

    def call(self, name: str, request: Any, timeout: float) -> Any:
        """Call a ROS service from another thread and return its response.

        Raises:
            CallFailed: nobody offers the service, or the answer takes longer than ``timeout`` seconds.

        """
        client = self._clients[name]
        if not client.service_is_ready():
            raise CallFailed(f"{name}: nobody offers this service; is the dispatcher running?")
        answered = threading.Event()
        future = client.call_async(request)
        future.add_done_callback(lambda _: answered.set())
        if not answered.wait(timeout):
            client.remove_pending_request(future)
            raise CallFailed(f"{name}: no answer within {timeout:g} s")
        return future.result()

    def _spin(self) -> None:
        with contextlib.suppress(KeyboardInterrupt, ExternalShutdownException):
            self._executor.spin_until_future_complete(self._finished, FOREVER)

    def close(self) -> None:
        """End the thread, then the node."""
        self._executor.create_task(self._finished.set_result, None)
        self._thread.join(timeout=2.0)
        self._node.destroy_node()
