"""Lets people and vehicles of rare kinds out of other scans stand in a scan (Yan et al. 2018, "SECOND", section 3.2.2).

They keep their distance and height, which decide how densely they are seen, and are turned about the sensor.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from scans import UNIT, LabelledScan, points_inside

#: How often each class of scans.CLASSES is drawn.
SHARES = np.array([0.0, 0.1, 0.05, 0.17, 0.25, 0.25, 0.18])
FEWEST = 5  # points of a guest
MEAN_NUMBER = 25.0  # of guests that are tried in a scan; one in six finds room
_MARGIN = 0.1  # metres around a box that are its own
_FOOT = 0.12  # metres above its foot that are the ground's
_AROUND = 3.0  # metres around a guest in which the ground is looked at
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
            points = scan.points * np.float32(UNIT)
            for label in scan.labels:
                kind = int(label[7])
                if SHARES[kind] == 0 or label[8] < FEWEST:
                    continue
                own = _inside(points, label, _MARGIN) & (points[:, 2] > label[2] - label[5] / 2 + _FOOT)
                if np.count_nonzero(own) >= FEWEST:
                    guest = Guest(points[own], scan.ring[own], label)
                    self._known.setdefault((scan.sensor, kind), []).append(guest)

    def invite(self, scan: LabelledScan, rng: np.random.Generator) -> LabelledScan:
        """Return a scan with some guests where there is room for them and nothing hides them.

        Guests hide what is behind them. The earlier scan, which does not know them, is left out.
        """
        room = _Room(scan)
        for kind in rng.choice(len(SHARES), int(rng.poisson(MEAN_NUMBER)), p=SHARES):
            known = self._known.get((scan.sensor, int(kind)))
            if known:
                room.seat(_turned(known[int(rng.integers(len(known)))], float(rng.uniform(-np.pi, np.pi))))
        return room.scan()


class _Room:
    """A scan in which guests take their places; its points sorted by azimuth."""

    def __init__(self, scan: LabelledScan) -> None:
        points = scan.points * np.float32(UNIT)
        azimuth = np.arctan2(points[:, 1], points[:, 0])
        order = np.argsort(azimuth)
        self._scan, self._azimuth, self._points, self._ring = scan, azimuth[order], points[order], scan.ring[order]
        self._distance = np.hypot(self._points[:, 0], self._points[:, 1])
        self._left, self._labels = np.ones(len(points), bool), scan.labels.copy()
        self._guests: list[Guest] = []
        self._taken: list[tuple[float, float]] = []

    def seat(self, guest: Guest) -> None:
        """Let a guest in where there is room, nobody else is in the same direction, and nothing is before it."""
        label = guest.label
        range_ = float(np.hypot(label[0], label[1]))
        bearing = float(np.arctan2(label[1], label[0]))
        away = _wrapped(np.arctan2(guest.points[:, 1], guest.points[:, 0]) - bearing)
        half = float(np.abs(away).max())
        if any(abs(_wrapped(np.array(bearing - other))) < half + wide for other, wide in self._taken):
            return
        reach = np.hypot(label[3], label[4]) / 2 + np.hypot(self._labels[:, 3], self._labels[:, 4]) / 2
        if np.any(np.hypot(self._labels[:, 0] - label[0], self._labels[:, 1] - label[1]) < reach + _ELBOW):
            return
        around = self._sector(bearing, max(half, float(np.arcsin(min(_AROUND / range_, 1.0)))))
        near = around[np.abs(self._distance[around] - range_) < _AROUND + float(label[3])]
        if not _has_room(label, self._points[near]):
            return
        beside = self._sector(bearing, half)
        distance, up = self._distance[beside], self._points[beside, 2]
        foot = label[2] - label[5] / 2
        if np.count_nonzero((distance < range_ - _BEFORE) & (up > foot + 0.5)) >= _HIDING:
            return
        slopes = guest.points[:, 2] / np.hypot(guest.points[:, 0], guest.points[:, 1])
        slope = up / distance
        hidden = beside[(distance > range_) & (slope >= slopes.min()) & (slope <= slopes.max())]
        self._left[hidden] = False
        self._less(self._points[hidden])
        self._labels = np.concatenate([self._labels, label[None]])
        self._guests.append(guest)
        self._taken.append((bearing, half))

    def _sector(self, bearing: float, half: float) -> np.ndarray:
        """Return the indices of the points that are left within an angle of a bearing."""
        parts = []
        for turn in (-2 * np.pi, 0.0, 2 * np.pi):
            first, last = np.searchsorted(self._azimuth, [bearing + turn - half, bearing + turn + half])
            parts.append(np.arange(first, last))
        found = np.concatenate(parts)
        return np.asarray(found[self._left[found]])

    def _less(self, hidden: np.ndarray) -> None:
        """Let labels have only those points that are left when some are hidden, (H, 3)."""
        if not len(hidden):
            return
        middle = hidden[:, :2].mean(axis=0)
        spread = np.hypot(*(hidden[:, :2] - middle).T).max()
        near = np.hypot(*(self._labels[:, :2] - middle).T) < spread + self._labels[:, 3]
        for i in np.flatnonzero(near):
            self._labels[i, 8] -= points_inside(hidden, self._labels[i])

    def scan(self) -> LabelledScan:
        """Return the scan with its guests."""
        points = np.concatenate([self._points[self._left], *(guest.points for guest in self._guests)])
        ring = np.concatenate([self._ring[self._left], *(guest.ring for guest in self._guests)])
        whole = np.clip(np.round(points / UNIT), -32767, 32767).astype(np.int16)
        nobody = self._scan.earlier[:0], self._scan.earlier_ring[:0]
        return replace(
            self._scan, points=whole, ring=ring, labels=self._labels, earlier=nobody[0], earlier_ring=nobody[1],
            elapsed=0.0,
        )  # fmt: skip


def _wrapped(angle: np.ndarray) -> np.ndarray:
    return np.asarray((angle + np.pi) % (2 * np.pi) - np.pi)


def _inside(points: np.ndarray, label: np.ndarray, margin: float) -> np.ndarray:
    """Return which points (N, 3) are over the ground rectangle of a label and not above it, (N,) bool."""
    dx, dy = points[:, 0] - label[0], points[:, 1] - label[1]
    cos, sin = np.cos(label[6]), np.sin(label[6])
    along, across = dx * cos + dy * sin, dy * cos - dx * sin
    inside = (np.abs(along) < label[3] / 2 + margin) & (np.abs(across) < label[4] / 2 + margin)
    return np.asarray(inside & (points[:, 2] < label[2] + label[5] / 2 + margin))


def _turned(guest: Guest, angle: float) -> Guest:
    """Return a guest turned about the sensor."""
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]], np.float32)
    points, label = guest.points.copy(), guest.label.copy()
    points[:, :2] = points[:, :2] @ turn.T
    label[:2] = turn @ label[:2]
    label[6] += angle
    return Guest(points, guest.ring, label)


def _has_room(label: np.ndarray, points: np.ndarray) -> bool:
    """Return whether a place is empty, and its ground as high as the guest's feet; ``points`` around it."""
    foot = label[2] - label[5] / 2
    near = points[_inside(points, label, 3 * _MARGIN)]
    if np.any(near[:, 2] > foot + 0.3):
        return False
    around = points[np.hypot(points[:, 0] - label[0], points[:, 1] - label[1]) < _AROUND]
    return len(around) == 0 or abs(float(np.quantile(around[:, 2], 0.2)) - foot) < 0.3
