"""The static scenery: heights, kerbs, markings, facades, and what must not be in it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import shapely
from shapely.geometry import Polygon

from twin_common.open3d_core import open3d
from twin_sim.core import facades, furniture
from twin_sim.core.meshes import MATERIAL_NAMES, Mesh
from twin_sim.core.network_zones import KERB
from twin_sim.core.scenery import near, parked_actors, scenery
from twin_sim.core.signals import signal_heads
from twin_sim.core.surfaces import Surfaces, level, wall, walls_of
from twin_sim.world import CraneConfig, World, load_world

SANGMU = Path(__file__).resolve().parents[4] / "config/districts/sangmu"
GROUND = ("asphalt", "paving", "stone", "yard", "earth")


@pytest.fixture(scope="module")
def world() -> World:
    return load_world(SANGMU)


@pytest.fixture(scope="module")
def mesh(world: World) -> Mesh:
    return scenery(world)


class Caster:
    """Casts rays onto a mesh."""

    def __init__(self, mesh: Mesh) -> None:
        self._materials = mesh.materials
        self._scene = open3d.t.geometry.RaycastingScene(nthreads=1)
        self._scene.add_triangles(
            open3d.core.Tensor(mesh.vertices.astype(np.float32)), open3d.core.Tensor(mesh.triangles.astype(np.uint32))
        )

    def cast(self, origins: np.ndarray, directions: np.ndarray) -> tuple[np.ndarray, list[str]]:
        """Return ranges (N,) and the names of materials; "" where there is nothing."""
        rays = np.concatenate([origins, np.broadcast_to(directions, origins.shape)], axis=1).astype(np.float32)
        hits = self._scene.cast_rays(open3d.core.Tensor(rays))
        ranges, found = hits["t_hit"].numpy(), hits["primitive_ids"].numpy().astype(np.int64)
        names = [
            MATERIAL_NAMES[self._materials[i]] if np.isfinite(r) else "" for i, r in zip(found, ranges, strict=True)
        ]
        return ranges, names


@pytest.fixture(scope="module")
def caster(mesh: Mesh) -> Caster:
    return Caster(mesh)


def corners(mesh: Mesh) -> np.ndarray:
    return mesh.vertices[mesh.triangles]


def test_it_is_a_mesh_of_known_materials_and_modest_size(mesh: Mesh) -> None:
    assert np.isfinite(mesh.vertices).all()
    assert mesh.triangles.min() >= 0 and mesh.triangles.max() < len(mesh.vertices)
    assert len(mesh.materials) == len(mesh.triangles) and mesh.materials.max() < len(MATERIAL_NAMES)
    assert 150_000 < len(mesh.triangles) < 320_000


def test_the_same_world_gives_the_same_mesh(world: World, mesh: Mesh) -> None:
    again = scenery(world)
    assert np.array_equal(mesh.vertices, again.vertices) and np.array_equal(mesh.triangles, again.triangles)


def test_the_ground_covers_the_district_once(world: World, mesh: Mesh) -> None:
    points = corners(mesh)
    flat = np.ptp(points[..., 2], axis=1) < 1e-9
    on_ground = flat & (np.isclose(points[:, 0, 2], 0.0) | np.isclose(points[:, 0, 2], KERB))
    on_ground &= np.isin(mesh.materials, [MATERIAL_NAMES.index(name) for name in GROUND])
    a, b, c = points[on_ground][..., :2].transpose(1, 0, 2)
    areas = ((b - a)[:, 0] * (c - a)[:, 1] - (b - a)[:, 1] * (c - a)[:, 0]) / 2
    assert (areas > 0).sum() > 0.98 * len(areas)  # what faces down are the undersides of things that stand there
    x0, y0, x1, y1 = world.config.bounds
    assert areas[areas > 0].sum() == pytest.approx((x1 - x0) * (y1 - y0), rel=2e-3)


@pytest.mark.parametrize(
    ("spot", "height", "names"),
    [
        ((-60.0, 1.6), 0.0, ("asphalt", "marking")),
        ((-30.0, 14.5), KERB, ("paving",)),
        ((-39.9, 30.0), KERB, ("stone",)),
        ((30.0, 25.0), KERB, ("stone",)),
        ((150.0, 22.0), KERB, ("earth",)),
    ],
)
def test_the_ground_is_where_it_should_be(
    caster: Caster, spot: tuple[float, float], height: float, names: tuple[str, ...]
) -> None:  # fmt: skip
    ranges, found = caster.cast(np.array([[*spot, 2.4]]), np.array([0.0, 0.0, -1.0]))
    assert 2.4 - ranges[0] == pytest.approx(height, abs=0.006) and found[0] in names


def test_kerbs_face_the_road(caster: Caster) -> None:
    x = np.linspace(-80, -20, 61)
    low = np.column_stack([x, np.full_like(x, 10.0), np.full_like(x, 0.08)])
    ranges, names = caster.cast(low, np.array([0.0, 1.0, 0.0]))
    assert set(names) == {"kerb"}
    np.testing.assert_allclose(ranges, 11.35 - 10.0, atol=0.02)
    high = low + np.array([0.0, 0.0, 0.12])
    assert (caster.cast(high, np.array([0.0, 1.0, 0.0]))[0] > 1.5).all(), "something stands on the kerb"


def test_a_crosswalk_has_stripes_of_half_a_metre(caster: Caster) -> None:
    y = np.arange(-11.0, 11.0, 0.01)
    above = np.column_stack([np.full_like(y, 13.0), y, np.full_like(y, 1.0)])
    _, names = caster.cast(above, np.array([0.0, 0.0, -1.0]))
    white = np.array([name == "marking" for name in names])
    assert set(names) == {"marking", "asphalt"} and white.mean() == pytest.approx(0.5, abs=0.03)
    assert np.abs(np.diff(white.astype(int))).sum() in range(42, 47)


def test_facades_are_deep_where_people_see_them(caster: Caster) -> None:
    """A LiDAR sees glass behind the wall: two depths, not one plane."""
    x = np.arange(-36.0, -18.0, 0.05)
    for z, glass in ((1.5, "shop_glass"), (6.5, "window")):
        origins = np.column_stack([x, np.full_like(x, 12.7), np.full_like(x, z)])
        ranges, names = caster.cast(origins, np.array([0.0, 1.0, 0.0]))
        face = np.array(ranges)[[name in ("plaster", "brick", "concrete", "stone", "cladding") for name in names]]
        behind = np.array(ranges)[[name.startswith(glass) for name in names]]
        assert len(face) > 20 and len(behind) > 40, z
        assert np.median(behind) - face.min() > 0.04, z


def test_walls_stand_on_the_outlines_of_buildings(world: World, caster: Caster) -> None:
    rng = np.random.default_rng(3)
    buildings = [zone for zone in world.district.zones if zone.kind == "building"]
    gaps = []
    for zone in rng.choice(np.array(buildings, object), 40, replace=False):
        for side in walls_of(zone.corners()):
            if side.length > 6:
                start = side.points(side.length / 2, 3.0, 5.6)
                gaps.append(float(caster.cast(start[None], -np.array([*side.outwards, 0.0]))[0][0]) - 3.0)
    # Trees, lamps and neighbours stand before a few; behind the wall there is never more than the depth of a window.
    assert np.median(np.abs(gaps)) < 0.1 and max(gaps) < 0.5


def test_roofs_are_as_high_as_the_zones_say(world: World, caster: Caster) -> None:
    for zone in [zone for zone in world.district.zones if zone.kind == "building"][::6]:
        x, y = (np.roll(zone.corners(), -1, axis=0)[0] + zone.corners()[0]) / 2  # the middle of a wall
        inwards = Polygon(zone.corners()).exterior.parallel_offset(0.12, "left")
        spot = shapely.shortest_line(shapely.Point(x, y), inwards).coords[-1]
        ranges, _ = caster.cast(np.array([[*spot, 150.0]]), np.array([0.0, 0.0, -1.0]))
        height = 150.0 - ranges[0] - KERB
        assert height == pytest.approx(zone.height, abs=0.05) or zone.height > facades.SETBACK_FROM, zone.name


def test_what_can_fall_is_not_in_it(world: World, caster: Caster) -> None:
    for panel in world.config.panels:
        yaw = np.radians(panel.yaw_deg)
        out = np.array([np.cos(yaw), np.sin(yaw), 0.0])
        middle = np.array([panel.x, panel.y, panel.z + panel.height / 2])
        ranges, _ = caster.cast((middle + (panel.thickness / 2 + 0.3) * out)[None], -out)
        assert ranges[0] > 0.3 + 0.9 * panel.thickness, f"{panel.name} is there already"


def test_nobody_bumps_into_the_scenery_in_the_alley(world: World, caster: Caster) -> None:
    alley = next(item for item in world.config.crowd_areas if item.name == "alley")
    free = Polygon(alley.polygon).difference(shapely.union_all([Polygon(item) for item in alley.obstacles]).buffer(0.1))
    x0, y0, x1, y1 = free.bounds
    rng = np.random.default_rng(4)
    spots = rng.uniform((x0, y0), (x1, y1), (600, 2))
    spots = spots[shapely.contains_xy(free.buffer(-0.05), *spots.T)]
    ranges, _ = caster.cast(np.column_stack([spots, np.full(len(spots), 2.0)]), np.array([0.0, 0.0, -1.0]))
    np.testing.assert_allclose(2.0 - ranges, KERB, atol=0.01)


def test_poles_do_not_hide_the_street_from_their_own_lidar(world: World, caster: Caster) -> None:
    for item in world.district.platforms:
        if item.kind == "pole" and item.lidar is not None:
            origin = np.array([[item.pose.x, item.pose.y, item.pose.z + item.lidar.mount.z]])
            angles = np.radians(item.pose.yaw_deg + np.arange(-75, 76, 2))  # a wall may be behind it
            for elevation in np.radians((-40.0, -20.0, -10.0)):
                rays = np.column_stack([np.cos(angles), np.sin(angles), np.full_like(angles, np.tan(elevation))])
                rays /= np.linalg.norm(rays, axis=1, keepdims=True)
                ranges = caster.cast(np.repeat(origin, len(rays), axis=0), rays)[0]
                assert ranges.min() > 1.0, item.name


def test_signals_lamps_and_trees_stand_where_the_files_say(world: World, mesh: Mesh) -> None:
    points = corners(mesh)
    for head in signal_heads(world.network)[::7]:
        gaps = np.linalg.norm(points.mean(axis=1) - (head.x, head.y, head.z), axis=1)
        assert (gaps < 0.6).sum() > 20, head.edge
    leaves = points[mesh.materials == MATERIAL_NAMES.index("leaves")].reshape(-1, 3)
    for thing in [item for item in world.config.things if item.kind == "tree" and item.y < 12.5][::15]:
        crown = leaves[np.hypot(leaves[:, 0] - thing.x, leaves[:, 1] - thing.y) < 2.6]
        assert crown[:, 2].min() > 1.2 and 3.0 < crown[:, 2].max() < 9.0


def test_parked_vehicles_have_their_size(world: World, mesh: Mesh) -> None:
    actors = parked_actors(world.config.parked)
    cars = actors[actors["length"] > 4]
    points = mesh.vertices
    for actor in cars[::25]:
        dx, dy = points[:, 0] - actor["x"], points[:, 1] - actor["y"]
        cos, sin = np.cos(actor["yaw"]), np.sin(actor["yaw"])
        along, aside = cos * dx + sin * dy, cos * dy - sin * dx
        own = (np.abs(along) < actor["length"] / 2 + 0.2) & (np.abs(aside) < actor["width"] / 2 + 0.2)
        own &= points[:, 2] > 0.02
        assert np.ptp(along[own]) == pytest.approx(actor["length"], rel=0.08)
        assert points[own, 2].max() == pytest.approx(actor["height"], rel=0.12)


def test_a_crane_reaches_as_far_as_its_jib() -> None:
    made = furniture.crane(CraneConfig("a", 10.0, 20.0, 40.0, 30.0, 90.0))
    low, high = made.vertices.min(axis=0), made.vertices.max(axis=0)
    assert high[1] == pytest.approx(50.0, abs=0.5) and low[2] == pytest.approx(KERB, abs=0.05) and 44 < high[2] < 48


def test_a_part_of_the_scenery_is_what_comes_near(mesh: Mesh) -> None:
    part = near(mesh, (0.0, 0.0), 40.0)
    assert 1_000 < len(part.triangles) < 0.25 * len(mesh.triangles)
    flat = corners(part)[..., :2]
    gaps = np.maximum(np.maximum(flat.min(axis=1), -flat.max(axis=1)), 0.0)
    assert np.hypot(*gaps.T).max() <= 40.0
    origins = np.tile((0.0, 0.0, 2.0), (180, 1))
    angles = np.radians(np.arange(0, 360, 2))
    rays = np.column_stack([np.cos(angles), np.sin(angles), np.full(180, -0.06)])
    all_ranges, part_ranges = Caster(mesh).cast(origins, rays)[0], Caster(part).cast(origins, rays)[0]
    np.testing.assert_allclose(part_ranges[all_ranges < 39], all_ranges[all_ranges < 39], atol=1e-4)


def test_every_face_of_a_block_on_a_wall_looks_outwards() -> None:
    side = wall(np.array([0.0, 0.0]), np.array([10.0, 0.0]))
    faces = side.block(2.0, 4.0, 0.0, 0.5, 1.0, 2.0)
    normals = np.cross(faces[:, 1] - faces[:, 0], faces[:, 2] - faces[:, 1])
    away = faces.mean(axis=1) - (3.0, -0.25, 1.5)
    assert (np.einsum("ij,ij->i", normals, away) > 0).all() and len(faces) == 5


def test_level_surfaces_face_up_and_keep_their_holes() -> None:
    ring = shapely.box(0, 0, 30, 20).difference(shapely.box(10, 5, 20, 15))
    a, b, c = level(ring, 1.5).transpose(1, 0, 2)
    up = np.cross(b - a, c - a)[:, 2]
    assert (up > 0).all() and up.sum() / 2 == pytest.approx(500.0)


def test_an_empty_collection_is_an_empty_mesh() -> None:
    out = Surfaces()
    out.quads(np.zeros((0, 4, 3)), "asphalt")
    out.copies(furniture.lamp(), np.zeros((0, 5)))
    assert len(out.finished().triangles) == 0
