"""The body of a person: a skeleton of joints, and limbs, trunk and head around it.

Lengths of segments as shares of stature: Drillis and Contini (1966), as in Winter, Biomechanics and Motor Control of
Human Movement (4th ed., 2009), fig. 4.1. Bodies are made for ``STATURE`` and scaled.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from twin_sim.core.body_parts import SLOT, Geometry, ellipsoid, loft, merged, rotation, tubes
from twin_sim.core.person_poses import Pose

STATURE = 1.75
_THIGH, _SHANK, _FOOT = 0.245 * STATURE, 0.246 * STATURE, 0.152 * STATURE
_UPPER_ARM, _FOREARM, _HAND = 0.186 * STATURE, 0.146 * STATURE, 0.07 * STATURE
_TRUNK, _NECK = 0.288 * STATURE, 0.055 * STATURE
_HIP_HALF, _SHOULDER_HALF = 0.052 * STATURE, 0.118 * STATURE
_HEAD = (0.098, 0.078, 0.120)  # half axes, metres
BUILDS = ((0.92, 0.90), (1.0, 1.0), (1.14, 1.30))  # width and depth of trunk and limbs: slim, middling, stout
_PLAIN, _BACKPACK, _SHOULDER_BAG, _COAT, _COAT_AND_BAG, _SHORTS = range(6)
#: Build (of BUILDS) and outfit of the persons there are.
LOOKS = ((1, _PLAIN), (0, _BACKPACK), (1, _SHOULDER_BAG), (2, _COAT), (0, _COAT_AND_BAG), (1, _SHORTS), (2, _PLAIN))


@dataclass(frozen=True, slots=True)
class Skeleton:
    """Joints of a person, metres; pairs are (left, right), each (2, 3); ``trunk``: (3, 3), its axes as columns."""

    pelvis: np.ndarray
    neck: np.ndarray
    head: np.ndarray
    hips: np.ndarray
    knees: np.ndarray
    ankles: np.ndarray
    toes: np.ndarray
    shoulders: np.ndarray
    elbows: np.ndarray
    wrists: np.ndarray
    root: np.ndarray
    trunk: np.ndarray
    skull: np.ndarray


_SIDES = np.array([1.0, -1.0])


def _hanging(angle: np.ndarray, spread: np.ndarray) -> np.ndarray:
    """Return unit vectors, (2, 3), that hang down, turned forwards by ``angle`` and outwards by ``spread``."""
    return np.stack([np.sin(angle) * np.cos(spread), _SIDES * np.sin(spread), -np.cos(angle) * np.cos(spread)], axis=1)


def skeleton(pose: Pose) -> Skeleton:
    """Return the joints of a pose, with the hips' middle at the origin."""
    root = rotation(pitch=pose.root_pitch) @ rotation(yaw=pose.root_turn)
    trunk = root @ rotation(pitch=pose.lean, yaw=pose.twist, roll=pose.bend)
    skull = trunk @ rotation(pitch=pose.nod, yaw=pose.gaze)
    pelvis = np.zeros(3)
    neck = pelvis + trunk @ (0.0, 0.0, _TRUNK)
    head = neck + trunk @ (0.01, 0.0, _NECK) + skull @ (0.02, 0.0, _HEAD[2] * 0.85)
    hip, knee, spread = (np.array(pair) for pair in (pose.hip, pose.knee, pose.spread))
    hips = pelvis + np.outer(_SIDES, root[:, 1]) * _HIP_HALF
    knees = hips + _THIGH * _hanging(hip, spread) @ root.T
    ankles = knees + _SHANK * _hanging(hip - knee, spread) @ root.T
    tip = hip - knee + np.array(pose.ankle)
    toes = ankles + (0.75 * _FOOT * np.stack([np.cos(tip), 0.10 * _SIDES, np.sin(tip)], axis=1)) @ root.T
    shoulder, elbow, lift = (np.array(pair) for pair in (pose.shoulder, pose.elbow, pose.lift))
    shoulders = neck + np.outer(_SIDES, trunk[:, 1]) * _SHOULDER_HALF - trunk[:, 2] * 0.035
    elbows = shoulders + _UPPER_ARM * _hanging(shoulder, lift) @ trunk.T
    wrists = elbows + _FOREARM * _hanging(shoulder + elbow, 0.4 * lift) @ trunk.T
    return Skeleton(pelvis, neck, head, hips, knees, ankles, toes, shoulders, elbows, wrists, root, trunk, skull)


