"""Messages as plain nested values, for comparison."""

from __future__ import annotations

from typing import Any

import numpy as np

from twin_common import cdr
from twin_common.cdr import ArrayMessage
from twin_common.codecs import codec_for
from twin_common.pointcloud import TYPE, Cloud


def values_of(type_name: str, content: bytes) -> dict[str, Any]:
    """Return the fields of an encoded message: mappings, lists, NumPy arrays, numbers and text."""
    return _values(codec_for(type_name).decode(content))


def fingerprint(type_name: str, content: bytes) -> bytes:
    """Return bytes that are equal for equal messages: rclpy leaves whatever was in memory between the fields."""
    if type_name == TYPE or cdr.covers(type_name):
        return content
    with np.printoptions(threshold=np.inf, floatmode="unique"):
        return repr(values_of(type_name, content)).encode()


def _values(message: Any) -> Any:
    if isinstance(message, ArrayMessage):
        return {"stamp_ns": message.stamp_ns, "frame_id": message.frame_id, **message.fields}
    if isinstance(message, Cloud):
        return {"stamp_ns": message.stamp_ns, "frame_id": message.frame_id, "points": message.points}
    if hasattr(message, "get_fields_and_field_types"):
        return {name: _values(getattr(message, name)) for name in message.get_fields_and_field_types()}
    if hasattr(message, "typecode"):  # array.array: a sequence of numbers
        return np.array(message)
    return [_values(item) for item in message] if isinstance(message, (list, tuple)) else message
