"""The population of a scenario: SUMO and jupedsim with what the scenario lets stream in."""

from __future__ import annotations

import dataclasses

import numpy as np

from twin_sim.core.acts import FlowConfig
from twin_sim.core.frame import Weather
from twin_sim.core.population import Population
from twin_sim.core.stage import resolve_point
from twin_sim.scenario import Scenario


class Residents:
    """A population whose streams follow a scenario."""

    def __init__(self, scenario: Scenario, weather: Weather, seed: int, scripted: frozenset[str]) -> None:
        """Start the models; sensor vehicles in ``scripted`` are left to the script.

        Raises:
            ConfigError: another population is open in this process, or a flow cannot be set up.

        """
        world = scenario.world
        self._platforms = frozenset(platform.name for platform in world.district.platforms)
        scripted = scripted | {vehicle.name for vehicle in scenario.config.vehicles}
        routes = tuple(route for route in world.config.routes if route.platform not in scripted)
        world = dataclasses.replace(world, config=dataclasses.replace(world.config, routes=routes))
        self._population = Population(world, scenario.config.population, weather, seed)
        self._places = {place.name: (place.x, place.y) for place in world.config.places}
        self._gates = {gate.name for area in world.config.crowd_areas for gate in area.gates}
        self._flows = sorted(scenario.config.flows, key=lambda flow: flow.at)
        self._start_ns = scenario.start_ns
        self.spawned: dict[str, int] = {}
        self._runners: list[int] = []
        for vehicle in scenario.config.vehicles:
            self.spawned[vehicle.name] = self._population.spawn_vehicle(
                vehicle.kind, vehicle.edges, depart=vehicle.departs, position=vehicle.position, speed=vehicle.speed,
                lane=vehicle.lane,
            )  # fmt: skip
            self._runners += [self.spawned[vehicle.name]] * vehicle.runs_red

    @property
    def signals(self) -> np.ndarray:
        """What all signal heads show, (S,) SIGNAL."""
        return self._population.signals

    @property
    def vehicles(self) -> dict[str, int]:
        """Return the actor_id of every sensor vehicle, by platform."""
        return self._population.vehicles | {
            name: item for name, item in self.spawned.items() if name in self._platforms
        }

    def step(self, stamp_ns: int, scripted: np.ndarray) -> np.ndarray:
        """Return the population at a stamp, (N,) ACTOR, sorted by actor_id."""
        now = (stamp_ns - self._start_ns) / 1e9
        while self._flows and self._flows[0].at <= now + 1e-9:
            self._pour(self._flows.pop(0))
        for number in [item for item in self._runners if self._population.row(item) is not None]:
            self._population.set_red_light_runner(number)
            self._runners.remove(number)
        return self._population.step(stamp_ns, scripted)

    def _pour(self, flow: FlowConfig) -> None:
        goal = flow.goal
        if goal is not None and goal not in self._gates:
            goal = resolve_point(goal, self._places)
        self._population.crowd.set_inflow(flow.area, flow.rate, goal, flow.gates)

    def take_over(self, actor_id: int) -> bool:
        """Take an actor out, for the script to move; False if it is not there."""
        if self._population.row(actor_id) is None:
            return False
        self._population.take_over(actor_id)
        return True

    def take_back(self, row: np.ndarray) -> None:
        """Let an actor of the script, (1,) ACTOR, join the population; a vehicle vanishes where no street is near."""
        self._population.release(row)

    def close(self) -> None:
        """End the models."""
        self._population.close()
