"""Configuration of the simulator's nodes."""

from __future__ import annotations

from dataclasses import dataclass

from twin_common.config import Config, setting


@dataclass(frozen=True, slots=True)
class SensorsConfig(Config):
    """The simulated sensors of one platform."""

    platform: str = setting(doc="its name in the district file")
    scenario: str = setting(doc="scenario file")
    seed: int = setting(-1, doc="of everything random; -1: the scenario's own", low=-1)
    settings: tuple[str, ...] = setting((), doc="changes of the scenario, key=value")
    columns: int = setting(0, "1", "of the LiDAR's turn; 0: as the district says", low=0, high=4096)
    udp_host: str = setting("", doc="send the LiDAR's packets here instead of publishing clouds; empty: publish")
    udp_port: int = setting(7502, doc="of the driver that listens there", low=1, high=65535)
    lead: float = setting(0.06, "s", "how long before the end of a turn it is computed", low=0.0, high=0.1)
