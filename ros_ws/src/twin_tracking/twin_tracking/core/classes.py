"""Which classes an object may be taken for; the order is that of twin_msgs/msg/ObjectClass."""

from __future__ import annotations

import numpy as np

from twin_common.core.object_class import ObjectClass

COUNT = len(ObjectClass)
UNKNOWN, CAR, TRUCK, BUS, MOTORCYCLE, SCOOTER, BICYCLE, PEDESTRIAN, ANIMAL, DEBRIS = ObjectClass

_OTHER = 0.02
_SIMILAR = (
    (0.6, (CAR, TRUCK, BUS)),
    (0.6, (MOTORCYCLE, SCOOTER, BICYCLE)),
    (0.4, (SCOOTER, BICYCLE, PEDESTRIAN)),
    (0.3, (PEDESTRIAN, ANIMAL)),
    (0.3, (ANIMAL, DEBRIS)),
)


def affinity_table() -> np.ndarray:
    """Return how well a detection of one class fits a track of another, (COUNT, COUNT), 0 to 1, symmetric."""
    table = np.full((COUNT, COUNT), _OTHER)
    for value, group in _SIMILAR:
        rows, columns = np.meshgrid(group, group)
        table[rows, columns] = np.maximum(table[rows, columns], value)
    table[UNKNOWN, :] = table[:, UNKNOWN] = 0.6
    np.fill_diagonal(table, 1.0)
    return table
