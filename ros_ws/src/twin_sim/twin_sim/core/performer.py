"""One scripted actor: its body, where it is, and how far it is in its steps."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np

from twin_common.core.object_class import ObjectClass
from twin_sim.core.acts import KINDS, ActorConfig
from twin_sim.core.frame import TWO_WHEELERS, VEHICLES, Activity, Light, Shape
from twin_sim.core.impacts import Box, Rigid
from twin_sim.core.ways import Way, wrapped

#: Way per cycle of the gait, of the pedals, of a wheel, metres.
STRIDE, RUNNING_STRIDE, PEDAL_TURN, WHEEL_TURN = 1.4, 2.6, 5.0, 2.0
#: Persons above this speed run, m/s.
RUN = 2.4
#: Time from upright to lying, seconds, and height of a person who lies.
FALL_TIME, LYING_HEIGHT = 1.0, 0.35
#: Mass with its load, kg.
MASS = {ObjectClass.CAR: 1450.0, ObjectClass.TRUCK: 7000.0, ObjectClass.BUS: 12_000.0, ObjectClass.PEDESTRIAN: 75.0,
        ObjectClass.MOTORCYCLE: 220.0, ObjectClass.BICYCLE: 90.0, ObjectClass.SCOOTER: 95.0}  # fmt: skip
#: Length and width of a person's box, metres, and its height as a share of stature.
POSTURES = {
    Activity.STANDING: (0.5, 0.6, 1.0), Activity.WAITING: (0.5, 0.6, 1.0), Activity.WALKING: (0.7, 0.6, 1.0),
    Activity.RUNNING: (0.95, 0.6, 1.0), Activity.SITTING: (0.8, 0.6, 0.76), Activity.FIGHTING: (0.8, 0.75, 1.0),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Look:
    """Class, body, box (length, width, height, metres), stature (0: no person) and seed of an actor's looks."""

    classification: ObjectClass
    shape: Shape
    size: tuple[float, float, float]
    stature: float
    appearance: int


def look_of(config: ActorConfig, appearance: int) -> Look:
    """Return the looks of an actor of a scenario."""
    classification, shape, size = KINDS[config.kind]
    return Look(classification, shape, size, config.stature if config.kind == "pedestrian" else 0.0, appearance)


