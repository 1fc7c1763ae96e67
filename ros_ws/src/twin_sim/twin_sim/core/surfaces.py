"""Collects quads, triangles and solids into one mesh; and the frame of a wall, in which facades are drawn."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import shapely

from twin_sim.core.meshes import MATERIAL_NAMES, Mesh, joined


class Surfaces:
    """A mesh under construction."""

    def __init__(self) -> None:
        """Start with nothing."""
        self._parts: list[Mesh] = []

    def quads(self, corners: np.ndarray, material: str | np.ndarray) -> None:
        """Add quads (..., 4, 3), counter-clockwise as seen from outside; ``material`` a name, or an index per quad."""
        corners = np.asarray(corners, float).reshape(-1, 4, 3)
        count = len(corners)
        if not count:
            return
        first = 4 * np.arange(count)[:, None, None]
        triangles = (first + np.array([[0, 1, 2], [0, 2, 3]])).reshape(-1, 3)
        self._add(corners.reshape(-1, 3), triangles, np.repeat(_indices(material, count), 2))

    def triangles(self, corners: np.ndarray, material: str) -> None:
        """Add triangles (..., 3, 3)."""
        corners = np.asarray(corners, float).reshape(-1, 3, 3)
        count = len(corners)
        if count:
            self._add(corners.reshape(-1, 3), np.arange(3 * count).reshape(-1, 3), _indices(material, count))

    def mesh(self, mesh: Mesh) -> None:
        """Add a mesh."""
        if len(mesh.triangles):
            self._parts.append(mesh)

    def copies(self, mesh: Mesh, poses: np.ndarray) -> None:
        """Add copies of a mesh at poses (N, 5): x, y, z, yaw, scale."""
        poses = np.asarray(poses, float).reshape(-1, 5)
        count, size = len(poses), len(mesh.vertices)
        if not count:
            return
        cos, sin, scale = np.cos(poses[:, 3]), np.sin(poses[:, 3]), poses[:, 4]
        x, y, z = mesh.vertices.T
        placed = np.empty((count, size, 3))
        placed[..., 0] = poses[:, :1] + scale[:, None] * (cos[:, None] * x - sin[:, None] * y)
        placed[..., 1] = poses[:, 1:2] + scale[:, None] * (sin[:, None] * x + cos[:, None] * y)
        placed[..., 2] = poses[:, 2:3] + scale[:, None] * z
        triangles = (size * np.arange(count)[:, None, None] + mesh.triangles).reshape(-1, 3)
        self._add(placed.reshape(-1, 3), triangles, np.tile(mesh.materials, count))

    def area(self, shape: shapely.Geometry, z: float, material: str) -> None:
        """Add a polygon, or several, as a level surface that faces up."""
        self.triangles(level(shape, z), material)

    def fences(self, line: np.ndarray, low: float, high: float, material: str) -> None:
        """Add upright quads along a line (N, 2); they face to its right."""
        a, b = np.asarray(line[:-1], float), np.asarray(line[1:], float)
        z0, z1 = np.full((len(a), 1), low), np.full((len(a), 1), high)
        corners = [np.hstack([a, z0]), np.hstack([b, z0]), np.hstack([b, z1]), np.hstack([a, z1])]
        self.quads(np.stack(corners, axis=1), material)

    def finished(self) -> Mesh:
        """Return the mesh."""
        return joined(self._parts)

    def _add(self, vertices: np.ndarray, triangles: np.ndarray, materials: np.ndarray) -> None:
        self._parts.append(Mesh(vertices, triangles, materials))


def _indices(material: str | np.ndarray, count: int) -> np.ndarray:
    if isinstance(material, str):
        return np.full(count, MATERIAL_NAMES.index(material))
    return np.asarray(material, int).reshape(count)


def level(shape: shapely.Geometry, z: float) -> np.ndarray:
    """Return the triangles of a polygon, or of several, at a height: (T, 3, 3), counter-clockwise from above."""
    parts = shapely.get_parts(shapely.constrained_delaunay_triangles(shapely.make_valid(shape)))
    parts = parts[shapely.area(parts) > 1e-6]
    if not len(parts):
        return np.zeros((0, 3, 3))
    flat = shapely.get_coordinates(parts).reshape(-1, 4, 2)[:, :3]
    (ax, ay), (bx, by), (cx, cy) = flat.transpose(1, 2, 0)
    clockwise = (bx - ax) * (cy - ay) < (by - ay) * (cx - ax)
    flat[clockwise] = flat[clockwise][:, ::-1]
    return np.concatenate([flat, np.full((len(flat), 3, 1), z)], axis=2)


Values = np.ndarray | float


@dataclass(frozen=True, slots=True)
class Wall:
    """An upright wall, its outside to the right of the way from its start; a point on it is (s, o, z), metres.

    s runs ``along`` the wall from ``start`` (x, y) to ``length``, o ``outwards``, z up.
    """

    start: np.ndarray
    along: np.ndarray
    outwards: np.ndarray
    length: float

    def points(self, s: Values, o: Values, z: Values) -> np.ndarray:
        """Return points in the map frame, (..., 3)."""
        s, o, z = np.asarray(s, float), np.asarray(o, float), np.asarray(z, float)
        found = np.empty((*np.broadcast_shapes(s.shape, o.shape, z.shape), 3))
        found[..., 0] = self.start[0] + s * self.along[0] + o * self.outwards[0]
        found[..., 1] = self.start[1] + s * self.along[1] + o * self.outwards[1]
        found[..., 2] = z
        return found

    def _patch(self, *corners: tuple[Values, Values, Values]) -> np.ndarray:
        values = [[np.asarray(value, float) for value in corner] for corner in corners]
        found = np.empty((*np.broadcast(*(value for corner in values for value in corner)).shape, 4, 3))
        (x, y), (along_x, along_y), (out_x, out_y) = self.start, self.along, self.outwards
        for i, (s, o, z) in enumerate(values):
            found[..., i, 0] = x + s * along_x + o * out_x
            found[..., i, 1] = y + s * along_y + o * out_y
            found[..., i, 2] = z
        return found.reshape(-1, 4, 3)

    def front(self, s0: Values, s1: Values, z0: Values, z1: Values,
              o: Values = 0.0) -> np.ndarray:  # fmt: skip
        """Return rectangles that face outwards, (N, 4, 3)."""
        return self._patch((s0, o, z0), (s1, o, z0), (s1, o, z1), (s0, o, z1))

    def side(self, s: Values, o0: Values, o1: Values, z0: Values,
             z1: Values, forward: bool) -> np.ndarray:  # fmt: skip
        """Return upright rectangles across the wall from o0 to o1 > o0 that face along it, or back."""
        a, b = (o1, o0) if forward else (o0, o1)
        return self._patch((s, a, z0), (s, b, z0), (s, b, z1), (s, a, z1))

    def shelf(self, s0: Values, s1: Values, o0: Values, o1: Values,
              z: Values, up: bool) -> np.ndarray:  # fmt: skip
        """Return level rectangles from o0 to o1 > o0 that face up, or down."""
        a, b = (o1, o0) if up else (o0, o1)
        return self._patch((s0, a, z), (s1, a, z), (s1, b, z), (s0, b, z))

    def ramp(self, s0: Values, s1: Values, o0: float, z0: Values, o1: float,
             z1: Values) -> np.ndarray:  # fmt: skip
        """Return sloping rectangles from (o0, z0) at the wall down to (o1, z1) that face up and outwards."""
        return self._patch((s0, o1, z1), (s1, o1, z1), (s1, o0, z0), (s0, o0, z0))

    def block(self, s0: Values, s1: Values, o0: float, o1: float, z0: Values,
              z1: Values) -> np.ndarray:  # fmt: skip
        """Return the five outer faces of boxes on the wall."""
        return np.concatenate([
            self.front(s0, s1, z0, z1, o1), self.side(s0, o0, o1, z0, z1, False), self.side(s1, o0, o1, z0, z1, True),
            self.shelf(s0, s1, o0, o1, z0, False), self.shelf(s0, s1, o0, o1, z1, True),
        ])  # fmt: skip


def wall(start: np.ndarray, end: np.ndarray) -> Wall:
    """Return the wall from one point (x, y) to another."""
    length = float(np.hypot(*(end - start)))
    along = (end - start) / length
    return Wall(start, along, np.array([along[1], -along[0]]), length)


def walls_of(ring: np.ndarray, shortest: float = 0.05) -> list[Wall]:
    """Return the walls of an outline (N, 2), counter-clockwise: their outsides are the outline's."""
    after = np.roll(ring, -1, axis=0)
    keep = np.hypot(*(after - ring).T) > shortest
    return [wall(a, b) for a, b in zip(ring[keep], after[keep], strict=True)]
