"""What a camera says about an object, and how it changes what a LiDAR says."""

from __future__ import annotations

import numpy as np

from twin_fusion.core import classes

COUNT = classes.COUNT
PERSON = 7
UNKNOWN_POSTURE = 0
_LEAST = 0.01  # no class is ruled out by one sensor alone
_RIDERS = (4, 5, 6)
_RIDER_AS_PERSON = 0.3  # how likely a camera calls a rider a person: of far machines it sees little
_LEAST_POSTURE = 0.5  # of the most probable posture that is told
_LIDAR_POSTURE = 0.6  # how far a posture that a LiDAR tells is believed

#: ``identity`` in the scans; ``log_odds`` of existence; ``weight`` of the camera's classes, 0 where it missed it.
EVIDENCE = np.dtype(
    [("identity", "i8"), ("stamp_ns", "i8"), ("log_odds", "f8"), ("weight", "f8"), ("class_probability", "f8", COUNT),
     ("posture_probability", "f8", 4), ("colour", "u1", 8), ("placed", "?"),
     ("centre", "f8", 2), ("covariance", "f8", (2, 2))]
)  # fmt: skip


def log_odds(probability: np.ndarray) -> np.ndarray:
    """Return the logarithm of the odds of probabilities, kept within 0.02 and 0.98."""
    held = np.clip(np.asarray(probability, float), 0.02, 0.98)
    return np.asarray(np.log(held / (1 - held)))


def from_log_odds(value: np.ndarray) -> np.ndarray:
    """Return the probability of log odds."""
    return np.asarray(1 / (1 + np.exp(-value)))


def missed(existence: np.ndarray, chance: np.ndarray) -> np.ndarray:
    """Return the existence (N,) of objects that another sensor, which sees such with ``chance`` (N,), does not see."""
    left = existence * (1 - chance)
    return np.asarray(left / np.maximum(left + 1 - existence, 1e-9))


def weighted_classes(first: np.ndarray, second: np.ndarray, weights: tuple[np.ndarray, np.ndarray]) -> np.ndarray:
    """Return the classes (N, 10) of two sensors by Bayes' rule, each likelihood to the power of its weight.

    What a sensor calls unknown is ignorance: it is shared out among the classes. Unknown stays what both call so.
    """
    ignorance = [item[:, classes.UNKNOWN].astype(float) for item in (first, second)]
    unknown = ignorance[0] * ignorance[1] ** weights[1]
    likelihood = [
        np.maximum(item[:, 1:].astype(float) + share[:, None] / (COUNT - 1), _LEAST)
        for item, share in zip((first, second), ignorance, strict=True)
    ]
    product = likelihood[0] ** weights[0] * likelihood[1] ** weights[1][:, None]
    product *= ((1 - unknown) / product.sum(axis=1))[:, None]
    return np.concatenate([unknown[:, None], product], axis=1)


def apply(objects: np.ndarray, evidence: np.ndarray, weight: np.ndarray, lidar_weight: float, camera_bit: int) -> None:
    """Change objects (N,), DetectedObject, in place by EVIDENCE (N,) about each, at ``weight`` (N,) 0..1.

    ``weight`` fades with the age of the evidence; ``lidar_weight`` is the exponent of the LiDAR's classes.
    """
    classes_weight = weight * evidence["weight"]
    own = lidar_weight + (1 - lidar_weight) * (1 - weight)
    said = evidence["class_probability"].copy()
    for rider in _RIDERS:
        said[:, rider] = np.maximum(said[:, rider], _RIDER_AS_PERSON * said[:, PERSON])
    fused = weighted_classes(objects["class_probability"], said, (own[:, None], classes_weight))
    seen = evidence["weight"] > 0
    objects["class_probability"][seen] = fused[seen]
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


def join_places(objects: np.ndarray, centre: np.ndarray, covariance: np.ndarray, joined: np.ndarray) -> None:
    """Move objects (N,) in place to where LiDAR and camera together say they are, by the weight of their covariances.

    The errors of the two are independent but for the platform's pose, whose error is small beside the camera's.

    ``centre``: (N, 2), ``covariance``: (N, 2, 2) of the camera at the objects' times; ``joined``: (N,) bool.
    """
    if not joined.any():
        return
    chosen = objects[joined]
    spread = chosen["position_covariance"].astype(float).reshape(-1, 3, 3)
    own = spread[:, :2, :2].copy()
    gain = own @ np.linalg.inv(own + covariance[joined])
    places = np.stack([chosen["x"], chosen["y"]], axis=1)
    places += np.einsum("nij,nj->ni", gain, centre[joined] - places)
    spread[:, :2, :2] = own - gain @ own
    chosen["x"], chosen["y"] = places.T
    chosen["position_covariance"] = spread.reshape(-1, 9)
    objects[joined] = chosen
