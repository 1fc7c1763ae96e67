"""The script of a scenario: its actors and falling things, step by step."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np

from twin_common.core.object_class import ObjectClass
from twin_sim.core.acts import ScriptConfig
from twin_sim.core.contacts import SHOCK, SHOCK_BRAKING, Contact, Contacts, Meetings, advance_slide, meetings, stranger
from twin_sim.core.falls import look_for_fall
from twin_sim.core.frame import Light, no_actors
from twin_sim.core.hazards import FacadeFall, Hazard, load_drop, panel_row, sign_fall
from twin_sim.core.heeding import heed
from twin_sim.core.impacts import Box, touch
from twin_sim.core.performer import Performer, adopted, look_of
from twin_sim.core.sightings import Sighting
from twin_sim.core.stage import Stage, condition_holds
from twin_sim.core.steps import advance_step, begin_step, drive_way, way_of
from twin_sim.core.ways import clamp
from twin_sim.world import WorldConfig

#: Scripted actors have ids from here on, in the order of the scenario.
SCRIPTED_ID = 1_000_001
SUBSTEPS = 5
#: Who is taken into the script may touch scripted actors within this, metres.
REACH = 14.0
#: Room before and behind a scripted vehicle when it begins, metres.
ROOM = 8.0
KERB_CLIMB = 1.5  # m/s, up and down kerbs


class Script:
    """Plays a scenario's script."""

    def __init__(
        self, config: ScriptConfig, world: WorldConfig, stage: Stage, seed: int, *, night: bool = False
    ) -> None:
        """Put everything at its beginning.

        Raises:
            ConfigError: a point, edge, panel or crane that the district does not have.

        """
        self._config, self._stage, self._night = config, stage, night
        #: Takes an actor out of the population, for the script to move; False if it is not there.
        self.take_over: Callable[[int], bool] = lambda actor_id: False
        #: Actors, (1,) ACTOR each, that have joined the population since this was last emptied.
        self.joined: list[np.ndarray] = []
        #: Actors of the population that stood in the way at the start.
        self.cleared: set[int] = set()
        self._contacts = Contacts()
        self._meetings = Meetings([], [])
        self.now = 0.0
        for i, actor in enumerate(config.actors):
            rng = np.random.default_rng([seed, 1, i])
            drawn = int(rng.integers(2**31))
            falls = next((step.fall for step in actor.do if step.fall is not None), None)
            drawn = look_for_fall(drawn, falls) if falls is not None else drawn
            seed_of_look = actor.appearance if actor.appearance is not None else drawn
            x, y = stage.point(actor.start) if actor.start is not None else (0.0, 0.0)
            stage.performers[actor.name] = Performer(actor, SCRIPTED_ID + i, look_of(actor, seed_of_look), x, y)
        stage.trails.update({step.chase: [] for actor in config.actors for step in actor.do if step.chase})
        self.performers = list(stage.performers.values())
        self._entries = [self._entry(performer) for performer in self.performers]
        self.hazards, self._still = self._things(config, world, seed)

    def _things(self, config: ScriptConfig, world: WorldConfig, seed: int) -> tuple[list[Hazard], np.ndarray]:
        """Return what comes down, and the rows of the panels and signs that hold."""
        panels = {panel.name: (i, panel) for i, panel in enumerate(world.panels)}
        cranes = {crane.name: crane for crane in world.cranes}
        ground = self._stage.zones.ground
        hazards: list[Hazard] = []
        for facade in config.facades:
            i, panel = panels[facade.panel]
            hazards.append(FacadeFall(facade, panel, i, ground, np.random.default_rng([seed, 2, i])))
        for sign in config.signs:
            i, panel = panels[sign.panel]
            hazards.append(sign_fall(sign, panel, i, ground))
        for i, load in enumerate(config.loads):
            hazards.append(load_drop(load, cranes[load.crane], i, ground))
        falling = {facade.panel for facade in config.facades} | {sign.panel for sign in config.signs}
        rows = [panel_row(panel, i) for name, (i, panel) in panels.items() if name not in falling]
        return hazards, np.concatenate(rows) if rows else no_actors()

    def _entry(self, performer: Performer) -> tuple[float, float]:
        """Return when an actor appears and how far along its first way; puts it there, seen from its first way."""
        config, stage = performer.config, self._stage
        first = config.do[0] if config.do else None
        appears, begin = config.appears, 0.0
        if first is not None and (first.go is not None or first.drive is not None):
            if config.start is None:
                whole = drive_way(first, stage)
                performer.x, performer.y = whole.position(0.0)
            way = way_of(first, performer, stage)
            if first.arrive is not None and first.speed is not None:
                lead = way.length / first.speed
                begin = max(way.length - first.speed * (first.arrive - appears), 0.0)
                appears = max(first.arrive - lead, appears)
            performer.yaw = way.heading(begin, 0.5)
        if config.yaw_deg is not None:
            performer.yaw = float(np.radians(config.yaw_deg))
        return appears, begin

    @property
    def contacts(self) -> Sequence[Contact]:
        """All contacts so far."""
        return self._contacts.found

    def facts(self) -> list[Sighting]:
        """Return what falling things have done so far, in a fixed order."""
        return [fact for hazard in self.hazards for fact in hazard.facts()]

    def step(self, now: float, others: np.ndarray, signals: np.ndarray) -> np.ndarray:
        """Play on up to ``now`` seconds; returns everything scripted, (N,) ACTOR, sorted by actor_id.

        ``others`` (M,) ACTOR and ``signals`` (S,) SIGNAL are those of the last frame.
        """
        stage = self._stage
        stage.others, stage.signals = others, signals
        start, span = self.now, now - self.now
        before = {item.actor_id: item.velocity.copy() for item in self.performers}
        if span <= 0:
            self._enter(now)
            self._clear(others)
        for performer in self.performers:
            if performer.present:
                heed(performer, stage, span)
                self._climb(performer, span)
        present = [item for item in self.performers if item.present]
        self._meetings = meetings(present, others, max(span, 0.0))
        for i in range(SUBSTEPS if span > 0 else 0):
            self.now = start + span * (i + 1) / SUBSTEPS
            self._substep(others, self.now - start, span / SUBSTEPS)
        self.now = now
        self._note_signals()
        return self._rows(now, before, span)

    def _climb(self, performer: Performer, span: float) -> None:
        """Note the height of the ground, and go up or down a kerb."""
        performer.ground = self._stage.zones.ground(performer.x, performer.y)
        if not performer.down:
            performer.z += clamp(performer.ground - performer.z, KERB_CLIMB * span)

    def _substep(self, others: np.ndarray, lead: float, interval: float) -> None:
        now, stage = self.now, self._stage
        self._enter(now)
        present = [item for item in self.performers if item.present]
        for performer in present:
            if performer.rigid is not None:
                advance_slide(performer, now, interval)
                continue
            self._next(performer, now)
            advance_step(performer, stage, now, interval)
            self._finish(performer)
        for other in self._contacts.swept(self._meetings, lead):
            self._adopt(other.row, lead, now)
        self._contacts.step(self._meetings, lead, now)
        self._drop_things(others, lead, now, interval)
        stage.record_trails()

    def _drop_things(self, others: np.ndarray, lead: float, now: float, interval: float) -> None:
        """Let things fall, and strike whom they fall on."""
        for hazard in self.hazards:
            hazard.step(now, interval)
            flying = hazard.falling(now)
            if not len(flying):
                continue
            people = others[others["classification"] == ObjectClass.PEDESTRIAN]
            for row in self._contacts.under(flying, people):
                self._adopt(row, lead, now)
            self._contacts.pieces([item for item in self.performers if item.present], flying, now)

    def _adopt(self, row: np.ndarray, lead: float, now: float) -> None:
        """Take an actor of the population, a row of ACTOR, into the script: something happens to it."""
        number = int(row["actor_id"])
        if any(item.actor_id == number for item in self.performers) or not self.take_over(number):
            return
        performer = adopted(row, lead, now)
        near = [
            item
            for item in self.performers
            if item.present and math.hypot(item.x - performer.x, item.y - performer.y) < REACH
        ]
        self._meetings.scripted.extend((item, performer) for item in near)
        self._stage.performers[performer.config.name] = performer
        self.performers.append(performer)
        self._entries.append((now, 0.0))

    def _clear(self, others: np.ndarray) -> None:
        """Take vehicles of the population off the spots where scripted ones begin."""
        for performer in self.performers:
            if not performer.present or performer.person:
                continue
            box = performer.box()
            roomy = Box(box.x, box.y, box.yaw, box.length + 2 * ROOM, box.width)
            for row in others:
                if row["classification"] != ObjectClass.PEDESTRIAN and touch(roomy, stranger(row).box()) is not None:
                    self.cleared.add(int(row["actor_id"]))
        for number in sorted(self.cleared):
            self.take_over(number)

    def _enter(self, now: float) -> None:
        """Let actors appear whose time has come."""
        for performer, (appears, begin) in zip(self.performers, self._entries, strict=True):
            if performer.present or performer.gone or now < appears - 1e-9:
                continue
            performer.present, performer.begun = True, now
            performer.z = performer.ground = self._stage.zones.ground(performer.x, performer.y)
            performer.light(Light.HEAD, self._night and not performer.person)
            first = performer.config.do[0] if performer.config.do else None
            performer.carry_on(now)
            if first is not None and first.at is None and first.when is None:
                begin_step(performer, self._stage, now)
                if first.arrive is not None and first.speed is not None and performer.way is not None:
                    performer.along, performer.speed = begin, first.speed
                    performer.x, performer.y = performer.way.position(begin)
                    performer.velocity = first.speed * np.array([np.cos(performer.yaw), np.sin(performer.yaw), 0.0])
                    performer.z = performer.ground = self._stage.zones.ground(performer.x, performer.y)
                    performer.carry_on(now)
                elif (
                    first.moves and not performer.person and first.drive is not None and performer.config.start is None
                ):
                    performer.speed = first.speed or 0.0  # it comes from outside, at speed
                    performer.carry_on(now)

    def _next(self, performer: Performer, now: float) -> None:
        """Go on to the next step where its time has come."""
        following = performer.config.do[performer.step + 1 : performer.step + 2]
        if not following or (performer.fall is not None and performer.fall.thrown):
            self._brake_in_shock(performer, now)
            return
        step = following[0]
        if step.at is not None:
            due = now >= step.at - 1e-9
        elif step.when is not None:
            if performer.due is None and condition_holds(self._stage, performer):
                performer.due = now + step.delay
            due = performer.due is not None and now >= performer.due - 1e-9
        else:
            due = performer.step_done and not performer.down
        if due:
            begin_step(performer, self._stage, now)
        else:
            self._brake_in_shock(performer, now)

    def _brake_in_shock(self, performer: Performer, now: float) -> None:
        """Let a driver who has hit somebody brake, unless the scenario says what follows the blow."""
        if performer.touched is None or performer.person or performer.rigid is not None or performer.way is None:
            return
        upcoming = performer.config.do[performer.step + 1 :]
        if any(step.when is not None and step.when.touched for step in upcoming):
            return
        current = performer.config.do[performer.step]
        if now > performer.touched + SHOCK and current.brake is None:
            performer.speed = max(performer.speed - SHOCK_BRAKING * 0.02, 0.0)

    def _finish(self, performer: Performer) -> None:
        """Let an actor go whose last way has ended, or who leaves or joins the population."""
        last = performer.step == len(performer.config.do) - 1 and performer.step >= 0
        arrived = last and performer.step_done and performer.config.do[performer.step].moves
        if performer.gone or (arrived and performer.fall is None):
            performer.gone, performer.present = True, False
            if performer.joining:
                row = no_actors(1)
                performer.row(row[0], self.now)
                self.joined.append(row)

    def _note_signals(self) -> None:
        stage = self._stage
        for performer in self.performers:
            for step in performer.config.do:
                if step.when is not None and step.when.red_at is not None:
                    stage.red_before[step.when.red_at] = stage.red(step.when.red_at)

    def _rows(self, now: float, before: dict[int, np.ndarray], span: float) -> np.ndarray:
        if not self.performers and not self.hazards:
            return self._still
        present = [item for item in self.performers if item.present]
        rows = no_actors(len(present))
        for row, performer in zip(rows, present, strict=True):
            if span > 0:
                along = np.array([np.cos(performer.yaw), np.sin(performer.yaw), 0.0])
                change = (performer.velocity - before.get(performer.actor_id, performer.velocity)) @ along / span
                performer.acceleration = float(np.clip(change, -80.0, 80.0))
            performer.row(row, now)
        things = [hazard.rows(now) for hazard in self.hazards]
        return merged([rows, self._still, *things])


def merged(parts: Sequence[np.ndarray]) -> np.ndarray:
    """Return actors of several arrays, each (N,) ACTOR, as one sorted by actor_id."""
    whole = no_actors(sum(map(len, parts)))
    start = 0
    for part in parts:
        whole[start : start + len(part)] = part
        start += len(part)
    ids = whole["actor_id"]
    return whole if (ids[1:] > ids[:-1]).all() else whole[np.argsort(ids, kind="stable")]
