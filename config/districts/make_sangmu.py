"""Make config/districts/sangmu from its description: run this after a change of sangmu_*.py.

.venv/bin/python config/districts/make_sangmu.py
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import sangmu_blocks as blocks
import sangmu_furniture as furniture
import shapely
from sangmu_names import title
from sangmu_streets import BOUNDS, write_network

from twin_common.district import DatumConfig, DistrictConfig, ZoneConfig
from twin_sim.core.network_zones import Network, ground_zones, outline, read_network, simple
from twin_sim.core.signals import SignalHead, signal_heads
from twin_sim.district_files import signal_configs, write_district
from twin_sim.world import WorldConfig

NETWORK = "sangmu.net.xml"
HEAD = "Made by config/districts/make_sangmu.py: change that, not this."


def _zone(name: str, kind: str, corners: object, height: float = 0.0) -> ZoneConfig:
    rows = tuple((round(float(x), 2), round(float(y), 2)) for x, y in corners)  # type: ignore[attr-defined]
    return ZoneConfig(name, kind, rows, height)


def _clear(corners: np.ndarray, network: Network) -> np.ndarray:
    """Return an outline without the ground on which people walk round the corner of a crossing."""
    walks = shapely.union_all([outline(area) for area in network.walking_areas.values()])
    shape = shapely.Polygon(corners)
    if shape.intersection(walks).area < 0.05:
        return corners
    return max(
        simple(shape.difference(walks.buffer(0.3, join_style="mitre"))), key=lambda ring: shapely.Polygon(ring).area
    )


def district(network: Network, heads: tuple[SignalHead, ...]) -> DistrictConfig:
    """Return what district.yaml says."""
    zones = [_zone(title(zone.name), zone.kind, zone.corners) for zone in ground_zones(network, BOUNDS)]
    zones.append(_zone("plaza", "plaza", blocks.plaza_outline()))
    zones.append(_zone("alley", "plaza", blocks.alley()))
    zones += [_zone(name, "site", corners) for name, corners in blocks.sites().items()]
    zones += [_zone(item.name, "building", _clear(item.corners, network), item.height) for item in blocks.buildings()]
    datum = DatumConfig(35.1525, 126.8510, 30.0)
    return DistrictConfig("Sangmu", datum, furniture.platforms(), tuple(zones), signal_configs(heads))


def world(network: Network) -> WorldConfig:
    """Return what world.yaml says."""
    poles = [item for item in furniture.platforms() if item.kind == "pole"]
    return WorldConfig(
        NETWORK, BOUNDS, furniture.things(network, poles), furniture.parked(network), furniture.panels(),
        furniture.cranes(), furniture.crowd_areas(network), furniture.places(), furniture.routes(),
    )  # fmt: skip


def make(folder: Path) -> None:
    """Write the network, district.yaml and world.yaml into a folder that exists."""
    write_network(folder / NETWORK)
    network = read_network(folder / NETWORK)
    heads = signal_heads(folder / NETWORK)
    write_district(folder, district(network, heads), world(network), HEAD)


if __name__ == "__main__":
    target = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent / "sangmu"
    target.mkdir(exist_ok=True)
    make(target)
    print(f"wrote {target}")
