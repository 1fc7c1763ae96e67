"""Scenes with known truth, from tracks to alerts."""

from pathlib import Path

import numpy as np
import pytest
from rclpy.serialization import serialize_message

from twin_common.codecs import codec_for
from twin_msgs.msg import PlatformStatus, SimEvent
from twin_replay.bag import BagReader

CAR, TRUCK, BUS, BICYCLE, PEDESTRIAN = 1, 2, 3, 6, 7
NEAR_MISS = Path(__file__).resolve().parents[4] / "bags" / "near_miss"


@pytest.mark.parametrize("seed", [None, 1, 2, 3])
def test_near_miss_is_told_in_time(make_district, kit, seed):
    """A bicycle crosses before a car that brakes late; without braking they would meet at t = 5 s."""
    district = make_district()
    car = kit.straight(-60.0, -3.0, 12.0, 0.0, acceleration=-8.0, start=4.2)
    bicycle = kit.straight(0.0, -23.0, 0.0, 4.0)
    district.play([kit.Actor(12, CAR, car), kit.Actor(7, BICYCLE, bicycle)], 8.0, seed)
    found = district.named("predicted_collision")
    first, incident = found[0]
    assert 0.8 <= 4.8 - first <= 2.2  # the car's front would reach the bicycle at 4.8 s
    assert list(incident.track_ids) == [7, 12]
    assert incident.severity == 3 and incident.probability >= 0.5
    assert incident.cause.startswith("time to collision 1.") and "car #0012" in incident.cause
    assert "bicycle #0007" in incident.cause
    assert (incident.x, incident.y) == (pytest.approx(0.0, abs=4.0), pytest.approx(-3.0, abs=2.0))
    assert len({item.incident_id for _, item in found}) == 1
    assert not district.incidents[-1][1].incidents  # it has ended
    assert district.alerts[0][1].state == 0 and district.alerts[-1][1].state == 4


def test_alert_says_what_where_and_to_whom(make_district, kit):
    district = make_district()
    car, walker = kit.straight(-40.0, -3.0, 12.0, 0.0), kit.straight(0.0, -8.0, 0.0, 1.4)
    district.play([kit.Actor(1, CAR, car), kit.Actor(2, PEDESTRIAN, walker)], 3.0)
    time, alert = next((time, alert) for time, alert in district.alerts if alert.kind == "predicted_collision")
    assert alert.state == 0 and alert.place == "main street"
    assert list(alert.agencies) == ["operator", "police", "ambulance"]
    assert list(alert.platforms) == ["pole_01", "pole_02"]
    assert alert.text.startswith("Collision ahead at main street: time to collision 1.")
    assert alert.latency_ms == pytest.approx(50.0, abs=0.1)
    assert alert.latitude == pytest.approx(35.15, abs=1e-3) and alert.longitude == pytest.approx(126.85, abs=1e-3)
    assert alert.header.stamp.sec == kit.START // 10**9 + int(time)


@pytest.mark.parametrize("seed", [None, 4, 5, 6])
def test_traffic_in_adjacent_lanes_is_no_incident(make_district, kit, seed):
    district = make_district()
    lanes = [(-80, -5.0, 13), (-60, -1.8, 9), (-70, -5.0, 13), (80, 1.8, -13), (60, 5.0, -11), (90, 5.0, -11)]
    actors = [kit.Actor(k + 1, CAR, kit.straight(x, y, v, 0.0)) for k, (x, y, v) in enumerate(lanes)]
    actors.append(kit.Actor(20, BUS, kit.straight(-90.0, -1.8, 9.5, 0.0)))
    actors.append(kit.Actor(21, BICYCLE, kit.straight(-30.0, -6.9, 4.5, 0.0)))
    actors += [kit.Actor(30 + k, PEDESTRIAN, kit.straight(-20.0, 8.5 + 0.7 * k, 1.4, 0.0)) for k in range(4)]
    district.play(actors, 8.0, seed)
    assert district.kinds() == set()
    assert len(district.incidents) >= 80 and not district.alerts


