"""Lockstep replay of a bag: the graph in one process, its outputs compared with pinned references.

A bag's folder keeps ``reference/``, a bag of the outputs, and ``tolerances.yaml``, what may differ and by how
much. Every stage must have been exercised by the recording, or the replay has proven nothing and fails.
"""

from __future__ import annotations

import hashlib
import heapq
import multiprocessing
import os
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from twin_common.codecs import codec_for
from twin_common.config import Config, ConfigError, from_mapping, load_yaml, setting
from twin_common.lockstep import LockstepHost
from twin_common.node_spec import NodeSpec
from twin_replay import topic_names
from twin_replay.bag import BagMessage, BagReader, BagWriter
from twin_replay.convert import fingerprint, values_of
from twin_replay.core.compare import USUAL, USUAL_FIELDS, Tolerance, Tolerances, differences
from twin_replay.folders import whole_folder

REFERENCE, TOLERANCES = "reference", "tolerances.yaml"


@dataclass(frozen=True, slots=True)
class ToleranceConfig(Config):
    """How far a field may be off."""

    absolute: float = setting(1e-6, doc="in the field's unit", low=0)
    relative: float = setting(0.0, "1", "of the reference", low=0)
    steps: int = setting(0, doc="of an integer", low=0)
    period: float = setting(0.0, doc="values so far apart are the same; 0: none", low=0)
    ignore: bool = setting(False, doc="do not compare the field")

    def tolerance(self) -> Tolerance:
        """Return it for comparison."""
        return Tolerance(self.absolute, self.relative, self.steps, self.period, self.ignore)


@dataclass(frozen=True, slots=True)
class ExpectationConfig(Config):
    """What ``tolerances.yaml`` beside a bag says."""

    default: ToleranceConfig = setting(
        doc="of every floating-point field", factory=lambda: ToleranceConfig(absolute=USUAL.absolute)
    )
    fields: dict[str, ToleranceConfig] = setting(
        doc="by pattern topic:field; the last that matches counts", factory=dict
    )
    quiet: tuple[str, ...] = setting((), doc="topics on which this recording gives no message, and that is right")

    def tolerances(self) -> Tolerances:
        """Return them for comparison, after those of fields that differ between processors."""
        named = tuple((pattern, config.tolerance()) for pattern, config in self.fields.items())
        return Tolerances(self.default.tolerance(), USUAL_FIELDS + named)


@dataclass(slots=True)
class Run:
    """What one lockstep run gave."""

    outputs: list[BagMessage] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)
    fed: int = 0
    recorded_seconds: float = 0.0
    wall_seconds: float = 0.0
    cpu_seconds: float = 0.0

    @property
    def speed(self) -> float:
        """Times faster than real time."""
        return self.recorded_seconds / max(self.wall_seconds, 1e-9)

    def digest(self) -> str:
        """Return a hash over all outputs; two runs of one recording have the same."""
        total = hashlib.sha256()
        for message in self.outputs:
            total.update(f"{message.topic} {message.time_ns} ".encode())
            total.update(fingerprint(message.type_name, message.content))
        return total.hexdigest()


def load_expectations(bag: Path) -> ExpectationConfig:
    """Read ``tolerances.yaml`` of a bag; the defaults where there is none.

    Raises:
        ConfigError: an unknown key or a value out of range.

    """
    path = bag / TOLERANCES
    return from_mapping(ExpectationConfig, load_yaml(path), str(path)) if path.is_file() else ExpectationConfig()


def run_lockstep(
    nodes: Sequence[NodeSpec], reader: BagReader, expectations: ExpectationConfig, pinned: BagReader | None = None
) -> Run:
    """Run nodes over a bag and collect the messages of every compared topic.

    Args:
        nodes: the graph, in order of start.
        reader: the recording; topics that some node makes are not taken from it.
        expectations: which topics may stay silent.
        pinned: where inputs come from that neither a node makes nor the recording has, for runs of a few nodes.

    Raises:
        BagError: no node listens to anything in the bag, or its types have changed.

    """
    run = Run()

    def observe(topic: str, type_name: str, time_ns: int, message: Any) -> None:
        entry = topic_names.entry_of(topic)
        if entry is not None and entry.key in topic_names.COMPARED_KEYS:
            run.outputs.append(BagMessage(topic, type_name, time_ns, codec_for(type_name).encode(message)))

    started, cpu = time.perf_counter(), time.process_time()
    host = LockstepHost(nodes, observe)
    try:
        for message in _inputs(host, reader, pinned):
            host.feed(message.topic, message.time_ns, message.content)
            run.fed += 1
        run.failures = exercise_failures(host, expectations.quiet)
    finally:
        host.close()
    run.wall_seconds, run.cpu_seconds = time.perf_counter() - started, time.process_time() - cpu
    run.recorded_seconds = reader.duration
    return run


def digest_elsewhere(
    nodes: Sequence[NodeSpec], reader: BagReader, expectations: ExpectationConfig, pinned: BagReader | None = None
) -> str:
    """Return the digest of a run in a fresh process with another hash seed, so that order of sets shows."""
    before = os.environ.get("PYTHONHASHSEED")
    os.environ["PYTHONHASHSEED"] = "2" if before == "1" else "1"
    try:
        with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
            paths = (reader.path, pinned.path if pinned else None)
            return pool.submit(_digest, list(nodes), paths, expectations).result()
    except BrokenProcessPool:
        return "the process ended before the replay did"
    finally:
        os.environ.pop("PYTHONHASHSEED")
        if before is not None:
            os.environ["PYTHONHASHSEED"] = before


