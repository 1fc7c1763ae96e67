"""Scenarios: what happens in a district, and when; one YAML file each, validated, with variations.

Schema and examples: docs/simulator/scenarios.md.
"""

from __future__ import annotations

import datetime
import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from twin_common.config import Config, ConfigError, from_mapping, load_yaml, setting
from twin_sim.core.acts import (
    ActorConfig,
    FacadeConfig,
    FlowConfig,
    LoadConfig,
    ScriptConfig,
    SignConfig,
    VehicleConfig,
)
from twin_sim.core.demand import PopulationConfig
from twin_sim.core.faults import FaultsConfig
from twin_sim.core.frame import EventKind, Weather
from twin_sim.core.sun import sun_position
from twin_sim.districts import world_of
from twin_sim.overrides import applied, parsed
from twin_sim.world import World

KINDS = ("routine", "gray_rhino", "black_swan")
#: Rain (mm/h), visibility (m) and temperature (°C) of each kind of weather.
WEATHERS = {
    "clear": (0.0, 20_000.0, 18.0),
    "rain": (8.0, 2_900.0, 14.0),
    "fog": (0.0, 90.0, 8.0),
    "heat": (0.0, 12_000.0, 37.0),
}
EVENT_KINDS = tuple(kind.name.lower() for kind in EventKind if kind)
#: A date for scenarios that give only a time of day: the days are long, the sun stands high at noon.
USUAL_DAY = "2026-06-12"


@dataclass(frozen=True, slots=True)
class WeatherConfig(Config):
    """Weather: a kind, and numbers in place of the kind's own."""

    kind: str = setting("clear", doc="clear, rain, fog or heat", choices=tuple(WEATHERS))
    rain: float | None = setting(None, "mm/h", "precipitation", low=0, high=150)
    visibility: float | None = setting(None, "m", "meteorological optical range", low=10, high=50_000)
    temperature: float | None = setting(None, "°C", low=-30, high=50)


@dataclass(frozen=True, slots=True)
class EventConfig(Config):
    """An event as it is expected; the truth tells whether, when and where it happened."""

    name: str = setting(doc="for other entries")
    kind: str = setting(doc="what happens", choices=EVENT_KINDS)
    time: float = setting(unit="s", doc="expected begin, after the start", low=0)
    within: float = setting(2.0, "s", "how far from it the begin may be", low=0.1, high=120)
    place: Any = setting(None, doc="point where it is expected; none: where its actors are")
    radius: float = setting(25.0, "m", "how far from that place it may be", low=0.5, high=500)
    actors: tuple[str, ...] = setting((), doc="scripted actors, panels or cranes that are involved")
    severity: int = setting(1, "1", "0 info, 1 warning, 2 serious, 3 critical", low=0, high=3)
    casualties: float = setting(0.0, "1", "persons hurt", low=0, high=1000)
    leads_to: str = setting("", doc="of a precursor: the event that it announces; empty: the first")


@dataclass(frozen=True, slots=True)
class ScenarioConfig(Config):
    """A scenario's file."""

    description: str = setting(doc="one or two sentences for people")
    district: str = setting(doc="folder of the district, relative to the file")
    start: str = setting(doc="local time of day HH:MM, or date and time YYYY-MM-DD HH:MM")
    kind: str = setting("routine", doc="gray rhino: seen coming and ignored; black swan: no warning", choices=KINDS)
    utc_offset: float = setting(9.0, "h", "local time minus UTC", low=-12, high=14)
    duration: float = setting(60.0, "s", "length", low=1, high=7200)
    seed: int = setting(0, doc="of everything random", low=0, high=2**31 - 1)
    weather: WeatherConfig = setting(factory=WeatherConfig)
    population: PopulationConfig = setting(doc="traffic, pedestrians and crowds", factory=PopulationConfig)
    flows: tuple[FlowConfig, ...] = setting((), doc="people who stream into crowd areas")
    actors: tuple[ActorConfig, ...] = setting((), doc="scripted actors")
    vehicles: tuple[VehicleConfig, ...] = setting((), doc="vehicles of the traffic with routes of their own")
    facades: tuple[FacadeConfig, ...] = setting((), doc="panels that come down")
    signs: tuple[SignConfig, ...] = setting((), doc="signs that fall")
    loads: tuple[LoadConfig, ...] = setting((), doc="loads that drop from cranes")
    events: tuple[EventConfig, ...] = setting((), doc="what is expected to happen")
    precursors: tuple[EventConfig, ...] = setting((), doc="what announces it")
    faults: FaultsConfig = setting(doc="what goes wrong with platforms", factory=FaultsConfig)
    variations: dict[str, Any] = setting(
        doc="values by key path: a list, or {from, to, steps}; one run for each combination", factory=dict
    )

    def script(self) -> ScriptConfig:
        """Return what happens by script."""
        return ScriptConfig(self.actors, self.facades, self.signs, self.loads)

    def expected(self) -> tuple[EventConfig, ...]:
        """Return events, then precursors: an event's id is its place here, from 1."""
        return self.events + self.precursors


