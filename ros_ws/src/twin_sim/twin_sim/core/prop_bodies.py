"""Things that fall, hang or lie about: pieces of facade, lumps and heaps of rubble, signs, crane loads, an animal."""

from __future__ import annotations

import numpy as np

from twin_sim.core.body_parts import SLOT, Geometry, block, ellipsoid, loft, merged, tubes


def panel() -> Geometry:
    """Return a piece of facade of unit size: outward is +x; render, a window and its frame."""
    return merged(
        [
            block(0.80, 1.0, 1.0, SLOT["concrete"], (-0.10, 0, 0)),
            block(0.10, 0.56, 0.50, SLOT["steel"], (0.35, 0, 0.28)),
            block(0.06, 0.48, 0.42, SLOT["glass"], (0.42, 0, 0.32)),
            block(0.18, 1.0, 0.06, SLOT["concrete"], (0.38, 0, 0.20)),
        ]
    )


def sign() -> Geometry:
    """Return a shop sign of unit size: outward is +x; a lit board in a steel frame."""
    return merged(
        [
            block(0.70, 1.0, 1.0, SLOT["steel"], (-0.15, 0, 0)),
            block(0.30, 0.94, 0.86, SLOT["board"], (0.33, 0, 0.07)),
        ]
    )


def lump(variant: int) -> Geometry:
    """Return an irregular lump of rubble of unit size; four variants."""
    rng = np.random.default_rng([41, variant])
    mesh = ellipsoid((0, 0, 0), (1.0, 1.0, 1.0), SLOT["concrete"], rings=5, sides=6)
    mesh.vertices[:] *= rng.uniform(0.6, 1.0, (len(mesh.vertices), 1)).astype(np.float32)
    return _unit(mesh)


def heap(variant: int) -> Geometry:
    """Return a heap of rubble of unit size: a mound with lumps sticking out; four variants."""
    rng = np.random.default_rng([43, variant])
    sides = 14
    angles = 2 * np.pi * np.arange(sides) / sides
    rings = []
    for radius, level in ((0.5, 0.0), (0.42, 0.25), (0.30, 0.55), (0.15, 0.80), (0.03, 0.92)):
        uneven = radius * rng.uniform(0.86, 1.0, sides)
        heights = level + (rng.uniform(-0.10, 0.10, sides) if level else np.zeros(sides))
        rings.append(np.column_stack([uneven * np.cos(angles), uneven * np.sin(angles), heights]))
    parts = [loft(np.array(rings), SLOT["concrete"])]
    for i in range(9):
        at, angle = 0.40 * np.sqrt(rng.uniform()), rng.uniform(0, 2 * np.pi)
        size = rng.uniform(0.08, 0.18)
        piece = lump(i % 4)
        piece.vertices[:] *= np.float32(size)
        top = 0.9 * (1 - at / 0.5)
        parts.append(piece.moved(at * np.cos(angle), at * np.sin(angle), max(top - size / 2, 0.0)))
    return _unit(merged(parts))


def load() -> Geometry:
    """Return a crane's load of unit size: a bundle of beams held by slings."""
    beams = [
        block(1.0, 0.22, 0.16, SLOT["steel"], (0, y, z)) for z in (0.0, 0.18, 0.36) for y in (-0.36, -0.12, 0.12, 0.36)
    ]
    boards = [block(0.06, 1.0, 0.05, SLOT["board"], (x, 0, 0.52)) for x in (-0.3, 0.3)]
    corners = np.array([(x, y, 0.55) for x in (-0.3, 0.3) for y in (-0.45, 0.45)])
    slings = tubes(corners, np.broadcast_to((0.0, 0.0, 1.0), corners.shape), 0.012, 0.012, SLOT["frame"], 4)
    return _unit(merged([*beams, *boards, slings]))


def animal(phase: float) -> Geometry:
    """Return a dog of unit size that trots."""
    swing = 0.35 * np.sin(phase)
    hips = np.array([(x, y, 0.52) for x in (-0.27, 0.24) for y in (0.22, -0.22)])
    swings = np.array([swing, -swing, -swing, swing])
    feet = hips + np.column_stack([0.35 * np.sin(swings), np.zeros(4), -0.50 * np.cos(swings)])
    return _unit(
        merged(
            [
                ellipsoid((0, 0, 0.62), (0.34, 0.36, 0.19), SLOT["hair"]),
                ellipsoid((0.36, 0, 0.86), (0.14, 0.24, 0.13), SLOT["hair"]),
                ellipsoid((0.47, 0, 0.82), (0.09, 0.12, 0.06), SLOT["hair"], rings=4, sides=6),
                tubes((0.22, 0, 0.68), (0.33, 0, 0.82), 0.12, 0.10, SLOT["hair"]),
                tubes((-0.32, 0, 0.70), (-0.50, 0, 0.86), 0.04, 0.02, SLOT["hair"], 4),
                tubes(hips, feet, 0.06, 0.035, SLOT["hair"], 5),
            ]
        )
    )


def _unit(mesh: Geometry) -> Geometry:
    """Return the mesh stretched to a box of 1 by 1 by 1 that stands on the ground."""
    low, high = mesh.extents()
    shift = np.array([(low[0] + high[0]) / 2, (low[1] + high[1]) / 2, low[2]], np.float32)
    return Geometry(((mesh.vertices - shift) / (high - low)).astype(np.float32), mesh.triangles, mesh.slots)
