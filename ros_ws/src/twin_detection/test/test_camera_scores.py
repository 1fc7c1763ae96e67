"""Scores of boxes in pictures: by hand where numbers are known, and of perfect and of blind detectors."""

from __future__ import annotations

import numpy as np
import pytest

from twin_common.core.object_class import ObjectClass
from twin_detection.camera_scenes import LABEL
from twin_detection.core.camera_objects import ImageObjects
from twin_detection.evaluation import camera_scores as scores

CAR, PERSON = int(ObjectClass.CAR), int(ObjectClass.PEDESTRIAN)


def labels(*rows: tuple[int, tuple[float, ...], float]) -> np.ndarray:
    table = np.zeros(len(rows), LABEL)
    for row, (kind, box, visible) in zip(table, rows, strict=True):
        row["label"], row["box"], row["visible"] = kind, box, visible
        row["pixels"], row["distance"], row["posture"] = 500, 20.0, 3 if kind == PERSON else 0
    return table


def objects(*rows: tuple[int, tuple[float, ...], float]) -> ImageObjects:
    probability = np.zeros((len(rows), 10))
    probability[np.arange(len(rows)), [kind for kind, _, _ in rows]] = 1.0
    box = np.array([box for _, box, _ in rows], float).reshape(-1, 4)
    return ImageObjects(
        box, probability, np.tile([0.1, 0.2, 0.1, 0.6], (len(rows), 1)), np.array([score for *_, score in rows])
    )


A, B, C = (10.0, 10, 50, 40), (100.0, 10, 140, 40), (200.0, 10, 230, 90)
MOVED = (14.0, 10, 54, 40)


def test_a_perfect_detector_and_a_blind_one() -> None:
    truth = labels((CAR, A, 1.0), (CAR, B, 1.0), (PERSON, C, 1.0))
    told = scores.outcome_of(objects((CAR, A, 0.9), (CAR, B, 0.9), (PERSON, C, 0.8)), truth)
    assert scores.of_classes(told, [CAR]) == {"objects": 2.0, "AP50": 1.0, "recall": 1.0, "precision": 1.0}
    assert told.postures.tolist() == [[3, 3]] and (told.there == scores.HIT).all()
    blind = scores.outcome_of(objects(), truth)
    assert scores.of_classes(blind, [CAR, PERSON])["AP50"] == 0.0 and blind.wanted[PERSON] == 1


def test_the_surer_of_two_boxes_finds_the_object_and_the_other_is_too_many() -> None:
    told = scores.outcome_of(objects((CAR, MOVED, 0.6), (CAR, A, 0.9)), labels((CAR, A, 1.0)))
    assert told.outcome.tolist() == [scores.MISS, scores.HIT]


def test_what_is_not_asked_for_neither_helps_nor_harms() -> None:
    truth = labels((CAR, A, 0.1), (CAR, B, 1.0))
    told = scores.outcome_of(objects((CAR, A, 0.9), (PERSON, (15, 15, 30, 35), 0.9), (CAR, B, 0.8)), truth)
    assert told.outcome.tolist() == [scores.UNCOUNTED, scores.UNCOUNTED, scores.HIT]
    assert scores.of_classes(told, [CAR])["AP50"] == 1.0


def test_another_class_in_the_same_place_is_wrong() -> None:
    told = scores.outcome_of(objects((PERSON, A, 0.9)), labels((CAR, A, 1.0)))
    assert told.outcome.tolist() == [scores.MISS] and told.there.tolist() == [scores.HIT]


def test_calibration_error_of_one_who_tells_the_truth_and_of_one_who_boasts() -> None:
    rng = np.random.default_rng(0)
    existence = rng.uniform(0, 1, 20_000)
    hit = np.where(rng.uniform(0, 1, len(existence)) < existence, scores.HIT, scores.MISS)
    empty = np.zeros(len(existence), int)
    honest = scores.Outcome(empty, existence, existence, hit, hit, np.zeros(10), np.zeros((0, 2), int))
    assert scores.calibration_error(honest) < 0.02
    boast = scores.Outcome(empty, existence, np.sqrt(existence), hit, hit, np.zeros(10), np.zeros((0, 2), int))
    assert scores.calibration_error(boast) > 0.1


def test_pictures_are_joined() -> None:
    truth = labels((CAR, A, 1.0))
    both = scores.joined([scores.outcome_of(objects((CAR, A, 0.9)), truth), scores.outcome_of(objects(), truth)])
    assert both.wanted[CAR] == 2 and scores.of_classes(both, [CAR])["recall"] == 0.5


def test_other_labels_are_refused() -> None:
    with pytest.raises(ValueError, match="labels: expected dtype LABEL"):
        scores.outcome_of(objects(), np.zeros(3))
