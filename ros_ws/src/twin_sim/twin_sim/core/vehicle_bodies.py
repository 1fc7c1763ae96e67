"""Cars of several shapes, trucks and buses: lofted shells with wheel arches, windows, lamps, mirrors and plates.

Profiles follow common cars of each segment (mid-size saloon, compact hatchback, compact SUV, one-box van).
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np

from twin_sim.core.body_parts import SLOT, Geometry, block, loft, merged, wheel

_PAINT, _GLASS, _TRIM = SLOT["paint"], SLOT["glass"], SLOT["trim"]


@dataclass(frozen=True, slots=True)
class Profile:
    """A car's side view: shares of length from the tail (0) to the nose (1), of height, of width."""

    deck: tuple[tuple[float, float], ...]  # top of the lower body: (share of length, share of height)
    tail_base: float  # where the rear window meets the lower body
    tail_roof: float
    nose_roof: float
    nose_base: float  # where the windscreen meets the bonnet
    axles: tuple[float, float]
    wheel_radius: float
    clearance: float
    roof_width: float
    pillars: tuple[float, ...]


PROFILES = {
    "saloon": Profile(((0.0, 0.55), (0.02, 0.66), (0.16, 0.69), (0.30, 0.64), (0.66, 0.62), (0.92, 0.54), (0.985, 0.47),
                       (1.0, 0.38)), 0.12, 0.28, 0.54, 0.73, (0.20, 0.80), 0.325, 0.17, 0.66, (0.31, 0.45)),
    "hatchback": Profile(((0.0, 0.52), (0.02, 0.62), (0.15, 0.63), (0.70, 0.61), (0.93, 0.53), (0.985, 0.46),
                          (1.0, 0.38)), 0.02, 0.10, 0.56, 0.76, (0.18, 0.80), 0.315, 0.17, 0.70, (0.20, 0.43)),
    "suv": Profile(((0.0, 0.50), (0.015, 0.61), (0.15, 0.62), (0.70, 0.61), (0.94, 0.57), (0.985, 0.52), (1.0, 0.40)),
                   0.02, 0.09, 0.56, 0.73, (0.19, 0.80), 0.36, 0.21, 0.74, (0.20, 0.43)),
    "van": Profile(((0.0, 0.50), (0.01, 0.56), (0.70, 0.55), (0.88, 0.50), (0.985, 0.42), (1.0, 0.30)),
                   0.01, 0.03, 0.74, 0.91, (0.18, 0.82), 0.34, 0.19, 0.82, (0.28, 0.55)),
}  # fmt: skip


def _stations(profile: Profile, length: float, arch: float) -> np.ndarray:
    """Return where along the car, metres from its middle, the shell has a section: dense at ends and arches."""
    around = arch * np.array([-1.0, -0.999, -0.8, -0.5, 0.0, 0.5, 0.8, 0.999, 1.0])
    axles = [(share - 0.5) * length for share in profile.axles]
    ends = length * (np.array([0.0, 0.012, 0.04, 0.10, 0.30, 0.45, 0.60, 0.70, 0.92, 0.96, 0.988, 1.0]) - 0.5)
    inside = [x for x in ends if all(abs(x - axle) > 1.05 * arch for axle in axles)]
    found = np.array(sorted({*inside, *(float(axle + a) for axle in axles for a in around)}))
    return np.asarray(found[np.abs(found) <= length / 2])


def _shell(profile: Profile, length: float, width: float, height: float) -> Geometry:
    """Return the lower body with wheel arches; its plan narrows at nose and tail."""
    arch = profile.wheel_radius * 1.16
    rings, names = [], []
    for x in _stations(profile, length, arch):
        share = x / length + 0.5
        deck = float(np.interp(share, *np.array(profile.deck).T)) * height
        end = min(share, 1 - share)
        half = width / 2 * (0.80 + 0.20 * float(np.sqrt(min(end / 0.10, 1.0))))
        bottom = profile.clearance + 0.10 * max(0.0, 1 - end / 0.04)
        for axle in profile.axles:
            away = abs(x - (axle - 0.5) * length)
            if away < arch:
                bottom = max(bottom, profile.wheel_radius + float(np.sqrt(arch**2 - away**2)))
        sill = min(bottom + 0.10, deck - 0.06)
        waist = max(0.72 * deck, sill + 0.02)
        side = [(0.90 * half, bottom), (half * 0.985, sill), (half, min(waist, deck - 0.03)),
                (0.955 * half, deck - 0.02), (0.86 * half, deck)]  # fmt: skip
        corners = [*side, (0.0, deck + 0.015), *[(-y, z) for y, z in side[::-1]], (0.0, bottom)]
        rings.append([(x, y, z) for y, z in corners])
        names.append([_TRIM, *[_PAINT] * 8, _TRIM, _TRIM, _TRIM])
    return loft(np.array(rings), np.array(names)[:-1])


