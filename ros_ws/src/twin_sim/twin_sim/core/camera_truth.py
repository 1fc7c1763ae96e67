"""What a picture shows of each actor: pixels, boxes in the picture, box in the optical frame."""

from __future__ import annotations

import numpy as np
from scipy.ndimage import find_objects
from scipy.spatial.transform import Rotation

from twin_sim.core.bodies import loose
from twin_sim.core.camera import Picture

#: One actor in a picture. ``visible`` and ``full``: u0, v0, u1, v1, pixels, where (0, 0) is the middle of the upper
#: left pixel: what is seen, and the whole body as if nothing hid it, which may reach beyond the picture. ``centre``
#: and ``size`` (length, width, height) are metres, ``rotation`` is camera_from_object, in the optical frame.
SEEN = np.dtype(
    [("index", "<i4"), ("actor_id", "<u8"), ("classification", "u1"), ("pixels", "<u4"), ("visible", "<f4", 4),
     ("full", "<f4", 4), ("centre", "<f4", 3), ("size", "<f4", 3), ("rotation", "<f4", (3, 3))]
)  # fmt: skip


def pixels(picture: Picture, actors: int) -> np.ndarray:
    """Return how many pixels show each of the frame's ``actors``, (actors,) int."""
    return np.bincount(picture.ids[picture.ids >= 0], minlength=actors)


def seen(picture: Picture, actors: np.ndarray, min_pixels: int = 1) -> np.ndarray:
    """Return the actors in a picture, (N,) SEEN, in the order of ``actors``: (A,) ACTOR of the frame it was made of."""
    counts = pixels(picture, len(actors))
    chosen = np.flatnonzero(counts >= max(min_pixels, 1))
    found = np.zeros(len(chosen), SEEN)
    found["index"], found["pixels"] = chosen, counts[chosen]
    found["actor_id"], found["classification"] = actors["actor_id"][chosen], actors["classification"][chosen]
    slices = find_objects(picture.ids + 1, max_label=len(actors))
    for row, index in zip(found, chosen, strict=True):
        rows, columns = slices[index]
        row["visible"] = columns.start - 0.5, rows.start - 0.5, columns.stop - 0.5, rows.stop - 0.5
    found["full"] = _full(picture, len(actors))[chosen]
    found["centre"], found["size"], found["rotation"] = boxes(picture.map_from_camera, actors[chosen])
    return found


def _full(picture: Picture, count: int) -> np.ndarray:
    """Return the box (count, 4) about all vertices of each body; NaN where none was drawn."""
    full = np.full((count, 4), np.nan, np.float32)
    bodies = picture.bodies
    if not len(bodies.triangles):
        return full
    owner = np.full(len(bodies.vertices), -1)
    owner[bodies.triangles.reshape(-1)] = np.repeat(bodies.labels[:, 2], 3)
    camera_from_map = np.linalg.inv(picture.map_from_camera)
    spots = picture.model.project(bodies.vertices @ camera_from_map[:3, :3].T + camera_from_map[:3, 3])
    starts = np.flatnonzero(np.diff(owner, prepend=-2))
    low, high = np.fmin.reduceat(spots, starts), np.fmax.reduceat(spots, starts)
    drawn = owner[starts] >= 0
    full[owner[starts][drawn]] = np.hstack([low, high])[drawn]
    return full


def boxes(map_from_camera: np.ndarray, actors: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the actors' boxes in the optical frame: centres (N, 3), sizes (N, 3), metres, rotations (N, 3, 3)."""
    if not len(actors):
        return np.zeros((0, 3)), np.zeros((0, 3)), np.zeros((0, 3, 3))
    angles = np.column_stack([actors["roll"], actors["pitch"], actors["yaw"]])
    turned = Rotation.from_euler("xyz", angles).as_matrix()
    up = np.where(loose(actors)[:, None], (0.0, 0.0, 1.0), turned[:, :, 2])
    middle = np.column_stack([actors["x"], actors["y"], actors["z"]]) + up * actors["height"][:, None] / 2
    camera_from_map = np.linalg.inv(map_from_camera)
    centres = middle @ camera_from_map[:3, :3].T + camera_from_map[:3, 3]
    sizes = np.column_stack([actors["length"], actors["width"], actors["height"]])
    return centres, sizes, camera_from_map[:3, :3] @ turned


def corners(found: np.ndarray) -> np.ndarray:
    """Return the corners (N, 8, 3) of the boxes of ``found``, (N,) SEEN, optical frame, metres."""
    signs = np.array([(x, y, z) for x in (-1, 1) for y in (-1, 1) for z in (-1, 1)]) / 2
    spots: np.ndarray = found["centre"][:, None] + np.einsum(
        "nij,nkj->nki", found["rotation"], signs * found["size"][:, None]
    )
    return spots
