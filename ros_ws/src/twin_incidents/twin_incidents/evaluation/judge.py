"""Which alerts are true, and which events were told of: incidents of the chain beside those of the true actors."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from twin_common.codecs import codec_for
from twin_common.registry import topic
from twin_incidents.core.footprints import Boxes, box_gap
from twin_incidents.core.scene import RIDERS, VEHICLES
from twin_incidents.evaluation.chain import Told
from twin_replay.bag import BagReader

SECOND = 10**9
EARLY, LATE = 2.0, 2.0  # s before it begins and after it has ended in which an alert is about a true incident
PLACE = 5.0  # m between the two
CLOSE, CLOSE_SPEED, CLOSE_WITHIN = 0.3, 2.0, 3.0  # m, m/s, s: two who truly come so near so fast after an alert
ON = 1.5  # m from a footprint within which a track's middle is taken for that actor's
AROUND = 6.0  # m around an alert's place in which they are looked for
PROMPT = 6.0  # s around an event of the scenario


@dataclass(frozen=True, slots=True)
class Judgement:
    """Alerts of one kind in one scene, and what was to be told; ``delay`` (K,) s of what was, after the truth's.

    ``barely``: true incidents of actors that no platform saw well; ``barely_told``: those of them that were told of.
    """

    alerts: int
    true: int
    asked: int
    told: int
    delay: tuple[float, ...]
    false_alarms: tuple[str, ...]
    missed: tuple[str, ...]
    barely: int = 0
    barely_told: int = 0


class Course:
    """The true course of a scene: actors at every frame, and the scenario's events."""

    def __init__(self, bag: Path) -> None:
        """Read it."""
        reader = BagReader(bag)
        frames = [codec_for(m.type_name).decode(m.content) for m in reader.messages([topic("sim_actors").name])]
        told = [codec_for(m.type_name).decode(m.content) for m in reader.messages([topic("sim_events").name])]
        self.stamps = np.array([frame.stamp_ns for frame in frames], np.int64)
        self.frames = [frame["actors"][frame["actors"]["classification"] > 0] for frame in frames]
        self.events: np.ndarray = told[-1]["events"] if told else np.zeros(0)

    @property
    def duration(self) -> float:
        """Its length, s."""
        return len(self.frames) / 10

    def places(self, number: int, stamp_ns: int) -> np.ndarray:
        """Return where an actor is at a stamp, (0 or 1, 2) m."""
        actors = self.frames[int(np.argmin(np.abs(self.stamps - stamp_ns)))]
        return np.asarray(np.column_stack([actors["x"], actors["y"]])[actors["actor_id"] == number])

    def actor_at(self, stamp_ns: int, x: float, y: float) -> int:
        """Return whose footprint is nearest to a place at a stamp, -1: nobody's within ON."""
        actors = self.frames[int(np.argmin(np.abs(self.stamps - stamp_ns)))]
        boxes, nothing = _boxes(actors), np.zeros(len(actors))
        here = Boxes(np.tile((x, y), (len(actors), 1)), nothing, np.zeros((len(actors), 2)))
        out = box_gap(boxes, here)
        order = np.lexsort((np.hypot(*(here.position - boxes.position).T), out))
        return int(actors["actor_id"][order[0]]) if len(order) and out[order[0]] <= ON else -1

    def close_pass(self, place: tuple[float, float], stamp_ns: int, among: Collection[int] | None = None) -> bool:
        """Whether two come very near each other at speed, around a place, soon after a stamp; ``among`` some actors."""
        until = stamp_ns + round(CLOSE_WITHIN * SECOND)
        for stamp, actors in zip(self.stamps.tolist(), self.frames, strict=True):
            if stamp_ns - SECOND // 2 <= stamp <= until:
                near = np.hypot(actors["x"] - place[0], actors["y"] - place[1]) <= AROUND
                if among is not None:
                    near &= np.isin(actors["actor_id"], list(among))
                if _any_close(actors[near]):
                    return True
        return False


def _boxes(actors: np.ndarray) -> Boxes:
    """Return the footprints of actors (N,)."""
    return Boxes(
        np.column_stack([actors["x"], actors["y"]]), actors["yaw"].astype(float),
        0.5 * np.column_stack([actors["length"], actors["width"]]).astype(float),
    )  # fmt: skip


def _any_close(actors: np.ndarray) -> bool:
    """Whether any two actors, one a vehicle or rider, are within CLOSE of each other and fast enough apart."""
    i, j = np.triu_indices(len(actors), 1)
    driven = np.isin(actors["classification"], VEHICLES + RIDERS)
    keep = driven[i] | driven[j]
    apart = np.hypot(
        actors["velocity_x"][i] - actors["velocity_x"][j], actors["velocity_y"][i] - actors["velocity_y"][j]
    )
    keep &= apart >= CLOSE_SPEED
    i, j = i[keep], j[keep]
    boxes = _boxes(actors)
    first, second = (Boxes(boxes.position[k], boxes.yaw[k], boxes.half[k]) for k in (i, j))
    return bool((box_gap(first, second) <= CLOSE).any())


