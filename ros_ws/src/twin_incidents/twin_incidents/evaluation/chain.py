"""From the platforms' objects to alerts, and from true actors to what the same rules find."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from twin_common import cdr, stamps
from twin_common.lockstep import LockstepHost
from twin_common.node_spec import NodeSpec
from twin_common.registry import topic
from twin_incidents.evaluation.truth import true_tracks
from twin_replay.bag import BagReader

LATENCY_NS = 50_000_000  # of true tracks
Parameters = Mapping[str, Mapping[str, Any]]


@dataclass(slots=True)
class Told:
    """One incident while it held: when and where it began, and all (stamp, x, y, radius) of it; times in ns.

    ``members``: (stamp, x, y) of its tracks at the beginning, none where these are the true actors.
    """

    kind: str
    first_ns: int
    last_ns: int
    track_ids: tuple[int, ...]
    cause: str
    platforms: tuple[str, ...]
    places: list[tuple[int, float, float, float]]
    members: tuple[tuple[int, float, float], ...] = ()


def told_of(bag: Path, platforms: Sequence[str], parameters: Parameters) -> list[Told]:
    """Return what the chain tells of a scene; ``parameters``: changes by node."""
    nodes = _nodes(bag, platforms, ("merger", "tracker", "prediction", "incident_detector"), parameters)
    reader = BagReader(bag)

    def feed(host: LockstepHost) -> None:
        for message in reader.messages([name for name in host.input_topics if name in reader.topics]):
            host.feed(message.topic, message.time_ns, message.content)

    return _incidents(nodes, feed)


def true_of(bag: Path, parameters: Parameters) -> list[Told]:
    """Return what the rules find in the true actors of a scene; track ids are those of the actors."""
    nodes = _nodes(bag, (), ("prediction", "incident_detector"), parameters)

    def feed(host: LockstepHost) -> None:
        for stamp_ns, message in true_tracks(bag):
            host.feed(
                topic("tracks").name, stamp_ns + LATENCY_NS, bytes(cdr.encode("twin_msgs/msg/TrackArray", message))
            )

    return _incidents(nodes, feed)


def _nodes(bag: Path, platforms: Sequence[str], names: Sequence[str], parameters: Parameters) -> list[NodeSpec]:
    from twin_bringup.graph import GraphOptions, build_graph

    (district,) = build_graph(bag / "district.yaml", GraphOptions(True, platforms=tuple(platforms), here=()))
    return [
        dataclasses.replace(node, parameters={**node.parameters, **parameters.get(node.name, {})})
        for node in district.nodes
        if node.name in names
    ]


def _incidents(nodes: Sequence[NodeSpec], feed: Callable[[LockstepHost], None]) -> list[Told]:
    found: dict[str, Told] = {}
    latest: dict[int, tuple[int, float, float]] = {}

    def observe(name: str, _type: str, _now_ns: int, message: Any) -> None:
        if name == topic("tracks").name:
            tracks = message["tracks"]
            places = zip(tracks["track_id"].tolist(), tracks["x"].tolist(), tracks["y"].tolist(), strict=True)
            latest.update((number, (message.stamp_ns, x, y)) for number, x, y in places)
        if name != topic("incidents").name:
            return
        now_ns = stamps.from_time(message.header.stamp)
        for item in message.incidents:
            told = found.setdefault(item.incident_id, Told(
                item.kind, now_ns, now_ns, tuple(item.track_ids), item.cause, tuple(item.platforms), [],
                tuple(latest[number] for number in item.track_ids if number in latest),
            ))  # fmt: skip
            told.last_ns = now_ns
            told.places.append((now_ns, item.x, item.y, item.radius))

    host = LockstepHost(nodes, observe)
    feed(host)
    host.close()
    return list(found.values())
