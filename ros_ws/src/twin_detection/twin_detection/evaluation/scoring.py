"""Matches detections with truth, and makes of the matches average precision, errors and calibration."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.optimize import linear_sum_assignment

from twin_common.core.object_class import ObjectClass
from twin_detection.core.detections import Detections
from twin_sim.core.frame import Activity, Frame

#: An object is asked for where a LiDAR has so many points of it, or a camera so many pixels.
LEAST_POINTS, LEAST_PIXELS = 10, 100
REACH = 50.0  # metres
#: What is this far beyond reach is matched as well, so that nobody is missed for a detection just beyond the edge.
BEYOND = 2.0
#: Distance from above within which a detection is an object, metres.
GATES = {ObjectClass.CAR: 1.0, ObjectClass.TRUCK: 1.0, ObjectClass.BUS: 1.0}
USUAL_GATE = 0.5
BINS = 10  # of scores, in reliability plots and in the expected calibration error
GROUPS: dict[str, tuple[int, ...]] = {
    "car": (1,), "truck": (2,), "bus": (3,), "motorcycle": (4,), "scooter": (5,), "bicycle": (6,), "pedestrian": (7,),
    "vehicles": (1, 2, 3), "two-wheelers": (4, 5, 6),
}  # fmt: skip


def gate_of(label: np.ndarray) -> np.ndarray:
    """Return within which distance objects of (N,) classes are found, metres."""
    table = np.full(10, USUAL_GATE)
    for kind, gate in GATES.items():
        table[kind] = gate
    return np.asarray(table[label])


@dataclass(frozen=True, slots=True)
class Truth:
    """Road users within reach of a platform, map frame: each (N,), ``centre`` (N, 2), ``size`` (N, 3).

    ``asked``: seen well enough; ``shown``: share of the usual points at that distance for that class.
    """

    centre: np.ndarray
    size: np.ndarray
    yaw: np.ndarray
    label: np.ndarray
    velocity: np.ndarray
    distance: np.ndarray
    points: np.ndarray
    asked: np.ndarray
    lying: np.ndarray

    def __len__(self) -> int:
        return len(self.label)


def truth_of(frame: Frame, position: np.ndarray, points: np.ndarray, pixels: np.ndarray) -> Truth:
    """Return the truth of a frame around a platform.

    Args:
        frame: of the district.
        position: (3,) of the sensor, map frame.
        points: (A,) LiDAR points on each actor.
        pixels: (A,) camera pixels on each.

    """
    actors = frame.actors
    distance = np.hypot(actors["x"] - position[0], actors["y"] - position[1])
    users = np.isin(actors["classification"], range(1, 8))
    own = np.isin(actors["actor_id"], list(frame.vehicles.values())) & (distance < 1.0)
    rows = np.flatnonzero(users & (distance < REACH + BEYOND) & ~own)
    chosen = actors[rows]
    return Truth(
        centre=np.column_stack([chosen["x"], chosen["y"]]),
        size=np.column_stack([chosen["length"], chosen["width"], chosen["height"]]).astype(float),
        yaw=chosen["yaw"].astype(float), label=chosen["classification"].astype(int),
        velocity=np.column_stack([chosen["velocity_x"], chosen["velocity_y"]]).astype(float), distance=distance[rows],
        points=points[rows].astype(int),
        asked=((points[rows] >= LEAST_POINTS) | (pixels[rows] >= LEAST_PIXELS)) & (distance[rows] < REACH),
        lying=np.isin(chosen["activity"], (Activity.LYING, Activity.FALLING)),
    )  # fmt: skip


@dataclass(slots=True)
class Rows:
    """Detections and objects of many frames as columns, for one source.

    Detections (D,): ``score``, ``label``, ``found`` (index in the objects, -1: none of its class, -2: one that was not
    asked for), ``distance``, ``scene``, ``position_error``, ``nees``, ``heading_error``, ``size_error`` (D, 3),
    ``place`` (whether an object of any class is there), ``existence``, ``posture``.
    Objects (T,): ``truth_label``, ``truth_distance``, ``truth_scene``, ``truth_asked``, ``truth_points``,
    ``truth_lying``.
    """

    columns: dict[str, np.ndarray]

    def __getitem__(self, name: str) -> np.ndarray:
        return self.columns[name]


def joined(parts: list[Rows]) -> Rows:
    """Return the rows of many frames as one; indices of objects go on from frame to frame."""
    if not parts:
        return empty_rows()
    names = parts[0].columns
    offset, shifted = 0, []
    for part in parts:
        found = part["found"].copy()
        found[found >= 0] += offset
        shifted.append(found)
        offset += len(part["truth_label"])
    columns = {name: np.concatenate([part[name] for part in parts]) for name in names if name != "found"}
    return Rows(columns | {"found": np.concatenate(shifted)})


def empty_rows() -> Rows:
    """Return no rows."""
    none = np.zeros((0, 2)), np.zeros((0, 3)), np.zeros(0), np.zeros(0, int)
    truth = Truth(
        none[0], none[1], none[2], none[3], none[0], none[2], none[3], none[3].astype(bool), none[3].astype(bool)
    )
    from twin_detection.core.detections import none_detected

    return score_frame(none_detected(), truth, np.zeros(3), 0)


def score_frame(found: Detections, truth: Truth, position: np.ndarray, scene: int) -> Rows:
    """Return the rows of one frame.

    Within each class, detections take objects in the order of their scores, each the nearest that is left, as KITTI's
    and nuScenes' evaluations do. Objects move while a scan turns: each is compared at the time of the detection.

    Args:
        found: map frame.
        truth: of the frame.
        position: (3,) of the sensor, map frame.
        scene: number of the scene.

    """
    distance = np.hypot(found.centre[:, 0] - position[0], found.centre[:, 1] - position[1])
    found = found.select(distance < REACH + BEYOND)
    distance = distance[distance < REACH + BEYOND]
    label = found.label.astype(int)
    score = found.existence * found.class_probability[np.arange(len(found)), label] if len(found) else np.zeros(0)
    there = truth.centre[None] + truth.velocity[None] * found.time_offset[:, None, None]
    apart = np.hypot(*(found.centre[:, None, :2] - there).transpose(2, 0, 1))
    matched = _matched(score, label, truth, apart)
    hit = np.flatnonzero(matched >= 0)
    other = matched[hit]
    position_error, nees = np.full(len(found), np.nan), np.full(len(found), np.nan)
    heading, size = np.full(len(found), np.nan), np.full((len(found), 3), np.nan)
    position_error[hit] = apart[hit, other]
    error = found.centre[hit, :2] - there[hit, other]
    if len(hit):
        nees[hit] = np.einsum("ni,nij,nj->n", error, np.linalg.inv(found.covariance[hit, :2, :2]), error)
    turn = found.yaw[hit] - truth.yaw[other]
    heading[hit] = np.abs(np.mod(turn + np.pi / 2, np.pi) - np.pi / 2)
    size[hit] = found.size[hit] - truth.size[other]
    ignored = hit[~truth.asked[other]]
    result = matched.copy()
    result[ignored] = -2
    # What stands on an object of another class, or is one that was seen too little, is no false object.
    place = (apart < gate_of(truth.label)[None]).any(axis=1) if len(truth) else np.zeros(len(found), bool)
    weak = ~truth.asked
    near_weak = (
        (apart[:, weak] < gate_of(truth.label[weak])[None]).any(axis=1) if weak.any() else np.zeros(len(found), bool)
    )
    result[(matched == -1) & (near_weak | (distance >= REACH))] = -2
    count = len(truth)
    return Rows({
        "score": score, "label": label, "found": result, "distance": distance, "scene": np.full(len(found), scene),
        "position_error": position_error, "nees": nees, "heading_error": heading, "size_error": size, "place": place,
        "existence": found.existence, "posture": found.posture.astype(int), "truth_label": truth.label,
        "truth_distance": truth.distance, "truth_scene": np.full(count, scene), "truth_asked": truth.asked,
        "truth_points": truth.points, "truth_lying": truth.lying,
    })  # fmt: skip


def _matched(score: np.ndarray, label: np.ndarray, truth: Truth, apart: np.ndarray) -> np.ndarray:
    """Return the object of each detection, (D,), -1: none."""
    matched = np.full(len(score), -1)
    if not len(truth):
        return matched
    free = np.ones(len(truth), bool)
    gates = gate_of(truth.label)
    for row in np.argsort(-score, kind="stable"):
        allowed = free & (truth.label == label[row]) & (apart[row] < gates)
        if allowed.any():
            best = int(np.where(allowed, apart[row], np.inf).argmin())
            matched[row], free[best] = best, False
    return matched


def places_found(found: Detections, truth: Truth) -> np.ndarray:
    """Return which objects have a detection of any class of their own, (N,) bool: by optimal assignment."""
    if not len(found) or not len(truth):
        return np.zeros(len(truth), bool)
    apart = np.hypot(*(found.centre[:, None, :2] - truth.centre[None]).transpose(2, 0, 1))
    rows, columns = linear_sum_assignment(np.minimum(apart, 10.0))
    good = apart[rows, columns] < gate_of(truth.label)[columns]
    answer = np.zeros(len(truth), bool)
    answer[columns[good]] = True
    return answer
