"""Which rays of a sweep may meet which actor, and where they meet it, while both move."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from twin_sim.core.body_atlas import BodyAtlas
from twin_sim.core.frame import Frame
from twin_sim.core.lidar_models import LidarModel
from twin_sim.core.still_scene import Hits

FASTEST = 70.0  # m/s; what moved farther between two frames has been put elsewhere
STRAIGHT = 0.01  # rad/s below which turning within a sweep is left out
_CORNERS = np.array([(x, y, z) for x in (0, 1) for y in (0, 1) for z in (0, 1)], float)


@dataclass(frozen=True, slots=True)
class Motion:
    """How actors move about the moment of a frame: velocity (N, 3) m/s and rate of turn about z (N,) rad/s."""

    velocity: np.ndarray
    rate: np.ndarray


def motion(actors: np.ndarray, previous: np.ndarray | None, elapsed: float) -> Motion:
    """Return the motion of actors (N,) ACTOR since ``previous`` (M,) ACTOR, ``elapsed`` seconds before.

    Actors that were not there, or were put elsewhere, move as their records say. Both are sorted by actor_id.
    """
    velocity = np.stack([actors["velocity_x"], actors["velocity_y"], actors["velocity_z"]], axis=1).astype(float)
    rate = actors["yaw_rate"].astype(float)
    if previous is None or not len(previous) or not len(actors) or elapsed <= 0:
        return Motion(velocity, rate)
    at = np.minimum(np.searchsorted(previous["actor_id"], actors["actor_id"]), len(previous) - 1)
    before = previous[at]
    moved = np.stack([actors[name] - before[name] for name in "xyz"], axis=1) / elapsed
    turned = (actors["yaw"] - before["yaw"] + np.pi) % (2 * np.pi) - np.pi
    known = (before["actor_id"] == actors["actor_id"]) & (np.linalg.norm(moved, axis=1) < FASTEST)
    return Motion(np.where(known[:, None], moved, velocity), np.where(known, turned / elapsed, rate))


@dataclass(frozen=True, slots=True)
class Targets:
    """Actors in range of a sensor: index in the frame, posed mesh, how it lies and moves.

    ``offset``: (K, 3) metres from the sensor in the map's axes; ``matrix``: (K, 3, 3) to the map's axes, at the
    frame's moment.
    """

    index: np.ndarray
    number: np.ndarray
    matrix: np.ndarray
    offset: np.ndarray
    moving: Motion
    palette: np.ndarray

    def corners(self, atlas: BodyAtlas, seconds: float) -> np.ndarray:
        """Return the corners of their boxes ``seconds`` after the frame, (K, 8, 3), from the sensor."""
        low, high = atlas.low[self.number], atlas.high[self.number]
        local = low[:, None] + _CORNERS * (high - low)[:, None]
        at = self.offset + self.moving.velocity * seconds
        return np.asarray(np.einsum("kij,kcj->kci", self.matrix, local) + at[:, None])


def targets_near(
    frame: Frame, moving: Motion, atlas: BodyAtlas, centre: np.ndarray, reach: float, ignored: int = -1
) -> Targets:
    """Return the actors within ``reach`` metres of ``centre`` (3,), map frame, but for the index ``ignored``."""
    actors, placed = frame.actors, atlas.placed(frame)
    away = np.hypot(actors["x"] - centre[0], actors["y"] - centre[1])
    near = away < reach + actors["length"] + actors["height"]
    if ignored >= 0:
        near[ignored] = False
    index = np.flatnonzero(near)
    return Targets(
        index, placed.number[index], placed.matrix[index], placed.offset[index] - centre,
        Motion(moving.velocity[index], moving.rate[index]), placed.palette[index],
    )  # fmt: skip


class RayPicker:
    """Picks the rays of a model that may meet boxes: those in their windows of azimuth and elevation."""

    def __init__(self, model: LidarModel) -> None:
        """Sort the beams by elevation."""
        self._elevations = np.radians(model.elevations_deg[::-1])
        self._azimuths = np.radians(model.azimuths_deg)
        self._columns, self._beams, self._raised = model.columns, model.beams, model.raised

    def pairs(self, corners: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return target (P,) and ray (P,), row * W + column, that may meet.

        ``corners``: (K, C, 3) metres, sensor frame, of everywhere the targets are during the sweep.
        """
        if not len(corners):
            return np.zeros(0, int), np.zeros(0, int)
        x, y, z = corners[..., 0], corners[..., 1], corners[..., 2] - self._raised
        middle = corners[..., :2].mean(axis=1)
        radius = np.linalg.norm(corners[..., :2] - middle[:, None], axis=2).max(axis=1)
        distance = np.linalg.norm(middle, axis=1)
        nearest = np.maximum(distance - radius, 0.05)
        azimuth = np.arctan2(middle[:, 1], middle[:, 0])
        away = (np.arctan2(y, x) - azimuth[:, None] + np.pi) % (2 * np.pi) - np.pi
        margin = 0.004 + 0.05 / nearest
        right, left = away.min(axis=1) - margin, away.max(axis=1) + margin
        around = (distance < radius + 0.5) | (left - right > 1.9 * np.pi)
        right, left = np.where(around, -np.pi, right), np.where(around, np.pi, left)
        far = distance + radius
        low, high = z.min(axis=1), z.max(axis=1)
        bottom = np.minimum(np.arctan2(low, nearest), np.arctan2(low, far)) - margin
        top = np.maximum(np.arctan2(high, nearest), np.arctan2(high, far)) + margin
        first = self._beams - np.searchsorted(self._elevations, top, side="right")
        last = self._beams - np.searchsorted(self._elevations, bottom, side="left")
        return self._grid(azimuth + right, left - right, first, last)

    def _grid(
        self, right: np.ndarray, width: np.ndarray, first: np.ndarray, last: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return the rays of windows: ``width`` radians left of ``right``, rows from ``first`` to before ``last``."""
        rows = np.maximum(last - first, 0)
        target = np.repeat(np.arange(len(rows)), rows)
        row = first[target] + np.arange(len(target)) - np.repeat(np.cumsum(rows) - rows, rows)
        per_radian = self._columns / (2 * np.pi)
        start = (np.pi - (right + width)[target] + self._azimuths[row]) * per_radian
        count = np.minimum((width * per_radian).astype(int) + 2, self._columns)[target]
        line = np.repeat(np.arange(len(target)), count)
        step = np.arange(len(line)) - np.repeat(np.cumsum(count) - count, count)
        column = (np.floor(start).astype(int)[line] + step) % self._columns
        return target[line], row[line] * self._columns + column


def met(
    targets: Targets, atlas: BodyAtlas, target: np.ndarray, origins: np.ndarray, directions: np.ndarray,
    seconds: np.ndarray,
) -> tuple[np.ndarray, Hits]:  # fmt: skip
    """Return which pairs meet (M,), and their hits.

    ``target``: (P,) of each pair, ascending; ``origins``, ``directions``: (3, P) float32 from the sensor, in the map's
    axes; ``seconds``: (P,) when the ray is cast, after the frame.
    """
    inverse = np.linalg.inv(targets.matrix).astype(np.float32)
    offset, velocity = targets.offset.astype(np.float32), targets.moving.velocity.astype(np.float32)
    rate = targets.moving.rate.astype(np.float32)
    start, forward = np.empty_like(origins), np.empty_like(directions)
    bounds = np.searchsorted(target, np.arange(len(targets.index) + 1)).tolist()
    for i, (first, last) in enumerate(pairwise(bounds)):
        if first == last:
            continue
        own, when = slice(first, last), seconds[first:last]
        moved = origins[:, own] - offset[i, :, None] - velocity[i, :, None] * when
        way = directions[:, own]
        if abs(rate[i]) > STRAIGHT:
            moved, way = _turned(moved, -rate[i] * when), _turned(way, -rate[i] * when)
        np.matmul(inverse[i], moved, out=start[:, own])
        np.matmul(inverse[i], way, out=forward[:, own])
    pair, distance, slot, normal = atlas.cast(targets.number[target], start, forward)
    outward = np.einsum("mk,mkj->jm", normal, inverse[target[pair]])
    length = np.sqrt(np.einsum("jm,jm->m", outward, outward))
    cosine = np.abs(np.einsum("mk,km->m", normal, forward.take(pair, axis=1))) / np.maximum(length, np.float32(1e-9))
    material = targets.palette[target[pair], slot]
    return pair, Hits(distance.astype(np.float32), cosine.astype(np.float32), material)


def _turned(vectors: np.ndarray, angle: np.ndarray) -> np.ndarray:
    """Return vectors (3, P) turned about z by angles (P,), radians."""
    cosine, sine = np.cos(angle), np.sin(angle)
    return np.stack([cosine * vectors[0] - sine * vectors[1], sine * vectors[0] + cosine * vectors[1], vectors[2]])
