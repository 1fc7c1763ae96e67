"""How the simulator models the sensors of a platform: the ``simulated`` blocks of district.yaml."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

from twin_common.config import Config, ConfigError, from_mapping, setting
from twin_common.district import PlatformConfig, SensorConfig
from twin_sim.core.camera_model import CameraModel
from twin_sim.core.gnss_imu import GnssImuConfig
from twin_sim.core.lidar_models import LidarModel, lidar_model


@dataclass(frozen=True, slots=True)
class LidarConfig(Config):
    """A simulated LiDAR."""

    model: str = setting("OS1-64", doc="of twin_sim.core.lidar_models")
    columns: int = setting(0, "1", "of a turn; 0: the model's own", low=0, high=4096)
    phase: float = setting(0.0, "s", "of the end of a turn within a tenth of a second", low=0, high=0.0999)


@dataclass(frozen=True, slots=True)
class CameraConfig(Config):
    """A simulated camera."""

    image: CameraModel = setting(doc="size and lens", factory=CameraModel)
    every: int = setting(2, "1", "takes a picture at each n-th tenth of a second", low=1, high=100)


def _read(cls: type[Config], sensor: SensorConfig | None, where: str) -> Config | None:
    return None if sensor is None else from_mapping(cls, sensor.simulated, f"{where}.simulated")


def lidar_of(platform: PlatformConfig, columns: int = 0) -> tuple[LidarConfig, LidarModel] | None:
    """Return the LiDAR of a platform and its model, None where it has none; ``columns`` other than 0 replaces its own.

    Raises:
        ConfigError: the block, or the model with these columns, is not what was expected.

    """
    where = f"{platform.name}.lidar"
    config = _read(LidarConfig, platform.lidar, where)
    if config is None:
        return None
    assert isinstance(config, LidarConfig)
    changed = dataclasses.replace(config, columns=columns) if columns else config
    try:
        return changed, lidar_model(changed.model, changed.columns)
    except ConfigError as error:
        raise ConfigError(f"{where}: {error}") from None


def ouster_columns(platform: PlatformConfig, columns: int) -> int:
    """Return ``columns`` for a platform whose LiDAR is an Ouster; 0 for others: these have columns of their own.

    Raises:
        ConfigError: the block is not what was expected.

    """
    found = lidar_of(platform)
    return columns if found is not None and found[1].ouster else 0


def driver_of(platform: PlatformConfig, number: int, columns: int = 0) -> dict[str, str]:
    """Return the model and metadata that the ordinary driver needs for a platform's simulated packets.

    Raises:
        ConfigError: its LiDAR is no Ouster.

    """
    found = lidar_of(platform, columns)
    if found is None or not found[1].ouster:
        raise ConfigError(f"{platform.name}.lidar: sends no Ouster packets; expected an Ouster model")
    from twin_sim.core.lidar_packets import metadata

    return {"model": found[1].driver, "metadata": metadata(found[1], number)}


def camera_of(platform: PlatformConfig) -> CameraConfig | None:
    """Return the camera of a platform, None where it has none."""
    config = _read(CameraConfig, platform.camera, f"{platform.name}.camera")
    assert config is None or isinstance(config, CameraConfig)
    return config


def gnss_imu_of(platform: PlatformConfig) -> GnssImuConfig | None:
    """Return the GNSS receiver and IMU of a platform, None where it has none."""
    config = _read(GnssImuConfig, platform.gnss_imu, f"{platform.name}.gnss_imu")
    assert config is None or isinstance(config, GnssImuConfig)
    return config
