"""What scripted actors do wrong or suffer, found in how they move: spells of conditions that last."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator
from dataclasses import dataclass, field

import numpy as np

from twin_common.core.object_class import ObjectClass
from twin_sim.core.frame import SIGNAL, Activity, EventKind, SignalState
from twin_sim.core.lane_ways import LaneIndex
from twin_sim.core.network_zones import Network
from twin_sim.core.performer import RUN, Performer
from twin_sim.core.sightings import Sighting
from twin_sim.core.signals import USERS_VEHICLES, SignalHead
from twin_sim.core.stage import Stage
from twin_sim.core.zone_index import ZoneIndex

#: A vehicle waits for a signal within this of its stop line, metres.
QUEUE = 40.0
#: Fighters are within this of each other, runners of a chase too, metres.
BRAWL, PURSUIT = 2.5, 30.0
#: Time for which a vehicle that has run a red light is on the junction, seconds.
ON_JUNCTION = 3.0


@dataclass(frozen=True, slots=True)
class Rule:
    """A condition of one actor that is an event once it has held for ``least`` and until it fails for ``grace``, s."""

    kind: EventKind
    least: float
    grace: float


RULES = {
    "wrong_way": Rule(EventKind.WRONG_WAY, 1.0, 5.0),
    "on_sidewalk": Rule(EventKind.SCOOTER_ON_SIDEWALK, 0.5, 2.0),
    "jaywalking": Rule(EventKind.JAYWALKING, 0.3, 1.0),
    "stopped": Rule(EventKind.STOPPED_IN_LANE, 5.0, 1.0),
    "fall": Rule(EventKind.FALL, 0.5, 0.5),
    "collapse": Rule(EventKind.COLLAPSE, 6.0, 0.5),
    "fight": Rule(EventKind.FIGHT, 0.5, 2.0),
    "chase": Rule(EventKind.CHASE, 2.0, 2.0),
}


@dataclass(slots=True)
class Spell:
    """A condition that holds, or has held a moment ago."""

    begun: float
    last: float
    x: float
    y: float
    z: float
    actors: tuple[int, ...]
    sighting: Sighting | None = None


@dataclass(slots=True)
class Spells:
    """Turns conditions into sightings, by the rules."""

    open: dict[tuple[str, Hashable], Spell] = field(default_factory=dict)
    sightings: list[Sighting] = field(default_factory=list)

    def hold(
        self, rule: str, key: Hashable, now: float, place: tuple[float, float, float], actors: tuple[int, ...]
    ) -> None:
        """Note that a condition holds now."""
        spell = self.open.setdefault((rule, key), Spell(now, now, *place, actors))
        spell.last = now
        if spell.sighting is None and now - spell.begun >= RULES[rule].least - 1e-6:
            spell.sighting = Sighting(RULES[rule].kind, spell.begun, None, spell.x, spell.y, spell.z, spell.actors)
            self.sightings.append(spell.sighting)

    def close(self, now: float) -> None:
        """End the spells that have not held for their grace."""
        for key, spell in list(self.open.items()):
            if now - spell.last > RULES[key[0]].grace:
                if spell.sighting is not None:
                    spell.sighting.ended = spell.last
                del self.open[key]


class StopLines:
    """Stop lines of the streets that have signals, and whether they are red."""

    def __init__(self, network: Network, heads: tuple[SignalHead, ...]) -> None:
        """Find the ends of the lanes that signals are for."""
        first = {head.edge: head.signal_id for head in reversed(heads) if head.users == USERS_VEHICLES}
        lanes = [(lane, first[edge.name]) for edge in network.edges if edge.name in first for lane in edge.driving]
        ends = np.array([lane.shape[-1] for lane, _ in lanes]).reshape(-1, 2)
        before = np.array([lane.shape[-2] for lane, _ in lanes]).reshape(-1, 2)
        self._ends, along = ends, ends - before
        self._along = along / np.maximum(np.hypot(along[:, 0], along[:, 1]), 1e-9)[:, None]
        self._signal = np.array([signal for _, signal in lanes], int)

    def offsets(self, x: float, y: float) -> tuple[np.ndarray, np.ndarray]:
        """Return how far beyond each line a point is, and how far beside its lane's middle, metres, (L,) each."""
        away = np.array([x, y]) - self._ends
        return (away * self._along).sum(1), np.abs(away[:, 0] * self._along[:, 1] - away[:, 1] * self._along[:, 0])

    def red(self, signals: np.ndarray) -> np.ndarray:
        """Return which lines are red, (L,) bool; ``signals``: (S,) SIGNAL."""
        return np.isin(self._signal, signals["signal_id"][signals["state"] == SignalState.RED])


