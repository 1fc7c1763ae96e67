"""Who moves at the crossing, along which way and how fast.

Times are seconds since the start of the recording, positions metres in the map frame.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import scene
import shapes
from meshes import Mesh
from shapes import Size

Knots = Sequence[tuple[float, float]]
Waypoints = Sequence[tuple[float, float]]
Builder = Callable[[float, float], Mesh]  # (way travelled, speed) -> mesh in the actor's frame

HORIZON = 60.0  # motions are tabulated this far, seconds
TICK = 0.005
WORLD = 78.0  # actors exist within this distance of the middle, on both axes


@dataclass(frozen=True, slots=True)
class State:
    """Pose and velocity of an actor at one moment; z is the ground below it."""

    x: float
    y: float
    z: float
    yaw: float
    speed: float
    travelled: float


class Motion:
    """A way through waypoints, travelled with a speed that is linear between (time, speed) knots."""

    def __init__(self, waypoints: Waypoints, speeds: Knots) -> None:
        """Tabulate the way travelled over time and the position over the way."""
        self._points = np.array(waypoints, float)
        steps = np.hypot(*np.diff(self._points, axis=0).T)
        self._along = np.concatenate([[0.0], np.cumsum(steps)])
        self._times = np.arange(0.0, HORIZON, TICK)
        knots = np.array(speeds, float)
        self._speeds = np.interp(self._times, knots[:, 0], knots[:, 1])
        mean = (self._speeds[1:] + self._speeds[:-1]) / 2
        self._travelled = np.concatenate([[0.0], np.cumsum(mean * TICK)])

    def at(self, time: float) -> State:
        """Return the state at a time; beyond the last waypoint the last stretch goes on."""
        way = float(np.interp(time, self._times, self._travelled))
        speed = float(np.interp(time, self._times, self._speeds))
        x, y = self._position(way)
        ahead, behind = self._position(way + 0.2), self._position(max(way - 0.2, 0.0))
        yaw = float(np.arctan2(ahead[1] - behind[1], ahead[0] - behind[0]))
        return State(x, y, scene.ground_height(x, y), yaw, speed, way)

    def _position(self, way: float) -> tuple[float, float]:
        if way > self._along[-1]:
            last = self._points[-1] - self._points[-2]
            x, y = self._points[-1] + last / np.hypot(*last) * (way - self._along[-1])
            return float(x), float(y)
        x, y = (np.interp(way, self._along, self._points[:, axis]) for axis in (0, 1))
        return float(x), float(y)


@dataclass(frozen=True, slots=True)
class Actor:
    """One road user: its name and class (as in twin_msgs/ObjectClass), box, look and motion."""

    name: str
    kind: str
    size: Size
    build: Builder
    motion: Motion

    def present(self, state: State) -> bool:
        """Return whether the actor is in the modelled world."""
        return abs(state.x) < WORLD and abs(state.y) < WORLD


def arc(centre: tuple[float, float], radius: float, start_deg: float, end_deg: float) -> list[tuple[float, float]]:
    """Return points of an arc; angles are counter-clockwise from east."""
    angles = np.radians(np.linspace(start_deg, end_deg, 25))
    return [(centre[0] + radius * float(np.cos(a)), centre[1] + radius * float(np.sin(a))) for a in angles]


def _car(name: str, paint: str, waypoints: Waypoints, speeds: Knots, size: Size | None = None) -> Actor:
    size = size or Size(4.55, 1.84, 1.47)
    mesh = shapes.car(size, paint)
    return Actor(name, "CAR", size, lambda way, speed: mesh, Motion(waypoints, speeds))


def _walker(name: str, waypoints: Waypoints, speeds: Knots, height: float, cloth: str = "cloth_light") -> Actor:
    size = Size(0.70, 0.60, height)
    return Actor(name, "PEDESTRIAN", size, partial(shapes.pedestrian, size, cloth), Motion(waypoints, speeds))


# The near collision: a person steps off the kerb and stops, startled, in the outer lane; the driver brakes
# REACTION after the step and comes to rest GAP before the person's box.
CONFLICT_X = -21.0
STEP_OFF = 10.0
REACTION = 0.6
CAR_SPEED = 10.0
BRAKING = 6.5
GAP = 0.7
OUTER, INNER = 4.9, 1.625  # distance of the lanes' middles from that of the main street


def _near_collision() -> list[Actor]:
    size, walk = Size(4.60, 1.86, 1.48), 1.6
    brake, halt = STEP_OFF + REACTION, STEP_OFF + REACTION + CAR_SPEED / BRAKING
    rest_x = CONFLICT_X - 0.30 - GAP - size.length / 2
    start_x = rest_x - CAR_SPEED**2 / (2 * BRAKING) - CAR_SPEED * brake
    speeds = [(0, CAR_SPEED), (brake, CAR_SPEED), (halt, 0), (15.2, 0), (16.7, 3.2), (17.6, 3.2), (19.3, 0)]
    turn = arc((CONFLICT_X - 0.8, -7.8), 0.8, -90.0, 0.0)
    to_kerb = 0.8 * np.pi / 2 + 7.8 - scene.MAIN_HALF
    way = [(turn[0][0] - (STEP_OFF * walk - to_kerb), turn[0][1]), *turn, (CONFLICT_X, 40.0)]
    walking = [(0, walk), (10.82, walk), (11.12, 0), (13.4, 0), (14.2, 2.1)]
    return [
        _car("car_1", "paint_light", [(start_x, -OUTER), (scene.REACH, -OUTER)], speeds, size),
        _walker("pedestrian_1", way, walking, 1.74, "cloth_dark"),
    ]


def _traffic() -> list[Actor]:
    east = scene.REACH
    left_turn = [(70.5, INNER), *arc((6.5, INNER - 8.0), 8.0, 90.0, 180.0), (-1.5, -east)]
    truck, bus = Size(6.4, 2.1, 2.9), Size(11.0, 2.5, 3.1)
    truck_mesh, bus_mesh = shapes.truck(truck, "paint_mid"), shapes.bus(bus, "paint_mid")
    return [
        _car("car_2", "paint_mid", [(-40.0, -INNER), (east, -INNER)], [(0, 11)]),
        _car("car_3", "paint_dark", [(-75.0, -INNER), (east, -INNER)], [(0, 11)]),
        _car("car_4", "paint_light", left_turn, [(0, 9), (5, 9), (7, 5), (11, 5), (14, 9)]),
        _car("car_5", "paint_mid", [(20.0, INNER), (-east, INNER)], [(0, 11)]),
        _car("car_6", "paint_mid", [(134.1, INNER), (-east, INNER)], [(0, 9), (11.4, 9), (15.0, 0)]),
        _car("car_7", "paint_light", [(1.5, -75.0), (1.5, east)], [(0, 8), (5, 8), (9, 1.5), (11.5, 1.5), (15, 8.5)]),
        Actor("truck_1", "TRUCK", truck, lambda way, speed: truck_mesh,
              Motion([(62.0, OUTER), (-east, OUTER)], [(0, 9), (2.4, 9), (6.0, 0)])),
        Actor("bus_1", "BUS", bus, lambda way, speed: bus_mesh,
              Motion([(-4.4, 95.0), (-4.4, -east)], [(0, 9), (4, 9), (8, 3), (12, 3), (15.5, 8)])),
    ]  # fmt: skip


def _riders() -> list[Actor]:
    bicycle, scooter = Size(1.75, 0.60, 1.72), Size(1.15, 0.60, 1.80)
    return [
        Actor("bicycle_1", "BICYCLE", bicycle, lambda way, speed: shapes.bicycle(bicycle, "cloth_light", way),
              Motion([(16.0, 5.6), (-scene.REACH, 5.6)], [(0, 3.5)])),
        Actor("scooter_1", "SCOOTER", scooter, lambda way, speed: shapes.scooter(scooter, "cloth_dark"),
              Motion([(5.2, -58.0), (5.2, scene.REACH)], [(0, 3.8), (8.5, 3.8), (10, 1.2), (13, 1.2), (15, 4.5)])),
    ]  # fmt: skip


def _walkers() -> list[Actor]:
    group = [
        _walker(f"pedestrian_{2 + i}", [(x, y), (60.0, y)], [(0, 1.3)], height, cloth)
        for i, (x, y, height, cloth) in enumerate(
            [(-34.0, 8.2, 1.78, "cloth_dark"), (-33.6, 8.8, 1.65, "cloth_light"), (-34.1, 9.3, 1.71, "cloth_light")]
        )
    ]
    return [
        *group,
        _walker("pedestrian_5", [(-8.5, 8.2), (60.0, 8.2)], [(0, 1.25)], 1.69),
        _walker("pedestrian_6", [(2.0, -8.2), (-60.0, -8.2)], [(0, 1.4)], 1.76, "cloth_dark"),
        _walker("pedestrian_7", [(9.2, -30.0), (9.2, 60.0)], [(0, 1.5)], 1.80),
        _walker("pedestrian_8", [(8.3, -33.0), (8.3, 60.0)], [(0, 1.45)], 1.58, "cloth_dark"),
        _walker("pedestrian_9", [(-9.2, 30.0), (-9.2, -60.0)], [(0, 1.45)], 1.72),
        _walker("pedestrian_10", [(34.0, -8.8), (-60.0, -8.8)], [(0, 1.3)], 1.66, "cloth_dark"),
    ]


def cast() -> list[Actor]:
    """Return everybody who moves, the two of the near collision first."""
    return [*_near_collision(), *_traffic(), *_riders(), *_walkers()]
