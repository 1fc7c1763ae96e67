"""Triangle meshes with a material per triangle, and the solids that actors and scenery are made of.

A local frame is x forward, y left, z up, with its origin on the ground below the centre; metres.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, slots=True)
class Material:
    """What a surface sends back.

    Args:
        reflectivity: to a LiDAR, 0..255, Lambertian up to 100.
        dropout: how often a LiDAR pulse gets no return.
        colour: red, green, blue as a display shows it in full light (sRGB), 0..1.
        roughness: 0 a mirror, 1 matt.
        emission: light given off at night, in units of the light that a white wall gets under a street lamp.
        texture: of the camera's textures (core/camera_textures.py); unknown ones are plain.

    """

    reflectivity: int
    dropout: float = 0.01
    colour: tuple[float, float, float] = (0.55, 0.55, 0.55)
    roughness: float = 0.9
    emission: float = 0.0
    texture: str = "plain"


MATERIALS: dict[str, Material] = {
    "asphalt": Material(12, colour=(0.42, 0.42, 0.43), texture="asphalt"),
    "marking": Material(70, colour=(0.90, 0.90, 0.88), texture="asphalt"),
    "marking_yellow": Material(62, colour=(0.86, 0.68, 0.18), texture="asphalt"),
    "paving": Material(28, colour=(0.63, 0.60, 0.56), texture="paving"),
    "concrete": Material(38, colour=(0.68, 0.67, 0.64), texture="concrete"),
    "brick": Material(24, colour=(0.60, 0.36, 0.28), texture="brick"),
    "glass": Material(6, 0.65, colour=(0.16, 0.20, 0.23), roughness=0.08, texture="glass"),
    "metal": Material(55, colour=(0.58, 0.59, 0.60), roughness=0.4),
    "bark": Material(18, colour=(0.36, 0.28, 0.21), texture="bark"),
    "leaves": Material(42, 0.10, colour=(0.25, 0.40, 0.15), texture="leaves"),
    "paint_light": Material(60, colour=(0.86, 0.87, 0.88), roughness=0.25, texture="paint"),
    "paint_mid": Material(34, colour=(0.55, 0.12, 0.12), roughness=0.25, texture="paint"),
    "paint_dark": Material(9, 0.05, colour=(0.07, 0.08, 0.10), roughness=0.2, texture="paint"),
    "rubber": Material(5, 0.05, colour=(0.09, 0.09, 0.09)),
    "skin": Material(40, colour=(0.84, 0.64, 0.52)),
    "cloth_light": Material(45, colour=(0.78, 0.75, 0.72), texture="cloth"),
    "cloth_dark": Material(14, colour=(0.16, 0.17, 0.22), texture="cloth"),
    "plaster": Material(50, colour=(0.82, 0.78, 0.72), texture="plaster"),
    "stone": Material(34, colour=(0.60, 0.58, 0.55), texture="tiles"),
    "cladding": Material(30, colour=(0.38, 0.40, 0.43), roughness=0.5, texture="metal"),
    "roof": Material(18, colour=(0.34, 0.35, 0.34), texture="concrete"),
    "kerb": Material(40, colour=(0.72, 0.71, 0.69), texture="concrete"),
    "yard": Material(30, colour=(0.55, 0.54, 0.52), texture="concrete"),
    "earth": Material(22, colour=(0.48, 0.40, 0.31), texture="earth"),
    "grass": Material(46, colour=(0.32, 0.44, 0.20), texture="grass"),
    "window": Material(8, 0.55, colour=(0.14, 0.18, 0.22), roughness=0.08, texture="glass"),
    "window_lit": Material(8, 0.55, colour=(0.30, 0.28, 0.22), roughness=0.08, emission=0.7, texture="glass"),
    "shop_glass": Material(7, 0.6, colour=(0.26, 0.26, 0.25), roughness=0.08, emission=1.0, texture="glass"),
    "sign_face": Material(58, colour=(0.85, 0.30, 0.25), roughness=0.4, emission=1.6, texture="sign"),
    "awning": Material(44, colour=(0.55, 0.22, 0.20), texture="cloth"),
    "lamp_glass": Material(40, 0.2, colour=(0.95, 0.92, 0.82), roughness=0.3, emission=4.0),
    "pole_paint": Material(36, colour=(0.30, 0.33, 0.35), roughness=0.5),
    "signal_case": Material(10, colour=(0.10, 0.11, 0.11), roughness=0.6),
    "crane_steel": Material(52, colour=(0.90, 0.68, 0.10), roughness=0.5),
    "hoarding": Material(54, colour=(0.88, 0.89, 0.90), roughness=0.5, texture="metal"),
    "wood": Material(36, colour=(0.52, 0.38, 0.25), texture="bark"),
    "water": Material(2, 0.9, colour=(0.20, 0.30, 0.33), roughness=0.05, texture="glass"),
    "cloth_grey": Material(30, colour=(0.45, 0.46, 0.48), texture="cloth"),
    "cloth_blue": Material(28, colour=(0.18, 0.28, 0.55), texture="cloth"),
    "cloth_red": Material(42, colour=(0.66, 0.14, 0.16), texture="cloth"),
    "cloth_green": Material(32, colour=(0.22, 0.38, 0.26), texture="cloth"),
    "cloth_beige": Material(48, colour=(0.72, 0.62, 0.48), texture="cloth"),
    "denim": Material(26, colour=(0.20, 0.27, 0.40), texture="cloth"),
    "hair_dark": Material(16, 0.03, colour=(0.06, 0.05, 0.05)),
    "hair_brown": Material(24, 0.03, colour=(0.34, 0.21, 0.13)),
    "hair_grey": Material(36, 0.03, colour=(0.62, 0.62, 0.61)),
    "paint_grey": Material(22, 0.02, colour=(0.34, 0.35, 0.37), roughness=0.25, texture="paint"),
    "paint_silver": Material(45, colour=(0.70, 0.71, 0.73), roughness=0.25, texture="paint"),
    "paint_blue": Material(26, 0.02, colour=(0.10, 0.21, 0.46), roughness=0.25, texture="paint"),
    "paint_green": Material(28, colour=(0.13, 0.40, 0.24), roughness=0.25, texture="paint"),
    "paint_yellow": Material(50, colour=(0.93, 0.76, 0.12), roughness=0.25, texture="paint"),
    "paint_orange": Material(46, colour=(0.91, 0.47, 0.10), roughness=0.25, texture="paint"),
    "trim": Material(7, 0.05, colour=(0.08, 0.08, 0.09), roughness=0.6),
    "plate": Material(180, 0.0, colour=(0.93, 0.94, 0.95), roughness=0.5),
    "lamp_clear": Material(70, 0.10, colour=(0.88, 0.90, 0.92), roughness=0.15),
    "lamp_clear_on": Material(70, 0.10, colour=(1.0, 0.98, 0.92), roughness=0.15, emission=30.0),
    "lamp_red": Material(110, 0.05, colour=(0.50, 0.04, 0.05), roughness=0.2),
    "lamp_red_dim": Material(110, 0.05, colour=(0.80, 0.06, 0.06), roughness=0.2, emission=3.0),
    "lamp_red_on": Material(110, 0.05, colour=(1.0, 0.10, 0.08), roughness=0.2, emission=12.0),
    "lamp_amber": Material(90, 0.05, colour=(0.72, 0.38, 0.06), roughness=0.2),
    "lamp_amber_on": Material(90, 0.05, colour=(1.0, 0.60, 0.10), roughness=0.2, emission=12.0),
    "roof_sign": Material(40, colour=(0.80, 0.80, 0.70), roughness=0.4),
    "roof_sign_on": Material(40, colour=(1.0, 0.95, 0.75), roughness=0.4, emission=4.0),
    "sign_board": Material(48, colour=(0.92, 0.90, 0.80), roughness=0.5, emission=2.0, texture="sign"),
    "sign_red": Material(44, colour=(0.80, 0.12, 0.16), roughness=0.5, emission=2.0, texture="sign"),
    "sign_blue": Material(40, colour=(0.10, 0.28, 0.66), roughness=0.5, emission=2.0, texture="sign"),
    "signal_red": Material(60, colour=(1.0, 0.16, 0.12), emission=8.0),
    "signal_yellow": Material(60, colour=(1.0, 0.76, 0.16), emission=8.0),
    "signal_green": Material(60, colour=(0.20, 1.0, 0.62), emission=8.0),
}
MATERIAL_NAMES = tuple(MATERIALS)


@dataclass(frozen=True, slots=True)
class Mesh:
    """Triangles: ``vertices`` (V, 3) float64, ``triangles`` (T, 3) int, ``materials`` (T,) index in MATERIAL_NAMES."""

    vertices: np.ndarray
    triangles: np.ndarray
    materials: np.ndarray

    def placed(self, x: float = 0.0, y: float = 0.0, z: float = 0.0, yaw: float = 0.0, pitch: float = 0.0) -> Mesh:
        """Return the mesh pitched about y (nose down positive), turned about z and moved."""
        cp, sp, cy, sy = np.cos(pitch), np.sin(pitch), np.cos(yaw), np.sin(yaw)
        about_y = np.array([[cp, 0, sp], [0, 1, 0], [-sp, 0, cp]])
        about_z = np.array([[cy, -sy, 0], [sy, cy, 0], [0, 0, 1]])
        return Mesh(self.vertices @ (about_z @ about_y).T + (x, y, z), self.triangles, self.materials)


def joined(parts: Sequence[Mesh]) -> Mesh:
    """Return one mesh of several; none gives an empty mesh."""
    if not parts:
        return Mesh(np.zeros((0, 3)), np.zeros((0, 3), int), np.zeros(0, int))
    starts = np.cumsum([0] + [len(part.vertices) for part in parts[:-1]])
    return Mesh(
        np.concatenate([part.vertices for part in parts]),
        np.concatenate([part.triangles + start for part, start in zip(parts, starts, strict=True)]),
        np.concatenate([part.materials for part in parts]),
    )


def _mesh(vertices: np.ndarray, triangles: Sequence[Sequence[int]], materials: Sequence[str]) -> Mesh:
    return Mesh(
        np.asarray(vertices, float),
        np.asarray(triangles, int),
        np.array([MATERIAL_NAMES.index(name) for name in materials], int),
    )


def extrusion(outline: Sequence[tuple[float, float]], width: float, side: str, rim: Sequence[str]) -> Mesh:
    """Return a convex (x, z) outline swept across y, centred; ``rim[i]`` covers the edge from corner i to the next."""
    count = len(outline)
    corners = np.array(outline, float)
    vertices = np.concatenate(
        [np.column_stack([corners[:, 0], np.full(count, sign * width / 2), corners[:, 1]]) for sign in (-1, 1)]
    )
    triangles: list[tuple[int, int, int]] = []
    materials: list[str] = []
    for i in range(1, count - 1):
        triangles += [(0, i, i + 1), (count, count + i + 1, count + i)]
        materials += [side, side]
    for i in range(count):
        j = (i + 1) % count
        triangles += [(i, count + i, count + j), (i, count + j, j)]
        materials += [rim[i], rim[i]]
    return _mesh(vertices, triangles, materials)


def box(length: float, width: float, height: float, material: str) -> Mesh:
    """Return a box that stands on z = 0."""
    outline = [(-length / 2, 0.0), (length / 2, 0.0), (length / 2, height), (-length / 2, height)]
    return extrusion(outline, width, material, [material] * 4)


def cylinder(radius_x: float, radius_y: float, height: float, material: str, sides: int = 8) -> Mesh:
    """Return an upright elliptic prism that stands on z = 0."""
    angles = 2 * np.pi * np.arange(sides) / sides
    ring = np.column_stack([radius_x * np.cos(angles), radius_y * np.sin(angles)])
    vertices = np.concatenate(
        [np.column_stack([ring, np.zeros(sides)]), np.column_stack([ring, np.full(sides, height)]),
         [(0, 0, 0), (0, 0, height)]]
    )  # fmt: skip
    triangles = []
    for i in range(sides):
        j = (i + 1) % sides
        triangles += [
            (i, j, sides + j),
            (i, sides + j, sides + i),
            (2 * sides, j, i),
            (2 * sides + 1, sides + i, sides + j),
        ]
    return _mesh(vertices, triangles, [material] * len(triangles))


def ball(radius: float, material: str, rings: int = 4, sides: int = 8) -> Mesh:
    """Return a sphere that stands on z = 0."""
    polar = np.pi * np.arange(1, rings) / rings
    around = 2 * np.pi * np.arange(sides) / sides
    rows = [
        np.column_stack(
            [
                radius * np.sin(p) * np.cos(around),
                radius * np.sin(p) * np.sin(around),
                np.full(sides, radius * np.cos(p)),
            ]
        )
        for p in polar
    ]
    vertices = np.concatenate([*rows, [(0, 0, radius), (0, 0, -radius)]])
    vertices[:, 2] += radius
    top, bottom = len(vertices) - 2, len(vertices) - 1
    triangles: list[tuple[int, int, int]] = []
    for i in range(sides):
        j = (i + 1) % sides
        triangles += [(top, i, j), (bottom, (rings - 2) * sides + j, (rings - 2) * sides + i)]
        for k in range(rings - 2):
            a, b = k * sides, (k + 1) * sides
            triangles += [(a + i, b + i, b + j), (a + i, b + j, a + j)]
    return _mesh(vertices, triangles, [material] * len(triangles))


def limb(length: float, thickness: float, swing: float, material: str) -> Mesh:
    """Return an arm or leg that hangs from z = 0, swung forwards by an angle."""
    hanging = box(thickness, thickness, length, material).placed(z=-length)
    return hanging.placed(pitch=-swing)


def wheel(radius: float, width: float, material: str = "rubber", sides: int = 10) -> Mesh:
    """Return a wheel that rolls along x and stands on z = 0."""
    angles = 2 * np.pi * np.arange(sides) / sides
    outline = [(radius * float(np.cos(a)), radius + radius * float(np.sin(a))) for a in angles]
    return extrusion(outline, width, material, [material] * sides)
