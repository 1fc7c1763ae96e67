"""The blocks of Sangmu between its streets: buildings, building sites, the plaza and the alley.

Map frame, metres. A block is a quadrilateral (4, 2): south-west, south-east, north-east, north-west.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np
import shapely
from sangmu_streets import AVENUE, BACK, BOUNDS, COLUMNS, EAST, NORTH, ROWS, STREET, position
from shapely.geometry import Polygon

STOREY, GROUND_STOREY, PARAPET = 3.3, 4.4, 0.9
EDGE = 1.5  # between the outermost buildings and the end of the district
YARD = 7.0  # between the rear of one row of buildings and the next
SEED = 20240607

#: Buildings in the row along the south and along the north of every ordinary block, west to east, south to north.
ROWS_OF = {
    ("s", "w"): (2, 3), ("s", "street1"): (3, 3), ("s", "street2"): (2, 3), ("s", "street3"): (3, 2),
    ("s", "street4"): (2, 2), ("s", "street5"): (2, 2),
    ("south", "w"): (2, 3), ("south", "street2"): (3, 3), ("south", "street3"): (3, 4), ("south", "street4"): (3, 3),
    ("south", "street5"): (2, 2),
    ("avenue", "w"): (3, 2), ("avenue", "street1"): (3, 3), ("avenue", "street5"): (2, 2),
    ("north", "w"): (2, 2), ("north", "street1"): (3, 2), ("north", "street2"): (3, 3), ("north", "street3"): (3, 3),
    ("north", "street4"): (2, 2), ("north", "street5"): (2, 1),
}  # fmt: skip
USES = ("offices", "clinic", "hotel", "restaurants", "karaoke house", "bank", "academy", "market", "residence", "mall")

ALLEY_EAST = -37.8  # x of the wall along its east side
#: Of each stretch of the alley from south to north: y where it ends, and x of the wall along its west side.
ALLEY_WEST = ((42.0, -42.0), (67.0, -41.5), (BACK.half, -42.7))
PLAZA_SIZE = (50.0, 40.0)
CORNER = 5.3  # of the plaza, cut off by the pavement of the main crossing


@dataclass(frozen=True, slots=True)
class Building:
    """A building: outline (N, 2) counter-clockwise, and its height."""

    name: str
    corners: np.ndarray
    height: float


def storeys_height(storeys: int) -> float:
    """Return the height of a building of so many storeys."""
    return round(GROUND_STOREY + STOREY * (storeys - 1) + PARAPET, 1)


def _line(row_or_column: str, a: tuple[str, str], b: tuple[str, str], side: int) -> tuple[np.ndarray, np.ndarray]:
    """Return (point, direction) of a building line: left of the way from node a to b for ``side`` 1, right for -1."""
    if row_or_column in ("w", "e", "s", "n"):
        x0, y0, x1, y1 = BOUNDS
        fixed = {"w": x0 + EDGE, "e": x1 - EDGE, "s": y0 + EDGE, "n": y1 - EDGE}[row_or_column]
        vertical = row_or_column in ("w", "e")
        point = np.array([fixed, 0.0] if vertical else [0.0, fixed])
        return point, np.array([0.0, 1.0] if vertical else [1.0, 0.0])
    half = (EAST | NORTH)[row_or_column].half
    start, end = np.array(position(*a)), np.array(position(*b))
    along = (end - start) / np.linalg.norm(end - start)
    return start + side * half * np.array([-along[1], along[0]]), along


def _meet(first: tuple[np.ndarray, np.ndarray], second: tuple[np.ndarray, np.ndarray]) -> np.ndarray:
    (p, d), (q, e) = first, second
    s, _ = np.linalg.solve(np.column_stack([d, -e]), q - p)
    return p + s * d


def block(row: str, column: str) -> np.ndarray:
    """Return the block north of a row and east of a column, (4, 2), from building line to building line."""
    above, right = ROWS[ROWS.index(row) + 1], COLUMNS[COLUMNS.index(column) + 1]
    south = _line(row, (column, row), (right, row), 1)
    north = _line(above, (column, above), (right, above), -1)
    west = _line(column, (column, row), (column, above), -1)
    east = _line(right, (right, row), (right, above), 1)
    return np.array([_meet(south, west), _meet(south, east), _meet(north, east), _meet(north, west)])


def within(quad: np.ndarray, u: float | np.ndarray, v: float | np.ndarray) -> np.ndarray:
    """Return points of a quadrilateral by their shares of its width and depth, (..., 2)."""
    u, v = np.asarray(u, float)[..., None], np.asarray(v, float)[..., None]
    return (1 - v) * ((1 - u) * quad[0] + u * quad[1]) + v * ((1 - u) * quad[3] + u * quad[2])


def lot(quad: np.ndarray, u0: float, u1: float, v0: float, v1: float) -> np.ndarray:
    """Return a part of a block as a quadrilateral, (4, 2)."""
    return within(quad, np.array([u0, u1, u1, u0]), np.array([v0, v0, v1, v1]))


def _shares(count: int, length: float, gap: float, rng: np.random.Generator) -> list[tuple[float, float]]:
    """Return ``count`` intervals of 0..1 with gaps between them, of uneven widths."""
    widths = rng.uniform(0.8, 1.25, count)
    widths *= (length - gap * (count - 1)) / widths.sum() / length
    starts = np.concatenate([[0.0], np.cumsum(widths + gap / length)[:-1]])
    return [(float(a), float(a + w)) for a, w in zip(starts, widths, strict=True)]


def _footprint(quad: np.ndarray, front: str, rng: np.random.Generator) -> np.ndarray:
    """Return an outline inside a lot: full, set back from the street, L-shaped, notched or with a cut corner.

    ``front`` tells which side of the lot faces a street: ``s`` or ``n``.
    """
    depth = float(np.linalg.norm(quad[3] - quad[0]))
    kind = rng.choice(["full", "set back", "L", "notch", "cut", "U"], p=[0.26, 0.2, 0.24, 0.1, 0.1, 0.1])
    back = rng.uniform(1.2, 3.0) / depth if kind == "set back" else 0.0
    a, b = rng.uniform(0.38, 0.6), rng.uniform(0.4, 0.6)
    shapes = {
        "full": [(0, 0), (1, 0), (1, 1), (0, 1)],
        "set back": [(0, back), (1, back), (1, 1), (0, 1)],
        "L": [(0, 0), (1, 0), (1, b), (a, b), (a, 1), (0, 1)],
        "notch": [(0, 0), (0.36, 0), (0.36, 0.12), (0.64, 0.12), (0.64, 0), (1, 0), (1, 1), (0, 1)],
        "cut": [(0.12, 0), (1, 0), (1, 1), (0, 1), (0, 0.12)],
        "U": [(0, 0), (1, 0), (1, 1), (0.68, 1), (0.68, 0.55), (0.32, 0.55), (0.32, 1), (0, 1)],
    }
    uv = np.array(shapes[str(kind)], float)
    if rng.random() < 0.5:
        uv = np.column_stack([1 - uv[:, 0], uv[:, 1]])[::-1]
    if front == "n":
        uv = np.column_stack([uv[:, 0], 1 - uv[:, 1]])[::-1]
    return np.round(within(quad, uv[:, 0], uv[:, 1]), 2)


def _storeys(row: str, front: str, rng: np.random.Generator) -> int:
    """Return a number of storeys: high along the avenue, low along the back streets."""
    on_avenue = (row, front) in (("avenue", "s"), ("south", "n"))
    low, high = (6, 20) if on_avenue else (3, 12) if (row, front) in (("south", "s"), ("s", "n")) else (2, 8)
    return int(low + (high - low + 1) * rng.beta(1.3, 1.9))


def _ordinary(row: str, column: str, rng: np.random.Generator) -> list[tuple[np.ndarray, float]]:
    quad = block(row, column)
    width = float(np.linalg.norm(quad[1] - quad[0]))
    depth = float(np.linalg.norm(quad[3] - quad[0]))
    split = rng.uniform(0.42, 0.52)
    found = []
    for front, count, v0, v1 in (
        ("s", ROWS_OF[row, column][0], 0.0, split),
        ("n", ROWS_OF[row, column][1], split + YARD / depth, 1.0),
    ):
        for u0, u1 in _shares(count, width, float(rng.choice([1.2, 2.0, 3.5])), rng):
            corners = _footprint(lot(quad, u0, u1, v0, v1), front, rng)
            found.append((corners, storeys_height(_storeys(row, front, rng))))
    return found


def alley() -> np.ndarray:
    """Return the walkable outline of the alley, counter-clockwise, (N, 2): 4.2, 3.7 and 4.9 m wide."""
    south, north = AVENUE.half, 100.0 - BACK.half
    ends = [y for y, _ in ALLEY_WEST[:-1]] + [north]
    walls = [x for _, x in ALLEY_WEST]
    west = [(walls[-1], north)]
    for i in range(len(walls) - 1, 0, -1):
        west += [(walls[i], ends[i - 1]), (walls[i - 1], ends[i - 1])]
    return np.array([(walls[0], south), (ALLEY_EAST, south), (ALLEY_EAST, north), *west])


def _alley_block(rng: np.random.Generator) -> list[tuple[np.ndarray, float]]:
    """Return the nine buildings around the alley: wall to wall along it, an outer row along street 2."""
    quad = block("avenue", "street2")
    west, east = float(quad[0, 0]), float(quad[1, 0])
    south, north = float(quad[0, 1]), float(quad[2, 1])
    found, start = [], south
    for i, (end, wall) in enumerate(ALLEY_WEST):
        end = north if i == 2 else end
        storeys = rng.integers(4, 8, 3)
        inner = [(-63.0, start), (wall, start), (wall, end), (-63.0, end)]
        outer = [(west, start), (-65.0, start), (-65.0, end - (0.0 if i == 2 else 2.0)), (west, end - 2.0 * (i < 2))]
        other = [(ALLEY_EAST, start), (east, start), (east, end), (ALLEY_EAST, end)]
        if i == 1:  # a light well at the side away from the alley
            well = [(-63.0, end - 8.0), (-56.0, end - 8.0), (-56.0, start + 8.0), (-63.0, start + 8.0)]
            inner = [*inner, *well]
        heights = [storeys_height(int(n)) for n in storeys + np.array([0, 3 * (i == 0), 0])]
        found += list(zip((np.array(inner), np.array(outer), np.array(other)), heights, strict=True))
        start = end
    return found


def plaza() -> np.ndarray:
    """Return the plaza north-east of the main crossing, (4, 2)."""
    x, y = STREET.half, AVENUE.half
    return np.array([(x, y), (x + PLAZA_SIZE[0], y), (x + PLAZA_SIZE[0], y + PLAZA_SIZE[1]), (x, y + PLAZA_SIZE[1])])


def plaza_outline() -> np.ndarray:
    """Return the plaza without the corner that belongs to the main crossing, (5, 2)."""
    x, y = STREET.half, AVENUE.half
    return np.vstack([(x, y + CORNER), (x + CORNER, y), plaza()[1:]])


def _plaza_block(rng: np.random.Generator) -> list[tuple[np.ndarray, float]]:
    """Return the five buildings beside the plaza: two north, three east of it."""
    quad = block("avenue", "street3")
    corner = plaza()[2]
    north, east = corner[1] + 0.5, corner[0] + 0.5
    behind = shapely.box(quad[0, 0], north, east - 2.5, 200.0).intersection(Polygon(quad))
    beside = shapely.box(east, 0.0, 200.0, 200.0).intersection(Polygon(quad))
    middle = float(quad[0, 0] + 0.46 * (east - quad[0, 0]))
    parts = [
        behind.intersection(shapely.box(0, 0, middle, 200)),
        behind.intersection(shapely.box(middle + 1.5, 0, 200, 200)),
        beside.intersection(shapely.box(0, 0, 200, 38)), beside.intersection(shapely.box(0, 40, 200, 64)),
        beside.intersection(shapely.box(0, 67, 200, 200)),
    ]  # fmt: skip
    storeys = (int(rng.integers(5, 9)), int(rng.integers(6, 10)), 18, 9, 5)
    return [
        (np.round(np.array(part.exterior.normalize().reverse().coords)[:-1], 2), storeys_height(n))
        for part, n in zip(parts, storeys, strict=True)
    ]  # fmt: skip


def sites() -> dict[str, np.ndarray]:
    """Return the outlines of the two building sites, each (4, 2)."""
    return {
        "site_1": np.round(lot(block("avenue", "street4"), 0.0, 0.52, 0.0, 0.54), 2),
        "site_2": np.round(lot(block("south", "street1"), 0.5, 1.0, 0.0, 0.5), 2),
    }


def _site_blocks(rng: np.random.Generator) -> list[tuple[np.ndarray, float]]:
    first, second = block("avenue", "street4"), block("south", "street1")
    lots = [
        (lot(first, 0.56, 1.0, 0.0, 0.45), "s", 12), (lot(first, 0.0, 0.47, 0.62, 1.0), "n", 5),
        (lot(first, 0.5, 1.0, 0.55, 1.0), "n", 7),
        (lot(second, 0.0, 0.46, 0.0, 0.46), "s", 6), (lot(second, 0.0, 0.3, 0.55, 1.0), "n", 15),
        (lot(second, 0.33, 0.66, 0.57, 1.0), "n", 8), (lot(second, 0.68, 1.0, 0.57, 1.0), "n", 11),
    ]  # fmt: skip
    return [(_footprint(quad, front, rng), storeys_height(n)) for quad, front, n in lots]


def buildings() -> list[Building]:
    """Return all buildings, in the order of their numbers."""
    rng = np.random.default_rng(SEED)
    found: list[tuple[np.ndarray, float]] = []
    special = {
        ("avenue", "street2"): _alley_block, ("avenue", "street3"): _plaza_block,
        ("avenue", "street4"): _site_blocks, ("south", "street1"): None,
    }  # fmt: skip
    for row, column in itertools.product(("s", "south", "avenue", "north"), COLUMNS[:-1]):
        if (row, column) not in special:
            found += _ordinary(row, column, rng)
        elif (maker := special[row, column]) is not None:
            found += maker(rng)
    uses = rng.permutation([USES[i % len(USES)] for i in range(len(found))])
    return [
        Building(f"{use} {i + 1:03d}", corners, height)
        for i, ((corners, height), use) in enumerate(zip(found, uses, strict=True))
    ]  # fmt: skip
