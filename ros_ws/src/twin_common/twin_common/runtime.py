"""What every host does for a component: ports, in-process delivery, and figures for /diagnostics."""

from __future__ import annotations

import time
from collections import Counter, deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from twin_common import registry, stamps
from twin_common.codecs import Codec, codec_for
from twin_common.component import Component, Input, Log
from twin_common.config import Config

_WINDOW = 256


@dataclass(slots=True)
class InputFigures:
    """Rate, gaps and lateness of one input, from the stamps of its messages."""

    received: int = 0
    missed: int = 0
    late: int = 0
    dropped: int = 0
    last_stamp_ns: int | None = None
    intervals_ns: deque[int] = field(default_factory=lambda: deque(maxlen=20))

    def note(self, stamp_ns: int | None, now_ns: int, max_age: float | None) -> None:
        """Take one message's stamp into account."""
        self.received += 1
        if stamp_ns is None:
            return
        if max_age is not None and now_ns - stamp_ns > max_age * stamps.NANOSECONDS:
            self.late += 1
        if self.last_stamp_ns is None:
            self.last_stamp_ns = stamp_ns
            return
        interval = stamp_ns - self.last_stamp_ns
        if interval <= 0:
            self.late += interval < 0
            return
        if len(self.intervals_ns) >= 5:
            usual = float(np.median(self.intervals_ns))
            self.missed += max(round(interval / usual) - 1, 0) if interval > 1.5 * usual else 0
        self.intervals_ns.append(interval)
        self.last_stamp_ns = stamp_ns

    @property
    def rate(self) -> float:
        """Messages per second of sensor time, Hz; 0 until two stamps are known."""
        return stamps.NANOSECONDS / float(np.median(self.intervals_ns)) if self.intervals_ns else 0.0


@dataclass(slots=True)
class Port:
    """One subscribed topic of one node."""

    input: Input
    source: str
    topic: str
    handler: Callable[[Any, str], None]
    figures: InputFigures = field(default_factory=InputFigures)
    waiting: deque[Any] = field(default_factory=deque)
    depth: int = 10


@dataclass(slots=True)
class Outlet:
    """One published topic of one node; ``within``: only nodes of this namespace hear it, None: everybody."""

    port: str
    topic: str
    entry: registry.Topic
    codec: Codec
    published: int = 0
    within: str | None = None


@dataclass(slots=True)
class PendingTimer:
    """A timer of one node, and when it is due next; None before time is known."""

    period_ns: int
    handler: Callable[[int], None]
    due_ns: int | None = None


