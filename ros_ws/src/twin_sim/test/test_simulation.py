"""Runs of scenarios: what happens, where and when; determinism; truth files."""

import functools
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from twin_common.config import ConfigError
from twin_sim.core.frame import Activity, Event, EventKind, Frame, ObjectClass, Shape
from twin_sim.scenario import Scenario, load_scenario, scenario_files
from twin_sim.simulation import Simulation
from twin_sim.truth import TruthWriter, load_truth, table_path
from twin_sim.truth_tables import TABLES

ROOT = Path(__file__).parents[4]
FOLDER = ROOT / "config" / "scenarios"


@functools.cache
class Played:
    """A run of a scenario's script alone, until some seconds after the last event that is expected."""

    def __init__(self, name: str) -> None:
        self.scenario: Scenario = load_scenario(FOLDER / f"{name}.yaml")
        last = max(item.time + item.within for item in self.scenario.config.expected())
        with Simulation(self.scenario, populated=False) as simulation:
            self.frames = [simulation.step() for _ in range(round(min(last + 7.0, self.scenario.duration) * 10))]
            self.names = {name: number for number, name in simulation.names.items()}
            self.missing = [event.name for event in simulation.missing()]

    def event(self, name: str) -> Event:
        number = next(i for i, item in enumerate(self.scenario.config.expected()) if item.name == name) + 1
        return next(item for item in self.frames[-1].events if item.event_id == number)

    def time(self, name: str) -> float:
        return (self.event(name).start_ns - self.scenario.start_ns) / 1e9

    def track(self, name: str) -> np.ndarray:
        rows = [frame.actors[frame.actors["actor_id"] == self.names[name]] for frame in self.frames]
        return np.concatenate(rows)


def test_frames_come_every_tenth_of_a_second_sorted_and_unique() -> None:
    played = Played("near_miss")
    stamps = [frame.stamp_ns for frame in played.frames]
    assert stamps[0] == played.scenario.start_ns and set(np.diff(stamps)) == {100_000_000}
    for frame in played.frames:
        ids = frame.actors["actor_id"]
        assert np.all(np.diff(ids.astype(np.int64)) > 0)


SCRIPTED = (
    "near_miss", "jaywalking", "demo", "pedestrian_fall", "collapse", "fight", "robbery_chase", "car_hits_pedestrian",
    "facade_collapse", "sign_fall", "crane_load_drop", "platform_loss", "wrong_way", "stopped_in_lane",
    "scooter_sidewalk",
)  # fmt: skip


@pytest.mark.parametrize("name", SCRIPTED)
def test_what_is_expected_happens_when_and_where_it_should(name: str) -> None:
    played = Played(name)
    assert played.missing == []
    for item in played.scenario.config.expected():
        event = played.event(item.name)
        assert event.kind.name.lower() == item.kind and abs(played.time(item.name) - item.time) <= item.within
        assert (event.severity, event.casualties) == (item.severity, item.casualties)
        assert {played.names[actor] for actor in item.actors if actor in played.names} <= set(event.actors)
        if item.leads_to:
            assert event.leads_to == played.event(item.leads_to).event_id
    for frame in played.frames:
        for event in frame.events:
            assert event.start_ns <= frame.stamp_ns and event.end_ns <= frame.stamp_ns
    ids = [event.event_id for event in played.frames[-1].events]
    assert ids == sorted(set(ids))


def test_a_precursor_comes_before_what_it_announces() -> None:
    played = Played("facade_collapse")
    collapse = played.event("collapse")
    warnings = [event for event in played.frames[-1].events if event.leads_to == collapse.event_id]
    assert len(warnings) == 7 and all(event.start_ns < collapse.start_ns for event in warnings)
    assert {event.kind for event in warnings} == {EventKind.BULGE, EventKind.SMALL_FALL}


def test_the_hit_person_flies_and_the_car_stops_behind() -> None:
    played = Played("car_hits_pedestrian")
    hit, victim, driver = played.event("hit"), played.track("victim"), played.track("driver")
    frame = round((hit.start_ns - played.scenario.start_ns) / 1e8)
    speed = float(np.hypot(driver["velocity_x"][frame - 1], driver["velocity_y"][frame - 1]))
    assert 6.0 < speed < 13.5 and driver["acceleration"][frame - 1] < 0
    assert victim["z"].max() > 0.15 and set(victim["activity"][-30:]) == {Activity.LYING}
    thrown = np.hypot(victim["x"][-1] - hit.x, victim["y"][-1] - hit.y)
    assert 0.4 * speed**2 / 13 < thrown < 1.6 * speed**2 / 13
    assert driver["activity"][-1] == Activity.STOPPED
    assert driver["x"][-1] + 2.3 < victim["x"][-1] + 0.2


def test_without_the_step_onto_the_road_there_is_no_collision(tmp_path: Path) -> None:
    path = tmp_path / "late.yaml"
    text = (FOLDER / "car_hits_pedestrian.yaml").read_text().replace("within: 29", "within: 0.1")
    path.write_text(text.replace("../districts", str(FOLDER / "../districts")))
    scenario = load_scenario(path)
    with Simulation(scenario, populated=False) as simulation:
        frames = [simulation.step() for _ in range(150)]
        assert [event.name for event in simulation.missing()] == ["hit"]
    assert frames[-1].events == ()