def reached(start: np.ndarray, goal: np.ndarray, first: float, second: float, bend: np.ndarray) -> np.ndarray:
    """Return the middle joint, (3,), of a limb of two segments from ``start`` to ``goal`` that bends towards ``bend``.

    A goal out of reach gives the nearest the limb gets.
    """
    way = goal - start
    distance = float(np.clip(np.linalg.norm(way), 1e-6, (first + second) * 0.999))
    along = way / max(float(np.linalg.norm(way)), 1e-6)
    ahead = (first**2 - second**2 + distance**2) / (2 * distance)
    across = bend - along * (bend @ along)
    across = across / max(float(np.linalg.norm(across)), 1e-6)
    return np.asarray(start + along * ahead + across * np.sqrt(max(first**2 - ahead**2, 0.0)))


def _ring(centre: np.ndarray, axes: np.ndarray, half_width: float, half_depth: float, sides: int = 10) -> np.ndarray:
    angles = 2 * np.pi * (np.arange(sides) + 0.5) / sides
    return np.asarray(
        centre + np.outer(np.cos(angles) * half_depth, axes[:, 0]) + np.outer(np.sin(angles) * half_width, axes[:, 1])
    )


def _trunk(bones: Skeleton, wide: float, deep: float) -> list[Geometry]:
    """Return hips (in the colour of the trousers), trunk, neck and head."""
    up, low = bones.trunk[:, 2], bones.root
    levels = ((0.0, 0.165, 0.120), (0.09, 0.158, 0.112), (0.19, 0.140, 0.103), (0.33, 0.168, 0.120),
              (0.43, 0.182, 0.108), (0.485, 0.120, 0.080), (0.505, 0.060, 0.058))  # fmt: skip
    rings = [_ring(bones.pelvis - 0.10 * low[:, 2], low, 0.120 * wide, 0.095 * deep)]
    rings += [_ring(bones.pelvis + z * up, bones.trunk, w * wide, d * deep) for z, w, d in levels]
    slots = np.full((len(rings) - 1, 10), SLOT["top"])
    slots[:2] = SLOT["bottom"]
    return [
        loft(np.stack(rings), slots),
        tubes(bones.neck - 0.02 * up, bones.neck + (_NECK + 0.03) * up, 0.058, 0.052, SLOT["skin"], 8),
        ellipsoid(bones.head, _HEAD, SLOT["skin"], cap_slot=SLOT["hair"], axes=bones.skull, rings=6),
        ellipsoid(bones.head + bones.skull @ (-0.035, 0, 0.01), (0.075, 0.082, 0.110), SLOT["hair"], axes=bones.skull),
    ]


def _foot(ankle: np.ndarray, toe: np.ndarray, up: np.ndarray) -> Geometry:
    """Return a shoe from heel to toe below an ankle."""
    forward = (toe - ankle) / np.linalg.norm(toe - ankle)
    side = np.cross(up, forward)
    side /= np.linalg.norm(side)
    above = np.cross(forward, side)
    rings = []
    for x, half, low, high in ((-0.075, 0.030, -0.065, 0.00), (-0.02, 0.042, -0.07, 0.04), (0.10, 0.048, -0.07, -0.005),
                               (0.19, 0.030, -0.068, -0.035)):  # fmt: skip
        corners = [(half, low), (half, high), (-half, high), (-half, low)]
        rings.append([ankle + x * forward + y * side + z * above for y, z in corners])
    return loft(np.array(rings), SLOT["shoes"])


def _limbs(bones: Skeleton, wide: float, slot_forearm: int, slot_shank: int) -> list[Geometry]:
    thick = 0.5 + 0.5 * wide
    hands = bones.wrists + (bones.wrists - bones.elbows) * (_HAND / _FOREARM)
    parts = [
        tubes(bones.hips, bones.knees, 0.088 * thick, 0.060 * thick, SLOT["bottom"], 7),
        tubes(bones.knees, bones.ankles, 0.061 * thick, 0.044, slot_shank),
        tubes(bones.shoulders, bones.elbows, 0.056 * thick, 0.044 * thick, SLOT["top"]),
        tubes(bones.elbows, bones.wrists, 0.044 * thick, 0.032, slot_forearm),
        tubes(bones.wrists, hands, 0.036, 0.028, SLOT["skin"], 5),
    ]
    shin_up = bones.knees - bones.ankles
    return parts + [_foot(bones.ankles[i], bones.toes[i], shin_up[i]) for i in (0, 1)]


