"""Distances between oriented rectangles, and between points and polygons; all vectorised."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import ndtr

_CORNERS = np.array([[1.0, 1.0], [-1.0, 1.0], [-1.0, -1.0], [1.0, -1.0]])


@dataclass(frozen=True, slots=True)
class Boxes:
    """K oriented boxes seen from above: centres (K, 2), headings (K,) rad, half length and half width (K, 2)."""

    position: np.ndarray
    yaw: np.ndarray
    half: np.ndarray


def _seen_from(a: Boxes, b: Boxes) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return centres (K, 2) and axes (K, 2, 2) of boxes b in the frames of a, and the sums of extents (K, 2)."""
    delta = b.position - a.position
    cos, sin = np.cos(a.yaw), np.sin(a.yaw)
    centre = np.stack([cos * delta[:, 0] + sin * delta[:, 1], cos * delta[:, 1] - sin * delta[:, 0]], axis=1)
    c, s = np.cos(b.yaw - a.yaw), np.sin(b.yaw - a.yaw)
    axes = np.stack([np.stack([c, -s], axis=-1), np.stack([s, c], axis=-1)], axis=-2)
    reach = a.half + np.stack(
        [np.abs(c) * b.half[:, 0] + np.abs(s) * b.half[:, 1], np.abs(s) * b.half[:, 0] + np.abs(c) * b.half[:, 1]],
        axis=1,
    )
    return centre, axes, reach


def box_gap(first: Boxes, second: Boxes) -> np.ndarray:
    """Return the distance between pairs of boxes, (K,) metres; 0 where they overlap.

    Two boxes are apart if an axis of either separates them; the distance is then that of a corner to the other box.
    """
    apart, distance = np.zeros(len(first.yaw), bool), np.full(len(first.yaw), np.inf)
    for a, b in ((first, second), (second, first)):
        centre, axes, reach = _seen_from(a, b)
        apart |= (np.abs(centre) > reach).any(axis=1)
        corners = centre[:, None] + sum(
            _CORNERS[None, :, i, None] * (axes[:, :, i] * b.half[:, i, None])[:, None] for i in (0, 1)
        )
        outside = np.maximum(np.abs(corners) - a.half[:, None], 0.0)
        distance = np.minimum(distance, np.hypot(outside[..., 0], outside[..., 1]).min(axis=1))
    return np.where(apart, distance, 0.0)


def encounter_probability(first: Boxes, second: Boxes, velocity: np.ndarray, covariance: np.ndarray) -> np.ndarray:
    """Return the probability that pairs of boxes meet as one passes the other, (K,).

    Uncertainty along the relative motion only shifts when they meet; whether they do depends on the offset across
    it, as in the encounter plane of conjunction analysis (Foster and Estes 1992), here a line.

    Args:
        first: boxes near their closest approach.
        second: the others.
        velocity: of the second against the first, (K, 2) m/s.
        covariance: of the offset of the centres, (K, 2, 2) m^2.

    """
    across = np.stack([-velocity[:, 1], velocity[:, 0]], axis=1)
    across = across / np.maximum(np.linalg.norm(across, axis=1, keepdims=True), 1e-9)
    extent = sum(
        np.abs(across[:, 0] * np.cos(b.yaw) + across[:, 1] * np.sin(b.yaw)) * b.half[:, 0]
        + np.abs(across[:, 1] * np.cos(b.yaw) - across[:, 0] * np.sin(b.yaw)) * b.half[:, 1]
        for b in (first, second)
    )
    offset = np.einsum("ki,ki->k", across, second.position - first.position)
    sigma = np.sqrt(np.maximum(np.einsum("ki,kij,kj->k", across, covariance, across), 1e-6))
    return np.asarray(ndtr((extent - offset) / sigma) - ndtr((-extent - offset) / sigma))