def test_a_car_that_brakes_hard_for_somebody_is_told_of_and_one_that_brakes_gently_is_not(make_district, kit):
    """A person steps before both; one must stop within 9 m, the other has 22 m."""
    for distance, braking, told in ((9.0, -6.5, True), (22.0, -3.2, False)):
        district = make_district()
        car = kit.straight(-distance - 2.25 - 10.0, -3.0, 10.0, 0.0, braking, 1.0)
        actors = [kit.Actor(1, CAR, car), kit.Actor(2, PEDESTRIAN, kit.straight(0.3, -6.2, 0.0, 1.5))]
        district.play(actors, 5.0)
        assert ("predicted_collision" in district.kinds()) is told


def test_tracks_whose_place_is_not_known_collide_with_nobody(make_district, kit):
    """The same near miss with places known to 0.1 m, to 0.6 m, and not measured for half a second."""
    for sigma, unseen, told in ((0.1, 0.0, True), (0.6, 0.0, False), (0.1, 0.5, False)):
        district = make_district()
        actors = [
            kit.Actor(1, CAR, kit.straight(-40.0, -3.0, 12.0, 0.0)),
            kit.Actor(2, PEDESTRIAN, kit.straight(0.0, -7.8, 0.0, 1.5)),
        ]
        for k in range(35):
            records = kit.records_of(actors, 0.1 * k)
            records["covariance"][:, [0, 5]] = sigma**2
            district.feed(0.1 * k, records, unseen=unseen)
        assert ("predicted_collision" in district.kinds()) is told


def test_a_box_that_holds_two_makes_no_collision(make_district, kit):
    """A bicycle passes a waiting car with 0.7 m between them; the car's box is seen 3.6 m wide."""
    district = make_district()
    actors = [
        kit.Actor(1, CAR, kit.straight(0.0, -3.0, 0.0, 0.0), size=(4.6, 3.6)),
        kit.Actor(2, BICYCLE, kit.straight(-30.0, -5.0, 5.0, 0.0)),
    ]
    district.play(actors, 8.0)
    assert "predicted_collision" not in district.kinds()


@pytest.mark.parametrize("seed", [None, 7, 8])
def test_cars_that_queue_up_are_no_collision(make_district, kit, seed):
    """Three cars brake at 2.5 m/s^2 from 50 km/h behind one that waits at the crosswalk."""
    district = make_district()
    actors = [kit.Actor(1, CAR, kit.straight(4.5, -3.0, 0.0, 0.0))]
    way = 13.9**2 / (2 * 2.5)
    for k in range(1, 4):
        rest = 4.5 - 6.5 * k
        actors.append(kit.Actor(k + 1, CAR, kit.straight(rest - way - 13.9 * k, -3.0, 13.9, 0.0, -2.5, 1.0 * k)))
    district.play(actors, 12.0, seed)
    assert "predicted_collision" not in district.kinds()


def test_riders_side_by_side_and_a_walker_beside_a_bus_are_no_collision(make_district, kit):
    district = make_district()
    actors = [
        kit.Actor(1, BICYCLE, kit.straight(-40.0, -5.0, 5.0, 0.0)),
        kit.Actor(2, BICYCLE, kit.straight(-40.2, -6.0, 5.1, 0.0)),
        kit.Actor(3, BUS, kit.straight(-60.0, 3.0, 10.0, 0.0)),
        kit.Actor(4, PEDESTRIAN, kit.straight(-20.0, 8.0, 1.3, 0.0)),
    ]
    district.play(actors, 8.0, 9)
    assert district.kinds() == set()


def test_one_object_seen_twice_is_no_collision(make_district, kit):
    district = make_district()
    actors = [
        kit.Actor(1, CAR, kit.straight(-40.0, 3.0, 8.0, 0.0)),
        kit.Actor(2, CAR, kit.straight(-39.0, 3.2, 4.0, 0.0), last=0.2),
        kit.Actor(3, PEDESTRIAN, kit.straight(-40.0, 3.2, 8.0, 0.0)),
    ]
    district.play(actors, 3.0)
    assert "predicted_collision" not in district.kinds()


