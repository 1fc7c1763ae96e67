"""Where light comes from: the sun's shadow projection, street lamps, headlights, and lights that a lens sees."""

from __future__ import annotations

import numpy as np

from twin_common.core.object_class import ObjectClass
from twin_sim.core.camera_light import Lighting
from twin_sim.core.camera_scene import Movers, movers
from twin_sim.core.camera_shaders import HEADS, LAMPS
from twin_sim.core.frame import TWO_WHEELERS, Frame, Light, SignalState
from twin_sim.core.furniture import LAMP_ARM, LAMP_HEIGHT
from twin_sim.core.meshes import MATERIAL_NAMES
from twin_sim.core.signals import USERS_PEDESTRIANS
from twin_sim.world import World

LENS_RADIUS, LENS_FORWARD = 0.12, 0.17  # of a signal's lens; before the middle of its head, metres
LAMP_REACH = 90.0  # metres
HEADLIGHT = 4.5  # light of a pair of headlights near by, in units of a street lamp's
_WHITE, _RED, _AMBER = (1.0, 0.97, 0.88), (1.0, 0.08, 0.05), (1.0, 0.55, 0.06)
_LAMP = (1.0, 0.84, 0.60)
_SIGNAL_COLOURS = {SignalState.RED: (1.0, 0.10, 0.06), SignalState.YELLOW: (1.0, 0.72, 0.10),
                   SignalState.GREEN: (0.10, 1.0, 0.55)}  # fmt: skip
#: Height of a lit lens above the middle of its head, metres.
_VEHICLES_UP = {SignalState.RED: 0.34, SignalState.YELLOW: 0.0, SignalState.GREEN: -0.34}
_WALKERS_UP = {SignalState.RED: 0.15, SignalState.YELLOW: 0.15, SignalState.GREEN: -0.15}
_LENS_MATERIAL = {
    state: MATERIAL_NAMES.index(f"signal_{name}")
    for state, name in ((SignalState.RED, "red"), (SignalState.YELLOW, "yellow"), (SignalState.GREEN, "green"))
}


def shadow_projection(towards: np.ndarray, centre: np.ndarray, reach: float) -> np.ndarray:
    """Return clip_from_map (4, 4) of a parallel light over a square of 2 ``reach`` about ``centre``, metres."""
    side = np.cross((0.0, 0.0, 1.0), towards)
    side = side / np.linalg.norm(side) if np.linalg.norm(side) > 1e-6 else np.array([1.0, 0.0, 0.0])
    up = np.cross(towards, side)
    depth = 400.0  # far enough for a tower whose shadow falls into the square
    matrix = np.eye(4)
    matrix[:3, :3] = side / reach, up / reach, -towards / depth
    matrix[:3, 3] = -matrix[:3, :3] @ centre
    return matrix


def street_lamps(world: World | None) -> np.ndarray:
    """Return where the street lamps of a world shine, (L, 3), metres, map frame."""
    if world is None:
        return np.zeros((0, 3))
    lamps = np.array([(t.x, t.y, np.radians(t.yaw_deg), t.size) for t in world.config.things if t.kind == "lamp"])
    x, y, yaw, size = lamps.reshape(-1, 4).T
    arm = LAMP_ARM * size
    return np.column_stack([x + arm * np.cos(yaw), y + arm * np.sin(yaw), (LAMP_HEIGHT - 0.1) * size])


def nearest_lamps(lamps: np.ndarray, eye: np.ndarray, light: Lighting) -> np.ndarray:
    """Return the nearest lamps with their strength, (LAMPS, 4); those that are off have none."""
    table = np.zeros((LAMPS, 4))
    if not light.night or not len(lamps):
        return table
    distance = np.linalg.norm(lamps - eye, axis=1)
    order = [i for i in np.argsort(distance, kind="stable")[:LAMPS] if distance[i] < LAMP_REACH]
    table[: len(order), :3], table[: len(order), 3] = lamps[order], light.lamps
    return table


def lamplight(places: np.ndarray, lamps: np.ndarray) -> np.ndarray:
    """Return the light of lamps (L, 4) on actors (N,) at their feet ``places`` (N, 3), as the shaders reckon it."""
    on = lamps[lamps[:, 3] > 0]
    way = on[None, :, :3] - (places[:, None] + (0.0, 0.0, 1.0))
    squared = np.einsum("nlk,nlk->nl", way, way)
    down = np.clip(1.25 * way[..., 2] / np.sqrt(np.maximum(squared, 1e-6)) - 0.1, 0, 1)
    return np.asarray((on[:, 3] * down / (1.0 + squared / 36.0)).sum(axis=1))


def _mounted(actors: np.ndarray, along: float, across: float, up: float) -> tuple[np.ndarray, np.ndarray]:
    """Return places and headings, (N, 3) each, of lights on vehicles; offsets in halves of the box, height in parts."""
    cos, sin = np.cos(actors["yaw"]), np.sin(actors["yaw"])
    forward, left = along * actors["length"] / 2, across * actors["width"] / 2
    z = actors["z"] + np.minimum(up * actors["height"], 1.0)
    places = np.column_stack([actors["x"] + forward * cos - left * sin, actors["y"] + forward * sin + left * cos, z])
    return places, np.column_stack([cos, sin, np.zeros(len(actors))])


def headlights(actors: np.ndarray, eye: np.ndarray, light: Lighting) -> tuple[np.ndarray, np.ndarray]:
    """Return headlights that shine near a camera at night: place and strength (HEADS, 4), direction (HEADS, 3)."""
    table, ways = np.zeros((HEADS, 4)), np.zeros((HEADS, 3))
    if light.night:
        on = actors[(actors["lights"] & Light.HEAD) > 0]
        places, headings = _mounted(on, 1.0, 0.0, 0.45)
        distance = np.linalg.norm(places - eye, axis=1)
        order = [i for i in np.argsort(distance, kind="stable")[:HEADS] if distance[i] < LAMP_REACH]
        table[: len(order), :3], table[: len(order), 3] = places[order], HEADLIGHT
        ways[: len(order)] = headings[order] * 0.998 + (0.0, 0.0, -0.06)
    return table, ways


