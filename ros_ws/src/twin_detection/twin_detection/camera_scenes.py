"""What a rendered picture shows, as labels to train a detector on and to score it by. Needs the simulator."""

from __future__ import annotations

import numpy as np

from twin_common.core.object_class import ObjectClass
from twin_sim.core.camera import Picture
from twin_sim.core.camera_truth import SEEN, boxes, corners, seen
from twin_sim.core.frame import Activity

#: One object in a picture: ``box`` is around what is visible of it, pixels, the image's left upper corner is (0, 0);
#: ``visible`` is that box's share of the whole body's box within the picture; ``distance`` from the camera, metres;
#: ``index`` is that of the actor in the frame, -1: a parked vehicle.
LABEL = np.dtype(
    [("box", "<f4", 4), ("label", "u1"), ("posture", "u1"), ("pixels", "<i4"), ("visible", "<f4"),
     ("distance", "<f4"), ("index", "<i4")]
)  # fmt: skip
#: Classes that a camera tells apart, in the order of the shipped model's outputs.
CAMERA_CLASSES = tuple(range(ObjectClass.CAR, ObjectClass.PEDESTRIAN + 1))
UPRIGHT, SITTING, LYING = 1, 2, 3  # POSTURE_* of twin_msgs/DetectedObject; 0: not known
_POSTURES = {
    Activity.STANDING: UPRIGHT, Activity.WAITING: UPRIGHT, Activity.WALKING: UPRIGHT, Activity.RUNNING: UPRIGHT,
    Activity.FIGHTING: UPRIGHT, Activity.NONE: UPRIGHT, Activity.SITTING: SITTING, Activity.LYING: LYING,
    Activity.RESTING: LYING,
}  # fmt: skip
PARKED_REACH = 70.0  # metres: farther parked vehicles are not labelled


def postures(actors: np.ndarray) -> np.ndarray:
    """Return POSTURE_* of actors, (N,) ACTOR; 0 for who falls, and for all that is no person on foot."""
    table = np.zeros(256, np.uint8)
    for activity, posture in _POSTURES.items():
        table[activity] = posture
    person = actors["classification"] == ObjectClass.PEDESTRIAN
    return np.where(person, table[actors["activity"]], 0).astype(np.uint8)


def labels(picture: Picture, actors: np.ndarray, parked: np.ndarray | None = None, min_pixels: int = 12) -> np.ndarray:
    """Return the road users in a picture, (N,) LABEL.

    Args:
        picture: rendered.
        actors: (A,) ACTOR of its frame.
        parked: (P,) ACTOR, parked vehicles, which pictures do not number; None: they are not labelled.
        min_pixels: of which an object has to have as many.

    """
    height, width = picture.ids.shape
    found = seen(picture, actors, min_pixels)
    found = found[np.isin(found["classification"], CAMERA_CLASSES)]
    out = np.zeros(len(found), LABEL)
    out["box"], out["label"], out["pixels"] = found["visible"] + 0.5, found["classification"], found["pixels"]
    out["posture"] = postures(actors)[found["index"]]
    out["distance"] = np.linalg.norm(found["centre"], axis=1)
    out["index"] = found["index"]
    full = np.clip(found["full"] + 0.5, 0, (width, height, width, height))
    out["visible"] = _area(out["box"]) / np.maximum(_area(full), 1.0)
    if parked is None or not len(parked):
        return out
    return np.concatenate([out, _parked(picture, parked, min_pixels)])


def _area(box: np.ndarray) -> np.ndarray:
    return np.asarray((box[:, 2:] - box[:, :2]).prod(axis=1))


def _parked(picture: Picture, parked: np.ndarray, min_pixels: int) -> np.ndarray:
    """Return parked vehicles: their pixels are those whose depth puts them into a vehicle's box."""
    height, width = picture.ids.shape
    boxed = np.zeros(len(parked), SEEN)
    boxed["centre"], boxed["size"], boxed["rotation"] = boxes(picture.map_from_camera, parked)
    near = np.flatnonzero((boxed["centre"][:, 2] > -6.0) & (np.linalg.norm(boxed["centre"], axis=1) < PARKED_REACH))
    matrix = picture.model.matrix()
    rows = []
    for index in near:
        item = boxed[index : index + 1]
        spots = picture.model.project(corners(item)[0])
        if np.isnan(spots).any():  # partly behind the camera: look everywhere
            spots = np.array([[0.0, 0.0], [width, height]])
        low = np.clip(np.floor(spots.min(axis=0)), 0, (width, height)).astype(int)
        high = np.clip(np.ceil(spots.max(axis=0)) + 1, 0, (width, height)).astype(int)
        window = (slice(low[1], high[1]), slice(low[0], high[0]))
        depth = picture.depth[window]
        if not depth.size:
            continue
        v, u = np.mgrid[window].astype(float)
        rays = np.stack([(u - matrix[0, 2]) / matrix[0, 0], (v - matrix[1, 2]) / matrix[1, 1], np.ones_like(u)], axis=2)
        away = np.where(np.isfinite(depth), depth, 1e6)[:, :, None] * rays - item["centre"][0]
        local = away @ item["rotation"][0]
        inside = (np.abs(local) < item["size"][0] / 2 + (0.05, 0.05, 0.02)).all(axis=2)
        inside &= (local[:, :, 2] > -item["size"][0, 2] / 2 + 0.08) & (picture.ids[window] < 0)
        count = int(inside.sum())
        if count < min_pixels:
            continue
        ys, xs = np.flatnonzero(inside.any(axis=1)), np.flatnonzero(inside.any(axis=0))
        box = (low[0] + xs[0], low[1] + ys[0], low[0] + xs[-1] + 1, low[1] + ys[-1] + 1)
        whole = max((high[0] - low[0]) * (high[1] - low[1]), 1)
        share = min((box[2] - box[0]) * (box[3] - box[1]) / whole, 1.0)
        kind = int(parked["classification"][index])
        rows.append((box, kind, 0, count, share, float(np.linalg.norm(item["centre"])), -1))
    return np.array(rows, LABEL)
