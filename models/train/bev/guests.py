"""Lets people and vehicles of rare kinds out of other scans stand in a scan (Yan et al. 2018, "SECOND", section 3.2.2).

They keep their distance and height, which decide how densely they are seen, and are turned about the sensor.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np
from scans import FOOT, UNIT, LabelledScan, points_inside, stored_azimuth

from twin_common.core.compiled import kernel
from twin_detection.core.azimuth import azimuth

#: How often each class of scans.CLASSES is drawn.
SHARES = np.array([0.0, 0.1, 0.05, 0.17, 0.25, 0.25, 0.18])
FEWEST = 5  # points of a guest
MEAN_NUMBER = 25.0  # of guests that are tried in a scan; one in six finds room
_FOOT = 0.12  # metres above its foot that are the ground's
_AROUND = 3.0  # metres around a guest in which the ground is looked at
_GAP = 0.3  # metres around a box in which nothing stands
_ELBOW = 0.4  # metres between a guest and anybody
_BEFORE = 0.7  # metres before a guest in which something hides nothing of it
_HIDING = 3  # points before a guest from which on it is hidden


@dataclass(frozen=True, slots=True)
class Guest:
    """``points``: (K, 3) metres, sensor frame; ``ring``: (K,); ``label``: (9,) as of LabelledScan."""

    points: np.ndarray
    ring: np.ndarray
    label: np.ndarray


class Guests:
    """The guests of a set of scans, by sensor and class."""

    def __init__(self, scans: Sequence[LabelledScan]) -> None:
        """Collect everybody of a class that is drawn."""
        self._known: dict[tuple[str, int], list[Guest]] = {}
        for scan in scans:
            labels = scan.labels[(SHARES[scan.labels[:, 7].astype(int)] > 0) & (scan.labels[:, 8] >= FEWEST)]
            points = scan.points * np.float32(UNIT)
            inside, count = points_inside(points, labels, _FOOT)
            for label, own in zip(labels, np.split(inside, np.cumsum(count))[:-1], strict=True):
                if len(own) >= FEWEST:
                    guest = Guest(points[own], scan.ring[own], label)
                    self._known.setdefault((scan.sensor, int(label[7])), []).append(guest)

    def invite(self, scan: LabelledScan, rng: np.random.Generator) -> LabelledScan:
        """Return a scan with some guests where there is room for them and nothing hides them; their points come last.

        Guests hide what is behind them. The earlier scan, which does not know them, is left out.
        """
        room = _Room(scan)
        for kind in rng.choice(len(SHARES), int(rng.poisson(MEAN_NUMBER)), p=SHARES):
            known = self._known.get((scan.sensor, int(kind)))
            if known:
                room.seat(_turned(known[int(rng.integers(len(known)))], float(rng.uniform(-np.pi, np.pi))))
        return room.scan()


class _Room:
    """A scan in which guests take their places."""

    def __init__(self, scan: LabelledScan) -> None:
        points = scan.points * np.float32(UNIT)
        self._scan, self._azimuth, self._points = scan, stored_azimuth(scan.points), points
        self._distance = np.hypot(self._points[:, 0], self._points[:, 1])
        self._left, self._labels = np.ones(len(points), bool), scan.labels.copy()
        self._guests: list[Guest] = []
        self._taken: list[tuple[float, float]] = []

    def seat(self, guest: Guest) -> None:
        """Let a guest in where there is room, nobody else is in the same direction, and nothing is before it."""
        label = guest.label
        range_ = float(np.hypot(label[0], label[1]))
        bearing = float(np.arctan2(label[1], label[0]))
        half = float(np.abs(_wrapped(azimuth(guest.points) - bearing)).max())
        if any(abs(_wrapped(bearing - other)) < half + wide for other, wide in self._taken):
            return
        reach = np.hypot(label[3], label[4]) / 2 + np.hypot(self._labels[:, 3], self._labels[:, 4]) / 2
        if np.any(np.hypot(self._labels[:, 0] - label[0], self._labels[:, 1] - label[1]) < reach + _ELBOW):
            return
        wide = max(half, float(np.arcsin(min(_AROUND / range_, 1.0))))
        if not _has_room(self._points, self._distance, self._sector(bearing, wide), label, range_):
            return
        slopes = guest.points[:, 2] / np.hypot(guest.points[:, 0], guest.points[:, 1])
        low, high = float(slopes.min()), float(slopes.max())
        before, hidden = _in_line(self._points, self._distance, self._sector(bearing, half), label, range_, low, high)
        if before >= _HIDING:
            return
        self._left[hidden] = False
        self._less(self._points[hidden])
        self._labels = np.concatenate([self._labels, label[None]])
        self._guests.append(guest)
        self._taken.append((bearing, half))

    def _sector(self, bearing: float, half: float) -> np.ndarray:
        """Return the indices of the points that are left within an angle of a bearing."""
        turns = bearing + 2 * np.pi * np.array([-1, 0, 1])
        first, last = (np.searchsorted(self._azimuth, (turns + side).astype(np.float32)) for side in (-half, half))
        found = np.concatenate([np.arange(*ends) for ends in zip(first, last, strict=True)])
        return np.asarray(found[self._left[found]])

    def _less(self, hidden: np.ndarray) -> None:
        """Let labels have only those points that are left when some are hidden, (H, 3)."""
        if not len(hidden):
            return
        middle = hidden[:, :2].mean(axis=0)
        spread = np.hypot(*(hidden[:, :2] - middle).T).max()
        near = np.hypot(*(self._labels[:, :2] - middle).T) < spread + self._labels[:, 3]
        self._labels[near, 8] -= points_inside(hidden, self._labels[near], FOOT)[1]

    def scan(self) -> LabelledScan:
        """Return the scan with its guests."""
        guests = [np.round(guest.points / np.float32(UNIT)).astype(np.int16) for guest in self._guests]
        points = np.concatenate([self._scan.points[self._left], *guests])
        ring = np.concatenate([self._scan.ring[self._left], *(guest.ring for guest in self._guests)])
        nobody = self._scan.earlier[:0], self._scan.earlier_ring[:0]
        return replace(
            self._scan, points=points, ring=ring, labels=self._labels, earlier=nobody[0], earlier_ring=nobody[1],
            elapsed=0.0,
        )  # fmt: skip


Angle = TypeVar("Angle", float, np.ndarray)


def _wrapped(angle: Angle) -> Angle:
    return (angle + np.pi) % (2 * np.pi) - np.pi


def _turned(guest: Guest, angle: float) -> Guest:
    """Return a guest turned about the sensor."""
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]], np.float32)
    points, label = guest.points.copy(), guest.label.copy()
    points[:, :2] = points[:, :2] @ turn.T
    label[:2] = turn @ label[:2]
    label[6] += angle
    return Guest(points, guest.ring, label)


@kernel
def _has_room(points: np.ndarray, distance: np.ndarray, around: np.ndarray, label: np.ndarray, range_: float) -> bool:
    """Return whether a place is empty, and its ground as high as a guest's feet; ``around``: the points of a sector."""
    x, y, z, length, width, tall, yaw = label[:7]
    foot, cos, sin, margin = z - tall / 2, np.cos(yaw), np.sin(yaw), _GAP
    ground, count = np.empty(len(around), np.float32), 0
    for place in around:
        if abs(distance[place] - range_) >= _AROUND + length:
            continue
        dx, dy, up = points[place, 0] - x, points[place, 1] - y, points[place, 2]
        along, across = dx * cos + dy * sin, dy * cos - dx * sin
        over = abs(along) < length / 2 + margin and abs(across) < width / 2 + margin
        if over and foot + 0.3 < up < foot + tall + margin:
            return False
        if dx * dx + dy * dy < _AROUND**2:
            ground[count] = up
            count += 1
    return count == 0 or abs(np.quantile(ground[:count], 0.2) - foot) < 0.3


@kernel
def _in_line(
    points: np.ndarray, distance: np.ndarray, beside: np.ndarray, label: np.ndarray, range_: float, low: float,
    high: float,
) -> tuple[int, np.ndarray]:  # fmt: skip
    """Return how many points of a sector are before a guest, and which it hides; ``low``, ``high``: its slopes."""
    foot, before, hidden, count = label[2] - label[5] / 2, 0, np.empty(len(beside), np.int64), 0
    for place in beside:
        if distance[place] < range_ - _BEFORE and points[place, 2] > foot + 0.5:
            before += 1
        if distance[place] > range_ and low <= points[place, 2] / distance[place] <= high:
            hidden[count] = place
            count += 1
    return before, hidden[:count].copy()
