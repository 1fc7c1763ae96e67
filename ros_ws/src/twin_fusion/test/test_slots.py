"""Which arrays belong together, and how long they wait."""

import itertools

import numpy as np
import pytest

from twin_fusion.config import MergerConfig
from twin_fusion.core.slots import Part, Slot, SlotCollector

MS = 1_000_000
CONFIG = MergerConfig()


def play(arrivals: list[tuple[float, int, float]], until_ms: float = 0, config: MergerConfig = CONFIG):
    """Feed (arrival ms, platform, stamp ms) with a timer of 5 ms; return (time given out ms, slot)."""
    collector, given = SlotCollector(config), []
    times = sorted({a[0] for a in arrivals} | set(np.arange(0, max(until_ms, arrivals[-1][0] + 200), 5.0)))
    for now in times:
        given += [(now, slot) for slot in collector.poll(round(now * MS))]
        for at, platform, stamp in arrivals:
            if at == now:
                part = Part(platform, round(stamp * MS), np.zeros(0))
                given += [(now, slot) for slot in collector.add(part, round(now * MS))]
    return given


def periodic(phases_ms: dict[int, float], seconds: float, latency_ms: float = 20) -> list[tuple[float, int, float]]:
    arrivals = [
        (phase + k * 100 + latency_ms, platform, phase + k * 100)
        for k in range(int(seconds * 10))
        for platform, phase in phases_ms.items()
    ]
    return sorted(arrivals)


def waits(given: list[tuple[float, Slot]], latency_ms: float = 20) -> np.ndarray:
    return np.array([now - part.stamp_ns / MS - latency_ms for now, slot in given for part in slot.parts])


def platforms(slot: Slot) -> list[int]:
    return [part.platform for part in slot.parts]


def test_one_platform_never_waits() -> None:
    given = play(periodic({0: 0}, 2))
    assert len(given) == 20 and waits(given).max() == 0


@pytest.mark.parametrize("phase", [0, 10, 30, 45, 70, 95])
def test_two_platforms_share_slots_and_wait_for_their_phase_only(phase: float) -> None:
    given = play(periodic({0: 0, 1: phase}, 3))
    settled = given[5:-1]
    assert all(platforms(slot) == [0, 1] for _, slot in settled)
    assert waits(settled).max() == pytest.approx(min(phase, 100 - phase))


@pytest.mark.parametrize("phases", [(0, 30, 95), (0, 33, 66), (0, 50, 99), (5, 6, 60)])
def test_latency_is_bounded_and_nothing_is_lost_or_late_at_any_phase(phases: tuple[float, ...]) -> None:
    arrivals = periodic(dict(enumerate(phases)), 5)
    given = play(arrivals)
    assert waits(given).max() <= CONFIG.max_wait * 1000 + 5
    assert sorted((p.platform, p.stamp_ns) for _, s in given for p in s.parts) == sorted(
        (platform, round(stamp * MS)) for _, platform, stamp in arrivals
    )
    assert not any(slot.late for _, slot in given)
    stamps = [slot.stamp_ns for _, slot in given]
    assert stamps == sorted(stamps)


def test_nearly_synchronous_platforms_close_at_once() -> None:
    given = play(periodic({0: 0, 1: 2, 2: 1}, 3))
    assert waits(given[3:]).max() <= 2


def test_a_silent_platform_is_waited_for_a_second_only() -> None:
    arrivals = periodic({0: 0, 1: 20}, 6)
    arrivals = [a for a in arrivals if a[1] == 0 or a[2] < 2000]
    given = play(arrivals)
    during = [(now, s) for now, s in given if 2100 < s.stamp_ns / MS < 2900]
    after = [(now, s) for now, s in given if s.stamp_ns / MS > 3100]
    assert waits(during).max() <= 55
    assert len(after) >= 28 and waits(after).max() == 0


def test_an_array_whose_moment_is_over_is_given_out_alone_and_at_once() -> None:
    arrivals = periodic({0: 0, 1: 10}, 3)
    delayed = (1185.0, 1, 1010.0)
    arrivals = sorted([a for a in arrivals if not (a[1] == 1 and a[2] == 1010)] + [delayed])
    given = play(arrivals)
    late = [(now, slot) for now, slot in given if slot.late]
    assert [(now, platforms(slot), slot.stamp_ns // MS) for now, slot in late] == [(1185.0, [1], 1010)]


def test_the_order_of_arrival_inside_a_slot_does_not_matter() -> None:
    base = periodic({0: 0, 1: 0, 2: 0}, 1)
    expected = None
    for order in itertools.permutations(range(3)):
        arrivals = sorted(base, key=lambda a, order=order: (a[0], order[a[1]]))
        collector, given = SlotCollector(CONFIG), []
        for at, platform, stamp in arrivals:
            given += collector.add(Part(platform, round(stamp * MS), np.zeros(0)), round(at * MS))
        settled = [(slot.stamp_ns, platforms(slot)) for slot in given if slot.stamp_ns >= 200 * MS]
        expected = expected or settled
        assert settled == expected and all(p == [0, 1, 2] for _, p in settled)


def test_a_recording_that_starts_again_is_not_late() -> None:
    collector = SlotCollector(CONFIG)
    for k in range(10):
        collector.add(Part(0, (5000 + 100 * k) * MS, np.zeros(0)), (5000 + 100 * k) * MS)
    slots = collector.add(Part(0, 1000 * MS, np.zeros(0)), 1000 * MS)
    assert len(slots) == 1 and not slots[0].late
