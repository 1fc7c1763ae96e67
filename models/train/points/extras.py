"""People, vehicles and things placed at random, so that rare classes, postures and groups are seen often enough."""

from __future__ import annotations

import numpy as np

from twin_common.core.object_class import ObjectClass
from twin_sim.core.fleet import KINDS, VehicleKind
from twin_sim.core.frame import ACTOR, Activity, Frame, Shape, no_actors
from twin_sim.core.zone_index import ZoneIndex

FIRST_ID, LEAVES_ID = 5_000_000, 6_000_000
REACH, REACH_OF_LOW = 55.0, 32.0  # m from the sensor; of what is low, and seen from nearby only
#: What is placed, with its share.
SETS = {
    "person": 0.20, "lying": 0.14, "sitting": 0.04, "pair": 0.07, "crowd": 0.04, "packed": 0.05, "bicycle": 0.14,
    "motorcycle": 0.10, "scooter": 0.12, "car": 0.10, "large": 0.08, "queue": 0.10, "beside": 0.04, "animal": 0.04,
    "thing": 0.08, "leaves": 0.06,
}  # fmt: skip
#: Share of the vehicles that are plain boxes, so that the simulator's bodies are not learned by heart.
PLAIN = 0.08
_UPRIGHT = (Activity.WALKING, Activity.STANDING, Activity.WAITING, Activity.RUNNING, Activity.FIGHTING)
_LYING_HEIGHT = 0.35


def with_extras(
    frame: Frame, previous: Frame, rng: np.random.Generator, zones: ZoneIndex, centre: tuple[float, float], count: int
) -> tuple[Frame, Frame]:
    """Return two frames with ``count`` more groups around a sensor, where nobody stands, the same in both."""
    rows: list[np.ndarray] = []
    taken = np.column_stack([frame.actors["x"], frame.actors["y"], frame.actors["length"] / 2 + 0.3])
    for _ in range(count):
        group = _group(str(rng.choice(list(SETS), p=np.array(list(SETS.values())) / sum(SETS.values()))), rng)
        at = _free_place(rng, zones, centre, group, taken)
        if at is None:
            continue
        group["x"] += at[0]
        group["y"] += at[1]
        group["z"] += zones.ground(*at)
        leaves = group["activity"][0] == Activity.FLYING
        group["actor_id"] = (LEAVES_ID if leaves else FIRST_ID) + sum(map(len, rows)) + np.arange(len(group))
        rows.append(group)
        taken = np.vstack([taken, np.column_stack([group["x"], group["y"], group["length"] / 2 + 0.3])])
    added = np.concatenate(rows) if rows else no_actors()

    def joined(one: Frame) -> Frame:
        actors = np.concatenate([one.actors, added])
        return Frame(one.stamp_ns, actors[np.argsort(actors["actor_id"], kind="stable")], one.signals)

    return joined(frame), joined(previous)


def _free_place(
    rng: np.random.Generator, zones: ZoneIndex, centre: tuple[float, float], group: np.ndarray, taken: np.ndarray
) -> tuple[float, float] | None:
    """Return where a group fits, None after some tries; near and far are as frequent as one another."""
    half = float(np.max(np.hypot(group["x"], group["y"]) + group["length"] / 2))
    reach = REACH_OF_LOW if float(group["height"].max()) < 0.8 else REACH
    vehicle = bool(np.isin(group["classification"], (1, 2, 3)).any())
    for _ in range(20):
        away, angle = rng.uniform(4.0 + half, reach), rng.uniform(0, 2 * np.pi)
        x, y = centre[0] + away * np.cos(angle), centre[1] + away * np.sin(angle)
        kinds = zones.kinds(x, y)
        if "building" in kinds or not kinds or (vehicle and not kinds & {"carriageway", "crosswalk"}):
            continue
        if (np.hypot(taken[:, 0] - x, taken[:, 1] - y) > taken[:, 2] + half).all():
            return float(x), float(y)
    return None


