from dataclasses import replace

import lidar_scenes as scenes
import numpy as np
import pytest

from twin_common.core.object_class import ObjectClass
from twin_sim.core.bodies import Bodies
from twin_sim.core.body_atlas import BodyAtlas
from twin_sim.core.frame import Activity, Frame, Shape, Weather, no_actors
from twin_sim.core.lidar import VehicleLidar
from twin_sim.core.lidar_models import PERIOD_NS, lidar_model
from twin_sim.core.lidar_weather import droplets, extinction
from twin_sim.core.meshes import Mesh, cylinder
from twin_sim.core.still_scene import StillScene

START_NS = scenes.START_NS


def mixed(count=24, seed=4, reach=35.0):
    """Return persons, riders and cars about the origin, sorted by actor_id."""
    rng = np.random.default_rng(seed)
    actors = no_actors(count)
    kinds = [
        (ObjectClass.PEDESTRIAN, Activity.WALKING, (0.8, 0.65, 1.72)),
        (ObjectClass.CAR, Activity.DRIVING, (4.6, 1.84, 1.5)),
        (ObjectClass.BICYCLE, Activity.RIDING, (1.75, 0.65, 1.72)),
        (ObjectClass.BUS, Activity.DRIVING, (11.0, 2.5, 3.2)),
    ]
    for i, row in enumerate(actors):
        kind, activity, size = kinds[i % 4 if i < 12 else 0]
        row["classification"], row["activity"] = kind, activity
        row["length"], row["width"], row["height"] = size
    angle, away = np.linspace(0, 2 * np.pi, count, endpoint=False), rng.uniform(6, reach, count)
    actors["actor_id"], actors["appearance"] = np.arange(1, count + 1), rng.integers(0, 2**32, count)
    actors["x"], actors["y"] = away * np.cos(angle), away * np.sin(angle)
    actors["yaw"], actors["phase"] = rng.uniform(-np.pi, np.pi, count), rng.uniform(0, 2 * np.pi, count)
    actors["stature"] = np.where(actors["classification"] == ObjectClass.PEDESTRIAN, 1.72, 0.0)
    return actors


def test_a_wall_is_where_it_is():
    lidar = scenes.sensor([scenes.wall(20.0)])
    sweep = lidar.sweep(scenes.frame())
    points = scenes.xyz(lidar.cloud(sweep))
    assert len(points) > 20_000
    ahead = np.abs(points[:, 1]) < 10
    error = points[ahead, 0] - 20.0
    assert abs(error.mean()) < 0.003
    assert 0.008 < error.std() < 0.030
    assert np.all(points[:, 0] > 19.5)
    assert sweep.stamp_ns == START_NS and sweep.column_stamps[-1] == START_NS


def test_ranges_come_in_steps_and_clouds_in_the_drivers_layout():
    lidar = scenes.sensor([scenes.wall(30.0), scenes.ground(30.0)], "OS0-64", 512)
    sweep = lidar.sweep(scenes.frame())
    steps = sweep.ranges / 0.008
    np.testing.assert_allclose(steps, np.rint(steps), atol=1e-2)
    cloud = lidar.cloud(sweep)
    assert len(cloud) == np.count_nonzero(sweep.ranges)
    assert cloud["time_offset_ns"].max() <= 0 and cloud["time_offset_ns"].min() > -PERIOD_NS
    elevation = np.arctan2(cloud["z"] - 0.036, np.hypot(cloud["x"], cloud["y"]))
    means = [elevation[cloud["ring"] == ring].mean() for ring in range(64)]
    assert np.all(np.diff(means) > 0)


def test_lasers_of_a_velodyne_fire_one_after_the_other():
    lidar = scenes.sensor([scenes.wall(10.0)], "VLP-16")
    cloud = lidar.cloud(lidar.sweep(scenes.frame()))
    low, next_up = (cloud[cloud["ring"] == ring]["time_offset_ns"] for ring in (0, 8))
    assert set((low % 2304).tolist()) and np.median(np.diff(low)) == pytest.approx(55_310, abs=60)
    model = lidar_model("VLP-16")
    assert model.delays_ns[15] == 0 and model.delays_ns[7] == 2304
    assert len(next_up) > 500