def judge(
    kind: str, told: Sequence[Told], true: Sequence[Told], course: Course, seen: Mapping[int, np.ndarray],
    event_kinds: frozenset[int],
) -> Judgement:  # fmt: skip
    """Judge the alerts of one kind in one scene.

    An alert is true if the same rule finds the same in the true actors there and then, if the scenario has such an
    event (``event_kinds``) there and then, or, of a predicted collision, if its two truly come within CLOSE of each
    other. Each of these makes one alert true, the nearest in time: another one about the same is false. Asked for is
    what the rule finds in true actors that a platform has seen (``seen``: stamps by actor); others are barely seen.
    """
    told = [item for item in told if item.kind == kind]
    true = [item for item in true if item.kind == kind]
    actors = [_actors(item, course) for item in told]
    match = _matches(told, true, actors)
    good = set(match.values())
    for event in (event for event in course.events if int(event["kind"]) in event_kinds):
        about = [k for k, item in enumerate(told) if _of_event(item, event, course, actors[k])]
        good |= set() if good.intersection(about) else set(about[:1])
    passed = {actors[k] for k in good}
    for k in sorted(set(range(len(told))) - good) if kind == "predicted_collision" else ():
        item, pair = told[k], actors[k]
        if (pair is None or pair not in passed) and course.close_pass(item.places[0][1:3], item.first_ns, pair):
            good.add(k)
            passed.add(pair)
    plain = [_was_seen(item, seen) for item in true]
    asked = [k for k, was in enumerate(plain) if was]
    return Judgement(
        len(told), len(good), len(asked), sum(k in match for k in asked),
        tuple((told[match[k]].first_ns - true[k].first_ns) / SECOND for k in asked if k in match),
        tuple(_line(item) for k, item in enumerate(told) if k not in good),
        tuple(_line(true[k]) for k in asked if k not in match),
        len(true) - len(asked), len(match) - sum(k in match for k in asked),
    )  # fmt: skip


def _actors(told: Told, course: Course) -> tuple[int, ...] | None:
    """Return whom an alert's tracks are about, in order, -1 for nobody; None if where they were is not known."""
    return tuple(sorted(course.actor_at(*member) for member in told.members)) if told.members else None


def _matches(
    told: Sequence[Told], true: Sequence[Told], actors: Sequence[tuple[int, ...] | None]
) -> dict[int, int]:  # fmt: skip
    """Return the alert of each true incident that has one, each alert once, the nearest in time first."""
    pairs = sorted(
        (abs(one.first_ns - other.first_ns), i, k)
        for i, other in enumerate(true) for k, one in enumerate(told) if _same(one, other, actors[k])
    )  # fmt: skip
    match: dict[int, int] = {}
    for _, i, k in pairs:
        if i not in match and k not in match.values():
            match[i] = k
    return match


def _same(told: Told, true: Told, actors: tuple[int, ...] | None) -> bool:
    """Whether an alert is about a true incident: at about its time and place, and about its actors.

    One or two must all be the same; of a crowd, half of them.
    """
    if not true.first_ns - EARLY * SECOND <= told.first_ns <= true.last_ns + LATE * SECOND:
        return False
    if actors is not None:
        shared = len(set(actors) & set(true.track_ids))
        if shared < (len(actors) if len(actors) <= 2 else 0.5 * len(actors)):
            return False
    stamps = np.array([place[0] for place in true.places])
    _, x, y, _ = true.places[int(np.argmin(np.abs(stamps - told.first_ns)))]
    return math.dist(told.places[0][1:3], (x, y)) <= PLACE


def _of_event(told: Told, event: np.ndarray, course: Course, actors: tuple[int, ...] | None) -> bool:
    """Whether an alert is about an event of the scenario: near one of its actors, about one, around its time."""
    end_ns = max(int(event["end_ns"]), int(event["start_ns"]))
    if not event["start_ns"] - PROMPT * SECOND <= told.first_ns <= end_ns + PROMPT * SECOND:
        return False
    numbers = [int(number) for number in event["actor_ids"] if number]
    if actors is not None and not set(actors) & set(numbers):
        return False
    places = [place for number in numbers for place in course.places(number, told.first_ns)]
    return any(math.dist(told.places[0][1:3], place) <= PLACE for place in places)


def _was_seen(true: Told, seen: Mapping[int, np.ndarray]) -> bool:
    """Whether each of the actors of a true incident was seen in most scans of the second before it."""
    for number in true.track_ids:
        stamps = seen.get(number, np.zeros(0, np.int64))
        lately = stamps[(stamps > true.first_ns - SECOND) & (stamps <= true.first_ns)]
        if len(np.unique(lately // (SECOND // 10))) < 6:
            return False
    return True


def _line(item: Told) -> str:
    x, y = item.places[0][1:3]
    return f"{item.first_ns / SECOND % 1000:.1f} s ({x:.1f}, {y:.1f}) {item.cause}"
