"""How probable it is that a cluster is an object, and not a wall, a pole or a bush."""

from __future__ import annotations

import numpy as np

from twin_detection.core.classes import VEHICLES, Classified
from twin_detection.core.clusters import Clusters
from twin_detection.core.detections import Detections
from twin_detection.core.shape import Shape

_MAX_EXTENT = 16.0
#: Nobody stands with the middle of the body so close to a vehicle's side, metres.
_BESIDE = 0.12
#: Vehicles whose distance from side to centre is less than this share of a width cannot both be there.
_OVERLAP = 0.35


def plausible_extent(xy: np.ndarray, clusters: Clusters) -> np.ndarray:
    """Return which clusters are not larger than the largest vehicle, (C,) bool."""
    extents = [clusters.maximum(xy[:, axis]) - clusters.minimum(xy[:, axis]) for axis in (0, 1)]
    return np.asarray(np.hypot(*extents) < _MAX_EXTENT)


def _ramp(value: np.ndarray, low: float, high: float) -> np.ndarray:
    return np.clip((value - low) / (high - low), 0.0, 1.0)


def existence(rectangles: np.ndarray, form: Shape, classified: Classified, point_count: np.ndarray) -> np.ndarray:
    """Return the probability that each cluster is an object, (C,).

    A logistic score over what can be said without learning: a known size, enough points, contact with the
    ground. A vehicle on the move must also return what closed bodywork returns (a bush does not), along its
    outline, and end below the highest beams (a wall does not), unless it is plainly a box.

    Args:
        rectangles: (C, 5) seen rectangles.
        form: shapes of the clusters.
        classified: their classes.
        point_count: (C,).

    """
    known = 1.0 - classified.probability[:, 0]
    vehicle = np.isin(classified.label, VEHICLES)
    points = _ramp(np.log(np.maximum(point_count, 1)), np.log(5), np.log(40))
    floating = _ramp(form.bottom, 0.6, 1.1)
    score = 3.0 * (known - 0.6) + 1.5 * points - 2.5 * floating
    boxy = _ramp(rectangles[:, 3], 1.3, 1.8) * _ramp(form.outline, 0.4, 0.7)
    evidence = 4.0 * (_ramp(form.solidity, 0.45, 0.75) - 0.5) + 3.5 * (_ramp(form.outline, 0.1, 0.4) - 1.0)
    score += np.where(vehicle, evidence - 4.0 * form.cut_off * (1.0 - boxy), 0.0) - 1.0
    return np.asarray(1.0 / (1.0 + np.exp(-score)))


def parts_of_vehicles(found: Detections) -> np.ndarray:
    """Return which objects are pieces of a vehicle with more points, (C,) bool.

    Those whose centre lies in its box or hardly beside it, and other vehicles that would have to stand in it.
    """
    is_vehicle = np.isin(found.label, VEHICLES)
    vehicle = np.flatnonzero(is_vehicle)
    margin = np.where(is_vehicle, _OVERLAP * found.size[:, 1], _BESIDE)[:, None]
    dx, dy = (found.centre[:, axis, None] - found.centre[None, vehicle, axis] for axis in (0, 1))
    cos, sin = np.cos(found.yaw[vehicle]), np.sin(found.yaw[vehicle])
    along = np.abs(dx * cos + dy * sin) - margin < found.size[vehicle, 0] / 2
    across = np.abs(dy * cos - dx * sin) - margin < found.size[vehicle, 1] / 2
    fewer = found.point_count[:, None] < found.point_count[None, vehicle]
    return np.asarray((along & across & fewer).any(axis=1))
