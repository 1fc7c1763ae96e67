"""What is in a bag, for a person."""

from __future__ import annotations

import struct
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timezone

import numpy as np
from rich.table import Table

from twin_common import stamps
from twin_replay.bag import BagReader

_TIME = struct.Struct("<iI")  # builtin_interfaces/Time, the first of a message that begins with a header
_HEADER = "std_msgs/Header"


@dataclass(slots=True)
class TopicFigures:
    """One topic's times, ns: of its messages in the log, and in their headers where they have one."""

    log_times: list[int]
    stamps: list[int]
    size: int = 0

    @property
    def rate(self) -> float:
        """Messages per second of log time, Hz; 0 of fewer than two."""
        gaps = np.diff(self.log_times)
        typical = float(np.median(gaps)) if len(gaps) else 0.0
        return stamps.NANOSECONDS / typical if typical else 0.0

    @property
    def longest_gap(self) -> float:
        """Longest time without a message, seconds."""
        return float(np.max(np.diff(self.log_times), initial=0)) / stamps.NANOSECONDS

    @property
    def delay_ms(self) -> float:
        """Median of log time minus header stamp, ms; NaN without stamps."""
        if not self.stamps:
            return float("nan")
        return float(np.median(np.subtract(self.log_times, self.stamps))) / 1e6


def figures_of(reader: BagReader) -> dict[str, TopicFigures]:
    """Read the whole bag and return every topic's figures.

    Raises:
        BagError: a chunk is damaged.

    """
    figures = {name: TopicFigures([], []) for name in reader.topics}
    stamped = {name for name in reader.topics if has_header(reader, name)}
    for message in reader.messages():
        entry = figures[message.topic]
        entry.log_times.append(message.time_ns)
        entry.size += len(message.content)
        if message.topic in stamped:
            seconds, nanoseconds = _TIME.unpack_from(message.content, 4)
            entry.stamps.append(seconds * stamps.NANOSECONDS + nanoseconds)
    return figures


def has_header(reader: BagReader, topic: str) -> bool:
    """Return whether a topic's messages begin with a header, by the definition in the bag."""
    text, _ = reader.definition(topic)
    fields = (line.split("#")[0].split() for line in text.splitlines())
    first = next((words for words in fields if len(words) >= 2 and "=" not in "".join(words[1:])), [""])
    return first[0] in (_HEADER, "Header", "std_msgs/msg/Header")


def summary_lines(reader: BagReader) -> list[str]:
    """Return what is said about the bag as a whole."""
    lines = [
        f"bag:       {reader.path}",
        f"start:     {_utc(reader.start_ns)}",
        f"duration:  {reader.duration:.3f} s",
        f"messages:  {reader.count} on {len(reader.topics)} topics",
        f"size:      {reader.size / 1e6:.1f} MB",
    ]
    extras = [
        name for name in ("district.yaml", "reference", "tolerances.yaml", "labels") if (reader.path / name).exists()
    ]
    if extras:
        lines.append(f"beside it: {', '.join(extras)}")
    if reader.problem:
        lines.append(f"problem:   {reader.problem}; ./twin bag recover {reader.path} OUT makes a whole bag of it")
    return lines


def topic_table(reader: BagReader, figures: dict[str, TopicFigures] | None) -> Table:
    """Return a row per topic; times and rates only where the bag was read."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in ("topic", "type"):
        table.add_column(heading, no_wrap=True)
    for heading in ("count", "Hz", "MB", "longest gap s", "first stamp s", "last stamp s", "log - stamp ms"):
        table.add_column(heading, justify="right", no_wrap=True)
    for name in sorted(reader.topics):
        topic = reader.topics[name]
        row = [name, topic.type_name, str(topic.count)]
        if figures is not None and topic.count:
            row += _cells(figures[name], reader.start_ns)
        table.add_row(*row)
    return table


def _cells(figures: TopicFigures, start_ns: int) -> Iterable[str]:
    """Return the cells of a topic's figures; stamps count from the start of the bag."""
    yield from (f"{figures.rate:.2f}", f"{figures.size / 1e6:.2f}", f"{figures.longest_gap:.3f}")
    if figures.stamps:
        ends = (min(figures.stamps), max(figures.stamps))
        yield from (f"{stamps.to_seconds(stamp_ns - start_ns):.3f}" for stamp_ns in ends)
        yield f"{figures.delay_ms:.1f}"


def _utc(time_ns: int) -> str:
    return (
        datetime.fromtimestamp(time_ns / stamps.NANOSECONDS, timezone.utc).strftime("%Y-%m-%d %H:%M:%S.%f")[:-3]
        + " UTC"
    )
