"""The crossing: streets, kerbs, buildings and furniture, as zones of the district and as one mesh.

Map frame (east, north, up), origin at the middle of the crossing, metres. Right-hand traffic.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from meshes import MATERIAL_NAMES, Mesh, ball, box, cylinder, joined
from shapes import Size, car

KERB = 0.15
MAIN_HALF, SIDE_HALF = 6.5, 6.0  # half widths of the carriageways: two lanes each way
WALK = 4.0  # width of the sidewalks
REACH = 80.0  # how far the streets are modelled
BAY = (18.0, 46.0, MAIN_HALF, 8.8)  # x0, x1, y0, y1 of the parking bay on the north side of the east arm

Rectangle = tuple[float, float, float, float]  # x0, x1, y0, y1


@dataclass(frozen=True, slots=True)
class Zone:
    """A named polygon on the ground: ``polygon`` in metres, map frame."""

    name: str
    kind: str
    polygon: tuple[tuple[float, float], ...]


@dataclass(frozen=True, slots=True)
class Building:
    """A block: rectangle, height and material."""

    name: str
    area: Rectangle
    height: float
    material: str


BUILDINGS = (
    Building("north-east tower", (10.0, 30.0, 10.5, 32.0), 24.0, "concrete"),
    Building("north-east shops", (31.5, 62.0, 11.5, 26.0), 9.0, "brick"),
    Building("north-west office", (-34.0, -10.0, 10.5, 30.0), 18.0, "concrete"),
    Building("north-west clinic", (-66.0, -36.0, 12.0, 28.0), 12.0, "brick"),
    Building("south-west arcade", (-28.0, -10.0, -34.0, -10.5), 15.0, "brick"),
    Building("south-west hotel", (-60.0, -31.0, -30.0, -12.0), 30.0, "concrete"),
    Building("south-east market", (10.0, 36.0, -28.0, -10.5), 8.0, "brick"),
    Building("south-east office", (38.0, 70.0, -32.0, -11.5), 21.0, "concrete"),
    Building("north flats east", (11.0, 28.0, 35.0, 70.0), 20.0, "concrete"),
    Building("north flats west", (-30.0, -11.0, 33.0, 72.0), 16.0, "brick"),
    Building("south flats west", (-30.0, -11.0, -70.0, -37.0), 14.0, "concrete"),
    Building("south flats east", (11.0, 30.0, -72.0, -31.0), 17.0, "brick"),
)
CROSSWALKS: dict[str, Rectangle] = {
    "east crosswalk": (7.0, 11.0, -MAIN_HALF, MAIN_HALF),
    "west crosswalk": (-11.0, -7.0, -MAIN_HALF, MAIN_HALF),
    "north crosswalk": (-SIDE_HALF, SIDE_HALF, 7.5, 11.5),
    "south crosswalk": (-SIDE_HALF, SIDE_HALF, -11.5, -7.5),
}
STREETS: dict[str, Rectangle] = {
    "Sangmu main street": (-REACH, REACH, -MAIN_HALF, MAIN_HALF),
    "Sangmu side street": (-SIDE_HALF, SIDE_HALF, -REACH, REACH),
}
TREES = ((-33.0, 7.3), (-46.0, 7.3), (-15.0, 7.3), (14.5, -7.3), (30.0, -7.3), (44.0, -7.3), (-38.0, -7.3),
         (-52.0, -7.3), (6.8, 24.0), (6.8, 38.0), (-6.8, -22.0), (-6.8, -36.0), (6.8, -34.0), (-6.8, 30.0))  # fmt: skip
LAMPS = ((-28.0, 7.0), (-30.5, -7.0), (20.0, -7.0), (50.0, 7.0), (6.5, -18.0), (-6.5, 18.0), (6.6, -7.0), (-6.6, 7.0))
CABINETS = ((-13.0, 9.9, 1.2), (13.0, -9.8, 1.0), (-9.4, -16.0, 1.4), (9.3, 19.0, 1.1))
PARKED = ((21.0, "paint_mid"), (32.5, "paint_light"), (38.5, "paint_dark"), (43.5, "paint_mid"))


def corners(area: Rectangle) -> tuple[tuple[float, float], ...]:
    """Return the corners of a rectangle, counter-clockwise."""
    x0, x1, y0, y1 = area
    return ((x0, y0), (x1, y0), (x1, y1), (x0, y1))


def _sidewalk(sign_x: int, sign_y: int) -> tuple[tuple[float, float], ...]:
    """Return the L of sidewalk around one corner of the crossing."""
    inner_x, inner_y, outer_x, outer_y = SIDE_HALF, MAIN_HALF, SIDE_HALF + WALK, MAIN_HALF + WALK
    bay = ((BAY[0], BAY[2]), (BAY[0], BAY[3]), (BAY[1], BAY[3]), (BAY[1], BAY[2])) if sign_x > 0 and sign_y > 0 else ()
    outline = (
        (inner_x, inner_y), *bay, (REACH, inner_y), (REACH, outer_y), (outer_x, outer_y), (outer_x, REACH),
        (inner_x, REACH),
    )  # fmt: skip
    return tuple((sign_x * x, sign_y * y) for x, y in outline)


def zones() -> list[Zone]:
    """Return everything a district knows about its ground."""
    names = {(1, 1): "north-east", (-1, 1): "north-west", (-1, -1): "south-west", (1, -1): "south-east"}
    return [
        *(Zone(name, "carriageway", corners(area)) for name, area in STREETS.items()),
        *(Zone(name, "crosswalk", corners(area)) for name, area in CROSSWALKS.items()),
        *(Zone(f"{name} sidewalk", "sidewalk", _sidewalk(*signs)) for signs, name in names.items()),
        *(Zone(block.name, "building", corners(block.area)) for block in BUILDINGS),
    ]


def _kerbed() -> list[Rectangle]:
    """Return the raised ground, as rectangles that do not overlap."""
    inner_x, inner_y = SIDE_HALF, MAIN_HALF
    areas = [(sx * inner_x, sx * REACH, sy * inner_y, sy * REACH) for sx in (-1, 1) for sy in (-1, 1)]
    ordered = [(min(a, b), max(a, b), min(c, d), max(c, d)) for a, b, c, d in areas]
    plain = [area for area in ordered if not (area[0] > 0 and area[2] > 0)]
    return [
        *plain,
        (inner_x, BAY[0], inner_y, REACH), (BAY[0], BAY[1], BAY[3], REACH), (BAY[1], REACH, inner_y, REACH),
    ]  # fmt: skip


def ground_height(x: float, y: float) -> float:
    """Return the height of the ground: the kerb's on raised ground, 0 on the carriageway."""
    return KERB if any(x0 <= x <= x1 and y0 <= y <= y1 for x0, x1, y0, y1 in _kerbed()) else 0.0


