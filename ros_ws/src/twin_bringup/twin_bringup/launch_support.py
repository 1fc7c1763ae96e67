"""The real launch API over the same descriptions: used by launch/*.launch.py on a full ROS 2 installation."""

from __future__ import annotations

import dataclasses
from dataclasses import MISSING
from typing import Any

from launch.actions import DeclareLaunchArgument, OpaqueFunction, Shutdown
from launch_ros.actions import Node

from launch import LaunchDescription
from twin_bringup.descriptions import description, options_from_text
from twin_bringup.jobs import ENVIRONMENT, Job, run_folder


def launch_description(name: str) -> LaunchDescription:
    """Return the launch description of that name; its arguments are the fields of its options."""
    options, _ = description(name)
    arguments = []
    for field in dataclasses.fields(options):
        default = None if field.default is MISSING else _text(field.default)
        arguments.append(DeclareLaunchArgument(field.name, default_value=default, description=field.metadata["doc"]))
    return LaunchDescription([*arguments, OpaqueFunction(function=_actions, args=[name])])


def _actions(context: Any, name: str) -> list[Node]:
    options, plan = description(name)
    given = {
        field.name: context.launch_configurations[field.name]
        for field in dataclasses.fields(options)
        if field.name in context.launch_configurations
    }
    return [_node(job) for job in plan(options_from_text(options, given, name), run_folder()).jobs]


def _node(job: Job) -> Node:
    ending: dict[str, Any] = {"on_exit": Shutdown()} if job.ends_all else {"respawn": True, "respawn_delay": 1.0}
    return Node(
        package=job.package, executable=job.executable, arguments=list(job.arguments), output="screen",
        emulate_tty=True, additional_env=ENVIRONMENT, **ending,
    )  # fmt: skip


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
