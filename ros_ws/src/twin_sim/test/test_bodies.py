import numpy as np
import pytest

from twin_common.core.object_class import ObjectClass
from twin_sim.core.bodies import PHASES, Bodies
from twin_sim.core.body_atlas import BodyAtlas
from twin_sim.core.frame import Activity, Light, Shape, no_actors
from twin_sim.core.meshes import MATERIAL_NAMES

UPRIGHT, LAID = (0.75, 0.70, 1.75), (1.80, 0.95, 0.45)
BOXES = {
    Activity.STANDING: (0.60, 0.65, 1.75), Activity.WAITING: (0.60, 0.65, 1.75), Activity.WALKING: (0.90, 0.65, 1.75),
    Activity.RUNNING: (1.20, 0.65, 1.75), Activity.SITTING: (0.90, 0.60, 1.35), Activity.LYING: LAID,
    Activity.FIGHTING: (1.20, 0.90, 1.75),
}  # fmt: skip
VEHICLES = [
    (ObjectClass.CAR, Shape.SALOON, (4.75, 1.84, 1.46)), (ObjectClass.CAR, Shape.HATCHBACK, (4.10, 1.78, 1.50)),
    (ObjectClass.CAR, Shape.SUV, (4.60, 1.88, 1.68)), (ObjectClass.CAR, Shape.VAN, (5.20, 1.98, 1.95)),
    (ObjectClass.CAR, Shape.TAXI, (4.75, 1.84, 1.46)), (ObjectClass.CAR, Shape.SENSOR_VEHICLE, (4.60, 1.88, 1.90)),
    (ObjectClass.TRUCK, Shape.BY_CLASS, (6.40, 2.10, 2.90)), (ObjectClass.TRUCK, Shape.BY_CLASS, (9.50, 2.50, 3.40)),
    (ObjectClass.BUS, Shape.BY_CLASS, (11.0, 2.50, 3.20)), (ObjectClass.BICYCLE, Shape.BY_CLASS, (1.75, 0.65, 1.72)),
    (ObjectClass.MOTORCYCLE, Shape.BY_CLASS, (2.05, 0.85, 1.55)),
    (ObjectClass.SCOOTER, Shape.BY_CLASS, (1.15, 0.65, 1.85)),
    (ObjectClass.DEBRIS, Shape.PANEL, (0.20, 3.00, 2.50)), (ObjectClass.DEBRIS, Shape.SIGN, (0.25, 2.40, 0.90)),
    (ObjectClass.DEBRIS, Shape.RUBBLE, (0.60, 0.50, 0.40)), (ObjectClass.DEBRIS, Shape.HEAP, (4.00, 3.00, 1.20)),
    (ObjectClass.DEBRIS, Shape.LOAD, (3.00, 1.00, 1.50)), (ObjectClass.ANIMAL, Shape.BY_CLASS, (0.80, 0.30, 0.60)),
]  # fmt: skip


def actor(kind, size, activity=Activity.NONE, count=1, **values):
    actors = no_actors(count)
    actors["actor_id"] = np.arange(1, count + 1)
    actors["classification"], actors["activity"] = kind, activity
    actors["length"], actors["width"], actors["height"] = size
    actors["appearance"] = np.arange(count)
    for name, value in values.items():
        actors[name] = value
    return actors


def person(activity, size=None, count=1, **values):
    size = size or BOXES[activity]
    return actor(ObjectClass.PEDESTRIAN, size, activity, count, **{"stature": 1.75, **values})


def extents(placed, owner):
    own = np.unique(placed.triangles[placed.owners == owner])
    return placed.vertices[own].min(axis=0), placed.vertices[own].max(axis=0)


