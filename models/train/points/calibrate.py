"""Fits what the network is sure of to how often it is right, on samples that were not trained on."""

from __future__ import annotations

import numpy as np
import torch
from network import PointNetwork
from samples import Samples
from scipy.optimize import minimize_scalar

from twin_detection.core.point_network import CLASSES, NOTHING, POSTURES, heading_variance


def calibrated(network: PointNetwork, check: Samples) -> dict[str, float]:
    """Return the temperature of the classes (Guo et al. 2017), and factors of the spread of places and of headings."""
    with torch.no_grad():
        answer = network(torch.from_numpy(check.points.astype(np.float32)), torch.from_numpy(check.scalars)).numpy()
    logits = answer[:, :CLASSES].astype(np.float64)

    def surprise(temperature: float) -> float:
        scaled = logits / temperature
        scaled -= scaled.max(axis=1, keepdims=True)
        chosen = scaled[np.arange(len(scaled)), check.label]
        return float((np.log(np.exp(scaled).sum(axis=1)) - chosen).mean())

    temperature = float(minimize_scalar(surprise, bounds=(0.3, 5.0), method="bounded").x)
    begin = CLASSES + POSTURES
    place, turn, factor = answer[:, begin : begin + 2], answer[:, begin + 5 : begin + 7], answer[:, begin + 7 :]
    boxed = check.boxed & (answer[:, :CLASSES].argmax(axis=1) == check.label) & (check.label < NOTHING)
    error = (check.box[:, :2] - place)[boxed]
    first = error[:, 0] / np.exp(np.clip(factor[boxed, 0], -4, 1.5))
    second = (error[:, 1] - np.clip(factor[boxed, 2], -3, 3) * first) / np.exp(np.clip(factor[boxed, 1], -4, 1.5))
    # The mean of the squares would follow a few gross errors, which gates of trackers leave out anyway.
    squared = np.minimum(first**2 + second**2, 25.0)
    spread = float(np.sqrt(squared.mean() / 2))
    off = 0.5 * np.arctan2(turn[:, 1], turn[:, 0]) - check.box[:, 5]
    off = np.mod(off + np.pi / 2, np.pi) - np.pi / 2
    variance = heading_variance(np.hypot(turn[:, 0], turn[:, 1]))
    sided = boxed & (variance < 0.1)
    heading = (
        float(np.clip(np.mean(np.minimum(off[sided] ** 2 / variance[sided], 16.0)), 0.5, 4.0)) if sided.any() else 1.0
    )
    found = {"temperature": temperature, "spread": spread, "heading": heading}
    print("calibration:", ", ".join(f"{name} {value:.3f}" for name, value in found.items()))
    return {name: round(value, 4) for name, value in found.items()}
