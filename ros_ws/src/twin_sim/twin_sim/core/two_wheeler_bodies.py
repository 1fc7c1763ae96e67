"""Bicycles, motorcycles and kick scooters, with and without their riders.

Sizes are those of common machines: city bicycle with 28" wheels, 125 cc motorcycle, e-scooter with 8.5" wheels.
"""

from __future__ import annotations

from dataclasses import fields, replace

import numpy as np

from twin_sim.core.body_parts import SLOT, Geometry, block, ellipsoid, hoop, loft, merged, tubes, wheel
from twin_sim.core.person_body import (
    _FOOT,
    _FOREARM,
    _SHANK,
    _THIGH,
    _UPPER_ARM,
    Skeleton,
    clothed,
    reached,
    skeleton,
)
from twin_sim.core.person_poses import Pose

BICYCLE_LENGTH, MOTORCYCLE_LENGTH, SCOOTER_LENGTH = 1.75, 2.05, 1.12
_CRANK = 0.17
_PEDALS_AT = (-0.08, 0.29)  # x, z of the bicycle's bottom bracket


def _seated(pose: Pose, pelvis: tuple[float, float, float], feet: np.ndarray, hands: np.ndarray, elbows_out: float,
            foot_pitch: float = -0.15) -> Skeleton:  # fmt: skip
    """Return a rider: hips at ``pelvis``, ankles at ``feet`` and wrists at ``hands``, each (2, 3)."""
    bones = skeleton(pose)
    still = ("root", "trunk", "skull")
    bones = replace(bones, **{f.name: getattr(bones, f.name) + pelvis for f in fields(bones) if f.name not in still})
    ahead, side = np.array([1.0, 0.0, 0.25]), np.array([0.0, 1.0, 0.0])
    knees = np.stack(
        [reached(bones.hips[i], feet[i], _THIGH, _SHANK, ahead + 0.15 * (1 - 2 * i) * side) for i in (0, 1)]
    )
    ankles = knees + (feet - knees) * np.minimum(1, _SHANK / np.linalg.norm(feet - knees, axis=1))[:, None]
    down = np.array([-0.3, 0.0, -1.0])
    elbows = np.stack(
        [
            reached(bones.shoulders[i], hands[i], _UPPER_ARM, _FOREARM, down + elbows_out * (1 - 2 * i) * side)
            for i in (0, 1)
        ]
    )  # fmt: skip
    wrists = elbows + (hands - elbows) * np.minimum(1, _FOREARM / np.linalg.norm(hands - elbows, axis=1))[:, None]
    toes = ankles + 0.75 * _FOOT * np.array([np.cos(foot_pitch), 0.0, np.sin(foot_pitch)])
    return replace(bones, knees=knees, ankles=ankles, toes=toes, elbows=elbows, wrists=wrists)


def _bars(points: list[tuple[tuple[float, float, float], tuple[float, float, float]]], radius: float, slot: str,
          sides: int = 5) -> Geometry:  # fmt: skip
    starts, ends = np.array([a for a, _ in points]), np.array([b for _, b in points])
    return tubes(starts, ends, radius, radius, SLOT[slot], sides)


def _helmet(bones: Skeleton) -> Geometry:
    return ellipsoid(
        bones.head + np.array((0.0, 0.0, 0.015)), (0.145, 0.125, 0.145), SLOT["bag"], axes=bones.skull, rings=6
    )  # fmt: skip


def _bicycle_machine(phase: float) -> list[Geometry]:
    half = BICYCLE_LENGTH / 2
    rear, front, bracket = (-half + 0.34, 0.0, 0.34), (half - 0.34, 0.0, 0.34), (_PEDALS_AT[0], 0.0, _PEDALS_AT[1])
    saddle, head, foot = (-0.24, 0.0, 0.92), (0.38, 0.0, 0.86), (0.43, 0.0, 0.72)
    stem = (0.34, 0.0, 1.02)
    frame = [(bracket, saddle), (bracket, foot), ((-0.20, 0.0, 0.80), head), (rear, bracket),
             (rear, (-0.20, 0.0, 0.78)), (foot, front), (head, stem)]  # fmt: skip
    grips = [((0.34, 0.0, 1.03), (0.32, 0.27, 1.05)), ((0.34, 0.0, 1.03), (0.32, -0.27, 1.05)),
             ((0.32, 0.27, 1.05), (0.22, 0.29, 1.03)), ((0.32, -0.27, 1.05), (0.22, -0.29, 1.03))]  # fmt: skip
    turn = np.array([np.cos(phase), -np.sin(phase)]) * _CRANK
    cranks = [((bracket[0], y, bracket[2]), (bracket[0] + s * turn[0], y, bracket[2] + s * turn[1]))
              for y, s in ((0.08, 1.0), (-0.08, -1.0))]  # fmt: skip
    return [
        hoop(0.34, 0.045, rear[:2], SLOT["tyre"]), hoop(0.34, 0.045, front[:2], SLOT["tyre"]),
        _bars(frame, 0.019, "paint"), _bars(grips, 0.014, "frame", 4), _bars(cranks, 0.015, "frame", 4),
        block(0.26, 0.14, 0.05, SLOT["trim"], (-0.25, 0, 0.92)),
        block(0.30, 0.13, 0.02, SLOT["frame"], (-0.60, 0, 0.74)),
        block(0.28, 0.26, 0.20, SLOT["trim"], (0.55, 0, 0.82), taper=1.15),
        block(0.03, 0.06, 0.06, SLOT["tail_lamp"], (-half + 0.06, 0, 0.62)),
    ]  # fmt: skip


