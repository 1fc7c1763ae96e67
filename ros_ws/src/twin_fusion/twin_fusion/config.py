"""Configuration of fusion and merger."""

from __future__ import annotations

from dataclasses import dataclass

from twin_common.config import Config, setting


@dataclass(frozen=True, slots=True)
class FusionConfig(Config):
    """Brings the detections of one platform to the map frame."""

    platform: str = setting("", doc="name of the platform; filled in by the graph")
    platforms: tuple[str, ...] = setting((), doc="all platforms of the district, in order; filled in by the graph")
    max_wait: float = setting(0.2, "s", "how long detections wait for the pose of their moment", low=0.0, high=2.0)
    max_extrapolation: float = setting(
        0.05, "s", "how far beyond the newest pose a moving platform's pose is extended", low=0.0, high=0.5
    )
    position_sigma: float = setting(0.03, "m", "error of the platform's position", low=0.0, high=5.0)
    yaw_sigma: float = setting(0.003, "rad", "error of the platform's heading", low=0.0, high=0.5)


@dataclass(frozen=True, slots=True)
class PairingConfig(Config):
    """When two platforms are taken to see the same object."""

    sigma_floor: float = setting(0.05, "m", "smallest error of a position that is believed", low=0.001, high=1.0)
    view_bias: float = setting(
        0.25, "", "error of a centre that comes from seeing one side only, as a share of the extent", low=0.0, high=1.0
    )
    gate: float = setting(9.21, "", "squared Mahalanobis distance, 2 degrees of freedom; 9.21 is 99%", low=1.0, high=50)
    margin: float = setting(0.15, "m", "gap between two footprints that may still be one object", low=0.0, high=2.0)
    min_agreement: float = setting(0.2, "", "smallest agreement of two class distributions, 0..1", low=0.0, high=1.0)


@dataclass(frozen=True, slots=True)
class MergerConfig(PairingConfig):
    """Merges what the platforms of a district see."""

    platforms: tuple[str, ...] = setting((), doc="all platforms of the district, in order; filled in by the graph")
    period: float = setting(0.1, "s", "arrays this far apart are never put together", low=0.01, high=2.0)
    max_wait: float = setting(0.05, "s", "how long the first array of a slot waits for the others", low=0.0, high=1.0)
    silence: float = setting(1.0, "s", "a platform silent for longer is not waited for", low=0.1, high=30.0)
    max_lead: float = setting(0.5, "s", "a stamp this far in the future is refused", low=0.0, high=10.0)
