"""Faces and plates in images that leave the process: a face detector finds none, letters cannot be read."""

from __future__ import annotations

from pathlib import Path

import cv2
import matplotlib
import numpy as np
import pytest

from twin_common.core.object_class import ObjectClass
from twin_detection.anonymiser import Anonymiser
from twin_detection.core.anonymise import covered, covered_zones, decoded_faces, input_size
from twin_detection.core.camera_objects import ImageObjects

#: A photograph of a person that matplotlib ships (Grace Hopper, public domain).
PHOTOGRAPH = Path(matplotlib.get_data_path()) / "sample_data/grace_hopper.jpg"


@pytest.fixture(scope="module")
def anonymiser() -> Anonymiser:
    return Anonymiser()


def objects(*rows: tuple[ObjectClass, tuple[float, ...]]) -> ImageObjects:
    probability = np.zeros((len(rows), 10))
    probability[np.arange(len(rows)), [int(kind) for kind, _ in rows]] = 1.0
    box = np.array([box for _, box in rows], float).reshape(-1, 4)
    return ImageObjects(box, probability, np.tile([1.0, 0, 0, 0], (len(rows), 1)), np.ones(len(rows)))


def street(scales: tuple[float, ...]) -> np.ndarray:
    """Return a grey image with the photograph in several sizes beside each other."""
    image = np.full((360, 640, 3), 110, np.uint8)
    photograph, left = cv2.imread(str(PHOTOGRAPH)), 5
    for scale in scales:
        small = cv2.resize(photograph, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        image[40 : 40 + small.shape[0], left : left + small.shape[1]] = small
        left += small.shape[1] + 10
    return image


def test_no_face_is_found_where_faces_were(anonymiser: Anonymiser) -> None:
    image = street((0.5, 0.25, 0.15, 0.1, 0.08))
    before = anonymiser.faces(image)
    assert len(before) == 5
    after = anonymiser.anonymous(image, objects())
    assert len(anonymiser.faces(after)) == 0
    for side in (960, 1280):  # nor by one who looks closer
        assert len(Anonymiser(0.3, side).faces(after)) == 0
    assert (image == street((0.5, 0.25, 0.15, 0.1, 0.08))).all()


def test_a_face_is_where_the_photograph_has_it(anonymiser: Anonymiser) -> None:
    (face,) = anonymiser.faces(cv2.imread(str(PHOTOGRAPH)))
    eyes = np.array([[215.0, 205.0], [300.0, 205.0]])
    assert (eyes > face[:2]).all() and (eyes < face[2:4]).all() and face[4] > 0.7


def test_what_has_no_faces_stays_as_it_is(anonymiser: Anonymiser) -> None:
    image = np.tile(np.linspace(0, 255, 640).astype(np.uint8)[None, :, None], (360, 1, 3))
    assert (anonymiser.anonymous(image, objects()) == image).all()
    assert len(anonymiser.faces(np.zeros((33, 47, 3), np.uint8))) == 0


def test_heads_and_plates_are_covered_wherever_a_person_or_vehicle_is() -> None:
    person, car = (50, 100, 80, 200), (200, 100, 300, 180)
    zones = covered_zones(np.zeros((0, 5)), objects((ObjectClass.PEDESTRIAN, person), (ObjectClass.CAR, car)))
    np.testing.assert_allclose(zones, [[50, 100, 80, 125], [192, 124, 308, 186.4]])
    lying = covered_zones(np.zeros((0, 5)), objects((ObjectClass.PEDESTRIAN, (50, 100, 150, 130))))
    assert lying.tolist() == [[50, 100, 150, 130]]
    cut_off = covered_zones(np.zeros((0, 5)), objects((ObjectClass.TRUCK, (200, 0, 300, 80))))
    assert cut_off[0, 1] == 0 and cut_off[0, 3] > 80
    tiny = covered_zones(np.zeros((0, 5)), objects((ObjectClass.CAR, (0, 0, 12, 8))))
    assert len(tiny) == 0


def test_letters_on_a_plate_are_gone() -> None:
    image = np.full((200, 300, 3), 60, np.uint8)
    cv2.rectangle(image, (110, 130), (190, 150), (240, 240, 240), -1)
    cv2.putText(image, "12GA3456", (114, 146), cv2.FONT_HERSHEY_SIMPLEX, 0.45, (0, 0, 0), 1)
    out = covered(image, covered_zones(np.zeros((0, 5)), objects((ObjectClass.CAR, (70, 60, 230, 170)))))
    plate = slice(132, 149), slice(112, 189)
    assert len(np.unique(out[plate].reshape(-1, 3), axis=0)) <= 12
    edges = [float(np.abs(np.diff(item[plate].astype(float), axis=1)).mean()) for item in (image, out)]
    assert edges[1] < 0.1 * edges[0]
    assert (out[:60] == image[:60]).all()


def test_zones_beyond_the_image_do_no_harm() -> None:
    image = np.arange(20 * 30 * 3, dtype=np.uint8).reshape(20, 30, 3)
    out = covered(image, np.array([[-50.0, -50, 5, 5], [25, 15, 90, 90], [40, 40, 50, 50], [3, 3, 3, 3]]))
    assert out.shape == image.shape and (out[8:12, 10:20] == image[8:12, 10:20]).all()


def test_decoding_a_face_by_hand() -> None:
    heat, scale, offset = np.zeros((9, 16)), np.zeros((2, 9, 16)), np.zeros((2, 9, 16))
    heat[4, 5], heat[4, 6] = 0.9, 0.6  # one face, told twice
    scale[:, 4, 5:7] = np.log([[20 / 4], [10 / 4]])
    (face,) = decoded_faces(heat, scale, offset, (36, 64), 0.3)
    np.testing.assert_allclose(face, [22 - 5, 18 - 10, 22 + 5, 18 + 10, 0.9])
    assert input_size(360, 640, 640) == (352, 640) and input_size(10, 10, 8) == (32, 32)
