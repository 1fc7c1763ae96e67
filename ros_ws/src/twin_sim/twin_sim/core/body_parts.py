"""Surfaces that bodies are put together from: tubes, lofts, ellipsoids, boxes, rings; each triangle has a slot.

A slot says what a triangle is made of (``SLOTS``); the palette of an actor gives each slot its material, so that
one posed mesh serves every colour of paint and clothes. Local frame: x forward, y left, z up, origin on the ground
below the middle; metres.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike

#: What a triangle of a body is made of.
SLOTS = (
    "skin", "hair", "top", "bottom", "shoes", "bag", "umbrella",
    "paint", "glass", "tyre", "rim", "trim", "head_lamp", "tail_lamp", "left_lamp", "right_lamp", "plate", "roof_sign",
    "frame", "concrete", "steel", "board", "box",
)  # fmt: skip
SLOT = {name: index for index, name in enumerate(SLOTS)}


@dataclass(frozen=True, slots=True)
class Geometry:
    """A triangle mesh: ``vertices`` (V, 3) float32, ``triangles`` (T, 3) int32, ``slots`` (T,) uint8."""

    vertices: np.ndarray
    triangles: np.ndarray
    slots: np.ndarray

    def moved(self, x: float = 0.0, y: float = 0.0, z: float = 0.0) -> Geometry:
        """Return the mesh moved, metres."""
        return Geometry(self.vertices + np.array((x, y, z), np.float32), self.triangles, self.slots)

    def turned(self, rotation: np.ndarray) -> Geometry:
        """Return the mesh with its vertices multiplied by ``rotation`` (3, 3)."""
        return Geometry((self.vertices @ rotation.T).astype(np.float32), self.triangles, self.slots)

    def extents(self) -> tuple[np.ndarray, np.ndarray]:
        """Return the lowest and the highest coordinates, each (3,)."""
        return self.vertices.min(axis=0), self.vertices.max(axis=0)


def geometry(vertices: np.ndarray, triangles: Sequence[Sequence[int]] | np.ndarray, slots: np.ndarray) -> Geometry:
    """Return a mesh of any array likes."""
    return Geometry(
        np.asarray(vertices, np.float32).reshape(-1, 3),
        np.asarray(triangles, np.int32).reshape(-1, 3),
        np.asarray(slots, np.uint8),
    )


def merged(parts: Sequence[Geometry]) -> Geometry:
    """Return one mesh of several."""
    starts = np.cumsum([0] + [len(part.vertices) for part in parts[:-1]])
    return Geometry(
        np.concatenate([part.vertices for part in parts]),
        np.concatenate([part.triangles + np.int32(start) for part, start in zip(parts, starts, strict=True)]),
        np.concatenate([part.slots for part in parts]),
    )


def rotation(pitch: float = 0.0, yaw: float = 0.0, roll: float = 0.0) -> np.ndarray:
    """Return the (3, 3) turn about x (right side down), then y (nose down), then z (to the left), radians."""
    cr, sr, cp, sp, cy, sy = np.cos(roll), np.sin(roll), np.cos(pitch), np.sin(pitch), np.cos(yaw), np.sin(yaw)
    about_x = np.array([[1, 0, 0], [0, cr, -sr], [0, sr, cr]])
    about_y = np.array([[cp, 0, sp], [0, 1, 0], [-sp, 0, cp]])
    about_z = np.array([[cy, -sy, 0], [sy, cy, 0], [0, 0, 1]])
    return np.asarray(about_z @ about_y @ about_x)


@lru_cache(maxsize=256)
def _skin(rings: int, sides: int, close: bool) -> np.ndarray:
    """Return the triangles between successive closed rings of ``sides`` vertices, and of fans over both ends.

    They look outward where rings turn left about the way from one to the next. The fans' middles are the two
    vertices after those of the rings.
    """
    ring, side = np.meshgrid(np.arange(rings - 1), np.arange(sides), indexing="ij")
    a = ring * sides + side
    b = ring * sides + (side + 1) % sides
    quads = np.stack([np.stack([a, b, b + sides], -1), np.stack([a, b + sides, a + sides], -1)], 2).reshape(-1, 3)
    if not close:
        return np.asarray(quads, np.int32)
    around, following = np.arange(sides), (np.arange(sides) + 1) % sides
    last, middle = (rings - 1) * sides, np.full(sides, rings * sides)
    low = np.stack([middle, following, around], -1)
    high = np.stack([middle + 1, last + around, last + following], -1)
    return np.asarray(np.concatenate([quads, low, high]), np.int32)


def loft(rings: np.ndarray, slots: np.ndarray | int, *, close: bool = True) -> Geometry:
    """Return the skin over successive closed rings, (K, S, 3); ``slots``: one, or (K - 1, S) of the quads.

    ``close`` covers both ends with fans about their middles, with the slot of the quads beside them.
    """
    count, sides = rings.shape[:2]
    triangles = _skin(count, sides, close)
    if isinstance(slots, np.ndarray):
        names = np.repeat(slots.reshape(-1), 2)
        if close:
            names = np.concatenate([names, slots[0], slots[-1]])
    else:
        names = np.full(len(triangles), slots)
    vertices = rings.reshape(-1, 3)
    if close:
        vertices = np.concatenate([vertices, rings[:1].mean(axis=1), rings[-1:].mean(axis=1)])
    return geometry(vertices, triangles, names)


def _perpendicular(direction: np.ndarray) -> np.ndarray:
    """Return unit vectors across ``direction`` (n, 3), level where they can be."""
    helper = np.where(np.abs(direction[:, 2:]) < 0.9, [[0.0, 0.0, 1.0]], [[0.0, 1.0, 0.0]])
    across = np.cross(helper, direction)
    return np.asarray(across / np.linalg.norm(across, axis=1, keepdims=True))


def tubes(
    starts: ArrayLike, ends: ArrayLike, start_radii: ArrayLike, end_radii: ArrayLike, slot: int, sides: int = 6
) -> Geometry:
    """Return tapered tubes with blunt ends between points (n, 3) with radii (n,), metres."""
    first, last = np.asarray(starts, float).reshape(-1, 3), np.asarray(ends, float).reshape(-1, 3)
    thick, thin = (np.broadcast_to(np.asarray(r, float), len(first)) for r in (start_radii, end_radii))
    along = last - first
    along = along / np.maximum(np.linalg.norm(along, axis=1, keepdims=True), 1e-9)
    across = _perpendicular(along)
    third = np.cross(along, across)
    angles = 2 * np.pi * (np.arange(sides) + 0.5) / sides
    circle = across[:, None] * np.cos(angles)[:, None] + third[:, None] * np.sin(angles)[:, None]
    vertices = np.concatenate(
        [
            first[:, None] + circle * thick[:, None, None],
            last[:, None] + circle * thin[:, None, None],
            (first - 0.5 * thick[:, None] * along)[:, None],
            (last + 0.5 * thin[:, None] * along)[:, None],
        ],
        axis=1,
    )
    skin = _skin(2, sides, True)
    triangles = skin + (np.arange(len(first), dtype=np.int32) * vertices.shape[1])[:, None, None]
    return geometry(vertices, triangles, np.full(triangles.size // 3, slot))


def ellipsoid(
    centre: Sequence[float] | np.ndarray, radii: Sequence[float], slot: int, *, cap_slot: int | None = None,
    axes: np.ndarray | None = None, rings: int = 5, sides: int = 8,
) -> Geometry:  # fmt: skip
    """Return an ellipsoid; its upper part has ``cap_slot``. ``axes``: (3, 3), columns are its own x, y, z."""
    polar = np.pi * np.arange(1, rings) / rings
    around = 2 * np.pi * np.arange(sides) / sides
    unit = np.stack(
        [
            np.outer(np.sin(polar), np.cos(around)),
            np.outer(np.sin(polar), np.sin(around)),
            np.repeat(-np.cos(polar)[:, None], sides, axis=1),
        ],
        axis=-1,
    )
    table = np.full((rings - 2, sides), slot)
    if cap_slot is not None:
        table[rings // 2 :] = cap_slot
    mesh = loft(unit, table)
    mesh.vertices[-2:] = ((0, 0, -1), (0, 0, 1))
    shaped = mesh.vertices * np.asarray(radii, np.float32)
    turned = shaped if axes is None else shaped @ np.asarray(axes, np.float32).T
    return Geometry((turned + np.asarray(centre, np.float32)).astype(np.float32), mesh.triangles, mesh.slots)


def block(
    length: float, width: float, height: float, slot: int, at: Sequence[float] = (0.0, 0.0, 0.0), *,
    taper: float = 1.0,
) -> Geometry:  # fmt: skip
    """Return a box that stands on ``at``; its top is ``taper`` times as long and wide as its foot."""
    corners = np.array([(-1, -1), (1, -1), (1, 1), (-1, 1)]) * (length / 2, width / 2)
    rings = np.stack([np.column_stack([corners, np.zeros(4)]), np.column_stack([corners * taper, np.full(4, height)])])
    return loft(rings, slot).moved(*at)


def wheel(radius: float, width: float, at: Sequence[float], *, sides: int = 12) -> Geometry:
    """Return a wheel that stands on the ground at (x, y, 0) = ``at`` and rolls along x: tyre, and rim on both sides."""
    angles = -2 * np.pi * np.arange(sides) / sides
    circle = np.column_stack([np.cos(angles), np.zeros(sides), np.sin(angles)])
    across = np.array([0.0, 1.0, 0.0])
    rings = np.stack(
        [
            0.62 * radius * circle - 0.40 * width * across,
            radius * circle - 0.5 * width * across,
            radius * circle + 0.5 * width * across,
            0.62 * radius * circle + 0.40 * width * across,
        ]
    )
    mesh = loft(rings, SLOT["tyre"])
    mesh.slots[-2 * sides :] = SLOT["rim"]
    return mesh.moved(at[0], at[1], radius)


def hoop(radius: float, thickness: float, at: Sequence[float], slot: int, *, sides: int = 14) -> Geometry:
    """Return the open wheel of a bicycle: a ring that stands on the ground at (x, y, 0) = ``at``."""
    angles = 2 * np.pi * np.arange(sides) / sides
    section = np.array([(-1, 0), (0, -1), (1, 0), (0, 1)]) * thickness / 2
    rings = np.stack(
        [
            np.column_stack(
                [(radius - thickness / 2 + section[:, 0]) * np.cos(a), section[:, 1],
                 (radius - thickness / 2 + section[:, 0]) * np.sin(a)]
            )
            for a in (*angles, 2 * np.pi)
        ]
    )  # fmt: skip
    return loft(rings, slot, close=False).moved(at[0], at[1], radius)
