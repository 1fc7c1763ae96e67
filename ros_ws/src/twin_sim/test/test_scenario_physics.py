"""Mechanics of accidents against formulas: throws, impacts, falls from a height, ways."""

import numpy as np
import pytest

from twin_sim.core.acts import ActorConfig, FacadeConfig, LoadConfig, SignConfig
from twin_sim.core.ballistics import Pieces
from twin_sim.core.contacts import Contacts, Meetings, advance_slide
from twin_sim.core.crowding import AreaDensity, density_cells
from twin_sim.core.falls import advance_fall, look_for_fall, natural_fall, throw, tip_over
from twin_sim.core.frame import Activity, EventKind, ObjectClass, Shape, no_actors
from twin_sim.core.hazards import FacadeFall, load_drop, sign_fall
from twin_sim.core.impacts import (
    EFFICIENCY,
    GRAVITY,
    LAUNCH_ANGLE,
    TYRE_FRICTION,
    Box,
    Rigid,
    collide,
    gap,
    part,
    slide,
    throw_bounds,
    touch,
)  # fmt: skip
from twin_sim.core.performer import Performer, look_of
from twin_sim.core.sun import sun_position
from twin_sim.core.ways import Way
from twin_sim.world import CraneConfig, PanelConfig


def performer(kind: str = "pedestrian", x: float = 0.0, y: float = 0.0, yaw: float = 0.0, **state: object) -> Performer:
    config = ActorConfig("somebody", kind, (x, y))
    return Performer(config, 7, look_of(config, 3), x, y, yaw=yaw, present=True, **state)


def vehicle(x: float, y: float, yaw: float, speed: float, mass: float = 1450.0) -> Rigid:
    return Rigid(x, y, yaw, 4.6, 1.85, speed * np.array([np.cos(yaw), np.sin(yaw)]), 0.0, mass)


@pytest.mark.parametrize("height", [2.0, 4.4, 17.0])
def test_a_piece_falls_as_long_as_gravity_says(height: float) -> None:
    pieces, now = Pieces(np.array([[0, 0, height]]), np.zeros((1, 3)), np.zeros(1)), 0.0
    while not pieces.step(0.02)[0]:
        now += 0.02
    assert now == pytest.approx(np.sqrt(2 * height / GRAVITY), abs=0.03)


def test_flight_is_a_parabola_whatever_the_step() -> None:
    for step in (0.5, 0.01):
        pieces = Pieces(np.array([[0, 0, 30.0]]), np.array([[3.0, 1.0, 2.0]]), np.zeros(1))
        for _ in range(round(1.0 / step)):
            pieces.step(step)
        assert pieces.position[0] == pytest.approx([3.0, 1.0, 30 + 2.0 - GRAVITY / 2], abs=1e-6)


def test_pieces_come_to_rest() -> None:
    rng = np.random.default_rng(0)
    pieces = Pieces(rng.uniform(2, 9, (40, 3)), rng.normal(0, 2, (40, 3)), np.full(40, 0.15))
    for _ in range(400):
        pieces.step(0.02)
    assert not pieces.moving.any() and pieces.position[:, 2] == pytest.approx(0.15)


@pytest.mark.parametrize("speed", [5.0, 8.0, 11.0, 15.0])
def test_a_thrown_person_comes_to_rest_within_searles_bounds(speed: float) -> None:
    person, now = performer(), 0.0
    throw(person, np.array([speed, 0.0]), now)
    highest = 0.0
    for _ in range(1000):
        now += 0.02
        highest = max(highest, person.z)
        advance_fall(person, 0.0, now, 0.02)
    least, greatest = throw_bounds(EFFICIENCY * speed, 0.85 - 0.175)
    assert least - 0.3 <= person.x <= greatest + 0.3 and person.y == pytest.approx(0.0, abs=0.01)
    assert person.activity == Activity.LYING and person.z == 0.0 and highest > 0.1
    assert not person.velocity.any()


