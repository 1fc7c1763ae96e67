"""What stands along streets: trees, lamps, signals, sensor poles, benches, stalls; building sites with their cranes.

Local frames: x forward, origin on the ground; metres. Heights count from the pavement.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable

import numpy as np
import shapely
from shapely.geometry import LineString

from twin_common.district import PlatformConfig, ZoneConfig
from twin_sim.core.meshes import MATERIAL_NAMES, Mesh, ball, box, cylinder, joined
from twin_sim.core.network_zones import KERB, polygons
from twin_sim.core.signals import USERS_VEHICLES, SignalHead
from twin_sim.core.surfaces import Surfaces, level
from twin_sim.world import CraneConfig, ThingConfig

TREES = 6  # different trees
LAMP_HEIGHT, LAMP_ARM = 7.6, 1.8
HOARDING, GATE = 2.2, 7.0  # height of the fence around a site, width of its gate
FLOOR, COLUMN_SPACING = 3.6, 6.5  # of the building that rises on a site
LEAST_SKELETON = 60.0  # m², of the floors of such a building


def bar(start: tuple[float, float, float], end: tuple[float, float, float], thickness: float, material: str) -> Mesh:
    """Return a square bar between two points."""
    a, b = np.array(start, float), np.array(end, float)
    along = b - a
    length = float(np.linalg.norm(along))
    yaw = float(np.arctan2(along[1], along[0]))
    pitch = float(-np.arctan2(along[2], np.hypot(along[0], along[1])))
    mesh = box(length, thickness, thickness, material).placed(x=length / 2, z=-thickness / 2)
    return mesh.placed(float(a[0]), float(a[1]), float(a[2]), yaw, pitch)


def tree(seed: int) -> Mesh:
    """Return a street tree of usual size, 6 to 7 m: a trunk that forks into a crown of uneven clumps."""
    rng = np.random.default_rng((seed, 72))
    fork = float(rng.uniform(2.2, 2.8))
    parts = [cylinder(0.13, 0.13, fork, "bark", 5)]
    for i in range(4):
        angle = 2 * np.pi * i / 4 + rng.uniform(-0.4, 0.4)
        reach, rise = rng.uniform(0.6, 1.0), rng.uniform(0.9, 2.2)
        x, y, z = float(reach * np.cos(angle)), float(reach * np.sin(angle)), fork + float(rise)
        if i % 2:
            parts.append(bar((0, 0, fork - 0.1), (0.7 * x, 0.7 * y, z), 0.08, "bark"))
        parts.append(_clump(rng, float(rng.uniform(0.95, 1.25))).placed(x, y, z - 0.75))
    parts.append(_clump(rng, 1.2).placed(z=fork + 1.6))
    return joined(parts)


def _clump(rng: np.random.Generator, radius: float) -> Mesh:
    mesh = ball(radius, "leaves", 4, 6)
    middle = mesh.vertices.mean(axis=0)
    rough = rng.uniform(0.72, 1.15, (len(mesh.vertices), 1)) * (1.0, 1.0, 0.8)
    return Mesh(middle + (mesh.vertices - middle) * rough, mesh.triangles, mesh.materials)


def lamp() -> Mesh:
    """Return a street lamp: its arm points forward."""
    head = box(0.7, 0.28, 0.12, "pole_paint").placed(x=LAMP_ARM, z=LAMP_HEIGHT)
    glass = box(0.6, 0.22, 0.04, "lamp_glass").placed(x=LAMP_ARM, z=LAMP_HEIGHT - 0.04)
    arm = bar((0, 0, LAMP_HEIGHT - 0.5), (LAMP_ARM - 0.2, 0, LAMP_HEIGHT + 0.05), 0.08, "pole_paint")
    return joined([
        box(0.28, 0.28, 0.9, "pole_paint"), cylinder(0.085, 0.085, LAMP_HEIGHT - 0.45, "pole_paint", 6), arm,
        head, glass,
    ])  # fmt: skip


def bench() -> Mesh:
    """Return a bench with a back."""
    legs = [box(0.4, 0.06, 0.42, "metal").placed(y=y) for y in (-0.7, 0.7)]
    back = box(0.05, 1.7, 0.35, "wood").placed(x=-0.2, z=0.5)
    return joined([*legs, box(0.45, 1.7, 0.05, "wood").placed(z=0.42), back])


def stall() -> Mesh:
    """Return a food stall 3 m wide: counter, posts, roof; its front looks forward."""
    posts = [box(0.07, 0.07, 2.3, "metal").placed(x, y) for x in (-0.9, 0.9) for y in (-1.4, 1.4)]
    counter = box(0.7, 2.9, 1.0, "wood").placed(x=0.6)
    back = box(0.05, 2.9, 1.6, "hoarding").placed(x=-0.9, z=0.6)
    sign = box(0.06, 2.6, 0.4, "sign_face").placed(x=1.0, z=2.05)
    roof = box(2.3, 3.2, 0.08, "awning").placed(z=2.4)
    pots = [cylinder(0.16, 0.16, 0.25, "metal", 8).placed(0.55, y, 1.0) for y in (-0.8, 0.0, 0.7)]
    return joined([*posts, counter, back, sign, roof, *pots])


def planter() -> Mesh:
    """Return a planter 5.0 m x 2.2 m with shrubs."""
    rng = np.random.default_rng((3, 72))
    shrubs = [_clump(rng, 0.5).placed(float(x), float(y), 0.35) for x in np.arange(-2.0, 2.1, 0.8) for y in (-0.5, 0.5)]
    return joined([box(5.0, 2.2, 0.5, "stone"), box(4.6, 1.8, 0.03, "earth").placed(z=0.5), *shrubs])


def fountain() -> Mesh:
    """Return a fountain 6.4 m across: a basin with a rim, water, a column with a bowl."""
    return joined([
        cylinder(3.2, 3.2, 0.5, "stone", 12), cylinder(2.8, 2.8, 0.03, "water", 12).placed(z=0.5),
        cylinder(0.4, 0.4, 1.9, "stone", 8), cylinder(1.2, 1.2, 0.22, "stone", 10).placed(z=1.5),
        cylinder(0.7, 0.7, 0.15, "stone", 8).placed(z=1.9),
    ])  # fmt: skip


def small_things() -> dict[str, Mesh]:
    """Return the meshes of ThingConfig's kinds, but for trees."""
    return {
        "lamp": lamp(),
        "bollard": cylinder(0.09, 0.09, 0.88, "metal", 8),
        "bench": bench(),
        "cabinet": joined([box(0.5, 0.9, 1.3, "pole_paint"), box(0.54, 0.94, 0.06, "metal").placed(z=1.3)]),
        "bin": joined(
            [cylinder(0.26, 0.26, 0.85, "pole_paint", 8), cylinder(0.3, 0.3, 0.1, "metal", 8).placed(z=0.85)]
        ),
        "stall": stall(),
        "planter": planter(),
        "fountain": fountain(),
    }


