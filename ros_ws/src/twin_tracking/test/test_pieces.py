"""Pieces of vehicles that are seen as persons, and persons beside, behind and in front of vehicles."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from twin_tracking.config import TrackerConfig
from twin_tracking.core import classes
from twin_tracking.core.detections import Detections
from twin_tracking.core.tracker import Tracker
from twin_tracking.core.tracks import TENTATIVE, Tracks
from twin_tracking.synthetic import START_NS, detect, joined, mover

STEP_NS = 100_000_000
LORRY = (7.0, 2.4, 3.0)
Places = Callable[[float], list[tuple[float, float]]]


def seen(
    rng: np.random.Generator, time: float, speed: float, persons: list[tuple[float, float]], size: tuple[float, ...]
) -> Detections:
    """Platform 0 sees a lorry whole that begins at (0, 0); platform 1 sees persons at places relative to its centre."""
    lorry = detect(mover((0.0, 0.0), (max(speed, 1e-6), 0.0), label=classes.TRUCK).at(time), rng, 0.05)
    lorry.size[:] = size
    lorry.platforms[:] = 1
    if not persons:
        return lorry
    places = np.array(persons) + np.array([speed * time, 0.0])
    found = detect(mover(places, np.zeros_like(places), label=classes.PEDESTRIAN).at(0.0), rng, 0.05)
    found.platforms[:] = 2
    return joined(lorry, found)


def follow(
    places: Places, steps: int, speed: float = 0.0, size: tuple[float, ...] = LORRY, **settings: float
) -> tuple[Tracker, list[Tracks]]:
    rng, tracker, told = np.random.default_rng(1), Tracker(TrackerConfig(**settings)), []
    for step in range(steps):
        detections = seen(rng, 0.1 * step, speed, places(0.1 * step), size)
        told.append(tracker.step(detections, START_NS + step * STEP_NS))
    return tracker, told


def persons(tracks: Tracks) -> np.ndarray:
    """Return the rows of persons that are sure."""
    return np.flatnonzero((tracks.class_probability.argmax(axis=1) == classes.PEDESTRIAN) & (tracks.state != TENTATIVE))


@pytest.mark.parametrize("speed", [0.0, 9.0])
def test_what_another_platform_finds_in_a_lorry_is_no_person(speed: float) -> None:
    def pieces(time: float) -> list[tuple[float, float]]:
        return [(3.3, 0.6), (-1.0, -1.25), (3.6, -0.9)] if time > 1.0 else []

    tracker, told = follow(pieces, 40, speed)
    assert not any(len(persons(tracks)) for tracks in told)
    assert tracker.events["part_of_vehicle"] > 50
    if not speed:
        _, doubled = follow(pieces, 40, speed, piece_margin=-10.0)
        assert len(persons(doubled[-1])) >= 2


def test_a_piece_that_was_told_before_its_lorry_was_sure_ends() -> None:
    """The pieces are there from the first scan on."""
    _, told = follow(lambda _: [(2.0, 0.9)], 30)
    assert not len(persons(told[-1]))


@pytest.mark.parametrize("place", [(0.0, 1.9), (4.2, 0.0), (-4.2, 0.5)])
def test_a_person_close_to_a_lorry_is_one(place: tuple[float, float]) -> None:
    """0.7 m from its side, its front, its rear."""
    _, told = follow(lambda time: [place] if time > 1.0 else [], 40)
    assert all(len(persons(tracks)) == 1 for tracks in told[20:])


def test_a_person_who_walks_along_a_lorry_and_brushes_it_keeps_the_name() -> None:
    """For half a second the place is 0.1 m inside."""

    def walker(time: float) -> list[tuple[float, float]]:
        return [(-8.0 + 1.3 * time, 1.1 if 5.9 < time < 6.4 else 1.6)]

    _, told = follow(walker, 120)
    names = {int(tracks.ids[row]) for tracks in told[10:] for row in persons(tracks)}
    assert len(names) == 1
    assert all(len(persons(tracks)) == 1 for tracks in told[10:])


def test_a_person_who_gets_out_is_one_from_the_door_on() -> None:
    def passenger(time: float) -> list[tuple[float, float]]:
        return [(2.0, min(0.6 + 1.0 * (time - 2.0), 4.0))] if time > 2.0 else []

    _, told = follow(passenger, 60)
    first = next(step for step, tracks in enumerate(told) if len(persons(tracks)))
    assert 20 < first < 36, "0.4 m outside at 3.0 s"
    assert all(len(persons(tracks)) == 1 for tracks in told[first:])


def test_a_footprint_of_several_things_hides_nobody() -> None:
    """A box 3.6 m wide is no vehicle's."""
    _, told = follow(lambda time: [(1.0, 1.4)] if time > 1.0 else [], 40, size=(7.0, 3.6, 3.0))
    assert all(len(persons(tracks)) == 1 for tracks in told[20:])


