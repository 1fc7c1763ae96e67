"""A detector trained on photographs, on frames of KITTI: its cars are where the pictures show them."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from twin_common.core.image_boxes import overlaps
from twin_common.core.object_class import ObjectClass
from twin_detection.camera_network import CameraNetwork
from twin_detection.core.anonymise import COVERED, covered, covered_zones

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
#: Plates of 000010.png whose letters can be read, pixels: a rear one and a front one.
PLATES = [(894, 246, 952, 265), (182, 280, 218, 291)]


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


def test_plates_that_can_be_read_are_covered(network: CameraNetwork) -> None:
    image = cv2.imread(str(FRAMES / "000010.png"))
    view = covered(image, covered_zones(np.zeros((0, 5)), network.find(image, COVERED)))
    for x0, y0, x1, y1 in PLATES:
        assert len(np.unique(image[y0:y1, x0:x1].reshape(-1, 3), axis=0)) > 200
        assert len(np.unique(view[y0:y1, x0:x1].reshape(-1, 3), axis=0)) <= 6  # flat blocks, and no letters


def test_nothing_is_found_on_the_sky(network: CameraNetwork) -> None:
    assert len(network.find(np.full((375, 1242, 3), 220, np.uint8), 0.3)) == 0
