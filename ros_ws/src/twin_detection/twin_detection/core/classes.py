"""What an object may be, by its size: a table, a likelihood, and the whole box behind the part that is seen."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

UNKNOWN, CAR, TRUCK, BUS, MOTORCYCLE, SCOOTER, BICYCLE, PEDESTRIAN, ANIMAL, DEBRIS = range(10)
COUNT = 10
VEHICLES = (CAR, TRUCK, BUS)


@dataclass(frozen=True, slots=True)
class SizeClass:
    """A class of objects: mean and standard deviation of length, width and height with load or rider, metres.

    ``prior`` is how often it is met, relative to the others; ``solidity`` the mean and standard deviation of the
    share of its silhouette that returns beams, where that tells it from others.
    """

    label: int
    length: tuple[float, float]
    width: tuple[float, float]
    height: tuple[float, float]
    prior: float
    solidity: tuple[float, float] = (0.5, np.inf)


#: Passenger cars and light vans; delivery vans and lorries; city buses; two-wheelers with their riders. Of what is
#: none of the classes: trunks and poles, low walls and hedges, high ones.
SIZES = (
    SizeClass(CAR, (4.3, 0.45), (1.78, 0.15), (1.6, 0.22), 1.0, (0.95, 0.15)),
    SizeClass(TRUCK, (6.5, 1.6), (2.2, 0.25), (2.8, 0.55), 0.25, (0.95, 0.15)),
    SizeClass(BUS, (11.0, 1.5), (2.55, 0.15), (3.2, 0.25), 0.1, (0.95, 0.15)),
    SizeClass(MOTORCYCLE, (2.1, 0.25), (0.8, 0.15), (1.5, 0.2), 0.15, (0.6, 0.15)),
    SizeClass(SCOOTER, (1.15, 0.15), (0.55, 0.1), (1.75, 0.15), 0.1, (0.6, 0.15)),
    SizeClass(BICYCLE, (1.75, 0.2), (0.6, 0.15), (1.7, 0.15), 0.5, (0.6, 0.15)),
    SizeClass(PEDESTRIAN, (0.55, 0.2), (0.5, 0.12), (1.65, 0.2), 1.0),
    SizeClass(ANIMAL, (0.8, 0.25), (0.3, 0.1), (0.6, 0.15), 0.1),
    SizeClass(DEBRIS, (0.5, 0.3), (0.4, 0.25), (0.35, 0.2), 0.1),
    SizeClass(UNKNOWN, (0.6, 0.4), (0.45, 0.25), (3.0, 0.6), 0.5),
    SizeClass(UNKNOWN, (6.0, 3.0), (0.4, 0.25), (0.6, 0.3), 0.3),
    SizeClass(UNKNOWN, (6.0, 3.0), (0.5, 0.3), (2.6, 0.7), 0.3),
)
_MEAN = np.array([[item.length[0], item.width[0], item.height[0]] for item in SIZES])
_SPREAD = np.array([[item.length[1], item.width[1], item.height[1]] for item in SIZES])
_SOLIDITY = np.array([item.solidity for item in SIZES])
#: Solidity is measured roughly: it costs this much at most.
_SOLIDITY_LIMIT = 2.0
_LOG_PRIOR = np.log([item.prior for item in SIZES])
_LABELS = np.array([item.label for item in SIZES])
#: Log likelihood of what fits no row of the table.
_LOG_UNKNOWN = -4.5
#: The side that is seen may be partly hidden: what is missing beyond the first number, in units of the full side,
#: costs as a deviation of the second. The other side may be hidden wholly, for this much.
_SEEN_MISSING = (0.1, 0.2)
_HIDDEN_LIMIT = 1.2
#: A vehicle shows its side more often than its front or rear alone.
_END_ON_COST = 0.7
#: The seen sides of a rectangle blur by about this much, metres.
_BLUR = 0.12


@dataclass(frozen=True, slots=True)
class Classified:
    """``probability``: (C, 10); ``label``: (C,); ``end_on``: (C,) the longer seen side is the object's width."""

    probability: np.ndarray
    label: np.ndarray
    end_on: np.ndarray


