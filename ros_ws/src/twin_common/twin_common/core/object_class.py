"""Classes of objects, as in twin_msgs/ObjectClass."""

from __future__ import annotations

from enum import IntEnum


class ObjectClass(IntEnum):
    """Classes of objects; the order is that of every class_probability."""

    UNKNOWN = 0
    CAR = 1
    TRUCK = 2
    BUS = 3
    MOTORCYCLE = 4
    SCOOTER = 5
    BICYCLE = 6
    PEDESTRIAN = 7
    ANIMAL = 8
    DEBRIS = 9


#: By ObjectClass, for people to read.
CLASS_NAMES = tuple(item.name.lower() for item in ObjectClass)