def test_pedestrian_on_the_carriageway(make_district, kit):
    """One crosses beside the crosswalk, one on it, one waits at the kerb."""
    district = make_district()
    actors = [
        kit.Actor(1, PEDESTRIAN, kit.straight(-20.0, -8.0, 0.0, 1.4)),
        kit.Actor(2, PEDESTRIAN, kit.straight(10.0, -8.0, 0.0, 1.4)),
        kit.Actor(3, PEDESTRIAN, kit.straight(-30.0, -7.1, 0.0, 0.0)),
    ]
    district.play(actors, 14.0)
    found = district.named("pedestrian_on_carriageway")
    assert {tuple(incident.track_ids) for _, incident in found} == {(1,)}
    inside = (8.0 - 6.6) / 1.4  # 0.4 m inside
    assert found[0][0] == pytest.approx(inside + 1.0, abs=0.25)
    assert found[-1][0] == pytest.approx((8.0 + 6.6) / 1.4 + 2.0, abs=0.25)
    assert found[0][1].time_to_event == 0.0


def test_nobody_who_is_improbable_is_told_of(make_district, kit):
    """A track that nothing bears out any more is no person; a doubtful one makes a doubtful incident."""
    for existence, share in ((0.3, None), (0.7, 0.7)):
        district = make_district()
        for k in range(30):
            records = kit.records_of([kit.Actor(1, PEDESTRIAN, kit.straight(-20.0, -4.0, 0.0, 1.0))], 0.1 * k)
            records["existence"] = existence
            district.feed(0.1 * k, records)
        found = district.named("pedestrian_on_carriageway")
        assert bool(found) == (share is not None)
        assert all(incident.probability == pytest.approx(0.9 * share, abs=0.01) for _, incident in found)


def test_nobody_is_told_of_whom_nobody_sees(make_district, kit):
    """A person who goes behind something on the sidewalk is not told to be on the carriageway until seen there."""
    actors = [kit.Actor(1, PEDESTRIAN, kit.straight(-20.0, -8.0, 0.0, 1.0))]
    told = {}
    for seen_again in (14.0, 5.0):
        district = make_district()
        for k in range(90):
            unseen = 0.1 * k - 0.5 if 0.5 < 0.1 * k < seen_again else 0.0
            district.feed(0.1 * k, kit.records_of(actors, 0.1 * k), unseen=unseen)
        told[seen_again] = district.named("pedestrian_on_carriageway")
    assert not told[14.0]
    assert told[5.0][0][0] == pytest.approx(6.0, abs=0.2)


def test_vehicle_stopped_in_lane(make_district, kit):
    """One car stops in its lane, one before the crosswalk, one is parked beside the street."""
    district = make_district()
    actors = [
        kit.Actor(1, CAR, kit.straight(-40.0, -3.0, 6.0, 0.0, -3.0, 1.0)),
        kit.Actor(2, CAR, kit.straight(4.0, -3.0, 0.0, 0.0)),
        kit.Actor(3, CAR, kit.straight(-40.0, 9.0, 0.0, 0.0)),
    ]
    district.play(actors, 10.0)
    found = district.named("vehicle_stopped_in_lane")
    assert {tuple(incident.track_ids) for _, incident in found} == {(1,)}
    assert found[0][0] == pytest.approx(3.0 + 5.0, abs=0.3)


def standing(kit, kind, places):
    """Return actors at rest, the first of ``places`` (x, y) with number 1."""
    return [kit.Actor(k + 1, kind, kit.straight(x, y, 0.0, 0.0)) for k, (x, y) in enumerate(places)]


def test_who_is_parked_is_not_stopped_in_lane(make_district, kit):
    """One stands in a bay at the kerb, one beside it in the lane."""
    district = make_district()
    actors = [
        kit.Actor(1, CAR, kit.straight(-70.0, -5.9, 0.0, 0.0)), kit.Actor(2, CAR, kit.straight(-70.0, -3.4, 0.0, 0.0))
    ]  # fmt: skip
    district.play(actors, 8.0)
    assert told_of_stopped(district) == {(2,)}


def told_of_stopped(district):
    return {tuple(incident.track_ids) for _, incident in district.named("vehicle_stopped_in_lane")}


def test_a_queue_before_a_crosswalk_is_no_vehicle_stopped_in_lane(make_district, kit):
    """Five wait at the crosswalk, the last 30 m from it, a bus and a motorcycle among them; another lane is free."""
    district = make_district()
    queue = [(4.5, -3.0), (-2.0, -3.1), (-12.0, -2.8), (-23.0, -3.0), (-27.5, -2.0)]
    actors = standing(kit, CAR, queue)
    actors[2].kind, actors[4].size = BUS, (2.0, 0.8)
    actors[4].kind = 4
    district.play(actors, 8.0)
    assert not told_of_stopped(district)