def _seen_from(
    eye: np.ndarray, places: np.ndarray, ways: np.ndarray, colour: tuple[float, ...] | np.ndarray, size: float
) -> np.ndarray:
    """Return sources (N, 7): place, colour, size; dimmer from the side, none from behind."""
    to_eye = eye - places
    facing = np.einsum("nk,nk->n", to_eye, ways) / np.maximum(np.linalg.norm(to_eye, axis=1), 1e-6)
    shine = np.clip(facing, 0.0, 1.0)[:, None] ** 1.5
    sources = np.column_stack([places + ways * 0.06, shine * colour, np.full(len(places), size)])
    return np.asarray(sources[facing > 0.05])


def _vehicle_lights(actors: np.ndarray, eye: np.ndarray, night: bool) -> list[np.ndarray]:
    actors = actors[actors["classification"] != ObjectClass.PEDESTRIAN]
    narrow = np.isin(actors["classification"], TWO_WHEELERS)
    lights = actors["lights"]
    found = []
    strength = 1.0 if night else 0.55
    for group, sides in ((actors[~narrow], (-0.78, 0.78)), (actors[narrow], (0.0,))):
        lights = group["lights"]
        for across in sides:
            turn = Light.LEFT if across > 0 else Light.RIGHT
            for bit, ends, colour, size in (
                (Light.HEAD, (1.0,), _WHITE, 1.3 if night else 0.5),
                (Light.BRAKE, (-1.0,), _RED, 0.8),
                (turn, (1.0, -1.0), _AMBER, 0.55),
            ):
                for end in ends:
                    places, headings = _mounted(group[(lights & bit) > 0], end, across, 0.50 if end < 0 else 0.45)
                    found.append(_seen_from(eye, places, headings * end, tuple(strength * c for c in colour), size))
            if night:
                lit = group[((lights & Light.HEAD) > 0) & ((lights & Light.BRAKE) == 0)]
                places, headings = _mounted(lit, -1.0, across, 0.50)
                found.append(_seen_from(eye, places, -headings, tuple(0.45 * c for c in _RED), 0.5))
    return found


def _lenses(signals: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return middle, direction and colour, (N, 3) each, of the lens that is lit in each signal head."""
    lit = signals[np.isin(signals["state"], list(_SIGNAL_COLOURS))]
    state, walkers = lit["state"], lit["users"] == USERS_PEDESTRIANS
    up = np.where(walkers, _up(state, _WALKERS_UP), _up(state, _VEHICLES_UP))
    ways = np.column_stack([np.cos(lit["yaw"]), np.sin(lit["yaw"]), np.zeros(len(lit))])
    middles = np.column_stack([lit["x"], lit["y"], lit["z"] + up]) + ways * LENS_FORWARD
    colours = np.array([_SIGNAL_COLOURS[SignalState(value)] for value in state]).reshape(-1, 3)
    return middles, ways, colours


def _up(state: np.ndarray, table: dict[SignalState, float]) -> np.ndarray:
    return np.array([table[SignalState(value)] for value in state], float)


def lenses(signals: np.ndarray) -> Movers:
    """Return the lit lenses of signal heads as discs."""
    middles, ways, _ = _lenses(signals)
    state = signals["state"][np.isin(signals["state"], list(_SIGNAL_COLOURS))]
    angles = 2 * np.pi * np.arange(8) / 8
    across = np.column_stack([-ways[:, 1], ways[:, 0], np.zeros(len(ways))])
    rim = np.cos(angles)[:, None] * across[:, None] + np.sin(angles)[:, None] * np.array([0.0, 0.0, 1.0])
    vertices = np.concatenate([middles[:, None], middles[:, None] + LENS_RADIUS * rim], axis=1).reshape(-1, 3)
    fan = np.array([(0, 1 + i, 1 + (i + 1) % 8) for i in range(8)])
    triangles = (9 * np.arange(len(ways))[:, None, None] + fan).reshape(-1, 3)
    materials = np.repeat(np.array([_LENS_MATERIAL[SignalState(value)] for value in state], int), 8)
    return movers(vertices, triangles, materials, np.full(len(triangles), -1), np.zeros(0, np.uint32), np.zeros(0))


def _signal_lights(signals: np.ndarray, eye: np.ndarray, night: bool) -> list[np.ndarray]:
    middles, ways, colours = _lenses(signals)
    return [_seen_from(eye, middles, ways, colours * (1.0 if night else 0.6), 1.0 if night else 0.5)]


def glowing(frame: Frame, lamps: np.ndarray, eye: np.ndarray, light: Lighting, reach: float) -> np.ndarray:
    """Return the lights that a lens sees: (N, 7) place (metres, map frame), colour, size of the halo (metres)."""
    parts = _vehicle_lights(frame.actors, eye, light.night) + _signal_lights(frame.signals, eye, light.night)
    if light.night and len(lamps):
        parts.append(
            np.column_stack([lamps, np.tile(np.array(_LAMP) * 0.9, (len(lamps), 1)), np.full(len(lamps), 2.2)])
        )
    sources = np.concatenate([*parts, np.zeros((0, 7))])
    distance = np.linalg.norm(sources[:, :3] - eye, axis=1)
    near = sources[distance < reach]
    dim = np.exp(-light.extinction * distance[distance < reach])
    near[:, 3:6] *= dim[:, None]
    return np.asarray(near, "<f4")
