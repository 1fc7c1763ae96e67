"""What it costs to write and read bags: this package beside plain mcap and rosbags, in the same run."""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import mcap.writer
import numpy as np
from mcap.reader import make_reader
from rosbags.rosbag2 import Reader, StoragePlugin, Writer
from rosbags.rosbag2.enums import CompressionFormat, CompressionMode

from twin_common import cdr, pointcloud
from twin_replay import message_definitions
from twin_replay.bag import BagReader, BagWriter

TRACKS, POINTS = "/district/tracks", "/pole_01/lidar/points"
TYPES = {TRACKS: "twin_msgs/msg/TrackArray", POINTS: pointcloud.TYPE}


def sample(clouds: int, tracks_per_cloud: int) -> list[tuple[str, int, bytes]]:
    """Return scans of 30,000 points on rings, in steps of 4 mm as sensors give them, and arrays of 100 tracks."""
    rng = np.random.default_rng(1)
    records = np.zeros(100, cdr.record_dtype("twin_msgs/msg/Track"))
    messages = []
    for i in range(clouds):
        stamp_ns = 1_700_000_000_000_000_000 + i * 100_000_000
        angle = np.tile(np.linspace(-np.pi, np.pi, 1000), 30)
        distance = np.round(np.repeat(rng.uniform(3, 60, 300), 100) / 0.004) * 0.004
        xyz = np.stack(
            [distance * np.cos(angle), distance * np.sin(angle), np.repeat(rng.normal(size=30), 1000)], axis=1
        )
        messages.append((POINTS, stamp_ns, pointcloud.encode(pointcloud.from_xyz(stamp_ns, "lidar", xyz))))
        for k in range(tracks_per_cloud):
            records["x"] = rng.normal(size=100)
            message = cdr.ArrayMessage(stamp_ns + k, "map", {"tracks": records})
            messages.append((TRACKS, stamp_ns + k, cdr.encode(TYPES[TRACKS], message)))
    return messages


def write_here(folder: Path, messages: list[tuple[str, int, bytes]]) -> None:
    """Write with this package."""
    with BagWriter(folder) as writer:
        for name in TYPES:
            writer.add_topic(name)
        for message in messages:
            writer.write(*message)


def write_mcap(folder: Path, messages: list[tuple[str, int, bytes]]) -> None:
    """Write with mcap alone."""
    folder.mkdir()
    with (folder / "plain.mcap").open("wb") as stream:
        writer = mcap.writer.Writer(stream)
        writer.start(profile="ros2")
        channels = {}
        for name, kind in TYPES.items():
            schema = writer.register_schema(kind, "ros2msg", message_definitions.definition(kind).encode())
            channels[name] = writer.register_channel(name, "cdr", schema)
        for name, time_ns, content in messages:
            writer.add_message(channels[name], time_ns, content, time_ns)
        writer.finish()  # type: ignore[no-untyped-call]


def write_rosbags(folder: Path, messages: list[tuple[str, int, bytes]]) -> None:
    """Write with rosbags, chunks compressed too."""
    writer = Writer(folder, version=9, storage_plugin=StoragePlugin.MCAP)
    writer.set_compression(CompressionMode.STORAGE, CompressionFormat.ZSTD)
    with writer:
        connections = {
            name: writer.add_connection(
                name, kind, msgdef=message_definitions.definition(kind), rihs01=message_definitions.type_hash(kind)
            )
            for name, kind in TYPES.items()
        }
        for name, time_ns, content in messages:
            writer.write(connections[name], time_ns, content)


def read_here(folder: Path) -> int:
    """Read with this package; return the number of messages."""
    return sum(1 for _ in BagReader(folder).messages())


def read_mcap(folder: Path) -> int:
    """Read with mcap alone."""
    with next(folder.glob("*.mcap")).open("rb") as stream:
        return sum(1 for _ in make_reader(stream).iter_messages())


def read_rosbags(folder: Path) -> int:
    """Read with rosbags."""
    with Reader(folder) as reader:
        return sum(1 for _ in reader.messages())


def _median_ms(call: Callable[..., object], arguments: Sequence[tuple[Any, ...]]) -> float:
    """Return the median time of one call for each tuple of arguments."""
    times = []
    for given in arguments:
        started = time.perf_counter()
        call(*given)
        times.append((time.perf_counter() - started) * 1e3)
    return statistics.median(times)


def run(clouds: int = 40, tracks_per_cloud: int = 25, repeat: int = 5) -> dict[str, float]:
    """Return medians in milliseconds for the whole sample, and what they are in MB/s of messages."""
    messages = sample(clouds, tracks_per_cloud)
    megabytes = sum(len(content) for _, _, content in messages) / 1e6
    what = f"{len(messages)} messages, {megabytes:.0f} MB"
    figures: dict[str, float] = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for peer, write, read in (
            ("", write_here, read_here),
            (", mcap alone", write_mcap, read_mcap),
            (", rosbags", write_rosbags, read_rosbags),
        ):
            key = peer.strip(", ") or "here"
            folders = [folder / f"{key}{i}" for i in range(repeat)]
            figures[f"{what}: write{peer}"] = _median_ms(write, [(path, messages) for path in folders])
            figures[f"{what}: read{peer}"] = _median_ms(read, [(path,) for path in folders])
    figures["write, MB/s"] = megabytes / figures[f"{what}: write"] * 1e3
    figures["read, MB/s"] = megabytes / figures[f"{what}: read"] * 1e3
    return figures
