"""The trained networks as ONNX, and their calibration."""

from __future__ import annotations

import logging
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import torch
from network import Answer, BevNetwork
from review import ReviewNetwork

from twin_detection import models
from twin_detection.bev_model import LOOK_NAMES, NAME
from twin_detection.core.bev_decode import CLASSES, BevCalibration
from twin_detection.core.bev_grid import CHANNELS, BevGrid
from twin_detection.core.bev_review import EARLIER, POINTS, SCALARS


def write_onnx(network: BevNetwork, grid: BevGrid, path: Path) -> None:
    """Write the network with its peaks; one input ``image``, three outputs ``peak``, ``heat``, ``box``."""
    image = torch.zeros(CHANNELS, grid.cells, grid.cells)
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        torch.onnx.export(
            Answer(network.eval()), (image,), str(path), input_names=["image"], output_names=["peak", "heat", "box"],
            opset_version=17, dynamo=False,
        )  # fmt: skip


def write_review(network: ReviewNetwork, path: Path) -> None:
    """Write a network of the second look: inputs ``points``, ``earlier`` and ``scalars``, one output ``answer``."""
    inputs = torch.zeros(2, POINTS, 3), torch.zeros(2, EARLIER, 3), torch.zeros(2, SCALARS)
    names = ["points", "earlier", "scalars"]
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        torch.onnx.export(
            network.eval(), inputs, str(path), input_names=names, output_names=["answer"], opset_version=17,
            dynamo=False, dynamic_axes={
                "points": {0: "boxes", 1: "points"}, "earlier": {0: "boxes", 1: "earlier"}, "scalars": {0: "boxes"},
                "answer": {0: "boxes"},
            },
        )  # fmt: skip


def describe(folder: Path, calibration: BevCalibration, made: str) -> None:
    """Write the entries of the models in the manifest of a folder, with their calibration; the rest of it stays.

    ``made``: the command.
    """
    for name in (NAME, *LOOK_NAMES):
        models.describe(name, folder, [item.name.lower() for item in CLASSES], made)
    models.stamp(NAME, folder, **values_of(calibration))
    for name in LOOK_NAMES:
        models.stamp(name, folder)


def values_of(calibration: BevCalibration) -> dict[str, Any]:
    """Return a calibration as the manifest keeps it."""
    return {name: np.round(getattr(calibration, name), 4).tolist() for name in calibration.__dataclass_fields__}
