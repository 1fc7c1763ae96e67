"""Writes the trained network as ONNX, and its entry in the manifest."""

from __future__ import annotations

import logging
import tempfile
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from network import PointNetwork

from twin_common.core.object_class import CLASS_NAMES
from twin_detection.core.cluster_features import SAMPLES, SCALARS
from twin_detection.core.point_network import Network
from twin_detection.models import describe, open_session, stamp

NAME = "points"


def export(network: PointNetwork, folder: Path, calibration: Mapping[str, Any], made: str) -> None:
    """Write ``points.onnx`` and its entry in the manifest of a folder; ``made``: the command."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{NAME}.onnx"
    part = path.with_suffix(".part")
    write_onnx(network, part)
    part.replace(path)
    describe(NAME, folder, [*CLASS_NAMES, "nothing", "several", "crowd"], made)
    stamp(NAME, folder, **calibration)
    print(f"written: {path.name}, {path.stat().st_size} bytes")


def runnable(network: PointNetwork) -> Network:
    """Return the network as the detector runs it."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"{NAME}.onnx"
        write_onnx(network, path)
        session = open_session(path.read_bytes(), str(path))
    return lambda points, scalars: session.run(None, {"points": points, "scalars": scalars})[0]


def write_onnx(network: PointNetwork, path: Path) -> None:
    """Write the network; inputs ``points`` (C, S, 3) and ``scalars`` (C, F), output ``answer`` (C, COLUMNS)."""
    points, scalars = torch.zeros(2, SAMPLES, 3), torch.zeros(2, len(SCALARS))
    names = {"points": {0: "clusters"}, "scalars": {0: "clusters"}, "answer": {0: "clusters"}}
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        torch.onnx.export(
            network.eval(), (points, scalars), str(path), input_names=["points", "scalars"], output_names=["answer"],
            dynamic_axes=names, opset_version=17, dynamo=False,
        )  # fmt: skip
