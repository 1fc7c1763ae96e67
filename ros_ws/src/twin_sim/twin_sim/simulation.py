"""A run of a scenario: world, population, script and truth, one frame every 0.1 s."""

from __future__ import annotations

from typing import Protocol

import numpy as np

from twin_common.core.object_class import ObjectClass
from twin_sim.core.crowding import AreaDensity
from twin_sim.core.detectors import Detectors, StopLines
from twin_sim.core.faults import Faults
from twin_sim.core.frame import SIGNAL, STEP_NS, EventKind, Frame, Shape, Weather, no_actors
from twin_sim.core.hazards import LOAD_ID, PANEL_ID
from twin_sim.core.lane_ways import LaneIndex
from twin_sim.core.observer import Expected, Observer
from twin_sim.core.script import Script, merged
from twin_sim.core.stage import Stage, resolve_point
from twin_sim.core.zone_index import ZoneIndex
from twin_sim.districts import heads_of, network_of
from twin_sim.scenario import EventConfig, Scenario

OVERHEAD = 3.0  # m above the ground: nobody runs into what is higher


class People(Protocol):
    """What a simulation needs of the population."""

    @property
    def signals(self) -> np.ndarray:
        """What all signal heads show, (S,) SIGNAL."""

    @property
    def vehicles(self) -> dict[str, int]:
        """Return the actor_id of every sensor vehicle, by platform."""

    def step(self, stamp_ns: int, scripted: np.ndarray) -> np.ndarray:
        """Return the population at a stamp, (N,) ACTOR, which reacts to the scripted actors, (M,) ACTOR."""

    @property
    def spawned(self) -> dict[str, int]:
        """Return the actor_id of every vehicle of the scenario, by name."""

    def take_over(self, actor_id: int) -> bool:
        """Take an actor out, for the script to move; False if it is not there."""

    def take_back(self, row: np.ndarray) -> None:
        """Let an actor of the script, (1,) ACTOR, go on as one of the population."""

    def close(self) -> None:
        """Free what it holds."""


class Nobody:
    """A population of none, for runs of the script alone."""

    def __init__(self) -> None:
        """Have no signals and no vehicles."""
        self.signals = np.zeros(0, SIGNAL)
        self.vehicles: dict[str, int] = {}
        self.spawned: dict[str, int] = {}

    def step(self, stamp_ns: int, scripted: np.ndarray) -> np.ndarray:
        """Return nobody."""
        return no_actors()

    def take_over(self, actor_id: int) -> bool:
        """Find nobody."""
        return False

    def take_back(self, row: np.ndarray) -> None:
        """Let the actor go."""

    def close(self) -> None:
        """Do nothing."""


