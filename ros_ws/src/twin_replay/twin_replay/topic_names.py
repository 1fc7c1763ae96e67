"""Which entry of the registry a topic's name belongs to, and with which quality of service it travels."""

from __future__ import annotations

import re
from functools import cache

from twin_common import registry
from twin_replay.core.bag_metadata import OfferedQos

#: What sensors and platforms bring in; all other topics follow from them.
SENSOR_KEYS = (
    "lidar_packets", "lidar_points", "camera_image", "camera_info", "gnss_fix", "gnss_velocity", "imu",
)  # fmt: skip
#: What lockstep replay compares with its reference.
COMPARED_KEYS = (
    "platform_objects", "odometry", "objects", "tracks", "predictions", "behaviors", "snapshot", "incidents", "alerts",
)  # fmt: skip


@cache
def _patterns() -> tuple[tuple[re.Pattern[str], registry.Topic], ...]:
    return tuple(
        (re.compile(re.escape(entry.name).replace(re.escape("{platform}"), "(?P<platform>[^/]+)")), entry)
        for entry in registry.TOPICS.values()
    )


@cache
def entry_of(name: str) -> registry.Topic | None:
    """Return the registry's entry of a resolved topic name, e.g. ``/pole_01/imu``; None for a foreign topic."""
    for pattern, entry in _patterns():
        if pattern.fullmatch(name):
            return entry
    return None


def is_sensor(name: str) -> bool:
    """Return whether a topic is what a sensor gives."""
    entry = entry_of(name)
    return entry is not None and entry.key in SENSOR_KEYS


def platform_of(name: str) -> str:
    """Return the platform in a topic's name, "" if it has none."""
    for pattern, _ in _patterns():
        match = pattern.fullmatch(name)
        if match:
            return str(match.groupdict().get("platform") or "")
    return ""


def offered(entry: registry.Topic) -> OfferedQos:
    """Return the quality of service of a registry entry, as bags record it."""
    return OfferedQos(entry.qos.depth, entry.qos.reliable, entry.qos.latched)


def as_registry_qos(qos: OfferedQos) -> registry.Qos:
    """Return a recorded quality of service in the registry's words."""
    return registry.Qos(qos.depth, qos.reliable, qos.latched)
