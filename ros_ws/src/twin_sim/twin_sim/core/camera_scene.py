"""What stands still, arranged for the camera: labelled vertices, and triangles by tiles of the ground.

A label is (material, seed | kind << 24, actor): the seed picks a colour among the material's variants, so that two
houses and two parked cars differ; the actor is -1 for all that stands still.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import shapely
from scipy.spatial import cKDTree

from twin_sim.core.camera_textures import STYLE_GROUND, surfaces
from twin_sim.core.meshes import MATERIAL_NAMES, Mesh
from twin_sim.world import World

TILE = 25.0  # metres
THIN = 0.3  # pixels
LIGHT_STEPS = 1024
BUILDING = 1  # kind of an object whose glass has rooms behind it
_SEED_MASK = 0xFFFFFF
_SIGNS = [index for index, name in enumerate(MATERIAL_NAMES) if name.startswith("sign_")]
#: One vertex as the shaders take it.
VERTEX = np.dtype([("position", "<f4", 3), ("labels", "<i4", 3)])


@dataclass(frozen=True, slots=True)
class TiledScene:
    """``vertices``: (V,) VERTEX; ``triangles``: (T, 3) uint32, tile after tile; tile i has ``starts[i]:starts[i + 1]``.

    ``low`` and ``high``: (tiles, 3) corners of what is in a tile, metres, map frame; ``thickness``: (T,) the least
    height of each triangle, metres, falling within a tile.
    """

    vertices: np.ndarray
    triangles: np.ndarray
    starts: np.ndarray
    low: np.ndarray
    high: np.ndarray
    thickness: np.ndarray

    def seen(self, clip_from_map: np.ndarray, eye: np.ndarray, reach: float, pixel: float) -> np.ndarray:
        """Return the triangles (N, 3) that may be in view within ``reach`` metres, near tiles first.

        ``pixel``: width of a pixel at a distance of 1 m, metres; what is thinner than THIN pixels is left out.
        """
        if not len(self.triangles):
            return self.triangles
        nearest = np.clip(eye, self.low, self.high)
        distance = np.linalg.norm(nearest - eye, axis=1)
        chosen = (distance < reach) & in_view(clip_from_map, self.low, self.high)
        order = np.flatnonzero(chosen)[np.argsort(distance[chosen], kind="stable")]
        parts = [self._tile(i, THIN * pixel * distance[i]) for i in order]
        return np.concatenate(parts) if parts else self.triangles[:0]

    def _tile(self, index: int, least: float) -> np.ndarray:
        """Return the triangles of a tile that are not thinner than ``least``, metres."""
        start, end = self.starts[index : index + 2]
        count = np.searchsorted(-self.thickness[start:end], -least, side="right")
        return self.triangles[start : start + count]


def in_view(clip_from_map: np.ndarray, low: np.ndarray, high: np.ndarray) -> np.ndarray:
    """Return which boxes (N,) from ``low`` to ``high`` (N, 3), metres, are not wholly beyond one side of the view."""
    corners = np.stack([np.where(mask, high, low) for mask in np.ndindex(2, 2, 2)], axis=1)
    clip = corners @ clip_from_map[:, :3].T + clip_from_map[:, 3]
    w = clip[..., 3:]
    outside = np.concatenate([clip[..., :3] > w, clip[..., :3] < -w], axis=2).all(axis=1).any(axis=1)
    return np.asarray(~outside)


def tiled_scene(mesh: Mesh, world: World | None = None) -> TiledScene:
    """Return a mesh arranged for the camera; the ``world`` tells which triangles belong to one house, car or tree."""
    centres = mesh.vertices[mesh.triangles].mean(axis=1)
    labels = np.column_stack([mesh.materials, np.zeros(len(centres), int), np.full(len(centres), -1)])
    if world is not None and len(centres):
        labels[:, 1] = _seeds(world, mesh.vertices[mesh.triangles][..., :2], mesh.materials)
    cells = np.floor(centres[:, :2] / TILE).astype(int)
    thickness = _thickness(mesh.vertices[mesh.triangles])
    order = np.lexsort((-thickness, cells[:, 1], cells[:, 0]))
    cells, labels, triangles = cells[order], labels[order], mesh.triangles[order]
    vertices, indices = _labelled(mesh.vertices, triangles, labels)
    new = (
        np.flatnonzero(np.any(np.diff(cells, axis=0, prepend=cells[:1] - 1), axis=1))
        if len(cells)
        else np.zeros(0, int)
    )
    starts = np.append(new, len(cells))
    spans = mesh.vertices[triangles]
    low = np.minimum.reduceat(spans.min(axis=1), new) if len(new) else np.zeros((0, 3))
    high = np.maximum.reduceat(spans.max(axis=1), new) if len(new) else np.zeros((0, 3))
    return TiledScene(vertices, indices, starts, low, high, thickness[order])


def _thickness(spans: np.ndarray) -> np.ndarray:
    """Return the least height of triangles (T, 3, 3), metres."""
    edges = spans - np.roll(spans, 1, axis=1)
    longest = np.linalg.norm(edges, axis=2).max(axis=1)
    doubled = np.linalg.norm(np.cross(edges[:, 0], edges[:, 1]), axis=1)
    return np.asarray(doubled / np.maximum(longest, 1e-9))


def _labelled(positions: np.ndarray, triangles: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return vertices (V,) VERTEX and triangles (T, 3): corners are shared by triangles of the same label only."""
    _, code = np.unique(labels[:, :2] @ (1 << 26, 1), return_inverse=True)
    keys = triangles * (int(code.max(initial=0)) + 1) + code.reshape(-1, 1)
    _, first, indices = np.unique(keys, return_index=True, return_inverse=True)
    vertices = np.zeros(len(first), VERTEX)
    vertices["position"] = positions[triangles.reshape(-1)[first]]
    vertices["labels"] = labels[first // 3]
    return vertices, indices.reshape(-1, 3).astype(np.uint32)


def _seeds(world: World, spans: np.ndarray, materials: np.ndarray) -> np.ndarray:
    """Return seed and kind of each triangle (T,): houses by their outline, parked cars and trees by their place.

    ``spans``: corners of the triangles from above, (T, 3, 2), metres.
    """
    centres = spans.mean(axis=1)
    seeds = np.zeros(len(centres), int)
    raised = surfaces()[materials, 3] != STYLE_GROUND
    houses = [shapely.Polygon(zone.polygon).buffer(0.9) for zone in world.district.zones if zone.kind == "building"]
    if houses:
        house_of_pair, point_of_pair = shapely.STRtree(shapely.points(centres)).query(houses, "intersects")
        inside = raised[point_of_pair]
        seeds[point_of_pair[inside]] = (house_of_pair[inside] + 1) | BUILDING << 24
    signs = np.isin(materials, _SIGNS)  # each shop's sign has its own colour: both halves of a face, the same middle
    cells = np.round((spans[signs].min(axis=1) + spans[signs].max(axis=1)) / 2 / 4.5).astype(int)
    seeds[signs] = (np.abs(cells[:, 0] * 7919 + cells[:, 1] * 104729) & _SEED_MASK) | BUILDING << 24
    config = world.config
    free = raised & (seeds == 0)
    parked = [(p.x, p.y, 1 + p.appearance, 6.0 if p.shape == "truck" else 2.7) for p in config.parked]
    things = [(t.x, t.y, 7919 + i, 2.6 * t.size) for i, t in enumerate(config.things) if t.kind in ("tree", "stall")]
    for places in (things, parked):
        if places:
            table = np.array(places)
            distance, nearest = cKDTree(table[:, :2]).query(centres)
            near = free & (distance < table[nearest, 3])
            seeds[near] = table[nearest[near], 2].astype(int) & _SEED_MASK
    return seeds


@dataclass(frozen=True, slots=True)
class Movers:
    """``vertices``: (V, 3) float32, metres, map frame; ``triangles``: (T, 3) int32; ``labels``: (T, 4) int32.

    A label is material, seed, index of the actor (-1: none), light of street lamps in 1 / LIGHT_STEPS.
    """

    vertices: np.ndarray
    triangles: np.ndarray
    labels: np.ndarray


def movers(
    vertices: np.ndarray, triangles: np.ndarray, materials: np.ndarray, owners: np.ndarray, appearance: np.ndarray,
    lit: np.ndarray,
) -> Movers:  # fmt: skip
    """Return bodies arranged for the camera.

    ``owners``: (T,) index in ``appearance`` and ``lit`` (N,), the light of street lamps on an actor, or -1.
    """
    labels = np.zeros((len(triangles), 4), np.int32)
    labels[:, 0] = materials
    labels[:, 2] = owners
    if len(appearance):
        labels[:, 1] = (appearance & _SEED_MASK).astype(np.int32)[owners]
        labels[:, 3] = np.round(lit * LIGHT_STEPS).astype(np.int32)[owners]
    return Movers(vertices.astype(np.float32, copy=False), triangles.astype(np.int32, copy=False), labels)


def together(first: Movers, second: Movers) -> Movers:
    """Return both in one."""
    return Movers(
        np.concatenate([first.vertices, second.vertices]),
        np.concatenate([first.triangles, second.triangles + np.int32(len(first.vertices))]),
        np.concatenate([first.labels, second.labels]),
    )
