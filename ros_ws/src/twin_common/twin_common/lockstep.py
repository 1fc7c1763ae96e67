"""Runs a whole graph in one process over recorded messages, without middleware and without a clock.

The same recording gives the same output, message for message: nodes run one after the other, in
order of publishing, and time is that of the recording.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import Any

from twin_common import registry
from twin_common.codecs import codec_for
from twin_common.config import ConfigError, from_mapping
from twin_common.node_spec import NodeSpec
from twin_common.runtime import LocalBus, NodeRuntime, Outlet, expand_inputs, freeze

Observer = Callable[[str, str, int, Any], None]


class LockstepHost:
    """Hosts nodes over a recording.

    Args:
        nodes: the nodes, in order of start.
        observer: called with (topic, type, time, message) for every published message.
        watched: topics that count as listened to even if no node takes them.

    """

    def __init__(self, nodes: Sequence[NodeSpec], observer: Observer, watched: frozenset[str] = frozenset()) -> None:
        """Make all nodes and connect them."""
        self._now_ns = 0
        self._bus = LocalBus()
        self._observer = observer
        self._watched = watched
        self.runtimes: list[NodeRuntime] = []
        for spec in nodes:
            self.runtimes.append(self._make(spec))
        self._inputs: dict[str, str] = {
            port.topic: registry.topic(port.input.topic).type_name
            for runtime in self.runtimes
            for port in runtime.ports
        }
        for runtime in self.runtimes:
            runtime.guarded(runtime.component.start)

    def _make(self, spec: NodeSpec) -> NodeRuntime:
        component = spec.component_class()
        config = from_mapping(component.Config, spec.parameters, spec.full_name)
        runtime = NodeRuntime(
            spec.full_name, component, config, logging.getLogger(spec.full_name), lambda: self._now_ns, self._send,
            lambda outlet: self._bus.listeners(outlet.topic) + (outlet.topic in self._watched),
            self.runtimes,
        )  # fmt: skip
        for output in component.outputs:
            runtime.add_outlet(output.name, output.topic, _resolve(spec, f"~/output/{output.name}"))
        for item, source, private in expand_inputs(component, config):
            self._bus.connect(runtime, runtime.add_port(item, source, _resolve(spec, private)))
        return runtime

    @property
    def input_topics(self) -> dict[str, str]:
        """Topic and type of everything some node listens to."""
        return dict(self._inputs)

    @property
    def now_ns(self) -> int:
        """The time the graph has reached."""
        return self._now_ns

    def _send(self, outlet: Outlet, message: Any) -> None:
        freeze(message)
        if outlet.within is None:
            self._observer(outlet.topic, outlet.entry.type_name, self._now_ns, message)
        self._bus.send(outlet.topic, message, outlet.codec.stamp_ns(message), outlet.within)

    def advance(self, time_ns: int) -> None:
        """Let time pass; timers fire at their own moments, in order."""
        while True:
            due = min((at for at in (r.next_timer_ns() for r in self.runtimes) if at is not None), default=None)
            if due is None or due > time_ns:
                break
            self._now_ns = max(due, self._now_ns)
            for runtime in self.runtimes:
                runtime.run_timers(self._now_ns)
                self._bus.run()
        self._now_ns = max(time_ns, self._now_ns)
        for runtime in self.runtimes:
            runtime.run_timers(self._now_ns)
        self._bus.run()

    def feed(self, topic: str, time_ns: int, buffer: bytes) -> None:
        """Play one recorded message: time advances to it, then all that follows from it happens."""
        self.advance(time_ns)
        codec = codec_for(self._inputs[topic])
        message = codec.decode(buffer)
        self._bus.send(topic, message, codec.stamp_ns(message))
        self._bus.run()

    def call(self, node: str, service: str, request: Any, response: Any) -> Any:
        """Call a service of a node."""
        runtime = next((r for r in self.runtimes if r.name == node), None)
        if runtime is None:
            raise ConfigError(f"{node}: no such node; expected one of {[r.name for r in self.runtimes]}")
        answer = runtime.guarded(runtime.component.handler(f"on_service_{service}"), request, response)
        self._bus.run()
        return answer

    def close(self) -> None:
        """End every node."""
        for runtime in reversed(self.runtimes):
            runtime.guarded(runtime.component.close)


def _resolve(spec: NodeSpec, private: str) -> str:
    return spec.remappings.get(private, private.replace("~", spec.full_name, 1))
