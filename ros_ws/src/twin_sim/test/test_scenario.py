"""Scenario files: every one is valid; wrong ones get one clear line; overrides and variations."""

import datetime
from pathlib import Path

import pytest
import yaml

from twin_common.config import ConfigError, table
from twin_sim.core import acts
from twin_sim.overrides import parsed, separated
from twin_sim.scenario import (
    WEATHERS,
    EventConfig,
    ScenarioConfig,
    WeatherConfig,
    load_scenario,
    scenario_files,
    visibility_in_rain,
)  # fmt: skip
from twin_sim.simulation import Simulation
from twin_sim.truth_tables import TABLES

ROOT = Path(__file__).parents[4]
FOLDER = ROOT / "config" / "scenarios"
FILES = scenario_files(FOLDER)
REQUIRED = {
    "normal_day", "normal_night", "rush_hour", "rain", "fog", "heat", "pedestrian_fall", "collapse", "fight",
    "robbery_chase", "car_hits_pedestrian", "car_collision", "wrong_way", "red_light", "scooter_sidewalk", "jaywalking",
    "stopped_in_lane", "crowd_crush", "facade_collapse", "sign_fall", "crane_load_drop", "platform_loss", "near_miss",
    "vehicle_pass", "demo",
}  # fmt: skip


def written(tmp_path: Path, **changes: object) -> Path:
    scenario = {
        "description": "a test", "district": str(FOLDER / "../districts/sangmu"), "start": "12:00", "duration": 30,
        "actors": [
            {"name": "walker", "start": [20, 14], "do": [{"go": [[30, 14]], "speed": 1.2}]},
            {"name": "driver", "kind": "saloon", "do": [{"drive": {"edges": ["avenue_street3_street4"]}, "speed": 10}]},
        ],
        "events": [{"name": "fall", "kind": "fall", "time": 5, "actors": ["walker"]}],
    } | changes  # fmt: skip
    path = tmp_path / "test.yaml"
    path.write_text(yaml.safe_dump(scenario))
    return path


def test_all_scenarios_that_were_asked_for_are_there() -> None:
    assert {path.stem for path in FILES} >= REQUIRED


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_every_scenario_is_valid_and_varies(path: Path) -> None:
    scenario = load_scenario(path)
    variations = list(scenario.variations())
    assert len(variations) >= 40 and len({str(item) for item in variations}) == len(variations)
    assert scenario.name == path.stem and len(scenario.config.description) > 20
    if scenario.config.kind == "gray_rhino":
        assert scenario.config.precursors and scenario.config.events
    if scenario.config.kind == "black_swan":
        assert scenario.config.events


ACTS = (
    acts.ActorConfig, acts.StepConfig, acts.WhenConfig, acts.DriveConfig, acts.VehicleConfig, acts.FlowConfig,
    acts.FacadeConfig, acts.SignConfig, acts.LoadConfig,
)  # fmt: skip
WRONG = yaml.safe_load((Path(__file__).parent / "wrong_scenarios.yaml").read_text())


@pytest.mark.parametrize("case", WRONG)
def test_a_wrong_scenario_gets_one_clear_line(case: str, tmp_path: Path) -> None:
    path, message = written(tmp_path, **WRONG[case]["change"]), WRONG[case]["says"]
    with pytest.raises(ConfigError) as error:
        load_scenario(path)
    text = str(error.value)
    assert message in text and "\n" not in text
    assert text.startswith(str(path)) or case == "no district"


def test_a_file_that_is_no_scenario_gets_one_clear_line(tmp_path: Path) -> None:
    path = tmp_path / "test.yaml"
    for text, message in (
        ("- 1", "list; expected a scenario"),
        ("a: [", "line 2"),
        ("description: x", "missing key 'district'"),
    ):
        path.write_text(text)
        with pytest.raises(ConfigError, match=message):
            load_scenario(path)
    with pytest.raises(ConfigError, match="no such file"):
        load_scenario(tmp_path / "other.yaml")
    (tmp_path / "empty").mkdir()
    with pytest.raises(ConfigError, match="no scenarios"):
        scenario_files(tmp_path / "empty")


