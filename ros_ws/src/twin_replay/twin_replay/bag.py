"""rosbag2 folders: written as MCAP, read as MCAP or SQLite, by log time.

A bag is a folder with ``metadata.yaml`` and one or more files of messages. Beside them it may have

- ``district.yaml``: the district it was recorded in,
- ``reference/``: a bag of pinned outputs for lockstep replay, and ``tolerances.yaml`` to compare with,
- ``labels/``: truth in the KITTI tracking format.
"""

from __future__ import annotations

import heapq
import threading
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import NamedTuple

import mcap.writer

from twin_common import stamps
from twin_replay import message_definitions, topic_names
from twin_replay.core import bag_metadata
from twin_replay.core.bag_metadata import BagMetadata, OfferedQos, RecordedTopic
from twin_replay.core.mcap_file import BagError, Channel, McapFile
from twin_replay.sqlite_bag import SqliteBag

__all__ = ["BagError", "BagMessage", "BagReader", "BagWriter", "OfferedQos", "RecordedTopic", "recover", "topics_of"]

_CHUNK_SIZE = 1024 * 1024
_QOS_KEY, _HASH_KEY = "offered_qos_profiles", "topic_type_hash"


class BagMessage(NamedTuple):
    """One recorded message; ``time_ns`` is its log time, ``content`` its CDR bytes."""

    topic: str
    type_name: str
    time_ns: int
    content: bytes


class BagReader:
    """A recorded bag.

    Attributes:
        topics: what was recorded, by name.
        start_ns: log time of the first message, 0 of an empty bag.
        end_ns: log time of the last message, 0 of an empty bag.
        count: number of messages.
        problem: what is wrong with the bag, None if it is whole.
        size: bytes of all its files.

    """

    def __init__(self, path: Path | str, *, recover: bool = False) -> None:
        """Open a bag's folder, or one ``.mcap`` file.

        Args:
            path: folder or file.
            recover: read what can be read of a bag that is cut off or damaged; ``problem`` says what is lost.

        Raises:
            BagError: nothing there, no bag, or (without ``recover``) cut off; one line.

        """
        self.path = Path(path)
        names, self._sqlite = _files_of(self.path)
        self.size = sum(name.stat().st_size for name in names)
        self._files: list[McapFile] = []
        if self._sqlite is not None:
            groups = [self._sqlite.topics]
            starts, ends = [self._sqlite.start_ns], [self._sqlite.end_ns]
        else:
            self._files = [McapFile(name, recover=recover) for name in names]
            groups = [_topics_of(file) for file in self._files]
            starts = [file.start_ns for file in self._files if file.start_ns is not None]
            ends = [file.end_ns for file in self._files if file.end_ns is not None]
        self.topics: dict[str, RecordedTopic] = bag_metadata.merge_topics(groups)
        self.count = sum(topic.count for topic in self.topics.values())
        self.start_ns: int = min(starts, default=0)
        self.end_ns: int = max(ends, default=0)
        problems = [f"{file.path.name}: {file.problem}" for file in self._files if file.problem]
        self.problem = "; ".join(problems) or None

    @property
    def duration(self) -> float:
        """Time between the first and the last message, seconds."""
        return float(stamps.to_seconds(self.end_ns - self.start_ns))

    def definition(self, topic: str) -> tuple[str, str]:
        """Return text and encoding of a topic's message type as recorded, ("", "") where the bag has none."""
        for file in self._files:
            for channel in file.channels.values():
                if channel.topic == topic and channel.definition:
                    return channel.definition, channel.definition_encoding
        return "", ""

    def require(self, topics: Iterable[str]) -> None:
        """Check that topics were recorded, with at least one message each.

        Raises:
            BagError: names those that are missing and those there are.

        """
        missing = [name for name in topics if name not in self.topics or not self.topics[name].count]
        if missing:
            there = ", ".join(sorted(name for name, topic in self.topics.items() if topic.count)) or "nothing"
            raise BagError(f"{self.path}: no messages on {', '.join(missing)}; the bag has {there}")

    def check_types(self, topics: Iterable[str]) -> None:
        """Check that the installed message types are those of the recording.

        Raises:
            BagError: a type is not installed or has other fields.

        """
        for name in topics:
            topic = self.topics[name]
            if not message_definitions.is_installed(topic.type_name):
                raise BagError(f"{self.path}: {name} has type {topic.type_name}, which is not installed")
            installed = message_definitions.type_hash(topic.type_name)
            if topic.type_hash and installed and topic.type_hash != installed:
                raise BagError(
                    f"{self.path}: {name} was recorded with other fields of {topic.type_name} "
                    f"({topic.type_hash[:15]}…); expected {installed[:15]}…: record or make it again"
                )

    def messages(
        self, topics: Iterable[str] | None = None, start_ns: int | None = None, end_ns: int | None = None
    ) -> Iterator[BagMessage]:
        """Yield messages in order of log time, from ``start_ns`` up to before ``end_ns``.

        Raises:
            BagError: a chunk is damaged.

        """
        wanted = set(self.topics if topics is None else topics)
        if self._sqlite is not None:
            for message in self._sqlite.messages(wanted, start_ns, end_ns):
                yield BagMessage(*message)
            return
        streams = [_messages_of(file, number, wanted, start_ns, end_ns) for number, file in enumerate(self._files)]
        for _, _, message in heapq.merge(*streams, key=lambda item: item[:2]):
            yield message


