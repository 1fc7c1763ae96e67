"""A network's boxes as road users: classes, riders, postures, calibrated certainty, colours, edges."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from twin_common.core.object_class import ObjectClass
from twin_detection.core import camera_objects
from twin_detection.core.camera_colour import COLOURS, colours
from twin_detection.core.camera_decode import Boxes
from twin_detection.core.camera_objects import calibrated, cut_off, our_classes, road_users

COCO = our_classes(["coco"])
PERSON, BICYCLE, CAR, MOTORCYCLE, DOG, CHAIR = 0, 1, 2, 3, 16, 56


def coco_boxes(rows: list[tuple[int, tuple[float, ...]]], score: float = 0.8) -> Boxes:
    scores = np.full((len(rows), 80), 0.01)
    scores[np.arange(len(rows)), [kind for kind, _ in rows]] = score
    box = np.array([row for _, row in rows], float).reshape(-1, 4)
    return Boxes(box, np.full(len(rows), 0.9), scores, np.zeros((len(rows), 0)))


def test_cocos_classes_are_ours_and_the_others_are_left_out() -> None:
    found = road_users(
        coco_boxes([(CAR, (0, 0, 9, 9)), (CHAIR, (0, 0, 9, 9)), (DOG, (20, 0, 29, 9))]), COCO, riders_apart=True
    )
    assert found.label.tolist() == [ObjectClass.CAR, ObjectClass.ANIMAL]
    np.testing.assert_allclose(found.class_probability.sum(axis=1), 1.0)
    np.testing.assert_allclose(found.existence, 0.72)
    assert found.posture.tolist() == [0, 0] and (found.class_probability >= 0).all()


def test_a_person_on_a_two_wheeler_is_one_rider() -> None:
    machine, rider, walker = (100, 140, 160, 200), (110, 90, 150, 190), (170, 100, 195, 200)
    rows = [(BICYCLE, machine), (PERSON, rider), (PERSON, walker)]
    found = road_users(coco_boxes(rows), COCO, riders_apart=True)
    assert found.label.tolist() == [ObjectClass.BICYCLE, ObjectClass.PEDESTRIAN]
    assert found.box.tolist() == [[100, 90, 160, 200], list(walker)]
    assert len(road_users(coco_boxes(rows), COCO, riders_apart=False)) == 3


@pytest.mark.parametrize(
    "person",
    [
        (60, 100, 90, 200),  # beside it
        (110, 30, 150, 120),  # behind it, seen above it
        (110, 130, 150, 260),  # before it
    ],
)
def test_who_is_near_a_two_wheeler_does_not_ride_it(person: tuple[float, ...]) -> None:
    found = road_users(coco_boxes([(MOTORCYCLE, (100, 140, 160, 200)), (PERSON, person)]), COCO, riders_apart=True)
    assert len(found) == 2


def test_each_machine_gets_one_rider_and_the_best_sum_decides() -> None:
    machines = [(MOTORCYCLE, (100, 140, 160, 200)), (MOTORCYCLE, (150, 140, 210, 200))]
    people = [(PERSON, (112, 90, 150, 190)), (PERSON, (160, 90, 200, 190))]
    found = road_users(coco_boxes([*machines, *people]), COCO, riders_apart=True)
    assert found.label.tolist() == [ObjectClass.MOTORCYCLE] * 2 and found.box[:, 1].tolist() == [90, 90]


def test_postures_belong_to_persons() -> None:
    classes = our_classes(["car", "pedestrian"])
    boxes = Boxes(
        np.array([[0, 0, 9, 9], [20, 0, 29, 9]], float), np.ones(2), np.array([[0.9, 0.0], [0.0, 0.9]]),
        np.array([[0.2, 0.1, 0.7], [0.2, 0.1, 0.7]]),
    )  # fmt: skip
    found = road_users(boxes, classes, riders_apart=False)
    assert found.posture.tolist() == [0, 3]
    np.testing.assert_allclose(found.posture_probability.sum(axis=1), 1.0)


def test_calibration_follows_platts_line_and_keeps_order() -> None:
    score = np.linspace(0, 1, 21)
    np.testing.assert_allclose(calibrated(score), np.clip(score, 1e-6, 1 - 1e-6))
    changed = calibrated(score, slope=2.0, offset=-1.0)
    assert (np.diff(changed) > 0).all() and changed[10] == pytest.approx(1 / (1 + np.e))


def test_unknown_classes_are_refused() -> None:
    with pytest.raises(ValueError, match="class 'tram'; expected coco, or some of unknown, car"):
        our_classes(["car", "tram"])


def test_edges_that_cut_a_box_off_are_named() -> None:
    box = np.array([[0, 5, 20, 20], [5, 0, 100, 50], [10, 10, 20, 20], [3, 3, 9, 50]], float)
    left, top, right, bottom = 1, 2, 4, 8
    assert cut_off(box, 50, 100).tolist() == [left, top | right | bottom, 0, bottom]
    assert bottom == camera_objects.CUT_BOTTOM


@pytest.mark.parametrize(
    ("name", "bgr"),
    [
        ("black", (10, 10, 10)), ("grey", (120, 120, 122)), ("white", (240, 240, 240)), ("red", (30, 30, 200)),
        ("yellow", (30, 200, 220)), ("green", (40, 160, 40)), ("blue", (200, 60, 30)), ("other", (180, 40, 170)),
    ],
)  # fmt: skip
def test_plain_boxes_have_their_colour(name: str, bgr: tuple[int, int, int]) -> None:
    image = np.zeros((120, 200, 3), np.uint8)
    cv2.rectangle(image, (20, 20), (80, 60), bgr, -1)
    shares = colours(image, np.array([[20.0, 20, 81, 61]]), np.array([False]))
    assert shares.shape == (1, 8) and shares.sum() == 255 and shares[0, COLOURS.index(name)] == 255


def test_shares_of_two_colours_and_of_boxes_too_small() -> None:
    image = np.zeros((100, 100, 3), np.uint8)
    image[:, :50] = (0, 0, 255)
    image[:, 50:] = (255, 255, 255)
    shares = colours(image, np.array([[0.0, 0, 100, 100], [5, 5, 6, 6]]), np.array([True, False]))
    assert shares[0].sum() == 255 and abs(int(shares[0, 3]) - 128) < 12 and abs(int(shares[0, 2]) - 128) < 12
    assert not shares[1].any()