def test_overrides_come_as_text_or_values(tmp_path: Path) -> None:
    path = written(
        tmp_path,
        weather="rain",
        variations={"seed": {"from": 1, "to": 4}, "weather.rain": {"from": 0, "to": 9, "steps": 4}},
    )
    scenario = load_scenario(path, ["weather.rain=5", "actors.walker.do.0.speed=1.5", "start=23:15", "seed=7"])
    assert scenario.weather.rain == 5 and scenario.weather.visibility == pytest.approx(visibility_in_rain(5))
    assert scenario.config.actors[0].do[0].speed == 1.5 and scenario.seed == 7 and scenario.weather.night
    varied = [load_scenario(path, item) for item in scenario.variations()]
    assert len(varied) == 16 and {item.weather.rain for item in varied} == {0, 3, 6, 9}
    assert {item.seed for item in varied} == {1, 2, 3, 4}
    for text, message in (
        ("weather.rian=5", "weather.rian: unknown key 'rian'"), ("weather.rain", "expected key=value"),
        ("actors.wlker.stature=2", "no entry 'wlker'; expected one of walker, driver"), ("seed=[", "is not YAML"),
        ("duration.x=3", "nothing to change below a int"), ("seed=lots", "expected int"),
    ):  # fmt: skip
        with pytest.raises(ConfigError) as error:
            load_scenario(path, [text])
        assert message in str(error.value) and "\n" not in str(error.value)


def test_times_are_local(tmp_path: Path) -> None:
    for start, offset, utc in (
        ("09:00", 9, "2026-06-12 00:00"),
        ("2026-10-31 22:10", 9, "2026-10-31 13:10"),
        ("0:30", 0, "2026-06-12 00:30"),
    ):
        path = tmp_path / f"{offset}.yaml"
        path.write_text(
            written(tmp_path).read_text().replace("start: '12:00'", f"start: {start}\nutc_offset: {offset}")
        )
        scenario = load_scenario(path)
        assert (
            datetime.datetime.fromtimestamp(scenario.start_ns / 1e9, datetime.timezone.utc).strftime("%Y-%m-%d %H:%M")
            == utc
        )


def test_weather_has_the_numbers_of_its_kind(tmp_path: Path) -> None:
    for kind, (rain, visibility, temperature) in WEATHERS.items():
        weather = load_scenario(written(tmp_path, weather=kind)).weather
        assert (weather.rain, weather.visibility, weather.temperature) == (rain, visibility, temperature)
    assert visibility_in_rain(8.0) == pytest.approx(WEATHERS["rain"][1], rel=0.05)


def test_places_can_be_given_with_an_offset(tmp_path: Path) -> None:
    path = written(tmp_path, actors=[{"name": "walker", "start": ["plaza_centre", 2, -1]}])
    with Simulation(load_scenario(path), populated=False) as simulation:
        row = simulation.step().actors[0]
    assert (row["x"], row["y"]) == pytest.approx((31.0, 35.75)) and row["z"] == pytest.approx(0.15)


def test_the_documents_have_every_key() -> None:
    text = (ROOT / "docs" / "simulator" / "scenarios.md").read_text()
    for cls in (ScenarioConfig, WeatherConfig, EventConfig, *ACTS):
        assert table(cls) in text, f"docs/simulator/scenarios.md: {cls.__name__} has changed"
    assert all(f"`{path.stem}`" in text for path in FILES)
    truth = (ROOT / "docs" / "simulator" / "truth.md").read_text()
    assert all(f"`{column}`" in truth for columns in TABLES.values() for column in columns)


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("weather.rain=5,seed=7", ("weather.rain=5", "seed=7")),
        ("faults.losses=[{platform: a, start: 2}], seed=7", ("faults.losses=[{platform: a, start: 2}]", "seed=7")),
        ("description='rain, then sun',seed=1", ("description='rain, then sun'", "seed=1")),
        (",", ()),
    ],
)  # fmt: skip
def test_changes_are_separated_at_the_commas_between_them(text: str, parts: tuple[str, ...]) -> None:
    assert separated(text) == parts
    assert set(parsed(separated(text))) == {part.partition("=")[0] for part in parts}
