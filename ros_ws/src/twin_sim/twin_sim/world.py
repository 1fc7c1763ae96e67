"""What stands in a district, beyond what its district.yaml says: read from the folder's world.yaml.

A district's folder: ``district.yaml`` (twin_common.district: datum, platforms, zones with the buildings' heights),
``world.yaml`` (this module), and the SUMO network it names. Positions: map frame, metres; angles in files: degrees.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from twin_common.config import Config, ConfigError, from_mapping, load_yaml, setting
from twin_common.district import DistrictConfig, load_district


@dataclass(frozen=True, slots=True)
class ThingConfig(Config):
    """A thing that stands still; a lamp's arm and the front of a bench or stall point along its yaw."""

    kind: str = setting(
        doc="what it is",
        choices=("tree", "lamp", "bollard", "bench", "cabinet", "bin", "stall", "planter", "fountain"),
    )
    x: float = setting(unit="m")
    y: float = setting(unit="m")
    yaw_deg: float = setting(0.0, "deg")
    size: float = setting(1.0, "1", "scale of the usual size", low=0.2, high=5.0)


@dataclass(frozen=True, slots=True)
class ParkedConfig(Config):
    """A parked vehicle."""

    x: float = setting(unit="m")
    y: float = setting(unit="m")
    yaw_deg: float = setting(0.0, "deg")
    shape: str = setting("saloon", choices=("saloon", "hatchback", "suv", "van", "taxi", "truck", "motorcycle"))
    appearance: int = setting(0, doc="seed of paint and details", low=0)


@dataclass(frozen=True, slots=True)
class PanelConfig(Config):
    """A piece of a facade, or a sign, that a scenario can make move; ``x, y, z`` is the middle of its foot."""

    name: str = setting(doc="for scenarios")
    kind: str = setting(choices=("panel", "sign"))
    x: float = setting(unit="m")
    y: float = setting(unit="m")
    z: float = setting(unit="m", doc="of its lower edge, above the ground")
    yaw_deg: float = setting(doc="direction of its outward normal", unit="deg")
    width: float = setting(unit="m", low=0.2)
    height: float = setting(unit="m", low=0.2)
    thickness: float = setting(0.2, "m", low=0.02)


@dataclass(frozen=True, slots=True)
class CraneConfig(Config):
    """A tower crane of a building site."""

    name: str = setting(doc="for scenarios")
    x: float = setting(unit="m")
    y: float = setting(unit="m")
    height: float = setting(30.0, "m", low=5)
    jib: float = setting(25.0, "m", "length of the jib", low=5)
    yaw_deg: float = setting(0.0, "deg", "direction of the jib")


@dataclass(frozen=True, slots=True)
class GateConfig(Config):
    """Where people come into a crowd area and leave it: a segment of its outline."""

    name: str = setting()
    start: tuple[float, float] = setting(unit="m")
    end: tuple[float, float] = setting(unit="m")
    edge: str = setting("", doc="SUMO edge of the sidewalk outside; empty: none")
    position: float = setting(0.0, "m", "along that edge")


@dataclass(frozen=True, slots=True)
class CrowdAreaConfig(Config):
    """An area whose people jupedsim moves: plaza or alley."""

    name: str = setting()
    polygon: tuple[tuple[float, float], ...] = setting(unit="m", doc="walkable outline")
    obstacles: tuple[tuple[tuple[float, float], ...], ...] = setting((), "m", "polygons inside it")
    gates: tuple[GateConfig, ...] = setting(())


@dataclass(frozen=True, slots=True)
class PlaceConfig(Config):
    """A named point for scenarios."""

    name: str = setting()
    x: float = setting(unit="m")
    y: float = setting(unit="m")


@dataclass(frozen=True, slots=True)
class RouteConfig(Config):
    """The round of a sensor vehicle: SUMO edges, driven again and again."""

    platform: str = setting(doc="name in district.yaml")
    edges: tuple[str, ...] = setting()


@dataclass(frozen=True, slots=True)
class WorldConfig(Config):
    """Everything in world.yaml."""

    network: str = setting(doc="SUMO network, file beside world.yaml")
    bounds: tuple[float, float, float, float] = setting(unit="m", doc="x0, y0, x1, y1 of the district")
    things: tuple[ThingConfig, ...] = setting(())
    parked: tuple[ParkedConfig, ...] = setting(())
    panels: tuple[PanelConfig, ...] = setting(())
    cranes: tuple[CraneConfig, ...] = setting(())
    crowd_areas: tuple[CrowdAreaConfig, ...] = setting(())
    places: tuple[PlaceConfig, ...] = setting(())
    routes: tuple[RouteConfig, ...] = setting(())


@dataclass(frozen=True, slots=True)
class World:
    """A district with all that stands in it."""

    folder: Path
    district: DistrictConfig
    config: WorldConfig

    @property
    def network(self) -> Path:
        """The SUMO network."""
        return self.folder / self.config.network


def load_world(folder: Path) -> World:
    """Read a district's folder.

    Raises:
        ConfigError: a file is missing, or has a key or value that was not expected.

    """
    if not folder.is_dir():
        raise ConfigError(f"{folder}: no such folder; expected a district with district.yaml and world.yaml")
    path = folder / "world.yaml"
    config = from_mapping(WorldConfig, load_yaml(path), str(path))
    world = World(folder, load_district(folder / "district.yaml"), config)
    if not world.network.is_file():
        raise ConfigError(f"{path}: network: {world.network}: no such file; expected a SUMO network")
    return world
