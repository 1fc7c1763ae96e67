"""Fit how a score of the camera's detector becomes a probability, on pictures that it was not trained on.

python models/train/camera/calibrate.py: renders staged pictures, writes slope and offset into the manifest.
"""

from __future__ import annotations

import argparse
import sys

import numpy as np
from scipy.optimize import minimize

from twin_bringup.simulation import scenario_folder
from twin_detection.camera_network import CameraNetwork
from twin_detection.core.camera_objects import calibrated
from twin_detection.evaluation.camera_pictures import staged
from twin_detection.evaluation.camera_scores import HIT, UNCOUNTED, asked, matched
from twin_detection.models import stamp

SEED, PICTURES, SCENARIO = 900, 300, "normal_day"  # neither of the training nor of what is held out
MODEL = "camera"


def fitted(score: np.ndarray, hit: np.ndarray) -> tuple[float, float]:
    """Return slope and offset of Platt's line for scores (N,) and whether there was an object (N,)."""

    def cost(line: np.ndarray) -> float:
        told = np.clip(calibrated(score, *line), 1e-9, 1 - 1e-9)
        return float(-np.where(hit, np.log(told), np.log(1 - told)).mean())

    found = minimize(cost, np.array([1.0, 0.0]), method="Nelder-Mead")
    return float(found.x[0]), float(found.x[1])


def calibrate() -> None:
    """Render, detect, fit, write slope and offset into the manifest."""
    network = CameraNetwork(MODEL)
    scores, hits = [], []
    for scene in staged(scenario_folder(), PICTURES, SEED, SCENARIO):
        found = network.boxes(scene.image)
        outcome, _ = matched(found.box, found.score, scene.labels["box"], asked(scene.labels))
        counted = outcome != UNCOUNTED
        scores.append(found.score[counted])
        hits.append(outcome[counted] == HIT)
    slope, offset = fitted(np.concatenate(scores), np.concatenate(hits))
    stamp(MODEL, calibration={"slope": round(slope, 4), "offset": round(offset, 4)})
    print(f"{MODEL}: {sum(map(len, scores))} detections, slope {slope:.3f}, offset {offset:.3f}")


def main() -> int:
    """Calibrate."""
    argparse.ArgumentParser(description=__doc__.splitlines()[0]).parse_args()
    calibrate()
    return 0


if __name__ == "__main__":
    sys.exit(main())
