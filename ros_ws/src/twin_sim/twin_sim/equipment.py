"""The usual equipment of smart poles and sensor vehicles, for districts that are made and not measured."""

from __future__ import annotations

from twin_common.district import PlatformConfig, PoseConfig, SensorConfig

STAGGER = 0.03  # seconds between the turns of one platform's LiDAR and the next one's, within a tenth of a second


def pole(name: str, pose: PoseConfig, number: int, tilt_deg: float = 16.0) -> PlatformConfig:
    """Return a pole: LiDAR with all beams below the horizon on top, camera that looks ahead and down by ``tilt_deg``.

    ``number``: of the platform in its district, from 0.
    """
    lidar = SensorConfig(PoseConfig(z=5.2), simulated={"model": "OS0-64", "phase": _phase(number)})
    camera = SensorConfig(PoseConfig(x=0.25, z=5.5, roll_deg=-90.0 - tilt_deg, yaw_deg=-90.0))
    return PlatformConfig(name, "pole", pose, lidar, camera)


def vehicle(name: str) -> PlatformConfig:
    """Return a sensor vehicle: LiDAR on the roof, camera behind the windscreen, GNSS and IMU.

    Its turns end with the fixes, so that there is a pose for each.
    """
    lidar = SensorConfig(PoseConfig(z=1.9), simulated={"model": "OS1-64"})
    camera = SensorConfig(PoseConfig(x=0.6, z=1.45, roll_deg=-92.0, yaw_deg=-90.0))
    return PlatformConfig(name, "vehicle", PoseConfig(), lidar, camera, SensorConfig(PoseConfig(z=1.6)))


def _phase(number: int) -> float:
    return round(number * STAGGER % 0.1, 3)
