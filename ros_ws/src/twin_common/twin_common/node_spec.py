"""Nodes and processes as data."""

from __future__ import annotations

import importlib
from dataclasses import dataclass, field
from typing import Any

from twin_common.component import Component
from twin_common.config import Config, ConfigError, setting


@dataclass(frozen=True, slots=True)
class NodeSpec(Config):
    """One node: which component, where in the graph, with which parameters and topics."""

    component: str = setting(doc="module:Class, e.g. twin_tracking.tracker_node:Tracker")
    name: str = setting(doc="node name")
    namespace: str = setting("/", doc="namespace, with its slash")
    parameters: dict[str, Any] = field(default_factory=dict)
    remappings: dict[str, str] = field(default_factory=dict)

    @property
    def full_name(self) -> str:
        """Name with namespace, e.g. /pole_01/lidar_detector."""
        return f"{self.namespace.rstrip('/')}/{self.name}"

    def component_class(self) -> type[Component]:
        """Import the component.

        Raises:
            ConfigError: the module or the class does not exist.

        """
        module, _, name = self.component.partition(":")
        try:
            found = getattr(importlib.import_module(module), name)
        except (ImportError, AttributeError) as error:
            raise ConfigError(f"{self.full_name}: component {self.component!r} cannot be loaded: {error}") from error
        if not (isinstance(found, type) and issubclass(found, Component)):
            raise ConfigError(f"{self.full_name}: {self.component!r} is no component")
        return found


@dataclass(frozen=True, slots=True)
class ProcessSpec(Config):
    """One operating-system process and the nodes in it, in order of start."""

    name: str = setting(doc="name in logs")
    nodes: tuple[NodeSpec, ...] = ()
    use_sim_time: bool = setting(False, doc="follow /clock")


def as_mapping(process: ProcessSpec) -> dict[str, Any]:
    """Return a process as plain data, for YAML."""
    return {
        "name": process.name,
        "use_sim_time": process.use_sim_time,
        "nodes": [
            {
                "component": node.component, "name": node.name, "namespace": node.namespace,
                "parameters": {
                    key: list(value) if isinstance(value, tuple) else value for key, value in node.parameters.items()
                },
                "remappings": dict(node.remappings),
            }
            for node in process.nodes
        ],
    }  # fmt: skip
