"""People in all crowd areas of a district, plazas and alleys, and those who pour into them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from twin_common.config import ConfigError
from twin_sim.core.crowd_area import BODY, CrowdArea
from twin_sim.core.crowd_model import CrowdConfig
from twin_sim.world import CrowdAreaConfig


@dataclass(frozen=True, slots=True)
class Inflow:
    """People who pour into an area: ``rate`` persons per s through ``gate`` (index), on to ``goal``.

    ``goal`` is a point they press towards and stay at, the index of a gate by which they leave, or None: they stroll.
    """

    rate: float
    gate: int
    goal: tuple[float, float] | int | None


class Crowd:
    """All crowd areas of a district."""

    def __init__(self, areas: Sequence[CrowdAreaConfig], config: CrowdConfig, rng: np.random.Generator) -> None:
        """Make the areas.

        Raises:
            ConfigError: an area's outline or obstacles are not usable.

        """
        self._rng = rng
        self.areas = [CrowdArea(area, config, rng) for area in areas]
        self._gate_names = [[gate.name for gate in area.gates] for area in areas]
        self.inflows: dict[int, list[Inflow]] = {}

    def index(self, area: str) -> int:
        """Return the index of an area.

        Raises:
            ConfigError: no such area; lists those there are.

        """
        names = [item.name for item in self.areas]
        if area not in names:
            raise ConfigError(f"{area}: no such crowd area; expected one of {', '.join(names) or '(there is none)'}")
        return names.index(area)

    def gate_index(self, area: str, gate: str) -> int:
        """Return the index of a gate in an area.

        Raises:
            ConfigError: no such area or gate; lists those there are.

        """
        names = self._gate_names[self.index(area)]
        if gate not in names:
            raise ConfigError(
                f"{gate}: no such gate of {area}; expected one of {', '.join(names) or '(there is none)'}"
            )
        return names.index(gate)

    def set_inflow(
        self, area: str, rate: float, goal: tuple[float, float] | str | None = None, gates: Sequence[str] = ()
    ) -> None:
        """Let ``rate`` persons per second pour into an area, shared among ``gates`` (none named: all); 0 ends it.

        ``goal``: a point (map frame) that they press towards and where they stay, a gate by which they leave, or
        None: they stroll and stay as everybody does.

        Raises:
            ConfigError: no such area or gate, or a negative rate.

        """
        index = self.index(area)
        if rate < 0:
            raise ConfigError(f"inflow of {area}: {rate} persons per s; expected at least 0")
        chosen = [self.gate_index(area, name) for name in gates] or list(range(len(self._gate_names[index])))
        aim = self.gate_index(area, goal) if isinstance(goal, str) else goal
        self.inflows[index] = [Inflow(rate / len(chosen), gate, aim) for gate in chosen] if rate > 0 and chosen else []

    def redirect(self, area: str, goal: tuple[float, float] | str) -> None:
        """Send everybody in an area to a point to press towards, or to a gate to leave by.

        Raises:
            ConfigError: no such area or gate.

        """
        index = self.index(area)
        aim = self.gate_index(area, goal) if isinstance(goal, str) else goal
        people = self.areas[index].people
        for actor_id in people["actor_id"][people["mode"] != BODY].tolist():
            self.areas[index].redirect(actor_id, aim)

    def step(self, now: float, duration: float) -> list[tuple[int, int, int]]:
        """Advance all areas; return those who went out, as (actor_id, area, gate)."""
        return [(who, i, gate) for i, area in enumerate(self.areas) for who, gate in area.step(now, duration)]