def test_the_pole_that_carries_the_sensor_is_seen_through():
    bare = scenes.sensor([scenes.ground()]).sweep(scenes.frame())
    column = cylinder(0.1, 0.1, 6.0, "metal")
    on_pole = scenes.sensor([scenes.ground(), column]).sweep(scenes.frame())
    assert np.count_nonzero(on_pole.ranges) > 0.98 * np.count_nonzero(bare.ranges)
    assert on_pole.ranges[on_pole.ranges > 0].min() > 5.0


def test_actors_are_met_as_in_a_cast_of_everything():
    atlas = BodyAtlas(Bodies())
    actors = mixed()
    lidar = scenes.sensor([scenes.ground()], "OS0-64", atlas=atlas)
    sweep = lidar.sweep(scenes.frame(actors))
    placed = Bodies().placed(actors)
    everything = scenes.joined([scenes.ground(), Mesh(placed.vertices, placed.triangles, placed.materials)])
    origins, directions = lidar.model.rays()
    hits = StillScene(everything).cast(origins.reshape(-1, 3) + np.array((0, 0, 5.0)), directions.reshape(-1, 3), 0.5)
    expected = hits.distance.reshape(sweep.ranges.shape)
    seen = sweep.ranges > 0
    error = np.abs(sweep.ranges - expected)[seen]
    assert np.mean(error < 0.08) > 0.99
    on_actor = seen & (sweep.owners >= 0)
    assert on_actor.sum() > 1000
    assert np.mean(np.abs(sweep.ranges - expected)[on_actor] < 0.08) > 0.85  # beams at outlines hit either
    owned = set(np.unique(sweep.owners)) - {-1}
    assert len(owned) >= 18


def test_points_of_a_car_fall_with_the_square_of_its_distance():
    lidar = scenes.sensor([scenes.ground()], "OS1-64", at=scenes.pole(1.8))
    counts = {}
    for distance in (8.0, 16.0, 32.0):
        sweep = lidar.sweep(scenes.frame(scenes.car(distance, 0.0, np.pi / 2)))
        counts[distance] = int(sweep.points_of(1)[0])
        solid = 4.7 * 1.30 / (2 * np.pi / 1024 * np.radians(0.527)) / distance**2
        assert 0.4 * solid < counts[distance] < 1.1 * solid
    assert 2.8 < counts[8.0] / counts[16.0] < 5.7


def test_a_moving_car_is_met_where_it_is_when_each_ray_is_fired():
    lidar = scenes.sensor([scenes.ground()], "OS0-64")
    speed = 20.0
    now, before = scenes.car(15.0, 0.0, np.pi / 2, speed), scenes.car(15.0, -speed * 0.1, np.pi / 2, speed)
    sweep = lidar.sweep(scenes.frame(now), scenes.frame(before, START_NS - PERIOD_NS))
    points = lidar.cloud(sweep)[sweep.owners[sweep.ranges > 0] == 0]
    place = scenes.xyz(points)
    assert len(place) > 300
    moved = place[:, 1] - speed * points["time_offset_ns"] * 1e-9
    assert moved.min() > -2.45 and moved.max() < 2.45
    assert abs((moved.min() + moved.max()) / 2) < 0.15
    assert place[:, 1].mean() < -0.7  # seen half a turn before the stamp


