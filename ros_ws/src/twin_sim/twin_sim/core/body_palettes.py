"""Which material each slot of an actor's body has: paint, clothes, skin and lamps, from its appearance and lights."""

from __future__ import annotations

import numpy as np

from twin_common.core.object_class import ObjectClass
from twin_sim.core.body_parts import SLOT, SLOTS
from twin_sim.core.frame import Activity, Light, Shape
from twin_sim.core.meshes import MATERIAL_NAMES

#: Material of each slot where nothing else is said.
_USUAL = {
    "skin": "skin", "hair": "hair_dark", "top": "cloth_light", "bottom": "cloth_dark", "shoes": "cloth_dark",
    "bag": "cloth_dark", "umbrella": "cloth_dark", "paint": "paint_light", "glass": "glass", "tyre": "rubber",
    "rim": "metal", "trim": "trim", "head_lamp": "lamp_clear", "tail_lamp": "lamp_red", "left_lamp": "lamp_amber",
    "right_lamp": "lamp_amber", "plate": "plate", "roof_sign": "roof_sign", "frame": "trim", "concrete": "concrete",
    "steel": "metal", "board": "sign_board", "box": "paint_light",
}  # fmt: skip
#: Paints of cars about as often as on the road: three quarters white, grey, black or silver (Axalta, Global
#: Automotive Color Popularity Report 2022).
PAINTS = ("paint_light",) * 5 + ("paint_grey",) * 4 + ("paint_dark",) * 4 + ("paint_silver",) * 3 + (
    "paint_blue", "paint_blue", "paint_mid", "paint_green")  # fmt: skip
TOPS = (
    "cloth_light",
    "cloth_dark",
    "cloth_grey",
    "cloth_blue",
    "cloth_red",
    "cloth_green",
    "cloth_beige",
    "cloth_dark",
)
BOTTOMS = ("cloth_dark", "denim", "cloth_grey", "denim", "cloth_beige", "cloth_dark")
HAIR = ("hair_dark", "hair_dark", "hair_dark", "hair_dark", "hair_brown", "hair_grey")
SHOES = ("cloth_dark", "cloth_light", "trim")
BAGS = ("cloth_dark", "cloth_grey", "cloth_blue", "cloth_red", "cloth_beige")
UMBRELLAS = ("cloth_dark", "cloth_blue", "cloth_red", "cloth_light", "cloth_green")
BOXES = ("paint_light", "paint_silver", "paint_blue", "paint_light")
BUSES = ("paint_blue", "paint_green", "paint_yellow")
SIGNS = ("sign_board", "sign_red", "sign_blue")


def _index(names: tuple[str, ...]) -> np.ndarray:
    return np.array([MATERIAL_NAMES.index(name) for name in names])


_BASE = _index(tuple(_USUAL[name] for name in SLOTS))
_CHOICES = {
    "paint": _index(PAINTS), "top": _index(TOPS), "bottom": _index(BOTTOMS), "hair": _index(HAIR),
    "shoes": _index(SHOES), "bag": _index(BAGS), "umbrella": _index(UMBRELLAS), "box": _index(BOXES),
    "board": _index(SIGNS),
}  # fmt: skip


def scattered(appearance: np.ndarray, stream: int) -> np.ndarray:
    """Return well mixed 32-bit numbers of seeds (N,): the finaliser of MurmurHash3 (Appleby, public domain)."""
    mixed = appearance.astype(np.uint64) + np.uint64(0x9E3779B9) * np.uint64(stream + 1)
    mixed &= np.uint64(0xFFFFFFFF)
    for shift, factor in ((16, 0x85EBCA6B), (13, 0xC2B2AE35)):
        mixed ^= mixed >> np.uint64(shift)
        mixed = (mixed * np.uint64(factor)) & np.uint64(0xFFFFFFFF)
    return np.asarray(mixed ^ (mixed >> np.uint64(16)))


def palettes(actors: np.ndarray) -> np.ndarray:
    """Return the material of each slot of each actor, (N, len(SLOTS)) index in MATERIAL_NAMES."""
    table = np.tile(_BASE, (len(actors), 1)).astype(np.int32)
    if not len(actors):
        return table
    for stream, (name, choices) in enumerate(_CHOICES.items()):
        table[:, SLOT[name]] = choices[scattered(actors["appearance"], stream) % len(choices)]
    shape, kind, lights = actors["shape"], actors["classification"], actors["lights"]
    taxi = shape == Shape.TAXI
    table[taxi, SLOT["paint"]] = MATERIAL_NAMES.index("paint_orange")
    buses = kind == ObjectClass.BUS
    table[buses, SLOT["paint"]] = _index(BUSES)[scattered(actors["appearance"][buses], 90) % len(BUSES)]
    table[shape == Shape.SENSOR_VEHICLE, SLOT["paint"]] = MATERIAL_NAMES.index("paint_light")
    table[kind == ObjectClass.ANIMAL, SLOT["hair"]] = MATERIAL_NAMES.index("hair_brown")
    _light(table, lights, actors["activity"])
    return table


def _light(table: np.ndarray, lights: np.ndarray, activity: np.ndarray) -> None:
    """Switch lamps on: tail lamps glow with the headlights and shine when braking."""
    head, brake = (lights & Light.HEAD) != 0, (lights & Light.BRAKE) != 0
    parked = activity == Activity.PARKED
    table[head, SLOT["head_lamp"]] = MATERIAL_NAMES.index("lamp_clear_on")
    table[head, SLOT["tail_lamp"]] = MATERIAL_NAMES.index("lamp_red_dim")
    table[brake, SLOT["tail_lamp"]] = MATERIAL_NAMES.index("lamp_red_on")
    for bit, name in ((Light.LEFT, "left_lamp"), (Light.RIGHT, "right_lamp")):
        table[(lights & bit) != 0, SLOT[name]] = MATERIAL_NAMES.index("lamp_amber_on")
    table[~parked & (head | brake), SLOT["roof_sign"]] = MATERIAL_NAMES.index("roof_sign_on")