def test_a_person_who_tips_over_lies_with_the_feet_where_it_stood() -> None:
    for towards, side in (("forward", 1.0), ("backward", -1.0)):
        person, now = performer(), 0.0
        tip_over(person, towards, now)
        while person.activity != Activity.LYING:
            now += 0.02
            advance_fall(person, 0.0, now, 0.02)
        assert now == pytest.approx(1.0, abs=0.05)
        for _ in range(50):
            now += 0.02
            assert advance_fall(person, 0.0, now, 0.02)
        assert person.x == pytest.approx(side * 0.85, abs=0.02)
        assert person.size == pytest.approx((1.7, 0.7, 0.35), abs=1e-6)


def test_looks_fit_the_way_somebody_falls() -> None:
    for towards in ("forward", "backward", "left"):
        assert natural_fall(look_for_fall(12345, towards)) == towards


@pytest.mark.parametrize("case", range(12))
def test_two_cars_keep_momentum_and_spin_and_lose_energy(case: int) -> None:
    rng = np.random.default_rng(case)
    first = vehicle(0.0, 0.0, rng.uniform(-np.pi, np.pi), rng.uniform(5, 18), rng.uniform(900, 9000))
    away = rng.uniform(-np.pi, np.pi)
    second = vehicle(2.2 * np.cos(away), 2.2 * np.sin(away), rng.uniform(-np.pi, np.pi), rng.uniform(0, 18))
    second.velocity = second.velocity - 8 * np.array([np.cos(away), np.sin(away)])
    contact = touch(first.box(), second.box())
    assert contact is not None
    bodies = (first, second)
    momentum, spin = sum(item.momentum() for item in bodies), sum(item.spin() for item in bodies)
    energy = sum(item.mass * item.velocity @ item.velocity + item.inertia * item.yaw_rate**2 for item in bodies)
    impulse = collide(first, second, contact)
    assert sum(item.momentum() for item in bodies) == pytest.approx(momentum, rel=1e-9, abs=1e-6)
    assert sum(item.spin() for item in bodies) == pytest.approx(spin, rel=1e-9, abs=1e-5)
    after = sum(item.mass * item.velocity @ item.velocity + item.inertia * item.yaw_rate**2 for item in bodies)
    assert after <= energy + 1e-6 and (impulse > 0 or after == pytest.approx(energy))


def test_a_head_on_crash_of_equal_cars_stops_both() -> None:
    first, second = vehicle(0, 0, 0.0, 12.0), vehicle(4.5, 0, np.pi, 12.0)
    contact = touch(first.box(), second.box())
    assert contact is not None
    collide(first, second, contact)
    assert first.velocity == pytest.approx([-1.2, 0], abs=0.01) and second.velocity == pytest.approx([1.2, 0], abs=0.01)
    part(first, second, contact)
    assert gap(first.box(), second.box()) == pytest.approx(0.0, abs=1e-9)


def test_a_sliding_car_stops_after_the_way_that_friction_allows() -> None:
    body = vehicle(0, 0, 0.0, 12.0)
    for _ in range(400):
        slide(body, 0.01)
    assert body.x == pytest.approx(12.0**2 / (2 * TYRE_FRICTION * GRAVITY), rel=0.03)
    assert np.hypot(*body.velocity) < 0.05 and body.yaw == pytest.approx(0.0)
    spun = vehicle(0, 0, 0.0, 0.0)
    spun.yaw_rate = 4.0
    for _ in range(400):
        slide(spun, 0.01)
    assert abs(spun.yaw_rate) < 0.05 and 0.5 < spun.yaw < 4.0


def test_boxes_touch_where_they_overlap() -> None:
    first, second = Box(0, 0, 0.0, 4, 2), Box(2.5, 0, np.pi / 2, 4, 2)
    contact = touch(first, second)
    assert contact is not None and contact.normal == pytest.approx((1, 0)) and contact.depth == pytest.approx(0.5)
    assert contact.point == pytest.approx((1.75, 0.0))
    assert touch(first, Box(4, 0, np.pi / 2, 4, 2)) is None
    assert gap(first, Box(6.0, 0, np.pi / 2, 4, 2)) == pytest.approx(3.0)