@pytest.mark.parametrize("activity", BOXES)
def test_persons_are_within_their_boxes_in_every_phase(activity):
    actors = person(activity, count=48, phase=np.linspace(0, 2 * np.pi, 48, endpoint=False))
    placed = Bodies().placed(actors)
    for i in range(len(actors)):
        low, high = extents(placed, i)
        length, width, height = BOXES[activity]
        assert -0.01 <= low[2] <= 0.02
        assert high[2] <= 1.10 * height
        assert max(-low[0], high[0]) <= 1.10 * length / 2 and max(-low[1], high[1]) <= 1.10 * width / 2


@pytest.mark.parametrize(("kind", "shape", "size"), VEHICLES)
def test_things_on_wheels_and_things_fill_their_boxes(kind, shape, size):
    activity = (
        Activity.RIDING if kind in (ObjectClass.BICYCLE, ObjectClass.MOTORCYCLE, ObjectClass.SCOOTER) else Activity.NONE
    )
    actors = actor(kind, size, activity, count=6, shape=shape, phase=np.linspace(0, 6, 6))
    placed = Bodies().placed(actors)
    for i in range(len(actors)):
        low, high = extents(placed, i)
        assert np.all(high - low <= np.array(size) * 1.10 + 0.02)
        assert np.all(high - low >= np.array(size) * (0.85, 0.80, 0.85) - 0.02)
        assert -0.02 <= low[2] <= 0.01


def test_stature_sets_the_height_of_a_walking_person():
    statures = np.array([1.10, 1.55, 1.75, 1.95])
    actors = person(Activity.WALKING, count=4, stature=statures, height=statures, length=0.9, width=0.7, phase=1.5)
    placed = Bodies().placed(actors)
    tops = [extents(placed, i)[1][2] for i in range(4)]
    np.testing.assert_allclose(tops, statures, rtol=0.05)


def test_the_legs_of_a_walker_swing_past_each_other():
    phases = np.linspace(0, 2 * np.pi, PHASES[Activity.WALKING], endpoint=False)
    actors = person(Activity.WALKING, count=len(phases), phase=phases, appearance=0)
    placed = Bodies().placed(actors)
    ahead = []
    for i in range(len(phases)):
        own = placed.vertices[np.unique(placed.triangles[placed.owners == i])]
        feet = own[own[:, 2] < 0.30]
        ahead.append(feet[feet[:, 1] > 0][:, 0].mean() - feet[feet[:, 1] < 0][:, 0].mean())
    assert max(ahead) > 0.35 and min(ahead) < -0.35
    assert np.argmax(ahead) in (15, 0, 1) and abs(int(np.argmin(ahead)) - 8) <= 1


def test_a_fall_goes_down_from_upright_to_lying():
    actors = person(Activity.FALLING, (1.8, 0.95, 1.75), count=6, since=np.linspace(0.0, 1.0, 6))
    actors["appearance"] = 5
    placed = Bodies().placed(actors)
    heights = [extents(placed, i)[1][2] for i in range(6)]
    assert heights[0] > 1.65 and heights[-1] < 0.55
    assert np.all(np.diff(heights) < 0.02)


def test_bodies_are_turned_and_moved_into_the_map():
    actors = actor(ObjectClass.CAR, (4.75, 1.84, 1.46), Activity.DRIVING, shape=Shape.SALOON, x=100.0, y=-50.0, z=2.0)
    actors["yaw"] = np.pi / 2
    low, high = extents(Bodies().placed(actors), 0)
    np.testing.assert_allclose((low + high)[:2] / 2, (100.0, -50.0), atol=0.05)
    assert high[1] - low[1] > 4.5 and high[0] - low[0] < 2.1 and low[2] == pytest.approx(2.0, abs=0.02)


@pytest.mark.parametrize(("activity", "expected"), [(Activity.FLYING, 1.0), (Activity.NONE, 0.0)])
def test_flying_things_turn_about_their_middle_hanging_ones_about_their_foot(activity, expected):
    actors = actor(ObjectClass.DEBRIS, (0.2, 1.0, 2.0), activity, shape=Shape.PANEL, pitch=np.pi)
    low, high = extents(Bodies().placed(actors), 0)
    assert (low[2] + high[2]) / 2 == pytest.approx(expected if expected else -1.0, abs=0.02)


