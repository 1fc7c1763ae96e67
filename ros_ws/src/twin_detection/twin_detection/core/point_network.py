"""Reads what the network says of clusters: class, existence, posture, box and covariance."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from scipy.special import softmax

from twin_detection.core.classes import PEDESTRIAN
from twin_detection.core.cluster_features import ClusterFeatures
from twin_detection.core.reliability import Reliability

#: Order of the network's classes: those of ObjectClass, then no object at all, several with a vehicle among them, and
#: several people.
CLASSES, NOTHING, SEVERAL, CROWD = 13, 10, 11, 12
#: Columns of the network's answer: classes, postures, then place along and across the view, logarithms of the size,
#: twice the heading from the view as a vector whose length tells how sure, and the Cholesky factor of the place.
POSTURES = 3
COLUMNS = CLASSES + POSTURES + 2 + 3 + 2 + 3
_LOWEST, _HIGHEST = -4.0, 1.5  # of logarithms of standard deviations
_FLOATING = 1.0  # m above the ground: what begins higher hangs or flies

Network = Callable[[np.ndarray, np.ndarray], np.ndarray]


@dataclass(frozen=True, slots=True)
class Calibration:
    """Numbers fitted on scenes that were not trained on: ``temperature`` of classes, ``spread`` of places.

    ``reliability``: of what is detected with the network.
    """

    temperature: float = 1.0
    spread: float = 1.0
    heading: float = 1.0
    reliability: Reliability = field(default_factory=Reliability)


@dataclass(frozen=True, slots=True)
class Estimates:
    """What is said of C clusters: level frame, metres and radians.

    ``probability``: (C, 13) of CLASSES; ``posture``: (C, 3); ``centre``: (C, 3); ``size``: (C, 3); ``yaw``: (C,);
    ``covariance``: (C, 2, 2) of the centre seen from above; ``yaw_variance``: (C,), a heading and its reverse one.
    """

    probability: np.ndarray
    posture: np.ndarray
    centre: np.ndarray
    size: np.ndarray
    yaw: np.ndarray
    covariance: np.ndarray
    yaw_variance: np.ndarray

    def __len__(self) -> int:
        return len(self.yaw)

    def select(self, rows: np.ndarray) -> Estimates:
        """Return some of them, by mask or by index."""
        return Estimates(*(getattr(self, name)[rows] for name in self.__dataclass_fields__))

    def joined(self, other: Estimates) -> Estimates:
        """Return these, then others."""
        names = self.__dataclass_fields__
        return Estimates(*(np.concatenate([getattr(self, name), getattr(other, name)]) for name in names))

    @property
    def existence(self) -> np.ndarray:
        """Probability that a cluster is an object, or several, (C,)."""
        return np.asarray(1.0 - self.probability[:, NOTHING])

    @property
    def several(self) -> np.ndarray:
        """Probability that a cluster holds several objects, (C,)."""
        return np.asarray(self.probability[:, SEVERAL] + self.probability[:, CROWD])

    @property
    def classes(self) -> np.ndarray:
        """Probabilities of ObjectClass, (C, 10); several people who cannot be parted are somebody."""
        known = self.probability[:, :NOTHING].copy()
        known[:, PEDESTRIAN] += self.probability[:, CROWD]
        return np.asarray(known / np.maximum(known.sum(axis=1, keepdims=True), 1e-9))


def estimate(network: Network, features: ClusterFeatures, calibration: Calibration) -> Estimates:
    """Return what the network says of clusters."""
    answer = network(features.points, features.scalars).astype(np.float64) if len(features) else np.zeros((0, COLUMNS))
    return decoded(answer, features, calibration)


def decoded(answer: np.ndarray, features: ClusterFeatures, calibration: Calibration) -> Estimates:
    """Return the meaning of a network's answer, (C, COLUMNS)."""
    if answer.shape != (len(features), COLUMNS):
        raise ValueError(f"answer: expected {(len(features), COLUMNS)}, got {answer.shape}")
    logits, posture, place, size, turn, factor = np.split(answer, np.cumsum([CLASSES, POSTURES, 2, 3, 2]), axis=1)
    cos, sin = np.cos(features.bearing), np.sin(features.bearing)
    x = features.origin[:, 0] + place[:, 0] * cos - place[:, 1] * sin
    y = features.origin[:, 1] + place[:, 0] * sin + place[:, 1] * cos
    size = np.exp(np.clip(size, -2.5, 3.2))
    bottom = features.scalars[:, 7].astype(float) if len(features) else np.zeros(0)
    z = features.ground + np.where(bottom > _FLOATING, bottom, 0.0) + size[:, 2] / 2
    sure = np.hypot(turn[:, 0], turn[:, 1])
    yaw = features.bearing + 0.5 * np.arctan2(turn[:, 1], turn[:, 0])
    return Estimates(
        softmax(logits / calibration.temperature, axis=1), softmax(posture, axis=1), np.column_stack([x, y, z]), size,
        np.mod(yaw + np.pi / 2, np.pi) - np.pi / 2, _covariance(factor, cos, sin) * calibration.spread**2,
        np.minimum(heading_variance(sure) * calibration.heading, np.pi**2 / 12),
    )  # fmt: skip


def heading_variance(sure: np.ndarray) -> np.ndarray:
    """Return the variance of headings whose doubles have a von Mises distribution of (C,) concentrations, rad²."""
    # Ratio of Bessel functions I1/I0 by the lower bound of Amos (1974).
    length = sure / (0.5 + np.sqrt(sure**2 + 2.25))
    return np.asarray(np.minimum(-0.5 * np.log(np.clip(length, 1e-6, 1 - 1e-9)), np.pi**2 / 12))


def _covariance(factor: np.ndarray, cos: np.ndarray, sin: np.ndarray) -> np.ndarray:
    """Return the covariances of places in the level frame, (C, 2, 2), of factors [[a, 0], [c, b]]: log a, log b, c."""
    along, across = np.exp(np.clip(factor[:, 0], _LOWEST, _HIGHEST)), np.exp(np.clip(factor[:, 1], _LOWEST, _HIGHEST))
    lower = np.zeros((len(factor), 2, 2))
    lower[:, 0, 0], lower[:, 1, 0], lower[:, 1, 1] = along, np.clip(factor[:, 2], -3.0, 3.0), across
    turn = np.stack([np.stack([cos, -sin], axis=1), np.stack([sin, cos], axis=1)], axis=1)
    root = turn @ lower
    return np.asarray(root @ root.transpose(0, 2, 1))
