"""Lets people and vehicles of rare kinds out of other scans stand in a scan (Yan et al. 2018, "SECOND", section 3.2.2).

They keep their distance and height, which decide how densely they are seen, and are turned about the sensor.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from scans import UNIT, LabelledScan

#: How often each class of scans.CLASSES is drawn.
SHARES = np.array([0.0, 0.1, 0.05, 0.17, 0.25, 0.25, 0.18])
FEWEST = 5  # points of a guest
MEAN_NUMBER = 25.0  # of guests that are tried in a scan; one in six finds room
_MARGIN = 0.1  # metres around a box that are its own
_FOOT = 0.12  # metres above its foot that are the ground's
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
        """Return a scan with some guests where there is room for them and nothing hides them."""
        points, ring, labels = scan.points * np.float32(UNIT), scan.ring, scan.labels
        azimuth = np.arctan2(points[:, 1], points[:, 0])
        distance = np.hypot(points[:, 0], points[:, 1])
        for kind in rng.choice(len(SHARES), int(rng.poisson(MEAN_NUMBER)), p=SHARES):
            known = self._known.get((scan.sensor, int(kind)))
            if not known:
                continue
            guest = _turned(known[int(rng.integers(len(known)))], float(rng.uniform(-np.pi, np.pi)))
            if not _has_room(guest, points, labels):
                continue
            bearing = np.arctan2(guest.label[1], guest.label[0])
            away = np.arctan2(guest.points[:, 1], guest.points[:, 0]) - bearing
            half = np.abs((away + np.pi) % (2 * np.pi) - np.pi).max()
            beside = np.flatnonzero(np.abs((azimuth - bearing + np.pi) % (2 * np.pi) - np.pi) <= half)
            range_ = np.hypot(guest.label[0], guest.label[1])
            foot = guest.label[2] - guest.label[5] / 2
            before = (distance[beside] < range_ - _BEFORE) & (points[beside, 2] > foot + 0.5)
            if np.count_nonzero(before) >= _HIDING:
                continue
            slopes = guest.points[:, 2] / np.hypot(guest.points[:, 0], guest.points[:, 1])
            slope = points[beside, 2] / distance[beside]
            hidden = (distance[beside] > range_) & (slope >= slopes.min()) & (slope <= slopes.max())
            kept = np.ones(len(points), bool)
            kept[beside[hidden]] = False
            points, ring = np.concatenate([points[kept], guest.points]), np.concatenate([ring[kept], guest.ring])
            azimuth = np.concatenate([azimuth[kept], np.arctan2(guest.points[:, 1], guest.points[:, 0])])
            distance = np.concatenate([distance[kept], np.hypot(guest.points[:, 0], guest.points[:, 1])])
            labels = np.concatenate([labels, guest.label[None]])
        whole = np.clip(np.round(points / UNIT), -32767, 32767).astype(np.int16)
        return replace(scan, points=whole, ring=ring, labels=labels)


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


def _has_room(guest: Guest, points: np.ndarray, labels: np.ndarray) -> bool:
    """Return whether nobody is near, the place is empty, and its ground is as high as the guest's feet."""
    label = guest.label
    reach = np.hypot(label[3], label[4]) / 2 + np.hypot(labels[:, 3], labels[:, 4]) / 2
    if np.any(np.hypot(labels[:, 0] - label[0], labels[:, 1] - label[1]) < reach + _ELBOW):
        return False
    foot = label[2] - label[5] / 2
    near = points[_inside(points, label, 3 * _MARGIN)]
    if np.any(near[:, 2] > foot + 0.3):
        return False
    around = points[np.hypot(points[:, 0] - label[0], points[:, 1] - label[1]) < 3.0]
    return len(around) == 0 or abs(float(np.quantile(around[:, 2], 0.2)) - foot) < 0.3
