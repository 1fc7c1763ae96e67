"""Configuration of the Foxglove bridge."""

from __future__ import annotations

from dataclasses import dataclass

from twin_common.config import Config, setting


@dataclass(frozen=True, slots=True)
class FoxgloveConfig(Config):
    """Where operators connect, and what they see."""

    host: str = setting("127.0.0.1", doc="address to listen on; 0.0.0.0: all interfaces")
    port: int = setting(8765, doc="port to listen on; 0: any free one", low=0, high=65535)
    district: str = setting("", doc="path of the district's YAML; empty: no ground, poles or map")
    platforms: tuple[str, ...] = setting((), doc="names of the district's platforms, in order")
    raw_topics: bool = setting(True, doc="also offer every topic of the registry as it is (needs middleware)")
    backlog: int = setting(1024, "messages", "waiting per client before the oldest is dropped", low=64, high=65536)
    scene_rate: float = setting(10.0, "Hz", "most scene updates per second", low=0.5, high=30.0)
    stale_after: float = setting(2.0, "s", "tracks without news leave the scene", low=0.2, high=60.0)
    arrow_time: float = setting(
        1.0, "s", "a velocity arrow reaches as far as its object in this time", low=0.1, high=5.0
    )
    label_speed: float = setting(
        0.5, "m/s", "slower objects have no label unless an incident names them", low=0.0, high=10.0
    )
    min_mode_probability: float = setting(0.15, "", "less probable predicted paths are not drawn", low=0.0, high=1.0)
    fade_deviation: float = setting(
        2.0, "m", "standard deviation at which a path has half its opacity", low=0.1, high=50.0
    )
    building_height: float = setting(
        6.0, "m", "buildings whose height the district does not tell are drawn this high", low=0.1, high=100.0
    )
    service_timeout: float = setting(2.0, "s", "the dispatcher must have answered by then", low=0.1, high=30.0)