def _group(name: str, rng: np.random.Generator) -> np.ndarray:
    """Return the actors of a group about the origin."""
    if name == "person":
        return _person(rng, Activity(int(rng.choice(_UPRIGHT))))
    if name == "lying":
        return _person(rng, Activity.LYING)
    if name == "sitting":
        return _person(rng, Activity.SITTING)
    if name == "pair":
        return _row_of_people(rng, int(rng.integers(2, 4)), (0.5, 0.85))
    if name == "crowd":
        return _crowd(rng, int(rng.integers(4, 14)), float(rng.uniform(0.5, 1.0)))
    if name == "packed":
        return _crowd(rng, int(rng.integers(10, 60)), float(np.exp(rng.uniform(np.log(0.4), np.log(1.6)))))
    if name == "large":
        return _vehicle(rng, ("light_truck", "truck", "bus"))
    if name == "car":
        return _vehicle(rng, ("saloon", "large_saloon", "hatchback", "suv", "van", "taxi"))
    if name == "queue":
        return _queue(rng)
    if name == "beside":
        return _beside(rng)
    if name == "animal":
        return _animal(rng)
    if name == "thing":
        return _thing(rng)
    if name == "leaves":
        return _leaves(rng)
    return _two_wheeler(rng, name)


def _person(rng: np.random.Generator, activity: Activity) -> np.ndarray:
    stature = float(np.clip(rng.normal(1.66, 0.1), 1.0, 1.98)) if rng.random() > 0.1 else float(rng.uniform(1.0, 1.4))
    size = {
        Activity.LYING: (stature, 0.7, _LYING_HEIGHT), Activity.SITTING: (0.8, 0.6, 0.76 * stature),
        Activity.RUNNING: (0.95, 0.6, stature), Activity.FIGHTING: (0.8, 0.75, stature),
        Activity.WALKING: (0.72, 0.55, stature),
    }.get(activity, (0.42, 0.55, stature))  # fmt: skip
    row = _row(rng, ObjectClass.PEDESTRIAN, size)
    row["stature"], row["activity"] = stature, activity
    return row


def _row(rng: np.random.Generator, label: ObjectClass, size: tuple[float, float, float]) -> np.ndarray:
    row = np.zeros(1, ACTOR)
    row["length"], row["width"], row["height"] = size
    row["yaw"], row["phase"] = rng.uniform(-np.pi, np.pi), rng.uniform(0, 2 * np.pi)
    row["appearance"], row["classification"] = rng.integers(2**32), label
    return row


def _row_of_people(rng: np.random.Generator, count: int, gap: tuple[float, float]) -> np.ndarray:
    people = np.concatenate([_person(rng, Activity.WALKING) for _ in range(count)])
    people["yaw"] = rng.uniform(-np.pi, np.pi) + rng.normal(0, 0.2, count)
    along = np.cumsum(rng.uniform(*gap, count))
    people["x"] = -np.sin(people["yaw"][0]) * (along - along.mean())
    people["y"] = np.cos(people["yaw"][0]) * (along - along.mean())
    return people


def _crowd(rng: np.random.Generator, count: int, gap: float) -> np.ndarray:
    """Return people who stand ``gap`` metres apart in a block of any shape."""
    people = np.concatenate([_person(rng, Activity(int(rng.choice(_UPRIGHT[:3])))) for _ in range(count)])
    side = int(np.ceil(np.sqrt(count) * rng.uniform(0.5, 1.5)))
    place = np.stack(np.divmod(np.arange(count), side), axis=1) * gap
    place += rng.normal(0, 0.1 + 0.15 * gap, (count, 2)) - place.mean(axis=0)
    turn = rng.uniform(-np.pi, np.pi)
    people["x"] = place[:, 0] * np.cos(turn) - place[:, 1] * np.sin(turn)
    people["y"] = place[:, 0] * np.sin(turn) + place[:, 1] * np.cos(turn)
    return people


def _vehicle(rng: np.random.Generator, names: tuple[str, ...]) -> np.ndarray:
    kinds = [kind for kind in KINDS if kind.name in names]
    kind: VehicleKind = kinds[int(rng.integers(len(kinds)))]
    length, width, height = (
        side * scale for side, scale in zip((kind.length, kind.width, kind.height), rng.normal(1, 0.05, 3), strict=True)
    )
    row = _row(rng, kind.classification, (length, width, height))
    row["shape"], row["activity"] = kind.shape, Activity.STOPPED
    if rng.random() < PLAIN:
        row["shape"] = Shape.SIGN
    return row


