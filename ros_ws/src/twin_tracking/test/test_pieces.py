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
