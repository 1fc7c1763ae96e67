"""Signal heads read from images: drawn ones of known state, and the simulator's by day and by night."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from twin_common.district import load_district
from twin_detection.camera_convert import heads_of
from twin_detection.core.camera_signals import (
    GREEN,
    LAMPS,
    PEDESTRIANS,
    RADIUS,
    RED,
    VEHICLES,
    YELLOW,
    Camera,
    Heads,
    in_sight,
    read,
)

ROOT = Path(__file__).resolve().parents[4]
BGR = {RED: (40, 40, 250), YELLOW: (30, 190, 250), GREEN: (150, 240, 60)}
#: At the origin, 5 m up, looking along +x.
POSE = np.array([[0, 0, 1, 0], [-1, 0, 0, 0], [0, -1, 0, 5], [0, 0, 0, 1]], float)
CAMERA = Camera(np.array([[457.0, 0, 319.5], [0, 457, 179.5], [0, 0, 1]]), np.zeros(5), POSE)


def heads(*rows: tuple[float, float, float, float, int]) -> Heads:
    table = np.array(rows, float)
    return Heads(np.arange(1, len(rows) + 1), table[:, :3], table[:, 3], table[:, 4].astype(np.uint8))


def drawn(found: Heads, states: list[int], background: tuple[int, int, int] = (90, 95, 100)) -> np.ndarray:
    """Return an image of heads as black boxes with a lit lamp; 0: none is lit."""
    image = np.full((360, 640, 3), background, np.uint8)
    for place, users, state in zip(found.place, found.users, states, strict=True):
        (spot,), (depth,) = CAMERA.project(place[None])
        scale = 457.0 / depth
        half = np.array([0.17, 0.53 if users == VEHICLES else 0.31]) * scale
        corners = np.round([spot - half, spot + half]).astype(int).tolist()
        cv2.rectangle(image, corners[0], corners[1], (25, 25, 25), -1)
        if state:
            (lamp,), _ = CAMERA.project(place[None] + (0, 0, LAMPS[int(users)][state]))
            x, y = (round(value * 16) for value in lamp)
            cv2.circle(image, (x, y), int(RADIUS * scale * 16), BGR[state], -1, cv2.LINE_AA, 4)
    return image


@pytest.mark.parametrize("distance", [8.0, 20.0, 35.0, 48.0])
@pytest.mark.parametrize(
    ("users", "state"),
    [(VEHICLES, RED), (VEHICLES, YELLOW), (VEHICLES, GREEN), (PEDESTRIANS, RED), (PEDESTRIANS, GREEN)],
)
def test_a_lit_lamp_is_read(distance: float, users: int, state: int) -> None:
    head = heads((distance, 1.0, 4.6, np.pi, users))
    found = read(drawn(head, [state]), head, CAMERA)
    assert found.index.tolist() == [0] and found.state.tolist() == [state] and found.confidence[0] > 0.3


def test_dark_heads_hidden_heads_and_heads_that_face_away_are_not_read() -> None:
    dark, away, behind = (20.0, 2.0, 4.6, np.pi, 1), (20.0, -2.0, 4.6, 0.0, 1), (-20.0, 0.0, 4.6, 0.0, 1)
    far, outside = (80.0, 0.0, 5.0, np.pi, 1), (20.0, 30.0, 4.6, np.pi, 1)
    every = heads(dark, away, behind, far, outside)
    assert in_sight(every, CAMERA, (360, 640), 50.0).tolist() == [0]
    assert not (read(drawn(heads(dark), [0]), every, CAMERA).confidence > 0.1).any()


def test_a_red_wall_behind_a_green_head_does_not_make_it_red() -> None:
    head = heads((18.0, 0.0, 4.6, np.pi, VEHICLES))
    found = read(drawn(head, [GREEN], background=(40, 40, 210)), head, CAMERA)
    assert found.state.tolist() == [GREEN]


@pytest.mark.parametrize("colour", [(60, 110, 30), (40, 40, 210)])
def test_a_bus_before_a_head_is_no_lamp(colour: tuple[int, int, int]) -> None:
    head = heads((36.0, 0.0, 4.6, np.pi, PEDESTRIANS))
    found = read(np.full((360, 640, 3), colour, np.uint8), head, CAMERA)
    assert not (found.confidence > 0.1).any()


def test_no_heads_are_no_readings() -> None:
    none = Heads(np.zeros(0, np.uint64), np.zeros((0, 3)), np.zeros(0), np.zeros(0, np.uint8))
    assert len(read(np.zeros((360, 640, 3), np.uint8), none, CAMERA).index) == 0


def test_a_lens_bends_where_heads_are_looked_for() -> None:
    bent = Camera(CAMERA.matrix, np.array([-0.3, 0.05, 0.0, 0.0, 0.0]), POSE)
    place = np.array([[15.0, 7.0, 8.0]])
    straight, _ = CAMERA.project(place)
    pixels, depth = bent.project(place)
    assert depth[0] == pytest.approx(15.0) and np.linalg.norm(pixels - straight) > 5.0
    assert np.isnan(bent.project(-place)[0]).all()


@pytest.mark.parametrize("name", ["normal_day", "normal_night"])
def test_simulated_signals_are_read_right(name: str) -> None:
    from twin_detection.evaluation.camera_pictures import as_sent
    from twin_sim.core.camera import CameraRenderer
    from twin_sim.scenario import load_scenario
    from twin_sim.scenery_cache import cached_scenery
    from twin_sim.sensor_config import camera_of
    from twin_sim.simulation import Simulation

    scenario = load_scenario(ROOT / f"config/scenarios/{name}.yaml", ["population.density=0.3", "population.warmup=20"])
    world, shown = scenario.world, []
    known = heads_of(load_district(world.folder / "district.yaml"))
    with Simulation(scenario, 10_007) as simulation:
        frames = [simulation.step() for _ in range(301)][::150]
    with CameraRenderer(cached_scenery(world), world) as renderer:
        for platform in world.district.platforms[:7]:
            config = camera_of(platform)
            assert config is not None and platform.camera is not None
            pose = platform.pose.matrix() @ platform.camera.mount.matrix()
            view = renderer.view(config.image)
            camera = Camera(config.image.matrix(), config.image.coefficients(), pose)
            for frame in frames:
                rgb = renderer.render(view, pose, frame, scenario.weather).rgb
                reading = read(as_sent(rgb), known, camera)
                sure = reading.confidence >= 0.3
                truth = {int(row["signal_id"]): int(row["state"]) for row in frame.signals}
                ids = known.signal_id[reading.index[sure]]
                shown += [
                    (truth[int(i)], int(state)) for i, state in zip(ids, reading.state[sure], strict=True)
                ]  # fmt: skip
    table = np.array(shown)
    assert len(table) >= 20 and {RED, GREEN} <= set(table[:, 0].tolist())
    assert (table[:, 0] == table[:, 1]).mean() >= 0.98
