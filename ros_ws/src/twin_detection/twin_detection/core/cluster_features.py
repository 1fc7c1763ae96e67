"""What a network is told of a cluster: some of its points, and numbers about all of them, as seen along the view."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from twin_detection.core.boxes import fit_rectangles
from twin_detection.core.clusters import Clusters

SAMPLES = 32
SCALARS = (
    "log_range", "log_count", "log_beam_gap", "log_laser_gap", "elevation", "extent_along", "extent_across", "bottom",
    "top", "mean_height", "spread_height", "spread_along", "spread_across", "tilt", "rectangle_longer",
    "rectangle_shorter", "rectangle_cos2", "rectangle_sin2", "rectangle_along", "rectangle_across", "solidity",
    "lasers",
)  # fmt: skip
EXTENT, LONGER = SCALARS.index("extent_along"), SCALARS.index("rectangle_longer")


@dataclass(frozen=True, slots=True)
class Beams:
    """Angle between neighbouring firings, and from each laser to the next, (R,); radians."""

    step: float
    gaps: np.ndarray


@dataclass(frozen=True, slots=True)
class ClusterFeatures:
    """``points``: (C, SAMPLES, 3) float32 along the view, to the left, above the ground, metres, from ``origin``.

    ``scalars``: (C, len(SCALARS)) float32; ``origin``: (C, 2) mean of the points, metres, level frame; ``bearing``:
    (C,) radians, direction of the view; ``ground``: (C,) height of the ground in the level frame, metres.
    """

    points: np.ndarray
    scalars: np.ndarray
    origin: np.ndarray
    bearing: np.ndarray
    ground: np.ndarray

    def __len__(self) -> int:
        return len(self.bearing)


def features_of(
    points: np.ndarray, height: np.ndarray, ring: np.ndarray, clusters: Clusters, beams: Beams
) -> ClusterFeatures:
    """Return the features of clusters.

    Args:
        points: (N, 3) metres, level frame, sensor at the origin.
        height: (N,) above the ground, metres.
        ring: (N,) laser of each point.
        clusters: of these points.
        beams: of the sensor.

    """
    count = len(clusters)
    if not count:
        empty = np.zeros(0)
        return ClusterFeatures(
            np.zeros((0, SAMPLES, 3), np.float32),
            np.zeros((0, len(SCALARS)), np.float32),
            np.zeros((0, 2)),
            empty,
            empty,
        )
    order, owner = clusters.order, np.repeat(np.arange(count), clusters.counts)
    xyz = points[order].astype(np.float64)
    origin = np.column_stack([clusters.mean(points[:, 0]), clusters.mean(points[:, 1])])
    bearing = np.arctan2(origin[:, 1], origin[:, 0])
    cos, sin = np.cos(bearing)[owner], np.sin(bearing)[owner]
    dx, dy = xyz[:, 0] - origin[owner, 0], xyz[:, 1] - origin[owner, 1]
    seen = np.column_stack([dx * cos + dy * sin, dy * cos - dx * sin, height[order]])
    rows = clusters.starts[:, None] + (np.arange(SAMPLES)[None] * clusters.counts[:, None]) // SAMPLES
    rectangles = fit_rectangles(points[:, :2].astype(np.float64), height, clusters)
    scalars = _scalars(seen, xyz, ring[order], clusters, owner, beams, origin, bearing, rectangles)
    ground = np.add.reduceat(xyz[:, 2] - height[order], clusters.starts) / clusters.counts
    return ClusterFeatures(seen[rows].astype(np.float32), scalars, origin, bearing, ground)


def _scalars(
    seen: np.ndarray, xyz: np.ndarray, ring: np.ndarray, clusters: Clusters, owner: np.ndarray, beams: Beams,
    origin: np.ndarray, bearing: np.ndarray, rectangles: np.ndarray,
) -> np.ndarray:  # fmt: skip
    """Return (C, len(SCALARS)) float32; ``seen``: (M, 3) points in the order of the clusters, along the view."""
    starts, counts = clusters.starts, clusters.counts

    def mean(values: np.ndarray) -> np.ndarray:
        return np.asarray(np.add.reduceat(values, starts) / counts)

    low, high = np.minimum.reduceat(seen, starts), np.maximum.reduceat(seen, starts)
    extent = high - low
    middle = np.add.reduceat(seen, starts) / counts[:, None]
    away = seen - middle[owner]
    spread = np.sqrt(np.add.reduceat(away**2, starts) / counts[:, None])
    tilt = mean(away[:, 0] * away[:, 1]) / np.maximum(spread[:, 0] * spread[:, 1], 1e-3)
    distance = mean(np.sqrt(np.einsum("ij,ij->i", xyz, xyz)))
    flat = np.hypot(origin[:, 0], origin[:, 1])
    beam_gap, laser_gap = beams.step * flat, mean(beams.gaps[ring]) * distance
    area = np.maximum(extent[:, 1], 0.1) * np.maximum(extent[:, 2], 0.1)
    turned = 2 * (rectangles[:, 4] - bearing)
    cos, sin = np.cos(bearing), np.sin(bearing)
    rx, ry = rectangles[:, 0] - origin[:, 0], rectangles[:, 1] - origin[:, 1]
    lasers = np.maximum.reduceat(ring, starts).astype(float) - np.minimum.reduceat(ring, starts) + 1
    columns = (
        np.log(np.maximum(flat, 0.5)), np.log(counts), np.log(np.maximum(beam_gap, 1e-3)),
        np.log(np.maximum(laser_gap, 1e-3)), mean(np.arctan2(xyz[:, 2], np.hypot(xyz[:, 0], xyz[:, 1]))), extent[:, 0],
        extent[:, 1], low[:, 2], high[:, 2], middle[:, 2], spread[:, 2], spread[:, 0], spread[:, 1], tilt,
        rectangles[:, 2], rectangles[:, 3], np.cos(turned), np.sin(turned), rx * cos + ry * sin, ry * cos - rx * sin,
        np.minimum(counts * beam_gap * laser_gap / area, 4.0), np.log(lasers),
    )  # fmt: skip
    return np.column_stack(columns).astype(np.float32)
