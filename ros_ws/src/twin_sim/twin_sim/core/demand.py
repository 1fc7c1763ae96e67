"""How many come into the district, of which kinds, and which way vehicles take."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from twin_common.config import Config, ConfigError, setting
from twin_common.core.object_class import ObjectClass
from twin_sim.core.fleet import KINDS, BehaviourConfig, Conduct, VehicleKind
from twin_sim.core.frame import TWO_WHEELERS
from twin_sim.core.network_zones import Edge

if TYPE_CHECKING:  # SUMO takes a second to load, and a scenario is also read where no traffic runs
    from twin_sim.core.traffic import Traffic

DETOURS = 0.5  # share of routes by way of a street off the quickest way
ATTEMPTS = 12


@dataclass(frozen=True, slots=True)
class PopulationConfig(Config):
    """How many come, of which kinds, and how full the crowd areas are."""

    vehicles_per_hour: float = setting(1500.0, "1/h", "that come into the district", low=0.0, high=20_000)
    pedestrians_per_hour: float = setting(2000.0, "1/h", "that begin a walk", low=0.0, high=40_000)
    density: float = setting(1.0, "1", "factor on both, and on the crowd", low=0.0, high=10.0)
    cars: float = setting(0.70, "1", "share of vehicles", low=0.0, high=1.0)
    trucks: float = setting(0.07, "1", "share of vehicles", low=0.0, high=1.0)
    buses: float = setting(0.04, "1", "share of vehicles", low=0.0, high=1.0)
    motorcycles: float = setting(0.07, "1", "share of vehicles", low=0.0, high=1.0)
    scooters: float = setting(0.05, "1", "share of vehicles: kick scooters", low=0.0, high=1.0)
    bicycles: float = setting(0.07, "1", "share of vehicles", low=0.0, high=1.0)
    crowd_density: float = setting(0.03, "1/m²", "people in crowd areas at the start", low=0.0, high=4.0)
    crowd_areas: dict[str, float] = setting(doc="the same by area, 1/m², instead of crowd_density", factory=dict)
    crowd_visits: float = setting(0.3, "1", "share of walks that lead to a crowd area", low=0.0, high=1.0)
    warmup: float = setting(90.0, "s", "simulated before the start, so that the district is full", low=0.0, high=900.0)
    behaviour: BehaviourConfig = setting(factory=BehaviourConfig)

    def __post_init__(self) -> None:
        """Check that somebody comes, and the densities of areas."""
        Config.__post_init__(self)
        if not sum(self.shares().values()) > 0:
            raise ConfigError("PopulationConfig: all shares of vehicles are 0; expected at least one above 0")
        for name, density in self.crowd_areas.items():
            if not (isinstance(density, (int, float)) and 0 <= density <= 4):
                raise ConfigError(f"PopulationConfig.crowd_areas.{name}: {density!r}; expected 0 to 4 persons per m²")

    def shares(self) -> dict[ObjectClass, float]:
        """Return the share of every class of vehicles."""
        return {
            ObjectClass.CAR: self.cars, ObjectClass.TRUCK: self.trucks, ObjectClass.BUS: self.buses,
            ObjectClass.MOTORCYCLE: self.motorcycles, ObjectClass.SCOOTER: self.scooters,
            ObjectClass.BICYCLE: self.bicycles,
        }  # fmt: skip


class Demand:
    """Draws vehicles and their routes."""

    def __init__(self, traffic: Traffic, config: PopulationConfig, changed: Conduct, rng: np.random.Generator) -> None:
        """Find where streets enter and leave the district; where they do not, they start and end anywhere."""
        self._traffic, self._config, self._rng = traffic, config, rng
        ends = traffic.dead_ends
        driving = [edge for edge in traffic.network.edges if edge.driving]
        self._sources = [edge for edge in driving if edge.start in ends] or driving
        self._sinks = [edge for edge in driving if edge.end in ends] or driving
        self._inner = [edge for edge in driving if not {edge.start, edge.end} & ends]
        self._kinds: list[VehicleKind] = []
        weights = []
        for classification, share in config.shares().items():
            for kind in KINDS:
                if kind.classification == classification and kind.share > 0:
                    self._kinds.append(kind)
                    weights.append(share * kind.share * (changed.cycles if classification in TWO_WHEELERS else 1.0))
        self._weights = np.array(weights) / sum(weights)
        total = config.vehicles_per_hour * config.density / 3600
        self._rate = total * sum(weights) / sum(config.shares().values())

    def vehicles(self, duration: float) -> list[tuple[VehicleKind, tuple[str, ...]]]:
        """Draw the vehicles that come within ``duration`` seconds, with the edges of their routes."""
        drawn = (self.vehicle() for _ in range(int(self._rng.poisson(self._rate * duration))))
        return [item for item in drawn if item is not None]

    def vehicle(self) -> tuple[VehicleKind, tuple[str, ...]] | None:
        """Draw a vehicle and its route; None where no route was found."""
        kind = self._kinds[int(self._rng.choice(len(self._kinds), p=self._weights))]
        edges = self.route(kind.name)
        return (kind, edges) if edges else None

    def route(self, kind: str) -> tuple[str, ...]:
        """Draw a way through the district, half of the time by way of a street off the quickest way."""
        for _ in range(ATTEMPTS):
            start, end = self._draw(self._sources), self._draw(self._sinks)
            if start.start == end.end:
                continue
            if self._inner and self._rng.random() < DETOURS:
                middle = self._draw(self._inner).name
                first = self._traffic.route(start.name, middle, kind)
                second = self._traffic.route(middle, end.name, kind)
                edges = first + second[1:] if first and second else ()
            else:
                edges = self._traffic.route(start.name, end.name, kind)
            if edges and len(set(edges)) == len(edges):
                return edges
        return ()

    def route_from(self, edge: str, kind: str) -> tuple[str, ...]:
        """Draw a way from a street out of the district; empty if there is none."""
        for _ in range(ATTEMPTS):
            edges = self._traffic.route(edge, self._draw(self._sinks).name, kind)
            if edges:
                return edges
        return ()

    def _draw(self, edges: Sequence[Edge]) -> Edge:
        weights = np.array([len(edge.driving) ** 2 for edge in edges], float)
        return edges[int(self._rng.choice(len(edges), p=weights / weights.sum()))]
