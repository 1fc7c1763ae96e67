"""Which objects of two platforms are one and the same."""

from __future__ import annotations

from typing import Protocol

import numpy as np
from scipy.optimize import linear_sum_assignment

from twin_fusion.core import classes

_FORBIDDEN = 1e6
CAMERA_ONLY = 2  # DetectedObject.sensors of what no LiDAR has measured


class PairingSettings(Protocol):
    """When two platforms are taken to see the same object; see ``config.PairingConfig``."""

    @property
    def sigma_floor(self) -> float:
        """Metres."""

    @property
    def view_bias(self) -> float:
        """Share of the extent."""

    @property
    def gate(self) -> float:
        """Squared Mahalanobis distance."""

    @property
    def margin(self) -> float:
        """Metres."""

    @property
    def person_distance(self) -> float:
        """Metres."""

    @property
    def min_agreement(self) -> float:
        """0..1."""


def pair(
    first: np.ndarray, first_times: np.ndarray, second: np.ndarray, second_times: np.ndarray, settings: PairingSettings
) -> np.ndarray:
    """Return index pairs (P, 2) of objects that two platforms both see: the cheapest overall assignment.

    ``first``: (N,), ``second``: (M,) with the fields of twin_msgs/DetectedObject, same frame;
    ``first_times``, ``second_times``: when each was measured, seconds on a common scale.
    """
    near = _near(first, first_times, second, second_times, settings)
    if not len(near):
        return near
    costs = _costs(first[near[:, 0]], second[near[:, 1]], second_times[near[:, 1]] - first_times[near[:, 0]], settings)
    possible: np.ndarray = near[np.isfinite(costs)]
    if not len(possible):
        return possible
    rows, row_of = np.unique(possible[:, 0], return_inverse=True)
    columns, column_of = np.unique(possible[:, 1], return_inverse=True)
    table = np.full((len(rows), len(columns)), _FORBIDDEN)
    table[row_of, column_of] = costs[np.isfinite(costs)]
    chosen = linear_sum_assignment(table)
    kept = table[chosen] < _FORBIDDEN
    return np.stack([rows[chosen[0][kept]], columns[chosen[1][kept]]], axis=1)


def _near(
    first: np.ndarray, first_times: np.ndarray, second: np.ndarray, second_times: np.ndarray, settings: PairingSettings
) -> np.ndarray:
    """Return pairs (P, 2) whose circles around the footprints touch, time between them allowed for; a sweep along x."""
    if not len(first) or not len(second):
        return np.zeros((0, 2), int)
    radii = [0.5 * np.hypot(view["length"], view["width"]).astype(float) for view in (first, second)]
    for radius, view in zip(radii, (first, second), strict=True):
        radius += blur(view)
    spare = settings.margin + _spread(first_times, second_times) * 2 * classes.TOP_SPEED.max()
    x, y = (np.concatenate([first[name], second[name]]) for name in ("x", "y"))
    mine, other = slice(None, len(first)), slice(len(first), None)
    order = np.argsort(x[other])
    reach = radii[0] + radii[1].max() + spare
    begin, end = (np.searchsorted(x[other][order], x[mine] + sign * reach) for sign in (-1, 1))
    counts = end - begin
    rows = np.repeat(np.arange(len(first)), counts)
    offsets = np.arange(len(rows)) - np.repeat(np.cumsum(counts) - counts, counts)
    columns = order[np.repeat(begin, counts) + offsets]
    distance = np.hypot(x[mine][rows] - x[other][columns], y[mine][rows] - y[other][columns])
    near = distance <= radii[0][rows] + radii[1][columns] + spare
    return np.stack([rows[near], columns[near]], axis=1)


def _spread(first_times: np.ndarray, second_times: np.ndarray) -> float:
    """Return the longest time between a measurement of the first and one of the second, seconds."""
    return float(max(first_times.max() - second_times.min(), second_times.max() - first_times.min(), 0.0))


