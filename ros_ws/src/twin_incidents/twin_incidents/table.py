"""The incident table: what counts as an incident, as data; each row names a rule and gives its thresholds."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from twin_common.config import Config, ConfigError, from_mapping, load_yaml, setting

DEFAULT_TABLE = Path(__file__).parent / "incidents.yaml"
SEVERITIES = ("info", "warning", "serious", "critical")  # index: Incident.SEVERITY_*
LANGUAGES = ("en", "ko")
#: What a text may mention, with an example of each.
TEXT_FIELDS = {
    "place": "crossing",
    "cause": "…",
    "count": 2,
    "time_to_event": 1.2,
    "percent": 80.0,
    "platforms": "pole_01",
}


@dataclass(frozen=True, slots=True)
class CollisionLimits(Config):
    """Thresholds of the rule predicted_collision."""

    time_to_collision: float = setting(2.0, "s", "with a pedestrian or rider", low=0.2, high=4.0)
    time_to_collision_vehicles: float = setting(1.5, "s", "between vehicles", low=0.2, high=4.0)
    braking: float = setting(
        3.4, "m/s^2", "deceleration needed to avoid it, with a pedestrian or rider", low=0.0, high=10.0
    )
    braking_vehicles: float = setting(
        4.0, "m/s^2", "deceleration needed to avoid it, between vehicles", low=0.0, high=10.0
    )
    hard_braking: float = setting(
        5.0,
        "m/s^2",
        "who brakes harder does so to avoid it: that they may stop in time is no excuse",
        low=0.0,
        high=20.0,
    )
    probability: float = setting(0.55, "", "least probability", low=0.0, high=1.0)
    min_speed: float = setting(
        2.0, "m/s", "one of the two is a vehicle or rider at least this fast", low=0.0, high=20.0
    )
    min_closing: float = setting(1.5, "m/s", "least rate at which the gap closes", low=0.0, high=20.0)
    contact_gap: float = setting(0.1, "m", "footprints closer than this collide", low=0.0, high=2.0)
    min_age: float = setting(
        0.5, "s", "younger tracks are left out: their velocity is not known yet", low=0.0, high=5.0
    )
    min_age_driven: float = setting(
        1.0, "s", "the same for the vehicle or rider under way: nor is whether it brakes", low=0.0, high=5.0
    )
    max_unseen: float = setting(
        0.4, "s", "tracks not measured for longer are left out: their place is extrapolated", low=0.0, high=60.0
    )
    max_position_sigma: float = setting(
        0.3, "m", "tracks whose place is less well known are left out", low=0.01, high=100.0
    )
    view: float = setting(
        40.0, "m", "farther from every platform too little is seen to tell what is what", low=0.0, high=10000.0
    )


@dataclass(frozen=True, slots=True)
class CarriagewayLimits(Config):
    """Thresholds of the rule pedestrian_on_carriageway."""

    edge_margin: float = setting(0.4, "m", "depth inside the carriageway", low=0.0, high=5.0)
    crosswalk_margin: float = setting(1.0, "m", "distance to a crosswalk that is tolerated", low=0.0, high=20.0)
    class_probability: float = setting(0.5, "", "of being a pedestrian", low=0.0, high=1.0)
    max_speed: float = setting(3.0, "m/s", "a faster one is taken for a rider", low=0.5, high=20.0)
    max_unseen: float = setting(
        0.5, "s", "what was not measured for longer may go on, but not begin", low=0.0, high=60.0
    )
    view: float = setting(
        40.0, "m", "farther from every platform too little is seen to tell what is what", low=0.0, high=10000.0
    )


@dataclass(frozen=True, slots=True)
class StoppedLimits(Config):
    """Thresholds of the rule vehicle_stopped_in_lane."""

    max_speed: float = setting(0.3, "m/s", "slower than this is stopped", low=0.0, high=5.0)
    lane_reach: float = setting(
        0.7, "m", "how far its footprint reaches into the carriageway, parking bays apart", low=0.0, high=5.0
    )
    crosswalk_distance: float = setting(
        6.0, "m", "with an end nearer to a crosswalk a vehicle or a queue may wait there", low=0.0, high=200.0
    )
    queue_gap: float = setting(
        6.0,
        "m",
        "between bumpers of two in one queue at most; 0: there are no queues",
        low=0.0,
        high=50.0,
    )
    queue_offset: float = setting(1.3, "m", "between the lines of two in one queue", low=0.0, high=5.0)
    queue_speed: float = setting(2.0, "m/s", "faster ones are in no queue", low=0.0, high=10.0)
    view: float = setting(
        35.0,
        "m",
        "where the next one ahead would stand, farther from every platform, nobody sees whether there is one",
        low=0.0,
        high=10000.0,
    )
    class_probability: float = setting(0.5, "", "of being a vehicle", low=0.0, high=1.0)
    max_unseen: float = setting(
        1.0, "s", "what was not measured for longer may go on, but not begin", low=0.0, high=60.0
    )


@dataclass(frozen=True, slots=True)
class CrowdStep(Config):
    """One step of density."""

    density: float = setting(unit="1/m^2", doc="persons per square metre", low=0.1, high=20.0)
    severity: str = setting(doc="severity from this density on", choices=SEVERITIES)


@dataclass(frozen=True, slots=True)
class CrowdLimits(Config):
    """Thresholds of the rule crowd_density."""

    steps: tuple[CrowdStep, ...] = setting(
        tuple(CrowdStep(density, name) for density, name in zip((3.0, 4.0, 5.0, 6.0), SEVERITIES, strict=True)),
        doc="densities in rising order",
    )
    kernel_sigma: float = setting(1.0, "m", "standard deviation of the kernel that counts persons", low=0.3, high=5.0)
    min_persons: int = setting(8, "", "fewer are no crowd", low=2, high=10000)

    def __post_init__(self) -> None:
        """Check the order of the steps."""
        Config.__post_init__(self)
        densities = [step.density for step in self.steps]
        if not densities or any(a >= b for a, b in itertools.pairwise(densities)):
            raise ConfigError(f"CrowdLimits.steps: densities {densities}; expected at least one, in rising order")


@dataclass(frozen=True, slots=True)
class LostLimits(Config):
    """Thresholds of the rule platform_lost."""

    silence: float = setting(3.0, "s", "without a status", low=0.5, high=600.0)
    startup: float = setting(15.0, "s", "a platform that was never heard has this long to start", low=0.0, high=600.0)


LIMITS: dict[str, type[Config]] = {
    "predicted_collision": CollisionLimits,
    "pedestrian_on_carriageway": CarriagewayLimits,
    "vehicle_stopped_in_lane": StoppedLimits,
    "crowd_density": CrowdLimits,
    "platform_lost": LostLimits,
}


@dataclass(frozen=True, slots=True)
class Texts(Config):
    """What an alert says, by language; may mention the TEXT_FIELDS in braces."""

    en: str = setting(doc="English")
    ko: str = setting(doc="Korean")

    def __post_init__(self) -> None:
        """Refuse a text that mentions something unknown."""
        Config.__post_init__(self)
        for language in LANGUAGES:
            try:
                getattr(self, language).format(**TEXT_FIELDS)
            except (KeyError, IndexError, ValueError) as error:
                raise ConfigError(
                    f"Texts.{language}: {error}; expected only {', '.join(TEXT_FIELDS)} in braces"
                ) from None


@dataclass(frozen=True, slots=True)
class IncidentRow(Config):
    """One kind of incident."""

    kind: str = setting(doc="its key, unique in the table")
    rule: str = setting(doc="how it is found", choices=tuple(LIMITS))
    severity: str = setting(doc="unless its rule says otherwise (crowd_density)", choices=SEVERITIES)
    agencies: tuple[str, ...] = setting(doc="who is to be told")
    text: Texts = setting(doc="what the alert says")
    min_duration: float = setting(0.0, "s", "it must be found this long before it is told", low=0.0, high=3600.0)
    hold: float = setting(1.0, "s", "it ends when it has not been found for this long", low=0.0, high=3600.0)
    thresholds: Any = setting(None, doc="of its rule; those left out keep their defaults")

    @property
    def severity_level(self) -> int:
        """Severity as Incident.SEVERITY_*."""
        return SEVERITIES.index(self.severity)


def load_table(path: str = "") -> tuple[IncidentRow, ...]:
    """Read an incident table; "" is the one in this package.

    Raises:
        ConfigError: the file is missing, not YAML, or a row has an unknown key, rule or value out of range.

    """
    file = Path(path) if path else DEFAULT_TABLE
    content = load_yaml(file)
    if not isinstance(content, dict) or list(content) != ["incidents"] or not isinstance(content["incidents"], list):
        raise ConfigError(f"{file}: expected one key, incidents, with a list of rows")
    rows = tuple(_row(entry, f"{file}: incidents[{i}]") for i, entry in enumerate(content["incidents"]))
    kinds = [row.kind for row in rows]
    double = sorted({kind for kind in kinds if kinds.count(kind) > 1})
    if double:
        raise ConfigError(f"{file}: kind {double[0]!r} stands twice; expected each kind once")
    return rows


def _row(entry: Any, where: str) -> IncidentRow:
    if not isinstance(entry, dict):
        raise ConfigError(f"{where}: {entry!r}; expected a mapping")
    limits = LIMITS.get(entry.get("rule", ""))
    if limits is None:
        raise ConfigError(f"{where}: rule {entry.get('rule')!r}; expected one of {', '.join(LIMITS)}")
    thresholds = from_mapping(limits, entry.get("thresholds"), f"{where}.thresholds")
    return from_mapping(IncidentRow, {**entry, "thresholds": thresholds}, where)
