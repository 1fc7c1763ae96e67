"""What scripted actors know of the world and of each other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from twin_common.config import ConfigError
from twin_sim.core.frame import SIGNAL, Activity, SignalState, no_actors
from twin_sim.core.lane_ways import LaneIndex
from twin_sim.core.performer import Performer
from twin_sim.core.signals import USERS_VEHICLES, SignalHead
from twin_sim.core.zone_index import ZoneIndex


@dataclass(slots=True)
class Stage:
    """The district as a script sees it.

    Args:
        zones: what the ground is.
        lanes: lanes of the network; none in a district without vehicles.
        places: named points, metres, map frame.
        heads: signal heads.
        performers: scripted actors by name.
        others: actors of the population, as of the last frame, (N,) ACTOR.
        signals: what the heads show, (S,) SIGNAL.
        trails: where followed actors have been, by name.

    """

    zones: ZoneIndex
    lanes: LaneIndex
    places: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    heads: Sequence[SignalHead] = ()
    performers: dict[str, Performer] = field(default_factory=dict)
    others: np.ndarray = field(default_factory=no_actors)
    signals: np.ndarray = field(default_factory=lambda: np.zeros(0, SIGNAL))
    trails: dict[str, list[tuple[float, float]]] = field(default_factory=dict)
    red_before: dict[str, bool] = field(default_factory=dict)

    def point(self, value: Any) -> tuple[float, float]:
        """Return a point of a scenario in the map frame.

        Raises:
            ConfigError: it is neither [x, y], nor a place, nor [place, dx, dy].

        """
        return resolve_point(value, self.places)

    def red(self, edge: str) -> bool:
        """Return whether the signal at the end of an edge is red for vehicles."""
        return self._shown(edge) == SignalState.RED

    def stops(self, edge: str) -> bool:
        """Return whether the signal at the end of an edge is red or yellow for vehicles."""
        return self._shown(edge) in (SignalState.RED, SignalState.YELLOW)

    def _shown(self, edge: str) -> SignalState:
        for head in self.heads:
            if head.edge == edge and head.users == USERS_VEHICLES:
                shown = self.signals["state"][self.signals["signal_id"] == head.signal_id]
                return SignalState(int(shown[0])) if len(shown) else SignalState.OFF
        return SignalState.OFF

    def record_trails(self) -> None:
        """Note where the followed actors are."""
        for name, trail in self.trails.items():
            performer = self.performers[name]
            if performer.present and (
                not trail or np.hypot(trail[-1][0] - performer.x, trail[-1][1] - performer.y) > 0.4
            ):
                trail.append((performer.x, performer.y))


def resolve_point(value: Any, places: Mapping[str, tuple[float, float]]) -> tuple[float, float]:
    """Return ``[x, y]``, the place of a name, or ``[place, dx, dy]`` as a point, metres.

    Raises:
        ConfigError: it is none of these.

    """
    if isinstance(value, str):
        value = (value, 0.0, 0.0)
    number = (int, float)
    if isinstance(value, (list, tuple)):
        if len(value) == 2 and all(isinstance(item, number) and not isinstance(item, bool) for item in value):
            return float(value[0]), float(value[1])
        if len(value) == 3 and isinstance(value[0], str) and all(isinstance(item, number) for item in value[1:]):
            if value[0] not in places:
                raise ConfigError(f"{value[0]}: no such place; expected {_one_of(value[0], places)}")
            x, y = places[value[0]]
            return x + float(value[1]), y + float(value[2])
    raise ConfigError(f"{value!r}: expected [x, y], the name of a place, or [place, dx, dy]")


def _one_of(name: str, known: Mapping[str, Any]) -> str:
    import difflib

    close = difflib.get_close_matches(name, known, n=1)
    return f"one of the district's, such as {close[0]}" if close else f"one of {', '.join(known) or 'none'}"


def condition_holds(stage: Stage, performer: Performer) -> bool:
    """Return whether what the next step of an actor waits for is true now."""
    when = performer.config.do[performer.step + 1].when
    if when is None:
        return False
    other = stage.performers[when.actor] if when.actor else performer
    if when.red_at is not None:
        red = stage.red(when.red_at)
        before = stage.red_before.get(when.red_at, red)
        return red and not before
    if not other.present:
        return False
    if when.within is not None:
        return bool(np.hypot(other.x - performer.x, other.y - performer.y) < when.within)
    if when.enters is not None:
        return when.enters in stage.zones.kinds(other.x, other.y)
    if when.does is not None:
        return other.activity == Activity[when.does.upper()]
    return other.touched is not None
