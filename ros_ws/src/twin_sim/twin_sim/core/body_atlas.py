"""Casts rays against posed bodies in their own frames, without placing them in the map.

Every posed mesh lies once in a scene, in a cell of its own; a ray against an actor is turned into the actor's local
frame and cast in the cell of its mesh. So actors that move cost rays, not trees of triangles, and every ray meets
its actor where it is at the moment of the ray. New meshes go into a small scene that is rebuilt, until it is full.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from twin_sim.core.bodies import Bodies
from twin_sim.core.body_palettes import palettes
from twin_sim.core.frame import Frame
from twin_sim.core.still_scene import cast, raycasting_scene

CELL = 40.0  # metres between meshes; more than any body's size
_ROW = 12  # cells along x and y
FULL = 25_000  # triangles after which a scene is left as it is
SLACK = 1e-3  # metres around a mesh's box


@dataclass(frozen=True, slots=True)
class Placed:
    """The bodies of a frame's actors.

    ``number``: (N,) of the mesh; map = ``matrix`` (N, 3, 3) @ local + ``offset`` (N, 3); ``palette``: as by palettes.
    """

    number: np.ndarray
    matrix: np.ndarray
    offset: np.ndarray
    palette: np.ndarray


class BodyAtlas:
    """Meshes of bodies in scenes; one atlas serves all sensors of a process."""

    def __init__(self, bodies: Bodies) -> None:
        """Start with the meshes that ``bodies`` has by now."""
        self.bodies = bodies
        self._scenes: list[Any] = []
        self._slots: list[np.ndarray] = []
        self._young: list[int] = []
        self._scene_of: list[int] = []
        self._low: np.ndarray = np.zeros((0, 3))
        self._high: np.ndarray = np.zeros((0, 3))
        self._boxes: np.ndarray = np.zeros((6, 0), np.float32)
        self._cells: np.ndarray = np.zeros((0, 3), np.float32)
        self._frame: Frame | None = None
        self._placed: Placed | None = None
        self.update()

    def placed(self, frame: Frame) -> Placed:
        """Return how the frame's actors lie; all sensors that see the same frame share the answer."""
        if self._placed is None or frame is not self._frame:
            posed = self.bodies.posed(frame.actors)
            self.update()
            matrix, offset = self.bodies.transforms(frame.actors, posed)
            numbers = np.array([item.number for item in posed], int)
            self._frame, self._placed = frame, Placed(numbers, matrix, offset, palettes(frame.actors))
        return self._placed

    @property
    def low(self) -> np.ndarray:
        """Lowest corner of each mesh's box, (M, 3) float64, local frame."""
        return self._low

    @property
    def high(self) -> np.ndarray:
        """Highest corner of each mesh's box, (M, 3) float64, local frame."""
        return self._high

    def update(self) -> None:
        """Take in meshes that were posed since: many into a scene of their own, few into the small one."""
        known, meshes = len(self._scene_of), self.bodies.meshes
        if known == len(meshes):
            return
        added = list(range(known, len(meshes)))
        bounds = [meshes[i].mesh.extents() for i in added]
        self._low = np.concatenate([self._low, [low - SLACK for low, _ in bounds]])
        self._high = np.concatenate([self._high, [high + SLACK for _, high in bounds]])
        self._boxes = np.concatenate([self._low.T, self._high.T]).astype(np.float32)
        self._cells = _cells(np.arange(len(meshes)))
        if self._young and self._triangles(added) > FULL:
            self._young = []
        if not self._young:
            self._scenes.append(None)
            self._slots.append(np.zeros(0, np.uint8))
        self._young += added
        self._scene_of += [len(self._scenes) - 1] * len(added)
        self._build()
        if self._triangles(self._young) > FULL:
            self._young = []

    def _triangles(self, numbers: list[int]) -> int:
        return sum(len(self.bodies.meshes[i].mesh.triangles) for i in numbers)

    def _build(self) -> None:
        meshes = [self.bodies.meshes[i].mesh for i in self._young]
        starts = np.cumsum([0] + [len(mesh.vertices) for mesh in meshes[:-1]])
        cells = self._cells[self._young]
        vertices = np.concatenate([mesh.vertices + cell for mesh, cell in zip(meshes, cells, strict=True)])
        triangles = np.concatenate([mesh.triangles + start for mesh, start in zip(meshes, starts, strict=True)])
        self._scenes[-1] = raycasting_scene(vertices, triangles)
        self._slots[-1] = np.concatenate([mesh.slots for mesh in meshes])

    def cast(
        self, numbers: np.ndarray, origins: np.ndarray, directions: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """Cast rays against one mesh each.

        ``numbers``: (N,) of the meshes; ``origins``, ``directions``: (3, N) float32, local frame; directions need not
        be of unit length. Returns, of the M rays that hit, their indices (M,), how far along in lengths of the
        direction (M,), the slot that was hit (M,), and its local normal (M, 3).
        """
        entry, leave = self._crossed(numbers, origins, directions)
        rays = np.flatnonzero(leave > entry)
        chosen, entered = numbers[rays], entry[rays]
        forward, cells = directions.take(rays, axis=1), self._cells[chosen]
        shifted = np.empty((len(rays), 6), np.float32)
        shifted[:, :3] = (origins.take(rays, axis=1) + entered * forward).T + cells
        shifted[:, 3:] = forward.T
        which = np.array(self._scene_of)[chosen]
        found: list[tuple[np.ndarray, ...]] = []
        for index in np.unique(which):
            mine = np.flatnonzero(which == index)
            distance, triangle, normal = cast(self._scenes[index], shifted[mine])
            hit = np.flatnonzero(triangle >= 0)
            found.append((mine[hit], distance[hit], self._slots[index][triangle[hit]], normal[hit]))
        if not found:
            return np.zeros(0, int), np.zeros(0, np.float32), np.zeros(0, np.uint8), np.zeros((0, 3), np.float32)
        hits, distance, slots, normal = (np.concatenate(column) for column in zip(*found, strict=True))
        distance += entered[hits]
        own = distance <= leave[rays[hits]]  # else the ray went on into another cell
        return rays[hits[own]], distance[own], slots[own], normal[own]

    def _crossed(
        self, numbers: np.ndarray, origins: np.ndarray, directions: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return where rays enter and leave the boxes of their meshes, (N,) each; those that miss leave first."""
        with np.errstate(divide="ignore", invalid="ignore"):
            boxes = self._boxes.take(numbers, axis=1)
            inverse = 1 / directions
            one, two = (boxes[:3] - origins) * inverse, (boxes[3:] - origins) * inverse
            near, far = np.fmin(one, two), np.fmax(one, two)
        entry = np.maximum(np.maximum(near[0], near[1]), np.maximum(near[2], np.float32(0.0)))
        leave = np.minimum(np.minimum(far[0], far[1]), far[2])
        return entry, leave


def _cells(numbers: np.ndarray) -> np.ndarray:
    """Return the origin of each mesh's cell, (N, 3) float32, metres."""
    column, rest = numbers % _ROW, numbers // _ROW
    cells = np.stack([column - _ROW // 2, rest % _ROW - _ROW // 2, rest // _ROW], axis=1)
    return np.asarray(CELL * cells, np.float32)