def bicycle(phase: float, look: int, *, rider: bool = True) -> Geometry:
    """Return a city bicycle whose left pedal is ahead at phase 0; with a rider who pedals."""
    parts = _bicycle_machine(phase)
    if rider:
        turn = _CRANK * np.stack([np.array([np.cos(p), 0.0, -np.sin(p)]) for p in (phase, phase + np.pi)])
        feet = (
            np.array([_PEDALS_AT[0] - 0.09, 0.0, _PEDALS_AT[1] + 0.09]) + turn + np.array([(0, 0.11, 0), (0, -0.11, 0)])
        )
        hands = np.array([(0.24, 0.28, 1.07), (0.24, -0.28, 1.07)])
        bones = _seated(Pose(lean=0.42, nod=-0.35), (-0.26, 0.0, 1.03), feet, hands, 0.25)
        parts.append(clothed(bones, look))
        if look % 2:
            parts.append(_helmet(bones))
    return merged(parts)


def _motorcycle_machine() -> list[Geometry]:
    half = MOTORCYCLE_LENGTH / 2

    def hull(stations: list[tuple[float, float, float, float]], slot: str) -> Geometry:
        rings = [[(x, -w, lo), (x, w, lo), (x, 0.7 * w, hi), (x, -0.7 * w, hi)] for x, w, lo, hi in stations]
        return loft(np.array(rings), SLOT[slot])

    fork = [((0.52, y, 0.88), (half - 0.30, y, 0.30)) for y in (0.09, -0.09)]
    grips = [((0.46, 0.0, 0.98), (0.36, y, 1.04)) for y in (0.36, -0.36)]
    mirrors = [((0.38, y, 1.03), (0.42, 1.1 * y, 1.18)) for y in (0.27, -0.27)]
    return [
        wheel(0.30, 0.13, (-half + 0.30, 0)), wheel(0.30, 0.11, (half - 0.30, 0)),
        hull([(-0.45, 0.12, 0.30, 0.55), (-0.1, 0.17, 0.22, 0.60), (0.25, 0.16, 0.22, 0.62), (0.38, 0.10, 0.35, 0.66)],
             "steel"),
        hull([(-0.12, 0.13, 0.62, 0.80), (0.10, 0.17, 0.64, 0.92), (0.35, 0.17, 0.66, 0.92), (0.50, 0.08, 0.70, 0.86)],
             "paint"),
        hull([(-0.92, 0.07, 0.74, 0.84), (-0.60, 0.14, 0.66, 0.86), (-0.10, 0.14, 0.62, 0.80)], "trim"),
        hull([(0.48, 0.10, 0.80, 1.02), (0.60, 0.11, 0.76, 1.00), (0.68, 0.07, 0.80, 0.94)], "paint"),
        _bars(fork, 0.028, "frame"), _bars(grips, 0.018, "frame", 4), _bars(mirrors, 0.012, "trim", 4),
        _bars([((-0.15, -0.15, 0.30), (-0.80, -0.17, 0.40))], 0.045, "steel", 6),
        block(0.04, 0.15, 0.12, SLOT["head_lamp"], (0.69, 0, 0.80)),
        block(0.04, 0.14, 0.06, SLOT["tail_lamp"], (-0.93, 0, 0.76)),
        block(0.015, 0.21, 0.12, SLOT["plate"], (-0.96, 0, 0.55)),
        block(0.34, 0.36, 0.30, SLOT["box"], (-0.74, 0, 0.87)),
    ]  # fmt: skip


def motorcycle(look: int, *, rider: bool = True) -> Geometry:
    """Return a motorcycle with a box behind its seat, as deliverers ride; with a helmeted rider."""
    parts = _motorcycle_machine()
    if rider:
        feet = np.array([(0.02, 0.20, 0.38), (0.02, -0.20, 0.38)])
        hands = np.array([(0.34, 0.34, 1.07), (0.34, -0.34, 1.07)])
        bones = _seated(Pose(lean=0.20, nod=-0.10, spread=(0.3, 0.3)), (-0.28, 0.0, 0.92), feet, hands, 0.5)
        parts += [clothed(bones, 0 if look in (3, 4) else look), _helmet(bones)]
    return merged(parts)


def kick_scooter(look: int, *, rider: bool = True) -> Geometry:
    """Return an electric kick scooter; with a rider standing on it, one foot behind the other."""
    half = SCOOTER_LENGTH / 2
    machine = [
        wheel(0.11, 0.05, (half - 0.11, 0), sides=10), wheel(0.11, 0.05, (-half + 0.11, 0), sides=10),
        block(SCOOTER_LENGTH - 0.42, 0.17, 0.07, SLOT["trim"], (-0.07, 0, 0.10)),
        _bars([((half - 0.20, 0, 0.14), (half - 0.30, 0, 1.12))], 0.028, "paint", 6),
        _bars([((half - 0.12, 0, 0.11), (half - 0.20, 0, 0.22))], 0.028, "frame", 6),
        _bars([((half - 0.30, 0, 1.11), (half - 0.33, y, 1.12)) for y in (0.24, -0.24)], 0.017, "frame", 4),
        block(0.04, 0.05, 0.05, SLOT["head_lamp"], (half - 0.24, 0, 1.0)),
        block(0.02, 0.08, 0.04, SLOT["tail_lamp"], (-half + 0.02, 0, 0.20)),
    ]  # fmt: skip
    if rider:
        feet = np.array([(0.10, 0.05, 0.245), (-0.24, -0.05, 0.245)])
        hands = np.array([(half - 0.36, 0.24, 1.15), (half - 0.36, -0.24, 1.15)])
        bones = _seated(Pose(lean=0.06), (-0.12, 0.0, 1.045), feet, hands, 0.35, foot_pitch=-0.1)
        machine.append(clothed(bones, look))
    return merged(machine)
