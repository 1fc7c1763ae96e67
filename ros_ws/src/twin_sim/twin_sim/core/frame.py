"""The state of the simulated district at one moment: the contract between engine, sensors and truth.

Map frame (ENU, origin at the datum), metres, radians, integer-nanosecond stamps.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import IntEnum

import numpy as np

from twin_common.core.object_class import ObjectClass


class Activity(IntEnum):
    """What an actor does, as in twin_msgs/SimActor."""

    NONE = 0
    STANDING = 1
    WAITING = 2
    WALKING = 3
    RUNNING = 4
    SITTING = 5
    FALLING = 6
    LYING = 7
    FIGHTING = 8
    RIDING = 9
    DRIVING = 10
    STOPPED = 11
    PARKED = 12
    FLYING = 13
    RESTING = 14


class Shape(IntEnum):
    """Which body an actor has, as in twin_msgs/SimActor."""

    BY_CLASS = 0
    SALOON = 1
    HATCHBACK = 2
    SUV = 3
    VAN = 4
    TAXI = 5
    PANEL = 6
    RUBBLE = 7
    SIGN = 8
    LOAD = 9
    SENSOR_VEHICLE = 10
    HEAP = 11


class Light(IntEnum):
    """Lights of a vehicle, a bit each, as in twin_msgs/SimActor."""

    HEAD = 1
    BRAKE = 2
    LEFT = 4
    RIGHT = 8


class EventKind(IntEnum):
    """Kinds of events, as in twin_msgs/SimEvent."""

    UNKNOWN = 0
    NEAR_COLLISION = 1
    COLLISION = 2
    FALL = 3
    COLLAPSE = 4
    FIGHT = 5
    CHASE = 6
    WRONG_WAY = 7
    RED_LIGHT = 8
    SCOOTER_ON_SIDEWALK = 9
    JAYWALKING = 10
    STOPPED_IN_LANE = 11
    CROWD_CRUSH = 12
    FACADE_COLLAPSE = 13
    FALLING_OBJECT = 14
    LOAD_DROP = 15
    PLATFORM_LOST = 16
    BULGE = 17
    SMALL_FALL = 18
    SWAY = 19
    CROWDING = 20


class SignalState(IntEnum):
    """What a signal head shows, as in twin_msgs/Signal."""

    OFF = 0
    RED = 1
    YELLOW = 2
    GREEN = 3


#: Time between two frames.
STEP_NS = 100_000_000
#: One actor; names, order and meaning are those of twin_msgs/SimActor (96 bytes).
ACTOR = np.dtype(
    [("actor_id", "<u8"), ("x", "<f8"), ("y", "<f8"), ("z", "<f8")]
    + [
        (name, "<f4")
        for name in (
            "length", "width", "height", "yaw", "pitch", "roll", "velocity_x", "velocity_y", "velocity_z", "yaw_rate",
            "acceleration", "phase", "since", "stature",
        )
    ]
    + [("appearance", "<u4")]
    + [(name, "u1") for name in ("classification", "activity", "shape", "lights")]
)  # fmt: skip

#: One signal head; names and meaning are those of twin_msgs/Signal (40 bytes).
SIGNAL = np.dtype(
    [("signal_id", "<u8"), ("x", "<f8"), ("y", "<f8"), ("z", "<f8"), ("yaw", "<f4"), ("state", "u1"), ("users", "u1"),
     ("padding", "u1", (2,))]
)  # fmt: skip

#: Persons, as opposed to vehicles and things; riders count with their two-wheelers.
TWO_WHEELERS = (ObjectClass.MOTORCYCLE, ObjectClass.SCOOTER, ObjectClass.BICYCLE)
VEHICLES = (ObjectClass.CAR, ObjectClass.TRUCK, ObjectClass.BUS)


@dataclass(frozen=True, slots=True)
class Weather:
    """What acts on sensors and behaviour.

    Args:
        rain: precipitation, mm/h.
        visibility: meteorological optical range, metres; fog below 1,000.
        temperature: °C.
        sun_elevation: above the horizon, radians; below -0.1 it is night.
        sun_azimuth: where the sun stands, counter-clockwise from east, radians.

    """

    rain: float = 0.0
    visibility: float = 20_000.0
    temperature: float = 15.0
    sun_elevation: float = 0.8
    sun_azimuth: float = -1.57

    @property
    def night(self) -> bool:
        """Whether lamps and headlights are on."""
        return self.sun_elevation < 0.05


@dataclass(frozen=True, slots=True)
class Event:
    """An accident, or a precursor of one, as it happened; place in the map frame, metres.

    ``end_ns`` is 0 while it lasts; ``leads_to`` is the id of the event that a precursor announces, else 0.
    """

    event_id: int
    kind: EventKind
    start_ns: int
    end_ns: int
    x: float
    y: float
    z: float
    actors: tuple[int, ...]
    severity: int
    casualties: float = 0.0
    leads_to: int = 0


@dataclass(frozen=True, slots=True)
class Frame:
    """The district at one moment.

    Args:
        stamp_ns: when.
        actors: (N,) ACTOR, sorted by actor_id.
        signals: (S,) SIGNAL.
        events: all that have begun, in order of their ids.
        vehicles: actor_id of every sensor vehicle, by platform name.
        lost: platforms that are dead now.

    """

    stamp_ns: int
    actors: np.ndarray
    signals: np.ndarray
    events: tuple[Event, ...] = ()
    vehicles: dict[str, int] = field(default_factory=dict)
    lost: frozenset[str] = frozenset()


def no_actors(count: int = 0) -> np.ndarray:
    """Return ``count`` blank actors, (count,) ACTOR."""
    return np.zeros(count, ACTOR)