@dataclass(slots=True)
class Performer:
    """State of a scripted actor; positions and angles as in ACTOR."""

    config: ActorConfig
    actor_id: int
    look: Look
    x: float
    y: float
    z: float = 0.0
    yaw: float = 0.0
    roll: float = 0.0
    speed: float = 0.0
    velocity: np.ndarray = field(default_factory=lambda: np.zeros(3))
    yaw_rate: float = 0.0
    acceleration: float = 0.0
    activity: Activity = Activity.STANDING
    begun: float = 0.0
    phase: float = 0.0
    lights: int = 0
    present: bool = False
    gone: bool = False
    joining: bool = False
    step: int = -1
    step_begun: float = 0.0
    step_done: bool = True
    due: float | None = None
    way: Way | None = None
    along: float = 0.0
    fall: Fall | None = None
    rigid: Rigid | None = None
    touched: float | None = None
    limit: float = math.inf
    aside: float = 0.0
    stops: tuple[tuple[float, str], ...] = ()
    trail_place: int = 0
    anchor: tuple[float, float, float] | None = None
    ground: float = 0.0
    classification: ObjectClass = field(init=False)
    person: bool = field(init=False)
    motor: bool = field(init=False)

    def __post_init__(self) -> None:
        """Note what kind of actor it is."""
        self.classification = self.look.classification
        self.person = self.classification == ObjectClass.PEDESTRIAN
        self.motor = self.classification in VEHICLES

    @property
    def size(self) -> tuple[float, float, float]:
        """Length, width and height of the box in the present posture, metres."""
        if not self.person:
            return self.look.size
        stature = self.look.stature
        if self.activity in POSTURES:
            length, width, share = POSTURES[self.activity]
            return length, width, share * stature
        share = 1.0 if self.activity == Activity.LYING or self.fall is None else self.fall.progress**1.6
        return (
            0.5 + (stature - 0.5) * share,
            0.6 + 0.1 * share,
            stature + (LYING_HEIGHT - stature) * share,
        )

    @property
    def down(self) -> bool:
        """Whether it is a person who lies or is falling."""
        return self.activity in (Activity.FALLING, Activity.LYING)

    def box(self) -> Box:
        """Return the rectangle that the actor covers; a fallen person's is its trunk."""
        length, width, _ = self.size
        return Box(self.x, self.y, self.yaw, length, width)

    def begin(self, activity: Activity, now: float) -> None:
        """Take up an activity, if it is another than before."""
        if activity != self.activity:
            self.activity, self.begun = activity, now

    def moved(self, x: float, y: float, yaw: float, interval: float) -> None:
        """Go to a place within a time: sets velocity, turn rate and the phase of gait and wheels."""
        dx, dy = x - self.x, y - self.y
        self.velocity = np.array([dx / interval, dy / interval, 0.0])
        self.yaw_rate = wrapped(yaw - self.yaw) / interval
        self.x, self.y, self.yaw = x, y, wrapped(yaw)
        self.phase = (self.phase + 2 * np.pi * math.hypot(dx, dy) / self._turn()) % (2 * np.pi)

    def _turn(self) -> float:
        if self.person:
            return RUNNING_STRIDE if self.speed > RUN else STRIDE
        return PEDAL_TURN if self.classification == ObjectClass.BICYCLE else WHEEL_TURN

    def carry_on(self, now: float) -> None:
        """Choose the activity that fits the present speed."""
        still = self.speed < 0.1
        if self.person:
            gait = Activity.RUNNING if self.speed > RUN else Activity.WALKING
            self.begin(Activity.STANDING if still else gait, now)
        elif self.classification in TWO_WHEELERS:
            self.begin(Activity.STOPPED if still else Activity.RIDING, now)
        else:
            self.begin(Activity.STOPPED if still else Activity.DRIVING, now)

    def row(self, out: np.ndarray, now: float) -> None:
        """Write the actor into a row of ACTOR, (), at ``now`` seconds."""
        length, width, height = self.size
        out["actor_id"], out["x"], out["y"], out["z"] = self.actor_id, self.x, self.y, self.z
        out["length"], out["width"], out["height"] = length, width, height
        out["yaw"], out["roll"] = wrapped(self.yaw), self.roll
        out["velocity_x"], out["velocity_y"], out["velocity_z"] = self.velocity
        out["yaw_rate"], out["acceleration"], out["phase"] = self.yaw_rate, self.acceleration, self.phase
        out["since"], out["stature"] = now - self.begun, self.look.stature
        out["appearance"], out["lights"] = self.look.appearance, self.lights
        out["classification"], out["activity"], out["shape"] = self.classification, self.activity, self.look.shape

    def light(self, light: Light, on: bool) -> None:
        """Switch a light."""
        self.lights = self.lights | light if on else self.lights & ~light


@dataclass(slots=True)
class Fall:
    """A person on the way down: from the feet on, or thrown through the air.

    Args:
        direction: where the body goes, radians.
        heading: to which the person turns on the way, radians.
        velocity: of the middle of the body, (3,), m/s.
        middle: height of the middle of the body above the ground, metres.
        begun: when, seconds.
        duration: until the body is stretched out, seconds.
        thrown: whether it flies.
        progress: 0 upright, 1 stretched out.

    """

    direction: float
    heading: float
    velocity: np.ndarray
    middle: float
    begun: float
    duration: float = FALL_TIME
    thrown: bool = False
    progress: float = 0.0


def adopted(row: np.ndarray, lead: float, now: float) -> Performer:
    """Return an actor of the population, a row of ACTOR, as one of the script; ``lead`` seconds after the row."""
    kind = ObjectClass(int(row["classification"]))
    size = (float(row["length"]), float(row["width"]), float(row["height"]))
    look = Look(kind, Shape(int(row["shape"])), size, float(row["stature"]), int(row["appearance"]))
    velocity = np.array([float(row[f"velocity_{axis}"]) for axis in "xyz"])
    x, y = float(row["x"]) + velocity[0] * lead, float(row["y"]) + velocity[1] * lead
    config = ActorConfig(f"actor {int(row['actor_id'])}", "pedestrian")
    return Performer(
        config, int(row["actor_id"]), look, x, y, float(row["z"]), float(row["yaw"]), velocity=velocity,
        speed=float(np.hypot(velocity[0], velocity[1])), activity=Activity(int(row["activity"])),
        begun=now - float(row["since"]), phase=float(row["phase"]), lights=int(row["lights"]), present=True,
    )  # fmt: skip
