"""Pieces of vehicles: solid things do not overlap, so what is found inside a vehicle is part of it, whoever finds it.

From afar a sensor sees a lorry as two or three small things and takes them for persons; another one sees it whole.
Who was seen outside before is nobody's piece: a car stands over somebody whom it has hit.
"""

from __future__ import annotations

import numpy as np

from twin_tracking.core import classes
from twin_tracking.core.neighbours import near_pairs
from twin_tracking.core.state import NANOSECONDS, measured_lately

_VEHICLES = [classes.CAR, classes.TRUCK, classes.BUS]
_LEAST_LENGTH, _MOST_WIDTH = 2.5, 2.8  # m: what is wider is several things that were seen as one
_MOST_SIGMA = 0.25  # m, of the place of a vehicle that is known well enough
_LEAST_EXISTENCE = 0.5
_PATIENCE_NS = NANOSECONDS
_KNOWN_NS, _SEEN_OUTSIDE_NS = 4 * NANOSECONDS // 5, NANOSECONDS // 5  # ages of a vehicle and of who is seen beside it
_THROUGH, _BRUSH = 1.5, 0.3  # m from the ends and sides of a vehicle: farther in, nobody who was run into is seen
_SIZE_SIGMA = 0.1  # m by which half a box may be off that was seen once well
_TURNED = (0.03, 0.1)  # rad, least and most by which a box may be turned: views of one side err alike


def vehicles(records: np.ndarray) -> np.ndarray:
    """Return which tracks or detections, records (N,), are cars, trucks or buses rather than anything else."""
    return np.asarray(records["class_probability"][:, _VEHICLES].sum(axis=1) >= 0.5)


def begun(
    tracks: np.ndarray, stamp_ns: int, seen_by: np.ndarray, detections: np.ndarray, margin: float
) -> np.ndarray:  # fmt: skip
    """Return which detections, DETECTION (M,), are pieces of the vehicles among tracks, TRACK (N,), (M,) bool.

    They lie inside one, or nearer to it than ``margin``, m, for nobody's middle is so near to a vehicle's true outline.
    If a platform sees both apart (``seen_by`` (N,): those that see each vehicle now), only who is inside for sure is a
    piece, whatever the yaw and the size may be off.
    """
    known = _vehicles_there(tracks) & _sure(tracks, stamp_ns)
    body = tracks[known]
    i, j, deep, doubt, _ = _depths(body, detections["position"][:, :2], detections["time_offset"])
    apart = (seen_by[known][i] & detections["platforms"][j]) != 0
    piece = np.zeros(len(detections), bool)
    piece[j[deep > np.where(apart, doubt, -margin)]] = True
    return np.asarray(piece & ~vehicles(detections))


def note(tracks: np.ndarray, stamp_ns: int) -> np.ndarray:
    """Note for tracks, TRACK (N,), when each was last outside all vehicles; return which are pieces of one, (N,) bool.

    A piece has been inside a vehicle for a while, and was never seen outside of it once the vehicle was known: who
    was, was run into. What is still seen when a vehicle has driven over it is nobody.
    """
    there = np.flatnonzero(_vehicles_there(tracks))
    body, sure = tracks[there], _sure(tracks, stamp_ns)[there]
    i, j, deep, doubt, by_end = _depths(body, tracks["estimate"][:, :2])
    surely, within = sure[i] & (deep > doubt), (deep > 0) & (there[i] != j)
    i, j, surely, deep, by_end = i[within], j[within], surely[within], deep[within], by_end[within]
    outside = np.ones(len(tracks), bool)
    outside[j] = False
    tracks["outside_ns"][outside] = stamp_ns
    was_out = tracks["outside_ns"][j]
    hit = (was_out - body["first_ns"][i] >= _KNOWN_NS) & (was_out - tracks["first_ns"][j] >= _SEEN_OUTSIDE_NS)
    tracks["separate"][j[hit & (tracks["separate"][j] == 0)]] = 1
    tracks["separate"][j[surely & (deep > _BRUSH) & (by_end > _THROUGH)]] = -1
    inside = np.zeros(len(tracks), bool)
    inside[j[surely]] = True
    inside &= (tracks["separate"] <= 0) & ~vehicles(tracks)
    return np.asarray(inside & (stamp_ns - tracks["outside_ns"] > _PATIENCE_NS))


def _vehicles_there(tracks: np.ndarray) -> np.ndarray:
    """Return which tracks, TRACK (N,), are vehicles in a box that may be one's."""
    formed = (tracks["size"][:, 0] >= _LEAST_LENGTH) & (tracks["size"][:, 1] <= _MOST_WIDTH)
    return np.asarray(tracks["confirmed"] & formed & vehicles(tracks))


def _sure(tracks: np.ndarray, stamp_ns: int) -> np.ndarray:
    """Return which tracks, TRACK (N,), are probable, were measured lately, and where is well known."""
    known = tracks["spread"][:, 0, 0] + tracks["spread"][:, 1, 1] <= _MOST_SIGMA**2
    known &= tracks["visible"] * tracks["score"] >= _LEAST_EXISTENCE
    return np.asarray(known & measured_lately(tracks, stamp_ns))


def _depths(
    body: np.ndarray, points: np.ndarray, offset: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Return (vehicle, point) indices of points (M, 2) in or near vehicles, TRACK (N,), depths, doubts, and by end.

    Depth in the box in m, negative outside; doubt: by how much it may be less, as yaw and size may be off. ``offset``
    (M,) s: when the points were measured, after the vehicles' stamp.
    """
    reach = 0.5 * np.hypot(body["size"][:, 0], body["size"][:, 1]) + 1.0
    i, j = near_pairs(body["estimate"][:, :2], reach, points)
    shift = points[j] - body["estimate"][i, :2]
    if offset is not None:
        shift = shift - offset[j, None] * body["estimate"][i, 2:4]
    cos, sin = np.cos(body["yaw"][i]), np.sin(body["yaw"][i])
    along, across = np.abs(cos * shift[:, 0] + sin * shift[:, 1]), np.abs(cos * shift[:, 1] - sin * shift[:, 0])
    turned = np.clip(np.sqrt(body["yaw_variance"][i]), *_TURNED)
    half = 0.5 * body["size"][i, :2]
    by_end, by_side = half[:, 0] - along, half[:, 1] - across
    arm = np.where(by_end < by_side, across, along)
    doubt = turned * arm + _SIZE_SIGMA / np.sqrt(1.0 + body["size_weight"][i])
    return i, j, np.minimum(by_end, by_side), doubt, by_end
