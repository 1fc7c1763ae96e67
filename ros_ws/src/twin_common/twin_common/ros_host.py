"""Runs components as ROS 2 nodes, one or several in a process."""

from __future__ import annotations

import contextlib
import functools
import signal
import sys
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any

import rclpy
from diagnostic_msgs.msg import DiagnosticArray
from rclpy.context import Context as RclContext
from rclpy.experimental import EventsExecutor
from rclpy.node import Node
from rclpy.parameter import Parameter
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy
from rclpy.signals import SignalHandlerOptions
from rclpy.task import Future
from rosgraph_msgs.msg import Clock

from twin_common import cdr, parameters, registry, stamps
from twin_common.codecs import codec_for
from twin_common.component import Component
from twin_common.config import ConfigError
from twin_common.diagnostics import diagnostics_of
from twin_common.node_spec import NodeSpec, ProcessSpec
from twin_common.ros_clock import PlayedClock, WallClock
from twin_common.runtime import LocalBus, NodeRuntime, Outlet, Port, expand_inputs, freeze

FOREVER = 1e8  # seconds
TICK = 0.005  # how often timers are looked at, seconds
SHARED = frozenset({"/tf", "/tf_static", "/diagnostics", "/clock"})  # topics of many publishers: never local only


def qos_profile(qos: registry.Qos) -> QoSProfile:
    """Return the rclpy profile of a registry entry's quality of service."""
    return QoSProfile(
        depth=qos.depth,
        reliability=ReliabilityPolicy.RELIABLE if qos.reliable else ReliabilityPolicy.BEST_EFFORT,
        durability=DurabilityPolicy.TRANSIENT_LOCAL if qos.latched else DurabilityPolicy.VOLATILE,
    )


