"""What a scenario must fulfil beyond the types and ranges of its values: names that exist, times that make sense."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import numpy as np

from twin_common.config import ConfigError
from twin_sim.core.acts import KINDS, ActorConfig, StepConfig
from twin_sim.core.faults import Faults
from twin_sim.core.fleet import KIND_BY_NAME
from twin_sim.core.lane_ways import LaneIndex
from twin_sim.core.stage import resolve_point
from twin_sim.core.steps import top_speed
from twin_sim.core.ways import Way
from twin_sim.districts import network_of

if TYPE_CHECKING:
    from twin_sim.scenario import EventConfig, Scenario


def check(scenario: Scenario) -> None:
    """Check a scenario against its district and itself.

    Raises:
        ConfigError: the first thing that is not as expected.

    """
    where = str(scenario.path)
    _check_kind(scenario, where)
    _check_names(scenario, where)
    for i, actor in enumerate(scenario.config.actors):
        _check_actor(scenario, actor, f"{where}.actors[{i}]")
    _check_edges(scenario, where)
    _check_things(scenario, where)
    for name in ("events", "precursors"):
        for i, event in enumerate(getattr(scenario.config, name)):
            _check_event(scenario, event, f"{where}.{name}[{i}]")
    platforms = [platform.name for platform in scenario.world.district.platforms]
    try:
        Faults(scenario.config.faults, scenario.seed, 0, platforms)
    except ConfigError as error:
        raise ConfigError(f"{where}.{error}") from None


def _check_kind(scenario: Scenario, where: str) -> None:
    config = scenario.config
    if config.kind == "gray_rhino" and not config.precursors:
        raise ConfigError(f"{where}.precursors: none; expected at least one, since kind is gray_rhino")
    if config.kind == "black_swan" and config.precursors:
        raise ConfigError(f"{where}.precursors: {len(config.precursors)}; expected none, since kind is black_swan")
    if config.kind != "routine" and not config.events:
        raise ConfigError(f"{where}.events: none; expected at least one, since kind is {config.kind}")


def unknown(where: str, what: str, name: str, known: Iterable[str]) -> ConfigError:
    """Return the error for a name that does not exist."""
    choices = list(known)
    close = difflib.get_close_matches(name, choices, n=1)
    hint = f"did you mean {close[0]}?" if close else f"expected one of {', '.join(choices) or 'none'}"
    return ConfigError(f"{where}: {name}: no such {what}; {hint}")


def _check_names(scenario: Scenario, where: str) -> None:
    for names in (("actors", "vehicles"), ("events", "precursors")):
        entries = [(name, i, item.name) for name in names for i, item in enumerate(getattr(scenario.config, name))]
        seen: set[str] = set()
        for owner, i, item in entries:
            if item in seen:
                raise ConfigError(f"{where}.{owner}[{i}].name: {item} twice; expected different names")
            seen.add(item)


def _point(scenario: Scenario, value: Any, where: str) -> tuple[float, float]:
    """Return a point that lies in the district."""
    places = {place.name: (place.x, place.y) for place in scenario.world.config.places}
    try:
        x, y = resolve_point(value, places)
    except ConfigError as error:
        raise ConfigError(f"{where}: {error}") from None
    x0, y0, x1, y1 = scenario.world.config.bounds
    if not (x0 <= x <= x1 and y0 <= y <= y1):
        raise ConfigError(
            f"{where}: ({x:g}, {y:g}) is outside the district; expected x {x0:g} to {x1:g}, y {y0:g} to {y1:g}"
        )
    return x, y


def _check_actor(scenario: Scenario, actor: ActorConfig, where: str) -> None:
    names = [item.name for item in scenario.config.actors]
    drives = bool(actor.do) and actor.do[0].drive is not None
    if actor.start is None and not drives:
        raise ConfigError(f"{where}.start: missing; expected a point, unless the first step is drive")
    if actor.appears > scenario.duration:
        raise ConfigError(
            f"{where}.appears: {actor.appears:g} s is after the end; expected at most {scenario.duration:g}"
        )
    here = _point(scenario, actor.start, f"{where}.start") if actor.start is not None else None
    last = 0.0
    for j, step in enumerate(actor.do):
        place = f"{where}.do[{j}]"
        if step.at is not None:
            if step.at < last:
                raise ConfigError(f"{place}.at: {step.at:g} s is before the step before it; expected at least {last:g}")
            if step.at > scenario.duration:
                raise ConfigError(f"{place}.at: {step.at:g} s is after the end; expected at most {scenario.duration:g}")
            last = step.at
        for name in (step.chase, *(step.fight or ()), step.when.actor if step.when and step.when.actor else None):
            if name is not None and (name not in names or (name == actor.name and step.when is None)):
                raise unknown(place, "scripted actor", name, [item for item in names if item != actor.name])
        points = [_point(scenario, point, f"{place}.go[{k}]") for k, point in enumerate(step.go or ())]
        if step.go is not None and not points:
            raise ConfigError(f"{place}.go: no points; expected at least one")
        _check_pace(actor, step, j, here, points, place)
        here = points[-1] if points else (None if step.drive or step.chase else here)
    if actor.platform:
        vehicles = [item.name for item in scenario.world.district.platforms if item.kind == "vehicle"]
        if actor.platform not in vehicles:
            raise unknown(f"{where}.platform", "sensor vehicle", actor.platform, vehicles)


def _check_pace(
    actor: ActorConfig, step: StepConfig, j: int, here: tuple[float, float] | None, points: list[Any], where: str
) -> None:
    """Check that a way can be travelled in its time."""
    fastest = top_speed(KINDS[actor.kind][0])
    if step.speed is not None and step.speed > fastest:
        raise ConfigError(f"{where}.speed: {step.speed:g} m/s; expected at most {fastest:g} for a {actor.kind}")
    if step.arrive is None:
        return
    if j == 0 and step.speed is None:
        raise ConfigError(f"{where}.speed: missing; expected a speed beside arrive in the first step")
    if step.arrive <= actor.appears:
        raise ConfigError(f"{where}.arrive: {step.arrive:g} s; expected after the actor appears at {actor.appears:g} s")
    if j > 0 and step.at is not None and here is not None and points and np.hypot(*np.subtract(points[0], here)) > 0:
        pace = Way([here, *points]).length / max(step.arrive - step.at, 1e-3)
        if step.arrive <= step.at or pace > fastest:
            raise ConfigError(f"{where}.arrive: needs {pace:.1f} m/s; expected at most {fastest:g} for a {actor.kind}")


def _check_vehicles(scenario: Scenario, where: str, edges: set[str]) -> None:
    platforms = {item.name for item in scenario.world.district.platforms if item.kind == "vehicle"}
    for i, vehicle in enumerate(scenario.config.vehicles):
        place = f"{where}.vehicles[{i}]"
        if vehicle.kind not in KIND_BY_NAME:
            raise unknown(f"{place}.kind", "kind of vehicle", vehicle.kind, KIND_BY_NAME)
        if (vehicle.kind == "sensor_vehicle") != (vehicle.name in platforms):
            raise ConfigError(
                f"{place}.name: {vehicle.name}; expected a sensor vehicle's platform for a sensor_vehicle only"
            )
        if not vehicle.edges:
            raise ConfigError(f"{place}.edges: none; expected at least one edge")
        for edge in vehicle.edges:
            if edge not in edges:
                raise unknown(f"{place}.edges", "edge", edge, sorted(edges))
        if vehicle.departs > scenario.duration:
            raise ConfigError(
                f"{place}.departs: {vehicle.departs:g} s is after the end; expected at most {scenario.duration:g}"
            )


def _check_edges(scenario: Scenario, where: str) -> None:
    """Check edges and lanes against the network; it is read only where a scenario names one."""
    steps = [
        (f"{where}.actors[{i}].do[{j}]", step)
        for i, actor in enumerate(scenario.config.actors)
        for j, step in enumerate(actor.do)
        if step.drive is not None or (step.when is not None and step.when.red_at is not None)
    ]
    if not steps and not scenario.config.vehicles:
        return
    network = network_of(scenario.world)
    lanes, edges = LaneIndex(network), {edge.name for edge in network.edges}
    _check_vehicles(scenario, where, edges)
    for place, step in steps:
        if step.when is not None and step.when.red_at is not None and step.when.red_at not in edges:
            raise unknown(f"{place}.when.red_at", "edge", step.when.red_at, sorted(edges))
        if step.drive is None:
            continue
        if not step.drive.edges:
            raise ConfigError(f"{place}.drive.edges: none; expected at least one edge")
        try:
            lanes.way(step.drive.edges, step.drive.lane, step.drive.reverse)
        except ConfigError as error:
            raise ConfigError(f"{place}.drive: {error}") from None


def _check_things(scenario: Scenario, where: str) -> None:
    config, world = scenario.config, scenario.world.config
    kinds = {panel.name: panel.kind for panel in world.panels}
    for name, kind in (("facades", "panel"), ("signs", "sign")):
        for i, item in enumerate(getattr(config, name)):
            known = [panel for panel, of in kinds.items() if of == kind]
            if item.panel not in known:
                raise unknown(f"{where}.{name}[{i}].panel", kind, item.panel, known)
            since = item.bulges_from if name == "facades" else item.sways_from
            _check_fall(scenario, item.falls, since, f"{where}.{name}[{i}]", "falls")
    cranes = {crane.name: crane for crane in world.cranes}
    for i, load in enumerate(config.loads):
        place = f"{where}.loads[{i}]"
        if load.crane not in cranes:
            raise unknown(f"{place}.crane", "crane", load.crane, cranes)
        crane = cranes[load.crane]
        if load.reach > crane.jib:
            raise ConfigError(f"{place}.reach: {load.reach:g} m; expected at most the jib's {crane.jib:g}")
        if load.hangs + load.size[2] > crane.height - 1:
            raise ConfigError(f"{place}.hangs: {load.hangs:g} m; expected below the crane's jib at {crane.height:g}")
        _check_fall(scenario, load.drops, load.sways_from, place, "drops")
    areas = {area.name: area for area in world.crowd_areas}
    for i, flow in enumerate(config.flows):
        place = f"{where}.flows[{i}]"
        if flow.area not in areas:
            raise unknown(f"{place}.area", "crowd area", flow.area, areas)
        gates = [gate.name for gate in areas[flow.area].gates]
        for gate in flow.gates:
            if gate not in gates:
                raise unknown(f"{place}.gates", "gate", gate, gates)
        if flow.goal is not None and flow.goal not in gates:
            _point(scenario, flow.goal, f"{place}.goal")
        if flow.at > scenario.duration:
            raise ConfigError(f"{place}.at: {flow.at:g} s is after the end; expected at most {scenario.duration:g}")
    for name in config.population.crowd_areas:
        if name not in areas:
            raise unknown(f"{where}.population.crowd_areas", "crowd area", name, areas)


def _check_fall(scenario: Scenario, falls: float, since: float | None, where: str, key: str) -> None:
    if falls > scenario.duration:
        raise ConfigError(f"{where}.{key}: {falls:g} s is after the end; expected at most {scenario.duration:g}")
    if since is not None and since >= falls:
        raise ConfigError(f"{where}.{key}: {falls:g} s; expected after its precursor begins at {since:g} s")


def _check_event(scenario: Scenario, event: EventConfig, where: str) -> None:
    config, world = scenario.config, scenario.world.config
    if event.time > scenario.duration:
        raise ConfigError(f"{where}.time: {event.time:g} s is after the end; expected at most {scenario.duration:g}")
    if event.place is not None:
        _point(scenario, event.place, f"{where}.place")
    known = {item.name: item.appears for item in config.actors} | {item.name: item.departs for item in config.vehicles}
    things = [item.name for item in world.panels] + [item.name for item in world.cranes]
    things += [item.name for item in scenario.world.district.platforms]
    for name in event.actors:
        if name not in known and name not in things:
            raise unknown(f"{where}.actors", "scripted actor, panel, crane or platform", name, [*known, *things])
        if event.time + event.within < known.get(name, 0.0):
            appears = known[name]
            raise ConfigError(
                f"{where}.time: {event.time:g} s; expected after its actor {name} appears at {appears:g} s"
            )
    if len(event.actors) > 8:
        raise ConfigError(f"{where}.actors: {len(event.actors)}; expected at most 8")
    names = [item.name for item in config.events]
    if event in config.events and event.leads_to:
        raise ConfigError(f"{where}.leads_to: {event.leads_to}; expected in precursors only")
    if event.leads_to and event.leads_to not in names:
        raise unknown(f"{where}.leads_to", "event", event.leads_to, names)
    if event in config.precursors:
        after = next(
            (item for item in config.events if item.name == event.leads_to), config.events[0] if names else None
        )
        if after is None:
            raise ConfigError(f"{where}: announces nothing; expected an event in events")
        if event.time >= after.time:
            raise ConfigError(
                f"{where}.time: {event.time:g} s; expected before the event {after.name} at {after.time:g} s"
            )
