"""All that stands still in a district, as one mesh for every sensor; what scenarios can move is left out."""

from __future__ import annotations

import numpy as np
import shapely

from twin_common.core.object_class import ObjectClass
from twin_common.open3d_core import open3d
from twin_sim.core import facades, furniture, ground_mesh
from twin_sim.core.bodies import Bodies
from twin_sim.core.body_palettes import palettes
from twin_sim.core.body_parts import SLOTS, Geometry
from twin_sim.core.frame import ACTOR, Activity, Shape
from twin_sim.core.meshes import Mesh, joined
from twin_sim.core.network_zones import KERB, read_network
from twin_sim.core.signals import signal_heads
from twin_sim.core.surfaces import Surfaces
from twin_sim.world import ParkedConfig, World

UNKNOWN_HEIGHT = 11.9  # m, of buildings whose height the district does not tell: three storeys
PUBLIC = ("carriageway", "crosswalk", "sidewalk", "plaza")
#: Share of the triangles that parts of a parked vehicle keep, by slot; no part gets below LEAST.
KEPT, LEAST = {"paint": 0.55, "glass": 1.0, "tyre": 0.3, "rim": 0.6, "trim": 0.4, "other": 0.5}, 6
#: Class, body, length, width and height of parked vehicles, metres.
PARKED: dict[str, tuple[ObjectClass, Shape, float, float, float]] = {
    "saloon": (ObjectClass.CAR, Shape.SALOON, 4.85, 1.86, 1.45),
    "hatchback": (ObjectClass.CAR, Shape.HATCHBACK, 4.1, 1.75, 1.48),
    "suv": (ObjectClass.CAR, Shape.SUV, 4.7, 1.9, 1.7),
    "van": (ObjectClass.CAR, Shape.VAN, 5.15, 1.95, 1.95),
    "taxi": (ObjectClass.CAR, Shape.TAXI, 4.9, 1.86, 1.48),
    "truck": (ObjectClass.TRUCK, Shape.BY_CLASS, 5.1, 1.74, 1.97),
    "motorcycle": (ObjectClass.MOTORCYCLE, Shape.BY_CLASS, 2.0, 0.75, 1.15),
}


def parked_actors(parked: tuple[ParkedConfig, ...]) -> np.ndarray:
    """Return parked vehicles as actors, (N,) ACTOR, at rest and without lights; their ids are 0."""
    actors = np.zeros(len(parked), ACTOR)
    for row, item in zip(actors, parked, strict=True):
        kind, shape, length, width, height = PARKED[item.shape]
        row["x"], row["y"], row["yaw"] = item.x, item.y, np.radians(item.yaw_deg)
        row["length"], row["width"], row["height"] = length, width, height
        row["classification"], row["shape"], row["activity"] = kind, shape, Activity.PARKED
        row["appearance"] = item.appearance
    return actors


def scenery(world: World) -> Mesh:
    """Return the ground, kerbs, markings, buildings, things, signals, poles, sites, cranes and parked vehicles."""
    return joined(list(parts(world).values()))


def parts(world: World) -> dict[str, Mesh]:
    """Return the scenery by part."""
    public = ground_mesh.shapes(world.district.zones, *PUBLIC)
    return {
        "ground": _ground(world),
        "buildings": _buildings(world, public),
        "things": _things(world),
        "sites": _sites(world, public),
        "parked": _parked(world),
    }


def _ground(world: World) -> Mesh:
    out = Surfaces()
    ground_mesh.build(out, world.district.zones, world.config.bounds)
    ground_mesh.markings(out, read_network(world.network))
    return out.finished()


def _things(world: World) -> Mesh:
    out = Surfaces()
    furniture.add_things(out, world.config.things)
    furniture.add_signals(out, signal_heads(world.network))
    furniture.add_poles(out, world.district.platforms)
    return out.finished()


def _sites(world: World, public: shapely.Geometry) -> Mesh:
    out = Surfaces()
    for zone in world.district.zones:
        if zone.kind == "site":
            furniture.add_site(out, zone, public, world.config.cranes)
    for crane in world.config.cranes:
        out.mesh(furniture.crane(crane))
    return out.finished()


def _buildings(world: World, public: shapely.Geometry) -> Mesh:
    """Return the buildings; those whose height is not known get three storeys."""
    out = Surfaces()
    buildings = [zone for zone in world.district.zones if zone.kind == "building"]
    facing = facades.facing([zone.corners() for zone in buildings], public)
    for seed, zone in enumerate(buildings):
        facades.build(out, zone.corners(), zone.height or UNKNOWN_HEIGHT, KERB, facing, seed)
    return out.finished()


def _parked(world: World) -> Mesh:
    """Return the parked vehicles, with fewer triangles than those that move."""
    actors = parked_actors(world.config.parked)
    if not len(actors):
        return joined([])
    bodies = Bodies()
    posed = bodies.posed(actors)
    matrix, offset = bodies.transforms(actors, posed)
    coarse = {number: _coarser(mesh) for number, mesh in {item.number: item.mesh for item in posed}.items()}
    parts = []
    for i, (item, palette) in enumerate(zip(posed, palettes(actors), strict=True)):
        mesh = coarse[item.number]
        parts.append(Mesh(mesh.vertices @ matrix[i].T + offset[i], mesh.triangles, palette[mesh.materials]))
    return joined(parts)


def _coarser(mesh: Geometry) -> Mesh:
    """Return a mesh with a share of its triangles (quadric error metric, Garland and Heckbert 1997), slot by slot.

    The materials of what it returns are slots.
    """
    parts = []
    for slot in np.unique(mesh.slots):
        used, index = np.unique(mesh.triangles[mesh.slots == slot], return_inverse=True)
        corners = open3d.utility.Vector3dVector(mesh.vertices[used].astype(float))
        part = open3d.geometry.TriangleMesh(corners, open3d.utility.Vector3iVector(index.reshape(-1, 3)))
        part.merge_close_vertices(1e-4)
        faces = index.size // 3
        count = int(KEPT.get(SLOTS[slot], KEPT["other"]) * faces)
        if LEAST <= count < faces:
            part = part.simplify_quadric_decimation(count, boundary_weight=3.0)
        kept = np.asarray(part.triangles).copy()
        parts.append(Mesh(np.asarray(part.vertices).copy(), kept, np.full(len(kept), int(slot))))
    return joined(parts)


def local_scenery(world: World, centre: tuple[float, float], radius: float) -> Mesh:
    """Return the part of the scenery whose triangles come within ``radius`` of a point (x, y), metres."""
    return near(scenery(world), centre, radius)


def near(mesh: Mesh, centre: tuple[float, float], radius: float) -> Mesh:
    """Return the triangles of a mesh whose boxes come within ``radius`` of a point (x, y), metres."""
    flat = mesh.vertices[:, :2][mesh.triangles]
    gap = np.maximum(np.maximum(flat.min(axis=1) - centre, centre - flat.max(axis=1)), 0.0)
    keep = np.hypot(*gap.T) <= radius
    used, triangles = np.unique(mesh.triangles[keep], return_inverse=True)
    return Mesh(mesh.vertices[used], triangles.reshape(-1, 3), mesh.materials[keep])
