"""Headings of all tracks: what boxes and motion say about where an object faces.

A box tells its yaw only up to half a turn, and nothing about a pedestrian; motion tells the direction, unless an object
is slow or goes backwards. The front is where the object has mostly gone lately: ``ahead`` metres further forwards than
backwards, bounded.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from twin_common.core.compiled import Records, kernel
from twin_tracking.config import TrackerConfig
from twin_tracking.core.state import RATE, STANDING, VX, VY

MOTION_MEMORY = 1.0  # the filtered velocity's errors stay alike for about so long, s
MAX_VARIANCE = 3.0
MOST_ACCELERATION = 12.0  # m/s^2: larger changes of the speed are leaps of the estimate
FASTEST_RISE, FASTEST_MEMORY = 0.5, 30.0  # s, over which a speed counts as gone, and is forgotten
RUNNER, RIDER = 0.25, 0.6  # shares that is not like a person of what is seen of who runs, and of who surely rides
SPEED_KNOWN = 0.6  # s: until then, and less until twice then, what changes is our knowledge of the speed
_LEAST_RATE = 0.02  # rad/s, taken for none


class Turning(NamedTuple):
    """What the kernels need of the configuration; arrays have one value per class."""

    density: np.ndarray
    box_variance: np.ndarray
    front_memory: np.ndarray
    acceleration_memory: float


def turning_of(config: TrackerConfig) -> Turning:
    """Return densities and variances by class."""
    return Turning(
        np.array(config.heading_density), np.array(config.box_yaw_sigma) ** 2, np.array(config.front_memory),
        config.acceleration_memory,
    )  # fmt: skip


@kernel
def _wrap(angle: float) -> float:
    return (angle + np.pi) % (2 * np.pi) - np.pi


@kernel
def _half_turn(angle: float) -> float:
    """Return an angle modulo half a turn, in [-pi/2, pi/2)."""
    return (angle + np.pi / 2) % np.pi - np.pi / 2


@kernel
def _of_class(track: Records, table: np.ndarray) -> float:
    value = 0.0
    for c in range(len(table)):
        value += track.class_probability[c] * table[c]
    return value


@kernel
def _correct(track: Records, innovation: float, noise: float) -> None:
    """Scalar Kalman update whose noise grows with innovations beyond three sigma (Huber's weights)."""
    noise *= max(innovation**2 / (9 * (track.yaw_variance + noise)), 1.0)
    gain = track.yaw_variance / (track.yaw_variance + noise)
    track.yaw = _wrap(track.yaw + gain * innovation)
    track.yaw_variance *= 1 - gain


@kernel
def predict(tracks: Records, dt: float, turning: Turning) -> None:
    """Turn by the yaw rate; the variance grows, less for what stands."""
    for n in range(len(tracks)):
        track = tracks[n]
        rate = track.estimate[RATE]
        if abs(rate) > _LEAST_RATE:
            track.yaw = _wrap(track.yaw + rate * dt)
        growth = _of_class(track, turning.density) * (1.02 - track.mode[STANDING])
        track.yaw_variance = min(track.yaw_variance + growth * dt, MAX_VARIANCE)


@kernel
def update(tracks: Records, detections: Records, partner: np.ndarray, turning: Turning) -> None:
    """Take the yaw of the boxes into account, up to half a turn; far outliers count little."""
    for n in range(len(tracks)):
        if partner[n] >= 0:
            track, seen = tracks[n], detections[partner[n]]
            noise = seen.yaw_variance + _of_class(track, turning.box_variance)
            _correct(track, _half_turn(seen.yaw - track.yaw), noise)


@kernel
def follow_motion(tracks: Records, dt: float, turning: Turning) -> None:
    """Turn the headings the way the tracks went during ``dt`` seconds; average the speed's change."""
    kept = np.exp(-dt / turning.acceleration_memory)
    for n in range(len(tracks)):
        track = tracks[n]
        before = track.yaw
        vx, vy = track.estimate[VX], track.estimate[VY]
        speed2 = max(vx**2 + vy**2, 1e-9)
        spread = track.spread
        across = vy**2 * spread[VX, VX] - 2 * vx * vy * spread[VX, VY] + vx**2 * spread[VY, VY]
        variance = across / speed2**2
        moves = variance < 0.25 and speed2 > 0.3**2
        gone = (vx * np.cos(track.yaw) + vy * np.sin(track.yaw)) * dt if moves else 0.0
        memory = _of_class(track, turning.front_memory)
        track.ahead = min(max(track.ahead + gone, -memory), memory)
        if track.ahead < 0:
            track.ahead = -track.ahead
            track.yaw += np.pi
        if moves:
            noise = (variance + 0.02**2) * max(MOTION_MEMORY / dt, 1.0)
            _correct(track, _half_turn(np.arctan2(vy, vx) - track.yaw), noise)
        else:
            track.yaw = _wrap(track.yaw)
        speed = vx * np.cos(track.yaw) + vy * np.sin(track.yaw)
        speed_before = -track.speed if np.cos(track.yaw - before) < 0 else track.speed
        known = min(max((track.last_ns - track.first_ns) / 1e9 / SPEED_KNOWN - 1.0, 0.0), 1.0)
        change = min(max((speed - speed_before) / dt, -MOST_ACCELERATION), MOST_ACCELERATION)
        track.acceleration = kept * track.acceleration + (1 - kept) * known * change
        track.speed = speed
        along = vx**2 * spread[VX, VX] + 2 * vx * vy * spread[VX, VY] + vy**2 * spread[VY, VY]
        surely = np.sqrt(speed2) - 2.0 * np.sqrt(along / speed2)
        # A runner looks like a person all the while: the speed of such a one says nothing of its class.
        rides = min(max((track.unlike_person - RUNNER) / (RIDER - RUNNER), 0.0), 1.0)
        share = rides * (1 - np.exp(-dt / FASTEST_RISE)) if surely > track.fastest else 1 - np.exp(-dt / FASTEST_MEMORY)
        track.fastest += share * (max(surely, 0.0) - track.fastest)
