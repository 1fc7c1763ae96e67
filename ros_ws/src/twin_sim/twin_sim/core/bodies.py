"""Bodies of actors: articulated persons, two-wheelers with riders, vehicles and things, placed in the map.

Posed meshes are made once for each (shape, build, activity, bucket of the phase) and kept; placing an actor turns,
scales and moves its mesh. Pitch and roll turn what flies or has come down about the middle of its box, and all else
about the middle of its foot.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from twin_common.core.object_class import ObjectClass
from twin_sim.core import prop_bodies, two_wheeler_bodies, vehicle_bodies
from twin_sim.core.body_palettes import palettes, scattered
from twin_sim.core.body_parts import Geometry
from twin_sim.core.frame import TWO_WHEELERS, Activity, Shape
from twin_sim.core.person_body import LOOKS, STATURE, person
from twin_sim.core.person_poses import LYING, STANDING, pose_of

FALL_TIME = 1.0  # a fall takes this long, seconds
PHASES = {Activity.WALKING: 16, Activity.RUNNING: 12, Activity.FIGHTING: 12, Activity.FALLING: 10}
PEDAL_PHASES = 8
NARROWEST = 0.70  # a body is squeezed to its box down to this share of its natural size
WIDEST = 1.2  # a two-wheeler is stretched to its box up to this share
_UMBRELLA_RAIN = 0.5  # mm/h above which half of those on foot carry umbrellas
_ON_FOOT = (Activity.WALKING, Activity.STANDING, Activity.WAITING)
_UPRIGHT = (Activity.NONE, *_ON_FOOT, Activity.RUNNING, Activity.FIGHTING)
_CARS = {Shape.SALOON: "saloon", Shape.HATCHBACK: "hatchback", Shape.SUV: "suv", Shape.VAN: "van", Shape.TAXI: "taxi",
         Shape.SENSOR_VEHICLE: "sensor_vehicle"}  # fmt: skip
_CARS_BY_CLASS = (
    Shape.SALOON,
    Shape.SUV,
    Shape.HATCHBACK,
    Shape.SALOON,
    Shape.SUV,
    Shape.VAN,
    Shape.SALOON,
    Shape.TAXI,
)
_PROPS: dict[int, Callable[[int], Geometry]] = {
    Shape.PANEL: lambda variant: prop_bodies.panel(),
    Shape.RUBBLE: prop_bodies.lump,
    Shape.SIGN: lambda variant: prop_bodies.sign(),
    Shape.LOAD: lambda variant: prop_bodies.load(),
    Shape.HEAP: prop_bodies.heap,
}
Key = tuple[str, tuple[int, ...]]


@dataclass(frozen=True, slots=True)
class Posed:
    """A posed mesh in its local frame, the size it was made for, and the number it is known by.

    ``size``: (3,) metres, length, width, height of its box; ``stature``: of the person, 0 for what is stretched to
    its box; ``corners``: (V, 4) float32, the vertices with a one behind; ``slots``: those of the mesh, as indices.
    """

    number: int
    mesh: Geometry
    size: np.ndarray
    stature: float
    corners: np.ndarray
    slots: np.ndarray


@dataclass(frozen=True, slots=True)
class PlacedBodies:
    """All bodies in one mesh, map frame.

    ``vertices``: (V, 3) float32, metres; ``triangles``: (T, 3) int32, outward by the right hand; ``materials``: (T,)
    int32, index in MATERIAL_NAMES; ``owners``: (T,) int32, index of the actor.
    """

    vertices: np.ndarray
    triangles: np.ndarray
    materials: np.ndarray
    owners: np.ndarray


class Bodies:
    """Makes, keeps and places the bodies of actors. ``rain``: mm/h; in rain people carry umbrellas."""

    def __init__(self, rain: float = 0.0) -> None:
        """Start with no meshes."""
        self._umbrellas = rain > _UMBRELLA_RAIN
        self._posed: dict[Key, Posed] = {}
        self.meshes: list[Posed] = []

    def prepare(self) -> None:
        """Make the bodies that are seen most: those who walk, stand, run and ride, in all their phases."""
        for look in range(len(LOOKS)):
            for bucket in range(PHASES[Activity.RUNNING]):
                self._get(("person", (int(Activity.RUNNING), bucket, 0, look, 0)))
            for held in (0, 1)[: 1 + self._umbrellas]:
                for bucket in range(PHASES[Activity.WALKING]):
                    self._get(("person", (int(Activity.WALKING), bucket, 0, look, held)))
                for variant in range(len(STANDING)):
                    self._get(("person", (int(Activity.STANDING), 0, variant, look, held)))
            for pedal in range(PEDAL_PHASES):
                self._get(("bicycle", (1, look, pedal)))
            self._get(("motorcycle", (1, look)))
            self._get(("scooter", (1, look)))

    def posed(self, actors: np.ndarray) -> list[Posed]:
        """Return the posed mesh of each actor, (N,) ACTOR."""
        return [self._get(key) for key in self._keys(actors)]

    def transforms(self, actors: np.ndarray, posed: list[Posed]) -> tuple[np.ndarray, np.ndarray]:
        """Return ``matrix`` (N, 3, 3) and ``offset`` (N, 3): map = matrix @ local + offset, metres."""
        boxes = np.stack([actors["length"], actors["width"], actors["height"]], axis=1).astype(float)
        natural = np.array([item.size for item in posed]).reshape(-1, 3)
        made_for = np.array([item.stature for item in posed])
        scale = np.where(boxes > 0, boxes, natural) / natural
        fixed = np.isin(actors["classification"], TWO_WHEELERS)
        scale[fixed] = np.clip(scale[fixed], NARROWEST, WIDEST)
        persons = made_for > 0
        if persons.any():
            scale[persons] = _person_scale(actors[persons], natural[persons], made_for[persons], scale[persons])
        matrix = _turns(actors) * scale[:, None, :]
        offset = np.stack([actors["x"], actors["y"], actors["z"]], axis=1)
        about_middle = loose(actors)
        middle = np.zeros((len(actors), 3))
        middle[:, 2] = np.where(about_middle, boxes[:, 2] / 2, 0.0)
        turned = np.einsum("nij,nj->ni", _turns(actors), middle)
        return matrix, offset + middle - turned

    def placed(self, actors: np.ndarray) -> PlacedBodies:
        """Return the bodies of actors, (N,) ACTOR, in the map frame."""
        posed = self.posed(actors)
        matrix, offset = self.transforms(actors, posed)
        table = palettes(actors)
        points = np.array([len(item.mesh.vertices) for item in posed], int)
        faces = np.array([len(item.mesh.triangles) for item in posed], int)
        starts = np.concatenate([[0], np.cumsum(points)])
        ends = np.concatenate([[0], np.cumsum(faces)])
        vertices = np.empty((starts[-1], 3), np.float32)
        triangles = np.empty((ends[-1], 3), np.int32)
        materials, owners = np.empty(ends[-1], np.int32), np.empty(ends[-1], np.int32)
        turn = np.concatenate([matrix.transpose(0, 2, 1), offset[:, None]], axis=1).astype(np.float32)
        for i, item in enumerate(posed):
            np.dot(item.corners, turn[i], out=vertices[starts[i] : starts[i + 1]])
            own = slice(ends[i], ends[i + 1])
            np.add(item.mesh.triangles, np.int32(starts[i]), out=triangles[own])
            np.take(table[i], item.slots, out=materials[own], mode="clip")
            owners[own] = i
        return PlacedBodies(vertices, triangles, materials, owners)

    def _get(self, key: Key) -> Posed:
        found = self._posed.get(key)
        if found is None:
            mesh, stature = _make(key)
            low, high = mesh.extents()
            size = (high - low).astype(float)
            if key[0] == "vehicle":
                size = np.array(key[1][1:4], float) / 100
            elif key[0] in ("motorcycle", "bicycle", "scooter", "person"):
                size = _natural_size(key, low, high)
            corners = np.column_stack([mesh.vertices, np.ones(len(mesh.vertices), np.float32)])
            found = Posed(len(self.meshes), mesh, size, stature, corners, mesh.slots.astype(np.intp))
            self._posed[key] = found
            self.meshes.append(found)
        return found

    def _keys(self, actors: np.ndarray) -> list[Key]:
        """Return what determines the mesh of each actor."""
        look = scattered(actors["appearance"], 21) % len(LOOKS)
        variant = scattered(actors["appearance"], 22)
        umbrella = (scattered(actors["appearance"], 23) % 2 == 0) & self._umbrellas
        phase = np.where(
            actors["activity"] == Activity.FALLING, actors["since"] / FALL_TIME * 2 * np.pi, actors["phase"]
        )
        sizes = np.round(np.stack([actors["length"] * 5, actors["width"] * 10, actors["height"] * 10], axis=1)).astype(
            int
        )
        rows = zip(
            actors["classification"].tolist(), actors["shape"].tolist(), actors["activity"].tolist(), look.tolist(),
            variant.tolist(), umbrella.tolist(), phase.tolist(), sizes.tolist(), strict=True,
        )  # fmt: skip
        return [_key(*row) for row in rows]


def _bucket(phase: float, count: int) -> int:
    return int(phase / (2 * np.pi) * count + 0.5) % count


def _key(kind: int, shape: int, activity: int, look: int, variant: int, umbrella: bool, phase: float,
         size: list[int]) -> Key:  # fmt: skip
    rider = int(activity not in (Activity.PARKED, Activity.RESTING))
    if shape in _PROPS:
        return "prop", (shape, variant % 4)
    if kind == ObjectClass.PEDESTRIAN:
        return _person_key(activity, look, variant, umbrella, phase)
    if kind == ObjectClass.BICYCLE:
        pedal = _bucket(phase, PEDAL_PHASES) if rider else 0
        return "bicycle", (rider, look if rider else 0, pedal)
    if kind == ObjectClass.MOTORCYCLE:
        return "motorcycle", (rider, look if rider else 0)
    if kind == ObjectClass.SCOOTER:
        return "scooter", (rider, look if rider else 0)
    length, width, height = size[0] * 20, size[1] * 10, size[2] * 10
    if kind == ObjectClass.BUS:
        return "vehicle", (-2, length or 1100, width or 250, height or 320)
    if kind == ObjectClass.TRUCK:
        return "vehicle", (-10 - int(variant % 3 == 2), length or 640, width or 210, height or 290)
    if kind == ObjectClass.CAR or shape in _CARS:
        known = shape if shape in _CARS else int(_CARS_BY_CLASS[variant % len(_CARS_BY_CLASS)])
        return "vehicle", (known, length or 460, width or 180, height or 150)
    if kind == ObjectClass.ANIMAL:
        return "animal", (_bucket(phase, 8),)
    return "prop", (int(Shape.RUBBLE), variant % 4)


def _person_key(activity: int, look: int, variant: int, umbrella: bool, phase: float) -> Key:
    held = int(umbrella and activity in _ON_FOOT)
    if activity == Activity.FALLING:
        count = PHASES[Activity.FALLING]
        bucket = min(int(phase / (2 * np.pi) * count + 0.5), count)
        return "person", (activity, bucket, variant % len(LYING), look, 0)
    if activity in PHASES:
        return "person", (activity, _bucket(phase, PHASES[Activity(activity)]), 0, look, held)
    if activity in (Activity.LYING, Activity.FLYING, Activity.RESTING):
        return "person", (int(Activity.LYING), 0, variant % len(LYING), look, 0)
    if activity == Activity.SITTING:
        return "person", (activity, 0, 0, look, 0)
    return "person", (int(Activity.STANDING), 0, variant % len(STANDING), look, held)


@lru_cache(maxsize=4096)
def _make(key: Key) -> tuple[Geometry, float]:
    """Return the mesh of a key, and the stature of the person it was made for (0: stretched to its box)."""
    kind, n = key
    if kind == "person":
        activity, bucket, variant, look, umbrella = n
        phase = bucket * 2 * np.pi / PHASES.get(Activity(activity), 1)
        centred = activity not in _UPRIGHT
        pose = pose_of(activity, phase, variant)
        return person(pose, look, centred=centred, umbrella=bool(umbrella)), STATURE
    if kind == "bicycle":
        return two_wheeler_bodies.bicycle(n[2] * 2 * np.pi / PEDAL_PHASES, n[1], rider=bool(n[0])), 0.0
    if kind == "motorcycle":
        return two_wheeler_bodies.motorcycle(n[1], rider=bool(n[0])), 0.0
    if kind == "scooter":
        return two_wheeler_bodies.kick_scooter(n[1], rider=bool(n[0])), 0.0
    if kind == "vehicle":
        length, width, height = (value / 100 for value in n[1:4])
        if n[0] == -2:
            return vehicle_bodies.bus(length, width, height), 0.0
        if n[0] <= -10:
            return vehicle_bodies.truck(length, width, height, -10 - n[0]), 0.0
        return vehicle_bodies.car(_CARS[Shape(n[0])], length, width, height), 0.0
    if kind == "animal":
        return prop_bodies.animal(n[0] * 2 * np.pi / 8), 0.0
    return _PROPS[n[0]](n[1]), 0.0


def _natural_size(key: Key, low: np.ndarray, high: np.ndarray) -> np.ndarray:
    """Return the size of the box that lies evenly about the origin; an umbrella does not count."""
    half = np.maximum(np.abs(low[:2]), np.abs(high[:2])).astype(float)
    size = np.array([*(2 * half), float(high[2])])
    if key[0] == "person" and key[1][4]:
        size[:] = (0.6, 0.65, STATURE)
    return size


def _person_scale(actors: np.ndarray, natural: np.ndarray, made_for: np.ndarray, to_box: np.ndarray) -> np.ndarray:
    """Return (N, 3) factors: the stature's, squeezed to the box where the body would stand out of it."""
    upright = np.isin(actors["activity"], _UPRIGHT)
    stature = np.where(actors["stature"] > 0, actors["stature"], np.where(upright, actors["height"], 1.7))
    usual = np.broadcast_to((np.where(stature > 0, stature, 1.7) / made_for)[:, None], natural.shape)
    return np.asarray(np.minimum(usual, np.maximum(to_box, NARROWEST * usual)))


def _turns(actors: np.ndarray) -> np.ndarray:
    """Return the rotations of actors, (N, 3, 3): roll about x, pitch about y, yaw about z."""
    angles = (actors["roll"], actors["pitch"], actors["yaw"])
    (cr, sr), (cp, sp), (cy, sy) = ((np.cos(a.astype(float)), np.sin(a.astype(float))) for a in angles)
    rows = [
        [cy * cp, cy * sp * sr - sy * cr, cy * sp * cr + sy * sr],
        [sy * cp, sy * sp * sr + cy * cr, sy * sp * cr - cy * sr],
        [-sp, cp * sr, cp * cr],
    ]
    return np.ascontiguousarray(np.moveaxis(np.array(rows), 2, 0))


def loose(actors: np.ndarray) -> np.ndarray:
    """Return which actors turn about the middle of their box: what flies through the air, or has come down."""
    things = np.isin(actors["shape"], tuple(_PROPS)) | (actors["classification"] == ObjectClass.DEBRIS)
    return np.asarray((actors["activity"] == Activity.FLYING) | (things & (actors["activity"] == Activity.RESTING)))
