"""What classes of objects have to do with each other, as a table."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

UNKNOWN = 0
VEHICLES = (1, 2, 3)
RIDERS = (4, 5, 6)
PERSON = 7
COUNT = 10


@dataclass(frozen=True, slots=True)
class Group:
    """Classes that detectors take for one another.

    ``classes`` by twin_msgs/ObjectClass; ``max_distance`` between the centres of two views of one object,
    metres; ``top_speed`` bounds how far it gets while its velocity is not known, m/s. ``camera_sigma``: whom only a
    camera sees, although there is a LiDAR, and of whose place less is known, is often somebody else, metres.
    """

    name: str
    classes: tuple[int, ...]
    max_distance: float
    top_speed: float
    camera_sigma: float = np.inf


GROUPS = (
    Group("unknown", (UNKNOWN,), np.inf, 10.0),
    Group("vehicle", VEHICLES, np.inf, 20.0, 1.0),
    Group("rider", RIDERS, 1.2, 8.0, 0.7),
    Group("person", (PERSON,), 0.65, 3.0),
    Group("animal", (8,), 0.65, 3.0),
    Group("debris", (9,), 1.0, 0.5),
)

#: How well two groups go together; pairs that are not listed do not.
RELATED = {
    ("rider", "person"): 0.5,
    ("animal", "person"): 0.3,
    ("animal", "debris"): 0.3,
    ("debris", "unknown"): 0.5,
    ("animal", "unknown"): 0.5,
    ("person", "unknown"): 0.5,
    ("rider", "unknown"): 0.5,
    ("vehicle", "unknown"): 0.5,
}


def _agreement_table() -> np.ndarray:
    table = np.zeros((COUNT, COUNT))
    for one in GROUPS:
        for other in GROUPS:
            weight = (
                1.0 if one is other else RELATED.get((one.name, other.name), RELATED.get((other.name, one.name), 0.0))
            )
            table[np.ix_(one.classes, other.classes)] = weight
    return table


def _by_class(values: dict[str, float]) -> np.ndarray:
    column = np.zeros(COUNT)
    for group in GROUPS:
        column[list(group.classes)] = values[group.name]
    return column


AGREEMENT = _agreement_table()
MAX_DISTANCE = _by_class({group.name: group.max_distance for group in GROUPS})
TOP_SPEED = _by_class({group.name: group.top_speed for group in GROUPS})
CAMERA_SIGMA = _by_class({group.name: group.camera_sigma for group in GROUPS})
