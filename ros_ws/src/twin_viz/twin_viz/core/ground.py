"""The still part of the 3D scene: zones on the ground, buildings, platforms."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from twin_viz.core import palette
from twin_viz.core.primitives import Cylinders, Entity, Labels, Primitive, Triangles

#: Height of each kind above the ground, metres: what lies on top is drawn on top.
_LEVEL = {
    "site": -0.05, "carriageway": 0.0, "parking": 0.01, "plaza": 0.01, "sidewalk": 0.02, "crosswalk": 0.03,
    "building": 0.0,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Area:
    """A zone of the district; ``corners`` (N, 2), metres, map frame; ``height`` of a building, 0: not known."""

    name: str
    kind: str
    corners: np.ndarray
    height: float = 0.0


@dataclass(frozen=True, slots=True)
class Post:
    """A platform: its foot (x, y, z) and its height, metres, map frame; ``state`` indexes palette.PLATFORM_STATES."""

    name: str
    foot: tuple[float, float, float]
    height: float
    state: int


def build_ground(areas: tuple[Area, ...], building_height: float) -> Entity:
    """Return the zones as one surface a kind, buildings as blocks; those of unknown height get ``building_height``."""
    points: dict[str, list[np.ndarray]] = {}
    for area in areas:
        if area.kind == "building":
            own = _block(area.corners, area.height or building_height)
        else:
            own = _flat(area.corners, _LEVEL[area.kind])
        points.setdefault(area.kind, []).append(own)
    surfaces: list[Primitive] = [
        Triangles(np.concatenate(parts), palette.ZONE_COLORS[kind]) for kind, parts in points.items()
    ]
    return Entity("ground", tuple(surfaces))


def build_posts(posts: tuple[Post, ...], name: str = "platforms") -> Entity:
    """Return the platforms as posts, coloured by their state, with their names."""
    foot = np.array([post.foot for post in posts], float).reshape(-1, 3)
    height = np.array([post.height for post in posts], float)
    color = palette.PLATFORM_COLORS[[post.state for post in posts]].reshape(-1, 4)
    texts = tuple(
        post.name if post.state in (0, 3) else f"{post.name}  {palette.PLATFORM_STATES[post.state]}" for post in posts
    )
    top = foot + np.stack([np.zeros_like(height), np.zeros_like(height), height + 1.2], axis=1)
    return Entity(name, (Cylinders(foot, np.full(len(posts), 0.2), height, color), Labels(top, texts, color, 1.1)))


def _flat(corners: np.ndarray, level: float) -> np.ndarray:
    """Return the triangles of a polygon at a height, (T, 3, 3)."""
    flat = corners[triangulate(corners)]
    return np.concatenate([flat, np.full((*flat.shape[:2], 1), level)], axis=2)


def _block(corners: np.ndarray, height: float) -> np.ndarray:
    """Return the walls and the roof of a building, (T, 3, 3)."""
    after = np.roll(corners, -1, axis=0)
    low, high = np.zeros((len(corners), 1)), np.full((len(corners), 1), height)
    a, b = np.hstack([corners, low]), np.hstack([after, low])
    c, d = np.hstack([after, high]), np.hstack([corners, high])
    walls = np.concatenate([np.stack([a, b, c], axis=1), np.stack([a, c, d], axis=1)])
    return np.concatenate([walls, _flat(corners, height)])


def triangulate(corners: np.ndarray) -> np.ndarray:
    """Cut a simple polygon into triangles by ear clipping.

    Args:
        corners: (N, 2) in either direction of turn, N >= 3, without crossing edges.

    Returns:
        (N - 2, 3) indices of corners, counter-clockwise (fewer where corners lie on a line).

    Raises:
        ValueError: not (N, 2) with N >= 3.

    """
    if corners.ndim != 2 or corners.shape[1] != 2 or len(corners) < 3:
        raise ValueError(f"corners: expected (N, 2) with N >= 3, got {corners.shape}")
    x, y = corners.T
    area = float(np.sum(x * np.roll(y, -1) - np.roll(x, -1) * y))
    left = list(range(len(corners))) if area > 0 else list(range(len(corners)))[::-1]
    triangles = []
    while len(left) > 3:
        for i in range(len(left)):
            ear = (left[i - 1], left[i], left[(i + 1) % len(left)])
            if _is_ear(corners, ear, left):
                break
        else:
            i, ear = 0, (left[-1], left[0], left[1])  # corners on a line: any cut loses nothing
        triangles.append(ear)
        del left[i]
    return np.array([*triangles, tuple(left)])


def _cross(origin: np.ndarray, a: np.ndarray, b: np.ndarray) -> np.ndarray:
    cross: np.ndarray = (a[..., 0] - origin[..., 0]) * (b[..., 1] - origin[..., 1]) - (a[..., 1] - origin[..., 1]) * (
        b[..., 0] - origin[..., 0]
    )
    return cross


def _is_ear(corners: np.ndarray, ear: tuple[int, int, int], left: list[int]) -> bool:
    a, b, c = corners[list(ear)]
    if _cross(a, b, c) <= 0:
        return False
    others = corners[[i for i in left if i not in ear]]
    within = (_cross(a, b, others) >= 0) & (_cross(b, c, others) >= 0) & (_cross(c, a, others) >= 0)
    # A corner that lies exactly on one of the ear's own corners does not spoil it.
    within &= ~((others[:, None, :] == np.stack([a, b, c])).all(axis=2).any(axis=1))
    return not bool(within.any())