class Simulation:
    """Runs a scenario.

    Args:
        scenario: what happens.
        seed: in place of the scenario's own.
        populated: whether traffic and crowds run too; without them only the script plays.

    Raises:
        ConfigError: the traffic simulation cannot be started (one at a time in a process).

    """

    def __init__(self, scenario: Scenario, seed: int | None = None, *, populated: bool = True) -> None:
        """Put everything at its beginning; with a population this takes some seconds."""
        self.scenario, self.world = scenario, scenario.world
        self.seed = scenario.seed if seed is None else seed
        self.weather: Weather = scenario.weather
        self.start_ns = scenario.start_ns
        config, world = scenario.config, scenario.world
        platforms = [platform.name for platform in world.district.platforms]
        self.faults = Faults(config.faults, self.seed, self.start_ns, platforms)
        self._zones = ZoneIndex(world.district.zones)
        network, heads = network_of(world), heads_of(world)
        lanes = LaneIndex(network)
        places = {place.name: (place.x, place.y) for place in world.config.places}
        self._stage = Stage(self._zones, lanes, places, heads)
        self._script = Script(config.script(), world.config, self._stage, self.seed, night=self.weather.night)
        self._driven = {actor.config.platform: actor for actor in self._script.performers if actor.config.platform}
        self._people: People = self._populate() if populated else Nobody()
        self._observer = Observer(
            self._expected(places), self.start_ns, Detectors(self._zones, lanes, StopLines(network, heads)),
            self._crowds(), {item.name: (item.pose.x, item.pose.y, item.pose.z) for item in world.district.platforms},
            list(self._people.spawned.values()),
        )  # fmt: skip
        self._script.take_over = self._people.take_over
        self._others, self._signals = no_actors(), np.zeros(0, SIGNAL)
        self._count = 0

    def _populate(self) -> People:
        from twin_sim.people import Residents  # SUMO and jupedsim take a second to import

        return Residents(self.scenario, self.weather, self.seed, frozenset(self._driven))

    @property
    def names(self) -> dict[int, str]:
        """Names of scripted actors and of panels, signs and loads, by actor_id."""
        found = {item.actor_id: item.config.name for item in self._script.performers}
        found |= {PANEL_ID + i: panel.name for i, panel in enumerate(self.world.config.panels)}
        found |= {number: name for name, number in self._people.spawned.items()}
        return found | {LOAD_ID + i: f"load of {load.crane}" for i, load in enumerate(self.scenario.config.loads)}

    @property
    def time(self) -> float:
        """Seconds after the start of the frame that the next step returns."""
        return self._count * STEP_NS / 1e9

    def step(self) -> Frame:
        """Return the next frame: the first is that of the start, each further one 0.1 s later."""
        stamp_ns, now = self.start_ns + self._count * STEP_NS, self.time
        if self._count == 0:
            self._others = self._people.step(stamp_ns, no_actors())
            self._signals = self._people.signals
            scripted = self._script.step(now, self._others, self._signals)
            self._others = self._others[~np.isin(self._others["actor_id"], sorted(self._script.cleared))]
        else:
            scripted = self._script.step(now, self._others, self._signals)
            while self._script.joined:
                self._people.take_back(self._script.joined.pop(0))
            self._others = self._people.step(stamp_ns, _obstacles(scripted))
            self._signals = self._people.signals
        actors = merged([self._others, scripted])
        signals, lost = self._signals, self.faults.lost(stamp_ns)
        events = self._observer.step(now, actors, self._script, self._stage, signals, lost)
        self._count += 1
        vehicles = self._people.vehicles | {name: item.actor_id for name, item in self._driven.items() if item.present}
        self._number(actors, vehicles)
        return Frame(stamp_ns, actors, signals, events, vehicles, lost)

    def _number(self, actors: np.ndarray, vehicles: dict[str, int]) -> None:
        """Write into the appearance of each sensor vehicle which platform it is: its place in the district's list."""
        for number, platform in enumerate(self.world.district.platforms):
            if platform.name in vehicles:
                actors["appearance"][actors["actor_id"] == vehicles[platform.name]] = number

    def missing(self) -> list[EventConfig]:
        """Return the events of the scenario that have not happened so far."""
        expected = self.scenario.config.expected()
        return [expected[item.event_id - 1] for item in self._observer.missing()]

    def close(self) -> None:
        """End the traffic simulation; another one may be started then."""
        self._people.close()

    def __enter__(self) -> Simulation:
        """Return itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close."""
        self.close()

    def _expected(self, places: dict[str, tuple[float, float]]) -> list[Expected]:
        config = self.scenario.config
        ids = {name: {number} for number, name in self.names.items()}
        for crane in self.world.config.cranes:
            ids[crane.name] = {LOAD_ID + i for i, load in enumerate(config.loads) if load.crane == crane.name}
        poles = {item.name: (item.pose.x, item.pose.y) for item in self.world.district.platforms}
        numbers = {event.name: i + 1 for i, event in enumerate(config.events)}
        found = []
        for i, event in enumerate(config.expected()):
            place = resolve_point(event.place, places) if event.place is not None else None
            for name in event.actors:
                place = poles[name] if name in poles and event.kind == "platform_lost" else place
            actors = frozenset(number for name in event.actors for number in ids.get(name, ()))
            leads_to = 0 if event in config.events else numbers.get(event.leads_to, 1)
            found.append(
                Expected(
                    i + 1, EventKind[event.kind.upper()], event.time, event.within, place, event.radius, actors,
                    event.severity, event.casualties, leads_to,
                )
            )  # fmt: skip
        return found

    def _crowds(self) -> dict[str, AreaDensity]:
        """Return the areas into which people stream: these are watched for crowding."""
        streams = {flow.area for flow in self.scenario.config.flows}
        return {
            area.name: AreaDensity(np.array(area.polygon), [np.array(item) for item in area.obstacles])
            for area in self.world.config.crowd_areas
            if area.name in streams
        }


def _obstacles(scripted: np.ndarray) -> np.ndarray:
    """Return what the population has to mind: no things high up, and of rubble that has become a heap only this."""
    low = scripted["z"] < OVERHEAD
    if (scripted["shape"] == Shape.HEAP).any():
        low &= scripted["shape"] != Shape.RUBBLE
    return np.asarray(scripted[low])


def road_users(actors: np.ndarray) -> np.ndarray:
    """Return the actors without things, (M,) ACTOR."""
    things = (ObjectClass.UNKNOWN, ObjectClass.DEBRIS)
    return actors[~np.isin(actors["classification"], things)]
