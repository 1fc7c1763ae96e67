"""True actors as the tracks of a perfect tracker, and what can be seen of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from twin_common.cdr import ArrayMessage, record_dtype
from twin_common.codecs import codec_for
from twin_common.registry import topic
from twin_replay.bag import BagReader

TRACK = "twin_msgs/msg/Track"
SECOND = 1e9


def records_of_actors(
    stamp_ns: int, actors: np.ndarray, seen: dict[int, int], previous: dict[int, float]
) -> np.ndarray:
    """Return tracks of simulated actors, as a perfect tracker would give them; a track's id is its actor's.

    ``seen`` collects the first stamp of every actor, ``previous`` its last speed.
    """
    records = np.zeros(len(actors), record_dtype(TRACK))
    for record, actor in zip(records, actors, strict=True):
        number, kind = int(actor["actor_id"]), int(actor["classification"])
        speed = float(np.hypot(actor["velocity_x"], actor["velocity_y"]))
        first = seen.setdefault(number, stamp_ns)
        record["track_id"] = number
        for name in ("x", "y", "length", "width", "height", "yaw", "velocity_x", "velocity_y"):
            record[name] = actor[name]
        record["z"] = actor["z"] + actor["height"] / 2
        record["acceleration"] = (speed - previous.get(number, speed)) / 0.1
        previous[number] = speed
        record["age"] = (stamp_ns - first) / SECOND
        record["classification"], record["state"] = kind, 1
        record["class_probability"][kind] = 0.9
    records["first_seen_ns"], records["last_seen_ns"] = [seen[int(k)] for k in records["track_id"]], stamp_ns
    records["covariance"] = np.diag([0.02, 0.02, 0.06, 0.06]).reshape(-1)
    records["yaw_rate"] = actors["yaw_rate"]
    records["yaw_rate_variance"], records["existence"] = 0.01, 0.99
    return records


def true_tracks(bag: Path) -> Iterator[tuple[int, ArrayMessage]]:
    """Yield stamp and TrackArray of every true road user of a scene."""
    seen: dict[int, int] = {}
    previous: dict[int, float] = {}
    for message in BagReader(bag).messages([topic("sim_actors").name]):
        row = codec_for(message.type_name).decode(message.content)
        actors = row["actors"][row["actors"]["classification"] > 0]
        yield row.stamp_ns, ArrayMessage(row.stamp_ns, "map", {
            "tracks": records_of_actors(row.stamp_ns, actors, seen, previous)
        })  # fmt: skip


def seen_at(bag: Path, platforms: Sequence[str], least: int) -> dict[int, np.ndarray]:
    """Return the stamps, (K,) int64 ns in order, at which a platform's scan had ``least`` points of each actor."""
    stamps: dict[int, list[int]] = {}
    for message in BagReader(bag).messages([topic("sim_visibility").resolve(name) for name in platforms]):
        row = codec_for(message.type_name).decode(message.content)
        for number in row["actors"]["actor_id"][row["actors"]["points"] >= least].tolist():
            stamps.setdefault(number, []).append(row.stamp_ns)
    return {number: np.array(sorted(items), np.int64) for number, items in stamps.items()}
