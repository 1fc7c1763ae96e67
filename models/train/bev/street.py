"""Random streets: what stands in them, and who is there; no two alike, so that nothing of one district is learned.

A street runs along x through the origin, its carriageway at height 0. Metres and radians, map frame.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from twin_common.core.object_class import ObjectClass
from twin_sim.core import furniture
from twin_sim.core.frame import ACTOR, Activity, Shape
from twin_sim.core.meshes import Mesh, ball, box, cylinder, joined

REACH = 75.0  # metres along the street, both ways
KERB = 0.12
_WALLS = ("plaster", "brick", "concrete", "cladding", "stone")
_WAITING = 0.4  # share of the two-wheelers at rest on which somebody sits or stands
_TOGETHER = 0.25  # share of the people who walk or stand side by side, arm in arm
_CARS = (Shape.SALOON, Shape.HATCHBACK, Shape.SUV, Shape.SALOON, Shape.VAN, Shape.TAXI)
#: Least and greatest length, width and height of what is in a street, metres.
SIZES: dict[str, tuple[tuple[float, float], tuple[float, float], tuple[float, float]]] = {
    "car": ((3.5, 5.0), (1.6, 1.95), (1.38, 1.75)),
    "van": ((4.5, 6.2), (1.8, 2.15), (1.8, 2.7)),
    "truck": ((5.0, 9.0), (1.75, 2.5), (1.95, 3.5)),
    "bus": ((8.5, 12.5), (2.35, 2.55), (2.9, 3.4)),
    "motorcycle": ((1.9, 2.3), (0.7, 0.9), (1.5, 1.7)),
    "scooter": ((1.1, 1.2), (0.55, 0.65), (1.6, 1.9)),
    "bicycle": ((1.65, 1.9), (0.5, 0.7), (1.6, 1.85)),
    "pedestrian": ((0.4, 0.75), (0.45, 0.65), (1.15, 1.92)),
}
#: Height of what nobody rides, metres: bodies are stretched to their boxes.
_RIDERLESS = {"motorcycle": (1.02, 1.3), "scooter": (1.0, 1.2), "bicycle": (0.95, 1.15)}
_KINDS = {
    "car": ObjectClass.CAR, "van": ObjectClass.CAR, "truck": ObjectClass.TRUCK, "bus": ObjectClass.BUS,
    "motorcycle": ObjectClass.MOTORCYCLE, "scooter": ObjectClass.SCOOTER, "bicycle": ObjectClass.BICYCLE,
    "pedestrian": ObjectClass.PEDESTRIAN,
}  # fmt: skip


@dataclass(slots=True)
class Street:
    """A street being furnished.

    ``mesh``: what stands still; ``actors``: (N,) ACTOR sorted by actor_id, the first (id 1) carries the sensor.
    """

    rng: np.random.Generator
    parts: list[Mesh] = field(default_factory=list)
    rows: list[np.ndarray] = field(default_factory=list)
    taken: list[tuple[float, float, float]] = field(default_factory=list)

    @property
    def mesh(self) -> Mesh:
        """Everything that stands still."""
        return joined(self.parts)

    @property
    def actors(self) -> np.ndarray:
        """Everybody, (N,) ACTOR."""
        return np.concatenate(self.rows)

    def free(self, x: float, y: float, radius: float) -> bool:
        """Take a circle if nobody has taken part of it."""
        if any(np.hypot(x - a, y - b) < radius + r for a, b, r in self.taken):
            return False
        self.taken.append((x, y, radius))
        return True

    def put(self, mesh: Mesh, x: float, y: float, yaw: float = 0.0, scale: float = 1.0) -> None:
        """Let a thing stand at a place."""
        self.parts.append(Mesh(mesh.vertices * scale, mesh.triangles, mesh.materials).placed(x, y, KERB, yaw))

    def add(self, kind: str, x: float, y: float, yaw: float, speed: float, z: float = 0.0, room: float = 0.55) -> bool:
        """Add somebody where there is room; ``kind``: of SIZES; ``room``: radius that is theirs, in widths."""
        rng = self.rng
        length, width, height = (float(rng.uniform(*limits)) for limits in SIZES[kind])
        activity = _activity(kind, speed, rng)
        if kind in _RIDERLESS and activity == Activity.PARKED:
            height = float(rng.uniform(*_RIDERLESS[kind]))
        if kind in ("car", "van", "truck", "bus"):
            ends = np.arange(-length / 2 + width / 2, length / 2, width)
            spots = [(x + d * np.cos(yaw), y + d * np.sin(yaw)) for d in ends]
        else:
            spots = [(x, y)]
        radius = width * room if kind != "bicycle" else 0.7
        if any(np.hypot(a - u, b - v) < radius + r for a, b in spots for u, v, r in self.taken):
            return False
        self.taken += [(float(a), float(b), radius) for a, b in spots]
        row = np.zeros(1, ACTOR)
        row["actor_id"], row["classification"], row["appearance"] = (
            len(self.rows) + 1,
            _KINDS[kind],
            rng.integers(1 << 30),
        )
        row["x"], row["y"], row["z"], row["yaw"] = x, y, z, yaw
        row["length"], row["width"], row["height"] = length, width, height
        row["velocity_x"], row["velocity_y"] = speed * np.cos(yaw), speed * np.sin(yaw)
        row["phase"] = rng.uniform(0, 2 * np.pi)
        row["shape"] = {"car": _CARS[int(rng.integers(len(_CARS)))], "van": Shape.VAN}.get(kind, Shape.BY_CLASS)
        row["activity"] = activity
        if kind == "pedestrian":
            row["stature"] = height
        self.rows.append(row)
        return True


def _activity(kind: str, speed: float, rng: np.random.Generator) -> Activity:
    if kind == "pedestrian":
        if speed > 2.2:
            return Activity.RUNNING
        return Activity.WALKING if speed > 0.2 else Activity(int(rng.choice([Activity.STANDING, Activity.WAITING])))
    if kind in ("car", "van", "truck", "bus"):
        return Activity.DRIVING if speed else Activity.PARKED
    return Activity.RIDING if speed or rng.random() < _WAITING else Activity.PARKED


def random_street(seed: int) -> Street:
    """Return a street made of a seed."""
    rng = np.random.default_rng([seed, 0x57BEE7])
    street = Street(rng)
    half = float(rng.uniform(3.0, 9.0))
    pavement = float(rng.uniform(1.0, 6.0))
    fronts = half + pavement + rng.uniform(0.0, 8.0, 2)
    lane = -half + rng.uniform(1.4, max(1.5, half - 1.0))
    street.add("car", 0.0, float(lane), 0.0, float(rng.choice([0.0, rng.uniform(2, 14)])))
    crossing = float(rng.uniform(-50, 50)) if rng.random() < 0.6 else None
    _ground(street, half, crossing)
    _fronts(street, fronts, crossing)
    _parked(street, half, pavement, crossing)
    _traffic(street, half, crossing)
    _things(street, half, pavement, fronts)
    _people(street, half, fronts)
    _beside(street, float(lane), half)
    return street


def _beside(street: Street, lane: float, half: float) -> None:
    """Let some stand and ride close beside the sensor, where its lowest beam meets them at the chest."""
    rng = street.rng
    for _ in range(int(rng.choice([0, 1, 2, 3], p=[0.4, 0.3, 0.2, 0.1]))):
        kind = str(rng.choice(["pedestrian", "scooter", "bicycle", "motorcycle"], p=[0.3, 0.3, 0.2, 0.2]))
        x, y = float(rng.uniform(-3.5, 3.5)), lane + float(rng.choice([-1.0, 1.0]) * rng.uniform(1.9, 3.2))
        speed = float(rng.choice([0.0, 0.01, rng.uniform(0.5, 5.0)], p=[0.2, 0.5, 0.3]))
        along = float(rng.choice([0.0, np.pi], p=[0.7, 0.3]) + rng.normal(0, 0.15))
        turned = rng.random() < (0.5 if kind == "pedestrian" else 0.1)
        yaw = float(rng.uniform(-np.pi, np.pi)) if turned else along
        walked = min(speed, 1.8) if kind == "pedestrian" else speed
        street.add(kind, x, y, yaw, walked, KERB if abs(y) > half else 0.0)


def _slab(x0: float, x1: float, y0: float, y1: float, low: float, high: float, material: str) -> Mesh:
    return box(x1 - x0, y1 - y0, high - low, material).placed((x0 + x1) / 2, (y0 + y1) / 2, low)


def _ground(street: Street, half: float, crossing: float | None) -> None:
    """Lay the carriageway, and the pavements with their kerbs."""
    street.parts.append(_slab(-REACH, REACH, -REACH, REACH, -0.5, 0.0, "asphalt"))
    material = str(street.rng.choice(["paving", "grass", "stone", "concrete"]))
    spans = [(-REACH, REACH)] if crossing is None else [(-REACH, crossing - 5.0), (crossing + 5.0, REACH)]
    for x0, x1 in spans:
        for y0, y1 in ((half, REACH), (-REACH, -half)):
            street.parts.append(_slab(x0, x1, y0, y1, -0.3, KERB, material))


def _fronts(street: Street, fronts: np.ndarray, crossing: float | None) -> None:
    """Line the street with houses that stand back by different amounts, garden walls, fences and hedges."""
    rng = street.rng
    kept = rng.uniform(0.3, 1.0)
    for side in (0, 1):
        sign = 1.0 - 2.0 * side
        x = -REACH
        while x < REACH:
            wide = float(rng.uniform(5.0, 22.0))
            gap = crossing is not None and x - 7.0 < crossing < x + wide + 7.0
            y = sign * float(fronts[side] + rng.uniform(0.0, 2.5))
            if not gap and rng.random() < kept:
                _house(street, x, x + wide, y, sign)
            elif not gap and rng.random() < 0.7:
                _fence(street, x, x + wide, sign * float(fronts[side]))
            x += wide + float(rng.choice([0.0, rng.uniform(1.0, 8.0)]))


def _house(street: Street, x0: float, x1: float, y: float, sign: float) -> None:
    """Build a house whose front lies at y: wall, windows as panes or niches, steps and bays before it."""
    rng = street.rng
    deep, high = float(rng.uniform(6, 12)), float(rng.uniform(3.0, 14.0))
    wall = str(rng.choice(_WALLS))
    y0, y1 = sorted((y, y + sign * deep))
    street.parts.append(_slab(x0, x1, y0, y1, KERB, high, wall))
    for x in np.arange(x0 + 1.0, x1 - 1.0, float(rng.uniform(2.2, 4.5))):
        proud = float(rng.choice([0.03, rng.uniform(0.1, 0.9)], p=[0.8, 0.2]))
        low, top = (0.6, 2.6) if proud < 0.1 else (KERB, float(rng.uniform(0.5, 3.0)))
        a, b = sorted((y, y - sign * proud))
        material = "shop_glass" if proud < 0.1 else wall
        street.parts.append(_slab(float(x), float(x) + float(rng.uniform(0.8, 1.8)), a, b, low, top, material))


def _fence(street: Street, x0: float, x1: float, y: float) -> None:
    """Put up a garden wall, a fence of posts and bars, or a hedge."""
    rng = street.rng
    kind, high = rng.integers(4), float(rng.uniform(0.6, 2.4))
    if kind == 0:
        street.parts.append(_slab(x0, x1, y - 0.12, y + 0.12, KERB, high, str(rng.choice(_WALLS))))
    elif kind == 1:
        for x in np.arange(x0, x1, 1.8):
            street.parts.append(_slab(float(x), float(x) + 0.08, y, y + 0.08, KERB, high, "metal"))
        for z in np.arange(0.3, high, 0.45):
            street.parts.append(_slab(x0, x1, y + 0.02, y + 0.06, float(z), float(z) + 0.06, "metal"))
    else:
        for x in np.arange(x0, x1, 0.9):
            _bush(street, float(x), y + float(rng.normal(0, 0.2)), high * float(rng.uniform(0.35, 0.55)))


def _bush(street: Street, x: float, y: float, radius: float) -> None:
    """Let a bush grow: a ball with an uneven skin."""
    mesh = ball(radius, "leaves", 5, 9)
    middle = mesh.vertices.mean(axis=0)
    rough = street.rng.uniform(0.65, 1.2, (len(mesh.vertices), 1)) * street.rng.uniform(0.7, 1.3, 3)
    street.put(Mesh(middle + (mesh.vertices - middle) * rough, mesh.triangles, mesh.materials), x, y)


def _parked(street: Street, half: float, pavement: float, crossing: float | None) -> None:
    """Park vehicles along the kerbs, half on the pavement, at right angles or aslant."""
    rng = street.rng
    for sign in (1.0, -1.0):
        share, style = float(rng.choice([0.0, rng.uniform(0.1, 0.95)])), rng.integers(5)
        slant = {3: np.pi / 2, 4: float(rng.uniform(0.6, 1.2))}.get(int(style), 0.0)
        y = sign * (half - 1.05 + (0.5 if style == 2 else 0.0)) if not slant else sign * (half + min(pavement, 2.6))
        step = 6.3 if not slant else 2.8 / max(np.sin(slant), 0.5)
        for x in np.arange(-65.0, 65.0, step):
            near = crossing is not None and abs(x - crossing) < 9.0
            if near or rng.random() > share:
                continue
            kind = str(rng.choice(["car", "van", "truck", "motorcycle"], p=[0.75, 0.11, 0.05, 0.09]))
            yaw = float(slant * sign + rng.choice([0.0, np.pi]) + rng.normal(0, 0.04))
            place = float(x + rng.normal(0, 0.4)), float(y + rng.normal(0, 0.12))
            street.add(kind, *place, yaw, 0.0, KERB if slant or style == 2 else 0.0)


def _traffic(street: Street, half: float, crossing: float | None) -> None:
    """Let vehicles and two-wheelers drive, and cross where another street does."""
    rng = street.rng
    kinds = ["car", "van", "truck", "bus", "motorcycle", "bicycle", "scooter"]
    shares = [0.38, 0.10, 0.09, 0.06, 0.12, 0.13, 0.12]
    for _ in range(int(rng.integers(3, 22))):
        kind = str(rng.choice(kinds, p=shares))
        sign = float(rng.choice([1.0, -1.0]))
        speed = float(rng.choice([0.01, rng.uniform(1.0, 6.0 if kind in kinds[5:] else 15.0)], p=[0.3, 0.7]))
        if crossing is not None and rng.random() < 0.3:
            x, y = crossing + sign * float(rng.uniform(1.2, 3.5)), float(rng.uniform(-45, 45))
            yaw = sign * np.pi / 2 + float(rng.normal(0, 0.1))
        else:
            x, y = float(rng.uniform(-60, 60)), -sign * float(rng.uniform(0.8, max(1.0, half - 1.2)))
            yaw = (0.0 if sign > 0 else np.pi) + float(rng.normal(0, 0.08))
        turned = rng.random() < 0.08
        street.add(kind, x, y, float(rng.uniform(-np.pi, np.pi)) if turned else yaw, speed)


def _things(street: Street, half: float, pavement: float, fronts: np.ndarray) -> None:
    """Strew trees, lamps, signs, bins, benches, stalls, cabinets, heaps and bushes over the pavements."""
    rng = street.rng
    meshes = furniture.small_things() | {f"tree {i}": furniture.tree(int(rng.integers(1 << 20))) for i in range(3)}
    names = [*meshes, "post", "post", "crate", "crate", "bush", "bush", "bush", "tree 0", "tree 1", "tree 2"]
    for _ in range(int(rng.integers(10, 90))):
        name = str(rng.choice(names))
        sign = float(rng.choice([1.0, -1.0]))
        side = 0 if sign > 0 else 1
        x, y = float(rng.uniform(-60, 60)), sign * float(rng.uniform(half + 0.4, max(half + 0.8, fronts[side] + 4.0)))
        radius = {"planter": 2.4, "fountain": 3.3, "stall": 1.8, "bench": 0.9}.get(name, 0.45)
        if not street.free(x, y, radius):
            continue
        yaw = float(rng.uniform(-np.pi, np.pi))
        if name == "post":
            street.put(cylinder(0.05, 0.05, float(rng.uniform(1.0, 5.0)), "metal", 6), x, y)
        elif name == "crate":
            size = rng.uniform(0.3, 2.0, 3)
            material = str(rng.choice(["wood", "metal", "stone", "hoarding"]))
            street.put(box(float(size[0]), float(size[1]), float(size[2]), material), x, y, yaw)
        elif name == "bush":
            _bush(street, x, y, float(rng.uniform(0.3, 1.3)))
        else:
            street.put(meshes[name], x, y, yaw, float(rng.uniform(0.75, 1.5)))


def _people(street: Street, half: float, fronts: np.ndarray) -> None:
    """Let people walk, run and stand, alone and in groups; some ride on the pavement, some cross."""
    rng = street.rng
    for _ in range(int(rng.integers(2, 26))):
        sign = float(rng.choice([1.0, -1.0]))
        edge = max(half + 0.6, float(fronts[0 if sign > 0 else 1]) - 0.5)
        x, y = (
            float(rng.uniform(-50, 50)),
            sign * float(rng.uniform(half * (0.2 if rng.random() < 0.2 else 1.05), edge)),
        )
        yaw = float(rng.choice([0.0, np.pi, rng.uniform(-np.pi, np.pi)]))
        speed = float(rng.choice([0.0, rng.uniform(0.5, 1.8), rng.uniform(2.3, 3.5)], p=[0.25, 0.65, 0.1]))
        kind = str(rng.choice(["pedestrian", "bicycle", "scooter"], p=[0.72, 0.12, 0.16]))
        if kind != "pedestrian":
            speed = float(rng.choice([0.0, rng.uniform(1.5, 6.5)], p=[0.3, 0.7]))
        height = KERB if abs(y) > half else 0.0
        if kind == "pedestrian" and rng.random() < _TOGETHER:
            for side in np.cumsum(rng.uniform(0.38, 0.85, int(rng.choice([2, 3], p=[0.8, 0.2])))):
                ahead = float(rng.normal(0, 0.12))
                place = x + ahead * np.cos(yaw) - side * np.sin(yaw), y + ahead * np.sin(yaw) + side * np.cos(yaw)
                street.add(kind, float(place[0]), float(place[1]), yaw, speed, height, room=0.35)
            continue
        for _ in range(int(rng.choice([1, 2, 4], p=[0.7, 0.2, 0.1])) if kind == "pedestrian" else 1):
            street.add(kind, x + float(rng.normal(0, 0.6)), y + float(rng.normal(0, 0.6)), yaw, speed, height)
