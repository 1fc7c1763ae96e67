"""How a camera is mounted, from objects that LiDAR and camera both see: reprojection of their boxes.

An error of some degrees moves all objects of the image the same way, so the first step votes for that shift over all
possible pairs; then pairs and pose are found in turns, with robust weights, as the window of the pairs narrows.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.ndimage import gaussian_filter
from scipy.optimize import linear_sum_assignment
from scipy.spatial.transform import Rotation

from twin_common.core import geometry
from twin_fusion.core import camera_bodies as bodies
from twin_fusion.core import classes
from twin_fusion.core.ground_position import open_edges
from twin_fusion.core.lens import NEAR, Lens
from twin_localization.core.registration import moved

_WINDOWS = (80.0, 50.0, 30.0, 20.0, 14.0, 10.0, 8.0, 8.0, 8.0)  # pixels between the middles of a pair, one round each
_VOTE = 6.0  # pixels, of a cell
_STEPS = 4  # of Gauss-Newton in each round
_DELTA = 1e-4
_EDGE_SIGMA = (1.5, 0.04)  # pixels, and share of the box: how well an edge of a body is known
_CORRELATED = 25.0  # boxes of one object, and of one class, err alike: so many count as one
_TURN_PRIOR = np.radians(3.0)  # how well the direction is known before
_FORBIDDEN = 1e6
_LEAST_PIXELS = 14.0  # boxes less tall say little


@dataclass(frozen=True, slots=True)
class Sighting:
    """What LiDAR and camera saw at one moment.

    ``objects``: (N,) DetectedObject in the platform's base frame, at the moment of the frame; ``boxes``: (M, 4) pixels
    from the image's edge; ``labels``: (M,) classes; ``cut``: (M,) bits of edges.
    """

    objects: np.ndarray
    boxes: np.ndarray
    labels: np.ndarray
    cut: np.ndarray


@dataclass(frozen=True, slots=True)
class MountFit:
    """``base_from_camera`` (4, 4), ``covariance`` (6, 6) of turn (rad), shift (m) in base axes, ``residual`` (P, 4) px.

    ``frames``: in how many of them pairs were found; ``share``: of the camera's boxes in the pairs.
    """

    base_from_camera: np.ndarray
    covariance: np.ndarray
    residual: np.ndarray
    frames: int
    share: float

    @property
    def sigma(self) -> np.ndarray:
        """Standard deviations (6,): turn, rad, and shift, m."""
        return np.asarray(np.sqrt(np.diag(self.covariance)))

    @property
    def rms_px(self) -> float:
        """Root mean square of the edges that are the bodies' own, pixels."""
        return float(np.sqrt(np.nanmean(self.residual**2)))


def fit_mount(
    sightings: list[Sighting], lens: Lens, base_from_camera: np.ndarray, shift_sigma: float = 0.02
) -> MountFit:
    """Return the mount that best explains the sightings.

    ``shift_sigma``: how well the place of the camera is known before, metres: a tape measure tells it better than boxes
    do, which are some pixels off in ways of their own.

    Raises:
        ValueError: fewer than 30 pairs, or none of the objects is in view.

    """
    for name in ("objects", "boxes"):
        if not any(len(getattr(item, name)) for item in sightings):
            raise ValueError(f"{'LiDAR' if name == 'objects' else 'camera'} sees no objects in {len(sightings)} frames")
    pose = _turned_by_vote(sightings, lens, base_from_camera)
    pairs: list[tuple[int, np.ndarray]] = []
    first = pose
    information, residual = np.eye(6), np.zeros((0, 4))
    for window in _WINDOWS:
        pairs = [(k, _pairs(item, lens, pose, window)) for k, item in enumerate(sightings)]
        count = sum(len(found) for _, found in pairs)
        if count < 30:
            raise ValueError(
                f"{count} pairs of LiDAR and camera objects in {len(sightings)} frames; expected 30 or more"
            )
        problem = _gathered(sightings, pairs)
        for _ in range(_STEPS):
            pose, information, residual = _step(problem, lens, pose, first, shift_sigma)
    frames = sum(1 for _, found in pairs if len(found))
    boxes = sum(len(item.boxes) for item in sightings)
    variance = max(float(np.nanmean(np.square(residual / _sigma(problem.boxes)))), 1.0)
    covariance = variance * np.linalg.inv(information)
    return MountFit(pose, covariance, residual, frames, len(problem.boxes) / max(boxes, 1))


