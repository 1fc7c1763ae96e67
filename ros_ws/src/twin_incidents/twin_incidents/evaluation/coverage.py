"""Where a breakdown would be told of: a car that stands alone, put everywhere on the roads around the poles."""

from __future__ import annotations

import numpy as np

from twin_common.district import DistrictConfig
from twin_incidents.convert import zones_from_district
from twin_incidents.core.ground import Ground, depth, edge_distances
from twin_incidents.core.places import vehicle_stopped_in_lane
from twin_incidents.core.scene import PlatformHealth, Scene, TrackTable, Zones
from twin_incidents.table import IncidentRow, load_table

CAR, CAR_SIZE = 1, (4.6, 1.9)
AROUND = 60.0  # m from a pole
PLACES = 2000


def stopped_share(district: DistrictConfig, seed: int = 0) -> float:
    """Return at which share of places in lanes within AROUND of a pole a lone standing car is told of.

    Places are random and uniform; the car stands along the nearest edge of the lanes, either way.
    """
    rng, zones = np.random.default_rng(seed), zones_from_district(district)
    poles = [
        PlatformHealth(platform.name, bit, 0, 0, False, (platform.pose.x, platform.pose.y))
        for bit, platform in enumerate(district.platforms) if platform.kind == "pole"
    ]  # fmt: skip
    stand = np.array([pole.position for pole in poles])
    places: np.ndarray = np.zeros((0, 2))
    while len(places) < PLACES:
        tried = rng.uniform(stand.min(axis=0) - AROUND, stand.max(axis=0) + AROUND, (PLACES, 2))
        near = np.linalg.norm(tried[:, None] - stand, axis=2).min(axis=1) <= AROUND
        places = np.concatenate([places, tried[near & (depth(tried, zones.lanes) >= 0.5 * CAR_SIZE[1])]])
    places = places[:PLACES]
    yaw = _along(places, zones.lanes) + np.pi * rng.integers(0, 2, PLACES)
    row = next(row for row in load_table() if row.rule == "vehicle_stopped_in_lane")
    return float(np.mean([_told(place, angle, zones, poles, row) for place, angle in zip(places, yaw, strict=True)]))


def _along(places: np.ndarray, ground: Ground) -> np.ndarray:
    """Return the direction, rad, of the edge of an area that is nearest to each of the places (N, 2)."""
    edge = (ground.end - ground.start)[edge_distances(places, ground).argmin(axis=1)]
    return np.asarray(np.arctan2(edge[:, 1], edge[:, 0]))


def _told(place: np.ndarray, yaw: float, zones: Zones, poles: list[PlatformHealth], row: IncidentRow) -> bool:
    one, kinds = np.ones(1), np.zeros((1, 10))
    kinds[0, CAR] = 0.9
    tracks = TrackTable(
        np.ones(1, np.uint64), np.zeros(1, np.uint64), place[None], np.zeros((1, 2)), np.array([CAR_SIZE]),
        np.array([yaw]), 10 * one, 0 * one, one, np.full(1, CAR), kinds, 0.1 * one, 0 * one,
    )  # fmt: skip
    return bool(vehicle_stopped_in_lane(Scene(0, 0, tracks, None, zones, tuple(poles)), row))
