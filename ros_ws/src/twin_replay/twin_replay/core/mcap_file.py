"""Reads MCAP files, also those whose recording was cut off.

Format: MCAP specification 0 (https://mcap.dev/spec). A whole file ends in a summary that says where its
chunks are; of a file without one the records are walked from the start up to the last whole one.
"""

from __future__ import annotations

import heapq
import struct
import zlib
from collections import Counter
from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace
from io import BytesIO
from pathlib import Path
from typing import BinaryIO

import zstandard
from mcap import records
from mcap.data_stream import ReadDataStream
from mcap.exceptions import McapError
from mcap.opcode import Opcode
from mcap.reader import SeekingReader
from mcap.summary import Summary

MAGIC = b"\x89MCAP0\r\n"
_RECORD = struct.Struct("<BQ")
_MESSAGE = struct.Struct("<HIQQ")
_FOOTER_SIZE = _RECORD.size + 20 + len(MAGIC)


class BagError(ValueError):
    """A bag that is missing, damaged, or not what was expected; the message is one line for a person."""


@dataclass(frozen=True, slots=True)
class Channel:
    """One recorded topic of a file; ``definition`` is the text of its message type."""

    topic: str
    type_name: str
    definition: str
    definition_encoding: str
    metadata: dict[str, str]


@dataclass(frozen=True, slots=True)
class _Block:
    """A chunk of messages, or one message outside any chunk, and where its bytes are in the file."""

    start_ns: int
    end_ns: int
    offset: int
    size: int
    compression: str
    uncompressed_size: int
    in_chunk: bool
    channels: frozenset[int]


