"""Pieces of vehicles: solid things do not overlap, so what is found inside a vehicle is part of it, whoever finds it.

From afar a sensor sees a lorry as two or three small things and takes them for persons; another one sees it whole.
"""

from __future__ import annotations

import numpy as np

from twin_tracking.core import classes
from twin_tracking.core.neighbours import near_pairs
from twin_tracking.core.state import NANOSECONDS

_VEHICLES = [classes.CAR, classes.TRUCK, classes.BUS]
_LEAST_LENGTH, _MOST_WIDTH = 2.5, 2.8  # m: what is wider is several things that were seen as one
_MOST_SIGMA = 0.25  # m, of the place of a vehicle that is known well enough
_LEAST_EXISTENCE = 0.5
_MEASURED_NS = 3 * NANOSECONDS // 10
_PATIENCE_NS = NANOSECONDS


def vehicles(records: np.ndarray) -> np.ndarray:
    """Return which tracks or detections, records (N,), are cars, trucks or buses rather than anything else."""
    return np.asarray(records["class_probability"][:, _VEHICLES].sum(axis=1) >= 0.5)


def depth(tracks: np.ndarray, stamp_ns: int, points: np.ndarray, offset: np.ndarray | None = None) -> np.ndarray:
    """Return how deep points (M, 2) lie inside the vehicles among tracks, TRACK (N,), (M,) m; negative outside.

    Vehicles are sure ones that were measured lately; minus infinity far from all. ``offset`` (M,) s: when the points
    were measured, after ``stamp_ns``.
    """
    inside = np.full(len(points), -np.inf)
    sure = tracks["confirmed"] & (stamp_ns - tracks["last_ns"] <= _MEASURED_NS)
    sure &= tracks["visible"] * tracks["score"] >= _LEAST_EXISTENCE
    sure &= (tracks["size"][:, 0] >= _LEAST_LENGTH) & (tracks["size"][:, 1] <= _MOST_WIDTH)
    sure &= tracks["spread"][:, 0, 0] + tracks["spread"][:, 1, 1] <= _MOST_SIGMA**2
    body = tracks[sure & vehicles(tracks)]
    reach = 0.5 * np.hypot(body["size"][:, 0], body["size"][:, 1]) + 1.0
    i, j = near_pairs(body["estimate"][:, :2], reach, points)
    shift = points[j] - body["estimate"][i, :2]
    if offset is not None:
        shift = shift - offset[j, None] * body["estimate"][i, 2:4]
    cos, sin = np.cos(body["yaw"][i]), np.sin(body["yaw"][i])
    along, across = cos * shift[:, 0] + sin * shift[:, 1], cos * shift[:, 1] - sin * shift[:, 0]
    half = 0.5 * body["size"][i, :2]
    np.maximum.at(inside, j, np.minimum(half[:, 0] - np.abs(along), half[:, 1] - np.abs(across)))
    return inside


def note(tracks: np.ndarray, stamp_ns: int) -> None:
    """Note for tracks, TRACK (N,), when each was last outside all vehicles."""
    outside = depth(tracks, stamp_ns, tracks["estimate"][:, :2]) <= 0.0
    tracks["outside_ns"][outside | vehicles(tracks)] = stamp_ns


def settled(tracks: np.ndarray, stamp_ns: int) -> np.ndarray:
    """Return which tracks, TRACK (N,), have been inside a vehicle for so long that they are part of it, (N,) bool."""
    return np.asarray(~vehicles(tracks) & (stamp_ns - tracks["outside_ns"] > _PATIENCE_NS))
