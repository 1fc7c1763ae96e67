"""Crops of rendered pictures, changed at random, with their boxes."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

#: Heights and widths of crops in turn, pixels: people close by are high, buses are wide.
SIZES = ((320, 320), (224, 448))
#: How often a crop is laid around an object of each class: there are more cars and people than others.
ATTENTION = np.array([0.0, 0.3, 1.0, 1.0, 2.0, 2.0, 2.0, 0.7, 0.0, 0.0])
SMALLEST = 6.0  # pixels: lower boxes are neither to be found nor to be left out


@dataclass(frozen=True, slots=True)
class Example:
    """A crop (H, W, 3) uint8 BGR; boxes (N, 4) pixels; classes from 0 (N,); postures (N,); ``unsure`` (N,)."""

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

    def crop(self, number: int, rng: np.random.Generator, height: int, width: int) -> Example:
        """Return a crop of a picture, (height, width): scaled, mirrored, its colours changed."""
        image, rows = cv2.imread(str(self.paths[number])), self.labels[number]
        whole = np.array([image.shape[1], image.shape[0]], float)
        scale = float(np.exp(rng.uniform(np.log(0.7), np.log(1.7))))
        size = np.array([width, height])
        part = size / scale
        middle = rng.uniform((0, 0), whole)
        sure = rows[(rows["visible"] > 0.3) & (rows["pixels"] > 25)]
        if len(sure) and rng.random() < 0.8:
            weight = ATTENTION[sure["label"]]
            chosen = sure["box"][rng.choice(len(sure), p=weight / weight.sum())]
            middle = (chosen[:2] + chosen[2:]) / 2 + rng.uniform(-0.35, 0.35, 2) * part
        low = np.round(np.clip(middle - part / 2, np.minimum(0, whole - part), np.maximum(0, whole - part)))
        boxes = (rows["box"].astype(float) - np.tile(low, 2)) * scale
        turn = np.array([[scale, 0, -low[0] * scale], [0, scale, -low[1] * scale]])
        method = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
        crop = cv2.warpAffine(image, turn, (width, height), flags=method, borderValue=(114, 114, 114))
        if rng.random() < 0.5:
            crop = np.ascontiguousarray(crop[:, ::-1])
            boxes = boxes[:, [2, 1, 0, 3]] * (-1, 1, -1, 1) + (width, 0, width, 0)
        inside = np.clip(boxes, 0, np.tile(size, 2))
        share = (inside[:, 2:] - inside[:, :2]).prod(axis=1) / np.maximum((boxes[:, 2:] - boxes[:, :2]).prod(axis=1), 1)
        kept = share > 0.02
        low_box = inside[:, 3] - inside[:, 1] < SMALLEST
        unsure = (share < 0.35) | low_box | (rows["visible"] < 0.2) | (rows["pixels"] < 20)
        return Example(_recoloured(crop, rng), inside[kept], rows["label"][kept].astype(int) - 1,
                       rows["posture"][kept].astype(int), unsure[kept])  # fmt: skip


def _recoloured(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    if rng.random() < 0.8:
        gain = rng.uniform(0.85, 1.15, 3) * rng.uniform(0.7, 1.35)
        table = np.arange(256)[:, None] * gain + rng.uniform(-18, 18)
        image = cv2.LUT(image, np.clip(np.round(table), 0, 255).astype(np.uint8)[None])
    if rng.random() < 0.15:
        image = cv2.cvtColor(cv2.cvtColor(image, cv2.COLOR_BGR2GRAY), cv2.COLOR_GRAY2BGR)
    if rng.random() < 0.2:
        image = cv2.GaussianBlur(image, (0, 0), rng.uniform(0.4, 1.2))
    if rng.random() < 0.3:
        noise = rng.standard_normal(image.shape, np.float32) * np.float32(rng.uniform(2, 10))
        image = np.clip(image + noise, 0, 255).astype(np.uint8)
    return np.asarray(image)
