"""The district: datum, platforms with their sensors, and zones on the ground; one YAML file.

Positions are metres in the map frame (ENU, origin at the datum), angles in files are degrees.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from twin_common.config import Config, ConfigError, from_mapping, load_yaml, setting
from twin_common.core import geodesy, geometry

SIGNAL_USERS = ("vehicles", "pedestrians")
ZONE_KINDS = ("carriageway", "crosswalk", "sidewalk", "plaza", "building", "site", "parking")


@dataclass(frozen=True, slots=True)
class DatumConfig(Config):
    """Origin of the map frame, WGS84."""

    latitude: float = setting(unit="deg", doc="north positive", low=-90, high=90)
    longitude: float = setting(unit="deg", doc="east positive", low=-180, high=180)
    altitude: float = setting(0.0, "m", "above the ellipsoid", low=-500, high=9000)


@dataclass(frozen=True, slots=True)
class PoseConfig(Config):
    """Where a frame stands in its parent: metres, and fixed-axis roll, pitch, yaw in degrees (REP-103)."""

    x: float = setting(0.0, "m")
    y: float = setting(0.0, "m")
    z: float = setting(0.0, "m")
    roll_deg: float = setting(0.0, "deg", low=-180, high=180)
    pitch_deg: float = setting(0.0, "deg", low=-180, high=180)
    yaw_deg: float = setting(0.0, "deg", low=-360, high=360)

    def matrix(self) -> np.ndarray:
        """Return parent_from_child, (4, 4)."""
        roll, pitch, yaw = np.radians((self.roll_deg, self.pitch_deg, self.yaw_deg))
        return geometry.transform_from_rpy((self.x, self.y, self.z), roll, pitch, yaw)


@dataclass(frozen=True, slots=True)
class SensorConfig(Config):
    """One sensor of a platform: where it is mounted, and the parameters of its driver.

    Without ``driver`` its messages come from elsewhere: a recording, or another machine.
    """

    mount: PoseConfig = setting(doc="sensor in base_link", factory=PoseConfig)
    driver: dict[str, Any] = setting(doc="parameters of the driver node", factory=dict)
    simulated: dict[str, Any] = setting(doc="how the simulator models it: keys of twin_sim.sensor_config", factory=dict)


@dataclass(frozen=True, slots=True)
class BodyConfig(Config):
    """The rectangle that a vehicle covers, seen from above: its LiDAR sees nobody else there.

    Mirrors, antennas and what its own paint reflects count too.
    """

    length: float = setting(5.0, "m", low=0.0, high=30.0)
    width: float = setting(3.2, "m", low=0.0, high=10.0)
    x: float = setting(0.0, "m", "of its middle in base_link", low=-15.0, high=15.0)
    y: float = setting(0.0, "m", "of its middle in base_link", low=-5.0, high=5.0)


@dataclass(frozen=True, slots=True)
class PlatformConfig(Config):
    """A smart pole or a sensor vehicle."""

    name: str = setting(doc="namespace without slash, e.g. pole_01")
    kind: str = setting("pole", doc="still or moving", choices=("pole", "vehicle"))
    pose: PoseConfig = setting(doc="base_link in map, on the ground; a vehicle has none", factory=PoseConfig)
    lidar: SensorConfig | None = setting(None, doc="LiDAR, frame <platform>/lidar")
    camera: SensorConfig | None = setting(None, doc="camera, optical frame <platform>/camera")
    gnss_imu: SensorConfig | None = setting(None, doc="GNSS/IMU, frame <platform>/imu")
    body: BodyConfig = setting(doc="of a vehicle", factory=BodyConfig)

    def parameters(self) -> dict[str, Any]:
        """Return what every node of the platform is told of it, if it has such a parameter."""
        values: dict[str, Any] = {"platform": self.name, "mode": "still" if self.kind == "pole" else "moving"}
        if self.lidar is not None:
            mount = self.lidar.mount
            values |= {"sensor_height": mount.z, "mount_x": mount.x, "mount_y": mount.y,
                       "roll_deg": mount.roll_deg, "pitch_deg": mount.pitch_deg, "yaw_deg": mount.yaw_deg}  # fmt: skip
        if self.kind == "vehicle":
            body = self.body
            values |= {"body_length": body.length, "body_width": body.width, "body_x": body.x, "body_y": body.y}
        return values


@dataclass(frozen=True, slots=True)
class ZoneConfig(Config):
    """A named polygon on the ground."""

    name: str = setting(doc="for people")
    kind: str = setting(doc="what it is", choices=ZONE_KINDS)
    polygon: tuple[tuple[float, float], ...] = setting(unit="m", doc="corners, map frame, at least three")
    height: float = setting(0.0, "m", "of what stands on it; 0: not known", low=0, high=900)

    def __post_init__(self) -> None:
        """Check the corners."""
        Config.__post_init__(self)
        if len(self.polygon) < 3:
            raise ConfigError(f"zone {self.name}: {len(self.polygon)} corners; expected at least 3")

    def corners(self) -> np.ndarray:
        """Return the corners, (N, 2), metres, map frame."""
        return np.array(self.polygon, float)


@dataclass(frozen=True, slots=True)
class SignalConfig(Config):
    """A signal head: where the middle of its lamps is, and whom it is for."""

    id: int = setting(doc="as in twin_msgs/Signal", low=0)
    x: float = setting(unit="m")
    y: float = setting(unit="m")
    z: float = setting(unit="m")
    yaw_deg: float = setting(unit="deg", doc="towards those it is for", low=-360, high=360)
    users: str = setting("vehicles", doc="whom it is for", choices=SIGNAL_USERS)


@dataclass(frozen=True, slots=True)
class DistrictConfig(Config):
    """Everything that is known about a district before the first scan."""

    name: str = setting(doc="for people")
    datum: DatumConfig = setting(doc="origin of the map frame")
    platforms: tuple[PlatformConfig, ...] = setting(doc="at most 64; their order gives the bits of Track.platforms")
    zones: tuple[ZoneConfig, ...] = setting((), doc="polygons on the ground")
    signals: tuple[SignalConfig, ...] = setting((), doc="signal heads that cameras may read")
    nodes: dict[str, Any] = setting(doc="parameters by node name, for all nodes of that name", factory=dict)

    def __post_init__(self) -> None:
        """Check names."""
        Config.__post_init__(self)
        names = [platform.name for platform in self.platforms]
        ids = [signal.id for signal in self.signals]
        if len(set(ids)) != len(ids):
            twice = next(item for item in ids if ids.count(item) > 1)
            raise ConfigError(f"district {self.name}: signals: id {twice} twice; expected different ids")
        if not 1 <= len(names) <= 64 or len(set(names)) != len(names):
            raise ConfigError(f"district {self.name}: {len(names)} platforms {names}; expected 1 to 64 different names")

    def origin(self) -> geodesy.Datum:
        """Return the datum for conversions."""
        return geodesy.Datum(self.datum.latitude, self.datum.longitude, self.datum.altitude)

    def platform(self, name: str) -> PlatformConfig:
        """Return a platform by name.

        Raises:
            ConfigError: no such platform; lists those there are.

        """
        for platform in self.platforms:
            if platform.name == name:
                return platform
        raise ConfigError(
            f"{name}: no such platform; district {self.name} has {', '.join(p.name for p in self.platforms)}"
        )

    def polygons(self, kind: str) -> list[np.ndarray]:
        """Return the corners of all zones of a kind, each (N, 2), metres, map frame."""
        return [zone.corners() for zone in self.zones if zone.kind == kind]


def load_district(path: Path | str) -> DistrictConfig:
    """Read a district's YAML file.

    Raises:
        ConfigError: the file is missing, not YAML, or has an unknown key or a value out of range.

    """
    path = Path(path)
    return from_mapping(DistrictConfig, load_yaml(path), str(path))