class Detectors:
    """Watches the scripted actors."""

    def __init__(self, zones: ZoneIndex, lanes: LaneIndex, lines: StopLines) -> None:
        """Take what the ground is, and where lanes and stop lines are."""
        self._zones, self._lanes, self._lines = zones, lanes, lines
        self._spells = Spells()
        self._fronts: dict[int, np.ndarray] = {}
        self._runs: list[Sighting] = []
        self._red = lines.red(np.zeros(0, SIGNAL))

    @property
    def sightings(self) -> Iterator[Sighting]:
        """All sightings so far, those of each sort in the order in which they were confirmed."""
        yield from self._spells.sightings
        yield from self._runs

    def step(self, now: float, stage: Stage, signals: np.ndarray, watched: np.ndarray) -> None:
        """Look at every scripted actor, and for red lights at the vehicles of the scenario in ``watched``, ACTOR."""
        present = [item for item in stage.performers.values() if item.present]
        self._red = self._lines.red(signals)
        for performer in present:
            kinds = self._zones.kinds(performer.x, performer.y)
            for rule, condition in CONDITIONS.items():
                if condition(performer, kinds, self):
                    place = (performer.x, performer.y, performer.z)
                    self._spells.hold(rule, performer.actor_id, now, place, (performer.actor_id,))
            if performer.motor or (performer.speed > 0.5 and not performer.person):
                self._stop_lines(
                    performer.actor_id, (performer.x, performer.y, performer.z), performer.yaw, performer.size[0], now
                )
        for row in watched:
            place = (float(row["x"]), float(row["y"]), float(row["z"]))
            self._stop_lines(int(row["actor_id"]), place, float(row["yaw"]), float(row["length"]), now)
        self._fights(present, now)
        self._chases(present, stage, now)
        self._spells.close(now)

    def against(self, performer: Performer) -> bool:
        """Return whether a vehicle drives against its lane."""
        return self._lanes.against(performer.x, performer.y, performer.yaw, 2.0)

    def waits(self, performer: Performer) -> bool:
        """Return whether a vehicle stands before a red light."""
        beyond, beside = self._lines.offsets(performer.x, performer.y)
        return bool(((beyond < 1.0) & (beyond > -QUEUE) & (beside < 1.7) & self._red).any())

    def _stop_lines(
        self, actor_id: int, place: tuple[float, float, float], yaw: float, length: float, now: float
    ) -> None:
        front = place[0] + length / 2 * np.cos(yaw), place[1] + length / 2 * np.sin(yaw)
        beyond, beside = self._lines.offsets(*front)
        before = self._fronts.get(actor_id)
        self._fronts[actor_id] = beyond
        if before is None:
            return
        crossed = (before < 0) & (beyond >= 0) & (beyond < 6.0) & (beside < 1.8) & self._red
        if crossed.any():
            self._runs.append(Sighting(EventKind.RED_LIGHT, now, now + ON_JUNCTION, *place, (actor_id,)))

    def _fights(self, present: list[Performer], now: float) -> None:
        fighters = [item for item in present if item.activity == Activity.FIGHTING]
        if len(fighters) < 2:
            return
        x, y = float(np.mean([item.x for item in fighters])), float(np.mean([item.y for item in fighters]))
        near = [item for item in fighters if np.hypot(item.x - x, item.y - y) < BRAWL]
        if len(near) >= 2:
            ids = tuple(sorted(item.actor_id for item in near))
            self._spells.hold("fight", "fight", now, (x, y, near[0].z), ids)

    def _chases(self, present: list[Performer], stage: Stage, now: float) -> None:
        for performer in present:
            step = performer.config.do[performer.step] if performer.step >= 0 else None
            if step is None or step.chase is None:
                continue
            target = stage.performers[step.chase]
            apart = np.hypot(target.x - performer.x, target.y - performer.y)
            if target.present and performer.speed > RUN and target.speed > RUN and apart < PURSUIT:
                place = (target.x, target.y, target.z)
                self._spells.hold("chase", target.actor_id, now, place, (target.actor_id, performer.actor_id))


def _wrong_way(performer: Performer, kinds: frozenset[str], detectors: Detectors) -> bool:
    moving = not performer.person and performer.speed > 1.0 and performer.rigid is None
    return moving and "carriageway" in kinds and detectors.against(performer)


def _on_sidewalk(performer: Performer, kinds: frozenset[str], detectors: Detectors) -> bool:
    rides = performer.classification == ObjectClass.SCOOTER and performer.speed > 1.0
    return rides and bool(kinds & {"sidewalk", "plaza"}) and not kinds & {"carriageway", "crosswalk"}


def _jaywalking(performer: Performer, kinds: frozenset[str], detectors: Detectors) -> bool:
    return performer.person and not performer.down and "carriageway" in kinds and "crosswalk" not in kinds


def _stopped(performer: Performer, kinds: frozenset[str], detectors: Detectors) -> bool:
    stands = performer.motor and performer.speed < 0.1 and performer.rigid is None and performer.step >= 0
    return stands and "carriageway" in kinds and performer.touched is None and not detectors.waits(performer)


def _fall(performer: Performer, kinds: frozenset[str], detectors: Detectors) -> bool:
    return performer.down


def _collapse(performer: Performer, kinds: frozenset[str], detectors: Detectors) -> bool:
    return performer.down


CONDITIONS: dict[str, Callable[[Performer, frozenset[str], Detectors], bool]] = {
    "wrong_way": _wrong_way, "on_sidewalk": _on_sidewalk, "jaywalking": _jaywalking, "stopped": _stopped,
    "fall": _fall, "collapse": _collapse,
}  # fmt: skip
