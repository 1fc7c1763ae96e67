"""What the tracker knows of a district: where objects can be, and what its poles can see."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from twin_common.district import DistrictConfig
from twin_tracking.config import TrackerConfig
from twin_tracking.core.region import ZoneRegion
from twin_tracking.core.visibility import Visibility, Walls


def region_of(district: DistrictConfig) -> ZoneRegion:
    """Return where objects can be, from the district's zones."""
    return ZoneRegion.of((zone.kind, zone.corners()) for zone in district.zones)


def walls_of(district: DistrictConfig) -> Walls:
    """Return the sides of the district's buildings; one of unknown height hides all that is behind it."""
    zones = [zone for zone in district.zones if zone.kind == "building"]
    if not zones:
        return Walls(np.zeros((0, 2)), np.zeros((0, 2)), np.zeros(0))
    corners = [zone.corners() for zone in zones]
    height = [np.full(len(part), zone.height or np.inf) for part, zone in zip(corners, zones, strict=True)]
    following = [np.roll(part, -1, axis=0) for part in corners]
    return Walls(np.concatenate(corners), np.concatenate(following), np.concatenate(height))


def sensors_of(district: DistrictConfig, platforms: Sequence[str]) -> dict[int, np.ndarray]:
    """Return where the LiDARs of still platforms are, (3,) map frame, by index in ``platforms``."""
    found = {}
    for platform in district.platforms:
        if platform.name in platforms and platform.pose is not None and platform.lidar is not None:
            pose, mount = platform.pose, platform.lidar.mount
            found[platforms.index(platform.name)] = np.array([pose.x, pose.y, pose.z + mount.z])
    return found


def visibility_of(district: DistrictConfig, platforms: Sequence[str], config: TrackerConfig) -> Visibility:
    """Return what the still platforms of a district can see; a platform's bit is its index in ``platforms``."""
    return Visibility(sensors_of(district, platforms), walls_of(district), config)
