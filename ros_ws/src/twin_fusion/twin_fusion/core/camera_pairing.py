"""Which object of a scan and which object of a camera's frame are one and the same.

A camera knows the bearing well and the distance badly, a LiDAR both; so a pair has to agree on the ground, by the
Mahalanobis distance, whose covariance is long in the line of sight, and in the image, by the overlap of the boxes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from scipy.optimize import linear_sum_assignment

from twin_common.core import geometry
from twin_common.core.image_boxes import area, intersections
from twin_fusion.core import classes
from twin_fusion.core.ground_position import Placed
from twin_fusion.core.lens import NEAR, Lens

_FORBIDDEN = 1e6
_VIEW_BIAS = 0.25  # error of a centre that comes from seeing one side only, as a share of the extent
_SECOND_GATE = 4.0  # what is left over may be this many times farther apart
_UNITS = np.array([(x, y, z) for x in (-0.5, 0.5) for y in (-0.5, 0.5) for z in (-0.5, 0.5)])


class CameraPairingSettings(Protocol):
    """When a LiDAR's and a camera's object are one; see ``config.FusionConfig``."""

    @property
    def gate(self) -> float:
        """Squared Mahalanobis distance."""

    @property
    def min_overlap(self) -> float:
        """Share of the smaller box."""

    @property
    def min_agreement(self) -> float:
        """0..1."""

    @property
    def sigma_floor(self) -> float:
        """Metres."""


@dataclass(frozen=True, slots=True)
class View:
    """What a camera saw: ``objects`` (M,) with the fields of ImageObject, where they are, and from where it looked."""

    stamp_ns: int
    objects: np.ndarray
    placed: Placed
    lens: Lens
    map_from_camera: np.ndarray


def project_boxes(objects: np.ndarray, lens: Lens, map_from_camera: np.ndarray) -> np.ndarray:
    """Return the boxes (N, 4) in the image, pixels from its edge, of objects (N,) in the map; NaN behind the camera."""
    size = np.stack([objects["length"], objects["width"], objects["height"]], axis=1).astype(float)
    shape = _UNITS[None] * size[:, None]
    cos, sin = np.cos(objects["yaw"])[:, None], np.sin(objects["yaw"])[:, None]
    corners = np.stack(
        [
            objects["x"][:, None] + shape[..., 0] * cos - shape[..., 1] * sin,
            objects["y"][:, None] + shape[..., 0] * sin + shape[..., 1] * cos,
            objects["z"][:, None] + shape[..., 2],
        ],
        axis=-1,
    )
    camera_from_map = geometry.inverse(map_from_camera)
    local = corners @ camera_from_map[:3, :3].T + camera_from_map[:3, 3]
    behind = (local[..., 2] < NEAR).all(axis=1)
    local[..., 2] = np.maximum(local[..., 2], NEAR)
    spots = lens.project(local) + 0.5
    boxes = np.concatenate([spots.min(axis=1), spots.max(axis=1)], axis=1)
    return np.where(behind[:, None], np.nan, boxes)


def clip_boxes(boxes: np.ndarray, lens: Lens) -> np.ndarray:
    """Return the part of boxes (N, 4) within the image; NaN where there is none."""
    limit = np.array([lens.width, lens.height, lens.width, lens.height], float)
    clipped = np.clip(boxes, 0.0, limit)
    empty = ~((clipped[:, 2] - clipped[:, 0] > 1) & (clipped[:, 3] - clipped[:, 1] > 1))
    return np.where(empty[:, None], np.nan, clipped)


def image_boxes(objects: np.ndarray) -> np.ndarray:
    """Return the boxes (M, 4) of ImageObjects."""
    return np.stack([objects[name] for name in ("x_min", "y_min", "x_max", "y_max")], axis=1).astype(float)


def overlap(first: np.ndarray, second: np.ndarray, *, of_both: bool = False) -> np.ndarray:
    """Return the overlap (N, M) of boxes (N, 4) and (M, 4) as a share of the smaller one; 0 where one is NaN.

    With ``of_both`` as a share of what the two cover together.
    """
    common = intersections(first, second)
    one, other = area(first)[:, None], area(second)[None, :]
    return _share(common, one + other - common if of_both else np.minimum(one, other))


def likeness(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Return the overlap (P,) of each box with its own partner, both (P, 4), as a share of what the two cover."""
    low, high = np.maximum(first[:, :2], second[:, :2]), np.minimum(first[:, 2:], second[:, 2:])
    common = np.clip(high - low, 0, None).prod(axis=1)
    return _share(common, area(first) + area(second) - common)


