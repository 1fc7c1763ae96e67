"""Reads what the network says of clusters: class, existence, posture, box and covariance."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from twin_common.core.compiled import kernel
from twin_detection.core.classes import PEDESTRIAN
from twin_detection.core.cluster_features import BOTTOM, ClusterFeatures
from twin_detection.core.reliability import Reliability

#: Order of the network's classes: those of ObjectClass, then no object at all, several with a vehicle among them, and
#: several people.
CLASSES, NOTHING, SEVERAL, CROWD = 13, 10, 11, 12
#: Columns of the network's answer: classes, postures, then place along and across the view, logarithms of the size,
#: twice the heading from the view as a vector whose length tells how sure, and the Cholesky factor of the place.
POSTURES = 3
_BOX = CLASSES + POSTURES
COLUMNS = _BOX + 2 + 3 + 2 + 3
_LOWEST, _HIGHEST = -4.0, 1.5  # of logarithms of standard deviations
_ANY_HEADING = np.pi**2 / 12  # variance of a heading of which nothing is known, it and its reverse being one, rad²
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
    answer = network(features.points, features.scalars) if len(features) else np.zeros((0, COLUMNS), np.float32)
    return decoded(answer, features, calibration)


def decoded(answer: np.ndarray, features: ClusterFeatures, calibration: Calibration) -> Estimates:
    """Return the meaning of a network's answer, (C, COLUMNS)."""
    if answer.shape != (len(features), COLUMNS):
        raise ValueError(f"answer: expected {(len(features), COLUMNS)}, got {answer.shape}")
    known = np.column_stack([features.origin, features.bearing, features.ground, features.scalars[:, BOTTOM]])
    factors = calibration.temperature, calibration.spread, calibration.heading
    return Estimates(*_decoded(answer, known, *map(float, factors)))


@kernel
def _decoded(
    answer: np.ndarray, known: np.ndarray, temperature: float, spread: float, heading: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Return the fields of Estimates; ``known``: (C, 5) origin, bearing, ground and bottom of each cluster."""
    count = len(answer)
    probability, posture = np.empty((count, CLASSES)), np.empty((count, POSTURES))
    centre, size, covariance = np.empty((count, 3)), np.empty((count, 3)), np.empty((count, 2, 2))
    yaw, sure = np.empty(count), np.empty(count)
    for number in range(count):
        said = answer[number].astype(np.float64)
        x, y, view, ground, bottom = known[number]
        _softmax(said[:CLASSES] / temperature, probability[number])
        _softmax(said[CLASSES:_BOX], posture[number])
        ahead, left, length, width, height, cosine, sine, along, across, skew = said[_BOX:]
        for axis, extent in enumerate((length, width, height)):
            size[number, axis] = np.exp(min(max(extent, -2.5), 3.2))
        cos, sin = np.cos(view), np.sin(view)
        centre[number, 0], centre[number, 1] = x + ahead * cos - left * sin, y + ahead * sin + left * cos
        centre[number, 2] = ground + (bottom if bottom > _FLOATING else 0.0) + size[number, 2] / 2
        sure[number] = np.hypot(cosine, sine)
        yaw[number] = (view + 0.5 * np.arctan2(sine, cosine) + np.pi / 2) % np.pi - np.pi / 2
        # The factor [[a, 0], [c, b]] of the covariance along the view, turned into the level frame.
        a, b = np.exp(min(max(along, _LOWEST), _HIGHEST)) * spread, np.exp(min(max(across, _LOWEST), _HIGHEST)) * spread
        c = min(max(skew, -3.0), 3.0) * spread
        first, second = (cos * a - sin * c, -sin * b), (sin * a + cos * c, cos * b)
        covariance[number, 0, 0] = first[0] ** 2 + first[1] ** 2
        covariance[number, 1, 1] = second[0] ** 2 + second[1] ** 2
        covariance[number, 0, 1] = covariance[number, 1, 0] = first[0] * second[0] + first[1] * second[1]
    yaw_variance = np.minimum(heading_variance(sure) * heading, _ANY_HEADING)
    return probability, posture, centre, size, yaw, covariance, yaw_variance


@kernel
def _softmax(logits: np.ndarray, probability: np.ndarray) -> None:
    probability[:] = np.exp(logits - logits.max())
    probability /= probability.sum()


@kernel
def heading_variance(sure: np.ndarray) -> np.ndarray:
    """Return the variance of headings whose doubles have a von Mises distribution of (C,) concentrations, rad²."""
    # Ratio of Bessel functions I1/I0 by the lower bound of Amos (1974).
    length = sure / (0.5 + np.sqrt(sure**2 + 2.25))
    variance: np.ndarray = np.minimum(-0.5 * np.log(np.minimum(np.maximum(length, 1e-6), 1 - 1e-9)), _ANY_HEADING)
    return variance
