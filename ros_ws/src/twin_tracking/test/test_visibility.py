"""What poles can see, and what it means when they do not see it."""

from __future__ import annotations

import numpy as np
import pytest

from twin_tracking.config import TrackerConfig
from twin_tracking.core import classes
from twin_tracking.core.detections import Detections, empty
from twin_tracking.core.tracker import Tracker
from twin_tracking.core.visibility import Visibility, Walls
from twin_tracking.synthetic import START_NS, detect, joined, mover

CONFIG = TrackerConfig()
POLE = {0: np.array([0.0, 0.0, 5.0])}
OPEN = Walls(np.zeros((0, 2)), np.zeros((0, 2)), np.zeros(0))
#: A wall 10 m high between the pole and what is beyond x = 10 m.
WALL = Walls(np.array([[10.0, -20.0]]), np.array([[10.0, 20.0]]), np.array([10.0]))


def _other(time: float, rng: np.random.Generator) -> Detections:
    """Return somebody who is always seen, so that the pole contributes to every array."""
    return detect(mover([[-8.0, -8.0]], [[0.0, 0.0]], label=classes.PEDESTRIAN).at(time), rng, miss=0.0)


def _life_after(walls: Walls, place: tuple[float, float], blocker: bool = False) -> tuple[float, float]:
    """Return the existence of a person 0.6 s after the last detection, and how long the track lives on, s."""
    rng = np.random.default_rng(4)
    tracker = Tracker(CONFIG, visibility=Visibility(POLE, walls, CONFIG))
    person = mover([place], [[0.0, 0.0]], label=classes.PEDESTRIAN)
    bus = mover([[place[0] / 2, place[1] / 2]], [[0.0, 0.0]], label=classes.CAR)
    existence, lived = 0.0, 0.0
    for step in range(60):
        time = step / 10
        seen = _other(time, rng)
        if time < 2.0:
            seen = joined(seen, detect(person.at(time), rng, miss=0.0))
        if blocker:
            large = detect(bus.at(time), rng, miss=0.0)
            large.size[:] = [11.0, 2.5, 3.2]
            large.position[:, 2] = 1.6
            large.yaw[:] = np.arctan2(place[1], place[0]) + np.pi / 2
            seen = joined(seen, large)
        seen.platforms[:] = 1
        tracks = tracker.step(seen, START_NS + round(time * 1e9))
        near = np.hypot(*(tracks.position[:, :2] - place).T) < 1.5
        if time > 2.55 and not existence:
            existence = float(tracks.existence[near].max(initial=1e-12))
        if near.any():
            lived = time - 1.9
    return existence, lived


def test_who_should_be_seen_and_is_not_is_given_up_before_who_is_hidden() -> None:
    in_sight, behind_wall = _life_after(OPEN, (20.0, 0.0)), _life_after(WALL, (20.0, 0.0))
    behind_bus = _life_after(OPEN, (20.0, 0.0), blocker=True)
    assert in_sight[0] < 0.5 * behind_wall[0]
    assert in_sight[0] < 0.5 * behind_bus[0]
    assert behind_wall[0] > 0.5 and behind_bus[0] > 0.5
    assert in_sight[1] <= behind_wall[1]


def test_out_of_range_is_hidden() -> None:
    assert _life_after(OPEN, (55.0, 0.0))[0] > 0.5


@pytest.mark.parametrize(("height", "hidden"), [(10.0, True), (2.0, False)])
def test_a_wall_hides_what_is_lower_than_the_line_over_it(height: float, hidden: bool) -> None:
    wall = Walls(WALL.start, WALL.end, np.array([height]))
    assert wall.hide(POLE[0], np.array([[20.0, 0.0, 1.0]])).tolist() == [hidden]
    assert wall.hide(POLE[0], np.array([[9.0, 0.0, 1.0]])).tolist() == [False]


def test_arrays_without_a_known_pole_change_nothing() -> None:
    visibility = Visibility(POLE, OPEN, CONFIG)
    tracker = Tracker(CONFIG, visibility=visibility)
    plain = Tracker(CONFIG)
    rng = np.random.default_rng(1)
    for step in range(20):
        seen = _other(step / 10, rng) if step % 3 else empty()
        seen.platforms[:] = 8
        stamp = START_NS + step * 10**8
        one, two = tracker.step(seen, stamp), plain.step(seen, stamp)
        np.testing.assert_array_equal(one.existence, two.existence)
