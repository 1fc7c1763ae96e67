"""ROS messages and district files to what core/ draws."""

from __future__ import annotations

from typing import Any

import numpy as np

from twin_common import stamps
from twin_common.district import DistrictConfig
from twin_viz.core.alerts import AlertState
from twin_viz.core.ground import Area, Post
from twin_viz.core.scene import Zone

_POST_HEIGHT = 5.0  # of a platform without a LiDAR that would tell, metres


def zones_of(message: Any) -> tuple[Zone, ...]:
    """Return the incidents of a twin_msgs/IncidentArray."""
    return tuple(
        Zone(
            item.kind, item.severity, item.probability, item.time_to_event, item.x, item.y, item.radius,
            tuple(int(i) for i in item.track_ids),
        )
        for item in message.incidents
    )  # fmt: skip


def alert_of(message: Any) -> AlertState:
    """Return a twin_msgs/Alert."""
    return AlertState(
        stamp_ns=stamps.from_time(message.header.stamp), alert_id=message.alert_id, state=message.state,
        kind=message.kind, severity=message.severity, probability=message.probability,
        time_to_event=message.time_to_event, latency_ms=message.latency_ms,
        raised_ns=stamps.from_time(message.raised_stamp), latitude=message.latitude, longitude=message.longitude,
        radius=message.radius, place=message.place, agencies=tuple(message.agencies), text=message.text,
        operator_name=message.operator_name, note=message.note,
    )  # fmt: skip


Frame = tuple[int, str, str, tuple[float, ...], tuple[float, ...]]


def transforms_of(message: Any) -> list[Frame]:
    """Return (stamp_ns, parent, child, translation xyz, quaternion xyzw) of a tf2_msgs/TFMessage."""
    found: list[Frame] = []
    for item in message.transforms:
        move, turn = item.transform.translation, item.transform.rotation
        found.append(
            (
                stamps.from_time(item.header.stamp), item.header.frame_id, item.child_frame_id,
                (move.x, move.y, move.z), (turn.x, turn.y, turn.z, turn.w),
            )
        )  # fmt: skip
    return found


def areas_of(district: DistrictConfig) -> tuple[Area, ...]:
    """Return the zones of a district."""
    return tuple(Area(zone.name, zone.kind, zone.corners(), zone.height) for zone in district.zones)


def posts_of(district: DistrictConfig, states: dict[str, int]) -> tuple[Post, ...]:
    """Return the poles of a district; ``states`` by name, 3 where nothing has been heard."""
    return tuple(
        Post(
            item.name, (item.pose.x, item.pose.y, item.pose.z),
            item.lidar.mount.z if item.lidar is not None and item.lidar.mount.z > 0 else _POST_HEIGHT,
            states.get(item.name, 3),
        )
        for item in district.platforms
        if item.kind == "pole"
    )  # fmt: skip


def to_wgs84(district: DistrictConfig, xy: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return longitude and latitude of ground points (N, 2), metres, map frame; degrees."""
    place = district.origin().to_wgs84(xy[:, 0], xy[:, 1], np.zeros(len(xy)))
    return place[:, 1], place[:, 0]
