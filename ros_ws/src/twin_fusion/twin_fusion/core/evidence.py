"""What a camera says about an object, and how it changes what a LiDAR says."""

from __future__ import annotations

import numpy as np

from twin_fusion.core import classes

COUNT = classes.COUNT
PERSON = classes.PERSON
UNKNOWN_POSTURE = 0
_LEAST = 0.001  # no class is ruled out by one sensor alone
_LEAST_POSTURE = 0.5  # of the most probable posture that is told
_LIDAR_POSTURE = 0.6  # how far a posture that a LiDAR tells is believed

#: ``identity`` in the scans; ``log_odds`` of existence; ``seen``: not so where the camera missed it.
EVIDENCE = np.dtype(
    [("identity", "i8"), ("stamp_ns", "i8"), ("log_odds", "f8"), ("seen", "?"), ("class_likelihood", "f8", COUNT),
     ("posture_probability", "f8", 4), ("colour", "u1", 8)]
)  # fmt: skip


def log_odds(probability: np.ndarray) -> np.ndarray:
    """Return the logarithm of the odds of probabilities, kept within 0.001 and 0.999."""
    held = np.clip(np.asarray(probability, float), 0.001, 0.999)
    return np.asarray(np.log(held / (1 - held)))


def from_log_odds(value: np.ndarray) -> np.ndarray:
    """Return the probability of log odds."""
    return np.asarray(1 / (1 + np.exp(-value)))


def missed(existence: np.ndarray, chance: np.ndarray) -> np.ndarray:
    """Return the existence (N,) of objects that another sensor, which sees such with ``chance`` (N,), does not see."""
    left = existence * (1 - chance)
    return np.asarray(left / np.maximum(left + 1 - existence, 1e-9))


def joined_classes(own: np.ndarray, likelihood: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Return the classes (N, 10) by Bayes' rule: ``own`` of the LiDAR times the camera's likelihood to a power (N,).

    What the LiDAR calls unknown is ignorance: it is shared out among the classes, but for what the camera calls so too
    (column 0 of ``likelihood``).
    """
    unknown = own[:, classes.UNKNOWN].astype(float)
    left = unknown * likelihood[:, classes.UNKNOWN] ** weight
    known = np.maximum(own[:, 1:].astype(float) + (unknown / (COUNT - 1))[:, None], _LEAST)
    product = known * likelihood[:, 1:] ** weight[:, None]
    product *= ((1 - left) / product.sum(axis=1))[:, None]
    return np.concatenate([left[:, None], product], axis=1)


def apply(objects: np.ndarray, evidence: np.ndarray, weight: np.ndarray, camera_bit: int) -> None:
    """Change objects (N,), DetectedObject, in place by EVIDENCE (N,) about each, at ``weight`` (N,) 0..1.

    ``weight`` fades with the age of the evidence.
    """
    seen = evidence["seen"] & (weight > 0)
    joined = joined_classes(objects["class_probability"][seen], evidence["class_likelihood"][seen], weight[seen])
    objects["class_probability"][seen] = joined
    objects["classification"] = np.argmax(objects["class_probability"], axis=1)
    odds = log_odds(objects["existence"]) + weight * evidence["log_odds"]
    objects["existence"] = np.where(weight > 0, from_log_odds(odds), objects["existence"])
    objects["sensors"] |= np.where(seen, camera_bit, 0).astype(np.uint8)
    objects["colour"] = np.where(seen[:, None], evidence["colour"], objects["colour"])
    told = posture(objects["posture"], evidence["posture_probability"])
    person = seen & (objects["classification"] == PERSON)
    objects["posture"] = np.where(person, told, objects["posture"])


def posture(lidar: np.ndarray, camera: np.ndarray) -> np.ndarray:
    """Return the posture (N,) of what a LiDAR tells (N,), 0 where nothing, and a camera's probabilities (N, 4)."""
    belief = np.full(camera.shape, (1 - _LIDAR_POSTURE) / 2)
    belief[np.arange(len(lidar)), lidar] = _LIDAR_POSTURE
    belief[lidar == UNKNOWN_POSTURE] = 1 / 3
    joint = camera * belief
    joint[:, UNKNOWN_POSTURE] = 0.0
    total = joint.sum(axis=1)
    ignorant = camera[:, UNKNOWN_POSTURE] > _LEAST_POSTURE
    best = np.argmax(joint, axis=1)
    sure = joint[np.arange(len(lidar)), best] > _LEAST_POSTURE * total
    return np.asarray(np.where(ignorant | ~sure | (total <= 0), lidar, best), np.uint8)