def _share(common: np.ndarray, whole: np.ndarray) -> np.ndarray:
    return np.asarray(np.nan_to_num(common / np.maximum(whole, 1e-6)))


def covered(objects: np.ndarray, boxes: np.ndarray, view: View) -> np.ndarray:
    """Return how much of each camera object (M,) a LiDAR object of its kind covers in the image, 0..1.

    ``objects``: (N,) of the LiDAR, ``boxes``: (N, 4) in the image; the share is of the smaller box.
    """
    if not len(objects) or not len(view.objects):
        return np.zeros(len(view.objects))
    related = classes.AGREEMENT[objects["classification"]][:, view.objects["classification"]] > 0
    return np.asarray(np.where(related, overlap(boxes, image_boxes(view.objects)), 0.0).max(axis=0))


def pair_with_camera(
    objects: np.ndarray, at_frame: np.ndarray, drift: np.ndarray, boxes: np.ndarray, view: View,
    settings: CameraPairingSettings,
) -> np.ndarray:  # fmt: skip
    """Return index pairs (P, 2) of LiDAR objects and camera objects that are the same.

    What is left over after a first assignment is tried once more with a wider gate, so that no object goes out twice.

    ``objects``: (N,) with the fields of DetectedObject, map frame; ``at_frame``: (N, 2) where they were at the frame's
    time; ``drift``: (N,) metres they may be off, velocity being unknown; ``boxes``: (N, 4) their boxes in the image.
    """
    if not len(objects) or not len(view.objects):
        return np.zeros((0, 2), int)
    distance, costs = _costs(objects, at_frame, drift, boxes, view, settings)
    pairs = _assign(np.where(distance <= settings.gate, costs, _FORBIDDEN))
    rest = np.where(distance <= _SECOND_GATE * settings.gate, costs, _FORBIDDEN)
    rest[pairs[:, 0]] = _FORBIDDEN
    rest[:, pairs[:, 1]] = _FORBIDDEN
    return np.concatenate([pairs, _assign(rest)])


def _assign(costs: np.ndarray) -> np.ndarray:
    rows, columns = linear_sum_assignment(costs)
    kept = costs[rows, columns] < _FORBIDDEN
    return np.stack([rows[kept], columns[kept]], axis=1)


def _costs(
    objects: np.ndarray, at_frame: np.ndarray, drift: np.ndarray, boxes: np.ndarray, view: View,
    settings: CameraPairingSettings,
) -> tuple[np.ndarray, np.ndarray]:  # fmt: skip
    """Return the squared distance on the ground and the whole cost of pairs, each (N, M); large: impossible."""
    seen = image_boxes(view.objects)
    apart = view.placed.centre[None, :, :2] - at_frame[:, None]
    spread = objects["position_covariance"].astype(float).reshape(-1, 3, 3)[:, None, :2, :2]
    spread = spread + view.placed.covariance[None, :, :2, :2]
    size = np.maximum(objects["length"], objects["width"]).astype(float)
    extra = settings.sigma_floor**2 + np.square(drift) + np.square(_VIEW_BIAS * size)
    spread = spread + extra[:, None, None, None] * np.eye(2)
    distance = np.einsum("nmi,nmi->nm", apart, np.linalg.solve(spread, apart[..., None])[..., 0])
    middle = 0.5 * (boxes[:, None, [0, 2]].sum(axis=2) - seen[None, :, [0, 2]].sum(axis=2))
    wide = np.maximum(boxes[:, None, 2] - boxes[:, None, 0], seen[None, :, 2] - seen[None, :, 0])
    sideways = np.square(np.nan_to_num(middle, nan=1e3) / (0.25 * np.nan_to_num(wide, nan=1.0) + 2))
    agreement = np.einsum(
        "ni,ij,mj->nm", objects["class_probability"].astype(float), classes.AGREEMENT,
        view.objects["class_probability"].astype(float),
    )  # fmt: skip
    possible = (overlap(boxes, seen) >= settings.min_overlap) & (agreement >= settings.min_agreement)
    distance = np.where(view.placed.good[None, :], distance, settings.gate)
    alike = np.maximum(overlap(boxes, seen, of_both=True), 0.05)
    costs = distance + sideways - 2 * np.log(np.maximum(agreement, 1e-6)) - 2 * np.log(alike)
    return distance, np.where(possible & (sideways <= settings.gate), costs, _FORBIDDEN)
