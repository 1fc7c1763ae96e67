"""Bags in another storage than plain MCAP (SQLite, or with compressed files or messages), through rosbags."""

from __future__ import annotations

import sqlite3
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import rosbags.rosbag2
import zstandard
from rosbags.interfaces import QosDurability, QosReliability
from rosbags.rosbag2.errors import ReaderError

from twin_replay.core.bag_metadata import OfferedQos, RecordedTopic
from twin_replay.core.mcap_file import BagError

_DAMAGE = (ReaderError, sqlite3.Error, zstandard.ZstdError, struct.error, AssertionError, KeyError, OSError)


class SqliteBag:
    """A bag folder that rosbags reads; times are log times in ns, 0 of an empty bag."""

    def __init__(self, path: Path) -> None:
        """Read topics and times.

        Raises:
            BagError: rosbags cannot open it.

        """
        self.path = path
        try:
            with rosbags.rosbag2.Reader(path) as reader:
                self.topics = [_topic(connection) for connection in reader.connections]
                self.start_ns = reader.start_time if reader.message_count else 0
                self.end_ns = reader.end_time - 1 if reader.message_count else 0
        except _DAMAGE as error:
            raise BagError(f"{path}: cannot be read: {' '.join(str(error).split())}") from None

    def messages(
        self, topics: set[str], start_ns: int | None, end_ns: int | None
    ) -> Iterator[tuple[str, str, int, bytes]]:
        """Yield (topic, type, log time, bytes) in order of log time.

        Raises:
            BagError: the file is damaged.

        """
        try:
            with rosbags.rosbag2.Reader(self.path) as reader:
                wanted = [connection for connection in reader.connections if connection.topic in topics]
                if not wanted:
                    return
                for connection, time_ns, content in reader.messages(wanted, start_ns, end_ns):
                    yield connection.topic, connection.msgtype, time_ns, content
        except _DAMAGE as error:
            raise BagError(f"{self.path}: damaged: {' '.join(str(error).split())}") from None


def _topic(connection: Any) -> RecordedTopic:
    profiles = connection.ext.offered_qos_profiles
    qos = None
    if profiles:
        qos = OfferedQos(
            depth=max(10, *(profile.depth for profile in profiles)),
            reliable=all(profile.reliability != QosReliability.BEST_EFFORT for profile in profiles),
            latched=all(profile.durability == QosDurability.TRANSIENT_LOCAL for profile in profiles),
        )
    return RecordedTopic(connection.topic, connection.msgtype, connection.msgcount, qos, connection.digest or "")
