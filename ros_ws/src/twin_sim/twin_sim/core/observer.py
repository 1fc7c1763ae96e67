"""The events of a run, as they really happened: found in the actors' motion, then matched with what was expected."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from twin_common.core.object_class import ObjectClass
from twin_sim.core.conflicts import Conflicts
from twin_sim.core.crowding import AreaDensity
from twin_sim.core.detectors import Detectors
from twin_sim.core.frame import Event, EventKind
from twin_sim.core.hazards import RUBBLE_ID
from twin_sim.core.script import SCRIPTED_ID, Script
from twin_sim.core.sightings import Sighting
from twin_sim.core.stage import Stage

#: Events that nobody has announced in the scenario have ids from here on.
UNFORESEEN_ID = 1001
#: Persons per m² that are a precursor, and a crush, and how long they must last, seconds. Above 5 persons per m² a
#: crowd begins to move as one, above 6 to 7 pressure waves form (Fruin 1993, "The causes and prevention of crowd
#: disasters"; Helbing, Johansson & Al-Abideen 2007).
CROWDED, CRUSHED, LASTING = 4.0, 6.0, 2.0
CROWD_PERIOD = 0.5
#: How grave an event is that the scenario does not speak of; 1 otherwise.
SEVERITY = {
    EventKind.COLLISION: 3, EventKind.COLLAPSE: 2, EventKind.FALL: 2, EventKind.FIGHT: 2, EventKind.CROWD_CRUSH: 3,
    EventKind.FACADE_COLLAPSE: 3, EventKind.FALLING_OBJECT: 2, EventKind.LOAD_DROP: 3, EventKind.JAYWALKING: 0,
}  # fmt: skip
#: Which event a precursor announces.
ANNOUNCES = {
    EventKind.BULGE: (EventKind.FACADE_COLLAPSE,),
    EventKind.SMALL_FALL: (EventKind.FACADE_COLLAPSE,),
    EventKind.SWAY: (EventKind.FALLING_OBJECT, EventKind.LOAD_DROP),
    EventKind.CROWDING: (EventKind.CROWD_CRUSH,),
}


@dataclass(frozen=True, slots=True)
class Expected:
    """An event of the scenario: as EventConfig, with its id, and its actors' ids; ``leads_to``: an id, or 0."""

    event_id: int
    kind: EventKind
    time: float
    within: float
    place: tuple[float, float] | None
    radius: float
    actors: frozenset[int]
    severity: int
    casualties: float
    leads_to: int


@dataclass(slots=True)
class Crowd:
    """A crowd area that is watched; since when it has been how dense."""

    density: AreaDensity
    since: dict[EventKind, float] = field(default_factory=dict)
    sightings: dict[EventKind, Sighting] = field(default_factory=dict)
    history: list[Sighting] = field(default_factory=list)


