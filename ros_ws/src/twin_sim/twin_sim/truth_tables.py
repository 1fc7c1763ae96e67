"""The tables of a run's truth: their columns, and the arrays that fill them.

Meaning of every column: docs/simulator/truth.md.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from twin_common.core.object_class import ObjectClass
from twin_sim.core.crowding import density_cells
from twin_sim.core.frame import Activity, Event, Frame, Shape, SignalState
from twin_sim.districts import heads_of
from twin_sim.world import World

#: Columns of every table, with DuckDB's types.
TABLES: dict[str, dict[str, str]] = {
    "tracks": {
        "stamp_ns": "BIGINT", "actor_id": "UBIGINT", "name": "VARCHAR", "class": "VARCHAR", "activity": "VARCHAR",
        "shape": "VARCHAR", "x": "DOUBLE", "y": "DOUBLE", "z": "DOUBLE", "length": "FLOAT", "width": "FLOAT",
        "height": "FLOAT", "yaw": "FLOAT", "pitch": "FLOAT", "roll": "FLOAT", "velocity_x": "FLOAT",
        "velocity_y": "FLOAT", "velocity_z": "FLOAT", "yaw_rate": "FLOAT", "acceleration": "FLOAT",
        "stature": "FLOAT", "lights": "UTINYINT",
    },
    "visibility": {
        "stamp_ns": "BIGINT", "platform": "VARCHAR", "actor_id": "UBIGINT", "points": "UINTEGER", "pixels": "UINTEGER",
    },
    "densities": {"stamp_ns": "BIGINT", "x": "DOUBLE", "y": "DOUBLE", "density": "FLOAT"},
    "signals": {"stamp_ns": "BIGINT", "signal_id": "UBIGINT", "state": "VARCHAR"},
    "events": {
        "event_id": "UBIGINT", "name": "VARCHAR", "kind": "VARCHAR", "start_ns": "BIGINT", "end_ns": "BIGINT",
        "x": "DOUBLE", "y": "DOUBLE", "z": "DOUBLE", "actors": "UBIGINT[]", "severity": "UTINYINT",
        "casualties": "FLOAT", "leads_to": "UBIGINT",
    },
    "map": {
        "kind": "VARCHAR", "name": "VARCHAR", "x": "DOUBLE", "y": "DOUBLE", "z": "DOUBLE", "yaw": "DOUBLE",
        "height": "DOUBLE", "polygon": "DOUBLE[][]",
    },
}  # fmt: skip
#: Tables that grow with time, and those that are small and written whole.
GROWING = ("tracks", "visibility", "densities", "signals")

Columns = dict[str, np.ndarray]


def _names(kind: Any) -> np.ndarray:
    """Return the lower-case names of an enumeration by value, (max + 1,) object."""
    names = np.full(max(kind) + 1, "", dtype=object)
    for item in kind:
        names[item] = item.name.lower()
    return names


_CLASSES, _ACTIVITIES, _SHAPES, _STATES = (_names(kind) for kind in (ObjectClass, Activity, Shape, SignalState))


def track_columns(frame: Frame, names: Mapping[int, str]) -> Columns:
    """Return the rows of a frame's actors, (N,) each; ``names`` by actor_id."""
    actors = frame.actors
    columns: Columns = {"stamp_ns": np.full(len(actors), frame.stamp_ns, np.int64)}
    for name in TABLES["tracks"]:
        if name in (actors.dtype.names or ()):
            columns[name] = actors[name]
    columns["class"] = _CLASSES[actors["classification"]]
    columns["activity"], columns["shape"] = _ACTIVITIES[actors["activity"]], _SHAPES[actors["shape"]]
    columns["name"] = np.array([names.get(number, "") for number in actors["actor_id"].tolist()], dtype=object)
    return {name: columns[name] for name in TABLES["tracks"]}


def density_columns(frame: Frame) -> Columns:
    """Return the cells of a frame in which people are."""
    corners, counts = density_cells(frame.actors)
    stamps = np.full(len(counts), frame.stamp_ns, np.int64)
    return {"stamp_ns": stamps, "x": corners[:, 0], "y": corners[:, 1], "density": counts.astype(np.float32)}


def signal_columns(frame: Frame, before: np.ndarray | None) -> Columns:
    """Return the signal heads whose state is another than ``before``; None: all."""
    signals = frame.signals
    if before is not None and len(before) == len(signals):
        signals = signals[signals["state"] != before["state"]]
    stamps = np.full(len(signals), frame.stamp_ns, np.int64)
    return {"stamp_ns": stamps, "signal_id": signals["signal_id"], "state": _STATES[signals["state"]]}


def event_rows(events: tuple[Event, ...], names: Mapping[int, str]) -> list[tuple[Any, ...]]:
    """Return the rows of events; ``names`` by event_id. An end that is not known yet is None."""
    return [
        (
            event.event_id, names.get(event.event_id, ""), event.kind.name.lower(), event.start_ns,
            event.end_ns or None, event.x, event.y, event.z, list(event.actors), event.severity, event.casualties,
            event.leads_to,
        )
        for event in events
    ]  # fmt: skip


def map_rows(world: World) -> list[tuple[Any, ...]]:
    """Return what stands still: zones (buildings with their heights), platforms, signal heads, panels, things."""
    rows: list[tuple[Any, ...]] = []
    for zone in world.district.zones:
        x, y = zone.corners().mean(axis=0)
        rows.append((zone.kind, zone.name, x, y, 0.0, 0.0, zone.height, [list(corner) for corner in zone.polygon]))
    for platform in world.district.platforms:
        pose = platform.pose
        if platform.kind == "pole":
            rows.append(("pole", platform.name, pose.x, pose.y, pose.z, float(np.radians(pose.yaw_deg)), 0.0, []))
    for head in heads_of(world):
        rows.append((f"signal_{head.users}", str(head.signal_id), head.x, head.y, head.z, head.yaw, 0.0, []))
    for panel in world.config.panels:
        yaw = float(np.radians(panel.yaw_deg))
        rows.append((panel.kind, panel.name, panel.x, panel.y, panel.z, yaw, panel.height, []))
    for crane in world.config.cranes:
        rows.append(("crane", crane.name, crane.x, crane.y, 0.0, float(np.radians(crane.yaw_deg)), crane.height, []))
    for thing in world.config.things:
        rows.append((thing.kind, "", thing.x, thing.y, 0.0, float(np.radians(thing.yaw_deg)), 0.0, []))
    return rows