def _greenhouse(profile: Profile, length: float, width: float, height: float) -> Geometry:
    """Return windscreen, side and rear windows between pillars, and the roof."""

    def section(share: float, rise: float) -> list[tuple[float, float, float]]:
        deck = float(np.interp(share, *np.array(profile.deck).T)) * height - 0.02
        x, base = (share - 0.5) * length, 0.45 * width
        top = base + (profile.roof_width * width / 2 - base) * rise
        z = deck + (height - deck) * rise
        rail = max(z - 0.05 * rise, deck)
        low = deck + 0.10 * (rail - deck)
        out = base + (top + 0.03 - base) * 0.10 * rise
        right = [(x, base, deck), (x, out, low), (x, top + 0.03 * rise, rail), (x, top - 0.07 * rise, z)]
        return [*right, *((x, -y, z) for x, y, z in right[::-1])]

    half_pillar = 0.045 / length
    cuts = sorted(
        {profile.tail_roof, profile.nose_roof, *(p + s * half_pillar for p in profile.pillars for s in (-1, 1))}
    )
    shares, rises = [profile.tail_base, *cuts, profile.nose_base], [0.0, *[1.0] * len(cuts), 0.0]
    rings = np.array([section(s, r) for s, r in zip(shares, rises, strict=True)])
    rings[1, 2:6, 2] -= 0.02
    names = np.full((len(rings) - 1, 8), _GLASS)
    names[:, [0, 2, 4, 6]] = _PAINT
    names[:, [3, 7]] = _PAINT
    for i in range(1, len(rings) - 2):
        middle = (shares[i] + shares[i + 1]) / 2
        if min(abs(middle - p) for p in profile.pillars) < half_pillar:
            names[i, [1, 5]] = _TRIM
    names[0] = (_PAINT, _PAINT, _PAINT, _GLASS, _PAINT, _PAINT, _PAINT, _TRIM)
    names[-1] = (_PAINT, _GLASS, _PAINT, _GLASS, _PAINT, _GLASS, _PAINT, _TRIM)
    return loft(rings, names, close=False)


def _wheels(profile: Profile, length: float, width: float) -> list[Geometry]:
    return [
        wheel(profile.wheel_radius, 0.21, ((axle - 0.5) * length, sign * (width / 2 - 0.125)))
        for axle in profile.axles
        for sign in (-1, 1)
    ]


def _fittings(profile: Profile, length: float, width: float, height: float) -> list[Geometry]:
    """Return lamps, plates, mirrors, and the dark floor that closes the view between the wheels."""
    half, nose = length / 2, 0.40 * height
    parts = [block(0.94 * length, 0.66 * width, 0.42, _TRIM, (0, 0, profile.clearance + 0.02))]
    for sign, turn in ((1, "left_lamp"), (-1, "right_lamp")):
        y = sign * 0.32 * width
        parts += [
            block(0.14, 0.17 * width, 0.12, SLOT["head_lamp"], (half - 0.075, y, nose), taper=0.85),
            block(0.12, 0.06 * width, 0.08, SLOT[turn], (half - 0.13, sign * 0.42 * width, nose + 0.02)),
            block(0.10, 0.15 * width, 0.13, SLOT["tail_lamp"], (-half + 0.045, y, nose + 0.10)),
            block(0.10, 0.06 * width, 0.09, SLOT[turn], (-half + 0.07, sign * 0.40 * width, nose + 0.11)),
            block(
                0.12,
                0.17,
                0.13,
                _PAINT,
                ((profile.nose_base - 0.54) * length, sign * (width / 2 - 0.02), 0.64 * height),
            ),
        ]
    parts += [
        block(0.03, 0.52, 0.11, SLOT["plate"], (half, 0, 0.28 * height)),
        block(0.03, 0.52, 0.11, SLOT["plate"], (-half, 0, 0.36 * height)),
        block(0.05, 0.55 * width, 0.10, _TRIM, (half - 0.02, 0, 0.37 * height)),
    ]
    return parts