def add_things(out: Surfaces, things: Iterable[ThingConfig]) -> None:
    """Add everything of ThingConfig's kinds; which tree it is follows from its place."""
    meshes = small_things() | {f"tree {i}": tree(i) for i in range(TREES)}
    poses: dict[str, list[tuple[float, float, float, float, float]]] = {name: [] for name in meshes}
    for thing in things:
        kind = f"tree {int(abs(thing.x * 7 + thing.y * 13)) % TREES}" if thing.kind == "tree" else thing.kind
        turn = thing.x + thing.y if thing.kind == "tree" else np.radians(thing.yaw_deg)
        poses[kind].append((thing.x, thing.y, KERB, float(turn), thing.size))
    for name, rows in poses.items():
        out.copies(meshes[name], np.array(rows))


def _disc(radius: float, material: str) -> Mesh:
    """Return a disc of six triangles that faces forward."""
    angles = 2 * np.pi * np.arange(6) / 6
    rim = np.column_stack([np.zeros(6), radius * np.cos(angles), radius * np.sin(angles)])
    triangles = np.array([(6, i, (i + 1) % 6) for i in range(6)])
    return Mesh(np.vstack([rim, (0, 0, 0)]), triangles, np.full(6, MATERIAL_NAMES.index(material)))


def add_signals(out: Surfaces, heads: Iterable[SignalHead]) -> None:
    """Add signal heads with their posts; what they show is not part of the scenery."""
    lenses = [_disc(0.11, "glass") for _ in range(3)]
    vehicles = joined([
        box(0.22, 0.34, 1.05, "signal_case").placed(z=-0.52),
        *(lens.placed(x=0.115, z=z) for lens, z in zip(lenses, (-0.34, 0.0, 0.34), strict=True)),
    ])  # fmt: skip
    walkers = joined([
        box(0.2, 0.3, 0.62, "signal_case").placed(z=-0.31),
        *(lens.placed(x=0.105, z=z) for lens, z in zip(lenses[:2], (-0.15, 0.15), strict=True)),
    ])  # fmt: skip
    posts: set[tuple[float, float, float]] = set()
    for head in heads:
        mesh = vehicles if head.users == USERS_VEHICLES else walkers
        out.mesh(mesh.placed(head.x, head.y, head.z, head.yaw))
        # A head hangs before its post, and the head for those who turn left hangs on the post of its neighbour.
        back = (head.x - 0.22 * np.cos(head.yaw), head.y - 0.22 * np.sin(head.yaw))
        if not any(np.hypot(back[0] - x, back[1] - y) < 0.6 for x, y, _ in posts):
            posts.add((float(back[0]), float(back[1]), head.z + 0.4 - KERB))
    for x, y, height in sorted(posts):
        out.mesh(cylinder(0.08, 0.08, height, "pole_paint", 8).placed(x, y, KERB))


