"""What a scenario can make happen: scripted actors with their steps, and things that fall.

A point is ``[x, y]`` in the map frame, the name of a place of the district, or ``[place, dx, dy]``. Times are
seconds after the start of the scenario.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from twin_common.config import Config, ConfigError, setting
from twin_common.core.object_class import ObjectClass
from twin_common.district import ZONE_KINDS
from twin_sim.core.frame import Activity, Shape

#: What an actor can be: its class, body, and box (length, width, height, metres).
KINDS: dict[str, tuple[ObjectClass, Shape, tuple[float, float, float]]] = {
    "pedestrian": (ObjectClass.PEDESTRIAN, Shape.BY_CLASS, (0.5, 0.6, 1.7)),
    "car": (ObjectClass.CAR, Shape.SALOON, (4.6, 1.85, 1.47)),
    "saloon": (ObjectClass.CAR, Shape.SALOON, (4.6, 1.85, 1.47)),
    "hatchback": (ObjectClass.CAR, Shape.HATCHBACK, (4.0, 1.75, 1.5)),
    "suv": (ObjectClass.CAR, Shape.SUV, (4.7, 1.9, 1.7)),
    "van": (ObjectClass.CAR, Shape.VAN, (5.1, 1.95, 2.0)),
    "taxi": (ObjectClass.CAR, Shape.TAXI, (4.9, 1.86, 1.6)),
    "sensor_vehicle": (ObjectClass.CAR, Shape.SENSOR_VEHICLE, (4.7, 1.9, 2.1)),
    "truck": (ObjectClass.TRUCK, Shape.BY_CLASS, (7.0, 2.3, 3.0)),
    "bus": (ObjectClass.BUS, Shape.BY_CLASS, (11.0, 2.5, 3.2)),
    "motorcycle": (ObjectClass.MOTORCYCLE, Shape.BY_CLASS, (2.1, 0.8, 1.6)),
    "scooter": (ObjectClass.SCOOTER, Shape.BY_CLASS, (1.2, 0.6, 1.8)),
    "bicycle": (ObjectClass.BICYCLE, Shape.BY_CLASS, (1.8, 0.6, 1.75)),
}
#: Fastest plausible speed of an actor, m/s.
TOP_SPEED = {
    ObjectClass.PEDESTRIAN: 9.0,
    ObjectClass.SCOOTER: 11.0,
    ObjectClass.BICYCLE: 15.0,
    ObjectClass.MOTORCYCLE: 40.0,
}
TOP_SPEED_VEHICLE = 45.0
HELD = {activity.name.lower(): activity for activity in (
    Activity.STANDING, Activity.WAITING, Activity.SITTING, Activity.LYING, Activity.FIGHTING, Activity.PARKED,
)}  # fmt: skip
VERBS = ("go", "drive", "hold", "fall", "rise", "brake", "chase", "fight", "leave", "join")
CONDITIONS = ("within", "enters", "does", "touched", "red_at")


@dataclass(frozen=True, slots=True)
class WhenConfig(Config):
    """What a step waits for: one of within, enters, does, touched, red_at."""

    actor: str = setting("", doc="scripted actor that is watched; empty: the actor itself")
    within: float | None = setting(None, "m", "that actor is nearer than this", low=0)
    enters: str | None = setting(None, doc="that actor is in a zone of this kind", choices=(None, *ZONE_KINDS))
    does: str | None = setting(
        None, doc="that actor does this", choices=(None, *(item.name.lower() for item in Activity))
    )
    touched: bool | None = setting(None, doc="that actor has been hit, or has hit something")
    red_at: str | None = setting(None, doc="the signal at the end of this SUMO edge has turned red for vehicles")

    def __post_init__(self) -> None:
        """Check that there is one condition."""
        Config.__post_init__(self)
        given = [name for name in CONDITIONS if getattr(self, name) is not None]
        if len(given) != 1:
            raise ConfigError(
                f"when: has {', '.join(given) or 'no condition'}; expected one of {', '.join(CONDITIONS)}"
            )


@dataclass(frozen=True, slots=True)
class DriveConfig(Config):
    """A way along lanes of the network."""

    edges: tuple[str, ...] = setting(doc="SUMO edges, each connected to the next")
    lane: int = setting(0, doc="index, 0 is the kerb's", low=0, high=9)
    reverse: bool = setting(False, doc="against the direction of the lanes")
    begin: float = setting(0.0, "m", "length of the way that is left out at its beginning", low=0)
    end: float = setting(0.0, "m", "length that is left out at its end", low=0)


@dataclass(frozen=True, slots=True)
class StepConfig(Config):
    """One thing that an actor does: one verb, and when it begins (else: when the step before is done)."""

    at: float | None = setting(None, "s", "begins then, whatever the step before does", low=0)
    when: WhenConfig | None = setting(None, doc="begins when this comes true, whatever the step before does")
    delay: float = setting(0.0, "s", "after ``when``: time to react", low=0, high=60)
    go: tuple[Any, ...] | None = setting(None, doc="points to pass, after the present position")
    drive: DriveConfig | None = setting(None, doc="lanes to follow")
    hold: float | None = setting(None, "s", "stay for this long", low=0)
    activity: str = setting("standing", doc="of hold", choices=tuple(HELD))
    fall: str | None = setting(
        None, doc="go down, and stay down", choices=(None, "forward", "backward", "left", "right")
    )
    rise: float | None = setting(None, "s", "get up within this time", low=0.5, high=20)
    brake: float | None = setting(None, "m/s²", "come to a halt on the present way", low=0.3, high=12)
    chase: str | None = setting(None, doc="actor that is followed on its trail")
    fight: tuple[str, ...] | None = setting(None, doc="actors that are fought with, until the next step")
    leave: bool | None = setting(None, doc="go out of sight: into a house, a car")
    join: bool | None = setting(None, doc="become one of the population: go on as traffic and passers-by do")
    speed: float | None = setting(None, "m/s", "of go, drive and chase", low=0.05, high=45)
    acceleration: float | None = setting(None, "m/s²", "of go, drive and chase", low=0.1, high=12)
    heed: bool = setting(True, doc="on wheels: keep a distance to the population, and stop at red lights on a drive")
    arrive: float | None = setting(
        None, "s", "when the end of the way is reached; a first step begins so that it is at ``speed``", low=0
    )

    def __post_init__(self) -> None:
        """Check that there is one verb and at most one trigger."""
        Config.__post_init__(self)
        given = [name for name in VERBS if getattr(self, name) is not None]
        if len(given) != 1:
            raise ConfigError(f"step: has {', '.join(given) or 'no verb'}; expected one of {', '.join(VERBS)}")
        if self.at is not None and self.when is not None:
            raise ConfigError("step: has at and when; expected one of them")

    @property
    def moves(self) -> bool:
        """Whether the step travels a way."""
        return self.go is not None or self.drive is not None or self.chase is not None


@dataclass(frozen=True, slots=True)
class ActorConfig(Config):
    """A scripted actor."""

    name: str = setting(doc="for events and other actors")
    kind: str = setting("pedestrian", doc="class and body", choices=tuple(KINDS))
    start: Any = setting(None, doc="point where it appears; not needed if its first step is drive")
    yaw_deg: float | None = setting(None, "deg", "heading at first; none: along its first way")
    appears: float = setting(0.0, "s", "when", low=0)
    stature: float = setting(1.7, "m", "of a person", low=0.8, high=2.1)
    appearance: int | None = setting(None, doc="seed of body, paint and clothes; none: drawn from the seed", low=0)
    platform: str = setting("", doc="sensor vehicle that this actor is")
    do: tuple[StepConfig, ...] = setting((), doc="its steps, in order")


@dataclass(frozen=True, slots=True)
class FacadeConfig(Config):
    """A panel of a facade that comes down."""

    panel: str = setting(doc="panel of the district")
    falls: float = setting(unit="s", doc="when", low=0)
    bulges_from: float | None = setting(None, "s", "precursor: bends out from then on", low=0)
    bulge: float = setting(0.25, "m", "how far, at last", low=0.02, high=1.0)
    small_falls: int = setting(
        0, doc="precursor: small pieces that come down between bulging and collapse", low=0, high=50
    )
    pieces: int = setting(30, doc="pieces that it breaks into", low=1, high=200)


@dataclass(frozen=True, slots=True)
class SignConfig(Config):
    """A sign that comes off its building."""

    panel: str = setting(doc="sign of the district")
    falls: float = setting(unit="s", doc="when", low=0)
    sways_from: float | None = setting(None, "s", "precursor: sways, more and more, from then on", low=0)
    sway_deg: float = setting(20.0, "deg", "how far, at last", low=1, high=60)


@dataclass(frozen=True, slots=True)
class LoadConfig(Config):
    """A load that drops from a crane."""

    crane: str = setting(doc="crane of the district")
    drops: float = setting(unit="s", doc="when", low=0)
    reach: float = setting(18.0, "m", "from the mast, along the jib", low=2, high=80)
    hangs: float = setting(15.0, "m", "height of its underside", low=1, high=80)
    size: tuple[float, float, float] = setting((3.0, 1.2, 0.8), "m", "length, width, height", low=0.1, high=15)
    sways_from: float | None = setting(None, "s", "precursor: swings, more and more, from then on", low=0)
    sway: float = setting(2.0, "m", "how far, at last", low=0.1, high=10)


@dataclass(frozen=True, slots=True)
class VehicleConfig(Config):
    """A vehicle of the traffic, with a route of its own; unlike an actor it drives as everybody does."""

    name: str = setting(doc="for people; of a sensor vehicle: its platform")
    edges: tuple[str, ...] = setting(doc="SUMO edges of its route; those that do not connect are joined")
    kind: str = setting("saloon", doc="vehicle type of the population, such as saloon, taxi, bus, sensor_vehicle")
    departs: float = setting(0.0, "s", "when; it may wait for room", low=0)
    position: float | None = setting(None, "m", "of its front along the first edge; none: at its beginning", low=0)
    speed: float | None = setting(None, "m/s", "at departure; none: as fast as is safe", low=0, high=45)
    lane: int | None = setting(
        None, doc="index among all lanes of the edge, 0 outside; none: what suits its route", low=0
    )
    runs_red: bool = setting(False, doc="drives through red lights")


@dataclass(frozen=True, slots=True)
class FlowConfig(Config):
    """People who stream into a crowd area, from one time on."""

    area: str = setting(doc="crowd area of the district")
    rate: float = setting(unit="1/s", doc="persons; 0 ends it", low=0, high=50)
    at: float = setting(0.0, "s", "from then on", low=0)
    gates: tuple[str, ...] = setting((), doc="gates through which they come; none: all")
    goal: Any = setting(None, doc="gate by which they leave, or point that they press towards; none: they stroll")


@dataclass(frozen=True, slots=True)
class ScriptConfig(Config):
    """Everything that happens by script."""

    actors: tuple[ActorConfig, ...] = setting(())
    facades: tuple[FacadeConfig, ...] = setting(())
    signs: tuple[SignConfig, ...] = setting(())
    loads: tuple[LoadConfig, ...] = setting(())
