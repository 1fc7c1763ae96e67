"""Joint angles of persons: walking, standing, waiting, running, sitting, falling, lying, fighting.

Angles in radians, sagittal ones positive forwards; index 0 is the left limb, 1 the right. The gait follows the
shape of the mean joint curves of normal walking in Winter, Biomechanics and Motor Control of Human Movement (4th
ed., 2009), appendix: hip about 22° either side of 8°, knee flexed 18° in early stance and 60° in swing.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from twin_sim.core.frame import Activity

Pair = tuple[float, float]
TURN = 2 * np.pi


@dataclass(frozen=True, slots=True)
class Pose:
    """How the joints of a person stand; the root turns the whole body about its own axis, then pitches it."""

    hip: Pair = (0.0, 0.0)
    knee: Pair = (0.05, 0.05)
    spread: Pair = (0.05, 0.05)
    ankle: Pair = (0.0, 0.0)
    shoulder: Pair = (0.0, 0.0)
    elbow: Pair = (0.15, 0.15)
    lift: Pair = (0.12, 0.12)
    lean: float = 0.0
    bend: float = 0.0
    twist: float = 0.0
    nod: float = 0.0
    gaze: float = 0.0
    root_pitch: float = 0.0
    root_turn: float = 0.0


def blended(first: Pose, second: Pose, share: float) -> Pose:
    """Return the pose ``share`` of the way from the first to the second, joint by joint."""
    mixed: dict[str, Any] = {}
    for name in Pose.__dataclass_fields__:
        a, b = getattr(first, name), getattr(second, name)
        value = (1 - share) * np.asarray(a) + share * np.asarray(b)
        mixed[name] = tuple(map(float, value)) if isinstance(a, tuple) else float(value)
    return Pose(**mixed)


def _bump(cycle: float, centre: float, width: float) -> float:
    away = (cycle - centre + 0.5) % 1.0 - 0.5
    return float(np.exp(-((away / width) ** 2)))


def _walk_leg(cycle: float) -> tuple[float, float, float]:
    """Return hip, knee and ankle of a leg; its heel strikes at cycle 0."""
    hip = 0.14 + 0.39 * float(np.cos(TURN * (cycle + 0.03)))
    knee = 0.08 + 0.24 * _bump(cycle, 0.14, 0.09) + 0.98 * _bump(cycle, 0.73, 0.13)
    ankle = 0.10 - 0.40 * _bump(cycle, 0.63, 0.09)
    return hip, knee, ankle


def walking(phase: float) -> Pose:
    """Return a stride; the left heel strikes at phase 0."""
    cycle = phase / TURN
    (hip_l, knee_l, ankle_l), (hip_r, knee_r, ankle_r) = _walk_leg(cycle), _walk_leg(cycle + 0.5)
    swing = float(np.cos(phase))
    return Pose(
        hip=(hip_l, hip_r), knee=(knee_l, knee_r), ankle=(ankle_l, ankle_r), spread=(0.03, 0.03),
        shoulder=(0.05 - 0.38 * swing, 0.05 + 0.38 * swing), elbow=(0.35 - 0.15 * swing, 0.35 + 0.15 * swing),
        lift=(0.14, 0.14), lean=0.05, twist=-0.10 * swing,
    )  # fmt: skip


def running(phase: float) -> Pose:
    """Return a running stride; the left foot strikes at phase 0."""

    def leg(cycle: float) -> tuple[float, float]:
        hip = 0.30 + 0.75 * float(np.cos(TURN * (cycle + 0.10)))
        return hip, 0.30 + 0.25 * _bump(cycle, 0.15, 0.12) + 1.55 * _bump(cycle, 0.66, 0.17)

    cycle = phase / TURN
    (hip_l, knee_l), (hip_r, knee_r) = leg(cycle), leg(cycle + 0.5)
    swing = float(np.cos(phase))
    return Pose(
        hip=(hip_l, hip_r), knee=(knee_l, knee_r), ankle=(-0.15, -0.15), spread=(0.02, 0.02),
        shoulder=(-0.10 - 0.75 * swing, -0.10 + 0.75 * swing), elbow=(1.5, 1.5), lift=(0.22, 0.22), lean=0.20,
        twist=-0.18 * swing,
    )  # fmt: skip


STANDING = (
    Pose(spread=(0.06, 0.10), hip=(0.02, -0.04), knee=(0.04, 0.10)),
    Pose(spread=(0.10, 0.05), shoulder=(0.10, 0.35), elbow=(0.3, 1.9), lift=(0.15, 0.10), nod=0.40),
    Pose(spread=(0.09, 0.09), shoulder=(-0.15, -0.15), elbow=(0.75, 0.75), lift=(0.30, 0.30), gaze=0.5),
    Pose(spread=(0.07, 0.07), shoulder=(0.25, 0.25), elbow=(1.75, 1.75), lift=(-0.02, -0.02), gaze=-0.3),
)
SITTING = Pose(
    hip=(1.50, 1.46), knee=(1.50, 1.42), spread=(0.14, 0.14), shoulder=(0.45, 0.45), elbow=(0.8, 0.8), lean=0.06,
    nod=0.15,
)  # fmt: skip
_PRONE = Pose(
    root_pitch=1.53, hip=(0.10, -0.05), knee=(0.15, 0.55), spread=(0.18, 0.28), ankle=(-0.9, -0.9),
    shoulder=(0.10, 0.05), elbow=(2.9, 0.10), lift=(2.25, 0.50), nod=-0.15, gaze=0.7,
)  # fmt: skip
_SUPINE = Pose(
    root_pitch=-1.55, hip=(0.12, 0.55), knee=(0.15, 1.0), spread=(0.22, 0.16), ankle=(-0.5, -0.3),
    shoulder=(0.0, -0.1), elbow=(0.25, 0.9), lift=(0.95, 0.45), gaze=0.4,
)  # fmt: skip
_SIDEWAYS = Pose(
    root_pitch=1.45, root_turn=1.25, hip=(0.65, 0.25), knee=(1.0, 0.45), spread=(0.06, 0.02), ankle=(-0.5, -0.5),
    shoulder=(0.75, 1.5), elbow=(0.9, 0.8), lift=(0.10, 0.10), lean=0.15,
)  # fmt: skip
LYING = (_PRONE, _SUPINE, _SIDEWAYS)
_STUMBLE = (
    Pose(root_pitch=0.55, hip=(0.95, -0.25), knee=(0.75, 0.55), shoulder=(1.5, 1.2), elbow=(0.5, 0.6),
         lift=(0.35, 0.45), lean=0.25),
    Pose(root_pitch=-0.50, hip=(0.75, 0.45), knee=(0.55, 0.35), shoulder=(1.0, 0.4), elbow=(0.5, 0.4),
         lift=(0.75, 0.85), lean=0.15),
    Pose(root_pitch=0.35, root_turn=0.35, hip=(0.9, 0.6), knee=(1.5, 1.3), shoulder=(0.5, 0.5), elbow=(0.7, 0.7),
         lift=(0.35, 0.30), lean=0.35),
)  # fmt: skip
_GUARD = Pose(
    hip=(0.38, -0.22), knee=(0.42, 0.38), spread=(0.14, 0.16), shoulder=(0.95, 0.70), elbow=(1.75, 1.95),
    lift=(0.25, 0.25), lean=0.18, twist=-0.35,
)  # fmt: skip
_BLOW_LEFT = replace(_GUARD, shoulder=(1.50, 0.65), elbow=(0.12, 2.0), twist=-0.75, lean=0.25, hip=(0.48, -0.30))
_BLOW_RIGHT = replace(_GUARD, shoulder=(0.85, 1.52), elbow=(1.9, 0.15), twist=0.55, lean=0.28, hip=(0.50, -0.34))
_KICK = replace(_GUARD, hip=(0.0, 1.15), knee=(0.15, 0.30), shoulder=(0.8, 0.3), lean=-0.18, twist=0.3)


def fighting(phase: float) -> Pose:
    """Return a round of blows: left fist, right fist, kick, guard between them."""
    blows = ((_BLOW_LEFT, 0.15), (_BLOW_RIGHT, 0.45), (_KICK, 0.78))
    pose = _GUARD
    for blow, centre in blows:
        pose = blended(pose, blow, _bump(phase / TURN, centre, 0.075))
    return pose


def falling(progress: float, variant: int) -> Pose:
    """Return a fall from upright (0) to lying (1): forwards, backwards or crumpling sideways."""
    start, middle, end = STANDING[0], _STUMBLE[variant], LYING[variant]
    share = progress**1.6
    return blended(start, middle, 2 * share) if share < 0.5 else blended(middle, end, 2 * share - 1)


def pose_of(activity: int, phase: float, variant: int) -> Pose:
    """Return the pose of an activity; ``phase`` of its cycle (a fall's: 2 pi is its end), 0 to 2 pi."""
    if activity == Activity.WALKING:
        return walking(phase)
    if activity == Activity.RUNNING:
        return running(phase)
    if activity == Activity.FIGHTING:
        return fighting(phase)
    if activity == Activity.SITTING:
        return SITTING
    if activity == Activity.FALLING:
        return falling(min(phase / TURN, 1.0), variant % len(LYING))
    if activity in (Activity.LYING, Activity.FLYING, Activity.RESTING):
        return LYING[variant % len(LYING)]
    return STANDING[variant % len(STANDING)]
