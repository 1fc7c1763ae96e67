"""Everybody in the district who is not scripted: traffic by SUMO, crowds by jupedsim, as rows of ACTOR each 0.1 s."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from pathlib import Path

import numpy as np

from twin_common.config import ConfigError
from twin_common.core.object_class import ObjectClass
from twin_sim.core.crowd import Crowd
from twin_sim.core.crowd_model import CrowdConfig
from twin_sim.core.demand import Demand, PopulationConfig
from twin_sim.core.fleet import KIND_BY_NAME, Person, VehicleKind, conduct, draw_person, scaled_speed
from twin_sim.core.frame import Weather, no_actors
from twin_sim.core.handover import Handover
from twin_sim.core.posing import DRIVING, TICK, TICKS
from twin_sim.core.reaction import Reaction, deflection
from twin_sim.core.roster import Roster, state_row, vehicle_row
from twin_sim.core.signals import signal_array, signal_heads
from twin_sim.core.traffic import STEP, Traffic
from twin_sim.core.walks import Walk, Walks
from twin_sim.world import World

TICK_NS = 100_000_000
FIRST_ID = 10_001  # of the population; those of scripts begin at 1,000,001
AWAITED = 2  # STATE.leaving of a vehicle that SUMO will show soon


@dataclass(slots=True)
class _Departure:
    actor_id: int
    kind: VehicleKind
    edges: tuple[str, ...]
    depart: float
    position: float | None = None
    speed: float | None = None
    lane: int | None = None


class Population:
    """Vehicles, walkers and crowds of a world; one at a time in a process, to be closed at the end."""

    def __init__(
        self,
        world: World,
        settings: PopulationConfig,
        weather: Weather,
        seed: int,
        *,
        crowd: CrowdConfig | None = None,
        log: Path | None = None,
    ) -> None:
        """Start the models and fill the district: ``settings.warmup`` seconds are simulated at once.

        Raises:
            ConfigError: another population is open in this process, or the world has a network, a gate, a route or
                a crowd area that cannot be used.

        """
        self._weather, self._settings = weather, settings
        changed = conduct(settings.behaviour, weather)
        behaviour = scaled_speed(settings.behaviour, changed)
        streams = [np.random.default_rng((seed, number)) for number in range(4)]
        self._persons = streams[3]
        self.heads = signal_heads(world.network)
        self.crowd = Crowd(world.config.crowd_areas, crowd or CrowdConfig(), streams[0])
        self._traffic = Traffic(world.network, settings.behaviour, changed, seed, log)
        try:
            areas, buildings = world.config.crowd_areas, world.district.polygons("building")
            self._demand = Demand(self._traffic, settings, changed, streams[1])
            self._walks = Walks(self._traffic, areas, buildings, settings.crowd_visits, streams[2])
            self._roster = Roster()
            self._people = Handover(
                self._roster, self._traffic, self._walks, self.crowd, self.new_id,
                lambda: draw_person(self._persons, behaviour), streams[2],
            )  # fmt: skip
            self._reaction = Reaction(self._traffic)
            self._next_id, self._tick, self._start_ns = FIRST_ID, 0, -1
            self._departures: list[_Departure] = []
            self._kinds: dict[int, tuple[VehicleKind, int]] = {}
            self._links = self._shown_links = self._traffic.signal_states()
            self._signals = signal_array(self.heads, self._shown_links)
            self._walk_rate = settings.pedestrians_per_hour * settings.density * changed.walkers / 3600
            #: actor_id of every sensor vehicle, by platform.
            self.vehicles: dict[str, int] = {}
            self._fill(world)
        except BaseException:
            self._traffic.close()
            raise

    def __enter__(self) -> Population:
        """Return the population."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close it."""
        self.close()

    def close(self) -> None:
        """End the models; another population may be made then."""
        self._traffic.close()

    @property
    def now(self) -> float:
        """Seconds since the start of the warm-up."""
        return self._tick * TICK

    def new_id(self) -> int:
        """Return an actor id that nobody has had."""
        self._next_id += 1
        return self._next_id - 1

    def _fill(self, world: World) -> None:
        """Put people where they would be, send sensor vehicles off, and simulate the warm-up."""
        settings = self._settings
        for route in world.config.routes:
            actor_id = self.vehicles[route.platform] = self.new_id()
            edges = self._round(route.platform, route.edges)
            self._departures.append(_Departure(actor_id, KIND_BY_NAME["sensor_vehicle"], edges, 0.0))
        for i, area in enumerate(self.crowd.areas):
            density = settings.crowd_areas.get(area.name, settings.crowd_density) * settings.density
            for _ in range(round(density * area.ground.area)):
                self._people.place(i, area.draw_point(), 0.0, bool(self._persons.random() < 0.7))
        mean_walk = 120.0
        for _ in range(round(self._walk_rate * mean_walk)):
            walk = self._walks.draw()
            if walk is not None:
                self._people.begin(self._walks.seeded(walk))
        nobody = no_actors()
        for _ in range(round(settings.warmup / TICK)):
            self._advance(nobody)
        self._advance(nobody)

    def _round(self, platform: str, edges: Sequence[str]) -> tuple[str, ...]:
        """Return a round of a sensor vehicle, joined where its edges do not connect, many times over."""
        if not edges:
            raise ConfigError(f"route of {platform}: no edges; expected at least one")
        for edge in edges:
            self._traffic.network.edge(edge)
        way: list[str] = []
        for one, other in zip(edges, (*edges[1:], edges[0]), strict=True):
            part = self._traffic.route(one, other, "sensor_vehicle")
            if not part:
                raise ConfigError(f"route of {platform}: no way from {one} to {other}")
            way += part[:-1] if len(part) > 1 else part
        return tuple(way * max(1, 600 // len(way)))

    def step(self, stamp_ns: int, scripted: np.ndarray | None = None) -> np.ndarray:
        """Return everybody at a moment, (N,) ACTOR sorted by actor_id; scripted actors are not among them.

        The first call gives the state after the warm-up; each further one must be 0.1 s later.

        Args:
            stamp_ns: when.
            scripted: (M,) ACTOR, whom the population reacts to.

        Raises:
            ValueError: ``stamp_ns`` is not 0.1 s after the last.

        """
        if self._start_ns < 0:
            self._start_ns = stamp_ns
        else:
            if stamp_ns != self._start_ns + TICK_NS:
                raise ValueError(f"stamp_ns: {stamp_ns}; expected {self._start_ns + TICK_NS}, 0.1 s after the last")
            self._start_ns = stamp_ns
            self._advance(no_actors() if scripted is None else scripted)
        return self._roster.rows.copy()

    @property
    def signals(self) -> np.ndarray:
        """What all signal heads show now, (S,) SIGNAL."""
        return self._signals.copy()

    def _show_signals(self) -> None:
        if self._links != self._shown_links:
            self._shown_links = self._links
            self._signals = signal_array(self.heads, self._shown_links)

    def _advance(self, scripted: np.ndarray) -> None:
        phase = self._tick % TICKS
        if phase == 0:
            self._step_models(scripted)
            weather = self._weather
            lit = weather.night or weather.rain > 0.5 or weather.visibility < 1000
            self._roster.pose(self.now - TICK, lit)
        if phase == TICKS // 2:  # what is shown of traffic lags SUMO by half a step or more
            self._show_signals()
        self._roster.show(phase, partial(deflection, scripted=scripted) if len(scripted) else None)
        self._tick += 1

    def _step_models(self, scripted: np.ndarray) -> None:
        for kind, edges in self._demand.vehicles(STEP):
            self._departures.append(_Departure(self.new_id(), kind, edges, self.now))
        for _ in range(int(self._persons.poisson(self._walk_rate * STEP))):
            walk = self._walks.draw()
            if walk is not None:
                self._people.begin(walk)
        self._people.pour(STEP)
        due = [item for item in self._departures if item.depart <= self.now + 1e-6]
        self._departures = [item for item in self._departures if item.depart > self.now + 1e-6]
        for item in due:
            self._depart(item)
        self._people.advance(self.now)
        self._reaction.apply(scripted, self._roster.behind())
        self._reaction.hold_crowd(self.crowd, scripted)
        self._traffic.step()
        self._links = self._traffic.signal_states()
        vehicles, walkers = self._traffic.vehicles(), self._traffic.walkers()
        self._reaction.remember(vehicles, walkers, self._take_vehicles(vehicles))
        self._people.take_walkers(walkers)
        for actor_id, area, gate in self.crowd.step(self.now, STEP):
            if actor_id in self._people.plans:
                self._people.leave_area(actor_id, area, gate)
        self._people.take_crowd()

    def _depart(self, item: _Departure) -> None:
        if item.actor_id not in self._kinds:
            self._kinds[item.actor_id] = (item.kind, int(self._persons.integers(2**32)))
        self._traffic.add_vehicle(
            item.actor_id, item.kind.name, item.edges, position=item.position, speed=item.speed, lane=item.lane
        )

    def _take_vehicles(self, found: np.ndarray) -> np.ndarray:
        """Take over SUMO's vehicles, (N,) VEHICLE; return how far to their left they are shown, (N,) metres."""
        roster = self._roster
        rows = roster.find(found["actor_id"])
        fresh = rows < 0
        for actor_id in found["actor_id"][fresh].tolist():
            roster.add(vehicle_row(actor_id, *self._kinds[actor_id]), state_row(actor_id, DRIVING))
        rows = roster.find(found["actor_id"])
        shown = found.copy()
        shown[~fresh] = roster.rolled(rows[~fresh], found[~fresh])
        roster.take_control_points(rows, shown, fresh)
        roster.state["signals"][rows] = found["signals"] & 0xFF
        here = np.zeros(len(roster.state), bool)
        here[rows] = True
        gone = (roster.state["source"] == DRIVING) & ~here
        roster.state["leaving"][here] = 0
        roster.go_on(np.flatnonzero(gone))
        dropped = gone & (roster.state["leaving"] == 1)
        roster.state["leaving"][gone & (roster.state["leaving"] == 0)] = 1
        for actor_id in roster.state["actor_id"][dropped].tolist():
            self._kinds.pop(actor_id, None)
        roster.drop(dropped)
        return roster.slips(shown, found)

    def spawn_vehicle(
        self,
        kind: str,
        edges: Sequence[str],
        *,
        depart: float = 0.0,
        position: float | None = None,
        speed: float | None = None,
        lane: int | None = None,
        appearance: int | None = None,
    ) -> int:
        """Add a vehicle; return its actor id.

        Args:
            kind: name in ``fleet.KINDS``.
            edges: of its route; two that do not connect are joined by the quickest way.
            depart: seconds from now.
            position: of its front along the first edge, metres; None: the beginning.
            speed: at departure, m/s; None: as fast as is safe.
            lane: index from the outside; None: the best for its route.
            appearance: seed of its looks; None: drawn.

        Raises:
            ConfigError: no such kind or edge, or no way along them.

        """
        if kind not in KIND_BY_NAME:
            raise ConfigError(f"{kind}: no such kind of vehicle; expected one of {', '.join(KIND_BY_NAME)}")
        if not edges:
            raise ConfigError(f"{kind}: no edges; expected a route of at least one")
        way = [edges[0]]
        for edge in edges:
            self._traffic.network.edge(edge)
        for one, other in pairwise(edges):
            part = self._traffic.route(one, other, kind)
            if not part:
                raise ConfigError(f"{kind}: no way from {one} to {other}")
            way += part[1:]
        actor_id = self.new_id()
        looks = int(self._persons.integers(2**32)) if appearance is None else appearance
        self._kinds[actor_id] = (KIND_BY_NAME[kind], looks)
        departure = _Departure(actor_id, KIND_BY_NAME[kind], tuple(way), self.now + depart, position, speed, lane)
        self._departures.append(departure)
        return actor_id

    def spawn_walker(self, start: tuple[float, float], end: tuple[float, float]) -> int:
        """Add a person who walks from the sidewalk nearest to one point to that nearest to another; return the id.

        Raises:
            ConfigError: there is no way between them.

        """
        first, last = self._walks.near(*start), self._walks.near(*end)
        walk: Walk | None = self._walks.between(first, last)
        if walk is None:
            raise ConfigError(f"no walk from {start} ({first.edge}) to {end} ({last.edge})")
        return self._people.begin(walk)

    def find(
        self,
        classification: ObjectClass,
        near: tuple[float, float],
        within: float = np.inf,
        exclude: Collection[int] = (),
    ) -> int | None:
        """Return the nearest actor of a class to a point, None if there is none within so many metres."""
        rows = self._roster.rows
        distance = np.hypot(rows["x"] - near[0], rows["y"] - near[1])
        fits = (rows["classification"] == classification) & (distance <= within)
        fits &= ~np.isin(rows["actor_id"], [*exclude, *self.vehicles.values()])
        if not fits.any():
            return None
        return int(rows["actor_id"][np.argmin(np.where(fits, distance, np.inf))])

    def row(self, actor_id: int) -> np.ndarray | None:
        """Return an actor as it is now, (1,) ACTOR, None if it is not here."""
        i = self._roster.row(actor_id)
        return self._roster.rows[i : i + 1].copy() if i >= 0 else None

    def take_over(self, actor_id: int) -> np.ndarray:
        """Take an actor out, for a script to move; return it as it is now, (1,) ACTOR.

        Raises:
            KeyError: no such actor here.

        """
        row = self.row(actor_id)
        if row is None:
            raise KeyError(f"{actor_id}: no such actor in the population")
        if self._people.take_out(actor_id) is None:
            self._traffic.remove_vehicle(actor_id)
            self._roster.drop(self._roster.state["actor_id"] == actor_id)
        self._reaction.forget(actor_id)
        return row

    def release(self, row: np.ndarray) -> bool:
        """Take an actor, (1,) ACTOR, back from a script; False if a vehicle stands where no street is near."""
        if row["classification"][0] == ObjectClass.PEDESTRIAN:
            self._people.give_back(row, self.now)
            return True
        actor_id = int(row["actor_id"][0])
        kind, _ = self._kinds.get(actor_id, (_kind_like(row), 0))
        place = self._traffic.lane_at(float(row["x"][0]), float(row["y"][0]), float(row["yaw"][0]), kind)
        if place is None:
            return False
        edge, lane, position = place
        onward = self._demand.route_from(edge, kind.name)
        if not onward:
            return False
        self._kinds[actor_id] = (kind, int(row["appearance"][0]))
        speed = float(np.hypot(row["velocity_x"][0], row["velocity_y"][0]))
        front = position + float(row["length"][0]) / 2
        self._depart(_Departure(actor_id, kind, onward, self.now, front, speed, lane))
        state = state_row(actor_id, DRIVING)
        state["leaving"] = AWAITED
        self._roster.add(row, state)
        seen = np.zeros(1, [("x", "f8"), ("y", "f8"), ("yaw", "f8"), ("speed", "f8")])
        seen["x"], seen["y"], seen["yaw"], seen["speed"] = row["x"], row["y"], row["yaw"], speed
        self._roster.take_control_points(self._roster.find([actor_id]), seen, np.array([True]))
        self._roster.go_on(self._roster.find([actor_id]))
        return True

    def set_red_light_runner(self, actor_id: int, runs: bool = True) -> None:
        """Make a vehicle drive through red lights, or obey them again.

        Raises:
            KeyError: no such vehicle under way.

        """
        i = self._roster.row(actor_id)
        if i < 0 or self._roster.state["source"][i] != DRIVING:
            raise KeyError(f"{actor_id}: no such vehicle under way")
        self._traffic.run_red_lights(actor_id, runs)


def _kind_like(row: np.ndarray) -> VehicleKind:
    """Return the kind of vehicle whose class and length fit a row best."""
    fits = [kind for kind in KIND_BY_NAME.values() if kind.classification == row["classification"][0]]
    return min(fits or KIND_BY_NAME.values(), key=lambda kind: abs(kind.length - float(row["length"][0])))


__all__ = ["Person", "Population", "PopulationConfig"]
