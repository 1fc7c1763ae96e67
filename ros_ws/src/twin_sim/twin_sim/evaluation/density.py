"""Density and speed of a crowd by Voronoi cells.

Steffen and Seyfried 2010, "Methods for measuring pedestrian density, flow, speed and direction with minimal scatter",
Physica A 389.
"""

from __future__ import annotations

import numpy as np
import shapely

CUT = 1.0  # m; a cell reaches no farther from its person than this, as into empty space


def cells(places: np.ndarray, area: shapely.Geometry, cut: float = CUT) -> np.ndarray:
    """Return the Voronoi cell of each person within the walkable area, (N,) shapely polygons; ``places``: (N, 2)."""
    points = shapely.points(places)
    if len(places) == 0:
        return np.array([], object)
    discs = shapely.buffer(points, cut, quad_segs=8)
    if len(places) > 1:
        diagram = shapely.voronoi_polygons(shapely.multipoints(points), extend_to=shapely.union_all(discs))
        parts = shapely.get_parts(diagram)
        tree = shapely.STRtree(parts)
        rows, found = tree.query(points, predicate="intersects")
        order = np.full(len(places), -1)
        order[rows[::-1]] = found[::-1]
        discs = shapely.intersection(discs, parts[order])
    whole = shapely.intersection(discs, area)
    # a wall may cut a cell into parts; only the part with the person in it counts
    split = shapely.get_num_geometries(whole) > 1
    for i in np.flatnonzero(split):
        pieces = shapely.get_parts(whole[i])
        whole[i] = pieces[int(np.argmin(shapely.distance(pieces, points[i])))]
    return np.asarray(whole)


def measured(polygons: np.ndarray, speeds: np.ndarray, windows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return mean density (M,) 1/m² and speed (M,) m/s in windows (M,) of polygons; speed is NaN in an empty one.

    Each person counts with the share of the cell that lies in the window; speeds are weighted by area, over persons
    whose speed is known.
    """
    if len(polygons) == 0:
        return np.zeros(len(windows)), np.full(len(windows), np.nan)
    common = shapely.area(shapely.intersection(polygons[None, :], windows[:, None]))
    share = common / np.maximum(shapely.area(polygons), 1e-6)
    density = share.sum(axis=1) / shapely.area(windows)
    known = np.isfinite(speeds)
    weight = (common * known).sum(axis=1)
    total = (common * np.where(known, speeds, 0.0)).sum(axis=1)
    return density, np.where(weight > 0.1 * shapely.area(windows), total / np.maximum(weight, 1e-9), np.nan)