def add_poles(out: Surfaces, platforms: Iterable[PlatformConfig]) -> None:
    """Add the masts of sensor poles, up to just below their LiDARs, with a cabinet."""
    for platform in platforms:
        if platform.kind != "pole":
            continue
        height = platform.lidar.mount.z - 0.2 if platform.lidar is not None and platform.lidar.mount.z > 1 else 5.0
        yaw = np.radians(platform.pose.yaw_deg)
        parts = [cylinder(0.1, 0.1, height, "metal", 8), box(0.25, 0.4, 0.6, "pole_paint").placed(x=-0.22, z=1.2)]
        out.mesh(joined(parts).placed(platform.pose.x, platform.pose.y, platform.pose.z, yaw))


def crane(config: CraneConfig) -> Mesh:
    """Return a tower crane: lattice tower, jib with a trolley near its end, counter-jib with ballast, cab."""
    height, jib, half = config.height, config.jib, 0.9
    parts = []
    corners = [(x, y) for x in (-half, half) for y in (-half, half)]
    parts += [bar((x, y, 0.0), (x, y, height), 0.16, "crane_steel") for x, y in corners]
    for i, z in enumerate(np.arange(0.0, height - 2.0, 2.4)):
        top = float(z) + 2.4
        for a, b in (((-half, -half), (half, -half)), ((-half, half), (half, half)),
                     ((-half, -half), (-half, half)), ((half, -half), (half, half))):  # fmt: skip
            low, high = (a, b) if i % 2 else (b, a)
            parts.append(bar((*low, float(z)), (*high, top), 0.09, "crane_steel"))
    parts.append(box(2.0, 1.6, 2.2, "hoarding").placed(x=1.4, y=-1.6, z=height - 2.4))
    peak = height + 6.0
    parts += [bar((0, 0, height), (0, 0, peak), 0.35, "crane_steel")]
    parts += [bar((-10.0, y, height), (jib, y, height), 0.12, "crane_steel") for y in (-0.6, 0.6)]
    parts.append(bar((1.0, 0, height + 1.1), (jib, 0, height + 1.1), 0.12, "crane_steel"))
    for x in np.arange(1.0, jib - 1.6, 1.6):
        for y in (-0.6, 0.6):
            parts.append(bar((float(x), y, height), (float(x) + 0.8, 0, height + 1.1), 0.06, "crane_steel"))
            parts.append(bar((float(x) + 0.8, 0, height + 1.1), (float(x) + 1.6, y, height), 0.06, "crane_steel"))
    parts += [bar((0, 0, peak), (0.75 * jib, 0, height + 1.1), 0.08, "metal")]
    parts += [bar((0, 0, peak), (-9.5, 0, height), 0.08, "metal")]
    parts += [box(2.6, 1.4, 2.4, "concrete").placed(x=-8.6, z=height - 2.4)]
    parts += [box(1.2, 1.2, 0.4, "crane_steel").placed(x=0.8 * jib, z=height - 0.4)]
    parts += [box(4.0, 4.0, 1.0, "concrete")]
    return joined(parts).placed(config.x, config.y, KERB, float(np.radians(config.yaw_deg)))


