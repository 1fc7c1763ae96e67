"""Fits oriented rectangles to clusters seen from above."""

from __future__ import annotations

import numpy as np

from twin_detection.core.clusters import Clusters

#: Points taken from one cluster at most.
_SAMPLES = 96
_STEP = np.radians(3.0)
_FLOOR = 0.05


def fit_rectangles(xy: np.ndarray, clusters: Clusters) -> np.ndarray:
    """Return the rectangle of each cluster, (C, 5): x, y, length, width, yaw.

    Search over headings for the rectangle whose nearer edges lie closest to the points: the closeness
    criterion of Zhang, Xu, Dong and Dolan 2017, "Efficient L-shape fitting for vehicle detection using laser
    scanners", algorithm 2 and 4, on all clusters at once. ``length`` is the longer side, ``yaw`` its direction
    in [-pi/2, pi/2).

    Args:
        xy: (N, 2) metres.
        clusters: the points' clusters.
    """
    if xy.ndim != 2 or xy.shape[1] != 2:
        raise ValueError(f"xy: expected (N, 2), got {xy.shape}")
    if not len(clusters):
        return np.zeros((0, 5))
    points, mean = _sampled(xy, clusters)
    headings = np.arange(0, np.pi / 2, _STEP)
    scores = _closeness(points, np.broadcast_to(headings, (len(clusters), len(headings))))
    best = headings[np.argmax(scores, axis=1)]
    fine = best[:, None] + np.linspace(-_STEP, _STEP, 7)[None]
    heading = np.take_along_axis(fine, np.argmax(_closeness(points, fine), axis=1)[:, None], axis=1)[:, 0]
    return _rectangles(xy, clusters, mean, heading)


def _sampled(xy: np.ndarray, clusters: Clusters) -> tuple[np.ndarray, np.ndarray]:
    """Return evenly drawn points about their mean, (C, S, 2), repeated where there are fewer, and the means."""
    samples = min(_SAMPLES, int(clusters.counts.max()))
    steps = (np.arange(samples)[None] * clusters.counts[:, None]) // samples
    points = xy[clusters.order[clusters.starts[:, None] + steps]].astype(np.float32)
    mean = points.mean(axis=1)
    return points - mean[:, None], mean


def _closeness(points: np.ndarray, headings: np.ndarray) -> np.ndarray:
    """Return the closeness of (C, S, 2) points to rectangles along (C, A) headings, (C, A)."""
    cos, sin = np.cos(headings).astype(np.float32)[..., None], np.sin(headings).astype(np.float32)[..., None]
    x, y = points[:, None, :, 0], points[:, None, :, 1]
    nearest = np.minimum(_edge_distance(x * cos + y * sin), _edge_distance(y * cos - x * sin))
    return (1.0 / np.maximum(nearest, _FLOOR)).sum(axis=2)  # type: ignore[no-any-return]


def _edge_distance(along: np.ndarray) -> np.ndarray:
    """Return the distance of (..., S) coordinates to whichever end of their extent is nearer on the whole."""
    to_high = along.max(axis=-1, keepdims=True) - along
    to_low = along - along.min(axis=-1, keepdims=True)
    high_is_nearer = to_high.sum(axis=-1, keepdims=True) < to_low.sum(axis=-1, keepdims=True)
    return np.where(high_is_nearer, to_high, to_low)


def _rectangles(xy: np.ndarray, clusters: Clusters, mean: np.ndarray, heading: np.ndarray) -> np.ndarray:
    """Return the bounding rectangles of all points along the headings, (C, 5)."""
    cos, sin = np.cos(heading), np.sin(heading)
    owner = np.repeat(np.arange(len(clusters)), clusters.counts)
    shifted = xy[clusters.order].astype(np.float64) - mean[owner]
    along = shifted[:, 0] * cos[owner] + shifted[:, 1] * sin[owner]
    across = shifted[:, 1] * cos[owner] - shifted[:, 0] * sin[owner]
    ends = [
        reduce.reduceat(values, clusters.starts) for values in (along, across) for reduce in (np.minimum, np.maximum)
    ]
    middle_along, middle_across = (ends[0] + ends[1]) / 2, (ends[2] + ends[3]) / 2
    x = mean[:, 0] + middle_along * cos - middle_across * sin
    y = mean[:, 1] + middle_along * sin + middle_across * cos
    length, width = ends[1] - ends[0], ends[3] - ends[2]
    turned = width > length
    yaw = heading + np.where(turned, np.pi / 2, 0.0)
    yaw = np.mod(yaw + np.pi / 2, np.pi) - np.pi / 2
    return np.column_stack([x, y, np.where(turned, width, length), np.where(turned, length, width), yaw])
