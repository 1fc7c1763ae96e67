"""Bags in another storage than plain MCAP (SQLite, or with compressed files or messages), through rosbags."""

from __future__ import annotations

import sqlite3
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import zstandard

from twin_replay.core.bag_metadata import OfferedQos, RecordedTopic
from twin_replay.core.mcap_file import BagError


def _damage() -> tuple[type[Exception], ...]:
    """Return what rosbags raises for a bag it cannot read."""
    from rosbags.rosbag2.errors import ReaderError  # takes a third of a second, and few bags need it

    return ReaderError, sqlite3.Error, zstandard.ZstdError, struct.error, AssertionError, KeyError, ValueError, OSError


class SqliteBag:
    """A bag folder that rosbags reads; times are log times in ns, 0 of an empty bag."""

    def __init__(self, path: Path) -> None:
        """Read topics and times.

        Raises:
            BagError: rosbags cannot open it.

        """
        import rosbags.rosbag2

        self.path = path
        try:
            with rosbags.rosbag2.Reader(path) as reader:
                self.topics = [_topic(connection) for connection in reader.connections]
                self.start_ns = reader.start_time if reader.message_count else 0
                self.end_ns = reader.end_time - 1 if reader.message_count else 0
        except _damage() as error:
            raise BagError(f"{path}: cannot be read: {' '.join(str(error).split())}") from None

    def messages(
        self, topics: set[str], start_ns: int | None, end_ns: int | None
    ) -> Iterator[tuple[str, str, int, bytes]]:
        """Yield (topic, type, log time, bytes) in order of log time.

        Raises:
            BagError: the file is damaged.

        """
        import rosbags.rosbag2

        try:
            with rosbags.rosbag2.Reader(self.path) as reader:
                wanted = [connection for connection in reader.connections if connection.topic in topics]
                if not wanted:
                    return
                for connection, time_ns, content in reader.messages(wanted, start_ns, end_ns):
                    yield connection.topic, connection.msgtype, time_ns, content
        except _damage() as error:
            raise BagError(f"{self.path}: damaged: {' '.join(str(error).split())}") from None


def _topic(connection: Any) -> RecordedTopic:
    profiles = connection.ext.offered_qos_profiles
    qos = None
    if profiles:
        from rosbags.interfaces import QosDurability, QosReliability

        qos = OfferedQos(
            depth=max(10, *(profile.depth for profile in profiles)),
            reliable=all(profile.reliability != QosReliability.BEST_EFFORT for profile in profiles),
            latched=all(profile.durability == QosDurability.TRANSIENT_LOCAL for profile in profiles),
        )
    return RecordedTopic(connection.topic, connection.msgtype, connection.msgcount, qos, connection.digest or "")