def car(shape: str, length: float, width: float, height: float) -> Geometry:
    """Return a car of a shape of PROFILES, ``taxi`` or ``sensor_vehicle``, of a size in metres."""
    base = {"taxi": "saloon", "sensor_vehicle": "suv"}.get(shape, shape)
    profile = PROFILES[base]
    body = max(height - 0.28, 0.72 * height) if shape == "sensor_vehicle" else height
    parts = [
        _shell(profile, length, width, body), _greenhouse(profile, length, width, body),
        *_wheels(profile, length, width), *_fittings(profile, length, width, body),
    ]  # fmt: skip
    middle = (profile.tail_roof + profile.nose_roof) / 2 - 0.5
    if shape == "taxi":
        parts.append(block(0.18, 0.55, 0.11, SLOT["roof_sign"], (middle * length, 0, height - 0.02), taper=0.85))
    if shape == "sensor_vehicle":
        x = middle * length
        parts += [
            block(0.9, 1.0, 0.05, _TRIM, (x, 0, body - 0.01)),
            block(0.14, 0.14, height - body - 0.10, _TRIM, (x, 0, body)),
            block(0.11, 0.11, 0.09, SLOT["steel"], (x, 0, height - 0.10)),
        ]  # fmt: skip
    return merged(parts)


def _side_plates(length: float, y: float, low: float, high: float, slot: int, at: float = 0.0) -> list[Geometry]:
    return [block(length, 0.03, high - low, slot, (at, sign * y, low)) for sign in (-1, 1)]


def _cab(length: float, width: float, height: float, front: float, floor: float) -> list[Geometry]:
    """Return the cab of a truck whose front is at x = ``front``: slanted windscreen, doors with windows."""
    sill, top, half = floor + 0.42 * (height - floor), height, width / 2
    outline = np.array(
        [(front - length, top), (front - 0.40, top), (front - 0.28, top - 0.1), (front - 0.04, sill),
         (front, floor + 0.3), (front - 0.02, floor), (front - length, floor)]
    )  # fmt: skip
    rings = np.stack(
        [np.column_stack([outline[:, 0], np.full(len(outline), s * half), outline[:, 1]])
         for s in (-1, 1)]
    )  # fmt: skip
    names = np.full((1, len(outline)), _PAINT)
    names[:, 2] = _GLASS  # between sill and top of the windscreen
    parts = [loft(rings, names)]
    parts += _side_plates(0.62 * length, 0.97 * half + 0.02, sill, top - 0.16, _GLASS, front - 0.62 * length)
    for sign in (-1, 1):
        parts += [
            block(0.06, 0.12, 0.36, _TRIM, (front - 0.12, sign * (half + 0.05), sill + 0.05)),
            block(0.06, 0.30, 0.14, SLOT["head_lamp"], (front - 0.01, sign * 0.36 * width, floor + 0.12)),
            block(
                0.06,
                0.10,
                0.10,
                SLOT["left_lamp" if sign > 0 else "right_lamp"],
                (front - 0.02, sign * 0.45 * width, floor + 0.3),
            ),
        ]
    return parts


def truck(length: float, width: float, height: float, kind: int) -> Geometry:
    """Return a truck: with a closed box (kind 0), or with an open bed (kind 1)."""
    half, radius = length / 2, 0.40 if length < 7.5 else 0.49
    floor, cab = radius + 0.08, min(1.75, 0.30 * length)
    cab_top = min(height, 2.45 if length < 7.5 else 2.95)
    bed, bed_x = length - cab - 0.12, -(cab + 0.12) / 2
    deck = radius * 2 + 0.12
    axles = (
        (-half + 0.20 * length, half - 0.55 * cab)
        if length < 8.5
        else (-half + 0.14 * length, -half + 0.14 * length + 1.25, half - 0.6 * cab)
    )
    parts = _cab(cab, 0.94 * width, cab_top, half, floor)
    parts += [block(length - 0.5, 0.42 * width, 0.32, _TRIM, (-0.2, 0, radius + 0.05))]
    parts += [wheel(radius, 0.28, (x, sign * (width / 2 - 0.16))) for x in axles for sign in (-1, 1)]
    if kind == 0:
        parts.append(block(bed, width, height - deck, SLOT["box"], (bed_x, 0, deck)))
    else:
        rim = deck + min(0.55, height - deck)
        parts += [
            block(bed, width, 0.10, SLOT["steel"], (bed_x, 0, deck)),
            *_side_plates(bed, width / 2 - 0.02, deck, rim, _PAINT, bed_x),
        ]
        parts += [block(0.05, width, rim - deck, _PAINT, (x, 0, deck)) for x in (-half + 0.03, bed_x + bed / 2)]
        parts.append(
            block(0.8 * bed, 0.8 * width, height - deck - 0.1, SLOT["concrete"], (bed_x, 0, deck + 0.08), taper=0.55)
        )
    for sign, turn in ((1, "left_lamp"), (-1, "right_lamp")):
        parts += [
            block(0.05, 0.20, 0.12, SLOT["tail_lamp"], (-half + 0.01, sign * 0.36 * width, radius + 0.25)),
            block(0.05, 0.10, 0.12, SLOT[turn], (-half + 0.01, sign * 0.45 * width, radius + 0.25)),
        ]
    parts.append(block(0.03, 0.52, 0.14, SLOT["plate"], (-half, 0, radius + 0.12)))
    return merged(parts)


