"""The judge of alerts, on scenes whose truth is known."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from twin_incidents.evaluation.chain import Told, true_of
from twin_incidents.evaluation.judge import Course, judge
from twin_incidents.evaluation.run import KINDS, figures_of, plain_parameters
from twin_incidents.evaluation.truth import records_of_actors
from twin_incidents.table import load_table

NEAR_MISS = Path(__file__).parents[4] / "bags" / "near_miss"
COLLISION = "predicted_collision"
SECOND = 10**9


@pytest.fixture(scope="module")
def course() -> Course:
    return Course(NEAR_MISS)


@pytest.fixture(scope="module")
def true() -> list[Told]:
    return true_of(NEAR_MISS, {})


def alert(first_ns: int, place: tuple[float, float], kind: str = COLLISION, last: float = 1.0) -> Told:
    return Told(kind, first_ns, first_ns + round(last * SECOND), (1, 2), "", (), [(first_ns, *place, 2.0)])


def everybody(course: Course) -> dict[int, np.ndarray]:
    return {int(number): course.stamps for number in course.frames[0]["actor_id"]}


def test_true_actors_are_tracks_that_the_rules_judge(course: Course, true: list[Told]) -> None:
    """The recording's one near collision is found in its true actors, at its place and before its time."""
    (event,) = [event for event in course.events if int(event["kind"]) in KINDS[COLLISION]]
    numbers = {int(number) for number in event["actor_ids"] if number}
    (found,) = [item for item in true if item.kind == COLLISION and set(item.track_ids) == numbers]
    assert -3.0 < (found.first_ns - event["start_ns"]) / SECOND < 3.0
    records = records_of_actors(int(course.stamps[5]), course.frames[5], {}, {})
    assert (records["last_seen_ns"] == course.stamps[5]).all() and (records["existence"] > 0.9).all()


def test_an_alert_is_true_where_and_when_the_truth_has_it(course: Course, true: list[Told]) -> None:
    found = next(item for item in true if item.kind == COLLISION)
    _, x, y, _ = found.places[0]
    told = [
        alert(found.first_ns + SECOND // 5, (x + 1.0, y)), alert(found.first_ns, (x + 60.0, y + 40.0)),
        alert(found.first_ns - 20 * SECOND, (x, y)), alert(found.first_ns, (x, y), "vehicle_stopped_in_lane"),
    ]  # fmt: skip
    result = judge(COLLISION, told, [found], course, everybody(course), KINDS[COLLISION])
    assert (result.alerts, result.true, result.asked, result.told) == (3, 1, 1, 1)
    assert result.delay == (pytest.approx(0.2),)
    assert len(result.false_alarms) == 2 and not result.missed


def test_what_nobody_saw_is_not_asked_for_and_what_was_seen_is_missed(course: Course, true: list[Told]) -> None:
    found = next(item for item in true if item.kind == COLLISION)
    unseen = judge(COLLISION, [], [found], course, {}, frozenset())
    missed = judge(COLLISION, [], [found], course, everybody(course), frozenset())
    assert (unseen.asked, missed.asked, missed.told) == (0, 1, 0) and len(missed.missed) == 1


def test_two_who_truly_pass_at_a_hand_make_an_alert_true(course: Course) -> None:
    """Two actors of a frame are put 0.2 m apart, at 5 m/s; with 1 m between them it is nothing."""
    for gap, close in ((0.2, True), (1.0, False)):
        one = Course.__new__(Course)
        frame = course.frames[0][:2].copy()
        frame["classification"], frame["length"], frame["width"], frame["yaw"] = (1, 7), 1.0, 1.0, 0.0
        frame["x"], frame["y"], frame["velocity_x"], frame["velocity_y"] = 0.0, (0.0, 1.0 + gap), (5.0, 0.0), 0.0
        one.frames, one.stamps, one.events = [frame], np.array([SECOND], np.int64), np.zeros(0)
        assert one.close_pass((0.0, 0.5), 0) is close
        assert not one.close_pass((20.0, 0.0), 0) and not one.close_pass((0.0, 0.5), 3 * SECOND)


def test_the_plain_table_is_a_table_with_other_thresholds(tmp_path: Path) -> None:
    plain = load_table(plain_parameters(tmp_path)["incident_detector"]["table"])
    rows = {row.kind: row for row in load_table()}
    assert {row.kind for row in plain if row.thresholds != rows[row.kind].thresholds} == {
        COLLISION, "pedestrian_on_carriageway", "vehicle_stopped_in_lane",
    }  # fmt: skip


def test_figures_are_per_hour_and_of_all_scenes(course: Course, true: list[Told]) -> None:
    found = next(item for item in true if item.kind == COLLISION)
    part = judge(COLLISION, [alert(found.first_ns, (300.0, 300.0))], [found], course, everybody(course), frozenset())
    figures = figures_of([part, part], 60.0)
    assert (figures.alerts, figures.true, figures.asked, figures.told) == (2, 0, 2, 0)
    assert figures.false_per_hour == pytest.approx(120.0)
    assert np.isnan(figures.delay)
