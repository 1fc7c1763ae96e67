"""Entities as a foxglove.SceneUpdate (protobuf).

Field numbers: https://github.com/foxglove/foxglove-sdk, schemas/proto/foxglove.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from twin_viz.core.primitives import Arrows, Boxes, Cylinders, Entity, Labels, Paths, Triangles
from twin_viz.core.protobuf import Template, Token, block, double, integer, message, slot, slots

MAP_FRAME = "map"
_ARROWS, _CUBES, _CYLINDERS, _LINES, _TRIANGLES, _TEXTS = 7, 8, 10, 11, 12, 13  # fields of a SceneEntity
_SHAFT, _HEAD, _LONGEST_HEAD = 0.16, 0.5, 0.8  # diameters and length of an arrow's parts, metres
_UPRIGHT = block(2, double(4, 1.0))  # a pose's orientation: none
_AT_ORIGIN = block(1, b"") + _UPRIGHT


def _pose(number: int, *, turned: bool) -> list[Token]:
    turn = message(2, slot(3, "qz"), slot(4, "qw")) if turned else [_UPRIGHT]
    return message(number, slots(1, "x", "y", "z"), turn)


_CUBE = Template(
    message(_CUBES, _pose(1, turned=True), slots(2, "length", "width", "height"), slots(3, "r", "g", "b", "a"))
)
_CYLINDER = Template(
    message(
        _CYLINDERS, _pose(1, turned=False), slots(2, "diameter", "diameter_", "height"),
        [double(3, 1.0), double(4, 1.0)], slots(5, "r", "g", "b", "a"),
    )
)  # fmt: skip
_ARROW = Template(
    message(
        _ARROWS, _pose(1, turned=True), slot(2, "shaft"), [double(3, _SHAFT)], slot(4, "head"), [double(5, _HEAD)],
        slots(6, "r", "g", "b", "a"),
    )
)  # fmt: skip
# A text's fields but for the words themselves, whose length differs.
_TEXT_FRAME = Template(
    [*_pose(1, turned=False), integer(2, 1), *slot(3, "size"), *slots(5, "r", "g", "b", "a")],
)
_POINT = Template(slots(2, "x", "y", "z"))


@functools.cache
def _line(points: int) -> Template:
    """Return the template of a line strip of so many points, each with its colour."""
    places = [slots(5, f"x{i}", f"y{i}", f"z{i}") for i in range(points)]
    colors = [slots(7, f"r{i}", f"g{i}", f"b{i}", f"a{i}") for i in range(points)]
    return Template(message(_LINES, [block(2, _AT_ORIGIN)], slot(3, "thickness"), *places, *colors))


def _columns(names: Iterable[str], values: np.ndarray) -> dict[str, np.ndarray]:
    """Return the columns of ``values`` (N, K) by name."""
    return dict(zip(names, values.T, strict=True))


def _turn(yaw: np.ndarray) -> dict[str, np.ndarray]:
    half = yaw.astype(float) / 2
    return {"qz": np.sin(half), "qw": np.cos(half)}


def _encode_boxes(item: Boxes) -> bytes:
    columns = _columns("xyz", item.center) | _turn(item.yaw) | _columns("rgba", item.color)
    return _CUBE.encode(len(item.yaw), columns | _columns(("length", "width", "height"), item.size))


def _encode_arrows(item: Arrows) -> bytes:
    head = np.minimum(_LONGEST_HEAD, item.length / 2)
    columns = _columns("xyz", item.start) | _turn(item.yaw) | _columns("rgba", item.color)
    return _ARROW.encode(len(item.yaw), columns | {"shaft": item.length - head, "head": head})


def _encode_cylinders(item: Cylinders) -> bytes:
    middle = item.base.copy()
    middle[:, 2] += item.height / 2
    size = {"diameter": 2 * item.radius, "diameter_": 2 * item.radius, "height": item.height}
    return _CYLINDER.encode(len(item.radius), _columns("xyz", middle) | _columns("rgba", item.color) | size)


def _encode_paths(item: Paths) -> bytes:
    count, points = item.points.shape[:2]
    columns: dict[str, Any] = {"thickness": item.thickness}
    for i in range(points):
        columns |= _columns((f"x{i}", f"y{i}", f"z{i}"), item.points[:, i])
        columns |= _columns((f"r{i}", f"g{i}", f"b{i}", f"a{i}"), item.color[:, i])
    return _line(points).encode(count, columns)


def _encode_triangles(item: Triangles) -> bytes:
    points = item.points.reshape(-1, 3)
    color = b"".join(double(i, channel) for i, channel in enumerate(item.color, start=1))
    return block(
        _TRIANGLES, block(1, _AT_ORIGIN) + _POINT.encode(len(points), _columns("xyz", points)) + block(3, color)
    )


def _encode_labels(item: Labels) -> bytes:
    columns = _columns("xyz", item.position) | _columns("rgba", item.color) | {"size": item.size}
    frames = _TEXT_FRAME.encode(len(item.text), columns)
    step = _TEXT_FRAME.dtype.itemsize
    return b"".join(
        block(_TEXTS, frames[i * step : (i + 1) * step] + block(6, text.encode())) for i, text in enumerate(item.text)
    )


_ENCODERS: dict[type, Callable[[Any], bytes]] = {
    Arrows: _encode_arrows, Boxes: _encode_boxes, Cylinders: _encode_cylinders, Paths: _encode_paths,
    Triangles: _encode_triangles, Labels: _encode_labels,
}  # fmt: skip


def encode(entities: Iterable[Entity], stamp_ns: int) -> bytes:
    """Return a foxglove.SceneUpdate that replaces the entities of these names, map frame."""
    seconds, nanoseconds = divmod(max(stamp_ns, 0), 1_000_000_000)
    stamp = block(1, integer(1, seconds) + integer(2, nanoseconds))
    update = []
    for entity in entities:
        parts = [stamp, block(2, MAP_FRAME.encode()), block(3, entity.name.encode())]
        parts += [_ENCODERS[type(primitive)](primitive) for primitive in entity.primitives]
        update.append(block(2, b"".join(parts)))
    return b"".join(update)
