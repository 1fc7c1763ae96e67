"""Plays a bag: its topics as recorded, and /clock.

Messages keep the stamps in their headers; /clock carries the log time they were recorded at. With ``--loop``
the time of /clock is set back to the start of the bag; the nodes of the graph take that as a new start.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from rcl_interfaces.msg import ParameterDescriptor, SetParametersResult
from rclpy.duration import Duration
from rclpy.node import Node
from rosgraph_msgs.msg import Clock
from std_srvs.srv import SetBool, Trigger

from twin_common import cdr, registry, stamps
from twin_common.config import Config, ConfigError, setting
from twin_common.ros_host import qos_profile
from twin_replay import topic_names
from twin_replay.bag import BagMessage, BagReader, OfferedQos
from twin_replay.core.timeline import Timeline

_SETTLE = 1.0  # seconds without a new subscriber after which no further ones are waited for


@dataclass(frozen=True, slots=True)
class PlayerConfig(Config):
    """How a bag is played."""

    rate: float = setting(1.0, "1", "speed: 2 is twice as fast as recorded", low=0.01, high=100)
    loop: bool = setting(False, doc="start again at the end")
    start: float = setting(0.0, "s", "skip so much of the beginning; latched messages from it are sent", low=0)
    duration: float = setting(0.0, "s", "stop after so much of the recording; 0: at its end", low=0)
    paused: bool = setting(False, doc="begin paused")
    topics: tuple[str, ...] = setting((), doc="only these; empty: all")
    exclude: tuple[str, ...] = setting((), doc="not these")
    sensors_only: bool = setting(False, doc="only what sensors gave, so that the graph makes the rest itself")
    wait: float = setting(5.0, "s", "wait at most so long for subscribers before the first message", low=0, high=600)
    clock_rate: float = setting(50.0, "Hz", "of /clock, in pauses too", low=1, high=1000)
    recover: bool = setting(False, doc="play what is whole of a cut-off bag")


def selected_topics(reader: BagReader, config: PlayerConfig) -> list[str]:
    """Return the topics to play.

    Raises:
        BagError: a topic that is asked for was not recorded, or none is left.

    """
    reader.require(config.topics)
    names = config.topics or tuple(name for name, topic in reader.topics.items() if topic.count)
    if config.sensors_only:
        names = tuple(name for name in names if topic_names.is_sensor(name))
    kept = [name for name in names if name not in config.exclude and name != "/clock"]
    if not kept:
        reader.require(("any sensor" if config.sensors_only else "any topic to be played",))
    reader.check_types(kept)
    return kept


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to be played: topics with their quality of service, and the window of log time, ns."""

    topics: dict[str, registry.Qos]
    start_ns: int
    end_ns: int


def plan(reader: BagReader, config: PlayerConfig) -> Plan:
    """Check a bag against what is asked of it.

    Raises:
        BagError: a topic that is asked for was not recorded, none is left, or a type has changed.
        ConfigError: the start is behind the end of the bag.

    """
    topics = selected_topics(reader, config)
    start_ns = reader.start_ns + stamps.from_seconds(config.start)
    if start_ns > reader.end_ns:
        raise ConfigError(f"start: {config.start} s; expected less: {reader.path} is {reader.duration:.3f} s long")
    end_ns = reader.end_ns
    if config.duration:
        end_ns = min(end_ns, start_ns + stamps.from_seconds(config.duration))
    return Plan({name: _qos_of(reader, name) for name in topics}, start_ns, end_ns)