def _files_of(path: Path) -> tuple[list[Path], SqliteBag | None]:
    """Return the files of a bag; a folder without ``metadata.yaml`` is one whose recording was cut off."""
    if path.is_file():
        return [path], None
    if not path.is_dir():
        raise BagError(f"{path}: no such bag; expected a rosbag2 folder or an .mcap file")
    if (path / bag_metadata.FILE_NAME).is_file():
        metadata = bag_metadata.read_metadata(path)
        names = [path / name for name in metadata.files]
        for name in names:
            if not name.is_file():
                raise BagError(f"{name}: no such file; expected it from {path / bag_metadata.FILE_NAME}")
        foreign = metadata.storage != "mcap" or metadata.compression not in ("", "none", "storage")
        return names, SqliteBag(path) if foreign else None
    names = sorted(path.glob("*.mcap"))
    if not names:
        raise BagError(f"{path}: no bag: neither {bag_metadata.FILE_NAME} nor .mcap in it; expected a rosbag2 folder")
    return names, None


def _topics_of(file: McapFile) -> list[RecordedTopic]:
    return [
        RecordedTopic(
            channel.topic, channel.type_name, file.counts[number],
            bag_metadata.parse_qos(channel.metadata.get(_QOS_KEY)), channel.metadata.get(_HASH_KEY, ""),
        )
        for number, channel in file.channels.items()
    ]  # fmt: skip


def _messages_of(
    file: McapFile, number: int, topics: set[str], start_ns: int | None, end_ns: int | None
) -> Iterator[tuple[int, int, BagMessage]]:
    channels: dict[int, Channel] = {key: item for key, item in file.channels.items() if item.topic in topics}
    for key, time_ns, content in file.messages(channels, start_ns, end_ns):
        channel = channels[key]
        yield time_ns, number, BagMessage(channel.topic, channel.type_name, time_ns, content)


