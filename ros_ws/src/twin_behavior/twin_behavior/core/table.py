"""The behaviours as a table of ranges, and how well a motion fits each row."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from scipy.special import ndtr

from twin_behavior.config import BehaviorConfig

(UNKNOWN, STANDING, WALKING, RUNNING, LYING, STOPPED, STARTING, MOVING, STOPPING, TURNING_LEFT, TURNING_RIGHT) = range(
    11
)
KINDS = 11
AT_REST = (STANDING, LYING, STOPPED)
PEOPLE = (7, 8)  # pedestrians, animals
DRIVEN = (1, 2, 3, 4, 5, 6)  # vehicles, riders
LYING_POSTURE = 3
ANY = (-np.inf, np.inf)

Range = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Motions:
    """What is known of N tracks at one moment; all (N,): speed m/s and turn rate rad/s, with sigmas."""

    track_id: np.ndarray
    classification: np.ndarray
    posture: np.ndarray
    speed: np.ndarray
    speed_sigma: np.ndarray
    turn_rate: np.ndarray
    turn_rate_sigma: np.ndarray

    def __len__(self) -> int:
        return len(self.track_id)


@dataclass(frozen=True, slots=True)
class Row:
    """One behaviour: of which classes, and in which ranges of speed, acceleration and turn rate."""

    kind: int
    classes: tuple[int, ...]
    speed: Range = field(default=ANY)
    acceleration: Range = field(default=ANY)
    turn_rate: Range = field(default=ANY)


def behavior_table(c: BehaviorConfig) -> tuple[Row, ...]:
    """Return the rows in order: each takes its share of what those before it have left."""
    top = np.inf
    return (
        Row(STARTING, PEOPLE, (0.5 * c.standing_speed, c.person_change_speed), (c.person_acceleration, top)),
        Row(STOPPING, PEOPLE, (0.5 * c.standing_speed, c.person_change_speed), (-top, -c.person_acceleration)),
        Row(STANDING, PEOPLE, (-top, c.standing_speed)),
        Row(RUNNING, PEOPLE, (c.running_speed, top)),
        Row(WALKING, PEOPLE),
        Row(STARTING, DRIVEN, (0.5 * c.stopped_speed, c.vehicle_change_speed), (c.vehicle_acceleration, top)),
        Row(STOPPING, DRIVEN, (0.5 * c.stopped_speed, c.vehicle_change_speed), (-top, -c.vehicle_acceleration)),
        Row(STOPPED, DRIVEN, (-top, c.stopped_speed)),
        Row(TURNING_LEFT, DRIVEN, (c.turn_speed, top), turn_rate=(c.turn_rate, top)),
        Row(TURNING_RIGHT, DRIVEN, (c.turn_speed, top), turn_rate=(-top, -c.turn_rate)),
        Row(MOVING, DRIVEN),
    )


def probabilities(motions: Motions, acceleration: np.ndarray, config: BehaviorConfig) -> np.ndarray:
    """Return the probability of each behaviour, (N, 11), rows summing to 1.

    A value is in a range with the probability that its Gaussian has there; values are taken as independent.
    """
    remaining = np.ones(len(motions))
    result = np.zeros((len(motions), KINDS))
    lying = np.isin(motions.classification, PEOPLE) & (motions.posture == LYING_POSTURE)
    result[:, LYING] = np.where(lying, config.lying_probability, 0.0)
    remaining -= result[:, LYING]
    for row in behavior_table(config):
        share = (
            _within(motions.speed, np.maximum(motions.speed_sigma, config.speed_sigma), row.speed)
            * _within(acceleration, np.full(len(motions), config.acceleration_sigma), row.acceleration)
            * _within(motions.turn_rate, np.maximum(motions.turn_rate_sigma, config.turn_rate_sigma), row.turn_rate)
            * np.isin(motions.classification, row.classes)
        )
        result[:, row.kind] += remaining * share
        remaining = remaining * (1 - share)
    result[:, UNKNOWN] = remaining
    return result


def _within(value: np.ndarray, sigma: np.ndarray, limits: Range) -> np.ndarray:
    if limits == ANY:
        return np.ones(len(value))
    return np.asarray(ndtr((limits[1] - value) / sigma) - ndtr((limits[0] - value) / sigma))
