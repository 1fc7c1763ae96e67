"""The trained network as ONNX, and its calibration."""

from __future__ import annotations

import json
import logging
import warnings
from pathlib import Path

import numpy as np
import torch
from network import Answer, BevNetwork

from twin_detection.core.bev_decode import BevCalibration
from twin_detection.core.bev_grid import CHANNELS, BevGrid


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


def write_calibration(calibration: BevCalibration, path: Path) -> None:
    """Write a calibration as JSON, as the manifest keeps it."""
    values = {name: np.round(getattr(calibration, name), 4).tolist() for name in calibration.__dataclass_fields__}
    path.write_text(json.dumps(values, indent=1) + "\n")