class BagWriter:
    """Writes a bag that ``ros2 bag`` opens: one MCAP file, chunks compressed with zstd.

    Chunks reach the file as they fill and at every ``flush()``, so that a process that is killed leaves all but
    the last messages readable. Methods may be called from several threads.
    """

    def __init__(self, path: Path | str, *, name: str | None = None, custom: dict[str, str] | None = None) -> None:
        """Make the folder.

        Args:
            path: a folder that does not exist yet.
            name: stem of the file in it; the folder's name by default.
            custom: further entries for ``metadata.yaml``.

        Raises:
            BagError: the folder exists already or cannot be made.

        """
        self.path = Path(path)
        self._custom = dict(custom or {})
        self._lock = threading.Lock()
        self._channels: dict[str, int] = {}
        self._schemas: dict[str, int] = {}
        self.topics: dict[str, RecordedTopic] = {}
        self._span: tuple[int, int] | None = None
        self._described = -1
        try:
            self.path.mkdir(parents=True)
        except FileExistsError:
            raise BagError(f"{self.path}: exists already; expected the name of a new bag") from None
        except OSError as error:
            raise BagError(f"{self.path}: cannot be made: {error.strerror}") from None
        self.file = self.path / f"{name or self.path.name}_0.mcap"
        self._stream = self.file.open("xb")
        self._writer = mcap.writer.Writer(self._stream, _CHUNK_SIZE, mcap.writer.CompressionType.ZSTD)
        self._writer.start(profile="ros2", library="district-twin")
        self.flush()

    def add_topic(
        self, name: str, type_name: str | None = None, qos: OfferedQos | None = None, *,
        definition: tuple[str, str] | None = None, type_hash: str | None = None,
    ) -> None:  # fmt: skip
        """Declare a topic; what is not given comes from the registry and from the installed types.

        Raises:
            BagError: the topic is in neither, or has been declared with another type.

        """
        entry = topic_names.entry_of(name)
        if type_name is None:
            if entry is None:
                raise BagError(f"{name}: no topic of the registry; expected its type")
            type_name = entry.type_name
        qos = qos or (topic_names.offered(entry) if entry else OfferedQos())
        text, encoding = definition or (message_definitions.definition(type_name), message_definitions.ENCODING)
        hashed = message_definitions.type_hash(type_name) if type_hash is None else type_hash
        with self._lock:
            known = self.topics.get(name)
            if known is not None:
                if known.type_name != type_name:
                    raise BagError(f"{name}: declared as {known.type_name}; expected the same, got {type_name}")
                return
            if type_name not in self._schemas:
                self._schemas[type_name] = self._writer.register_schema(type_name, encoding, text.encode())
            self._channels[name] = self._writer.register_channel(
                name, "cdr", self._schemas[type_name], {_QOS_KEY: qos.as_text(), _HASH_KEY: hashed}
            )
            self.topics[name] = RecordedTopic(name, type_name, 0, qos, hashed)

    def write(self, topic: str, time_ns: int, content: bytes) -> None:
        """Append one message at a log time.

        Raises:
            BagError: the topic has not been declared, or the file cannot be written.

        """
        with self._lock:
            channel = self._channels.get(topic)
            if channel is None:
                raise BagError(f"{topic}: not declared; expected one of {', '.join(self.topics) or 'none'}")
            try:
                self._writer.add_message(channel, time_ns, content, time_ns)
            except OSError as error:
                raise BagError(f"{self.file}: cannot be written: {error.strerror}") from None
            known = self.topics[topic]
            self.topics[topic] = replace(known, count=known.count + 1)
            first, last = self._span or (time_ns, time_ns)
            self._span = min(first, time_ns), max(last, time_ns)

    def flush(self) -> None:
        """Bring everything written so far into the file."""
        with self._lock:
            try:
                self._writer.flush()  # type: ignore[no-untyped-call]
                if len(self.topics) != self._described:
                    self._described = len(self.topics)
                    self._metadata().write(self.path)
            except OSError as error:
                raise BagError(f"{self.path}: cannot be written: {error.strerror}") from None

    def _metadata(self) -> BagMetadata:
        first, last = self._span or (0, 0)
        topics = tuple(self.topics.values())
        count = sum(topic.count for topic in topics)
        return BagMetadata((self.file.name,), topics, first, last - first, count, custom=self._custom)

    def close(self) -> None:
        """Finish file and ``metadata.yaml``; a second call does nothing."""
        with self._lock:
            if self._stream.closed:
                return
            try:
                metadata = self._metadata()
                self._writer.add_metadata("rosbag2", {"serialized_metadata": metadata.as_text()})
                self._writer.finish()  # type: ignore[no-untyped-call]
                self._stream.close()
                metadata.write(self.path)
            except OSError as error:
                raise BagError(f"{self.file}: cannot be finished: {error.strerror}") from None

    def __enter__(self) -> BagWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self.close()
        except BagError:
            if kind is None:  # else it has the same cause as what is being raised already
                raise


def topics_of(path: Path | str) -> dict[str, str]:
    """Return the topics with at least one message, and their types.

    Raises:
        BagError: no bag, or one that is cut off.

    """
    return {name: topic.type_name for name, topic in BagReader(path).topics.items() if topic.count}


def recover(source: Path | str, target: Path | str) -> BagReader:
    """Write what can be read of a damaged bag into a new one, and return that.

    Raises:
        BagError: nothing can be read, or the target exists.

    """
    damaged = BagReader(source, recover=True)
    if not damaged.count:
        raise BagError(f"{damaged.path}: no whole message in it; expected at least one")
    with BagWriter(target) as writer:
        for topic in damaged.topics.values():
            definition = damaged.definition(topic.name)
            writer.add_topic(
                topic.name, topic.type_name, topic.qos, definition=definition if definition[0] else None,
                type_hash=topic.type_hash or None,
            )  # fmt: skip
        for message in damaged.messages():
            writer.write(message.topic, message.time_ns, message.content)
    return BagReader(target)
