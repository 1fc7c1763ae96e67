"""A detector trained on photographs, on frames of KITTI: its cars are where the pictures show them."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from twin_common.core.object_class import ObjectClass
from twin_detection.camera_network import CameraNetwork
from twin_detection.core.camera_decode import overlaps

SHARED = Path(__file__).resolve().parents[5] / "shared"
FRAMES = SHARED / "data/kitti_tracking/image_02/0001"
MODEL = SHARED / "models/yolox_nano.onnx"
pytestmark = pytest.mark.realdata
#: Near cars of each frame, boxes read off the pictures by eye, pixels.
CARS = {
    "000010.png": [(165, 188, 350, 305), (789, 188, 1000, 333), (1033, 302, 1242, 375), (465, 192, 508, 220)],
    "000015.png": [(0, 218, 195, 368), (1003, 218, 1242, 375), (433, 188, 478, 224), (644, 175, 690, 212)],
    "000020.png": [(394, 199, 456, 237), (652, 160, 716, 226), (1028, 131, 1134, 181)],
}


@pytest.fixture(scope="module")
def network() -> CameraNetwork:
    return CameraNetwork("yolox_nano_sample", file=str(MODEL))


@pytest.mark.parametrize("name", sorted(CARS))
def test_cars_are_found_where_they_are(network: CameraNetwork, name: str) -> None:
    image = cv2.imread(str(FRAMES / name))
    assert image is not None and image.shape == (375, 1242, 3)
    found = network.find(image, 0.3)
    cars = found.box[np.isin(found.label, (ObjectClass.CAR, ObjectClass.TRUCK))]
    share = overlaps(np.array(CARS[name], float), cars)
    assert (share.max(axis=1) > 0.6).all()
    assert len(found) <= len(CARS[name]) + 4 and not (found.label == ObjectClass.PEDESTRIAN).any()


def test_nothing_is_found_on_the_sky(network: CameraNetwork) -> None:
    assert len(network.find(np.full((375, 1242, 3), 220, np.uint8), 0.3)) == 0
