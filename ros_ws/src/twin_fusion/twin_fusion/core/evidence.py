"""What a camera says about an object, and how it changes what a LiDAR says."""

from __future__ import annotations

import numpy as np
from scipy.special import erf

from twin_fusion.core import classes
from twin_fusion.core.class_likelihood import telling

COUNT = classes.COUNT
PERSON = classes.PERSON
UNKNOWN_POSTURE = 0
_CERTAIN = 1e-6  # no probability is nearer to 0 or 1
_REPEATED = 0.9  # what words of earlier frames count, frame by frame: a mean over some ten
_LEAST_ODDS = 0.3  # even a doubtful sight speaks for an object
_VEHICLES = list(classes.VEHICLES)
_OPEN = 0.3  # probability that it is of another class, from which on a LiDAR leaves open which vehicle it is
_ALIKE = 1.0  # logarithms of likelihoods of two classes that differ by less tell nothing: they are not known better
_LEAST_POSTURE = 0.5  # of the most probable posture that is told
_LIDAR_POSTURE = 0.6  # how far a posture that a LiDAR tells is believed

#: How often a camera sees somebody where a LiDAR's person is wrong, measured on scenes for development.
_SEES_WRONG = 0.15
#: A vehicle that is none, or at a wrong place, is mostly a piece of one that the camera sees as well (0.7), so that a
#: sight of one says nothing; of riders a camera sees few, near ones, and the same for long: nothing either.
_SIGHT_IS_MUTE = (*classes.VEHICLES, *classes.RIDERS)
#: Metres within which a place is right: what lies farther apart is not taken for one object; of vehicles, which are one
#: by their footprints, half the length of a car.
_NEAR = np.minimum(classes.MAX_DISTANCE, 2.3)

#: ``identity`` in the scans; ``log_odds`` of existence; ``seen``: whether the camera has seen it. Of the frames so far:
#: ``class_sum`` of the logarithms of the likelihoods of classes, ``class_weight`` how many they are.
EVIDENCE = np.dtype(
    [("identity", "i8"), ("stamp_ns", "i8"), ("log_odds", "f8"), ("seen", "?"), ("class_sum", "f8", COUNT),
     ("class_weight", "f8"), ("posture_probability", "f8", 4), ("colour", "u1", 8)]
)  # fmt: skip


def log_odds(probability: np.ndarray) -> np.ndarray:
    """Return the logarithm of the odds of probabilities."""
    held = np.clip(np.asarray(probability, float), _CERTAIN, 1 - _CERTAIN)
    return np.asarray(np.log(held / (1 - held)))


def from_log_odds(value: np.ndarray) -> np.ndarray:
    """Return the probability of log odds."""
    return np.asarray(1 / (1 + np.exp(-value)))


def missed(existence: np.ndarray, chance: np.ndarray) -> np.ndarray:
    """Return the existence (N,) of objects that another sensor, which sees such with ``chance`` (N,), does not see."""
    left = existence * (1 - chance)
    return np.asarray(left / np.maximum(left + 1 - existence, 1e-9))


def sighted(camera_existence: np.ndarray, chance: np.ndarray, label: np.ndarray) -> np.ndarray:
    """Return the log odds (N,) for objects that a camera sees; 0 where a sight says nothing.

    Args:
        camera_existence: (N,) what the camera says.
        chance: (N,) how often it sees such objects; what it says counts no more than it sees true ones oftener.
        label: (N,) classes.

    """
    most = np.where(np.isin(label, _SIGHT_IS_MUTE), 0.0, np.log(np.maximum(chance / _SEES_WRONG, 1.0)))
    return np.asarray(np.minimum(np.maximum(log_odds(camera_existence), _LEAST_ODDS), most))


def here(existence: np.ndarray, covariance: np.ndarray, label: np.ndarray) -> np.ndarray:
    """Return how probably an object of classes (N,) is within the distance at which views are taken for one, (N,).

    Args:
        existence: (N,) how probably it is anywhere.
        covariance: (N, 2, 2) of its place, square metres.
        label: (N,) classes.

    """
    sigma = np.sqrt(np.maximum(np.linalg.eigvalsh(covariance), _CERTAIN))
    within = erf(_NEAR[label][:, None] / (np.sqrt(2) * sigma)).prod(axis=1)
    return np.asarray(existence * within)


