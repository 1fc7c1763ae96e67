"""Configuration dataclasses as ROS parameters."""

from __future__ import annotations

import array
import dataclasses
from typing import Any, TypeVar

from rcl_interfaces.msg import ParameterDescriptor
from rclpy.node import Node

from twin_common.config import Config, allowed, from_mapping

C = TypeVar("C", bound=Config)
_BUILT_IN = ("use_sim_time", "qos_overrides", "start_type_description_service")


def declare(node: Node, cls: type[C]) -> C:
    """Declare one read-only ROS parameter per field of ``cls`` and return the configuration they give.

    The node must have been made with ``automatically_declare_parameters_from_overrides=True``.

    Raises:
        ConfigError: a parameter is unknown, missing or outside its range.

    """
    where = node.get_fully_qualified_name()
    given = {
        name: _plain(parameter.value)
        for name, parameter in node.get_parameters_by_prefix("").items()
        if name.split(".")[0] not in _BUILT_IN
    }
    config = from_mapping(cls, given, where)
    for field in dataclasses.fields(cls):
        value = getattr(config, field.name)
        if node.has_parameter(field.name):
            node.undeclare_parameter(field.name)
        unit = f" [{field.metadata['unit']}]" if field.metadata.get("unit") else ""
        descriptor = ParameterDescriptor(
            description=f"{field.metadata.get('doc', '')}{unit}",
            additional_constraints=allowed(field),
            read_only=True,
            dynamic_typing=True,
        )
        node.declare_parameter(field.name, list(value) if isinstance(value, tuple) else value, descriptor)
    return config


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, (array.array, tuple)) else value
