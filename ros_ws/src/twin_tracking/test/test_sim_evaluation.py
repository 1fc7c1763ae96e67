"""The simulated evaluation: what its sensors see, where the truth is, and a short scene from end to end."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from twin_common.core.object_class import ObjectClass
from twin_sim.core.frame import no_actors
from twin_tracking.core.visibility import Walls
from twin_tracking.evaluation.sim import SCENES, evaluate_scenes, evaluate_sim
from twin_tracking.evaluation.sim_scenes import Course, gap_until, walk_through_each_other
from twin_tracking.evaluation.sim_sensing import SensorModel, detect, visible_share

ROOT = Path(__file__).resolve().parents[4]
POLE = np.array([0.0, 0.0, 5.35])
OPEN = Walls(np.zeros((0, 2)), np.zeros((0, 2)), np.zeros(0))


def _persons(places: list[tuple[float, float]]) -> np.ndarray:
    actors = no_actors(len(places))
    actors["actor_id"] = np.arange(len(places)) + 1
    actors["x"], actors["y"] = np.array(places, float).T
    actors["length"], actors["width"], actors["height"] = 0.5, 0.5, 1.7
    actors["classification"] = ObjectClass.PEDESTRIAN
    actors["appearance"] = np.arange(len(places)) * 7919
    return actors


def test_walls_and_buses_hide_and_heads_show_over_shoulders() -> None:
    actors = _persons([(20.0, 0.0), (6.0, 0.0), (6.5, 0.0)])
    assert visible_share(POLE, actors[:1], OPEN, 60.0)[0] == 1.0
    wall = Walls(np.array([[10.0, -9.0]]), np.array([[10.0, 9.0]]), np.array([8.0]))
    assert visible_share(POLE, actors[:1], wall, 60.0)[0] == 0.0
    bus = actors[:1].copy()
    bus["x"], bus["length"], bus["width"], bus["height"], bus["actor_id"] = 16.0, 2.5, 11.0, 3.2, 9
    bus["classification"] = ObjectClass.BUS
    assert visible_share(POLE, np.concatenate([actors[:1], bus]), OPEN, 60.0)[0] == 0.0
    behind = visible_share(POLE, actors[1:], OPEN, 60.0)[1]
    assert 0.2 <= behind < 1.0, "from 5 m up the head of the person behind shows"
    assert visible_share(POLE, actors[:1], OPEN, 15.0)[0] == 0.0


def test_the_stated_covariance_is_that_of_the_errors() -> None:
    rng = np.random.default_rng(3)
    actors = _persons([(12.0, 5.0)] * 4000)
    actors["yaw"] = 0.7
    seen = detect(actors, np.ones(4000), POLE, np.zeros(4000), 2, SensorModel(find=1, find_at_range=1, clutter=0), rng)
    error = np.column_stack([seen["x"] - 12.0, seen["y"] - 5.0])
    spread = seen["position_covariance"].reshape(-1, 3, 3)[:, :2, :2]
    nees = np.einsum("ki,ki->k", error, np.linalg.solve(spread, error[..., None])[..., 0])
    assert nees.mean() == pytest.approx(2.0, abs=0.15)
    assert (seen["platforms"] == 4).all() and np.isnan(seen["velocity_x"]).all()


def test_half_hidden_objects_are_found_less_often_and_hidden_ones_never() -> None:
    rng = np.random.default_rng(4)
    actors, share = _persons([(12.0, 5.0)] * 3000), np.repeat([1.0, 0.2, 0.0], 1000)
    seen = detect(actors, share, POLE, np.arange(3000.0), 0, SensorModel(clutter=0), rng)
    found = np.bincount((seen["time_offset"] // 1000).astype(int), minlength=3) / 1000
    assert found[0] > 0.9 and 0.4 < found[1] < 0.6 and found[2] == 0


def _course(paths: np.ndarray) -> Course:
    """Return persons on paths (F, N, 2)."""
    return Course(tuple(_persons([tuple(place) for place in frame]) for frame in paths), 0, {})


def test_truth_between_frames_lies_between_them() -> None:
    course = _course(np.array([[[0.0, 0.0]], [[1.0, 0.0]], [[1.0, 2.0]]]))
    assert course.at(1, -0.05)["x"][0] == pytest.approx(0.5)
    assert course.at(1, 0.05)["y"][0] == pytest.approx(1.0)


def test_gaps_begin_at_lines_and_walkers_through_each_other_are_known() -> None:
    walk = np.column_stack([np.linspace(20.0, 30.0, 51), np.zeros(51)])
    stand = np.tile([23.0, 0.1], (51, 1))
    course = _course(np.stack([walk, stand], axis=1))
    assert gap_until(course, 4.0) == {1: [2.5]} or gap_until(course, 4.0) == {1: [2.6]}
    assert walk_through_each_other(course, 0.3) == {1, 2}
    assert walk_through_each_other(course, 0.0) == set()


def test_a_short_scene_is_tracked_and_its_figures_are_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TWIN_ROOT", str(ROOT))
    scene = replace(SCENES[0], seconds=6.0)
    scores = evaluate_scenes([scene], [3], ROOT)[scene.name]
    assert scores["tracker"].objects >= 10
    assert scores["tracker"].idf1 > 0.95 and scores["tracker"].switches == 0
    assert scores["tracker"].position_rmse < 0.25
    monkeypatch.setattr("twin_tracking.evaluation.sim.SCENES", (scene,))
    assert evaluate_sim(tmp_path, [3]) == 0
    written = json.loads((tmp_path / "metrics.json").read_text())
    assert written["seeds"] == [3]
    assert written["scenes"][scene.name]["tracker"]["idf1"] == pytest.approx(scores["tracker"].idf1)