class RosHost:
    """The nodes of one process on rclpy.

    Topics published in this process reach its other nodes in memory; they are serialised only while
    another process listens.
    """

    def __init__(self, process: ProcessSpec, context: RclContext | None = None) -> None:
        """Make all nodes of a process.

        Raises:
            ConfigError: a parameter or component is not what was expected; nothing is left behind.

        """
        self._context = context
        self._bus = LocalBus()
        self._clock: WallClock | PlayedClock = PlayedClock() if process.use_sim_time else WallClock()
        self._use_sim_time = process.use_sim_time
        self._publishers: dict[int, Any] = {}
        self._discreet = len(process.nodes) > 1  # a node on its own would be of no use without its output
        self.nodes: list[Node] = []
        self.runtimes: list[NodeRuntime] = []
        self.executor = EventsExecutor(context=context)
        self._stopped = Future(executor=self.executor)
        self._stop_asked = False
        try:
            for spec in process.nodes:
                self._make_node(spec)
            self._connect()
        except Exception:
            self.close()
            raise

    def _make_node(self, spec: NodeSpec) -> None:
        component = spec.component_class()
        remaps = [f"{source}:={target}" for source, target in spec.remappings.items()]
        arguments = ["--ros-args", *(word for remap in remaps for word in ("-r", remap))] if remaps else None
        overrides = [Parameter(key, value=_parameter_value(value)) for key, value in spec.parameters.items()]
        overrides.append(Parameter("use_sim_time", value=self._use_sim_time))
        node = Node(
            spec.name, namespace=spec.namespace, context=self._context, cli_args=arguments,
            parameter_overrides=overrides, automatically_declare_parameters_from_overrides=True,
            start_parameter_services=True, enable_rosout=True,
        )  # fmt: skip
        self.nodes.append(node)
        if not self._use_sim_time and node.get_parameter("use_sim_time").value:
            self._use_sim_time, self._clock = True, PlayedClock()
        config = parameters.declare(node, component.Config)
        runtime = NodeRuntime(
            node.get_fully_qualified_name(), component, config, node.get_logger(), self.now_ns, self._send,
            self._listeners, self.runtimes,
        )  # fmt: skip
        self.runtimes.append(runtime)
        for output in component.outputs:
            topic = node.resolve_topic_name(f"~/output/{output.name}")
            outlet = runtime.add_outlet(output.name, output.topic, topic)
            if outlet.entry.private and self._discreet:
                continue
            message_type = cdr.message_class(outlet.entry.type_name)
            self._publishers[id(outlet)] = node.create_publisher(message_type, topic, qos_profile(outlet.entry.qos))
        for item, source, private in expand_inputs(component, config):
            runtime.add_port(item, source, node.resolve_topic_name(private))
        for service in component.services:
            handler = runtime.component.handler(f"on_service_{service.name}")
            node.create_service(
                cdr.message_class(service.type_name),
                f"~/{service.name}",
                functools.partial(self._serve, runtime, handler),
            )

    def _connect(self) -> None:
        """Subscribe to what other processes publish; connect what other nodes of this process make in memory.

        What a node makes itself does not count: a driver that can record raw packets can also play recorded ones.
        """
        for node, runtime in zip(self.nodes, self.runtimes, strict=True):
            others = (other for other in self.runtimes if other is not runtime)
            local = {outlet.topic for other in others for outlet in other.outlets.values()} - SHARED
            for port in runtime.ports:
                if port.topic in local:
                    self._bus.connect(runtime, port)
                    continue
                entry = registry.topic(port.input.topic)
                node.create_subscription(
                    cdr.message_class(entry.type_name), port.topic,
                    functools.partial(self._receive, runtime, port, codec_for(entry.type_name)),
                    qos_profile(entry.qos), raw=True,
                )  # fmt: skip
            self.executor.add_node(node)
        first = self.nodes[0]
        self._diagnostics = first.create_publisher(
            DiagnosticArray, "/diagnostics", qos_profile(registry.topic("diagnostics").qos)
        )
        if self._use_sim_time:
            first.create_subscription(Clock, "/clock", self._on_clock, qos_profile(registry.topic("clock").qos))
        first.create_timer(TICK, self._tick, clock=rclpy.clock.Clock(clock_type=rclpy.clock.ClockType.STEADY_TIME))
        self._next_diagnostics = time.monotonic() + 1.0

    def now_ns(self) -> int:
        """Return the time of the graph."""
        return self._clock.now_ns()

    def _on_clock(self, message: Clock) -> None:
        if isinstance(self._clock, PlayedClock):
            self._clock.tick(stamps.from_time(message.clock))

    def _receive(self, runtime: NodeRuntime, port: Port, codec: Any, buffer: bytes) -> None:
        try:
            message = codec.decode(buffer)
        except Exception as error:  # a peer with other interfaces must not end this node
            runtime.count("undecodable")
            runtime.report(f"{port.topic}: {error}")
            return
        stamp_ns = codec.stamp_ns(message)
        if isinstance(self._clock, PlayedClock) and stamp_ns and not self.now_ns():
            self._clock.tick(stamp_ns)  # the first message may overtake the first tick of /clock
        runtime.deliver(port, message, stamp_ns)
        self._bus.run()

    def _send(self, outlet: Outlet, message: Any) -> None:
        if outlet.topic not in SHARED and self._bus.listeners(outlet.topic):
            freeze(message)
            self._bus.send(outlet.topic, message, outlet.codec.stamp_ns(message), outlet.within)
        if outlet.within is not None:
            return
        publisher = self._publishers.get(id(outlet))
        if publisher is None:
            return
        if outlet.entry.qos.latched or publisher.get_subscription_count():
            publisher.publish(outlet.codec.encode(message))

    def _listeners(self, outlet: Outlet) -> int:
        publisher = self._publishers.get(id(outlet))
        count: int = publisher.get_subscription_count() if publisher is not None else 0
        return count + self._bus.listeners(outlet.topic)

    def _serve(self, runtime: NodeRuntime, handler: Any, request: Any, response: Any) -> Any:
        answer = runtime.guarded(handler, request, response)
        self._bus.run()
        return response if answer is None else answer

    def _tick(self) -> None:
        if self._stop_asked:
            self._stopped.set_result(True)
            return
        now_ns = self.now_ns()
        if now_ns:
            for runtime in self.runtimes:
                runtime.run_timers(now_ns)
            self._bus.run()
        if time.monotonic() >= self._next_diagnostics:
            self._next_diagnostics += 1.0
            told = [runtime for runtime in self.runtimes if not runtime.silent]
            self._diagnostics.publish(diagnostics_of(told, now_ns))

    def start(self) -> None:
        """Start the components, in order."""
        for runtime in self.runtimes:
            runtime.component.start()
        self._bus.run()

    def stop(self) -> None:
        """Make ``spin`` return soon; safe to call from a signal handler."""
        self._stop_asked = True

    def spin(self) -> None:
        """Run until ``stop`` is called or the context is shut down."""
        with contextlib.suppress(KeyboardInterrupt, rclpy.executors.ExternalShutdownException):
            # spin() without a deadline returns from every wait at once in rclpy 7.1 and starves its callbacks.
            self.executor.spin_until_future_complete(self._stopped, FOREVER)

    def close(self) -> None:
        """End every component, then its node."""
        for runtime in reversed(self.runtimes):
            runtime.guarded(runtime.component.close)
        for node in reversed(self.nodes):
            node.destroy_node()
        self.runtimes, self.nodes = [], []


def _parameter_value(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value


def run_process(
    process: ProcessSpec, arguments: Sequence[str] | None = None, on_ready: Callable[[], None] | None = None
) -> int:
    """Run the nodes of a process until Ctrl-C or SIGTERM; return the exit code (2: bad configuration).

    ``on_ready`` is called once all nodes exist and have started.
    """
    # Not rclpy's own handlers: they shut the context down under a running callback, which then fails.
    stop = threading.Event()
    host: RosHost | None = None

    def asked(_number: int, _frame: object) -> None:
        stop.set()
        if host is not None:
            host.stop()

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, asked)
    rclpy.init(args=list(arguments) if arguments is not None else None, signal_handler_options=SignalHandlerOptions.NO)
    try:
        host = RosHost(process)
        if stop.is_set():
            return 0
        host.start()
        if on_ready is not None:
            on_ready()
        host.spin()
        return 0
    except ConfigError as error:
        print(error, file=sys.stderr)
        return 2
    finally:
        if host is not None:
            host.close()
        rclpy.try_shutdown()


def run_component(component: type[Component], name: str) -> int:
    """Run one component as a node of its own; parameters and remappings come from --ros-args."""
    spec = NodeSpec(f"{component.__module__}:{component.__qualname__}", name)
    return run_process(ProcessSpec(name, (spec,)), sys.argv)