class Observer:
    """Finds events and keeps them."""

    def __init__(
        self, expected: Iterable[Expected], start_ns: int, detectors: Detectors, crowds: Mapping[str, AreaDensity],
        platforms: Mapping[str, tuple[float, float, float]], watched: Sequence[int] = (),
    ) -> None:  # fmt: skip
        """Take what is expected.

        Args:
            expected: events of the scenario, in the order of their ids.
            start_ns: stamp of time 0.
            detectors: watch the scripted actors.
            crowds: areas that are watched, by name.
            platforms: where platforms stand.
            watched: vehicles of the traffic that may run red lights.

        """
        self._expected = {item.event_id: item for item in expected}
        self._start_ns, self._detectors, self._platforms = start_ns, detectors, platforms
        self._crowds = {name: Crowd(density) for name, density in crowds.items()}
        self._conflicts = Conflicts()
        self._collisions: dict[tuple[int, int], Sighting] = {}
        self._lost: dict[str, Sighting] = {}
        self._ids: dict[tuple[EventKind, float, tuple[int, ...]], int] = {}
        self._watched = list(watched)
        self._next, self._crowd_due = UNFORESEEN_ID, 0.0

    def step(
        self, now: float, actors: np.ndarray, script: Script, stage: Stage, signals: np.ndarray, lost: frozenset[str]
    ) -> tuple[Event, ...]:
        """Return all events so far; ``actors`` (N,) ACTOR is everybody, ``signals`` (S,) SIGNAL, at ``now`` seconds."""
        watched = actors[np.isin(actors["actor_id"], self._watched)] if self._watched else actors[:0]
        if stage.performers or len(watched):
            self._detectors.step(now, stage, signals, watched)
            self._look_at_conflicts(now, actors, script)
        self._follow_collisions(now, script, stage)
        if self._crowds and now >= self._crowd_due - 1e-9:
            self._crowd_due = now + CROWD_PERIOD
            for crowd in self._crowds.values():
                _watch(crowd, now, actors)
        for name in lost - {name for name, item in self._lost.items() if item.ended is None}:
            self._lost[name] = Sighting(EventKind.PLATFORM_LOST, now, None, *self._platforms[name], ())
        for name, item in self._lost.items():
            if item.ended is None and name not in lost:
                item.ended = now
        return self._events(script)

    def missing(self) -> list[Expected]:
        """Return what was expected and has not happened."""
        seen = set(self._ids.values())
        return [item for event_id, item in self._expected.items() if event_id not in seen]

    def _look_at_conflicts(self, now: float, actors: np.ndarray, script: Script) -> None:
        first, last = np.searchsorted(actors["actor_id"], (SCRIPTED_ID, SCRIPTED_ID + len(script.performers)))
        touched = {(min(c.first, c.second), max(c.first, c.second)) for c in script.contacts}
        road_users = actors[actors["classification"] != ObjectClass.UNKNOWN]
        self._conflicts.step(now, actors[first:last], road_users, touched)

    def _follow_collisions(self, now: float, script: Script, stage: Stage) -> None:
        """Open a collision for every contact of road users; it ends when those of the script are at rest."""
        by_id = {item.actor_id: item for item in script.performers}
        for contact in script.contacts:
            if max(contact.first, contact.second) >= RUBBLE_ID - 200_000:  # falling things are events of their own
                continue
            pair = (contact.first, contact.second)
            if pair not in self._collisions:
                self._collisions[pair] = Sighting(
                    EventKind.COLLISION, contact.time, None, contact.x, contact.y, 0.0, pair
                )
            sighting = self._collisions[pair]
            if sighting.ended is None and now - contact.time > 0.5:
                involved = [by_id[item] for item in pair if item in by_id]
                if all(not item.present or np.hypot(*item.velocity[:2]) < 0.1 for item in involved):
                    sighting.ended = now

    def _sightings(self, script: Script) -> list[Sighting]:
        """Return everything that has been seen, without what another sighting covers."""
        struck = {item for pair in self._collisions for item in pair}
        announced = {
            actor for item in self._expected.values() if item.kind == EventKind.COLLAPSE for actor in item.actors
        }
        wanted = {actor for item in self._expected.values() if item.kind == EventKind.FALL for actor in item.actors}
        found = []
        for item in self._detectors.sightings:
            actor = item.actors[0] if item.actors else 0
            if item.kind == EventKind.FALL and (actor in announced or (actor in struck and actor not in wanted)):
                continue
            if item.kind == EventKind.COLLAPSE and actor not in announced:
                continue
            found.append(item)
        found += self._collisions.values()
        found += [
            Sighting(EventKind.NEAR_COLLISION, conflict.begun, conflict.last, conflict.x, conflict.y, 0.0, pair)
            for pair, conflict in self._conflicts.found
        ]
        found += script.facts()
        for crowd in self._crowds.values():
            found += crowd.history
        return [*found, *self._lost.values()]

    def _events(self, script: Script) -> tuple[Event, ...]:
        events = []
        for sighting in self._sightings(script):
            key = (sighting.kind, sighting.begun, sighting.actors)
            if key not in self._ids:
                self._ids[key] = self._identify(sighting)
            events.append(self._event(sighting, self._ids[key]))
        return tuple(sorted(events, key=lambda event: event.event_id))

    def _identify(self, sighting: Sighting) -> int:
        """Return the id of the expected event that this is, or a new one."""
        taken = set(self._ids.values())
        for event_id, item in self._expected.items():
            if event_id in taken or item.kind != sighting.kind or abs(sighting.begun - item.time) > item.within + 1e-6:
                continue
            far = (
                item.place is not None
                and np.hypot(sighting.x - item.place[0], sighting.y - item.place[1]) > item.radius
            )
            if not far and item.actors <= set(sighting.actors):
                return event_id
        self._next += 1
        return self._next - 1

    def _event(self, sighting: Sighting, event_id: int) -> Event:
        expected = self._expected.get(event_id)
        if expected is not None:
            severity, casualties, leads_to = expected.severity, expected.casualties, expected.leads_to
        else:
            severity, casualties = SEVERITY.get(sighting.kind, 1), 0.0
            after = (item.event_id for item in self._expected.values() if item.kind in ANNOUNCES.get(sighting.kind, ()))
            leads_to = next(after, 0)
        return Event(
            event_id, sighting.kind, self._stamp(sighting.begun), self._stamp(sighting.ended), float(sighting.x),
            float(sighting.y), float(sighting.z), sighting.actors[:8], severity, casualties, leads_to,
        )  # fmt: skip

    def _stamp(self, time: float | None) -> int:
        return 0 if time is None else self._start_ns + round(time * 1e9)


def _watch(crowd: Crowd, now: float, actors: np.ndarray) -> None:
    """Open and close crowding and crush of an area."""
    density, x, y = crowd.density.peak(actors)
    for kind, limit in ((EventKind.CROWDING, CROWDED), (EventKind.CROWD_CRUSH, CRUSHED)):
        known = crowd.sightings.get(kind)
        if density >= limit:
            since = crowd.since.setdefault(kind, now)
            if known is None and now - since >= LASTING - 1e-9:
                crowd.sightings[kind] = Sighting(kind, since, None, x, y, 0.0, ())
                crowd.history.append(crowd.sightings[kind])
        elif density < 0.85 * limit:
            crowd.since.pop(kind, None)
            if known is not None:
                known.ended = now
                del crowd.sightings[kind]
