"""Seeded scenes with known truth, for tests and the bench."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike

from twin_tracking.core import classes
from twin_tracking.core.detections import Detections

SIZES = {classes.CAR: (4.5, 1.8, 1.5), classes.PEDESTRIAN: (0.6, 0.6, 1.75), classes.BICYCLE: (1.8, 0.6, 1.7)}
START_NS = 1_700_000_000_000_000_000


@dataclass(frozen=True, slots=True)
class Truth:
    """Objects at one moment: ``position``, ``velocity`` (N, 2), ``yaw`` (N,), ``label`` (N,) class."""

    position: np.ndarray
    velocity: np.ndarray
    yaw: np.ndarray
    label: np.ndarray


@dataclass(frozen=True, slots=True)
class Mover:
    """Objects on circles or lines: ``start``, ``velocity`` (N, 2), ``yaw_rate`` (N,), ``label`` (N,)."""

    start: np.ndarray
    velocity: np.ndarray
    yaw_rate: np.ndarray
    label: np.ndarray

    def at(self, time: float | np.ndarray) -> Truth:
        """Return the truth ``time`` seconds after the start, one time for all or one each."""
        heading = np.arctan2(self.velocity[:, 1], self.velocity[:, 0])
        speed = np.hypot(*self.velocity.T)
        yaw = heading + self.yaw_rate * time
        rate = np.where(np.abs(self.yaw_rate) < 1e-6, 1e-6, self.yaw_rate)
        later = heading + rate * time
        moved = np.column_stack([np.sin(later) - np.sin(heading), np.cos(heading) - np.cos(later)])
        velocity = speed[:, None] * np.column_stack([np.cos(yaw), np.sin(yaw)])
        return Truth(self.start + (speed / rate)[:, None] * moved, velocity, yaw, self.label)


def mover(start: ArrayLike, velocity: ArrayLike, yaw_rate: ArrayLike = 0.0, label: ArrayLike = classes.CAR) -> Mover:
    """Return objects from lists, broadcast to one length."""
    start, velocity = np.atleast_2d(np.asarray(start, float)), np.atleast_2d(np.asarray(velocity, float))
    count = max(len(start), len(velocity))
    start, velocity = np.broadcast_to(start, (count, 2)), np.broadcast_to(velocity, (count, 2))
    return Mover(start, velocity, np.broadcast_to(yaw_rate, count), np.broadcast_to(label, count))


def crowd(count: int, rng: np.random.Generator, area: tuple[float, float] = (600.0, 400.0)) -> Mover:
    """Return a district's mixture of parked cars, driving cars and pedestrians, metres."""
    label = np.where(rng.random(count) < 0.5, classes.CAR, classes.PEDESTRIAN)
    speed = np.where(label == classes.CAR, rng.choice([0.0, 8.0, 14.0], count), rng.uniform(0.0, 1.8, count))
    heading = rng.uniform(-np.pi, np.pi, count)
    velocity = speed[:, None] * np.column_stack([np.cos(heading), np.sin(heading)])
    return mover(rng.uniform(0, 1, (count, 2)) * area, velocity, rng.choice([0.0, 0.0, 0.2], count), label)


def detect(truth: Truth, rng: np.random.Generator, sigma: float | np.ndarray = 0.2, miss: float = 0.0,
           time_offset: np.ndarray | float = 0.0, existence: float = 0.9) -> Detections:  # fmt: skip
    """Return noisy detections of the truth; a share ``miss`` is not seen."""
    count = len(truth.position)
    sigma = np.broadcast_to(np.asarray(sigma, float), count)
    covariance = np.zeros((count, 3, 3))
    covariance[:, [0, 1], [0, 1]], covariance[:, 2, 2] = sigma[:, None] ** 2, 0.05**2
    size = np.array([SIZES.get(int(label), (1.0, 1.0, 1.0)) for label in truth.label]).reshape(-1, 3)
    probability = np.full((count, classes.COUNT), 0.2 / (classes.COUNT - 1))
    probability[np.arange(count), truth.label] = 0.8
    flipped = np.where(rng.random(count) < 0.5, np.pi, 0.0)
    found = Detections(
        position=np.column_stack([truth.position + rng.normal(0, 1, (count, 2)) * sigma[:, None], 0.5 * size[:, 2]]),
        covariance=covariance,
        size=size * rng.uniform(0.95, 1.0, (count, 3)),
        yaw=truth.yaw + flipped + rng.normal(0, 0.1, count),
        yaw_variance=np.full(count, 0.1**2),
        velocity=np.full((count, 2), np.nan),
        class_probability=probability,
        existence=np.full(count, existence),
        time_offset=np.broadcast_to(np.asarray(time_offset, float), count).copy(),
        point_count=np.full(count, 100),
        posture=np.zeros(count, np.uint8),
        platforms=np.ones(count, np.uint64),
    )
    return found.take(rng.random(count) >= miss)


def clutter(count: int, rng: np.random.Generator, area: tuple[float, float], existence: float = 0.6) -> Detections:
    """Return false detections, uniform over the area, metres."""
    label = rng.choice([classes.CAR, classes.PEDESTRIAN], count)
    truth = Truth(rng.uniform(0, 1, (count, 2)) * area, np.zeros((count, 2)), rng.uniform(-3, 3, count), label)
    return detect(truth, rng, existence=existence)


def joined(*parts: Detections) -> Detections:
    """Return several arrays as one."""
    names = Detections.__dataclass_fields__
    return Detections(*(np.concatenate([getattr(part, name) for part in parts]) for name in names))


def shuffled(detections: Detections, rng: np.random.Generator) -> Detections:
    """Return the same detections in another order."""
    return replace(detections.take(rng.permutation(len(detections))))