def test_the_near_miss_stays_one() -> None:
    played = Played("near_miss")
    assert [event.kind for event in played.frames[-1].events] == [EventKind.NEAR_COLLISION]
    pedestrian, driver = played.track("pedestrian"), played.track("driver")
    count = min(len(pedestrian), len(driver))
    apart = np.hypot(pedestrian["x"][:count] - driver["x"][:count], pedestrian["y"][:count] - driver["y"][:count])
    assert 2.3 < apart.min() < 5.0


def test_cars_do_not_pass_through_each_other() -> None:
    played = Played("car_collision")
    first, second = played.track("eastbound"), played.track("northbound")
    count = len(played.frames) - round((played.event("crash").start_ns - played.scenario.start_ns) / 1e8) - 1
    first, second = first[-count:], second[-count:]
    apart = np.hypot(first["x"] - second["x"], first["y"] - second["y"])
    assert apart.min() > 1.7 and np.abs(first["yaw_rate"][:5]).max() > 0.5
    assert first["velocity_x"][-1] == second["velocity_x"][-1] == 0.0


def test_a_lost_platform_is_in_the_frames_and_comes_back() -> None:
    played = Played("platform_loss")
    lost = [("pole_01" in frame.lost) for frame in played.frames]
    assert lost.index(True) == 120 and lost[120:].index(False) == 200
    assert played.event("lost").end_ns - played.event("lost").start_ns == 20 * 10**9


def test_actors_move_as_fast_as_their_velocity_says() -> None:
    for name in ("demo", "robbery_chase", "fight"):
        played = Played(name)
        for who in (actor.name for actor in played.scenario.config.actors):
            track = played.track(who)
            step = np.hypot(np.diff(track["x"]), np.diff(track["y"])) / 0.1
            told = np.hypot(track["velocity_x"], track["velocity_y"])
            assert np.all(step <= np.maximum(told[1:], told[:-1]) + 1.0), (name, who)
            assert np.abs(track["yaw"]).max() <= np.pi + 1e-5 and track["phase"].min() >= 0


def test_panels_and_signs_hang_where_the_district_has_them() -> None:
    played = Played("near_miss")
    rows = played.frames[0].actors
    panels = rows[(rows["shape"] == Shape.PANEL) | (rows["shape"] == Shape.SIGN)]
    world = played.scenario.world.config
    assert len(panels) == len(world.panels)
    for row, panel in zip(panels, world.panels, strict=True):
        assert (row["x"], row["y"], row["z"]) == pytest.approx((panel.x, panel.y, panel.z))
        assert (row["length"], row["width"], row["height"]) == pytest.approx(
            (panel.thickness, panel.width, panel.height)
        )
        assert np.cos(row["yaw"] - np.radians(panel.yaw_deg)) == pytest.approx(1.0, abs=1e-5)


@pytest.mark.parametrize("path", scenario_files(FOLDER), ids=lambda path: path.stem)
def test_every_script_runs_five_seconds(path: Path) -> None:
    with Simulation(load_scenario(path), populated=False) as simulation:
        frames = [simulation.step() for _ in range(50)]
    for frame in frames:
        assert np.all(np.diff(frame.actors["actor_id"].astype(np.int64)) > 0)
        assert all(
            np.isfinite(frame.actors[name]).all() for name in ("x", "y", "z", "yaw", "velocity_x", "acceleration")
        )


@pytest.mark.parametrize("name", ["normal_night", "crowd_crush", "red_light", "vehicle_pass", "car_hits_pedestrian"])
def test_scenarios_run_five_seconds_among_people(name: str) -> None:
    scenario = load_scenario(FOLDER / f"{name}.yaml", {"population.warmup": 0})
    with Simulation(scenario) as simulation:
        frames: list[Frame] = [simulation.step() for _ in range(50)]
    people = frames[-1].actors["classification"] == ObjectClass.PEDESTRIAN
    assert people.sum() > 10 and len(frames[-1].signals) > 50
    assert np.all(np.diff(frames[-1].actors["actor_id"].astype(np.int64)) > 0)
    assert np.isfinite(frames[-1].actors["x"]).all()


PROGRAM = """
import hashlib, sys
from twin_sim.scenario import load_scenario
from twin_sim.simulation import Simulation
digest = hashlib.sha256()
with Simulation(load_scenario(sys.argv[1], {"population.warmup": 2}), int(sys.argv[2])) as simulation:
    for _ in range(90):
        frame = simulation.step()
        digest.update(frame.actors.tobytes() + frame.signals.tobytes() + repr(frame.events).encode())
print(digest.hexdigest())
"""


def test_two_processes_give_identical_truth() -> None:
    def run(hash_seed: str) -> str:
        command = [sys.executable, "-c", PROGRAM, str(FOLDER / "demo.yaml"), "11"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True,
                              env=os.environ | {"PYTHONHASHSEED": hash_seed})  # fmt: skip
        return done.stdout.strip()

    first, second = run("1"), run("2")
    assert first == second and len(first) == 64