def add_site(out: Surfaces, zone: ZoneConfig, public: shapely.Geometry, cranes: Iterable[CraneConfig]) -> None:
    """Add a building site: a fence with a gate towards the street, the skeleton of a building, heaps, containers."""
    shape = shapely.orient_polygons(shapely.Polygon(zone.corners()))
    ring = np.asarray(shape.buffer(-0.3, join_style="mitre").exterior.coords)
    ring = ring if shapely.is_ccw(shapely.LinearRing(ring)) else ring[::-1]
    middles = (ring[:-1] + ring[1:]) / 2
    street = int(np.argmin(shapely.distance(shapely.points(middles), public)))
    for i, (a, b) in enumerate(itertools.pairwise(ring)):
        side = LineString([a, b])
        gap = (side.length / 2 - GATE / 2, side.length / 2 + GATE / 2) if i == street else (0.0, 0.0)
        for start, end in ((0.0, gap[0]), (gap[1], side.length)):
            if end - start > 0.1:
                _hoarding(out, side, start, end)
    stands = [shapely.Point(item.x, item.y).buffer(4.5) for item in cranes]
    room = shape.buffer(-9.0, join_style="mitre").difference(shapely.union_all(stands))
    largest = max(polygons(room), key=lambda part: part.area, default=None)
    if largest is None or largest.area < LEAST_SKELETON:
        return  # too narrow a site for more than its fence
    _skeleton(out, largest, zone.height or 4 * FLOOR)
    x, y = (float(value) for value in middles[street] * 0.75 + np.asarray(shape.centroid.coords[0]) * 0.25)
    yaw = float(np.arctan2(*(ring[street + 1] - ring[street])[::-1]))
    for offset, material in ((6.0, "hoarding"), (12.5, "crane_steel")):
        spot = np.array([x, y]) + offset * np.array([np.cos(yaw), np.sin(yaw)])
        out.mesh(box(6.0, 2.4, 2.5, material).placed(float(spot[0]), float(spot[1]), KERB, yaw))
    heap = ball(2.2, "earth", 6, 9)
    out.mesh(Mesh(heap.vertices * (1.0, 1.0, 0.7) - (0, 0, 1.4), heap.triangles, heap.materials).placed(
        x - 7 * np.cos(yaw), y - 7 * np.sin(yaw), KERB))  # fmt: skip


def _hoarding(out: Surfaces, side: LineString, start: float, end: float) -> None:
    """Add a fence of metal sheets along a stretch of a line, both faces, posts inside."""
    points = np.array([side.interpolate(start).coords[0], side.interpolate(end).coords[0]])
    out.fences(points, KERB, KERB + HOARDING, "hoarding")
    along = (points[1] - points[0]) / np.hypot(*(points[1] - points[0]))
    inwards = 0.05 * np.array([-along[1], along[0]])
    out.fences((points + inwards)[::-1], KERB, KERB + HOARDING, "hoarding")
    for distance in np.arange(0.0, end - start, 3.0):
        x, y = points[0] + distance * along + 2 * inwards
        out.mesh(box(0.08, 0.08, HOARDING + 0.1, "metal").placed(float(x), float(y), KERB))


def _skeleton(out: Surfaces, shape: shapely.Geometry, height: float) -> None:
    """Add slabs on columns, as high as the building has got."""
    levels = np.arange(1, max(int(height // FLOOR), 1) + 1) * FLOOR + KERB
    for z in levels:
        out.area(shape, float(z), "concrete")
        out.triangles(level(shape, float(z) - 0.25)[:, ::-1], "concrete")
        ring = np.asarray(shapely.orient_polygons(shape).exterior.coords)
        out.fences(ring, float(z) - 0.25, float(z), "concrete")
    x0, y0, x1, y1 = shape.bounds
    inner = shape.buffer(-0.4)
    for x in np.arange(x0 + 0.6, x1, COLUMN_SPACING):
        for y in np.arange(y0 + 0.6, y1, COLUMN_SPACING):
            if inner.contains(shapely.Point(x, y)):
                top = float(levels[-1]) - KERB + 1.0
                out.mesh(box(0.5, 0.5, top, "concrete").placed(float(x), float(y), KERB))