def test_a_rider_who_waits_stays_a_rider_and_a_runner_a_pedestrian() -> None:
    """Both look like pedestrians when they stand; one has come at 5 m/s, the other ran at 3 m/s."""
    for speed, expected in ((5.0, classes.BICYCLE), (3.0, classes.PEDESTRIAN)):
        rng, tracker = np.random.default_rng(2), Tracker(TrackerConfig())
        for step in range(100):
            moving = step < 30
            x = speed * 0.1 * min(step, 30)
            label = expected if moving else classes.PEDESTRIAN
            found = detect(mover((x, 0.0), (speed if moving else 0.0, 0.0), label=label).at(0.0), rng, 0.06)
            if not moving:  # a little is left of what it is
                found.class_probability[:] = 0.0
                found.class_probability[:, [classes.PEDESTRIAN, classes.BICYCLE, classes.SCOOTER]] = 0.85, 0.1, 0.05
            tracks = tracker.step(found, START_NS + step * STEP_NS)
        assert len(tracks) == 1
        assert tracks.class_probability[0].argmax() == expected


CAR_SIZE = (4.6, 1.9, 1.5)
Scene = Callable[[float], tuple[float, float]]  # where the middle of a car and where its speed is at a time


def beside_a_car(car: Scene, persons_: Places, steps: int, yaw: float = 0.0, size: tuple[float, ...] = CAR_SIZE,
                 label: int = classes.CAR, other: int = classes.PEDESTRIAN) -> list[Tracks]:  # fmt: skip
    """One platform sees a car on the x axis, in a box turned by ``yaw``, and persons at places of the map."""
    rng, tracker, told = np.random.default_rng(3), Tracker(TrackerConfig()), []
    for step in range(steps):
        x, speed = car(0.1 * step)
        seen_ = detect(mover((x, 0.0), (max(speed, 1e-6), 0.0), label=label).at(0.0), rng, 0.05)
        seen_.size[:] = size
        seen_.yaw[:] = yaw
        for place in persons_(0.1 * step):
            seen_ = joined(seen_, detect(mover(place, (0.0, 0.0), label=other).at(0.0), rng, 0.05))
        told.append(tracker.step(seen_, START_NS + step * STEP_NS))
    return told


@pytest.mark.parametrize("over", [-0.5, 0.0, 0.2, 0.5, 1.0])
@pytest.mark.parametrize("leaves", [False, True])
def test_a_person_whom_a_car_has_hit_stays_one_while_it_stands_over_them(over: float, leaves: bool) -> None:
    """The car brakes and stops at 2 s with its front ``over`` metres beyond the person, and backs off at 8 s."""

    def car(time: float) -> tuple[float, float]:
        left = max(2.0 - time, 0.0)
        back = 1.5 * max(time - 8.0, 0.0) if leaves else 0.0
        return over - 2.3 - 0.5 * 4.0 * left**2 - back, 4.0 * left

    told = beside_a_car(car, lambda _: [(0.0, 0.3)], 120)
    assert all(len(persons(tracks)) == 1 for tracks in told[5:])
    assert len({int(tracks.ids[row]) for tracks in told[5:] for row in persons(tracks)}) == 1


