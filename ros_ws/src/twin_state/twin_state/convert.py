"""ROS messages to and from the arrays of the twin's core."""

from __future__ import annotations

import itertools
import json
from typing import Any

import numpy as np
from rclpy.serialization import deserialize_message

from twin_common import cdr, stamps
from twin_msgs.msg import Alert, TrackArray
from twin_state.core.window import Window

MAP = "map"
TRACK = cdr.record_dtype("twin_msgs/msg/Track")
BEHAVIOR = cdr.record_dtype("twin_msgs/msg/Behavior")
DENSITY_CELL = cdr.record_dtype("twin_msgs/msg/DensityCell")
_TRACK_ARRAY = "twin_msgs/msg/TrackArray"
_NOT_KEPT = ("header", "operator_name", "note")  # who an operator is and what they wrote is nobody's history


def snapshot(
    stamp_ns: int, sequence: int, tracks: np.ndarray, behaviors: np.ndarray, density: np.ndarray
) -> cdr.ArrayMessage:
    """Return the state of the twin as a TwinSnapshot."""
    fields: dict[str, Any] = {"sequence": sequence, "tracks": tracks, "behaviors": behaviors, "density": density}
    return cdr.ArrayMessage(stamp_ns, MAP, fields)


def window_from_request(request: Any) -> Window:
    """Return the window a QueryHistory request asks for; limits left at 0 do not apply.

    Raises:
        ValueError: an end before its start, or a box that is not finite or turned inside out.

    """
    start_ns, end_ns = stamps.from_time(request.start), stamps.from_time(request.end)
    if end_ns and end_ns <= start_ns:
        raise ValueError(f"end: {end_ns} ns is not after start, {start_ns} ns")
    x_min, y_min, x_max, y_max = map(float, request.box)
    box = (x_min, y_min, x_max, y_max) if any(request.box) else None
    if box is not None and not (np.isfinite(box).all() and x_min <= x_max and y_min <= y_max):
        raise ValueError(f"box: {list(box)}; expected x_min, y_min, x_max, y_max in order")
    return Window(
        start_ns or None, end_ns or None, tuple(map(int, request.track_ids)), tuple(map(int, request.classes)), box
    )


def track_arrays(stamps_ns: np.ndarray, records: np.ndarray) -> list[TrackArray]:
    """Return states (N,) in order of time as one TrackArray per stamp."""
    if not len(records):
        return []
    starts = [0, *(np.flatnonzero(np.diff(stamps_ns)) + 1).tolist(), len(records)]
    arrays = []
    for first, last in itertools.pairwise(starts):
        message = cdr.ArrayMessage(int(stamps_ns[first]), MAP, {"tracks": records[first:last]})
        arrays.append(deserialize_message(cdr.encode(_TRACK_ARRAY, message), TrackArray))
    return arrays


def alert_row(alert: Alert) -> tuple[int, str, int, str]:
    """Return an alert as the history keeps it: stamp_ns, alert_id, state, and all else as JSON."""
    content = {
        name: _plain(getattr(alert, name)) for name in alert.get_fields_and_field_types() if name not in _NOT_KEPT
    }
    return stamps.from_time(alert.header.stamp), alert.alert_id, alert.state, json.dumps(content, sort_keys=True)


def _plain(value: Any) -> Any:
    """Return a field of a message as JSON knows it; stamps become nanoseconds, NaN becomes null."""
    if hasattr(value, "nanosec"):
        return stamps.from_time(value)
    if isinstance(value, float):
        return value if np.isfinite(value) else None
    return value if isinstance(value, (str, int)) else [_plain(item) for item in value]