def classify(
    longer: np.ndarray, shorter: np.ndarray, height: np.ndarray, solidity: np.ndarray | None = None
) -> Classified:
    """Return the class of what is seen as ``longer`` x ``shorter`` x ``height``, metres, and so solid, each (C,).

    The seen extents are lower bounds of the true ones: excess counts fully, what is missing mildly. Of a
    vehicle seen from its front or rear the longer seen side is its width; the better reading counts.
    """
    side_on = _log_likelihood(np.column_stack([longer, shorter, height]), seen=0)
    end_on = _log_likelihood(np.column_stack([shorter, longer, height]), seen=1) - _END_ON_COST
    best = np.maximum(side_on, end_on) + _LOG_PRIOR
    if solidity is not None:
        best += _solidity_log_likelihood(solidity)
    logits = np.column_stack([np.full(len(best), _LOG_UNKNOWN), best])
    logits -= logits.max(axis=1, keepdims=True) if len(logits) else 0.0
    weight = np.exp(logits)
    weight /= weight.sum(axis=1, keepdims=True)
    probability = np.zeros((len(best), COUNT))
    np.add.at(probability.T, np.concatenate([[UNKNOWN], _LABELS]), weight.T)
    label = probability.argmax(axis=1) if len(best) else np.zeros(0, int)
    row = np.maximum(label - 1, 0)
    picked = np.arange(len(best))
    return Classified(probability, label, (end_on > side_on)[picked, row] & (label != UNKNOWN))


def _log_likelihood(extents: np.ndarray, seen: int) -> np.ndarray:
    """Return how well (C, 3) length, width, height fit each row, (C, K); side ``seen``, 0 or 1, faces the sensor."""
    difference = extents[:, None] - _MEAN[None]
    spread = np.hypot(_SPREAD, _BLUR)[None]
    cost = 0.5 * (np.maximum(difference, 0) / spread) ** 2
    missing = np.maximum(-difference - _SPREAD[None], 0) / _MEAN[None]
    allowed, deviation = _SEEN_MISSING
    cost[:, :, seen] += 0.5 * (np.maximum(missing[:, :, seen] - allowed, 0) / deviation) ** 2
    cost[:, :, 1 - seen] += _HIDDEN_LIMIT * missing[:, :, 1 - seen] ** 2
    cost[:, :, 2] += 0.5 * (np.minimum(difference[:, :, 2], 0) / spread[:, :, 2]) ** 2
    return np.asarray(-cost.sum(axis=2))


def _solidity_log_likelihood(solidity: np.ndarray) -> np.ndarray:
    """Return how well (C,) solidities fit each row, (C, K); closed bodies may return any number above the mean."""
    mean, spread = _SOLIDITY.T
    deviation = (np.minimum(solidity, 1.0)[:, None] - mean) / spread
    return np.asarray(-np.minimum(0.5 * deviation**2, _SOLIDITY_LIMIT))


def typical_size(probability: np.ndarray) -> np.ndarray:
    """Return the expected length, width and height of (C, 10) class probabilities, (C, 3); NaN for unknown.

    Between cars and larger vehicles sizes pass gradually, so that theirs is the mean over the vehicle classes;
    otherwise it is that of the most probable class.
    """
    table = np.full((COUNT, 3), np.nan)
    known = _LABELS != UNKNOWN
    table[_LABELS[known]] = _MEAN[known]
    label = probability.argmax(axis=1) if len(probability) else np.zeros(0, int)
    size: np.ndarray = table[label]
    vehicle = np.isin(label, VEHICLES)
    weight = probability[vehicle][:, VEHICLES]
    size[vehicle] = weight @ table[list(VEHICLES)] / weight.sum(axis=1, keepdims=True)
    return size
