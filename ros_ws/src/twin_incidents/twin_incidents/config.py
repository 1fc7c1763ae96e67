"""Parameters of the three nodes; the only home of their defaults. The incident table is in table.py."""

from __future__ import annotations

from dataclasses import dataclass

from twin_common.config import Config, setting


@dataclass(frozen=True, slots=True)
class PlatformMonitorConfig(Config):
    """Parameters of the platform monitor."""

    platform: str = setting(doc="name of the platform it reports on")
    district: str = setting(doc="path of the district's YAML")
    max_silence: float = setting(
        1.0, "s", "silence of a sensor from which the platform is degraded", low=0.1, high=60.0
    )
    max_start: float = setting(
        15.0,
        "s",
        "silence of a LiDAR that has not been heard yet: its background is being learned",
        low=0.1,
        high=600.0,
    )
    max_latency_ms: float = setting(
        500.0, "ms", "median latency of objects from which the platform is degraded", low=1.0, high=60000.0
    )


@dataclass(frozen=True, slots=True)
class IncidentConfig(Config):
    """Parameters of the incident detector."""

    district: str = setting(doc="path of the district's YAML")
    platforms: tuple[str, ...] = setting((), doc="platforms that take part, in the district's order")
    table: str = setting("", doc='path of the incident table; "": the one in this package')
    min_existence: float = setting(
        0.5, "", "tracks are left out if it is less probable that there is such an object", low=0.0, high=1.0
    )
    max_gap: float = setting(
        0.15, "s", "a finding may be missing this long before its minimum duration starts anew", low=0.0, high=5.0
    )
    prediction_wait: float = setting(
        0.15, "s", "how long tracks wait for their predictions before they are judged without", low=0.02, high=2.0
    )


@dataclass(frozen=True, slots=True)
class DispatcherConfig(Config):
    """Parameters of the dispatcher."""

    district: str = setting(doc="path of the district's YAML")
    table: str = setting("", doc='path of the incident table; "": the one in this package')
    language: str = setting("en", doc="language of the alerts' text", choices=("en", "ko"))
    min_interval: float = setting(1.0, "s", "least time between updates of one alert", low=0.0, high=60.0)
    repeat: float = setting(10.0, "s", "an alert that holds is told again after this time", low=1.0, high=3600.0)
    probability_band: float = setting(0.2, "", "change of probability that is worth an update", low=0.01, high=1.0)
    place_step: float = setting(5.0, "m", "change of place that is worth an update", low=0.1, high=1000.0)
    max_silence: float = setting(
        2.0, "s", "silence of the incident detector that is reported as a problem", low=0.2, high=60.0
    )