@dataclass(frozen=True, slots=True)
class Scenario:
    """A scenario that has been read and checked, with its district."""

    path: Path
    config: ScenarioConfig
    world: World
    overrides: dict[str, Any] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """Name of the file."""
        return self.path.stem

    @property
    def duration(self) -> float:
        """Length, seconds."""
        return self.config.duration

    @property
    def seed(self) -> int:
        """Seed of everything random."""
        return self.config.seed

    @property
    def start_ns(self) -> int:
        """Time of the first frame, ns since the epoch."""
        local = _local_time(self.config.start, str(self.path))
        utc = local.replace(tzinfo=datetime.timezone.utc) - datetime.timedelta(hours=self.config.utc_offset)
        return round(utc.timestamp()) * 1_000_000_000

    @property
    def weather(self) -> Weather:
        """What acts on sensors and behaviour, with the sun of time and place."""
        given = self.config.weather
        rain, visibility, temperature = WEATHERS[given.kind]
        if given.rain is not None:
            rain = given.rain
            if given.kind in ("clear", "rain") and rain > 0:
                visibility = visibility_in_rain(rain)
        datum = self.world.district.datum
        elevation, azimuth = sun_position(self.start_ns, datum.latitude, datum.longitude)
        return Weather(
            rain,
            given.visibility if given.visibility is not None else visibility,
            given.temperature if given.temperature is not None else temperature,
            elevation,
            azimuth,
        )

    def variations(self) -> Iterator[dict[str, Any]]:
        """Enumerate the overrides of all combinations of the variations, in the order of the file; none: one, empty."""
        lists = [values_of(value, f"{self.path}.variations.{key}") for key, value in self.config.variations.items()]
        for values in itertools.product(*lists):
            yield dict(zip(self.config.variations, values, strict=True))


def visibility_in_rain(rain: float) -> float:
    """Return the optical range in rain, metres; ``rain`` in mm/h.

    Specific attenuation 1.076 R^0.67 dB/km (ITU-R P.1814), and Koschmieder's contrast of 5 % (13 dB).
    """
    return float(min(13.0 / (1.076 * rain**0.67) * 1000.0, 20_000.0))


def load_scenario(path: Path | str, overrides: Mapping[str, Any] | Sequence[str] = ()) -> Scenario:
    """Read a scenario, with changes; its variations are checked too where there are none.

    Args:
        path: YAML file.
        overrides: values by key path (``weather.rain``, ``actors.driver.do.0.speed``), or texts ``key=value``.

    Raises:
        ConfigError: anything that is not as expected; one line that names file, key and expectation.

    """
    from twin_sim.scenario_checks import check

    path = Path(path)
    raw = load_yaml(path)
    if not isinstance(raw, Mapping):
        raise ConfigError(f"{path}: {type(raw).__name__}; expected a scenario with description, district and start")
    changes = dict(overrides) if isinstance(overrides, Mapping) else parsed(overrides)
    config = _config(path, applied(raw, changes, ScenarioConfig, str(path)))
    world = world_of((path.parent / config.district).resolve())
    scenario = Scenario(path, config, world, changes)
    check(scenario)
    if not changes:
        _check_variations(scenario, raw)
    return scenario


def _check_variations(scenario: Scenario, raw: Mapping[str, Any]) -> None:
    """Check the first and the last value of every variation."""
    from twin_sim.scenario_checks import check

    path = scenario.path
    for key, values in scenario.config.variations.items():
        chosen = values_of(values, f"{path}.variations.{key}")
        for value in (chosen[0], chosen[-1]):
            varied = applied(raw, {key: value}, ScenarioConfig, f"{path}.variations")
            check(Scenario(path, _config(path, varied, f"{path}.variations.{key}={value}"), scenario.world))


def _config(path: Path, raw: dict[str, Any], where: str = "") -> ScenarioConfig:
    if isinstance(raw.get("start"), (int, datetime.date)) and not isinstance(raw.get("start"), bool):
        raw["start"] = _start_text(raw["start"])
    if isinstance(raw.get("weather"), str):
        raw["weather"] = {"kind": raw["weather"]}
    config = from_mapping(ScenarioConfig, raw, where or str(path))
    _local_time(config.start, where or str(path))
    return config


def _start_text(value: int | datetime.date) -> str:
    """Return the text of a start that YAML has taken for a date, or for a number of base 60."""
    if isinstance(value, datetime.datetime):
        return value.replace(tzinfo=None).isoformat(" ")
    if isinstance(value, datetime.date):
        return value.isoformat()
    minutes = value if value < 24 * 60 else value // 60
    return f"{minutes // 60:02d}:{minutes % 60:02d}"


def _local_time(text: str, where: str) -> datetime.datetime:
    full = text if "-" in text else f"{USUAL_DAY} {text.rjust(5, '0')}"
    try:
        return datetime.datetime.fromisoformat(full)
    except ValueError:
        raise ConfigError(f"{where}.start: {text!r}; expected HH:MM or YYYY-MM-DD HH:MM") from None


def values_of(value: Any, where: str) -> list[Any]:
    """Return the values of a variation: those of a list, or evenly spaced ones of {from, to, steps}.

    Raises:
        ConfigError: it is neither.

    """
    if isinstance(value, list) and value:
        return value
    if isinstance(value, Mapping) and {"from", "to"} <= set(value) <= {"from", "to", "steps"}:
        low, high = value["from"], value["to"]
        whole = isinstance(low, int) and isinstance(high, int)
        steps = value.get("steps", high - low + 1 if whole else 2)
        if isinstance(steps, int) and steps >= 2 and high > low:
            spaced = [low + (high - low) * i / (steps - 1) for i in range(steps)]
            return [round(item) for item in spaced] if whole else spaced
    raise ConfigError(f"{where}: {value!r}; expected a list of values, or {{from: , to: , steps: }} with from < to")


def scenario_files(folder: Path) -> list[Path]:
    """Return the scenarios of a folder, by name.

    Raises:
        ConfigError: the folder has none.

    """
    found = sorted(folder.glob("*.yaml"))
    if not found:
        raise ConfigError(f"{folder}: no scenarios; expected *.yaml files")
    return found