@dataclass(frozen=True, slots=True)
class _Pairs:
    """Pairs (P,) of all frames: objects, boxes (P, 4), and which edges are open (P, 4)."""

    objects: np.ndarray
    boxes: np.ndarray
    opened: np.ndarray


def _gathered(sightings: list[Sighting], pairs: list[tuple[int, np.ndarray]]) -> _Pairs:
    chosen = [(sightings[k], found) for k, found in pairs if len(found)]
    return _Pairs(
        np.concatenate([item.objects[found[:, 0]] for item, found in chosen]),
        np.concatenate([item.boxes[found[:, 1]] for item, found in chosen]),
        np.concatenate([open_edges(item.boxes, item.cut)[found[:, 1]] for item, found in chosen]),
    )


def outlines(objects: np.ndarray) -> np.ndarray:
    """Return the corners of the bodies of objects (N,), (N, 12, 3), in the objects' frame."""
    rows = bodies.rows_of(objects["classification"], objects["posture"])
    size = np.stack([objects["length"], objects["width"], objects["height"]], axis=1).astype(float)
    shape = bodies.OUTLINE[rows] * size[:, None]
    cos, sin = np.cos(objects["yaw"])[:, None], np.sin(objects["yaw"])[:, None]
    x = objects["x"][:, None] + shape[..., 0] * cos - shape[..., 1] * sin
    y = objects["y"][:, None] + shape[..., 0] * sin + shape[..., 1] * cos
    z = objects["z"][:, None] - 0.5 * size[:, None, 2] + shape[..., 2]
    return np.stack([x, y, z], axis=-1)


def _seen(corners: np.ndarray, lens: Lens, pose: np.ndarray) -> np.ndarray:
    """Return the boxes (N, 4) about corners (N, 12, 3), pixels from the image's edge; NaN partly behind the camera."""
    camera_from_base = geometry.inverse(pose)
    local = corners @ camera_from_base[:3, :3].T + camera_from_base[:3, 3]
    behind = (local[..., 2] < NEAR).any(axis=1)
    spots = lens.project(np.where(behind[:, None, None], 1.0, local)) + 0.5
    boxes = np.concatenate([spots.min(axis=1), spots.max(axis=1)], axis=1)
    return np.where(behind[:, None], np.nan, boxes)


def _compatible(sighting: Sighting) -> np.ndarray:
    """Return which objects and boxes (N, M) may be the same by class."""
    return np.asarray(classes.AGREEMENT[sighting.objects["classification"]][:, sighting.labels] > 0)


def _turned_by_vote(sightings: list[Sighting], lens: Lens, pose: np.ndarray) -> np.ndarray:
    """Return the pose turned by the shift in the image for which most pairs vote."""
    half = round(0.25 * lens.width / _VOTE)
    votes = np.zeros((2 * half + 1, 2 * half + 1))
    for item in sightings:
        seen = _seen(outlines(item.objects), lens, pose)
        apart = _middles(item.boxes)[None] - _middles(seen)[:, None]
        tall = (seen[:, 3] - seen[:, 1])[:, None] / np.maximum(item.boxes[:, 3] - item.boxes[:, 1], 1.0)[None]
        usable = (
            _compatible(item) & (tall > 0.6) & (tall < 1.6) & (item.cut == 0)[None] & np.isfinite(apart).all(axis=2)
        )
        cells = np.round(apart[usable] / _VOTE).astype(int) + half
        inside = ((cells >= 0) & (cells <= 2 * half)).all(axis=1)
        np.add.at(votes, (cells[inside, 0], cells[inside, 1]), 1.0)
    if not votes.any():
        raise ValueError("no object of the LiDAR lies in the camera's view; expected a mount that is roughly right")
    peak = np.unravel_index(int(np.argmax(gaussian_filter(votes, 1.0))), votes.shape)
    right, down = (np.array(peak) - half) * _VOTE / lens.focal
    turned = pose.copy()  # what lies farther right in the image than expected: the camera looks farther left
    turned[:3, :3] = pose[:3, :3] @ Rotation.from_rotvec((down, -right, 0.0)).as_matrix()
    return turned