def test_lamps_shine_when_they_are_switched_on():
    actors = actor(ObjectClass.CAR, (4.75, 1.84, 1.46), Activity.DRIVING, count=3, shape=Shape.SALOON)
    actors["lights"] = (0, Light.HEAD, Light.BRAKE | Light.LEFT)
    placed = Bodies().placed(actors)
    names = [{MATERIAL_NAMES[m] for m in placed.materials[placed.owners == i]} for i in range(3)]
    assert not any(name.endswith("_on") for name in names[0])
    assert {"lamp_clear_on", "lamp_red_dim"} <= names[1]
    assert {"lamp_red_on", "lamp_amber_on", "lamp_amber"} <= names[2] and "lamp_clear_on" not in names[2]


def test_parked_two_wheelers_have_no_rider_and_umbrellas_come_with_rain():
    ridden, parked = (
        Bodies().placed(actor(ObjectClass.BICYCLE, (1.75, 0.65, 1.72), activity))
        for activity in (Activity.RIDING, Activity.PARKED)
    )
    assert len(ridden.triangles) > len(parked.triangles) + 300
    walkers = person(Activity.WALKING, count=40)
    dry, wet = (Bodies(rain).placed(walkers) for rain in (0.0, 5.0))
    tall = [sum(extents(placed, i)[1][2] > 1.9 for i in range(40)) for placed in (dry, wet)]
    assert tall[0] == 0 and 10 <= tall[1] <= 30


def test_no_actors_give_no_bodies_and_equal_actors_equal_ones():
    placed = Bodies().placed(no_actors())
    assert placed.vertices.shape == (0, 3) and placed.triangles.shape == (0, 3) and len(placed.owners) == 0
    actors = person(Activity.WALKING, count=20, phase=np.linspace(0, 6, 20))
    one, two = Bodies().placed(actors), Bodies().placed(actors)
    for name in ("vertices", "triangles", "materials", "owners"):
        np.testing.assert_array_equal(getattr(one, name), getattr(two, name))


def test_surfaces_look_outward():
    """The volume inside a closed surface whose triangles look outward is positive (divergence theorem)."""
    sizes = [
        (ObjectClass.CAR, Shape.SUV, (4.6, 1.88, 1.68), 4.0, 11.0),
        (ObjectClass.BUS, Shape.BY_CLASS, (11, 2.5, 3.2), 60, 90),
    ]
    for kind, shape, size, least, most in sizes:
        placed = Bodies().placed(actor(kind, size, Activity.DRIVING, shape=shape))
        a, b, c = placed.vertices[placed.triangles].transpose(1, 0, 2)
        assert least < np.einsum("ni,ni->", a, np.cross(b, c)) / 6 < most
    placed = Bodies().placed(person(Activity.STANDING))
    a, b, c = placed.vertices[placed.triangles].transpose(1, 0, 2)
    assert 0.04 < np.einsum("ni,ni->", a, np.cross(b, c)) / 6 < 0.14  # a person has 60 to 100 litres


def test_the_atlas_meets_bodies_where_they_are_placed():
    bodies = Bodies()
    actors = person(Activity.WALKING, count=3, phase=(0.0, 1.0, 2.0))
    posed = bodies.posed(actors)
    atlas = BodyAtlas(bodies)
    heights = np.linspace(0.05, 1.70, 60, dtype=np.float32)
    origins = np.stack([np.full(60, -5.0), np.zeros(60), heights]).astype(np.float32)
    directions = np.broadcast_to(np.array([[1.0], [0.0], [0.0]], np.float32), (3, 60)).copy()
    for item in posed:
        hits, distance, _, normal = atlas.cast(np.full(60, item.number), origins, directions)
        low, high = item.mesh.extents()
        assert len(hits) > 30
        assert np.all((distance > 5 + low[0] - 1e-3) & (distance < 5 + high[0]))
        assert np.all(normal[:, 0] < 0)
