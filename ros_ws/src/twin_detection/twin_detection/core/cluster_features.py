"""What a network is told of a cluster: some of its points, and numbers about all of them, as seen along the view."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from twin_common.core.compiled import kernel
from twin_detection.core.boxes import fit_rectangles
from twin_detection.core.clusters import Clusters

SAMPLES = 32
SCALARS = (
    "log_range", "log_count", "log_beam_gap", "log_laser_gap", "elevation", "extent_along", "extent_across", "bottom",
    "top", "mean_height", "spread_height", "spread_along", "spread_across", "tilt", "rectangle_longer",
    "rectangle_shorter", "rectangle_cos2", "rectangle_sin2", "rectangle_along", "rectangle_across", "solidity",
    "lasers",
)  # fmt: skip
EXTENT, BOTTOM, LONGER = map(SCALARS.index, ("extent_along", "bottom", "rectangle_longer"))


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
    order = clusters.order
    xyz, above = points[order].astype(np.float64), height[order].astype(np.float64)
    rectangles = fit_rectangles(points[:, :2], height, clusters)
    scalars, shown, origin, bearing, ground = _described(
        xyz, above, ring[order].astype(np.int64), clusters.starts, clusters.counts, beams.step,
        np.asarray(beams.gaps, np.float64), rectangles,
    )  # fmt: skip
    return ClusterFeatures(shown, scalars, origin, bearing, ground)


@kernel
def _described(
    xyz: np.ndarray, height: np.ndarray, ring: np.ndarray, starts: np.ndarray, counts: np.ndarray, step: float,
    gaps: np.ndarray, rectangles: np.ndarray,
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray]:  # fmt: skip
    """Return scalars, points, origin, bearing and ground of consecutive groups of (M, 3) points."""
    clusters = len(starts)
    scalars = np.empty((clusters, 22), np.float32)
    shown = np.empty((clusters, SAMPLES, 3), np.float32)
    origin, bearing, ground = np.empty((clusters, 2)), np.empty(clusters), np.empty(clusters)
    for number in range(clusters):
        begin, count = starts[number], counts[number]
        own, above, lasers = xyz[begin : begin + count], height[begin : begin + count], ring[begin : begin + count]
        x, y = own[:, 0].mean(), own[:, 1].mean()
        view = np.arctan2(y, x)
        cos, sin = np.cos(view), np.sin(view)
        seen = np.empty((count, 3))
        distance, gap, elevation = 0.0, 0.0, 0.0
        for place in range(count):
            dx, dy = own[place, 0] - x, own[place, 1] - y
            seen[place] = dx * cos + dy * sin, dy * cos - dx * sin, above[place]
            flat = np.sqrt(own[place, 0] ** 2 + own[place, 1] ** 2)
            distance += np.sqrt(flat**2 + own[place, 2] ** 2)
            gap += gaps[lasers[place]]
            elevation += np.arctan2(own[place, 2], flat)
        for place in range(SAMPLES):
            shown[number, place] = seen[place * count // SAMPLES]
        origin[number], bearing[number] = (x, y), view
        ground[number] = (own[:, 2] - above).mean()
        flat = np.hypot(x, y)
        spacing = step * flat, gap / count * (distance / count)
        scalars[number, :5] = (
            np.log(max(flat, 0.5)),
            np.log(count),
            np.log(max(spacing[0], 1e-3)),
            np.log(max(spacing[1], 1e-3)),
            elevation / count,
        )
        _shaped(scalars[number], seen, count * spacing[0] * spacing[1])
        turned = 2 * (rectangles[number, 4] - view)
        rx, ry = rectangles[number, 0] - x, rectangles[number, 1] - y
        scalars[number, 14:20] = (
            rectangles[number, 2], rectangles[number, 3], np.cos(turned), np.sin(turned), rx * cos + ry * sin,
            ry * cos - rx * sin,
        )  # fmt: skip
        scalars[number, 21] = np.log(lasers.max() - lasers.min() + 1)
    return scalars, shown, origin, bearing, ground


@kernel
def _shaped(scalars: np.ndarray, seen: np.ndarray, seen_area: float) -> None:
    """Fill in the scalars about the extent of (M, 3) points along the view."""
    low, high, middle, spread = np.empty(3), np.empty(3), np.empty(3), np.empty(3)
    for axis in range(3):
        values = seen[:, axis]
        low[axis], high[axis], middle[axis] = values.min(), values.max(), values.mean()
        spread[axis] = np.sqrt(((values - middle[axis]) ** 2).mean())
    together = ((seen[:, 0] - middle[0]) * (seen[:, 1] - middle[1])).mean()
    scalars[5:14] = (
        high[0] - low[0], high[1] - low[1], low[2], high[2], middle[2], spread[2], spread[0], spread[1],
        together / max(spread[0] * spread[1], 1e-3),
    )  # fmt: skip
    scalars[20] = min(seen_area / (max(high[1] - low[1], 0.1) * max(high[2] - low[2], 0.1)), 4.0)