def test_an_actor_that_turns_is_met_as_it_stands_at_each_ray():
    lidar = scenes.sensor([scenes.ground()], "OS0-64")
    now, before = scenes.car(-10.0, 0.3, 0.0), scenes.car(-10.0, 0.3, -0.3)
    sweep = lidar.sweep(scenes.frame(now), scenes.frame(before, START_NS - PERIOD_NS))
    owned = sweep.owners[sweep.ranges > 0] == 0
    points = lidar.cloud(sweep)[owned]
    place = scenes.xyz(points)
    angle = -3.0 * points["time_offset_ns"] * 1e-9
    x, y = place[:, 0] + 10.0, place[:, 1] - 0.3
    turned = np.column_stack([np.cos(angle) * x - np.sin(angle) * y, np.sin(angle) * x + np.cos(angle) * y])
    assert np.all(np.abs(turned[:, 0]) < 2.45) and np.all(np.abs(turned[:, 1]) < 1.08)


def test_a_sweep_after_the_frame_meets_actors_ahead_of_it():
    lidar = scenes.sensor([scenes.ground()], "OS0-64")
    now, before = scenes.car(15.0, 0.0, np.pi / 2, 10.0), scenes.car(15.0, -1.0, np.pi / 2, 10.0)
    frames = scenes.frame(now), scenes.frame(before, START_NS - PERIOD_NS)
    middles = []
    for late_ns in (0, 40_000_000):
        sweep = lidar.sweep(*frames, stamp_ns=START_NS + late_ns)
        assert sweep.column_stamps[-1] == START_NS + late_ns
        middles.append(scenes.xyz(lidar.cloud(sweep)[sweep.owners[sweep.ranges > 0] == 0])[:, 1].mean())
    assert middles[1] - middles[0] == pytest.approx(0.4, abs=0.12)


def vehicle_sweep(meshes, speed, rate, mount=None):
    mount = scenes.pole(1.9) if mount is None else mount
    lidar = VehicleLidar(
        lidar_model("OS1-64"), StillScene(scenes.joined(meshes)), BodyAtlas(Bodies()), mount, seed=1, stream=3
    )
    now = scenes.car(0.0, 0.0, 0.2, speed, actor_id=7, shape=Shape.SENSOR_VEHICLE, size=(4.6, 1.88, 1.9))
    before = now.copy()
    before["x"] -= 0.1 * speed * np.cos(0.2)
    before["y"] -= 0.1 * speed * np.sin(0.2)
    before["yaw"] -= 0.1 * rate
    sweep = lidar.sweep(scenes.frame(now), 7, scenes.frame(before, START_NS - PERIOD_NS))
    return lidar, sweep


def in_map(points, speed, rate):
    """Return the map coordinates of points of ``vehicle_sweep``, by where the vehicle was at each."""
    seconds = points["time_offset_ns"] * 1e-9
    yaw = 0.2 + rate * seconds
    local = scenes.xyz(points)
    x = np.cos(yaw) * local[:, 0] - np.sin(yaw) * local[:, 1] + speed * np.cos(0.2) * seconds
    y = np.sin(yaw) * local[:, 0] + np.cos(yaw) * local[:, 1] + speed * np.sin(0.2) * seconds
    return np.column_stack([x, y, local[:, 2] + 1.9])


@pytest.mark.parametrize(("speed", "rate"), [(0.0, 0.0), (15.0, 0.0), (10.0, 0.6)])
def test_a_moving_vehicle_distorts_its_scans_by_its_motion(speed, rate):
    lidar, sweep = vehicle_sweep([scenes.wall(20.0), scenes.ground(60.0)], speed, rate)
    points = lidar.cloud(sweep)
    place = in_map(points, speed, rate)
    upper = place[:, 2] > 0.5
    assert upper.sum() > 5000
    assert abs(np.mean(place[upper, 0]) - 20.0) < 0.01 and np.std(place[upper, 0]) < 0.06
    assert abs(np.mean(place[~upper, 2])) < 0.03
    still = in_map(points, 0.0, 0.0)[upper, 0] - 20.0
    assert (np.std(still) > 0.10) == (speed > 0)


