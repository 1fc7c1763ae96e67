"""A spinning LiDAR over a flat ground with boxes and walls, cast in NumPy: known truth for tests and benchmarks."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from twin_common.pointcloud import Cloud, from_xyz

START_NS = 1_700_000_000_000_000_000
PERIOD_NS = 100_000_000


@dataclass(frozen=True, slots=True)
class Box:
    """A solid: centre of its foot ``x``, ``y``, size and heading, ground frame below the sensor, metres, radians."""

    x: float
    y: float
    length: float
    width: float
    height: float
    yaw: float = 0.0


@dataclass(frozen=True, slots=True)
class Lidar:
    """Beams of a spinning LiDAR ``height`` metres above the ground; elevations in degrees, ranges in metres."""

    height: float
    rings: int = 64
    columns: int = 512
    lowest_deg: float = -45.0
    highest_deg: float = 45.0
    max_range: float = 80.0
    range_sigma: float = 0.02

    def directions(self) -> np.ndarray:
        """Return the unit vectors of all beams, (rings * columns, 3), lowest ring first."""
        elevation = np.radians(np.linspace(self.lowest_deg, self.highest_deg, self.rings))[:, None]
        azimuth = (np.arange(self.columns) / self.columns * 2 - 1)[None] * np.pi + 1e-3
        across = np.cos(elevation) * np.ones_like(azimuth)
        beams = [across * np.cos(azimuth), across * np.sin(azimuth), np.sin(elevation) * np.ones_like(azimuth)]
        return np.stack(beams, axis=-1).reshape(-1, 3)


def scan(lidar: Lidar, boxes: list[Box], rng: np.random.Generator, index: int = 0, frame_id: str = "lidar") -> Cloud:
    """Return the returns of the nearest surfaces; beams that hit nothing have no return."""
    beams = lidar.directions()
    ring = np.repeat(np.arange(lidar.rings), lidar.columns)
    with np.errstate(divide="ignore", invalid="ignore"):
        distance = np.where(beams[:, 2] < 0, -lidar.height / beams[:, 2], np.inf)
        for box in boxes:
            distance = np.minimum(distance, _hit(box, lidar.height, beams))
    seen = distance < lidar.max_range
    measured = distance[seen] + rng.normal(0.0, lidar.range_sigma, np.count_nonzero(seen))
    turn = np.tile(np.arange(lidar.columns) + 1, lidar.rings)[seen] / lidar.columns
    offset = np.round((turn - 1.0) * PERIOD_NS).astype(np.int32)
    xyz = (beams[seen] * measured[:, None]).astype(np.float32)
    return from_xyz(START_NS + index * PERIOD_NS, frame_id, xyz, ring=ring[seen], time_offset_ns=offset)


def _hit(box: Box, sensor_height: float, beams: np.ndarray) -> np.ndarray:
    """Return the distance along each beam from (0, 0, sensor_height) to a box, inf where it misses, by slabs."""
    cos, sin = np.cos(box.yaw), np.sin(box.yaw)
    turned = np.stack(
        [beams[:, 0] * cos + beams[:, 1] * sin, beams[:, 1] * cos - beams[:, 0] * sin, beams[:, 2]], axis=1
    )
    origin = np.array([-box.x * cos - box.y * sin, box.x * sin - box.y * cos, sensor_height - box.height / 2])
    half = np.array([box.length, box.width, box.height]) / 2
    low, high = (-half - origin) / turned, (half - origin) / turned
    enter, leave = np.minimum(low, high).max(axis=1), np.maximum(low, high).min(axis=1)
    return np.where((enter <= leave) & (enter > 0), enter, np.inf)