def test_a_breakdown_is_told_of_at_the_head_of_its_queue(make_district, kit):
    """A car stands in mid-block; three queue up behind it, one passes beside."""
    district = make_district()
    actors = standing(kit, CAR, [(-40.0, -3.0)])
    for k in range(1, 4):
        rest, way = -40.0 - 6.5 * k, 10.0**2 / (2 * 2.5)
        actors.append(kit.Actor(k + 1, CAR, kit.straight(rest - way - 10.0 * k, -3.0, 10.0, 0.0, -2.5, 1.0 * k)))
    actors.append(kit.Actor(9, CAR, kit.straight(-120.0, -6.0, 10.0, 0.0)))
    district.play(actors, 14.0)
    assert told_of_stopped(district) == {(1,)}
    found = district.named("vehicle_stopped_in_lane")
    assert found[0][0] == pytest.approx(5.5, abs=0.6)
    assert found[-1][1].cause.endswith("3 behind it")
    assert (found[-1][1].x, found[-1][1].y) == (pytest.approx(-40.0, abs=0.1), pytest.approx(-3.0, abs=0.1))


def test_a_queue_with_boxes_the_wrong_way_round_still_waits_at_its_crosswalk(make_district, kit):
    """Whoever stood there when the poles began to look may be taken the wrong way round."""
    district = make_district()
    district.play(standing(kit, CAR, [(16.5, 3.0), (23.0, 3.0), (29.5, 3.0)]), 8.0)  # westbound, boxes look east
    assert not told_of_stopped(district)


def test_who_stands_side_by_side_or_far_behind_is_in_no_queue(make_district, kit):
    district = make_district()
    district.play(standing(kit, CAR, [(4.5, -3.0), (-18.0, -3.0), (-40.0, 3.0), (-40.0, 5.8)]), 8.0)
    assert told_of_stopped(district) == {(2,), (3,), (4,)}


def test_where_nobody_sees_the_front_of_a_queue_nothing_is_told(make_district, kit):
    """Others may stand unseen before a car 53 m from the poles; 37 m from one before or behind it, as it faces."""
    district = make_district(watched=("pole_01", "pole_02"))
    district.play(standing(kit, CAR, [(-28.0, -3.0), (-60.0, -3.0), (-43.0, 3.0), (42.0, -3.0)]), 8.0)
    assert told_of_stopped(district) == {(1,), (3,)}


@pytest.mark.parametrize(("state", "by", "told"), [("lost", 3, False), ("silent", 1, False), ("heard", 1, True)])
def test_a_platform_that_is_lost_or_silent_sees_nobody_ahead(make_district, kit, state, by, told):
    """The car is near pole_02 alone; tracks are measured by pole_01, and by pole_02 (``by`` 3) although it is lost."""
    district = make_district(watched=("pole_02",))
    said = PlatformStatus.STATE_LOST if state == "lost" else PlatformStatus.STATE_OK
    sign = serialize_message(PlatformStatus(platform="pole_02", state=said))
    for k in range(80):
        if state != "silent" and k % 10 == 0:
            district.host.feed("/pole_02/status", kit.START + k * 10**8, sign)
        records = kit.records_of(standing(kit, CAR, [(-30.0, -3.0)]), 0.1 * k)
        records["platforms"] = by
        district.feed(0.1 * k, records)
    assert bool(told_of_stopped(district)) is told


@pytest.mark.parametrize("gap", [0.3, 2.0, 4.0, 5.5])
def test_a_car_that_has_hit_a_cyclist_is_told_of(make_district, kit, gap):
    """The bicycle lies before it, and is no reason to stand there; one on the sidewalk is none either."""
    for y in (-2.5, -7.5):
        district = make_district()
        car = kit.Actor(1, CAR, kit.straight(-20.0, -3.0 if y > -7 else -5.8, 0.0, 0.0))
        bicycle = kit.Actor(2, BICYCLE, kit.straight(-20.0 + 2.25 + gap + 0.9, y, 0.0, 0.0))
        district.play([car, bicycle], 8.0)
        assert told_of_stopped(district) == {(1,)}