def test_another_seed_gives_another_run_of_the_same_story() -> None:
    scenario = load_scenario(FOLDER / "facade_collapse.yaml")
    looks, events = [], []
    for seed in (1, 1, 2):
        with Simulation(scenario, seed, populated=False) as simulation:
            frame = [simulation.step() for _ in range(200)][-1]
        looks.append(frame.actors["appearance"].tolist())
        events.append([event.start_ns for event in frame.events])
    assert looks[0] == looks[1] != looks[2] and events[0] == events[1] != events[2]


@pytest.mark.parametrize("ending", ["parquet", "jsonl"])
def test_truth_has_every_table(ending: str, tmp_path: Path) -> None:
    path = tmp_path / f"run.{ending}"
    scenario = load_scenario(FOLDER / "facade_collapse.yaml")
    with Simulation(scenario, populated=False) as simulation, TruthWriter(path, simulation) as writer:
        frames = []
        for i in range(290):
            frames.append(simulation.step())
            writer.write(frames[-1])
            if i == 5:
                ids = frames[-1].actors["actor_id"][:3]
                writer.see(frames[-1].stamp_ns, "pole_01", ids, np.array([40, 0, 7]), np.array([0, 0, 900]))
    truth = load_truth(path)
    assert {name: list(columns) for name, columns in truth.items()} == {
        name: list(columns) for name, columns in TABLES.items()
    }
    tracks = truth["tracks"]
    assert len(tracks["x"]) == sum(len(frame.actors) for frame in frames)
    last = tracks["stamp_ns"] == frames[-1].stamp_ns
    assert tracks["x"][last] == pytest.approx(frames[-1].actors["x"], abs=1e-4)
    assert set(tracks["name"][last]) >= {"first_walker", "second_walker", "corner_sign"}
    assert {"lying", "resting", "none"} <= set(tracks["activity"][last])
    assert "heap" in set(tracks["shape"][last]) and "pedestrian" in set(tracks["class"])
    assert truth["visibility"]["points"].tolist() == [40, 7] and set(truth["visibility"]["platform"]) == {"pole_01"}
    events = truth["events"]
    assert "collapse" in set(events["name"]) and len(events["kind"]) == len(frames[-1].events)
    densities = truth["densities"]
    assert len(set(densities["stamp_ns"].tolist())) == 29 and densities["density"].sum() == 29 * 2
    kinds, polygons = truth["map"]["kind"], truth["map"]["polygon"]
    assert (kinds == "building").sum() == 121 and (kinds == "pole").sum() == 12 and "signal_1" in set(kinds)
    assert len(polygons[np.flatnonzero(kinds == "building")[0]]) >= 3
    note = json.loads((tmp_path / "run.run.json").read_text())
    assert (
        note["complete"] and note["scenario"] == "facade_collapse" and note["missing"] == [] and note["frames"] == 290
    )
    assert sorted(item.name for item in tmp_path.iterdir() if "part" in item.name) == []


@pytest.mark.parametrize("ending", ["parquet", "jsonl"])
def test_a_run_that_was_killed_leaves_readable_truth(ending: str, tmp_path: Path) -> None:
    path = tmp_path / f"run.{ending}"
    program = (
        "import os, sys\nfrom pathlib import Path\nfrom twin_sim.scenario import load_scenario\n"
        "from twin_sim.simulation import Simulation\nfrom twin_sim.truth import TruthWriter\n"
        "simulation = Simulation(load_scenario(sys.argv[1]), populated=False)\n"
        "writer = TruthWriter(Path(sys.argv[2]), simulation)\n"
        "for _ in range(230):\n    writer.write(simulation.step())\nos._exit(9)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(FOLDER / "fight.yaml"), str(path)], timeout=60, check=False
    )
    assert done.returncode == 9
    if ending == "jsonl":
        with path.open("a") as file:
            file.write('{"stamp_ns": 17, "act')  # a line that was being written
    truth = load_truth(path)
    assert len(set(truth["tracks"]["stamp_ns"].tolist())) >= 200
    assert set(truth["events"]["name"]) == {"fight"} and len(truth["map"]["kind"]) > 500
    assert not json.loads((tmp_path / "run.run.json").read_text())["complete"]


def test_bad_truth_files_get_one_clear_line(tmp_path: Path) -> None:
    with Simulation(load_scenario(FOLDER / "fight.yaml"), populated=False) as simulation:
        with pytest.raises(ConfigError, match=r"ends in \.csv; expected \.parquet or \.jsonl"):
            TruthWriter(tmp_path / "run.csv", simulation)
        (tmp_path / "file").write_text("")
        with pytest.raises(ConfigError, match="expected a file that can be written"):
            TruthWriter(tmp_path / "file" / "run.jsonl", simulation)
    with pytest.raises(ConfigError, match="no truth there"):
        load_truth(tmp_path / "other.parquet")
    assert table_path(Path("a/run.parquet"), "events") == Path("a/run.events.parquet")
