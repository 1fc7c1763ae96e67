"""What core/ draws, as messages of Foxglove's well-known schemas (protobuf bytes)."""

from __future__ import annotations

import functools
import json
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
from foxglove.messages import (
    ArrowPrimitive,
    Color,
    CubePrimitive,
    CylinderPrimitive,
    FrameTransform,
    FrameTransforms,
    GeoJson,
    LinePrimitive,
    LinePrimitiveLineType,
    LocationFix,
    Log,
    LogLevel,
    Point3,
    Pose,
    Quaternion,
    SceneEntity,
    SceneUpdate,
    TextPrimitive,
    Timestamp,
    TriangleListPrimitive,
    Vector3,
)

from twin_common import stamps
from twin_viz.core import alerts
from twin_viz.core.primitives import Arrows, Boxes, Cylinders, Entity, Labels, Paths, Triangles

MAP_FRAME = "map"
_LEVELS = {2: LogLevel.Info, 3: LogLevel.Warning, 4: LogLevel.Error, 5: LogLevel.Fatal}


def _stamp(stamp_ns: int) -> Timestamp:
    seconds, nanoseconds = divmod(max(stamp_ns, 0), stamps.NANOSECONDS)
    return Timestamp(seconds, nanoseconds)


def _color(rgba: Iterable[float]) -> Color:
    r, g, b, a = rgba
    return Color(r=r, g=g, b=b, a=a)


def _pose(x: float, y: float, z: float, yaw: float = 0.0) -> Pose:
    turn = Quaternion(z=float(np.sin(yaw / 2)), w=float(np.cos(yaw / 2)))
    return Pose(position=Vector3(x=x, y=y, z=z), orientation=turn)


def _cubes(item: Boxes) -> list[CubePrimitive]:
    rows = zip(item.center.tolist(), item.yaw.tolist(), item.size.tolist(), item.color.tolist(), strict=True)
    return [
        CubePrimitive(pose=_pose(*center, yaw), size=Vector3(x=size[0], y=size[1], z=size[2]), color=_color(color))
        for center, yaw, size, color in rows
    ]


def _arrows(item: Arrows) -> list[ArrowPrimitive]:
    rows = zip(item.start.tolist(), item.yaw.tolist(), item.length.tolist(), item.color.tolist(), strict=True)
    made = []
    for start, yaw, length, color in rows:
        head = min(0.8, length / 2)
        made.append(
            ArrowPrimitive(
                pose=_pose(*start, yaw), shaft_length=length - head, shaft_diameter=0.16, head_length=head,
                head_diameter=0.5, color=_color(color),
            )
        )  # fmt: skip
    return made


def _lines(item: Paths) -> list[LinePrimitive]:
    return [
        LinePrimitive(
            type=LinePrimitiveLineType.LineStrip, pose=_pose(0, 0, 0), thickness=item.thickness,
            points=[Point3(x=x, y=y, z=z) for x, y, z in points],
            colors=[Color(r=r, g=g, b=b, a=a) for r, g, b, a in colors],
        )
        for points, colors in zip(item.points.tolist(), item.color.tolist(), strict=True)
    ]  # fmt: skip


def _cylinders(item: Cylinders) -> list[CylinderPrimitive]:
    rows = zip(item.base.tolist(), item.radius.tolist(), item.height.tolist(), item.color.tolist(), strict=True)
    return [
        CylinderPrimitive(
            pose=_pose(x, y, z + height / 2), size=Vector3(x=2 * radius, y=2 * radius, z=height), bottom_scale=1.0,
            top_scale=1.0, color=_color(color),
        )
        for (x, y, z), radius, height, color in rows
    ]  # fmt: skip


def _triangles(item: Triangles) -> list[TriangleListPrimitive]:
    points = [Point3(x=x, y=y, z=z) for x, y, z in item.points.reshape(-1, 3).tolist()]
    return [TriangleListPrimitive(pose=_pose(0, 0, 0), points=points, color=_color(item.color))]


def _texts(item: Labels) -> list[TextPrimitive]:
    rows = zip(item.position.tolist(), item.text, item.color.tolist(), strict=True)
    return [
        TextPrimitive(pose=_pose(*position), billboard=True, font_size=item.size, color=_color(color), text=text)
        for position, text, color in rows
    ]


_FIELDS: dict[type, tuple[str, Callable[[Any], list[Any]]]] = {
    Boxes: ("cubes", _cubes), Arrows: ("arrows", _arrows), Paths: ("lines", _lines),
    Cylinders: ("cylinders", _cylinders), Triangles: ("triangles", _triangles), Labels: ("texts", _texts),
}  # fmt: skip


def scene_update(entities: Iterable[Entity], stamp_ns: int) -> bytes:
    """Return a foxglove.SceneUpdate that replaces the entities of these names, map frame."""
    stamp = _stamp(stamp_ns)
    made = []
    for entity in entities:
        fields: dict[str, list[Any]] = {}
        for primitive in entity.primitives:
            name, make = _FIELDS[type(primitive)]
            fields.setdefault(name, []).extend(make(primitive))
        made.append(SceneEntity(timestamp=stamp, frame_id=MAP_FRAME, id=entity.name, **fields))
    return SceneUpdate(entities=made).encode()


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
