import numpy as np
import pytest

from twin_common.ros_clock import PlayedClock

START = 1_700_000_000 * 10**9


class Wall:
    """A steady clock that a test turns."""

    def __init__(self) -> None:
        self.now = 5 * 10**9

    def __call__(self) -> int:
        return self.now


def played(
    clock: PlayedClock, wall: Wall, seconds: float, rate: float, delays: np.random.Generator | None = None
) -> int:
    """Play ticks at 50 Hz of wall time; each may be taken up to 15 ms late. Returns the true time."""
    begin, time_ns = wall.now, START
    for k in range(int(seconds * 50)):
        time_ns = START + int(k * 20e6 * rate)
        wall.now = begin + k * 20_000_000 + (int(delays.uniform(0, 15e6)) if delays is not None else 0)
        clock.tick(time_ns)
    return START + int((wall.now - begin) * rate)


@pytest.mark.parametrize("rate", [0.5, 1.0, 3.0])
def test_between_ticks_time_runs_at_the_recordings_pace(rate: float) -> None:
    wall = Wall()
    clock = PlayedClock(wall)
    truth = played(clock, wall, 2.0, rate)
    wall.now += 13_000_000
    assert clock.now_ns() == pytest.approx(truth + 13_000_000 * rate, abs=100_000)


def test_ticks_that_are_taken_late_do_not_hold_the_clock_back() -> None:
    wall = Wall()
    clock = PlayedClock(wall)
    truth = played(clock, wall, 6.0, 1.0, np.random.default_rng(1))
    assert clock.now_ns() == pytest.approx(truth, abs=2_000_000)


def test_it_never_goes_back_while_the_recording_goes_on() -> None:
    wall, rng = Wall(), np.random.default_rng(2)
    clock, seen = PlayedClock(wall), []
    for k in range(200):
        wall.now = 5 * 10**9 + k * 20_000_000 + int(rng.uniform(0, 15e6))
        clock.tick(START + k * 20_000_000)
        seen.append(clock.now_ns())
    assert seen == sorted(seen)


def test_a_pause_stops_it_and_a_loop_sets_it_back() -> None:
    wall = Wall()
    clock = PlayedClock(wall)
    assert clock.now_ns() == 0
    played(clock, wall, 1.0, 1.0)
    paused = START + 980_000_000
    for _ in range(50):
        wall.now += 20_000_000
        clock.tick(paused)
    assert clock.now_ns() == paused
    clock.tick(START)
    assert clock.now_ns() == START


def test_without_ticks_it_stops_a_tenth_of_a_second_after_the_last() -> None:
    wall = Wall()
    clock = PlayedClock(wall)
    played(clock, wall, 1.0, 1.0)
    wall.now += 10**10
    assert clock.now_ns() == START + 980_000_000 + 100_000_000