def _digest(nodes: list[NodeSpec], paths: tuple[Path, Path | None], expectations: ExpectationConfig) -> str:
    pinned = BagReader(paths[1]) if paths[1] else None
    return run_lockstep(nodes, BagReader(paths[0]), expectations, pinned).digest()


def _inputs(host: LockstepHost, reader: BagReader, pinned: BagReader | None) -> Iterable[BagMessage]:
    made = {outlet.topic for runtime in host.runtimes for outlet in runtime.outlets.values()}
    wanted = [name for name in host.input_topics if name not in made]
    taken = [name for name in wanted if name in reader.topics and reader.topics[name].count]
    rest = [name for name in wanted if name not in taken and pinned is not None and name in pinned.topics]
    if not taken and not rest:
        reader.require(wanted or ["an input of the graph"])
    for name in (*taken, *rest):
        source = reader if name in taken else pinned
        assert source is not None
        source.check_types([name])
        if source.topics[name].type_name != host.input_topics[name]:
            raise ConfigError(
                f"{source.path}: {name} is {source.topics[name].type_name}; expected {host.input_topics[name]}"
            )
    if not rest:
        return reader.messages(taken)
    assert pinned is not None
    return heapq.merge(reader.messages(taken), pinned.messages(rest), key=lambda message: message.time_ns)


def exercise_failures(host: LockstepHost, quiet: Sequence[str]) -> list[str]:
    """Return one line per stage that the recording did not exercise, or that failed at it."""
    failures = []
    for runtime in host.runtimes:
        errors = runtime.events.get("errors", 0)
        if errors:
            failures.append(f"{runtime.name}: {errors} errors, the last problem: {runtime.problem}")
        if runtime.ports and not any(port.figures.received for port in runtime.ports):
            failures.append(f"{runtime.name}: received nothing; expected messages on {_names(runtime.ports)}")
        loud = [outlet for outlet in runtime.outlets.values() if outlet.topic not in quiet]
        if loud and not any(outlet.published for outlet in loud):
            failures.append(f"{runtime.name}: published nothing; expected messages on {_names(loud)}")
            continue
        failures += [
            f"{runtime.name}: no message on {outlet.topic}; expected some, or the topic under quiet in {TOLERANCES}"
            for outlet in loud
            if outlet.entry.key in topic_names.COMPARED_KEYS and not outlet.published
        ]
    return failures


def _names(items: Sequence[Any]) -> str:
    return ", ".join(item.topic for item in items)


@dataclass(frozen=True, slots=True)
class Comparison:
    """How outputs differ from the reference: ``lines`` has every difference, ``by_topic`` how many per topic."""

    lines: tuple[str, ...]
    by_topic: dict[str, int]
    compared: int

    @property
    def same(self) -> bool:
        """Whether nothing differs."""
        return not self.lines


def compare_outputs(
    reference: Sequence[BagMessage], current: Sequence[BagMessage], tolerances: Tolerances
) -> Comparison:
    """Compare two runs message by message, matched by topic and position."""
    lines: list[str] = []
    by_topic: dict[str, int] = {}
    compared = 0
    for topic in sorted({message.topic for message in (*reference, *current)}):
        pinned = [message for message in reference if message.topic == topic]
        now = [message for message in current if message.topic == topic]
        found = []
        if len(pinned) != len(now):
            found.append(f"{topic}: {len(now)} messages; reference has {len(pinned)}")
        for index, (one, other) in enumerate(zip(pinned, now, strict=False)):
            compared += 1
            if one.time_ns != other.time_ns:
                found.append(f"{topic}[{index}] at {one.time_ns}: published at {other.time_ns}")
            if one.content != other.content:
                values = (values_of(message.type_name, message.content) for message in (one, other))
                found += [
                    f"{topic}[{index}] at {one.time_ns}: {item}" for item in differences(*values, topic, tolerances)
                ]
        by_topic[topic] = len(found)
        lines += found
    return Comparison(tuple(lines), by_topic, compared)


def write_reference(bag: Path, outputs: Sequence[BagMessage]) -> int:
    """Pin outputs as the bag's reference, replacing the one before as a whole; return its size in bytes.

    Raises:
        BagError: the folder cannot be written.

    """
    target = bag / REFERENCE
    write_outputs(target, outputs)
    return BagReader(target).size


def write_outputs(target: Path, outputs: Sequence[BagMessage]) -> None:
    """Write outputs as a bag, replacing what is there as a whole.

    Raises:
        BagError: the folder cannot be written.

    """
    with whole_folder(target, replace=True) as folder:
        inner = folder / target.name
        with BagWriter(inner) as writer:
            for message in outputs:
                writer.add_topic(message.topic, message.type_name)
                writer.write(message.topic, message.time_ns, message.content)
        for path in inner.iterdir():
            path.rename(folder / path.name)
        inner.rmdir()


def counts_by_topic(outputs: Sequence[BagMessage]) -> Counter[str]:
    """Return the number of messages of each topic."""
    return Counter(message.topic for message in outputs)


def select_nodes(nodes: Sequence[NodeSpec], names: Sequence[str]) -> list[NodeSpec]:
    """Return the nodes of these names (with or without namespace), in the graph's order; all without names.

    Raises:
        ConfigError: there is no such node.

    """
    if not names:
        return list(nodes)
    for name in names:
        if not any(name in (node.name, node.full_name) for node in nodes):
            raise ConfigError(f"--nodes {name}: no such node; expected {', '.join(node.full_name for node in nodes)}")
    return [node for node in nodes if node.name in names or node.full_name in names]