def carry_on(fresh: np.ndarray, old: np.ndarray) -> None:
    """Add to EVIDENCE (N,) of a frame, in place, what earlier frames (M,) said of the classes of the same objects.

    Frames of one camera err alike, so that the mean of what they say counts, not the sum.
    """
    mine, theirs = np.nonzero(fresh["identity"][:, None] == old["identity"][None])
    fresh["class_sum"][mine] += _REPEATED * old["class_sum"][theirs]
    fresh["class_weight"][mine] += _REPEATED * old["class_weight"][theirs]


def joined_classes(own: np.ndarray, likelihood: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Return the classes (N, 10) by Bayes' rule: ``own`` of the LiDAR times the camera's likelihood to a power (N,).

    What the LiDAR calls unknown is ignorance: it is shared out among the classes, but for what the camera calls so too
    (column 0 of ``likelihood``). A camera that knows nothing changes nothing, so that of two objects of which the LiDAR
    is sure none is put behind the other for being seen by the camera. Which vehicle it is a LiDAR measures, so that the
    camera's word for it counts as far as the LiDAR leaves it open. Where the LiDAR has a class of its own, only so much
    of the ratio of another's likelihood to that class's counts as is beyond what a table can tell: where two are as
    probable, a word that fits both does not choose.
    """
    likelihood = likelihood.copy()
    open_ = np.clip((1 - own[:, 1:].max(axis=1, keepdims=True)) / _OPEN, 0.0, 1.0)
    vehicles = likelihood[:, _VEHICLES]
    mean = vehicles.mean(axis=1, keepdims=True)
    likelihood[:, _VEHICLES] = mean * (vehicles / mean) ** open_
    best = own.argmax(axis=1)
    named = best != classes.UNKNOWN
    ratio = np.log(likelihood[:, 1:] / np.where(named, likelihood[np.arange(len(own)), best], 1.0)[:, None])
    ratio = np.where(named[:, None], telling(ratio, _ALIKE), ratio)
    unknown = own[:, classes.UNKNOWN].astype(float)
    left = unknown * likelihood[:, classes.UNKNOWN] ** weight
    product = own[:, 1:].astype(float) + ((unknown - left) / (COUNT - 1))[:, None]
    product *= np.exp(weight[:, None] * ratio)
    product *= ((1 - left) / np.maximum(product.sum(axis=1), 1e-12))[:, None]
    return _no_surer(own, np.concatenate([left[:, None], product], axis=1))


def _no_surer(own: np.ndarray, joined: np.ndarray) -> np.ndarray:
    """Return classes (N, 10) in which what the LiDAR calls a vehicle is one no more surely than to the LiDAR alone.

    A misplaced piece of a car is seen by the camera as well: its word tells which vehicle it is, or that it is none.
    """
    vehicle = np.isin(own.argmax(axis=1), _VEHICLES)
    was, now = own[:, _VEHICLES].sum(axis=1), joined[:, _VEHICLES].sum(axis=1)
    surer = vehicle & (now > was)
    kept = joined * np.where(surer, (1 - was) / np.maximum(1 - now, 1e-12), 1.0)[:, None]
    kept[:, _VEHICLES] = joined[:, _VEHICLES] * np.where(surer, was / np.maximum(now, 1e-12), 1.0)[:, None]
    return np.asarray(kept)


def apply(
    objects: np.ndarray, evidence: np.ndarray, weight: np.ndarray, camera_bit: int, class_weight: float = 1.0
) -> None:
    """Change objects (N,), DetectedObject, in place by EVIDENCE (N,) about each, at ``weight`` (N,) 0..1.

    ``weight`` fades with the age of the evidence; ``class_weight`` is the exponent of likelihoods of classes.
    """
    seen = evidence["seen"] & (weight > 0)
    frames = evidence["class_weight"][seen]
    words = evidence["class_sum"][seen] / np.maximum(frames, 1e-9)[:, None]
    counts = class_weight * weight[seen] * np.minimum(frames, 1.0)
    joined = joined_classes(objects["class_probability"][seen], np.exp(words), counts)
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