def bus(length: float, width: float, height: float) -> Geometry:
    """Return a city bus: rounded box, windows between posts, doors on the right, wheels under the skirt."""
    half, wide, radius = length / 2, width / 2, 0.48
    outline = np.array(
        [(0.96, 0.0), (1.0, 0.06), (1.0, 0.36), (0.985, 0.80), (0.96, 0.92), (0.80, 1.0), (-0.80, 1.0), (-0.96, 0.92),
         (-0.985, 0.80), (-1.0, 0.36), (-1.0, 0.06), (-0.96, 0.0)]
    )  # fmt: skip
    floor = 0.30
    posts = np.linspace(-half + 0.35, half - 0.55, max(int(length / 1.5), 3) + 1)
    cuts = sorted({-half, -half + 0.12, *(float(p + s * 0.05) for p in posts for s in (-1, 1)), half - 0.15, half})
    rings, names = [], []
    for x in cuts:
        narrow = 0.92 if abs(x) > half - 0.01 else 1.0
        y, z = outline[:, 0] * wide * narrow, floor + outline[:, 1] * (height - floor)
        rings.append(np.column_stack([np.full(len(outline), x), y, z]))
    for a, b in itertools.pairwise(cuts):
        window = min(abs((a + b) / 2 - p) for p in posts) > 0.06 and abs((a + b) / 2) < half - 0.3
        side = _GLASS if window else _PAINT
        names.append([_PAINT, _PAINT, side, _PAINT, _PAINT, _PAINT, _PAINT, _PAINT, side, _PAINT, _PAINT, _TRIM])
    parts = [loft(np.array(rings), np.array(names))]
    parts += [
        wheel(radius, 0.30, (x, s * (wide - 0.13)))
        for x in (-half + 0.28 * length, half - 0.22 * length)
        for s in (-1, 1)
    ]
    parts += [
        block(0.04, 0.86 * width, 0.46 * (height - floor), _GLASS, (half, 0, floor + 0.34 * (height - floor))),
        block(0.04, 0.70 * width, 0.30 * (height - floor), _GLASS, (-half, 0, floor + 0.48 * (height - floor))),
        block(0.06, 0.60 * width, 0.22, SLOT["roof_sign"], (half + 0.01, 0, height - 0.42)),
        block(0.02, 0.52, 0.14, SLOT["plate"], (-half - 0.01, 0, 0.55)),
        block(0.02, 0.52, 0.14, SLOT["plate"], (half + 0.01, 0, 0.45)),
        block(2.2, 1.4, 0.14, SLOT["steel"], (-0.15 * length, 0, height - 0.02)),
    ]  # fmt: skip
    for x in (half - 0.9, 0.02 * length):
        parts.append(block(1.1, 0.03, 1.95, _GLASS, (x, -wide - 0.005, floor + 0.08)))
    for sign, turn in ((1, "left_lamp"), (-1, "right_lamp")):
        parts += [
            block(0.06, 0.36, 0.18, SLOT["head_lamp"], (half, sign * 0.34 * width, 0.62)),
            block(0.06, 0.12, 0.14, SLOT[turn], (half, sign * 0.44 * width, 0.62)),
            block(0.05, 0.18, 0.34, SLOT["tail_lamp"], (-half, sign * 0.40 * width, 0.85)),
            block(0.05, 0.14, 0.14, SLOT[turn], (-half, sign * 0.40 * width, 1.22)),
            block(0.10, 0.10, 0.40, _TRIM, (half + 0.12, sign * (wide - 0.05), 0.62 * height)),
        ]
    return merged(parts)
