"""Boxes in images: how detectors of YOLOX's form give them (Ge et al. 2021, arXiv 2107.08430), and how they overlap."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

STRIDES = (8, 16, 32)  # pixels of the input between two outputs, scale by scale
_LARGEST = 10.0  # logarithm of a box's side in strides


@lru_cache(maxsize=8)
def anchors(height: int, width: int) -> np.ndarray:
    """Return column, row and stride of every output of an input's size in pixels, (N, 3)."""
    parts = []
    for stride in STRIDES:
        rows, columns = np.mgrid[: height // stride, : width // stride]
        parts.append(np.stack([columns, rows, np.full_like(rows, stride)], axis=2).reshape(-1, 3))
    return np.asarray(np.concatenate(parts), float)


def corners(raw: np.ndarray, grid: np.ndarray) -> np.ndarray:
    """Return the boxes (N, 4), x0 y0 x1 y1 in pixels of the input, of outputs.

    Args:
        raw: (N, 4 or more): offset of the middle in strides, logarithm of the size in strides.
        grid: (N, 3), as ``anchors`` gives it.

    """
    middle = (raw[:, :2] + grid[:, :2]) * grid[:, 2:]
    half = np.exp(np.minimum(raw[:, 2:4], _LARGEST)) * grid[:, 2:] / 2
    return np.hstack([middle - half, middle + half])


def overlaps(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Return intersection over union of boxes (N, 4) and (M, 4), (N, M)."""
    shared = intersections(first, second)
    areas = [area(boxes) for boxes in (first, second)]
    return np.asarray(shared / np.maximum(areas[0][:, None] + areas[1][None] - shared, 1e-9))


def intersections(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Return the areas that boxes (N, 4) and (M, 4) share, (N, M)."""
    low = np.maximum(first[:, None, :2], second[None, :, :2])
    high = np.minimum(first[:, None, 2:4], second[None, :, 2:4])
    return np.asarray(np.clip(high - low, 0, None).prod(axis=2))


def area(boxes: np.ndarray) -> np.ndarray:
    """Return the areas of boxes (N, 4), (N,)."""
    return np.asarray(np.clip(boxes[:, 2:4] - boxes[:, :2], 0, None).prod(axis=1))