class Player:
    """Plays the planned part of a bag on a node."""

    def __init__(self, node: Node, reader: BagReader, plan: Plan, config: PlayerConfig) -> None:
        """Make publishers and services; nothing is played yet."""
        self._reader, self._config = reader, config
        self._latched = [name for name, qos in plan.topics.items() if qos.latched]
        self._publishers: dict[str, Any] = {
            name: node.create_publisher(cdr.message_class(reader.topics[name].type_name), name, qos_profile(qos))
            for name, qos in plan.topics.items()
        }
        self._clock = node.create_publisher(Clock, "/clock", qos_profile(registry.topic("clock").qos))
        self.start_ns, self.end_ns = plan.start_ns, plan.end_ns
        self._changed = threading.Condition()
        self._timeline = Timeline(self.start_ns, config.rate, time.monotonic_ns(), paused=True)
        self._steps = 0
        self._next_tick = 0
        self.published = 0
        node.create_service(SetBool, "~/pause", self._on_pause)
        node.create_service(Trigger, "~/resume", lambda _, response: self._set_paused(False, response))
        node.create_service(Trigger, "~/toggle_paused", self._on_toggle)
        node.create_service(Trigger, "~/play_next", self._on_play_next)
        node.declare_parameter("rate", config.rate, ParameterDescriptor(description="speed, may be set while playing"))
        node.add_on_set_parameters_callback(self._on_parameters)

    def run(self, stop: threading.Event) -> None:
        """Play until the end, or until ``stop`` is set."""
        self._wait_for_subscribers(stop)
        paused = self._config.paused
        while not stop.is_set():
            with self._changed:
                now = time.monotonic_ns()
                self._timeline.jump(self.start_ns, now)
                self._timeline.set_paused(paused, now)
                self._tick(now)
            self._play_once(stop)
            paused = False
            if not self._config.loop:
                break
        for publisher in self._publishers.values():
            publisher.wait_for_all_acked(Duration(seconds=1.0))

    def _play_once(self, stop: threading.Event) -> None:
        for message in self._messages():
            if not self._reach(message.time_ns, stop):
                return
            self._publishers[message.topic].publish(message.content)
            self.published += 1
        self._reach(self.end_ns, stop)

    def _messages(self) -> Iterator[BagMessage]:
        if self.start_ns > self._reader.start_ns and self._latched:
            for message in self._reader.messages(self._latched, end_ns=self.start_ns):
                yield message._replace(time_ns=self.start_ns)
        yield from self._reader.messages(self._publishers, self.start_ns, self.end_ns + 1)

    def _reach(self, time_ns: int, stop: threading.Event) -> bool:
        """Wait until the recording is at ``time_ns``, ticking /clock; return False if playing was stopped."""
        while not stop.is_set():
            with self._changed:
                now = time.monotonic_ns()
                if now >= self._next_tick:
                    self._tick(now)
                if self._steps and self._timeline.paused:
                    self._steps -= 1
                    self._timeline.jump(time_ns, now)
                    self._tick(now)
                    return True
                due = self._timeline.due(time_ns)
                if due is not None and due <= now:
                    return True
                wake = self._next_tick if due is None else min(self._next_tick, due)
                self._changed.wait(max(wake - time.monotonic_ns(), 0) / stamps.NANOSECONDS)
        return False

    def _tick(self, now: int) -> None:
        self._clock.publish(Clock(clock=stamps.fill_time(Clock().clock, min(self._timeline.at(now), self.end_ns))))
        self._next_tick = now + stamps.from_seconds(1 / self._config.clock_rate)

    def _wait_for_subscribers(self, stop: threading.Event) -> None:
        """Wait until /clock and every topic have a subscriber, or no new one has come for a while, or time is up."""
        until = time.monotonic() + self._config.wait
        counts: list[int] = []
        settled = time.monotonic() + _SETTLE
        while time.monotonic() < until and not stop.is_set():
            found = [publisher.get_subscription_count() for publisher in (*self._publishers.values(), self._clock)]
            if found != counts:
                counts, settled = found, time.monotonic() + _SETTLE
            if all(counts) or (any(counts) and time.monotonic() >= settled):
                return
            with self._changed:
                self._tick(time.monotonic_ns())
            stop.wait(1 / self._config.clock_rate)

    def _set_paused(self, paused: bool, response: Any) -> Any:
        with self._changed:
            self._timeline.set_paused(paused, time.monotonic_ns())
            self._changed.notify()
        response.success, response.message = True, "paused" if paused else "playing"
        return response

    def _on_pause(self, request: Any, response: Any) -> Any:
        return self._set_paused(bool(request.data), response)

    def _on_toggle(self, _request: Any, response: Any) -> Any:
        return self._set_paused(not self._timeline.paused, response)

    def _on_play_next(self, _request: Any, response: Any) -> Any:
        with self._changed:
            response.success = self._timeline.paused
            response.message = "one message played" if response.success else "not paused; expected a pause first"
            self._steps += response.success
            self._changed.notify()
        return response

    def _on_parameters(self, parameters: Sequence[Any]) -> SetParametersResult:
        for parameter in parameters:
            if parameter.name == "rate":
                try:
                    rate = PlayerConfig(rate=parameter.value).rate
                except ConfigError as error:
                    return SetParametersResult(successful=False, reason=str(error))
                with self._changed:
                    self._timeline.set_rate(float(rate), time.monotonic_ns())
                    self._changed.notify()
        return SetParametersResult(successful=True)


def _qos_of(reader: BagReader, name: str) -> registry.Qos:
    entry = topic_names.entry_of(name)
    return entry.qos if entry else topic_names.as_registry_qos(reader.topics[name].qos or OfferedQos())
