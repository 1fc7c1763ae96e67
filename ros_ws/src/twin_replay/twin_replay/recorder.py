"""Records topics of the running graph into a bag, as bytes."""

from __future__ import annotations

import re
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from rclpy.event_handler import SubscriptionEventCallbacks
from rclpy.node import Node
from rclpy.qos import DurabilityPolicy, ReliabilityPolicy
from rosgraph_msgs.msg import Clock

from twin_common import cdr, registry, stamps
from twin_common.config import Config, ConfigError, setting
from twin_common.ros_clock import PlayedClock, WallClock
from twin_common.ros_host import qos_profile
from twin_replay import message_definitions, topic_names
from twin_replay.bag import BagWriter, OfferedQos

_DEPTH = 50  # at least so many messages wait while the disk is busy


@dataclass(frozen=True, slots=True)
class RecorderConfig(Config):
    """What is recorded, and how."""

    all: bool = setting(False, doc="every topic, also those the registry does not record")
    topics: tuple[str, ...] = setting((), doc="only these; empty: what the registry records")
    regex: str = setting("", doc="only topics that match as a whole; empty: what the registry records")
    exclude: tuple[str, ...] = setting((), doc="not these")
    duration: float = setting(0.0, "s", "stop after so much time; 0: on Ctrl-C or SIGTERM", low=0)
    flush_period: float = setting(1.0, "s", "at most so much is lost when the process is killed", low=0.05, high=60)
    discovery_period: float = setting(0.2, "s", "how often new topics are looked for", low=0.02, high=10)
    use_sim_time: bool = setting(False, doc="log times follow /clock; the ROS parameter of that name does the same")

    def __post_init__(self) -> None:
        """Check ranges and the pattern."""
        Config.__post_init__(self)
        try:
            re.compile(self.regex)
        except re.error as error:
            raise ConfigError(f"RecorderConfig.regex: {self.regex!r}: {error}; expected a regular expression") from None


def selects(config: RecorderConfig, name: str) -> bool:
    """Return whether a topic is to be recorded."""
    if name in config.exclude:
        return False
    if config.all or name in config.topics or (config.regex and re.fullmatch(config.regex, name)):
        return True
    entry = topic_names.entry_of(name)
    return not config.topics and not config.regex and entry is not None and entry.recorded


class Recorder:
    """Subscribes to the selected topics as they appear, and writes what arrives under its time of arrival."""

    def __init__(self, node: Node, writer: BagWriter, config: RecorderConfig, log: Callable[[str], None]) -> None:
        """Start with nothing subscribed; ``log`` takes one line for a person."""
        self._node, self._writer, self._config, self._log = node, writer, config, log
        self._subscriptions: dict[str, Any] = {}
        self._refused: set[str] = set()
        self._clock: WallClock | PlayedClock = WallClock()
        self._early: list[tuple[str, bytes]] = []
        self._problem: Exception | None = None
        self.counts: Counter[str] = Counter()
        self.bytes = 0
        self.lost: Counter[str] = Counter()
        if config.use_sim_time or node.get_parameter("use_sim_time").value:
            self._clock = PlayedClock()
            node.create_subscription(Clock, "/clock", self._on_clock, qos_profile(registry.topic("clock").qos))

    def run(self, stop: threading.Event) -> None:
        """Record until ``stop`` is set or the time is over.

        Raises:
            BagError: the bag cannot be written any more.

        """
        ends = time.monotonic() + (self._config.duration or float("inf"))
        next_flush = time.monotonic() + self._config.flush_period
        while not stop.is_set() and time.monotonic() < ends and self._problem is None:
            self.discover()
            if time.monotonic() >= next_flush:
                self._writer.flush()
                next_flush = time.monotonic() + self._config.flush_period
            stop.wait(max(min(self._config.discovery_period, ends - time.monotonic()), 0))
        for subscription in self._subscriptions.values():
            self._node.destroy_subscription(subscription)
        if self._problem is not None:
            raise self._problem

    def discover(self) -> None:
        """Subscribe to selected topics that have appeared."""
        for name, types in self._node.get_topic_names_and_types():
            if name in self._subscriptions or name in self._refused or not selects(self._config, name):
                continue
            entry = topic_names.entry_of(name)
            publishers = self._node.get_publishers_info_by_topic(name)
            if not publishers and entry is None:
                continue
            type_name = entry.type_name if entry else types[0]
            if entry is not None and entry.private:
                self._refuse(name, "it shows people; expected a topic that may leave its platform")
            elif types != [type_name]:
                self._refuse(name, f"published as {', '.join(types)}; expected {type_name}")
            elif not message_definitions.is_installed(type_name):
                self._refuse(name, f"type {type_name} is not installed")
            else:
                self._subscribe(name, type_name, _offered(entry, [info.qos_profile for info in publishers]))

    def _refuse(self, name: str, cause: str) -> None:
        self._refused.add(name)
        self._log(f"{name}: not recorded: {cause}")

    def _subscribe(self, name: str, type_name: str, qos: OfferedQos) -> None:
        self._writer.add_topic(name, type_name, qos)
        profile = qos_profile(registry.Qos(max(qos.depth, _DEPTH), qos.reliable, qos.latched))
        events = SubscriptionEventCallbacks(message_lost=partial(self._on_lost, name))
        self._subscriptions[name] = self._node.create_subscription(
            cdr.message_class(type_name),
            name,
            partial(self._on_message, name),
            profile,
            raw=True,
            event_callbacks=events,
        )

    def _on_message(self, name: str, content: bytes) -> None:
        now_ns = self._clock.now_ns()
        if not now_ns:  # latched messages arrive before the first tick of /clock
            self._early.append((name, content))
            return
        self._write(name, now_ns, content)

    def _write(self, name: str, time_ns: int, content: bytes) -> None:
        if self._problem is not None:
            return
        try:
            self._writer.write(name, time_ns, content)
        except Exception as error:  # shown and raised by run(); a callback's exception would end its thread unseen
            self._problem = error
            return
        self.counts[name] += 1
        self.bytes += len(content)

    def _on_lost(self, name: str, event: Any) -> None:
        self.lost[name] = event.total_count

    def _on_clock(self, message: Clock) -> None:
        assert isinstance(self._clock, PlayedClock)
        self._clock.tick(stamps.from_time(message.clock))
        early, self._early = self._early, []
        for name, content in early:
            self._write(name, stamps.from_time(message.clock), content)


def _offered(entry: registry.Topic | None, profiles: list[Any]) -> OfferedQos:
    """Return the strictest quality of service that all publishers offer; the registry's where there are none yet."""
    if not profiles:
        return topic_names.offered(entry) if entry else OfferedQos()
    return OfferedQos(
        depth=max(entry.qos.depth if entry else 10, *(profile.depth for profile in profiles)),
        reliable=all(profile.reliability == ReliabilityPolicy.RELIABLE for profile in profiles),
        latched=all(profile.durability == DurabilityPolicy.TRANSIENT_LOCAL for profile in profiles),
    )