def test_a_vehicle_does_not_see_itself_but_others():
    lidar, _ = vehicle_sweep([scenes.ground(60.0)], 0.0, 0.0)
    own = scenes.car(0.0, 0.0, 0.0, 0.0, actor_id=7, shape=Shape.SENSOR_VEHICLE, size=(4.6, 1.88, 1.9))
    actors = np.concatenate([scenes.car(12.0, 3.0, actor_id=2), own])
    sweep = lidar.sweep(scenes.frame(actors), 7)
    counts = sweep.points_of(2)
    assert counts[0] > 200 and counts[1] == 0
    with pytest.raises(ValueError, match="vehicle_id 9: not among the 2 actors"):
        lidar.sweep(scenes.frame(actors), 9)


def test_the_same_seed_gives_the_same_cloud():
    meshes, actors = [scenes.ground(), scenes.wall(30.0)], mixed()
    rain = Weather(rain=20.0, visibility=300.0)
    clouds = []
    for seed, stream in ((1, 0), (1, 0), (2, 0), (1, 1)):
        lidar = scenes.sensor(meshes, "OS0-64", seed=seed, stream=stream, weather=rain)
        clouds.append([lidar.cloud(lidar.sweep(scenes.frame(actors, START_NS + i * PERIOD_NS))) for i in range(2)])
    for one, two in zip(clouds[0], clouds[1], strict=True):
        np.testing.assert_array_equal(one, two)
    assert not np.array_equal(clouds[0][0], clouds[0][1])
    assert not np.array_equal(clouds[0][0], clouds[2][0]) and not np.array_equal(clouds[0][0], clouds[3][0])


def test_the_order_in_which_frames_come_does_not_matter():
    actors = mixed()
    lidar, other = (scenes.sensor([scenes.ground()], "OS0-64") for _ in range(2))
    first, second = scenes.frame(actors), scenes.frame(actors, START_NS + PERIOD_NS)
    lidar.sweep(first)
    np.testing.assert_array_equal(lidar.sweep(second).ranges, other.sweep(second).ranges)


def test_glass_and_dark_and_far_things_return_less():
    def share(material, distance):
        lidar = scenes.sensor([scenes.wall(distance, material)])
        sweep = lidar.sweep(scenes.frame())
        ahead = sweep.ranges[24:40, 492:532]
        return np.mean(ahead > 0)

    assert share("concrete", 20.0) > 0.97
    assert share("glass", 20.0) == pytest.approx(0.35, abs=0.08)
    assert share("paint_dark", 80.0) < 0.2 < 0.9 < share("paint_light", 80.0)
    assert share("concrete", 119.0) > share("concrete", 125.0) == 0.0


def test_intensity_tells_bright_from_dark_and_plates_shine():
    values = {}
    for material in ("asphalt", "marking", "plate"):
        sweep = scenes.sensor([scenes.wall(15.0, material)]).sweep(scenes.frame())
        values[material] = float(np.median(sweep.reflectivity[24:40, 492:532]))
    assert values["asphalt"] == pytest.approx(12, abs=2) and values["marking"] == pytest.approx(70, abs=5)
    assert values["plate"] > 150


def test_extinction_is_that_of_the_formulas():
    assert extinction(Weather()) == 0.0
    assert extinction(Weather(visibility=100.0)) == pytest.approx(0.02996, rel=1e-3)
    # ITU-R P.1814: 10 mm/h attenuates by 1.076 * 10 ** 0.67 = 5.03 dB/km
    assert extinction(Weather(rain=10.0)) * 10 * np.log10(np.e) * 1000 == pytest.approx(5.03, abs=0.01)


def fog_shares(visibility, distance):
    lidar = scenes.sensor([scenes.wall(distance)], weather=Weather(visibility=visibility))
    ahead = lidar.sweep(scenes.frame()).ranges[16:48, 450:574]
    return np.mean(ahead > distance - 1.0), np.mean((ahead > 0) & (ahead < 12.0))


def test_fog_hides_what_is_far_and_returns_from_nearby():
    clear, thin, thick = (fog_shares(visibility, 40.0) for visibility in (20_000.0, 200.0, 40.0))
    assert clear[0] > 0.97 and clear[1] == 0.0
    assert thin[0] > 0.8 and thin[1] < 0.2
    assert thick[0] < 0.1 and thick[1] > 0.3
    near = fog_shares(40.0, 6.0)
    assert near[0] > 0.5


