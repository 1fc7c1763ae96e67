"""Number plates that a rendered picture shows, and whether an anonymous view covers them."""

from __future__ import annotations

import numpy as np

from twin_detection.core.anonymise import covered_zones
from twin_detection.core.camera_objects import ImageObjects
from twin_sim.core.camera import Picture
from twin_sim.core.meshes import MATERIAL_NAMES

WIDE = 12.0  # pixels: letters of a plate that is narrower are a pixel and a half, and cannot be read
STEEPEST = 0.17  # sine of the angle between plate and view, below which it is seen from the side
SHOWN = 0.5  # of a plate's pixels, at least
_PLATE = MATERIAL_NAMES.index("plate")


def plates(picture: Picture, actors: np.ndarray) -> np.ndarray:
    """Return the plates of actors, (A,) ACTOR, that could be read, (P, 4): x0, y0, x1, y1 in the picture, pixels."""
    bodies = picture.bodies
    plated = bodies.labels[:, 0] == _PLATE
    corners, owners = bodies.vertices[bodies.triangles[plated]], bodies.labels[plated, 2]
    camera_from_map = np.linalg.inv(picture.map_from_camera)
    edge, found = np.tile(picture.ids.shape[::-1], 2), []
    for owner in np.unique(owners[owners >= 0]):
        for part in _ends(corners[owners == owner]):
            if not _faces_camera(picture, actors[owner], part.mean(axis=0)):
                continue
            local = part @ camera_from_map[:3, :3].T + camera_from_map[:3, 3]
            spots = picture.model.project(local)
            if np.isnan(spots).any():
                continue
            box = np.hstack([spots.min(axis=0), spots.max(axis=0)]) + 0.5
            depth = float(local[:, 2].mean())
            if box[2] - box[0] >= WIDE and _share_shown(picture, box, int(owner), depth) >= SHOWN:
                found.append(np.clip(box, 0, edge))
    return np.array(found).reshape(-1, 4)


def _faces_camera(picture: Picture, actor: np.void, middle: np.ndarray) -> bool:
    ahead = np.array([np.cos(actor["yaw"]), np.sin(actor["yaw"])])
    end = np.sign((middle[:2] - (actor["x"], actor["y"])) @ ahead)
    view = picture.map_from_camera[:3, 3] - middle
    return bool(end * ahead @ view[:2] > STEEPEST * np.linalg.norm(view))


def _ends(corners: np.ndarray) -> list[np.ndarray]:
    """Return the plates (N, 3) of one vehicle's triangles (T, 3, 3): those at one end lie within a metre."""
    middle, left, found = corners.mean(axis=1), np.ones(len(corners), bool), []
    while left.any():
        near = left & (np.linalg.norm(middle - middle[left][0], axis=1) < 1.0)
        found.append(corners[near].reshape(-1, 3))
        left &= ~near
    return found


def _share_shown(picture: Picture, box: np.ndarray, owner: int, depth: float) -> float:
    """Return how much of a plate's box shows its vehicle at the plate's depth, metres."""
    height, width = picture.ids.shape
    low = np.floor(box[:2]).astype(int)
    high = np.maximum(np.ceil(box[2:]).astype(int), low + 1)
    inside = np.clip(low, 0, (width, height)), np.clip(high, 0, (width, height))
    window = slice(inside[0][1], inside[1][1]), slice(inside[0][0], inside[1][0])
    shown = (picture.ids[window] == owner) & (np.abs(picture.depth[window] - depth) < 0.5)
    return float(shown.sum() / max((high - low).prod(), 1))


def covered_plates(objects: ImageObjects, seen: np.ndarray) -> np.ndarray:
    """Return how much of each plate (P, 4) the zones cover that are made of objects alone, (P,) 0..1."""
    zones = covered_zones(np.zeros((0, 5)), objects)
    shares = []
    for box in seen:
        x, y = (np.linspace(box[k], box[k + 2], 9)[None] for k in (0, 1))
        across = (x >= zones[:, :1]) & (x <= zones[:, 2:3])
        down = (y >= zones[:, 1:2]) & (y <= zones[:, 3:4])
        shares.append(float((across[:, :, None] & down[:, None]).any(axis=0).mean()))
    return np.array(shares)