def _block(area: Rectangle, height: float, material: str, base: float = 0.0) -> Mesh:
    x0, x1, y0, y1 = area
    return box(x1 - x0, y1 - y0, height, material).placed((x0 + x1) / 2, (y0 + y1) / 2, base)


def _house(block: Building) -> list[Mesh]:
    """Return a building with shop windows: a strip of glass that stands out from each wall by a little."""
    x0, x1, y0, y1 = block.area
    strips = []
    for start in np.arange(x0 + 1.5, x1 - 3.5, 5.0):
        for wall in (y0 - 0.02, y1 - 0.02):
            strips.append(_block((float(start), float(start) + 3.0, wall, wall + 0.04), 2.2, "glass", KERB + 0.5))
    return [_block(block.area, block.height, block.material), *strips]


def _tree(x: float, y: float) -> Mesh:
    return joined([cylinder(0.14, 0.14, 3.0, "bark"), ball(1.3, "leaves", 5, 9).placed(z=2.4)]).placed(x, y, KERB)


def scenery(poles: list[tuple[float, float, float]]) -> Mesh:
    """Return all that stands still; ``poles`` gives x, y of each sensor pole and the height of its mast."""
    parked = [car(Size(4.5, 1.82, 1.48), paint).placed(x, (BAY[2] + BAY[3]) / 2, 0.0, np.pi) for x, paint in PARKED]
    return joined(
        [
            box(400.0, 400.0, 0.5, "asphalt").placed(z=-0.5),
            *(_block(area, KERB, "paving") for area in _kerbed()),
            *(part for block in BUILDINGS for part in _house(block)),
            *(_tree(x, y) for x, y in TREES),
            *(cylinder(0.09, 0.09, 7.0, "metal").placed(x, y, KERB) for x, y in LAMPS),
            *(box(0.8, 0.5, height, "metal").placed(x, y, KERB) for x, y, height in CABINETS),
            *(cylinder(0.1, 0.1, height, "metal").placed(x, y, KERB) for x, y, height in poles),
            *parked,
        ]
    )


def painted(points: np.ndarray, materials: np.ndarray) -> np.ndarray:
    """Return ``materials`` (N,) with road markings where ``points`` (N, 3) lie on crosswalk stripes or lane lines."""
    x, y = np.where(np.isfinite(points[:, :2]), points[:, :2], 0.0).T
    stripes = np.zeros(len(points), bool)
    for name, (x0, x1, y0, y1) in CROSSWALKS.items():
        across = y - y0 if name.startswith(("east", "west")) else x - x0
        stripes |= (x > x0) & (x < x1) & (y > y0) & (y < y1) & (across % 1.0 < 0.5)
    off_x, off_y = np.abs(x) > 13.0, np.abs(y) > 13.0
    stripes |= (np.abs(y) < 0.15) & off_x | (np.abs(x) < 0.15) & off_y
    stripes |= (np.abs(np.abs(y) - MAIN_HALF / 2) < 0.08) & off_x & (x % 8.0 < 3.0)
    stripes |= (np.abs(np.abs(x) - SIDE_HALF / 2) < 0.08) & off_y & (y % 8.0 < 3.0)
    on_road = materials == MATERIAL_NAMES.index("asphalt")
    return np.where(stripes & on_road, MATERIAL_NAMES.index("marking"), materials)
