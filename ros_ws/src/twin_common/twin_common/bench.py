"""What it costs to move 500 objects and a cloud: this codec beside rclpy's nested messages."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable

import numpy as np
from rclpy.serialization import deserialize_message, serialize_message

from twin_common import cdr, pointcloud

TYPE = "twin_msgs/msg/TrackArray"


def median_ms(call: Callable[[], object], repeat: int = 15) -> float:
    """Return the median time of a call, milliseconds."""
    times = []
    for _ in range(repeat):
        started = time.perf_counter()
        call()
        times.append((time.perf_counter() - started) * 1e3)
    return statistics.median(times)


def run(count: int = 500) -> dict[str, float]:
    """Return medians in milliseconds."""
    tracks = np.zeros(count, cdr.record_dtype("twin_msgs/msg/Track"))
    message = cdr.ArrayMessage(1, "map", {"tracks": tracks})
    encoded = cdr.encode(TYPE, message)
    message_class, track_class = cdr.message_class(TYPE), cdr.message_class("twin_msgs/msg/Track")
    nested = deserialize_message(encoded, message_class)
    cloud = pointcloud.Cloud(1, "lidar", np.zeros(65536, pointcloud.POINT_DTYPE))
    cloud_bytes = pointcloud.encode(cloud)
    return {
        f"{count} tracks, encode": median_ms(lambda: cdr.encode(TYPE, message)),
        f"{count} tracks, decode": median_ms(lambda: cdr.decode(TYPE, encoded)),
        f"{count} tracks, rclpy: build": median_ms(
            lambda: message_class(tracks=[track_class() for _ in range(count)]), 5
        ),
        f"{count} tracks, rclpy: serialise": median_ms(lambda: serialize_message(nested), 5),
        f"{count} tracks, rclpy: deserialise": median_ms(lambda: deserialize_message(encoded, message_class), 5),
        "65,536-point cloud, encode": median_ms(lambda: pointcloud.encode(cloud)),
        "65,536-point cloud, decode": median_ms(lambda: pointcloud.decode(cloud_bytes)),
        "65,536-point cloud, rclpy: deserialise": median_ms(
            lambda: deserialize_message(cloud_bytes, cdr.message_class(pointcloud.TYPE)), 5
        ),
    }
