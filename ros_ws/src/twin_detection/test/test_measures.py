"""Average precision of slices, on detections whose figures are known."""

import numpy as np
import pytest

from twin_detection.core.classes import CAR
from twin_detection.core.detections import Detections
from twin_detection.evaluation.measures import Slice, measured
from twin_detection.evaluation.scoring import REACH, Truth, score_frame


def truth(places: list[tuple[float, float]], points: list[int]) -> Truth:
    centre, count = np.array(places), len(places)
    return Truth(
        centre=centre, size=np.tile([4.4, 1.8, 1.5], (count, 1)), yaw=np.zeros(count), label=np.full(count, CAR),
        velocity=np.zeros((count, 2)), distance=np.hypot(*centre.T), points=np.array(points),
        asked=(np.array(points) >= 10) & (np.hypot(*centre.T) < REACH), lying=np.zeros(count, bool),
    )  # fmt: skip


def cars(places: list[tuple[float, float]], scores: list[float]) -> Detections:
    count = len(places)
    probability = np.zeros((count, 10))
    probability[:, CAR] = 1.0
    return Detections(
        centre=np.column_stack([np.array(places), np.zeros(count)]), size=np.tile([4.4, 1.8, 1.5], (count, 1)),
        yaw=np.zeros(count), covariance=np.tile(0.01 * np.eye(3), (count, 1, 1)), yaw_variance=np.full(count, 0.01),
        class_probability=probability, existence=np.array(scores), point_count=np.full(count, 50),
        time_offset=np.zeros(count),
    )  # fmt: skip


OBJECTS = truth([(10.0, 0.0), (20.0, 0.0), (30.0, 0.0), (40.0, 0.0)], [200, 12, 90, 5])
FOUND = cars([(10.2, 0.0), (20.1, 0.0), (25.0, 8.0), (40.0, 0.1)], [0.9, 0.8, 0.7, 0.6])
HIDDEN = np.array([False, True, False, True])


@pytest.mark.parametrize(
    ("part", "objects", "precision", "recall"),
    [
        (Slice((CAR,)), 3, 2 / 3, 2 / 3),
        (Slice((CAR,), hidden=True), 1, 1 / 2, 1.0),  # the false one counts in every level
        (Slice((CAR,), hidden=False), 2, 1 / 2, 1 / 2),
        (Slice((CAR,), least=30), 2, 1 / 2, 1 / 2),
        (Slice((CAR,), far=22.0), 2, 1.0, 1.0),
    ],
)
def test_who_is_not_of_a_slice_counts_neither_way(part: Slice, objects: int, precision: float, recall: float) -> None:
    rows = score_frame(FOUND, OBJECTS, np.zeros(3), 0)
    figures = measured(rows, part, HIDDEN)
    assert figures["objects"] == objects
    assert figures["precision"] == pytest.approx(precision) and figures["recall"] == pytest.approx(recall)


def test_a_detection_just_beyond_the_edge_finds_who_is_just_within_it() -> None:
    rows = score_frame(cars([(50.3, 0.0), (51.0, 9.0)], [0.9, 0.9]), truth([(49.8, 0.0)], [40]), np.zeros(3), 0)
    figures = measured(rows, Slice((CAR,)), np.array([False]))
    assert figures["recall"] == 1.0 and figures["precision"] == 1.0  # what is false beyond the edge is not asked about
