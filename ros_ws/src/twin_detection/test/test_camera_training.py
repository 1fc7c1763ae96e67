"""The camera's training: crops keep their boxes on the objects; a short run makes a model of YOLOX's form."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import cv2
import numpy as np
import pytest

from twin_common.core.image_boxes import anchors
from twin_common.core.object_class import ObjectClass
from twin_detection.camera_scenes import LABEL
from twin_detection.models import open_session

FOLDER = Path(__file__).resolve().parents[4] / "models/train/camera"


def loaded(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"camera_training_{name}", FOLDER / f"{name}.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Make four pictures, each of a white rectangle that is a bus on black."""
    rows = np.zeros(4, LABEL)
    rows["label"], rows["pixels"], rows["visible"] = ObjectClass.BUS, 5000, 1.0
    for number, row in enumerate(rows):
        image, left = np.zeros((360, 640, 3), np.uint8), 40 + 120 * number
        image[100:180, left : left + 160] = 255
        row["box"] = left, 100, left + 160, 180
        cv2.imwrite(str(tmp_path / f"{number:05d}.jpg"), image)
    np.savez(tmp_path / "labels.npz", labels=rows, picture=np.arange(4))
    return tmp_path


def test_boxes_of_crops_are_where_the_objects_are(folder: Path) -> None:
    module, rng, compared = loaded("pictures"), np.random.default_rng(1), 0
    pictures = module.Pictures(folder)
    assert len(pictures) == 4
    for turn in range(60):
        height, width = module.SIZES[turn % 2]
        example = pictures.crop(turn % 4, rng, height, width)
        assert example.image.shape == (height, width, 3) and example.image.dtype == np.uint8
        level = example.image.astype(float).mean(axis=2)
        bright = level > 0.6 * level.max() + 0.4 * np.median(level)
        if not len(example.boxes) or level.max() - np.median(level) < 100 or example.unsure[0]:
            continue
        assert example.kinds.tolist() == [ObjectClass.BUS - 1]
        ys, xs = np.flatnonzero(bright.sum(axis=1) > 8), np.flatnonzero(bright.sum(axis=0) > 8)
        seen = [xs[0], ys[0], xs[-1] + 1, ys[-1] + 1]
        np.testing.assert_allclose(example.boxes[0], seen, atol=4.0)
        compared += 1
    assert compared > 20


def test_a_short_run_makes_a_model_of_yolox_form(folder: Path, tmp_path: Path) -> None:
    pytest.importorskip("torch", reason="torch is absent: scripts/setup-training brings it")
    out = tmp_path / "short.onnx"
    command = [sys.executable, str(FOLDER / "train.py"), "--pictures", str(folder), "--steps", "3", "--out", str(out)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=500)
    assert done.returncode == 0, done.stderr[-2000:]
    session = open_session(out.read_bytes(), "short", 1)
    (answer,) = session.run(None, {"images": np.full((1, 3, 384, 640), 114, np.float32)})
    assert answer.shape == (1, len(anchors(384, 640)), 5 + 7 + 3)
    assert ((answer[..., 4:] >= 0) & (answer[..., 4:] <= 1)).all()
    np.testing.assert_allclose(answer[..., 12:].sum(axis=-1), 1.0, atol=1e-4)  # postures
    assert not list(tmp_path.glob("*.part.pt"))
