"""Driver records to ROS messages and back."""

from __future__ import annotations

import array
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from twin_common import stamps
from twin_common.pointcloud import Cloud
from twin_drivers.core.scan import Packet, Scan, split
from twin_msgs.msg import LidarPackets


def scan_to_cloud(scan: Scan, frame_id: str) -> Cloud:
    """Return a scan as a cloud."""
    return Cloud(scan.stamp_ns, frame_id, scan.points)


def packets_of(message: Any) -> Iterator[Packet]:
    """Return the packets of a LidarPackets."""
    return split(
        np.asarray(message.stamps_ns, np.int64), np.asarray(message.sizes, np.int64), np.asarray(message.data, np.uint8)
    )


def packets_to_message(packets: Sequence[Packet], model: str, frame_id: str) -> LidarPackets:
    """Return packets as one LidarPackets, stamped with the arrival of the first."""
    message = LidarPackets(model=model)
    message.header.frame_id = frame_id
    if packets:
        stamps.fill_time(message.header.stamp, packets[0].stamp_ns)
    message.stamps_ns = array.array("Q", [packet.stamp_ns for packet in packets])
    message.sizes = array.array("I", [len(packet.payload) for packet in packets])
    message.data = array.array("B", b"".join(packet.payload for packet in packets))
    return message