def _middles(boxes: np.ndarray) -> np.ndarray:
    return np.asarray(0.5 * (boxes[:, :2] + boxes[:, 2:]))


def _pairs(item: Sighting, lens: Lens, pose: np.ndarray, window: float) -> np.ndarray:
    """Return index pairs (P, 2) of objects and boxes whose edges lie within a window, by optimal assignment."""
    if not len(item.objects) or not len(item.boxes):
        return np.zeros((0, 2), int)
    seen = _seen(outlines(item.objects), lens, pose)
    opened = open_edges(item.boxes, item.cut)
    off = np.where(opened[None], 0.0, np.abs(seen[:, None] - item.boxes[None]))
    size = np.tile(item.boxes[:, 2:] - item.boxes[:, :2], 2)
    allowed = window + 0.15 * size[None]
    whole = ~opened[:, [0, 2]].all(axis=1) & ~opened[:, [1, 3]].all(axis=1) & (size[:, 1] >= _LEAST_PIXELS)
    possible = (off < allowed).all(axis=2) & _compatible(item) & whole[None] & np.isfinite(seen).all(axis=1)[:, None]
    cost = np.where(possible, off.sum(axis=2), _FORBIDDEN)
    rows, columns = linear_sum_assignment(cost)
    kept = cost[rows, columns] < _FORBIDDEN
    return np.stack([rows[kept], columns[kept]], axis=1)


def _sigma(boxes: np.ndarray) -> np.ndarray:
    return np.asarray(np.hypot(_EDGE_SIGMA[0], _EDGE_SIGMA[1] * np.tile(boxes[:, 2:] - boxes[:, :2], 2)))


def _step(
    problem: _Pairs, lens: Lens, pose: np.ndarray, first: np.ndarray, shift_sigma: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the pose after one Gauss-Newton step, its information (6, 6), and the residuals (P, 4), NaN where open."""
    corners, sigma = outlines(problem.objects), _sigma(problem.boxes)
    residual = np.where(problem.opened, np.nan, _seen(corners, lens, pose) - problem.boxes)
    slopes = [
        (_seen(corners, lens, moved(pose, _DELTA * axis)) - _seen(corners, lens, pose)) / _DELTA for axis in np.eye(6)
    ]
    jacobian = np.stack(slopes, axis=-1)
    scaled = np.nan_to_num(residual) / sigma
    weight = np.where(problem.opened, 0.0, 1 / (1 + np.square(scaled / 2))) / sigma**2 / _CORRELATED  # Cauchy's
    information = np.einsum("pe,pei,pej->ij", weight, jacobian, jacobian)
    gradient = np.einsum("pe,pei,pe->i", weight, jacobian, np.nan_to_num(residual))
    prior = 1 / np.repeat(np.square((_TURN_PRIOR, shift_sigma)), 3)
    turn = Rotation.from_matrix(pose[:3, :3] @ first[:3, :3].T).as_rotvec()
    gradient += prior * np.concatenate([turn, pose[:3, 3] - first[:3, 3]])
    information = information + np.diag(prior)
    return moved(pose, -np.linalg.solve(information, gradient)), information, residual