def test_cars_behind_cyclists_who_wait_at_a_crosswalk_wait_too(make_district, kit):
    district = make_district()
    actors = standing(kit, CAR, [(-0.5, -3.0), (-7.0, -3.0)])
    actors += [kit.Actor(7 + k, BICYCLE, kit.straight(6.5 - 2.3 * k, -2.7, 0.0, 0.0)) for k in range(2)]
    district.play(actors, 8.0)
    assert not told_of_stopped(district)


@pytest.mark.parametrize(("y", "told"), [(-5.9, False), (-5.5, False), (-5.2, True), (-4.85, True), (-3.0, True)])
def test_what_juts_out_of_its_bay_is_stopped_in_lane(make_district, kit, y, told):
    """A lorry 2.5 m wide; the bay ends at -4.8, and 0.55 m beyond it are no obstacle."""
    district = make_district()
    district.play([kit.Actor(1, TRUCK, kit.straight(-70.0, y, 0.0, 0.0), size=(8.0, 2.5))], 8.0)
    assert bool(told_of_stopped(district)) is told


def test_who_is_parked_is_in_no_queue(make_district, kit):
    """A car stands 0.8 m out in the lane behind one in its bay."""
    district = make_district()
    district.play(standing(kit, CAR, [(-70.0, -5.9), (-76.5, -4.9)]), 8.0)
    assert told_of_stopped(district) == {(2,)}


@pytest.mark.parametrize("kind", [PEDESTRIAN, CAR])
@pytest.mark.parametrize(("sigma", "told"), [(0.2, True), (3.0, False)])
def test_what_may_as_well_be_outside_is_not_told_to_be_inside(make_district, kit, kind, sigma, told):
    district = make_district()
    for k in range(80):
        records = kit.records_of([kit.Actor(1, kind, kit.straight(-20.0, -6.0, 0.0, 0.0))], 0.1 * k)
        records["covariance"][:, [0, 5]] = sigma**2
        district.feed(0.1 * k, records)
    assert bool(district.kinds()) is told


@pytest.mark.parametrize("every", [0.3, 0.8, 1.0, 1.5, 2.0])
@pytest.mark.parametrize("kind", [PEDESTRIAN, CAR])
def test_who_is_measured_now_and_then_is_told_of(make_district, kit, kind, every):
    """The tracker follows it all the time; nobody is told of at a moment at which it was not measured lately."""
    district = make_district()
    for k in range(120):
        unseen = 0.1 * (k % round(10 * every))
        records = kit.records_of([kit.Actor(1, kind, kit.straight(-20.0, -3.0, 0.0, 0.0))], 0.1 * k)
        district.feed(0.1 * k, records, unseen=unseen)
    first, _ = (district.named("pedestrian_on_carriageway") or district.named("vehicle_stopped_in_lane"))[0]
    least, lately = (1.0, 0.5) if kind == PEDESTRIAN else (5.0, 1.0)
    assert least < first < least + every
    assert round(10 * (first - 0.05)) % round(10 * every) <= round(10 * lately)


def test_who_was_seen_once_is_not_told_of(make_district, kit):
    """A track begins on the carriageway and coasts until it ends."""
    district = make_district()
    for k in range(25):
        records = kit.records_of([kit.Actor(1, PEDESTRIAN, kit.straight(-20.0, -3.0, 0.0, 0.0))], 0.1 * k)
        district.feed(0.1 * k, records, unseen=0.1 * k)
    assert not district.kinds()


@pytest.mark.parametrize("kind", [TRUCK, BUS])
def test_the_rear_of_an_articulated_lorry_is_part_of_it(make_district, kit, kind):
    """A cyclist rides into the rear of one that stands, 16.5 m long: contact at 4.4 s."""
    district = make_district()
    lorry = kit.Actor(1, kind, kit.straight(0.0, -3.0, 0.0, 0.0), size=(16.5, 2.5))
    district.play([lorry, kit.Actor(2, BICYCLE, kit.straight(-40.0, -3.0, 7.0, 0.0))], 5.0)
    assert 3.0 < district.named("predicted_collision")[0][0] < 4.0


