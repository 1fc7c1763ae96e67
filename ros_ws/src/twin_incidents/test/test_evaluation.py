"""The judge of alerts, on scenes whose truth is known."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from twin_common.district import load_district
from twin_incidents.evaluation.chain import Told, true_of
from twin_incidents.evaluation.coverage import stopped_share
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


def members(course: Course, numbers: tuple[int, ...], stamp_ns: int) -> tuple[tuple[int, float, float], ...]:
    """Return where actors are, each half a metre off, as the tracks of an alert."""
    places = [course.places(number, stamp_ns)[0] for number in numbers]
    return tuple((stamp_ns, float(x) + 0.4, float(y) - 0.3) for x, y in places)


def test_one_true_incident_makes_one_alert_true(course: Course, true: list[Told]) -> None:
    """Five alerts at its place and about its time: one is about it, and four tell the same again."""
    found = next(item for item in true if item.kind == COLLISION)
    _, x, y, _ = found.places[0]
    told = [alert(found.first_ns + k * SECOND // 10, (x, y)) for k in range(5)]
    told = [dataclasses.replace(one, members=members(course, found.track_ids, one.first_ns)) for one in told]
    result = judge(COLLISION, told, [found], course, everybody(course), KINDS[COLLISION])
    assert (result.alerts, result.true, result.told) == (5, 1, 1) and result.delay == (pytest.approx(0.0),)


def test_an_alert_about_others_is_not_about_a_true_incident_beside_them(course: Course, true: list[Told]) -> None:
    found = next(item for item in true if item.kind == COLLISION)
    _, x, y, _ = found.places[0]
    pieces = ((found.first_ns, x + 4.0, y + 3.0), (found.first_ns, x + 4.5, y + 3.0))
    one_of_them = (*members(course, found.track_ids[:1], found.first_ns), pieces[0])
    for others in (pieces, one_of_them):
        told = dataclasses.replace(alert(found.first_ns, (x, y)), members=others)
        result = judge(COLLISION, [told], [found], course, everybody(course), KINDS[COLLISION])
        assert result.told == 0 and len(result.missed) == 1
    both = dataclasses.replace(told, members=members(course, found.track_ids, found.first_ns))
    assert judge(COLLISION, [both], [found], course, everybody(course), frozenset()).told == 1


def test_a_track_is_about_the_actor_in_whose_footprint_it_lies(course: Course) -> None:
    """The corner of a lorry is the lorry's, though a person beside it is nearer to that corner than its middle."""
    one = Course.__new__(Course)
    frame = course.frames[0][:2].copy()
    frame["actor_id"], frame["classification"], frame["yaw"] = (5, 6), (2, 7), 0.0
    frame["length"], frame["width"], frame["x"], frame["y"] = (10.0, 0.6), (2.5, 0.6), (0.0, 4.5), (0.0, 2.0)
    one.frames, one.stamps = [frame], np.array([SECOND], np.int64)
    assert [one.actor_at(SECOND, *place) for place in ((4.5, 1.1), (4.5, 1.9), (0.0, 9.0))] == [5, 6, -1]


def test_what_was_barely_seen_is_told_apart(course: Course, true: list[Told]) -> None:
    """Its actors were seen in every third scan: it is not asked for, and whether it was told of is stated."""
    found = next(item for item in true if item.kind == COLLISION)
    rarely = {number: stamps[::3] for number, stamps in everybody(course).items()}
    told = alert(found.first_ns, found.places[0][1:3])
    for alerts, hits in (([], 0), ([told], 1)):
        result = judge(COLLISION, alerts, [found], course, rarely, frozenset())
        assert (result.asked, result.missed, result.barely, result.barely_told) == (0, (), 1, hits)


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


def test_a_lone_car_is_told_of_as_far_as_the_next_one_ahead_would_be_seen(tmp_path: Path) -> None:
    """A straight road past one pole: up to 26.7 m away if it faces away, 43.3 m if it faces the pole, of 60 m."""
    path = tmp_path / "district.yaml"
    path.write_text("""
name: road
datum: {latitude: 35.15, longitude: 126.85, altitude: 30.0}
platforms:
  - {name: pole_01, pose: {x: 0.0, y: 0.0}, lidar: {mount: {z: 5.0}}}
zones:
  - {name: road, kind: carriageway, polygon: [[-200, -4], [200, -4], [200, 4], [-200, 4]]}
""")
    assert stopped_share(load_district(path)) == pytest.approx(35.0 / 60.0, abs=0.03)


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
