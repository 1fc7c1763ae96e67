"""The sky over an antenna: satellites that circle the Earth, and the buildings that hide or reflect them.

Directions are unit vectors towards the satellite, east-north-up, (..., 3).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

EARTH_MU = 3.986_005e14  # m^3/s^2, IS-GPS-200
EARTH_RATE = 7.292_115e-5  # rad/s, IS-GPS-200
EARTH_RADIUS = 6_371_000.0  # m; a sphere is enough for directions
#: Orbits: planes, satellites a plane, inclination (rad), radius (m), and how far neighbouring planes are shifted (rad).
#: GPS: IS-GPS-200 and its 24 nominal slots; Galileo: OS-SIS-ICD, Walker 24/3/1.
SYSTEMS = ((6, 4, np.radians(55.0), 26_559_800.0, np.radians(41.0)), (3, 8, np.radians(56.0), 29_599_800.0, np.pi / 12))
REFLECTION_RANGE = 150.0  # m; walls farther away give weak reflections that come in late and are ignored


@dataclass(frozen=True, slots=True)
class Constellation:
    """Circular orbits of navigation satellites, (S,) each; angles in radians at the epoch, metres."""

    node: np.ndarray
    anomaly: np.ndarray
    inclination: np.ndarray
    radius: np.ndarray

    def __len__(self) -> int:
        return len(self.node)

    def directions(self, stamp_ns: int, latitude: float, longitude: float) -> np.ndarray:
        """Return where each satellite stands as seen from the ground, (S, 3) ENU; latitude and longitude in radians."""
        seconds = stamp_ns / 1e9
        along = self.anomaly + np.sqrt(EARTH_MU / self.radius**3) * seconds
        node = self.node - EARTH_RATE * seconds
        flat, tilted = self.radius * np.cos(along), self.radius * np.sin(along)
        place = np.stack(
            [
                flat * np.cos(node) - tilted * np.cos(self.inclination) * np.sin(node),
                flat * np.sin(node) + tilted * np.cos(self.inclination) * np.cos(node),
                tilted * np.sin(self.inclination),
            ],
            axis=1,
        )
        sp, cp, sl, cl = np.sin(latitude), np.cos(latitude), np.sin(longitude), np.cos(longitude)
        axes = np.array([[-sl, cl, 0.0], [-sp * cl, -sp * sl, cp], [cp * cl, cp * sl, sp]])
        sight = place - EARTH_RADIUS * axes[2]
        directions: np.ndarray = (sight / np.linalg.norm(sight, axis=1, keepdims=True)) @ axes.T
        return directions


def constellation(seed: int) -> Constellation:
    """Return the satellites of GPS and Galileo, with the planes turned by a seeded angle: a sky of no special day."""
    rng = np.random.default_rng([seed, 0x5C1])
    columns = []
    for planes, slots, inclination, radius, shift in SYSTEMS:
        plane, slot = np.divmod(np.arange(planes * slots), slots)
        node = 2 * np.pi * plane / planes + rng.uniform(0, 2 * np.pi)
        anomaly = 2 * np.pi * slot / slots + shift * plane + rng.uniform(0, 2 * np.pi)
        size = len(plane)
        columns.append(np.stack([node, anomaly, np.full(size, inclination), np.full(size, radius)]))
    return Constellation(*np.concatenate(columns, axis=1))


class Skyline:
    """Walls of the buildings around an antenna.

    Args:
        buildings: footprint (N, 2), metres, map frame, and height above the ground, metres, of each.

    """

    def __init__(self, buildings: Sequence[tuple[np.ndarray, float]]) -> None:
        """Take the walls apart."""
        starts, ends, heights, insides = [], [], [], []
        for corners, height in buildings:
            if height <= 0:
                continue
            following = np.roll(corners, -1, axis=0)
            starts.append(corners)
            ends.append(following)
            heights.append(np.full(len(corners), float(height)))
            area = np.sum(corners[:, 0] * following[:, 1] - following[:, 0] * corners[:, 1])
            insides.append(np.full(len(corners), np.sign(area)))
        self._start = np.concatenate(starts) if starts else np.zeros((0, 2))
        self._along = (np.concatenate(ends) if ends else np.zeros((0, 2))) - self._start
        self._height = np.concatenate(heights) if heights else np.zeros(0)
        turned = np.stack([self._along[:, 1], -self._along[:, 0]], axis=1)
        length = np.maximum(np.linalg.norm(self._along, axis=1), 1e-9)
        side = np.concatenate(insides) if insides else np.zeros(0)
        self._normal = turned * (side / length)[:, None]  # outward

    def blocked(self, antenna: np.ndarray, directions: np.ndarray) -> np.ndarray:
        """Return whether a wall stands before each direction, (S,) bool; ``antenna``: (3,) metres, map frame."""
        level = np.linalg.norm(directions[:, :2], axis=1)
        ray = directions[:, :2] / np.maximum(level, 1e-9)[:, None]
        distance = self._meet(antenna[:2], ray[None])
        rise = directions[:, 2] / np.maximum(level, 1e-9)
        hidden = antenna[2] + distance * rise < self._height[:, None]
        return np.asarray((hidden & np.isfinite(distance)).any(axis=0))

    def detours(self, antenna: np.ndarray, directions: np.ndarray) -> np.ndarray:
        """Return how much longer the shortest way over one wall is, (S,) metres, inf where no wall reflects.

        A mirror lengthens the way by twice the distance to its plane times the cosine of incidence. What stands
        between antenna and wall, or between wall and satellite, is not looked at.
        """
        towards = antenna[:2] - self._start
        distance = np.einsum("ek,ek->e", towards, self._normal)
        near = (distance > 0.1) & (distance < REFLECTION_RANGE)
        if not near.any():
            return np.full(len(directions), np.inf)
        normal, distance = self._normal[near], distance[near]
        facing = normal @ directions[:, :2].T
        mirrored = directions[None, :, :2] - 2 * facing[..., None] * normal[:, None]
        level = np.linalg.norm(mirrored, axis=2)
        reach = self._meet(antenna[:2], mirrored / np.maximum(level, 1e-9)[..., None], near)
        top = antenna[2] + reach * directions[:, 2] / np.maximum(level, 1e-9)
        good = (facing > 0) & np.isfinite(reach) & (top < self._height[near][:, None])
        longer: np.ndarray = np.where(good, 2 * distance[:, None] * facing, np.inf).min(axis=0)
        return longer

    def _meet(self, origin: np.ndarray, ray: np.ndarray, walls: np.ndarray | None = None) -> np.ndarray:
        """Return how far along each ray (E or 1, S, 2) it crosses each wall, (E, S) metres; inf where it does not."""
        start, along = (self._start, self._along) if walls is None else (self._start[walls], self._along[walls])
        offset = start - origin
        denominator = ray[..., 0] * along[:, 1, None] - ray[..., 1] * along[:, 0, None]
        safe = np.where(np.abs(denominator) < 1e-12, np.nan, denominator)
        distance = (offset[:, 0] * along[:, 1] - offset[:, 1] * along[:, 0])[:, None] / safe
        share = (offset[:, 0, None] * ray[..., 1] - offset[:, 1, None] * ray[..., 0]) / safe
        met: np.ndarray = np.where((distance > 0) & (share >= 0) & (share <= 1), distance, np.inf)
        return met
