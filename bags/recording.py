"""Writes the recording: rosbag2 folder (MCAP), district, sensor metadata and manifest."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import yaml
import zstandard
from rosbags.interfaces import Qos, QosDurability, QosHistory, QosLiveliness, QosReliability, QosTime
from rosbags.rosbag2 import CompressionFormat, CompressionMode, StoragePlugin, Writer
from rosbags.typesys import Stores, get_types_from_msg, get_typestore
from rosbags.typesys.store import Typestore

TYPE = "twin_msgs/msg/LidarPackets"
DEFINITION = Path(__file__).parents[1] / "ros_ws/src/twin_msgs/msg/LidarPackets.msg"
LEVEL = 19  # zstd; slow to write, fast to read
NANOSECONDS = 1_000_000_000

Packets = Sequence[tuple[int, bytes]]


def message_types() -> Typestore:
    """Return the message types of ROS 2 Jazzy and LidarPackets."""
    types = get_typestore(Stores.ROS2_JAZZY)
    types.register(get_types_from_msg(DEFINITION.read_text(), TYPE))
    return types


class Recording:
    """A bag being written, with one topic of packets for each platform."""

    def __init__(self, folder: Path, platforms: Sequence[str], model: str) -> None:
        """Create the folder, which must not exist, and its topics."""
        self._types = message_types()
        self._model = model
        self._writer = Writer(folder, version=9, storage_plugin=StoragePlugin.MCAP)
        self._writer.set_compression(CompressionMode.STORAGE, CompressionFormat.ZSTD)
        self._writer.open()
        self._writer.storage.compressor = zstandard.ZstdCompressor(level=LEVEL).compress  # type: ignore[union-attr]
        qos = Qos(
            QosHistory.KEEP_LAST, 4, QosReliability.BEST_EFFORT, QosDurability.VOLATILE, QosTime(0, 0), QosTime(0, 0),
            QosLiveliness.AUTOMATIC, QosTime(0, 0), False,
        )  # fmt: skip
        self._topics = {
            name: self._writer.add_connection(
                f"/{name}/lidar/packets", TYPE, typestore=self._types, offered_qos_profiles=[qos]
            )
            for name in platforms
        }

    def write(self, platform: str, packets: Packets) -> None:
        """Append one scan; it is logged when its last packet arrives."""
        kinds = self._types.types
        stamps = np.array([stamp for stamp, _ in packets], np.uint64)
        seconds, nanoseconds = divmod(int(stamps[0]), NANOSECONDS)
        message = kinds[TYPE](
            header=kinds["std_msgs/msg/Header"](
                stamp=kinds["builtin_interfaces/msg/Time"](sec=seconds, nanosec=nanoseconds),
                frame_id=f"{platform}/lidar",
            ),
            model=self._model,
            stamps_ns=stamps,
            sizes=np.array([len(payload) for _, payload in packets], np.uint32),
            data=np.frombuffer(b"".join(payload for _, payload in packets), np.uint8),
        )
        self._writer.write(self._topics[platform], int(stamps[-1]), self._types.serialize_cdr(message, TYPE))

    def close(self) -> None:
        """Finish the bag."""
        self._writer.close()


def write_yaml(path: Path, content: Any, heading: str = "") -> None:
    """Write YAML with keys in the given order and short lists on one line."""
    text = yaml.safe_dump(content, sort_keys=False, allow_unicode=True, default_flow_style=None, width=110)
    path.write_text((f"# {heading}\n" if heading else "") + text)


def sha256(path: Path) -> str:
    """Return the SHA-256 of a file."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def manifest_entry(folder: Path, what: str, command: str, files: Iterable[Path]) -> dict[str, Any]:
    """Return what is recorded about a bag: origin, licence, and size and hash of every file."""
    listed = sorted(files)
    return {
        "path": folder.name,
        "what": what,
        "command": command,
        "licence": "Apache-2.0",
        "bytes": sum(path.stat().st_size for path in listed),
        "files": {path.name: {"bytes": path.stat().st_size, "sha256": sha256(path)} for path in listed},
    }
