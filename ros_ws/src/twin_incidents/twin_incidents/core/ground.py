"""Areas on the ground made of many polygons, and how deep in them or how far from them a point lies."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import shapely

SEAM = 0.05  # polygons with no wider gap than twice this belong together, metres


@dataclass(frozen=True, slots=True)
class Ground:
    """The union of polygons, by the edges of its outlines: from ``start`` to ``end``, each (E, 2), metres."""

    start: np.ndarray
    end: np.ndarray


def united(polygons: Iterable[np.ndarray]) -> Ground:
    """Return the union of polygons, each (K, 2); lanes side by side become one street without a border between."""
    return _ground(_union(polygons))


def without(polygons: Iterable[np.ndarray], others: Iterable[np.ndarray]) -> Ground:
    """Return the union of polygons, each (K, 2), less that of others."""
    return _ground(_union(polygons).difference(_union(others)))


def _union(polygons: Iterable[np.ndarray]) -> shapely.Geometry:
    shapes = [shapely.make_valid(shapely.Polygon(corners)) for corners in polygons]
    joined = shapely.union_all([shape.buffer(SEAM, join_style="mitre") for shape in shapes])
    return joined.buffer(-SEAM, join_style="mitre")


def _ground(whole: shapely.Geometry) -> Ground:
    parts = [part for part in shapely.get_parts(whole) if isinstance(part, shapely.Polygon) and not part.is_empty]
    rings = [np.array(ring.coords) for part in parts for ring in (part.exterior, *part.interiors)]
    if not rings:
        return Ground(np.zeros((0, 2)), np.zeros((0, 2)))
    return Ground(np.concatenate([ring[:-1] for ring in rings]), np.concatenate([ring[1:] for ring in rings]))


def depth(points: np.ndarray, ground: Ground) -> np.ndarray:
    """Return how deep points (N, 2) lie inside an area: the distance to its border, (N,) metres.

    Negative outside; minus infinity where there is no area.
    """
    if not len(ground.start):
        return np.full(len(points), -np.inf)
    edge = ground.end - ground.start
    offset = points[:, None] - ground.start[None]
    distance = edge_distances(points, ground).min(axis=1)
    y = points[:, 1, None]
    spans = (ground.start[:, 1] > y) != (ground.end[:, 1] > y)
    with np.errstate(divide="ignore", invalid="ignore"):
        left = offset[..., 0] < edge[:, 0] * offset[..., 1] / edge[:, 1]
    inside = np.count_nonzero(spans & left, axis=1) % 2 == 1
    return np.where(inside, distance, -distance)


def edge_distances(points: np.ndarray, ground: Ground) -> np.ndarray:
    """Return how far points (N, 2) are from each edge of an area, (N, E) metres."""
    edge = ground.end - ground.start
    offset = points[:, None] - ground.start[None]
    share = np.clip(np.einsum("nek,ek->ne", offset, edge) / np.maximum((edge**2).sum(axis=1), 1e-12), 0.0, 1.0)
    return np.asarray(np.linalg.norm(offset - share[..., None] * edge[None], axis=2))