def test_a_struck_car_slides_and_stops_with_its_lights_flashing() -> None:
    first = performer("saloon", velocity=np.array([13.0, 0, 0]), speed=13.0)
    second = performer("saloon", x=3.0, y=-2.0, yaw=np.pi / 2, velocity=np.array([0, 12.0, 0]), speed=12.0)
    second.actor_id = 8
    contacts, now = Contacts(), 0.0
    for _ in range(300):
        now += 0.02
        contacts.step(Meetings([(first, second)], []), 0.0, now)
        for item in (first, second):
            if item.rigid is None:
                item.moved(item.x + item.velocity[0] * 0.02, item.y + item.velocity[1] * 0.02, item.yaw, 0.02)
            else:
                advance_slide(item, now, 0.02)
    assert len(contacts.found) == 1 and contacts.found[0].speed > 8
    assert {first.activity, second.activity} == {Activity.STOPPED} and first.speed == second.speed == 0.0
    assert touch(first.box(), second.box()) is None or touch(first.box(), second.box()).depth < 0.05


PANEL = PanelConfig("corner", "panel", 0.0, 0.0, 9.0, -90.0, 4.0, 3.0)
SIGN = PanelConfig("sign", "sign", 1.0, 0.0, 4.4, 0.0, 1.1, 2.6)


def played(hazard: object, until: float, every: int = 5) -> list[tuple[float, np.ndarray]]:
    frames = []
    for k in range(round(until / 0.02) + 1):
        hazard.step(k * 0.02, 0.02 if k else 0.0)
        if k % every == 0:
            frames.append((k * 0.02, hazard.rows(k * 0.02)))
    return frames


def test_a_sign_sways_and_falls_in_the_time_of_free_fall() -> None:
    sign = sign_fall(SignConfig("sign", 10.0, 3.0), SIGN, 5, lambda x, y: 0.15)
    frames = played(sign, 14.0, every=1)
    swing = [abs(rows["roll"][0]) for now, rows in frames if now < 10]
    assert max(swing[150:250]) < max(swing[400:]) < np.radians(21) and max(swing[:150]) == 0
    for now, rows in frames:
        if now < 10:  # its upper edge stays on its hinge
            top = 2.6 * np.array([-np.sin(rows["roll"][0]), np.cos(rows["roll"][0])])
            assert (rows["y"][0] + top[0], rows["z"][0] + top[1]) == pytest.approx((0.0, 7.0), abs=0.01)
    down = next(now for now, rows in frames if now > 10 and rows["z"][0] <= 0.15 + 1e-6)
    assert down - 10.0 == pytest.approx(np.sqrt(2 * (4.4 - 0.15) / GRAVITY), abs=0.1)
    assert [fact.kind for fact in sign.facts()] == [EventKind.SWAY, EventKind.FALLING_OBJECT]
    assert frames[-1][1]["activity"][0] == Activity.RESTING and frames[-1][1]["height"][0] == pytest.approx(0.2)


def test_a_load_swings_as_a_pendulum_and_drops() -> None:
    crane = CraneConfig("site", 0.0, 0.0, 40.0, 30.0, 90.0)
    load = load_drop(LoadConfig("site", 20.0, 20.0, 15.0, sways_from=0.0, sway=3.0), crane, 0, lambda x, y: 0.15)
    frames = played(load, 24.0)
    x = np.array([rows["x"][0] for now, rows in frames if now < 20])
    assert np.abs(x).max() == pytest.approx(2.5, abs=0.5) and np.abs(x[:40]).max() < 1.0
    crossings = np.flatnonzero(np.diff(np.sign(x[5:])))
    period = 2 * np.mean(np.diff(crossings)) * 0.1
    assert period == pytest.approx(2 * np.pi * np.sqrt((40 - 15 - 0.8) / GRAVITY), rel=0.1)
    ended = next(fact.ended for fact in load.facts() if fact.kind == EventKind.LOAD_DROP)
    assert ended - 20.0 > np.sqrt(2 * 14.85 / GRAVITY) - 0.05
    assert frames[-1][1]["z"][0] == pytest.approx(0.15)