class McapFile:
    """One MCAP file.

    Attributes:
        channels: by their number in the file.
        counts: messages by channel.
        start_ns: log time of the first message; None without messages.
        end_ns: log time of the last message; None without messages.
        problem: what is wrong with the file, None if it is whole.

    """

    def __init__(self, path: Path, *, recover: bool = False) -> None:
        """Read the index of a file.

        Args:
            path: the file.
            recover: read what can be read of a file that is cut off or damaged.

        Raises:
            BagError: no such file, no MCAP, or (without ``recover``) cut off.

        """
        self.path = path
        self.channels: dict[int, Channel] = {}
        self.counts: Counter[int] = Counter()
        self.problem: str | None = None
        self._recover = recover
        self._schemas: dict[int, records.Schema] = {}
        self._blocks: list[_Block] = []
        try:
            with path.open("rb") as stream:
                self._open(stream, path.stat().st_size)
        except OSError as error:
            raise BagError(f"{path}: {error.strerror or error}; expected an MCAP file") from None
        if self.problem and not recover:
            raise BagError(f"{path}: {self.problem}")
        self.start_ns = min((block.start_ns for block in self._blocks), default=None)
        self.end_ns = max((block.end_ns for block in self._blocks), default=None)

    def _open(self, stream: BinaryIO, size: int) -> None:
        magic = stream.read(len(MAGIC))
        if magic != MAGIC:
            found = f"begins with {magic.hex()}" if magic else "is empty"
            raise BagError(f"{self.path}: no MCAP file: {found}; expected {MAGIC.hex()}")
        stream.seek(max(size - len(MAGIC), 0))
        whole = size >= _FOOTER_SIZE + len(MAGIC) and stream.read() == MAGIC
        if whole and self._read_summary(stream):
            return
        stream.seek(len(MAGIC))
        end = self._scan(stream, size)
        if not whole:
            self.problem = (
                f"recording is cut off at byte {end} of {size}; expected an MCAP footer; "
                f"{sum(self.counts.values())} messages before it are whole"
            )

    def _read_summary(self, stream: BinaryIO) -> bool:
        """Take channels, counts and chunks from the summary; return whether it has all of them."""
        stream.seek(0)
        try:
            summary = SeekingReader(stream).get_summary()
        except (McapError, struct.error, ValueError, EOFError) as error:
            raise BagError(f"{self.path}: summary is damaged: {error}") from None
        if summary is None or not _is_complete(summary):
            return False
        for schema in summary.schemas.values():
            self._schemas[schema.id] = schema
        for channel in summary.channels.values():
            self._add_channel(channel)
        assert summary.statistics is not None
        self.counts.update(summary.statistics.channel_message_counts)
        for index in summary.chunk_indexes:
            header = _RECORD.size + 8 + 8 + 8 + 4 + 4 + len(index.compression) + 8
            self._blocks.append(
                _Block(
                    index.message_start_time, index.message_end_time, index.chunk_start_offset + header,
                    index.compressed_size, index.compression, index.uncompressed_size, True,
                    frozenset(index.message_index_offsets) or frozenset(self.channels),
                )
            )  # fmt: skip
        return True

    def _scan(self, stream: BinaryIO, size: int) -> int:
        """Walk all records; return the offset behind the last whole one."""
        offset: int = len(MAGIC)
        while offset + _RECORD.size <= size:
            opcode, length = _RECORD.unpack(stream.read(_RECORD.size))
            end = offset + _RECORD.size + int(length)
            if end > size:
                break
            if opcode in (Opcode.SCHEMA, Opcode.CHANNEL, Opcode.MESSAGE):
                self._scan_record(opcode, memoryview(stream.read(length)), offset)
            elif opcode == Opcode.CHUNK:
                self._scan_chunk(stream.read(length), offset + _RECORD.size)
            elif opcode == Opcode.FOOTER:
                return end
            stream.seek(end)
            offset = end
        return offset

    def _scan_record(self, opcode: int, body: memoryview, offset: int) -> None:
        if opcode == Opcode.SCHEMA:
            schema = records.Schema.read(ReadDataStream(BytesIO(body)))
            self._schemas[schema.id] = schema
        elif opcode == Opcode.CHANNEL:
            self._add_channel(records.Channel.read(ReadDataStream(BytesIO(body))))
        elif opcode == Opcode.MESSAGE:
            channel, _, time_ns, _ = _MESSAGE.unpack_from(body)
            self.counts[channel] += 1
            size = _RECORD.size + len(body)
            self._blocks.append(_Block(time_ns, time_ns, offset, size, "", size, False, frozenset((channel,))))

    def _scan_chunk(self, body: bytes, offset: int) -> None:
        chunk = records.Chunk.read(ReadDataStream(BytesIO(body)))
        block = _Block(
            chunk.message_start_time, chunk.message_end_time, offset + len(body) - len(chunk.data), len(chunk.data),
            chunk.compression, chunk.uncompressed_size, True, frozenset(),
        )  # fmt: skip
        try:
            content = self._decompress(block, chunk.data, chunk.uncompressed_crc)
        except BagError as error:
            if not self._recover:
                raise
            self.problem = str(error)
            return
        counts: Counter[int] = Counter()
        for opcode, record in _records(content):
            if opcode == Opcode.MESSAGE:
                counts[_MESSAGE.unpack_from(record)[0]] += 1
            else:
                self._scan_record(opcode, record, 0)
        self.counts.update(counts)
        if counts:
            self._blocks.append(replace(block, channels=frozenset(counts)))

    def _add_channel(self, channel: records.Channel) -> None:
        schema = self._schemas.get(channel.schema_id)
        if schema is None:
            raise BagError(f"{self.path}: {channel.topic} has no schema; expected a ROS 2 message type")
        self.channels[channel.id] = Channel(
            channel.topic, schema.name, schema.data.decode(errors="replace"), schema.encoding, dict(channel.metadata)
        )

    def _decompress(self, block: _Block, body: bytes, crc: int) -> bytes:
        where = f"{self.path}: chunk at byte {block.offset}"
        try:
            if block.compression == "zstd":
                body = zstandard.ZstdDecompressor().decompress(body, max_output_size=block.uncompressed_size)
            elif block.compression == "lz4":
                import lz4.frame

                body = lz4.frame.decompress(body)
            elif block.compression:
                raise BagError(f"{where}: compression {block.compression!r}; expected zstd, lz4 or none")
        except (zstandard.ZstdError, RuntimeError) as error:
            raise BagError(f"{where} is damaged: {error}") from None
        if len(body) != block.uncompressed_size or (crc and zlib.crc32(body) != crc):
            raise BagError(f"{where} is damaged: its length or checksum differs")
        return body

    def messages(
        self, channels: Collection[int], start_ns: int | None = None, end_ns: int | None = None
    ) -> Iterator[tuple[int, int, bytes]]:
        """Yield (channel, log time, bytes) in order of log time, from ``start_ns`` up to before ``end_ns``.

        Raises:
            BagError: a chunk is damaged.

        """
        first, last = -(2**63) if start_ns is None else start_ns, 2**64 if end_ns is None else end_ns
        wanted = frozenset(channels)
        blocks = sorted(
            (b for b in self._blocks if b.channels & wanted and b.end_ns >= first and b.start_ns < last),
            key=lambda block: (block.start_ns, block.offset),
        )
        heap: list[tuple[int, int, int, int, bytes]] = []
        position = 0
        with self.path.open("rb") as stream:
            while position < len(blocks) or heap:
                while position < len(blocks) and (not heap or blocks[position].start_ns <= heap[0][0]):
                    block = blocks[position]
                    position += 1
                    for index, (channel, time_ns, message) in enumerate(self._block_messages(stream, block)):
                        if channel in wanted and first <= time_ns < last:
                            heapq.heappush(heap, (time_ns, block.offset, index, channel, message))
                if heap:
                    time_ns, _, _, channel, message = heapq.heappop(heap)
                    yield channel, time_ns, message

    def _block_messages(self, stream: BinaryIO, block: _Block) -> Iterator[tuple[int, int, bytes]]:
        crc = 0
        if block.in_chunk:  # the checksum stands before the compression's name, its length and the body's length
            stream.seek(block.offset - 8 - len(block.compression) - 4 - 4)
            crc = int.from_bytes(stream.read(4), "little")
        stream.seek(block.offset)
        try:
            content = self._decompress(block, stream.read(block.size), crc)
        except BagError as error:
            if not self._recover:
                raise
            self.problem = str(error)
            return
        for opcode, record in _records(content):
            if opcode == Opcode.MESSAGE:
                channel, _, time_ns, _ = _MESSAGE.unpack_from(record)
                yield channel, time_ns, bytes(record[_MESSAGE.size :])


def _is_complete(summary: Summary) -> bool:
    """Return whether a summary alone is enough to read the file."""
    statistics = summary.statistics
    if statistics is None or len(summary.channels) != statistics.channel_count:
        return False
    return bool(summary.chunk_indexes) or statistics.message_count == 0


def _records(content: bytes) -> Iterator[tuple[int, memoryview]]:
    """Yield (opcode, body) of every record in a chunk."""
    view = memoryview(content)
    offset = 0
    while offset + _RECORD.size <= len(view):
        opcode, length = _RECORD.unpack_from(view, offset)
        offset += _RECORD.size
        yield opcode, view[offset : offset + length]
        offset += length
