"""Packets as sensors send them, of a known surface: for tests and measurements without a sensor."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Any

import numpy as np
from ouster.sdk import core as _sdk
from ouster.sdk import util as _util

from twin_drivers.core.scan import Packet

ouster: Any = _sdk  # its stubs do not export these names
util: Any = _util

PERIOD_NS = 100_000_000  # one revolution at 10 Hz
_FIRINGS = 24  # of a VLP-16 packet in single return mode
_FIRING_NS = 55_296
_RESOLUTION = 0.002  # metres, of a Velodyne's distance


def ouster_metadata(columns: int = 1024) -> str:
    """Return the metadata (JSON) of an OS-1-64 at 10 Hz with ``columns`` columns (512 or 1024)."""
    info = ouster.SensorInfo.from_default(ouster.LidarMode.from_string(f"{columns}x10"))
    return str(info.to_json_string())


def ouster_packets(metadata: str, ranges: np.ndarray, start_ns: int, frame: int) -> list[Packet]:
    """Return the packets of one revolution.

    ``ranges``: (H, W) metres, staggered (row: beam from the highest, column: measurement id); 0: no return.
    The first column is measured at ``start_ns``; a packet arrives when its last column is measured. Reflectivity is
    ``row + column`` modulo 256.
    """
    info = ouster.SensorInfo(metadata)
    height, width = info.h, info.w
    if ranges.shape != (height, width):
        raise ValueError(f"ranges: expected {(height, width)}, got {ranges.shape}")
    scan = ouster.LidarScan(info)
    scan.frame_id = frame
    scan.field("RANGE")[:] = np.rint(ranges * 1e3)
    scan.field("REFLECTIVITY")[:] = (np.arange(height)[:, None] + np.arange(width)) % 256
    times = start_ns + np.arange(width) * (PERIOD_NS // width)
    scan.timestamp[:] = times
    scan.measurement_id[:] = np.arange(width)
    scan.status[:] = 1
    scan.packet_timestamp[:] = 1  # without an arrival a packet counts as lost
    step = info.format.columns_per_packet
    arrivals = times[step - 1 :: step].tolist()
    packets = util.scan_to_packets(scan, info)
    return [Packet(at, bytes(packet.buf)) for at, packet in zip(arrivals, packets, strict=True)]


def vlp16_packets(distance: float, start_ns: int, count: int, first: int = 0) -> Iterator[Packet]:
    """Return ``count`` packets, from number ``first``, of a VLP-16 in the middle of a sphere, single return, 10 Hz.

    ``distance``: radius, metres. Intensity is the laser's number.
    """
    returns = b"".join(struct.pack("<HB", round(distance / _RESOLUTION), laser) for laser in range(16)) * 2
    per_firing = 36_000 * _FIRING_NS / PERIOD_NS  # 0.01 degrees
    for number in range(first, first + count):
        begin = number * _FIRINGS
        azimuths = [round((begin + 2 * block) * per_firing) % 36_000 for block in range(12)]
        blocks = b"".join(struct.pack("<HH", 0xEEFF, azimuth) + returns for azimuth in azimuths)
        since_hour = begin * _FIRING_NS // 1000 % 3_600_000_000
        yield Packet(start_ns + (begin + _FIRINGS) * _FIRING_NS, blocks + struct.pack("<IBB", since_hour, 0x37, 0x22))