class NodeRuntime:
    """One running component: implements ``component.Context`` and measures what it does.

    Args:
        send: called with (outlet, message) for every published message.
        clock: returns the graph's time in nanoseconds.
        listeners: returns how many listen to an outlet.
        peers: all nodes of the host, with this one.

    """

    def __init__(
        self, name: str, component: type[Component], config: Config, log: Log, clock: Callable[[], int],
        send: Callable[[Outlet, Any], None], listeners: Callable[[Outlet], int], peers: Sequence[NodeRuntime] = (),
    ) -> None:  # fmt: skip
        """Make the component; nothing runs yet."""
        self.name, self.namespace = name, name.rpartition("/")[0]
        self.silent = False
        self._peers = peers
        self.log = log
        self._clock = clock
        self._send = send
        self._listeners = listeners
        self.ports: list[Port] = []
        self.outlets: dict[str, Outlet] = {}
        self.events: Counter[str] = Counter()
        self.measures: dict[str, float | str] = {}
        self.problem: str | None = None
        self._published = 0
        self.processing_ms: deque[float] = deque(maxlen=_WINDOW)
        self.latency_ms: deque[float] = deque(maxlen=_WINDOW)
        self.component = component(config, self)
        self._timers = [
            PendingTimer(stamps.from_seconds(timer.period), self.component.handler(f"on_timer_{timer.name}"))
            for timer in component.timers
        ]

    def now_ns(self) -> int:
        """Return the time of the graph."""
        return self._clock()

    def add_outlet(self, port: str, key: str, topic: str) -> Outlet:
        """Declare a resolved output."""
        entry = registry.topic(key)
        outlet = self.outlets[port] = Outlet(port, topic, entry, codec_for(entry.type_name))
        return outlet

    def add_port(self, item: Input, source: str, topic: str) -> Port:
        """Declare a resolved input."""
        entry = registry.topic(item.topic)
        port = Port(item, source, topic, self.component.handler(f"on_{item.name}"), depth=entry.qos.depth)
        self.ports.append(port)
        return port

    def publish(self, port: str, message: Any) -> None:
        """Publish on an output, and note how old its sensor data is."""
        outlet = self.outlets[port]
        stamp_ns = outlet.codec.stamp_ns(message)
        if stamp_ns is not None and outlet.entry.rate >= 5:
            self.latency_ms.append((self.now_ns() - stamp_ns) / 1e6)
        outlet.published += 1
        self._published += 1
        self._send(outlet, message)

    def wanted(self, port: str) -> bool:
        """Return whether anybody listens to an output."""
        return self._listeners(self.outlets[port]) > 0

    def count(self, event: str, number: int = 1) -> None:
        """Count an event on /diagnostics."""
        self.events[event] += number

    def report(self, problem: str | None) -> None:
        """Say what is wrong, once, or that all is well again."""
        if problem == self.problem:
            return
        self.problem = problem
        if problem:
            self.log.warning(problem)
        else:
            self.log.info("recovered")

    def measure(self, key: str, value: float | str) -> None:
        """Show a value on /diagnostics."""
        self.measures[key] = value

    def cut_off(self, silent: bool) -> None:
        """Keep within the namespace what its other nodes publish, or let it out again."""
        for peer in self._peers:
            if peer is not self and peer.namespace == self.namespace:
                peer.silent = silent
                for outlet in peer.outlets.values():
                    outlet.within = self.namespace if silent else None

    def deliver(self, port: Port, message: Any, stamp_ns: int | None) -> None:
        """Hand one message to the component; an error in it is reported and the node lives on."""
        port.figures.note(stamp_ns, self.now_ns(), port.input.max_age)
        self.guarded(port.handler, message, port.source, always_timed=True)

    def run_timers(self, now_ns: int) -> None:
        """Call every timer that is due; one that was missed for several periods is called once."""
        for timer in self._timers:
            due = timer.due_ns
            following = (now_ns // timer.period_ns + 1) * timer.period_ns
            if due is None or now_ns < due - timer.period_ns:  # the first call, or time has been set back
                timer.due_ns = following
            elif now_ns >= due:
                timer.due_ns = following
                self.guarded(timer.handler, now_ns if now_ns - due >= timer.period_ns else due)

    def next_timer_ns(self) -> int | None:
        """Return when the next timer is due, if any has started."""
        return min((timer.due_ns for timer in self._timers if timer.due_ns is not None), default=None)

    def guarded(self, handler: Callable[..., Any], *arguments: Any, always_timed: bool = False) -> Any:
        """Call into the component, measure the time and contain what it raises.

        The time counts if something was published, or always: a timer that found nothing to do is no work.
        """
        started, published = time.perf_counter(), self._published
        try:
            return handler(*arguments)
        except Exception as error:  # a node outlives one bad message; the cause is on /diagnostics and in the log
            self.count("errors")
            self.report(f"{handler.__name__}: {type(error).__name__}: {error}")
            self.log.debug(_traceback(error))
            return None
        finally:
            if always_timed or self._published != published:
                self.processing_ms.append((time.perf_counter() - started) * 1e3)


def _traceback(error: Exception) -> str:
    import traceback

    return "".join(traceback.format_exception(error))


class LocalBus:
    """Delivers messages between nodes of one process without serialising them, in order of publishing.

    A full port drops its oldest message, as KEEP_LAST does.
    """

    def __init__(self) -> None:
        """Start without listeners."""
        self._sinks: dict[str, list[tuple[NodeRuntime, Port]]] = {}
        self._ready: deque[tuple[NodeRuntime, Port]] = deque()
        self._running = False

    def connect(self, runtime: NodeRuntime, port: Port) -> None:
        """Deliver the port's topic to it."""
        self._sinks.setdefault(port.topic, []).append((runtime, port))

    def listeners(self, topic: str) -> int:
        """Return how many ports take a topic."""
        return len(self._sinks.get(topic, ()))

    def send(self, topic: str, message: Any, stamp_ns: int | None, within: str | None = None) -> None:
        """Queue a message for every listener; ``within``: for those of a namespace only."""
        for runtime, port in self._sinks.get(topic, ()):
            if within is not None and runtime.namespace != within:
                continue
            if len(port.waiting) >= port.depth:
                port.waiting.popleft()
                port.figures.dropped += 1
            else:
                self._ready.append((runtime, port))
            port.waiting.append((message, stamp_ns))

    def run(self) -> None:
        """Deliver until nothing waits; a call from within a handler returns at once."""
        if self._running:
            return
        self._running = True
        try:
            while self._ready:
                runtime, port = self._ready.popleft()
                message, stamp_ns = port.waiting.popleft()
                runtime.deliver(port, message, stamp_ns)
        finally:
            self._running = False


def freeze(message: Any) -> None:
    """Make the arrays of a message read-only before several nodes share it."""
    for value in getattr(message, "fields", {}).values():
        if isinstance(value, np.ndarray):
            value.flags.writeable = False
    points = getattr(message, "points", None)
    if isinstance(points, np.ndarray):
        points.flags.writeable = False


def expand_inputs(component: type[Component], config: Config) -> list[tuple[Input, str, str]]:
    """Return (input, source, private topic name) of every topic a component listens to."""
    expanded = []
    for item in component.inputs:
        if item.each_platform:
            platforms: tuple[str, ...] = config.platforms  # type: ignore[attr-defined]
            expanded += [(item, name, f"~/input/{item.name}/{name}") for name in platforms]
        else:
            expanded.append((item, "", f"~/input/{item.name}"))
    return expanded