def test_rain_returns_drops_and_shortens_the_reach():
    shares = []
    for rain in (0.0, 5.0, 20.0, 60.0):
        lidar = scenes.sensor([], weather=Weather(rain=rain))  # nothing but air
        ranges = lidar.sweep(scenes.frame()).ranges
        shares.append(float(np.mean(ranges > 0)))
        if rain:
            assert ranges[ranges > 0].max() < 25.0
            mean = droplets(lidar.model, Weather(rain=rain)).mean_count
            assert shares[-1] == pytest.approx(1 - np.exp(-mean), abs=0.01)
    assert shares[0] == 0.0 and 0.005 < shares[1] < shares[2] < shares[3] < 0.6
    dry, wet = (
        scenes.sensor([scenes.ground()], at=scenes.pole(2.0), weather=Weather(rain=rain)) for rain in (0.0, 40.0)
    )
    reach = [np.percentile(lidar.sweep(scenes.frame()).ranges, 99.5) for lidar in (dry, wet)]
    assert reach[1] < 0.9 * reach[0]


def test_drops_do_not_hide_a_strong_target_close_by():
    lidar = scenes.sensor([scenes.wall(8.0)], weather=Weather(rain=30.0))
    ahead = lidar.sweep(scenes.frame()).ranges[16:48, 450:574]
    assert np.mean(np.abs(ahead - 8.3) < 0.5) > 0.93


def test_without_actors_and_scenery_there_is_nothing():
    lidar = scenes.sensor([])
    sweep = lidar.sweep(scenes.frame())
    assert not sweep.ranges.any() and np.all(sweep.owners == -1) and len(lidar.cloud(sweep)) == 0
    assert sweep.points_of(0).shape == (0,)


def test_a_tilted_sensor_sees_the_ground_where_it_is():
    tilt = np.eye(4)
    tilt[:3, :3] = [[np.cos(0.3), 0, np.sin(0.3)], [0, 1, 0], [-np.sin(0.3), 0, np.cos(0.3)]]
    tilt[:3, 3] = 1.0, 2.0, 5.0
    lidar = scenes.sensor([scenes.ground()], at=tilt)
    actors = scenes.car(9.0, 2.0)
    sweep = lidar.sweep(scenes.frame(actors))
    place = scenes.xyz(lidar.cloud(sweep)) @ tilt[:3, :3].T + tilt[:3, 3]
    own = sweep.owners[sweep.ranges > 0] == 0
    assert own.sum() > 300 and np.abs(np.median(place[~own, 2])) < 0.01
    assert np.all(np.abs(place[own, 0] - 9.0) < 2.5) and np.all(place[own, 2] > -0.1) and place[own, 2].max() < 1.6


def test_an_actor_around_the_sensor_is_seen_on_all_sides():
    heap = no_actors(1)
    heap["actor_id"], heap["classification"], heap["shape"], heap["activity"] = (
        1,
        ObjectClass.DEBRIS,
        Shape.HEAP,
        Activity.RESTING,
    )
    heap["length"], heap["width"], heap["height"] = 14.0, 14.0, 1.5
    lidar = scenes.sensor([scenes.ground()], "OS0-64")
    sweep = lidar.sweep(scenes.frame(heap))
    columns = np.any(sweep.owners == 0, axis=0)
    assert columns.mean() > 0.98


def test_frames_are_not_changed():
    actors = mixed()
    kept = actors.copy()
    lidar = scenes.sensor([scenes.ground()], "OS0-64")
    shown = scenes.frame(actors)
    lidar.sweep(shown)
    lidar.sweep(replace(shown, stamp_ns=START_NS + PERIOD_NS))
    np.testing.assert_array_equal(actors, kept)
    assert isinstance(shown, Frame)
