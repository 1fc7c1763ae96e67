"""Which tracks a still platform should see: range, buildings, and large objects in between.

An object that should be seen and is not is probably gone; one behind a bus says nothing by not being seen.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from twin_tracking.config import TrackerConfig
from twin_tracking.core import classes

_CELL = 2.0  # m, of the precomputed lines of sight
_LOW = 1.0  # m above the ground: height to which these go
_SURE = 0.8  # share of the range within which an object must be seen
_HIDDEN_FOUND = 0.02
_REVEALED = 0.5  # share of the probability of being hidden that geometry contradicts at once
_LARGE = 3.0  # m: length from which on a track hides others


@dataclass(frozen=True, slots=True)
class Walls:
    """Sides of buildings: ``start``, ``end`` (S, 2), ``height`` (S,), metres."""

    start: np.ndarray
    end: np.ndarray
    height: np.ndarray

    def near(self, position: np.ndarray, reach: float) -> Walls:
        """Return the walls that have a part within ``reach`` of a position."""
        side = self.end - self.start
        along = ((position[:2] - self.start) * side).sum(axis=1) / np.maximum((side * side).sum(axis=1), 1e-12)
        foot = self.start + np.clip(along, 0, 1)[:, None] * side
        close = np.hypot(*(foot - position[:2]).T) <= reach
        return Walls(self.start[close], self.end[close], self.height[close])

    def hide(self, sensor: np.ndarray, points: np.ndarray) -> np.ndarray:
        """Return which points (P, 3) a wall hides from a sensor (3,), (P,) bool."""
        if not len(self.start) or not len(points):
            return np.zeros(len(points), bool)
        ray, side = (points - sensor)[:, None, :2], (self.end - self.start)[None]
        offset = (self.start - sensor[:2])[None]
        across = ray[..., 0] * side[..., 1] - ray[..., 1] * side[..., 0]
        across = np.where(np.abs(across) < 1e-12, 1e-12, across)
        along_ray = (offset[..., 0] * side[..., 1] - offset[..., 1] * side[..., 0]) / across
        along_side = (offset[..., 0] * ray[..., 1] - offset[..., 1] * ray[..., 0]) / across
        height = sensor[2] + along_ray * (points[:, 2] - sensor[2])[:, None]
        cut = (along_ray > 0) & (along_ray < 1) & (along_side >= 0) & (along_side <= 1) & (height < self.height)
        return np.asarray(cut.any(axis=1))


@dataclass(frozen=True, slots=True)
class Solids:
    """Upright boxes (V,) on the ground: ``x``, ``y``, ``yaw``, ``length``, ``width``, ``top`` and ``owner``."""

    x: np.ndarray
    y: np.ndarray
    yaw: np.ndarray
    length: np.ndarray
    width: np.ndarray
    top: np.ndarray
    owner: np.ndarray

    def hide(self, sensor: np.ndarray, points: np.ndarray, owner: np.ndarray) -> np.ndarray:
        """Return which points (P, 3) of ``owner`` (P,) a solid of somebody else hides from a sensor (3,), (P,) bool."""
        ray, cos, sin = points - sensor, np.cos(self.yaw), np.sin(self.yaw)
        shift_x, shift_y = sensor[0] - self.x, sensor[1] - self.y
        enter, leave = np.zeros((len(ray), len(cos))), np.ones((len(ray), len(cos)))
        for step, start, half in (
            (cos * ray[:, :1] + sin * ray[:, 1:2], cos * shift_x + sin * shift_y, self.length / 2),
            (cos * ray[:, 1:2] - sin * ray[:, :1], cos * shift_y - sin * shift_x, self.width / 2),
        ):
            step = np.where(np.abs(step) < 1e-9, 1e-9, step)
            first, second = (-half - start) / step, (half - start) / step
            enter = np.maximum(enter, np.minimum(first, second))
            leave = np.minimum(leave, np.maximum(first, second))
        lowest = sensor[2] + np.where(ray[:, 2:] > 0, enter, leave) * ray[:, 2:]
        hit = (enter < leave) & (lowest < self.top) & (self.owner != owner[:, None])
        return np.asarray(hit.any(axis=1))


class Visibility:
    """Lines of sight from still platforms, computed once for the buildings."""

    def __init__(self, sensors: Mapping[int, np.ndarray], walls: Walls, config: TrackerConfig) -> None:
        """Take the sensors (3,), map frame, by the platform's bit."""
        self._person, self._vehicle = config.person_range, config.vehicle_range
        self._sensors = dict(sensors)
        self._known = sum(1 << bit for bit in self._sensors)
        reach = max(self._person, self._vehicle)
        side = int(np.ceil(2 * reach / _CELL)) + 1
        steps = (np.arange(side) - side // 2) * _CELL
        x, y = np.meshgrid(steps, steps)
        self._clear: dict[int, np.ndarray] = {}
        for bit, sensor in self._sensors.items():
            near = walls.near(sensor, reach)
            points = np.column_stack([x.ravel() + sensor[0], y.ravel() + sensor[1], np.full(x.size, _LOW)])
            hidden = [near.hide(sensor, points[k : k + 1000]) for k in range(0, len(points), 1000)]
            self._clear[bit] = ~np.concatenate(hidden).reshape(side, side)

    def weigh(self, tracks: np.ndarray, detections: np.ndarray, partner: np.ndarray, found: np.ndarray) -> None:
        """Correct ``found`` (N,), the chance of being detected, of missed tracks (``partner`` -1), and their hiding.

        What no contributing platform could see is expected to be missed; what one must see is not taken for hidden. In
        between, and where a moving platform contributes, nothing is changed.
        """
        rows = np.flatnonzero(partner < 0)
        mask = int(np.bitwise_or.reduce(detections["platforms"])) if len(detections) else 0
        bits = [bit for bit in self._sensors if mask >> bit & 1]
        if not len(rows) or not bits:
            return
        must, could = self.sees(tracks, rows, bits)
        if not mask & ~self._known:
            found[rows[~could]] = np.minimum(found[rows[~could]], _HIDDEN_FOUND)
        revealed = _REVEALED * tracks["hidden"][rows[must]]
        tracks["hidden"][rows[must]] -= revealed
        tracks["visible"][rows[must]] += revealed

    def sees(self, tracks: np.ndarray, rows: np.ndarray, bits: list[int]) -> tuple[np.ndarray, np.ndarray]:
        """Return which ``rows`` (M,) of the tracks one of the platforms ``bits`` must see, and could see, (M,) bool."""
        chosen = tracks[rows]
        place, size = chosen["estimate"][:, :2], chosen["size"]
        small = chosen["class_probability"][:, [classes.CAR, classes.TRUCK, classes.BUS]].sum(axis=1) < 0.5
        reach = np.where(small, self._person, self._vehicle)
        points = np.column_stack([place, chosen["z"] + 0.25 * size[:, 2]])
        large = np.flatnonzero(tracks["confirmed"] & (tracks["size"][:, 0] >= _LARGE))
        body = tracks[large]
        solids = Solids(
            body["estimate"][:, 0], body["estimate"][:, 1], body["yaw"], body["size"][:, 0], body["size"][:, 1],
            body["z"] + body["size"][:, 2] / 2, large,
        )  # fmt: skip
        must, could = np.zeros(len(rows), bool), np.zeros(len(rows), bool)
        for bit in bits:
            sensor, clear = self._sensors[bit], self._clear[bit]
            distance = np.hypot(*(place - sensor[:2]).T)
            cell = np.round((place - sensor[:2]) / _CELL).astype(int) + clear.shape[0] // 2
            inside = ((cell >= 0) & (cell < clear.shape[0])).all(axis=1) & (distance <= reach)
            near = np.flatnonzero(inside & ~must)
            near = near[clear[cell[near, 1], cell[near, 0]]]
            if len(near) and len(large):
                near = near[~solids.hide(sensor, points[near], rows[near])]
            could[near] = True
            must[near[distance[near] <= _SURE * reach[near]]] = True
        return must, could
