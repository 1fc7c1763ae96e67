"""Signal heads of a SUMO network: where they hang, whom they are for, and what they show.

Format: SUMO, "Simulation/Traffic Lights" (states of links, r y u o O g G s).
"""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from twin_sim.core.frame import SIGNAL, SignalState
from twin_sim.core.network_zones import KERB, Edge, Network, read_network

USERS_VEHICLES, USERS_PEDESTRIANS = 1, 2
VEHICLE_HEIGHT, PEDESTRIAN_HEIGHT = 4.5, 2.4  # m above the sidewalk
BEHIND_KERB, BESIDE_CROSSING, LEFT_OFFSET = 0.7, 0.6, 0.45  # m
_SHOWN = {"G": SignalState.GREEN, "g": SignalState.GREEN, "s": SignalState.GREEN, "y": SignalState.YELLOW,
          "Y": SignalState.YELLOW, "u": SignalState.RED, "r": SignalState.RED}  # fmt: skip
_RANK = (SignalState.GREEN, SignalState.YELLOW, SignalState.RED, SignalState.OFF)


@dataclass(frozen=True, slots=True)
class SignalHead:
    """A head: middle of its lamps (map frame, metres), ``yaw`` towards those it is for, and the links it tells of.

    ``edge`` is the street at whose end it stands, or the crossing it is for.
    """

    signal_id: int
    x: float
    y: float
    z: float
    yaw: float
    users: int
    controller: str
    links: tuple[int, ...]
    edge: str

    def state(self, links: str) -> SignalState:
        """Return what it shows when its controller's links have these states."""
        shown = {_SHOWN.get(links[i], SignalState.OFF) for i in self.links}
        return next(state for state in _RANK if state in shown)


def signal_heads(path: Path) -> tuple[SignalHead, ...]:
    """Return the heads of a network, in the order of their ids.

    A street's end has a head for those who go on or turn right, and one for those who turn left where these have
    phases of their own; a crossing has one at either end.

    Raises:
        ConfigError: the file is missing or is not a SUMO network.

    """
    network = read_network(path)
    root = ElementTree.parse(path).getroot()
    phases = {logic.get("id", ""): [phase.get("state", "") for phase in logic.iter("phase")]
              for logic in root.iter("tlLogic")}  # fmt: skip
    links: dict[tuple[str, str], list[tuple[int, str]]] = {}
    for item in root.iter("connection"):
        controller = item.get("tl")
        if controller not in phases:
            continue
        source, target = item.get("from", ""), item.get("to", "")
        edge = target if target in network.crossings else source
        link = (int(item.get("linkIndex", "0")), "walk" if edge == target else item.get("dir", "s"))
        links.setdefault((controller, edge), []).append(link)
    heads: list[SignalHead] = []
    for (controller, edge), members in sorted(links.items()):
        if edge in network.crossings:
            heads += _crossing_heads(network, controller, edge, members, len(heads))
        else:
            heads += _street_heads(network.edge(edge), controller, members, phases[controller], len(heads))
    return tuple(heads)


def _street_heads(
    edge: Edge, controller: str, members: list[tuple[int, str]], phases: list[str], count: int
) -> Iterable[SignalHead]:
    if not edge.driving:
        return
    lane = edge.driving[0]
    end, before = lane.shape[-1], lane.shape[-2]
    along = (end - before) / np.hypot(*(end - before))
    right = np.array([along[1], -along[0]])
    outside = [item for item in edge.lanes if item.users not in ("foot", "verge")]
    aside = float((outside[0].shape[-1] - end) @ right) + outside[0].width / 2 + BEHIND_KERB
    spot, yaw = end + right * aside, float(np.arctan2(-along[1], -along[0]))
    ahead = tuple(sorted({i for i, way in members if way not in "lLt"}))
    left = tuple(sorted({i for i, way in members if way in "lL"}))
    straight = tuple(sorted({i for i, way in members if way == "s"})) or ahead or left
    own_phase = bool(left) and bool(ahead) and any(
        {state[i].lower() for i in left} != {state[i].lower() for i in straight} for state in phases
    )  # fmt: skip
    z = KERB + VEHICLE_HEIGHT
    groups = [(spot, straight)] + ([(spot - right * LEFT_OFFSET, left)] if own_phase else [])
    for number, (place, links) in enumerate(groups, start=count + 1):
        x, y = float(place[0]), float(place[1])
        yield SignalHead(number, x, y, z, yaw, USERS_VEHICLES, controller, links, edge.name)


def _crossing_heads(
    network: Network, controller: str, edge: str, members: list[tuple[int, str]], count: int
) -> Iterable[SignalHead]:
    lane = network.crossings[edge]
    links = tuple(sorted({i for i, _ in members}))
    for number, (here, there) in enumerate([(0, -1), (-1, 0)]):
        across = lane.shape[there] - lane.shape[here]
        across = across / np.hypot(*across)
        right = np.array([across[1], -across[0]])
        spot = lane.shape[here] + right * (lane.width / 2 + BESIDE_CROSSING) - across * 0.4
        yaw = float(np.arctan2(across[1], across[0]))
        z = KERB + PEDESTRIAN_HEIGHT
        yield SignalHead(
            count + 1 + number, float(spot[0]), float(spot[1]), z, yaw, USERS_PEDESTRIANS, controller, links, edge
        )


def signal_array(heads: tuple[SignalHead, ...], links: Mapping[str, str]) -> np.ndarray:
    """Return (S,) SIGNAL of the heads, given the states of every controller's links."""
    signals = np.zeros(len(heads), SIGNAL)
    for i, head in enumerate(heads):
        state = head.state(links[head.controller])
        signals[i] = (head.signal_id, head.x, head.y, head.z, head.yaw, state, head.users, (0, 0))
    return signals