def test_what_a_rule_does_not_need_may_be_missing(make_district, kit):
    """No acceleration: all rules work. No covariance: only the rules for which the place must be well known do not."""
    person, told = kit.Actor(1, PEDESTRIAN, kit.straight(-20.0, -3.0, 0.0, 0.0)), {}
    many = [kit.Actor(9 + k, PEDESTRIAN, kit.straight(0.4 * (k % 6), 30 + 0.4 * (k // 6), 0, 0)) for k in range(36)]
    for name in ("acceleration", "covariance", "x"):
        district = make_district()
        for k in range(20):
            records = kit.records_of([person, *many], 0.1 * k)
            records[name] = np.nan
            district.feed(0.1 * k, records)
        told[name] = district.kinds()
    assert told["acceleration"] == {"pedestrian_on_carriageway", "crowd_density"}
    assert told["covariance"] == {"crowd_density"} and not told["x"]


def crowd(density, extent, seed):
    """Return positions (N, 2) on a square of a crowd that keeps distances: a shaken lattice."""
    rng, spacing = np.random.default_rng(seed), 1 / np.sqrt(density)
    axis = np.arange(0.0, extent, spacing)
    grid = np.stack(np.meshgrid(axis, axis), axis=-1).reshape(-1, 2)
    return grid + rng.uniform(-0.15, 0.15, grid.shape) * spacing


@pytest.mark.parametrize(
    ("density", "severity"), [(2.0, None), (2.7, None), (3.3, 0), (4.3, 1), (5.3, 2), (6.4, 3), (7.0, 3)]
)
def test_crowds_reach_their_step(make_district, kit, density, severity):
    district = make_district()
    positions = crowd(density, 9.0, seed=11) + np.array([0.0, 30.0])
    actors = [kit.Actor(k + 1, PEDESTRIAN, kit.straight(x, y, 0.0, 0.0)) for k, (x, y) in enumerate(positions)]
    district.play(actors, 2.0)
    found = district.named("crowd_density")
    if severity is None:
        assert not found
        return
    assert found[0][0] == pytest.approx(1.0, abs=0.2)
    incident = found[-1][1]
    assert incident.severity == severity
    assert f"(step {severity + 1} of 4" in incident.cause
    assert (incident.x, incident.y) == (pytest.approx(4.5, abs=1.0), pytest.approx(34.5, abs=1.0))
    assert incident.radius == pytest.approx(6.0, abs=1.5)


def test_small_groups_are_no_crowd(make_district, kit):
    district = make_district()
    actors = [kit.Actor(k + 1, PEDESTRIAN, kit.straight(0.3 * k, 30.0, 0.0, 0.0)) for k in range(7)]
    district.play(actors, 2.0)
    assert district.kinds() == set()


def test_an_empty_district_has_no_incidents(make_district, kit):
    district = make_district()
    district.play([], 1.0)
    assert len(district.incidents) >= 10
    assert all(not message.incidents and message.header.frame_id == "map" for _, message in district.incidents)


def test_the_truth_of_the_near_miss_is_found_in_time(kit):
    """The actors of the recording as tracks: its near collision is told before the closest approach."""
    reader = BagReader(NEAR_MISS)
    rows = [codec_for(message.type_name).decode(message.content) for message in reader.messages(["/sim/actors"])]
    told = [codec_for(message.type_name).decode(message.content) for message in reader.messages(["/sim/events"])]
    (event,) = [row for row in told[-1]["events"] if row["kind"] == SimEvent.KIND_NEAR_COLLISION]
    start_ns = rows[0].stamp_ns
    district = kit.District(NEAR_MISS / "district.yaml", origin_ns=start_ns)
    seen, previous, gap = {}, {}, {}
    for row in rows:
        actors = row["actors"][row["actors"]["classification"] > 0]
        district.feed((row.stamp_ns - start_ns) / 1e9, kit.records_of_actors(row.stamp_ns, actors, seen, previous))
        pair = [actors[actors["actor_id"] == number][0] for number in event["actor_ids"] if number]
        gap[(row.stamp_ns - start_ns) / 1e9] = np.hypot(pair[0]["x"] - pair[1]["x"], pair[0]["y"] - pair[1]["y"])
    closest = min(gap, key=gap.get)
    numbers = {int(number) for number in event["actor_ids"] if number}
    first = min(
        time
        for time, message in district.incidents
        for incident in message.incidents
        if incident.kind == "predicted_collision" and set(incident.track_ids) == numbers
    )
    assert 0.5 < closest - first < 4.0
