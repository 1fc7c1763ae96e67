"""Crops of rendered pictures, changed at random, with their boxes."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

SIDE = 320  # of a crop, pixels
SMALLEST = 6.0  # pixels: lower boxes are neither to be found nor to be left out


@dataclass(frozen=True, slots=True)
class Example:
    """A crop (SIDE, SIDE, 3) uint8 BGR; boxes (N, 4) pixels; classes from 0 (N,); postures (N,); ``unsure`` (N,)."""

    image: np.ndarray
    boxes: np.ndarray
    kinds: np.ndarray
    postures: np.ndarray
    unsure: np.ndarray


class Pictures:
    """A folder that render.py has written."""

    def __init__(self, folder: Path) -> None:
        """Read the labels."""
        stored = np.load(folder / "labels.npz")
        labels, owners = stored["labels"], stored["picture"]
        self.paths = [folder / f"{i:05d}.jpg" for i in range(int(owners.max()) + 1)]
        bounds = np.searchsorted(owners, np.arange(len(self.paths) + 1))
        self.labels = np.split(labels, bounds[1:-1])

    def __len__(self) -> int:
        """Return how many pictures there are."""
        return len(self.paths)

    def crop(self, number: int, rng: np.random.Generator) -> Example:
        """Return a crop of a picture: scaled, mirrored, its colours changed."""
        image, rows = cv2.imread(str(self.paths[number])), self.labels[number]
        height, width = image.shape[:2]
        scale = float(np.exp(rng.uniform(np.log(0.7), np.log(1.7))))
        side = SIDE / scale
        middle = rng.uniform((0, 0), (width, height))
        sure = rows[(rows["visible"] > 0.3) & (rows["pixels"] > 25)]
        if len(sure) and rng.random() < 0.8:
            weight = np.where(sure["label"] == 1, 0.3, 1.0)  # there are more cars than others
            chosen = sure["box"][rng.choice(len(sure), p=weight / weight.sum())]
            middle = (chosen[:2] + chosen[2:]) / 2 + rng.uniform(-0.35, 0.35, 2) * side
        low = np.round([_start(middle[0], side, width), _start(middle[1], side, height)])
        boxes = (rows["box"].astype(float) - np.tile(low, 2)) * scale
        turn = np.array([[scale, 0, -low[0] * scale], [0, scale, -low[1] * scale]])
        method = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
        crop = cv2.warpAffine(image, turn, (SIDE, SIDE), flags=method, borderValue=(114, 114, 114))
        if rng.random() < 0.5:
            crop = np.ascontiguousarray(crop[:, ::-1])
            boxes = boxes[:, [2, 1, 0, 3]] * (-1, 1, -1, 1) + (SIDE, 0, SIDE, 0)
        inside = np.clip(boxes, 0, SIDE)
        share = (inside[:, 2:] - inside[:, :2]).prod(axis=1) / np.maximum((boxes[:, 2:] - boxes[:, :2]).prod(axis=1), 1)
        kept = share > 0.02
        low_box = inside[:, 3] - inside[:, 1] < SMALLEST
        unsure = (share < 0.35) | low_box | (rows["visible"] < 0.2) | (rows["pixels"] < 20)
        return Example(_recoloured(crop, rng), inside[kept], rows["label"][kept].astype(int) - 1,
                       rows["posture"][kept].astype(int), unsure[kept])  # fmt: skip


def _start(middle: float, side: float, length: int) -> float:
    """Return where a crop begins, so that it stays within the picture where it can."""
    return float(np.clip(middle - side / 2, min(0.0, length - side), max(0.0, length - side)))


def _recoloured(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    changed = image.astype(np.float32)
    if rng.random() < 0.8:
        changed *= rng.uniform(0.85, 1.15, 3) * rng.uniform(0.7, 1.35)
        changed += rng.uniform(-18, 18)
    if rng.random() < 0.15:
        changed = np.repeat(changed.mean(axis=2, keepdims=True), 3, axis=2)
    if rng.random() < 0.2:
        changed = cv2.GaussianBlur(changed, (0, 0), rng.uniform(0.4, 1.2))
    if rng.random() < 0.3:
        changed += rng.normal(0, rng.uniform(2, 10), image.shape).astype(np.float32)
    return np.clip(changed, 0, 255).astype(np.uint8)
