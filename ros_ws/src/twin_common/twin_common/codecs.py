"""The codec of every message type: records and clouds through NumPy, all others through rclpy."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any

from twin_common import cdr, pointcloud, stamps


@dataclass(frozen=True, slots=True)
class Codec:
    """Turns the messages of one type into CDR bytes and back, and tells their stamp."""

    type_name: str
    encode: Callable[[Any], bytes]
    decode: Callable[[bytes], Any]
    stamp_ns: Callable[[Any], int | None]


def _no_stamp(_message: Any) -> int | None:
    return None


def _header_stamp(message: Any) -> int | None:
    return stamps.from_time(message.header.stamp)


def _array_stamp(message: Any) -> int | None:
    return int(message.stamp_ns)


@cache
def codec_for(type_name: str) -> Codec:
    """Return the codec of ``package/msg/Name``.

    Messages of fixed records become ``cdr.ArrayMessage``, PointCloud2 becomes ``pointcloud.Cloud``,
    anything else stays an instance of its ROS class.
    """
    if type_name == pointcloud.TYPE:
        return Codec(type_name, pointcloud.encode, pointcloud.decode, _array_stamp)
    if cdr.covers(type_name):
        return Codec(
            type_name,
            lambda message: cdr.encode(type_name, message),
            lambda buffer: cdr.decode(type_name, buffer),
            _array_stamp,
        )
    from rclpy.serialization import deserialize_message, serialize_message  # needs no running middleware

    message_type = cdr.message_class(type_name)
    stamp = _header_stamp if "header" in message_type.get_fields_and_field_types() else _no_stamp
    return Codec(type_name, serialize_message, lambda buffer: deserialize_message(bytes(buffer), message_type), stamp)