def _queue(rng: np.random.Generator) -> np.ndarray:
    """Return two to five vehicles that stand in one or two lanes."""
    names = ("saloon", "large_saloon", "hatchback", "suv", "van", "taxi", "light_truck", "truck", "bus")
    shares = np.array((0.2, 0.12, 0.12, 0.2, 0.07, 0.1, 0.08, 0.07, 0.04))
    count, lanes, apart = int(rng.integers(2, 6)), int(rng.integers(1, 3)), float(rng.uniform(2.8, 3.4))
    queue = np.concatenate([_vehicle(rng, (str(rng.choice(names, p=shares)),)) for _ in range(count)])
    heading, end = float(rng.uniform(-np.pi, np.pi)), rng.uniform(0.0, 3.0, lanes)
    along, across = np.zeros(count), np.zeros(count)
    for number in range(count):
        lane = number % lanes
        along[number], across[number] = end[lane] + queue["length"][number] / 2, apart * lane + rng.normal(0, 0.15)
        end[lane] += queue["length"][number] + rng.uniform(0.7, 3.5)
    along, across = along - along.mean(), across - across.mean()
    queue["x"], queue["y"] = (
        along * np.cos(heading) - across * np.sin(heading), along * np.sin(heading) + across * np.cos(heading)
    )  # fmt: skip
    queue["yaw"] = heading + rng.normal(0, 0.03, count)
    return queue


def _two_wheeler(rng: np.random.Generator, name: str) -> np.ndarray:
    kind = next(kind for kind in KINDS if kind.name == name)
    length, width = kind.length * rng.normal(1, 0.05), kind.width * rng.normal(1, 0.05)
    row = _row(rng, kind.classification, (length, width, kind.height * rng.normal(1, 0.04)))
    row["activity"] = Activity.RIDING if rng.random() < 0.7 else Activity.STOPPED
    return row


def _beside(rng: np.random.Generator) -> np.ndarray:
    """Return a person who stands beside a car."""
    car = _vehicle(rng, ("saloon", "suv", "van", "taxi"))
    person = _person(rng, Activity(int(rng.choice(_UPRIGHT[:3]))))
    along = rng.uniform(-0.6, 0.6) * car["length"][0]
    across = (car["width"][0] / 2 + rng.uniform(0.35, 0.8)) * rng.choice([-1, 1])
    cos, sin = np.cos(car["yaw"][0]), np.sin(car["yaw"][0])
    person["x"], person["y"] = along * cos - across * sin, along * sin + across * cos
    return np.concatenate([car, person])


def _animal(rng: np.random.Generator) -> np.ndarray:
    row = _row(rng, ObjectClass.ANIMAL, tuple(np.array((0.85, 0.28, 0.62)) * rng.uniform(0.6, 1.2)))
    row["activity"] = Activity.WALKING
    return row


def _thing(rng: np.random.Generator) -> np.ndarray:
    """Return rubble, a heap, or a box that nobody expects: bins, pallets, hoardings."""
    if rng.random() < 0.5:
        shape = Shape.RUBBLE if rng.random() < 0.6 else Shape.HEAP
        row = _row(rng, ObjectClass.DEBRIS, tuple(rng.uniform((0.3, 0.3, 0.15), (1.6, 1.2, 0.8))))
    else:
        shape = Shape.LOAD if rng.random() < 0.6 else Shape.SIGN
        kinds = ((0.6, 0.6, 1.1), (1.2, 0.8, 0.9), (0.8, 0.8, 1.5), (3.0, 1.2, 2.2), (1.2, 1.0, 0.2), (2.0, 0.15, 1.2))
        base = np.array(kinds[int(rng.integers(len(kinds)))])
        row = _row(rng, ObjectClass.UNKNOWN, tuple(base * rng.uniform(0.8, 1.25, 3)))
    row["shape"], row["activity"] = shape, Activity.NONE
    return row


def _leaves(rng: np.random.Generator) -> np.ndarray:
    """Return twigs of a bush or of the edge of a crown, which the wind has moved before the background."""
    count, reach = int(rng.integers(6, 40)), float(rng.uniform(0.3, 1.6))
    twigs = np.concatenate([_row(rng, ObjectClass.DEBRIS, tuple(rng.uniform(0.06, 0.25, 3))) for _ in range(count)])
    twigs["x"], twigs["y"] = rng.normal(0, reach / 2, (2, count))
    lowest = float(rng.uniform(0.0, 2.5))
    twigs["z"] = lowest + np.abs(rng.normal(0, reach / 2, count))
    twigs["shape"], twigs["activity"] = Shape.RUBBLE, Activity.FLYING
    return twigs
