"""The training of the learned detector runs from scans to models that open; what it learns takes longer."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from twin_detection.bev_model import LOOKS
from twin_detection.core.bev_decode import BevCalibration
from twin_detection.core.bev_detector import BevDetector
from twin_detection.models import entry, open_model

pytest.importorskip("torch", reason="torch is absent: scripts/setup-training brings it")
SCRIPT = Path(__file__).resolve().parents[4] / "models/train/bev/train.py"


def test_a_smoke_run_makes_models_that_open(tmp_path: Path) -> None:
    command = [sys.executable, str(SCRIPT), "--smoke", "--threads", "1", "--out", str(tmp_path), "--scans",
               str(tmp_path / "scans")]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=500)
    assert done.returncode == 0, done.stderr[-2000:]
    assert "vehicles, class aside: AP" in done.stdout
    calibration = BevCalibration.read(entry("bev", tmp_path).extra)
    readers = [open_model(name, folder=tmp_path) for name in LOOKS]
    detector = BevDetector(open_model("bev", folder=tmp_path), readers, calibration, 1.9, 0.0)
    rng = np.random.default_rng(0)
    points = rng.uniform((-40, -40, -1.9), (40, 40, 1.0), (5000, 3)).astype(np.float32)
    found, members = detector.step(points, np.zeros(5000, np.float32))
    assert members.shape == (5000,) and np.isfinite(found.centre).all()
