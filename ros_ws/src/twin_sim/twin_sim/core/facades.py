"""Buildings as sensors see them: storeys, windows behind the wall, shop fronts with doors, signs, awnings, roofs.

Outlines counter-clockwise, map frame, metres. What is built in follows ordinary practice: storeys of 3.3 m,
sills at 0.9 m, parapets of 0.9 m.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import shapely
from shapely.geometry import Polygon

from twin_sim.core.meshes import MATERIAL_NAMES, box, cylinder
from twin_sim.core.surfaces import Surfaces, Wall, walls_of

STOREY, GROUND_STOREY, PARAPET = 3.3, 4.4, 0.9
STREET, YARD, PARTY = "street", "yard", "party"  # what a wall faces: people, a yard, or the wall next door
DETAILED_STOREYS = 3  # above these, windows lie flush with the wall
SETBACK_FROM, SETBACK = 30.0, 2.6  # buildings higher than this stand back above 45% of their height, by so much
JAMB = 0.06  # width of a door's frame
PROUD = 0.01  # of windows before the wall where they are not built into it
LIT = 0.35  # share of windows with light at night


@dataclass(frozen=True, slots=True)
class Style:
    """How the upper storeys look: metres; ``depth`` of the glass behind the wall, ``ridge`` of piers before it."""

    wall: str
    bay: float
    pier: float
    sill: float
    head: float
    depth: float
    ridge: float = 0.0
    balconies: bool = False


STYLES = (
    Style("plaster", 3.4, 1.5, 0.95, 2.55, 0.18),
    Style("brick", 3.0, 1.3, 0.9, 2.5, 0.2),
    Style("concrete", 3.6, 0.4, 0.95, 2.5, 0.12),
    Style("cladding", 2.8, 0.16, 0.3, 3.0, 0.06, 0.06),
    Style("stone", 4.2, 0.9, 0.6, 2.7, 0.2, 0.2),
    Style("plaster", 4.0, 1.0, 0.3, 2.4, 0.2, 0.0, True),
)


@dataclass(frozen=True, slots=True)
class Volume:
    """A part of a building: outline (N, 2) from ``low`` to ``high``; ``shops`` when it stands on the ground."""

    ring: np.ndarray
    low: float
    high: float
    shops: bool


def volumes(ring: np.ndarray, height: float, base: float) -> list[Volume]:
    """Return the parts of a building: one, or a podium and a tower that stands back from it."""
    top = base + height
    if height > SETBACK_FROM:
        inner = Polygon(ring).buffer(-SETBACK, join_style="mitre")
        if inner.geom_type == "Polygon" and not inner.interiors and inner.area > 120.0:
            storeys = max(int(0.45 * height / STOREY), 2)
            middle = base + GROUND_STOREY + storeys * STOREY + PARAPET
            corners = np.asarray(inner.normalize().exterior.reverse().coords)[:-1]
            return [Volume(ring, base, middle, True), Volume(corners, middle - PARAPET, top, False)]
    return [Volume(ring, base, top, True)]


def build(
    out: Surfaces, ring: np.ndarray, height: float, base: float, facing: Callable[[Wall], str], seed: int
) -> None:  # fmt: skip
    """Add a building; ``facing`` tells what a wall of it faces, ``seed`` chooses style and details."""
    rng = np.random.default_rng((seed, 71))
    style = STYLES[int(rng.integers(len(STYLES)))]
    for part in volumes(ring, height, base):
        roof = part.high - PARAPET if part.high - part.low > GROUND_STOREY + 0.5 else part.high
        floors = _floors(part, roof)
        for wall in walls_of(part.ring):
            kind = facing(wall)
            if kind == PARTY or wall.length < 1.2:
                out.quads(wall.front(0, wall.length, part.low, part.high), style.wall)
                continue
            if part.shops:
                (_shops if kind == STREET else _plain_ground)(out, wall, part.low, floors[0], style, rng)
            _storeys(out, wall, floors, part.high, style, kind, rng)
        _roof(out, part, roof, style, rng, cluttered=part.high > base + height - 0.01)


def _floors(part: Volume, roof: float) -> np.ndarray:
    """Return the levels of the floors above the ground storey, and of the roof."""
    first = part.low + (min(GROUND_STOREY, roof - part.low) if part.shops else 0.0)
    count = round((roof - first) / STOREY)
    return np.linspace(first, roof, count + 1) if count > 0 else np.array([first])


def _lit(count: int, rng: np.random.Generator) -> np.ndarray:
    dark, lit = MATERIAL_NAMES.index("window"), MATERIAL_NAMES.index("window_lit")
    return np.where(rng.random(count) < LIT, lit, dark)


def _storeys(
    out: Surfaces, wall: Wall, floors: np.ndarray, top: float, style: Style, kind: str, rng: np.random.Generator
) -> None:
    """Add the storeys above the ground: windows behind the wall in the lower ones, on it above and towards yards."""
    detailed = DETAILED_STOREYS if kind == STREET and wall.length >= style.bay else 0
    low = floors[: detailed + 1]
    if len(low) > 1:
        _deep_storeys(out, wall, low, style, rng)
    out.quads(wall.front(0, wall.length, low[-1], top), style.wall)
    high = floors[len(low) - 1 :]
    if len(high) < 2:
        return
    rise = (high[1] - high[0]) / STOREY
    sills, heads = high[:-1] + style.sill * rise, high[:-1] + style.head * rise
    if detailed:
        s0, s1 = _piers(wall, style)
        glass = wall.front(s1[:-1][None], s0[1:][None], sills[:, None], heads[:, None], PROUD)
        out.quads(glass, _lit(len(glass), rng))
        if style.balconies:
            _balconies(out, wall, s1[:-1] - 0.2, s0[1:] + 0.2, high[:-1])
    else:
        margin = min(0.4, wall.length / 4)
        out.quads(wall.front(margin, wall.length - margin, sills, heads, PROUD), "window")


def _piers(wall: Wall, style: Style) -> tuple[np.ndarray, np.ndarray]:
    """Return where the piers between windows begin and end along a wall."""
    bays = max(round((wall.length - style.pier) / style.bay), 1)
    middles = np.linspace(style.pier / 2, wall.length - style.pier / 2, bays + 1)
    return np.maximum(middles - style.pier / 2, 0.0), np.minimum(middles + style.pier / 2, wall.length)


def _deep_storeys(out: Surfaces, wall: Wall, floors: np.ndarray, style: Style, rng: np.random.Generator) -> None:
    """Add storeys with glass behind the wall, and piers between the windows."""
    rise = (floors[1] - floors[0]) / STOREY
    sills, heads = floors[:-1] + style.sill * rise, floors[:-1] + style.head * rise
    deep, (s0, s1) = -style.depth, _piers(wall, style)
    lows, highs = np.concatenate([floors[:1], heads]), np.concatenate([sills, floors[-1:]])
    out.quads(wall.front(0, wall.length, lows, highs), style.wall)
    out.quads(wall.shelf(0, wall.length, deep, 0.0, sills, True), style.wall)
    out.quads(wall.shelf(0, wall.length, deep, 0.0, heads, False), style.wall)
    glass = wall.front(s1[:-1][None], s0[1:][None], sills[:, None], heads[:, None], deep)
    out.quads(glass, _lit(len(glass), rng))
    for s, forward in ((s0[1:], False), (s1[:-1], True)):
        out.quads(wall.side(s[None], deep, 0.0, sills[:, None], heads[:, None], forward), style.wall)
    if style.ridge:
        out.quads(wall.front(s0, s1, floors[0], floors[-1], style.ridge), style.wall)
        for s, forward in ((s0, False), (s1, True)):
            out.quads(wall.side(s, 0.0, style.ridge, floors[0], floors[-1], forward), style.wall)
    else:
        out.quads(wall.front(s0[None], s1[None], sills[:, None], heads[:, None]), style.wall)
    if style.balconies:
        # None on the first floor, where lamps and sensor poles stand.
        _balconies(out, wall, s1[:-1] - 0.2, s0[1:] + 0.2, floors[1:-1])


def _balconies(out: Surfaces, wall: Wall, s0: np.ndarray, s1: np.ndarray, floors: np.ndarray) -> None:
    """Add a slab with a parapet of metal before every other window."""
    s0, s1 = s0[::2, None], s1[::2, None]
    out.quads(wall.block(s0, s1, 0.0, 1.0, floors[None] - 0.15, floors[None]), "concrete")
    out.quads(wall.front(s0, s1, floors[None], floors[None] + 1.0, 0.98), "metal")
    out.quads(wall.front(s1, s0, floors[None], floors[None] + 1.0, 0.95), "metal")


def _plain_ground(out: Surfaces, wall: Wall, low: float, high: float, style: Style, rng: np.random.Generator) -> None:
    """Add the ground storey of a wall towards a yard: a door and a few windows, flush."""
    out.quads(wall.front(0, wall.length, low, high), style.wall)
    if wall.length > 5.0:
        at = float(rng.uniform(1.0, wall.length - 2.5))
        out.quads(wall.front(at, at + 1.1, low, low + 2.1, 0.03), "cladding")
        spots = np.arange(at + 2.5, wall.length - 1.6, 4.0)
        out.quads(wall.front(spots, spots + 1.2, low + 1.2, low + 2.3, 0.02), "window")


def _shops(out: Surfaces, wall: Wall, low: float, high: float, style: Style, rng: np.random.Generator) -> None:
    """Add shop fronts: glass behind piers, a door set back, a sign above, an awning before some."""
    count = max(int(wall.length // 4.6), 1)
    ends = np.linspace(0, wall.length, count + 1)
    pier, lintel = 0.3, min(low + 3.1, high - 0.3)
    sill, deep = low + 0.4, -0.35
    s0, s1 = ends[:-1] + pier, ends[1:] - pier
    doors = rng.random(count) < 0.6
    a = np.where(doors, s1 - 1.3, s1)  # from here to the pier: the door
    out.quads(wall.front(0, wall.length, lintel, high), style.wall)
    out.quads(wall.front(np.concatenate([[0], s1]), np.concatenate([s0, [wall.length]]), low, lintel), style.wall)
    out.quads(wall.front(s0, a, low, sill, -0.05), "stone")
    out.quads(wall.shelf(s0, a, deep, -0.05, sill, True), "stone")
    out.quads(wall.front(s0, a, sill, lintel, deep), "shop_glass")
    out.quads(wall.shelf(s0, s1, 2.5 * deep, 0.0, lintel, False), style.wall)
    for s, forward in ((s0, True), (s1, False)):
        out.quads(wall.side(s, 2.5 * deep, 0.0, low, lintel, forward), style.wall)
    out.quads(wall.side(a[doors], 2.5 * deep, -0.05, low, lintel, True), "cladding")
    out.quads(wall.side(a[doors] - JAMB, deep, -0.05, low, lintel, False), "cladding")
    out.quads(wall.front(a[doors] - JAMB, a[doors], low, lintel, -0.05), "cladding")
    out.quads(wall.front(a[doors], s1[doors], low, lintel, 2.5 * deep), "shop_glass")
    wide = np.linspace(s0 + 0.05, a - 0.05, 3)[1]  # a bar in the middle of each window
    out.quads(wall.front(wide - 0.04, wide + 0.04, sill, lintel, deep + 0.05), "cladding")
    signs = rng.random(count) < 0.75
    tall = min(0.9, high - lintel - 0.2)
    if tall > 0.3:
        box_front = wall.block(s0[signs], s1[signs], 0.0, 0.16, lintel + 0.12, lintel + 0.12 + tall)
        out.quads(box_front, "sign_face")
    shaded = ~signs | (rng.random(count) < 0.3)
    a, b = s0[shaded], s1[shaded]
    out.quads(wall.ramp(a, b, 0.0, lintel + 0.1, 1.1, lintel - 0.45), "awning")
    out.quads(wall.ramp(a, b, 0.0, lintel + 0.095, 1.1, lintel - 0.455)[:, ::-1], "awning")


def _roof(out: Surfaces, part: Volume, roof: float, style: Style, rng: np.random.Generator, *, cluttered: bool) -> None:
    """Add the roof with the inside and the top of its parapet, and what stands on it."""
    shape = Polygon(part.ring)
    inner = shape.buffer(-0.25, join_style="mitre")
    if part.high <= roof or inner.is_empty:
        out.area(shape, part.high, "roof")
        return
    out.area(inner, roof, "roof")
    out.area(shape.difference(inner), part.high, "concrete")
    for piece in shapely.get_parts(inner):
        ring = np.asarray(piece.exterior.coords)
        out.fences(ring if not piece.exterior.is_ccw else ring[::-1], roof, part.high, style.wall)
    if not cluttered:
        return
    x0, y0, x1, y1 = inner.bounds
    room = inner.buffer(-2.0)
    house, clutter = box(4.5, 3.2, 2.8, "concrete"), (box(1.8, 0.9, 1.3, "metal"), cylinder(1.0, 1.0, 1.9, "metal", 8))
    for i in range(int(rng.integers(2, 6))):
        spot = rng.uniform((x0, y0), (x1, y1))
        if room.contains(shapely.Point(spot)):
            mesh = house if i == 0 else clutter[int(rng.integers(2))]
            out.mesh(mesh.placed(float(spot[0]), float(spot[1]), roof, float(rng.uniform(0, 3.1))))


def facing(buildings: Sequence[np.ndarray], public: shapely.Geometry) -> Callable[[Wall], str]:
    """Return what tells of a wall whether it faces people, a yard or the wall next door.

    Args:
        buildings: outlines of all buildings, each (N, 2).
        public: where people go: carriageways, sidewalks, plazas.

    """
    tree = shapely.STRtree([Polygon(ring) for ring in buildings])
    shapely.prepare(public)

    def tell(wall: Wall) -> str:
        shares = np.array([0.15, 0.5, 0.85]) * wall.length
        before, behind = (
            set(zip(*tree.query(shapely.points(wall.points(shares, o, 0.0)[:, :2]), predicate="within"), strict=True))
            for o in (0.4, -0.4)
        )
        if len(before - behind) >= 2:
            return PARTY
        ahead = shapely.points(wall.points(shares[:, None], np.array([1.0, 3.0, 6.0]), 0.0).reshape(-1, 3)[:, :2])
        return STREET if shapely.contains(public, ahead).any() else YARD

    return tell