def mean_velocity(first: np.ndarray, second: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the velocity of pairs (P, 2), m/s, and whether it is known (P,); zero where it is not."""
    both = np.stack([np.stack([view["velocity_x"], view["velocity_y"]], axis=1) for view in (first, second)])
    measured = np.isfinite(both).all(axis=2)
    number = measured.sum(axis=0)
    total = np.where(measured[:, :, None], both, 0.0).sum(axis=0, dtype=float)
    return total / np.maximum(number, 1)[:, None], number > 0


def drift(first: np.ndarray, second: np.ndarray, elapsed: np.ndarray, velocity_known: np.ndarray) -> np.ndarray:
    """Return how far the objects of pairs may have moved unseen, (P,) metres."""
    top = np.minimum(classes.TOP_SPEED[first["classification"]], classes.TOP_SPEED[second["classification"]])
    return np.where(velocity_known, 0.0, top * np.abs(elapsed))


def blur(view: np.ndarray) -> np.ndarray:
    """Return how far the footprints of objects (N,) that only cameras see may be off, metres: two deviations."""
    spread = view["position_covariance"].astype(float).reshape(-1, 3, 3)
    wide = np.sqrt(np.maximum(spread[:, 0, 0], spread[:, 1, 1]))
    return np.where(view["sensors"] == CAMERA_ONLY, 2 * wide, 0.0)


def _costs(first: np.ndarray, second: np.ndarray, elapsed: np.ndarray, settings: PairingSettings) -> np.ndarray:
    """Return the cost of pairs (P,): squared Mahalanobis distance and class disagreement; inf: impossible."""
    velocity, known = mean_velocity(first, second)
    apart = np.stack([second["x"] - first["x"], second["y"] - first["y"]], axis=1) - velocity * elapsed[:, None]
    unseen = drift(first, second, elapsed, known)
    spare = unseen + blur(first) + blur(second)
    larger = np.where(second["length"] * second["width"] > first["length"] * first["width"], second, first)
    smaller_yaw = np.where(larger["yaw"] == first["yaw"], second["yaw"], first["yaw"])
    cos, sin = np.cos(larger["yaw"]), np.sin(larger["yaw"])
    along, across = apart[:, 0] * cos + apart[:, 1] * sin, apart[:, 1] * cos - apart[:, 0] * sin
    extents = _joint_half_extents(first, second, larger, smaller_yaw)
    distance = _mahalanobis(first, second, apart, larger, unseen, settings)
    agreement = np.einsum(
        "pi,ij,pj->p", first["class_probability"].astype(float), classes.AGREEMENT, second["class_probability"]
    )
    limit = np.minimum(classes.MAX_DISTANCE[first["classification"]], classes.MAX_DISTANCE[second["classification"]])
    person = (first["classification"] == classes.PERSON) | (second["classification"] == classes.PERSON)
    person &= (first["sensors"] != CAMERA_ONLY) & (second["sensors"] != CAMERA_ONLY)
    limit = np.where(person, np.minimum(limit, settings.person_distance), limit)
    spare = np.where(person & (settings.person_distance <= 0), -np.inf, spare)
    possible = (
        (distance <= settings.gate)
        & (np.abs(along) <= extents[:, 0] + settings.margin + spare)
        & (np.abs(across) <= extents[:, 1] + settings.margin + spare)
        & (np.hypot(along, across) <= limit + spare)
        & (agreement >= settings.min_agreement)
    )
    return np.where(possible, distance - 2 * np.log(np.maximum(agreement, 1e-6)), np.inf)


def _joint_half_extents(
    first: np.ndarray, second: np.ndarray, larger: np.ndarray, smaller_yaw: np.ndarray
) -> np.ndarray:
    """Return half the sum of both footprints' extents along the axes of the larger one, (P, 2) metres."""
    total_length, total_width = first["length"] + second["length"], first["width"] + second["width"]
    length, width = total_length - larger["length"], total_width - larger["width"]
    cos, sin = np.abs(np.cos(smaller_yaw - larger["yaw"])), np.abs(np.sin(smaller_yaw - larger["yaw"]))
    halves = [larger["length"] + cos * length + sin * width, larger["width"] + sin * length + cos * width]
    return 0.5 * np.stack(halves, axis=1)


def _mahalanobis(
    first: np.ndarray, second: np.ndarray, apart: np.ndarray, larger: np.ndarray, unseen: np.ndarray,
    settings: PairingSettings,
) -> np.ndarray:  # fmt: skip
    """Return the squared distance of pairs (P,) in units of both views' errors and one-sidedness."""
    spread = (
        (first["position_covariance"].astype(float) + second["position_covariance"]).reshape(-1, 3, 3)[:, :2, :2].copy()
    )
    axis = np.stack([np.cos(larger["yaw"]), np.sin(larger["yaw"])], axis=1)
    normal = np.stack([-axis[:, 1], axis[:, 0]], axis=1)
    for direction, extent in ((axis, larger["length"]), (normal, larger["width"])):
        bias = np.square(settings.view_bias * extent)
        spread += bias[:, None, None] * direction[:, :, None] * direction[:, None, :]
    spread += (2 * settings.sigma_floor**2 + np.square(unseen / 2))[:, None, None] * np.eye(2)
    return np.asarray(np.einsum("pi,pi->p", apart, np.linalg.solve(spread, apart[:, :, None])[:, :, 0]))
