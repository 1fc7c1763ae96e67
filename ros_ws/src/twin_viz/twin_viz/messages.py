"""Messages of Foxglove's well-known schemas (protobuf bytes); those of a scene are in ``core/scene_update.py``."""

from __future__ import annotations

import functools
import json
from collections.abc import Iterable
from typing import Any

from foxglove.messages import (
    FrameTransform,
    FrameTransforms,
    GeoJson,
    LocationFix,
    Log,
    LogLevel,
    Quaternion,
    SceneUpdate,
    Timestamp,
    Vector3,
)

from twin_common import stamps
from twin_viz.core import alerts
from twin_viz.core.scene_update import MAP_FRAME

_LEVELS = {2: LogLevel.Info, 3: LogLevel.Warning, 4: LogLevel.Error, 5: LogLevel.Fatal}


def _stamp(stamp_ns: int) -> Timestamp:
    seconds, nanoseconds = divmod(max(stamp_ns, 0), stamps.NANOSECONDS)
    return Timestamp(seconds, nanoseconds)


def log_line(alert: alerts.AlertState) -> bytes:
    """Return the foxglove.Log of one change of an alert's state."""
    return Log(
        timestamp=_stamp(alert.stamp_ns),
        level=_LEVELS[alerts.level(alert)],
        message=alerts.line(alert),
        name=alert.kind,
    ).encode()


def frame_transforms(transforms: Iterable[tuple[int, str, str, tuple[float, ...], tuple[float, ...]]]) -> bytes:
    """Return a foxglove.FrameTransforms."""
    return FrameTransforms(
        transforms=[
            FrameTransform(
                timestamp=_stamp(stamp_ns), parent_frame_id=parent, child_frame_id=child,
                translation=Vector3(x=move[0], y=move[1], z=move[2]),
                rotation=Quaternion(x=turn[0], y=turn[1], z=turn[2], w=turn[3]),
            )
            for stamp_ns, parent, child, move, turn in transforms
        ]
    ).encode()  # fmt: skip


def geojson(collection: dict[str, Any]) -> bytes:
    """Return a foxglove.GeoJSON."""
    return GeoJson(geojson=json.dumps(collection)).encode()


def location(latitude: float, longitude: float, altitude: float, stamp_ns: int) -> bytes:
    """Return a foxglove.LocationFix."""
    return LocationFix(
        timestamp=_stamp(stamp_ns), frame_id=MAP_FRAME, latitude=latitude, longitude=longitude, altitude=altitude
    ).encode()


@functools.cache
def schemas() -> dict[str, Any]:
    """Return the schema of every kind of message made here, by kind."""
    return {
        "scene": SceneUpdate.get_schema(), "log": Log.get_schema(), "transforms": FrameTransforms.get_schema(),
        "geojson": GeoJson.get_schema(), "location": LocationFix.get_schema(),
    }  # fmt: skip