@pytest.mark.parametrize("beside", [0.35, 0.45])
def test_a_walker_close_beside_a_car_has_a_track_at_once(beside: float) -> None:
    """The car's box is 0.25 m too wide and turned by three degrees; the walker appears from behind something."""
    size = (4.9, 2.15, 1.5)
    for yaw in (-np.radians(3), np.radians(3)):
        told = beside_a_car(
            lambda _: (0.0, 0.0),
            lambda time: [(-2.0 + 0.5 * (time - 1.0), -(0.95 + beside))] if time > 1.0 else [], 40, yaw, size,
        )  # fmt: skip
        assert all(len(persons(tracks)) == 1 for tracks in told[15:])


@pytest.mark.parametrize("beside", [0.3, 0.5])
@pytest.mark.parametrize("yaw_deg", [-4.0, 0.0, 4.0])
def test_a_cyclist_close_beside_a_bus_has_a_track_at_once(beside: float, yaw_deg: float) -> None:
    told = beside_a_car(
        lambda _: (0.0, 0.0), lambda time: [(-5.0, -(1.25 + beside))] if time > 1.5 else [], 40, np.radians(yaw_deg),
        (12.0, 2.5, 3.2), classes.BUS, classes.BICYCLE,
    )  # fmt: skip
    assert all((tracks.class_probability.argmax(axis=1) == classes.BICYCLE).sum() == 1 for tracks in told[20:])


def test_what_a_scan_shows_inside_a_bus_that_it_shows_too_is_a_piece_of_it() -> None:
    told = beside_a_car(
        lambda _: (0.0, 0.0), lambda time: [(-5.0, 0.6), (4.0, -0.8)] if time > 1.5 else [], 40, 0.0, (12.0, 2.5, 3.2),
        classes.BUS,
    )  # fmt: skip
    assert not any(len(persons(tracks)) for tracks in told)


@pytest.mark.parametrize("speed", [5.0, 6.0])
@pytest.mark.parametrize("certain", [0.75, 0.9])
def test_a_runner_who_falls_is_a_pedestrian(speed: float, certain: float) -> None:
    """Runs for two seconds; one view in five looks like a rider's all the while."""
    rng, tracker = np.random.default_rng(5), Tracker(TrackerConfig())
    for step in range(60):
        x = speed * 0.1 * min(step, 20)
        found = detect(mover((x, 0.0), (speed if step < 20 else 0.0, 0.0), label=classes.PEDESTRIAN).at(0.0), rng, 0.06)
        rides = step % 5 == 4 and step < 20
        share = 0.3 if rides else certain
        found.class_probability[:] = 0.0
        found.class_probability[:, [classes.PEDESTRIAN, classes.BICYCLE, classes.SCOOTER]] = (
            share, 0.6 * (1 - share), 0.4 * (1 - share)
        )  # fmt: skip
        tracks = tracker.step(found, START_NS + step * STEP_NS)
        if step >= 30:
            assert len(tracks) == 1 and tracks.class_probability[0].argmax() == classes.PEDESTRIAN


def test_a_piece_that_was_taken_for_a_car_at_first_is_no_person_later() -> None:
    """For two seconds one platform takes the corner of a lorry for a car, then for a person."""
    rng, tracker = np.random.default_rng(6), Tracker(TrackerConfig())
    for step in range(60):
        lorry = seen(rng, 0.1 * step, 0.0, [], (7.0, 2.4, 3.0))
        label = classes.CAR if step < 20 else classes.PEDESTRIAN
        corner = detect(mover((2.6, 0.7), (0.0, 0.0), label=label).at(0.0), rng, 0.05)
        corner.size[:], corner.platforms[:] = (1.5, 1.2, 1.5), 2
        tracks = tracker.step(joined(lorry, corner), START_NS + step * STEP_NS)
    assert not len(persons(tracks))


def test_what_a_car_drives_over_and_is_still_seen_is_nobody() -> None:
    """A thing that stands in the lane, as left by a wrong background: a car rolls over it and stops half a way on."""

    def car(time: float) -> tuple[float, float]:
        rolled = min(max(time - 1.0, 0.0), 3.0)
        return -4.6 + 1.5 * rolled, 1.5 if 1.0 < time < 4.0 else 0.0

    told = beside_a_car(car, lambda _: [(0.0, 0.3)], 70)
    assert len(persons(told[12])) == 1 and not len(persons(told[-1]))