def _coat(bones: Skeleton, wide: float, deep: float) -> Geometry:
    """Return the skirt of a coat around hips and thighs."""
    hem = bones.hips + 0.72 * (bones.knees - bones.hips)
    stride = float(abs((hem[0] - hem[1]) @ bones.root[:, 0])) / 2
    levels = [(bones.pelvis + 0.12 * bones.trunk[:, 2], 0.160 * wide, 0.118 * deep),
              (bones.pelvis, 0.178 * wide, 0.135 * deep),
              (hem.mean(axis=0), 0.195 * wide, 0.150 * deep + 0.8 * stride)]  # fmt: skip
    rings = [_ring(centre, bones.root, w, d) for centre, w, d in levels]
    return loft(np.stack(rings[::-1]), SLOT["top"])


def _bag(bones: Skeleton, *, on_back: bool) -> Geometry:
    back, left, up = bones.trunk.T
    if on_back:
        rings = [
            [bones.pelvis + z * up - x * back + y * left for x, y in ((0.1, 0.14), (0.1, -0.14), (t, -0.12), (t, 0.12))]
            for z, t in ((0.08, 0.22), (0.15, 0.27), (0.34, 0.25), (0.44, 0.16))
        ]  # fmt: skip
        return loft(np.array(rings)[:, ::-1], SLOT["bag"])
    corners = ((-0.16, 0.17), (0.14, 0.17), (0.12, 0.27), (-0.14, 0.27))
    rings = [
        [bones.pelvis + z * up + x * back - y * left for x, y in corners]
        for z in (-0.16, 0.06)
    ]  # fmt: skip
    return loft(np.array(rings)[:, ::-1], SLOT["bag"])


def _umbrella(bones: Skeleton) -> list[Geometry]:
    """Return an umbrella held in the right hand above the head."""
    hand = bones.wrists[1]
    top = np.array([hand[0] - 0.06, hand[1] + 0.10, bones.head[2] + 0.36])
    radii, drops = (0.02, 0.30, 0.52), (0.0, 0.07, 0.24)
    rings = [_ring(top - (0, 0, drop), np.eye(3), radius, radius, 8) for radius, drop in zip(radii, drops, strict=True)]
    under = [_ring(top - (0, 0, drop + 0.015), np.eye(3), radius, radius, 8)
             for radius, drop in zip(radii, drops, strict=True)]  # fmt: skip
    stick = tubes(hand - (0, 0, 0.10), top, 0.010, 0.008, SLOT["frame"], 4)
    return [loft(np.stack([*under, *rings[::-1]]), SLOT["umbrella"]), stick]


def clothed(bones: Skeleton, look: int, *, umbrella: bool = False) -> Geometry:
    """Return the body around a skeleton; ``look`` of LOOKS."""
    build, outfit = LOOKS[look]
    wide, deep = BUILDS[build]
    bare = outfit == _SHORTS
    parts = [
        *_trunk(bones, wide, deep),
        *_limbs(bones, wide, SLOT["skin" if bare else "top"], SLOT["skin" if bare else "bottom"]),
    ]
    if outfit in (_COAT, _COAT_AND_BAG):
        parts.append(_coat(bones, wide, deep))
    if outfit in (_BACKPACK, _SHOULDER_BAG, _COAT_AND_BAG):
        parts.append(_bag(bones, on_back=outfit == _BACKPACK))
    if umbrella:
        parts += _umbrella(bones)
    return merged(parts)


def person(pose: Pose, look: int, *, centred: bool, umbrella: bool = False) -> Geometry:
    """Return a posed person that stands, sits or lies on the ground.

    ``centred``: the middle of its box is above the origin; else the hips are.
    """
    if umbrella:
        pose = _with_raised_arm(pose)
    body = clothed(skeleton(pose), look, umbrella=umbrella)
    low, high = body.extents()
    x, y = -(low + high)[:2] / 2 if centred else (0.0, 0.0)
    return body.moved(x, y, -low[2])


def _with_raised_arm(pose: Pose) -> Pose:
    return replace(pose, shoulder=(pose.shoulder[0], 0.45), elbow=(pose.elbow[0], 2.0), lift=(pose.lift[0], 0.05))
