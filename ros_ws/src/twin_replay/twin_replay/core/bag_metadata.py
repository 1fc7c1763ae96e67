"""The ``metadata.yaml`` of a rosbag2 folder, version 9 as ROS 2 Jazzy writes it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import yaml

from twin_replay.core.mcap_file import BagError

FILE_NAME = "metadata.yaml"
VERSION = 9
_ROOT = "rosbag2_bagfile_information"
_INFINITE = {"sec": 9223372036, "nsec": 854775807}
#: In the words of rmw; older bags have its numbers instead.
_RELIABILITY = {0: "system_default", 1: "reliable", 2: "best_effort"}
_DURABILITY = {0: "system_default", 1: "transient_local", 2: "volatile"}


@dataclass(frozen=True, slots=True)
class OfferedQos:
    """What a publisher of a recorded topic offered."""

    depth: int = 10
    reliable: bool = True
    latched: bool = False

    def as_mapping(self) -> dict[str, Any]:
        """Return it as rosbag2 writes it."""
        return {
            "history": "keep_last",
            "depth": self.depth,
            "reliability": "reliable" if self.reliable else "best_effort",
            "durability": "transient_local" if self.latched else "volatile",
            "deadline": dict(_INFINITE),
            "lifespan": dict(_INFINITE),
            "liveliness": "automatic",
            "liveliness_lease_duration": dict(_INFINITE),
            "avoid_ros_namespace_conventions": False,
        }

    def as_text(self) -> str:
        """Return it as YAML, for the metadata of an MCAP channel."""
        return yaml.safe_dump([self.as_mapping()], sort_keys=False)


def parse_qos(profiles: Any) -> OfferedQos | None:
    """Return what all publishers offered together, from any version's list or text; None if nothing is said."""
    if isinstance(profiles, str):
        try:
            profiles = yaml.safe_load(profiles)
        except yaml.YAMLError:
            return None
    if not isinstance(profiles, list) or not all(isinstance(item, dict) for item in profiles) or not profiles:
        return None
    reliability = [_RELIABILITY.get(item.get("reliability"), item.get("reliability")) for item in profiles]
    durability = [_DURABILITY.get(item.get("durability"), item.get("durability")) for item in profiles]
    return OfferedQos(
        depth=max(max(int(item.get("depth") or 0) for item in profiles), 10),
        reliable=all(word != "best_effort" for word in reliability),
        latched=all(word == "transient_local" for word in durability),
    )


@dataclass(frozen=True, slots=True)
class RecordedTopic:
    """One topic of a bag. ``type_hash`` is the RIHS01 hash of its type, "" where unknown."""

    name: str
    type_name: str
    count: int
    qos: OfferedQos | None = None
    type_hash: str = ""


@dataclass(frozen=True, slots=True)
class BagMetadata:
    """What ``metadata.yaml`` says; times are log times in ns."""

    files: tuple[str, ...]
    topics: tuple[RecordedTopic, ...]
    start_ns: int
    duration_ns: int
    count: int
    storage: str = "mcap"
    compression: str = ""
    custom: dict[str, str] = field(default_factory=dict)

    def as_mapping(self) -> dict[str, Any]:
        """Return it as rosbag2 writes it."""
        span = {
            "starting_time": {"nanoseconds_since_epoch": self.start_ns},
            "duration": {"nanoseconds": self.duration_ns},
            "message_count": self.count,
        }
        return {
            "version": VERSION,
            "storage_identifier": self.storage,
            "duration": span["duration"],
            "starting_time": span["starting_time"],
            "message_count": self.count,
            "topics_with_message_count": [_topic_mapping(topic) for topic in self.topics],
            "compression_format": "",
            "compression_mode": self.compression,
            "relative_file_paths": list(self.files),
            "files": [{"path": name, **span} for name in self.files],
            "custom_data": self.custom or None,
            "ros_distro": "jazzy",
        }

    def write(self, folder: Path) -> None:
        """Write the file; one that is there is replaced as a whole."""
        partial = folder / f".{FILE_NAME}.partial"
        partial.write_text(_dump({_ROOT: self.as_mapping()}))
        partial.replace(folder / FILE_NAME)

    def as_text(self) -> str:
        """Return it as YAML, for the metadata record of an MCAP file."""
        return _dump(self.as_mapping())


class _Dumper(yaml.SafeDumper):
    def ignore_aliases(self, data: Any) -> bool:
        """Write everything out: yaml-cpp reads it either way, a person this way only."""
        return True


def _dump(mapping: dict[str, Any]) -> str:
    return yaml.dump(mapping, Dumper=_Dumper, sort_keys=False)


def _topic_mapping(topic: RecordedTopic) -> dict[str, Any]:
    return {
        "topic_metadata": {
            "name": topic.name,
            "type": topic.type_name,
            "serialization_format": "cdr",
            "offered_qos_profiles": [topic.qos.as_mapping()] if topic.qos else [],
            "type_description_hash": topic.type_hash,
        },
        "message_count": topic.count,
    }


def read_metadata(folder: Path) -> BagMetadata:
    """Read ``metadata.yaml`` of any version up to 9.

    Raises:
        BagError: the file is not YAML, of a newer version, or lacks a key.

    """
    path = folder / FILE_NAME
    try:
        content = yaml.safe_load(path.read_text())
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        cause = " ".join(str(error).split())
        raise BagError(f"{path}: cannot be read: {cause}; expected a rosbag2 {FILE_NAME}") from None
    if not isinstance(content, dict) or not isinstance(content.get(_ROOT), dict):
        raise BagError(f"{path}: no {_ROOT}; expected a rosbag2 {FILE_NAME}")
    root = content[_ROOT]
    try:
        if root["version"] > VERSION:
            raise BagError(f"{path}: version {root['version']}; expected at most {VERSION}")
        return BagMetadata(
            files=tuple(Path(name).name for name in root["relative_file_paths"]),
            topics=tuple(_topic(item) for item in root["topics_with_message_count"] or ()),
            start_ns=int(root["starting_time"]["nanoseconds_since_epoch"]),
            duration_ns=int(root["duration"]["nanoseconds"]),
            count=int(root["message_count"]),
            storage=str(root["storage_identifier"]),
            compression=str(root.get("compression_mode") or "").lower(),
            custom=dict(root.get("custom_data") or {}),
        )
    except (KeyError, TypeError, ValueError) as error:
        if isinstance(error, BagError):
            raise
        raise BagError(f"{path}: {error!r} is missing or has another form; expected a rosbag2 {FILE_NAME}") from None


def _topic(item: dict[str, Any]) -> RecordedTopic:
    meta = item["topic_metadata"]
    return RecordedTopic(
        name=str(meta["name"]),
        type_name=str(meta["type"]),
        count=int(item["message_count"]),
        qos=parse_qos(meta.get("offered_qos_profiles")),
        type_hash=str(meta.get("type_description_hash") or ""),
    )


def merge_topics(groups: Sequence[Sequence[RecordedTopic]]) -> dict[str, RecordedTopic]:
    """Return the topics of several files by name, their counts added.

    Raises:
        BagError: a topic has two types.

    """
    merged: dict[str, RecordedTopic] = {}
    for topic in (topic for group in groups for topic in group):
        known = merged.get(topic.name)
        if known is None:
            merged[topic.name] = topic
            continue
        if known.type_name != topic.type_name:
            raise BagError(f"{topic.name}: recorded as {known.type_name} and as {topic.type_name}; expected one type")
        merged[topic.name] = replace(
            known,
            count=known.count + topic.count,
            qos=known.qos or topic.qos,
            type_hash=known.type_hash or topic.type_hash,
        )
    return merged
