"""How long decoding takes, beside the full decode of the makers' SDKs alone."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np
import velodyne_decoder as velodyne
from ouster.sdk import core as _sdk

from twin_drivers.core import synthetic
from twin_drivers.core.decoders import make_decoder
from twin_drivers.core.scan import DecoderOptions, Packet

ouster: Any = _sdk  # its stubs do not export these names
START_NS = 1_700_000_000_000_000_000
SCANS, WARM_UP = 30, 5
OPTIONS = DecoderOptions(min_range=0.5, max_range=150.0, sensor_clock=False, cut_angle_deg=180.0)


def run() -> dict[str, float]:
    """Return median milliseconds per scan."""
    results: dict[str, float] = {}
    for columns in (512, 1024):
        metadata = synthetic.ouster_metadata(columns)
        results |= _medians(
            {
                f"Ouster 64 x {columns}, driver": _driver("ouster", metadata),
                f"Ouster 64 x {columns}, ouster-sdk alone": _ouster_peer(metadata),
            },
            _ouster_scans(metadata, columns),
        )
    ways = {"VLP-16, driver": _driver("velodyne/VLP-16", ""), "VLP-16, velodyne-decoder alone": _velodyne_peer()}
    return results | _medians(ways, _velodyne_scans())


def _medians(ways: dict[str, Callable[[list[Packet]], None]], scans: list[list[Packet]]) -> dict[str, float]:
    """Return the median time of each way; they take turns, so that other load falls on all."""
    times: dict[str, list[float]] = {name: [] for name in ways}
    for packets in scans:
        for name, decode in ways.items():
            started = time.perf_counter()
            decode(packets)
            times[name].append((time.perf_counter() - started) * 1e3)
    return {name: float(np.median(values[WARM_UP:])) for name, values in times.items()}


def _ouster_scans(metadata: str, columns: int) -> list[list[Packet]]:
    """Return scans of which 30% of the pixels have no return."""
    rng = np.random.default_rng(1)
    ranges = np.where(rng.random((64, columns)) < 0.3, 0.0, rng.uniform(2.0, 80.0, (64, columns)))
    return [
        synthetic.ouster_packets(metadata, ranges, START_NS + number * synthetic.PERIOD_NS, number)
        for number in range(1, SCANS + 1)
    ]


def _velodyne_scans() -> list[list[Packet]]:
    packets = list(synthetic.vlp16_packets(10.0, START_NS, SCANS * 75))
    return [packets[start : start + 75] for start in range(0, len(packets), 75)]


def _driver(model: str, metadata: str) -> Callable[[list[Packet]], None]:
    decoder = make_decoder(model, metadata, None, OPTIONS)

    def decode(packets: list[Packet]) -> None:
        for packet in packets:
            decoder.push(packet)

    return decode


def _ouster_peer(metadata: str) -> Callable[[list[Packet]], None]:
    """Return the SDK's usual way: every field, coordinates in double precision, no limits."""
    info = ouster.SensorInfo(metadata)
    batch, lut = ouster.ScanBatcher(info), ouster.XYZLut(info, False)
    size = ouster.PacketFormat.from_info(info).lidar_packet_size

    def decode(packets: list[Packet]) -> None:
        scan = ouster.LidarScan(info)
        for packet in packets:
            lidar_packet = ouster.LidarPacket(size)
            lidar_packet.buf[:] = np.frombuffer(packet.payload, np.uint8)
            lidar_packet.host_timestamp = packet.stamp_ns
            if batch(lidar_packet, scan):
                lut(scan)

    return decode


def _velodyne_peer() -> Callable[[list[Packet]], None]:
    stream = velodyne.StreamDecoder(velodyne.Config(model=velodyne.Model.VLP16, cut_angle=180.0))

    def decode(packets: list[Packet]) -> None:
        for packet in packets:
            stream.decode(packet.stamp_ns * 1e-9, packet.payload, True)

    return decode