def test_a_facade_bulges_sheds_pieces_and_becomes_a_heap() -> None:
    config = FacadeConfig("corner", 12.0, 2.0, 0.3, small_falls=4, pieces=30)
    facade = FacadeFall(config, PANEL, 0, lambda x, y: 0.15, np.random.default_rng(1))
    frames = played(facade, 18.0)
    before = [rows for now, rows in frames if now < 12]
    lean = [np.tan(rows["pitch"][rows["shape"] == Shape.PANEL][0]) * 3.0 for rows in before]
    assert np.all(np.diff(lean) >= -1e-9) and lean[-1] == pytest.approx(0.3, abs=0.02) and lean[0] == 0
    last = frames[-1][1]
    assert not (last["shape"] == Shape.PANEL).any() and (last["shape"] == Shape.RUBBLE).sum() == 34
    heap = last[last["shape"] == Shape.HEAP]
    assert len(heap) == 1 and -4.0 < heap["y"][0] < -0.2 and abs(heap["x"][0]) < 1.5 and heap["height"][0] > 0.2
    assert set(last["activity"]) == {Activity.RESTING} and last["z"] == pytest.approx(0.15)
    kinds = [fact.kind for fact in facade.facts()]
    assert kinds.count(EventKind.SMALL_FALL) == 4 and kinds.count(EventKind.FACADE_COLLAPSE) == 1
    assert [fact.begun for fact in facade.facts() if fact.kind == EventKind.FACADE_COLLAPSE] == [12.0]
    assert len(set(last["actor_id"].tolist())) == len(last)


def test_density_counts_people_on_a_grid_and_in_windows() -> None:
    people = no_actors(63)
    people["classification"] = ObjectClass.PEDESTRIAN
    grid = np.stack(np.meshgrid((np.arange(7) + 0.5) * 3 / 7, (np.arange(9) + 0.5) * 3 / 9), -1).reshape(-1, 2)
    people["x"], people["y"] = grid[:, 0] + 4.0, grid[:, 1] + 2.0
    corners, counts = density_cells(people)
    assert counts.sum() == 63 and len(counts) == 9 and corners.min(axis=0) == pytest.approx([4.0, 2.0])
    area = AreaDensity(np.array([[0, 0], [20, 0], [20, 8], [0, 8]]), [np.array([[10, 1], [12, 1], [12, 3], [10, 3]])])
    density, x, y = area.peak(people)
    assert density == pytest.approx(7.0) and (x, y) == pytest.approx((5.5, 3.5))
    assert area.peak(no_actors())[0] == 0.0


def test_ways_keep_their_length_and_round_their_corners() -> None:
    sharp, soft = Way([[0, 0], [10, 0], [10, 10]]), Way([[0, 0], [10, 0], [10, 10]], rounding=3.0)
    assert sharp.length == pytest.approx(20.0) and 17.5 < soft.length < 20.0
    assert sharp.position(25.0) == pytest.approx((10, 15)) and sharp.position(-1.0) == pytest.approx((-1, 0))
    turns = np.diff([soft.heading(s, 0.5) for s in np.arange(0.5, soft.length, 0.2)])
    assert turns.max() < 0.2 and turns.min() > -1e-9
    assert sharp.nearest(11.0, 4.0) == pytest.approx(14.0)
    with pytest.raises(ValueError, match="at least two different"):
        Way([[1, 1], [1, 1]])


def test_the_sun_stands_where_the_almanac_says() -> None:
    noon_ns = 1_782_012_600 * 10**9  # 2026-06-21 03:30 UTC: 12:30 in Korea, near the culmination at 126.85 E
    elevation, azimuth = sun_position(noon_ns, 35.15, 126.85)
    assert np.degrees(elevation) == pytest.approx(90 - 35.15 + 23.43, abs=0.3)
    assert np.degrees(azimuth) == pytest.approx(-90, abs=6)
    night, _ = sun_position(noon_ns + 12 * 3600 * 10**9, 35.15, 126.85)
    assert np.degrees(night) == pytest.approx(-(90 - 35.15 - 23.43), abs=0.5)


def test_launch_is_what_the_docs_say() -> None:
    assert pytest.approx(0.92) == EFFICIENCY and np.degrees(LAUNCH_ANGLE) == pytest.approx(12)
