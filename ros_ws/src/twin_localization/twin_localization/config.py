"""Configuration of the frames node, the localizer and the map matcher."""

from __future__ import annotations

from dataclasses import dataclass

from twin_common.config import Config, setting


@dataclass(frozen=True, slots=True)
class FramesConfig(Config):
    """Where the fixed frames of one platform come from."""

    platform: str = setting("", doc="name of the platform; filled in by the graph")
    district: str = setting("", doc="path of the district's YAML; filled in by the graph")


@dataclass(frozen=True, slots=True)
class FilterConfig(Config):
    """Noise and limits of the filter over position, velocity and heading."""

    acceleration_sigma: float = setting(3.0, "m/s^2", "how hard the platform may accelerate", low=0.01, high=50.0)
    yaw_rate_sigma: float = setting(0.02, "rad/s", "error of the IMU's yaw rate", low=1e-4, high=5.0)
    blind_yaw_rate_sigma: float = setting(
        0.5, "rad/s", "how fast the platform may turn while no yaw rate is measured", low=1e-3, high=5.0
    )
    position_sigma: float = setting(2.0, "m", "error of a fix that brings no covariance", low=1e-3, high=50.0)
    white_share: float = setting(
        0.1,
        "",
        "share of a fix's error that changes from fix to fix and is smoothed; the rest drifts slowly",
        low=0.01,
        high=1.0,
    )
    drift_time: float = setting(10.0, "s", "in which the slow error of the fixes changes", low=0.1, high=3600.0)
    heading_drift_time: float = setting(
        60.0, "s", "in which the slow error of the measured heading changes", low=0.1, high=3600.0
    )
    velocity_sigma: float = setting(0.1, "m/s", "error of a velocity that brings no covariance", low=1e-3, high=10.0)
    yaw_sigma: float = setting(0.01, "rad", "error of an IMU heading that brings no covariance", low=1e-4, high=1.0)
    min_course_speed: float = setting(
        1.0, "m/s", "slowest speed at which the course over ground gives the heading", low=0.1, high=10.0
    )
    gate_sigma: float = setting(6.0, "", "a fix this many standard deviations off is an outlier", low=2.0, high=100.0)
    max_outliers: int = setting(5, "", "outliers in a row after which the filter starts anew", low=1, high=100)
    max_coast: float = setting(2.0, "s", "how long the pose is predicted without a fix", low=0.0, high=60.0)


@dataclass(frozen=True, slots=True)
class LocalizerConfig(FilterConfig):
    """The localizer of a moving platform."""

    platform: str = setting("", doc="name of the platform; filled in by the graph")
    district: str = setting("", doc="path of the district's YAML; filled in by the graph")
    max_wait: float = setting(
        0.03, "s", "how long a fix waits for the orientation and velocity of its moment", low=0.0, high=0.5
    )
    fix_timeout: float = setting(0.25, "s", "without a fix for this long, poses are predicted", low=0.05, high=5.0)


@dataclass(frozen=True, slots=True)
class MapMatcherConfig(Config):
    """Where a vehicle's scans lie on the district's map."""

    platform: str = setting("", doc="name of the platform; filled in by the graph")
    district: str = setting("", doc="path of the district's YAML; filled in by the graph")
    every: float = setting(0.5, "s", "time between two scans that are sought on the map", low=0.1, high=60.0)
    reach: float = setting(60.0, "m", "farther points are left out", low=10.0, high=200.0)
    points: int = setting(1500, "", "points of a scan that are used: half of them high", low=400, high=20000)
    road: float = setting(0.0, "m", "height of the roads in the map frame: they are taken for level")
    kerb: float = setting(0.15, "m", "how much higher than the road all other ground is", low=0.0, high=1.0)
    min_share: float = setting(
        0.35, "", "share of what stands high that must lie on walls of the map", low=0.05, high=1.0
    )
    min_ground: float = setting(
        0.75, "", "share of the ground near its height that must be road or pavement as mapped", low=0.0, high=1.0
    )
    map_sigma: float = setting(0.05, "m", "error of the map itself", low=0.001, high=2.0)
    search_sigma: float = setting(
        0.7, "m", "error of the guess above which places around it are tried", low=0.1, high=10.0
    )
    search_every: float = setting(5.0, "s", "they are tried this often all the same", low=0.5, high=3600.0)
