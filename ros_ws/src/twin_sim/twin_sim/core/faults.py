"""What goes wrong with platforms on request: clocks that are off, packets lost or late, sensors and platforms that die.

Every answer depends on seed, platform, sensor and time or number alone, so that it does not matter who asks when.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from twin_common.config import Config, ConfigError, setting
from twin_common.stamps import NANOSECONDS

BLOCK = 1024  # packets; bursts of losses do not reach over the border of two blocks
SENSORS = ("lidar", "camera", "gnss", "imu")


@dataclass(frozen=True, slots=True)
class ClockConfig(Config):
    """The clock of a platform: what its stamps say is true time plus offset, drift and jitter."""

    platform: str = setting(doc="name, or * for all")
    offset: float = setting(0.0, "s", "at the start", low=-3600, high=3600)
    drift: float = setting(0.0, "us/s", "how fast it runs ahead", low=-1000, high=1000)
    jitter: float = setting(0.0, "s", "white error of each stamp, one sigma", low=0.0, high=1.0)


@dataclass(frozen=True, slots=True)
class LinkConfig(Config):
    """The way of packets or messages from a sensor: lost in bursts, late in a tail."""

    platform: str = setting(doc="name, or * for all")
    sensor: str = setting("*", doc="which", choices=("*", *SENSORS))
    loss: float = setting(0.0, "1", "share of packets that is lost", low=0.0, high=0.99)
    burst: float = setting(1.0, "1", "mean number of packets lost in a row", low=1.0, high=500.0)
    delay: float = setting(0.0, "s", "that every packet has", low=0.0, high=60.0)
    late: float = setting(0.0, "1", "share of packets that is later still", low=0.0, high=1.0)
    lateness: float = setting(0.1, "s", "mean of their further delay", low=0.0, high=60.0)

    def __post_init__(self) -> None:
        """Check that losses of that share can come in bursts of that length."""
        Config.__post_init__(self)
        most = self.burst / (self.burst + 1.0)
        if self.loss > most:
            raise ConfigError(
                f"LinkConfig.loss: {self.loss:g} with bursts of {self.burst:g} packets; expected at most {most:.3g}"
            )


@dataclass(frozen=True, slots=True)
class OutageConfig(Config):
    """A sensor that dies, and may come back."""

    platform: str = setting(doc="name, or * for all")
    sensor: str = setting(doc="which; * for all of the platform", choices=("*", *SENSORS))
    start: float = setting(unit="s", doc="since the start of the run", low=0.0)
    duration: float = setting(0.0, "s", "0: for good", low=0.0)


@dataclass(frozen=True, slots=True)
class LossConfig(Config):
    """A platform that is lost as a whole: power, network or pole gone."""

    platform: str = setting(doc="name")
    start: float = setting(unit="s", doc="since the start of the run", low=0.0)
    duration: float = setting(0.0, "s", "0: for good", low=0.0)


@dataclass(frozen=True, slots=True)
class FaultsConfig(Config):
    """Everything that goes wrong in a run; of several entries that fit, the last holds for clocks and links."""

    clocks: tuple[ClockConfig, ...] = setting((), doc="clocks that are off")
    links: tuple[LinkConfig, ...] = setting((), doc="packets lost or late")
    outages: tuple[OutageConfig, ...] = setting((), doc="sensors that die")
    losses: tuple[LossConfig, ...] = setting((), doc="platforms that are lost")


class Faults:
    """Applies the faults of a run.

    Args:
        config: what goes wrong.
        seed: of the run.
        start_ns: when the run begins.
        platforms: names of all platforms.

    Raises:
        ConfigError: a fault names a platform that does not exist.

    """

    def __init__(self, config: FaultsConfig, seed: int, start_ns: int, platforms: Sequence[str]) -> None:
        """Check the names."""
        for kind in ("clocks", "links", "outages", "losses"):
            for entry in getattr(config, kind):
                if entry.platform not in platforms and (entry.platform != "*" or kind == "losses"):
                    raise ConfigError(
                        f"faults.{kind}: {entry.platform}: no such platform; expected one of {', '.join(platforms)}"
                    )
        self._config, self._seed, self._start_ns = config, seed, start_ns
        self._platforms = tuple(platforms)
        self._dropped = lru_cache(maxsize=256)(self._drop_block)

    def stamp(self, platform: str, true_ns: int) -> int:
        """Return what the platform's clock shows at a true time, ns."""
        clock = next((c for c in reversed(self._config.clocks) if c.platform in (platform, "*")), None)
        if clock is None:
            return true_ns
        error = round(clock.offset * NANOSECONDS) + round((true_ns - self._start_ns) * clock.drift * 1e-6)
        if clock.jitter > 0:
            rng = np.random.default_rng([self._seed, _stream(platform, "clock"), true_ns & 0x7FFF_FFFF_FFFF_FFFF])
            error += round(clock.jitter * NANOSECONDS * rng.normal())
        return true_ns + error

    def alive(self, platform: str, sensor: str, true_ns: int) -> bool:
        """Return whether a sensor works and its platform is there."""
        if platform in self.lost(true_ns):
            return False
        return not any(
            outage.platform in (platform, "*") and outage.sensor in (sensor, "*") and self._during(outage, true_ns)
            for outage in self._config.outages
        )

    def lost(self, true_ns: int) -> frozenset[str]:
        """Return the platforms that are lost at a true time."""
        return frozenset(loss.platform for loss in self._config.losses if self._during(loss, true_ns))

    def keep(self, platform: str, sensor: str, numbers: np.ndarray) -> np.ndarray:
        """Return which packets arrive, (N,) bool; ``numbers``: (N,) int, running numbers of the packets, from 0.

        Losses come in bursts (Gilbert 1960, "Capacity of a burst-noise channel").
        """
        link = self._link(platform, sensor)
        if link is None or link.loss == 0:
            return np.ones(len(numbers), bool)
        blocks, places = np.divmod(np.asarray(numbers, np.int64), BLOCK)
        kept = np.empty(len(numbers), bool)
        for block in np.unique(blocks):
            rows = blocks == block
            kept[rows] = ~self._dropped(platform, sensor, int(block))[places[rows]]
        return kept

    def delays(self, platform: str, sensor: str, numbers: np.ndarray) -> np.ndarray:
        """Return by how much each packet comes late, (N,) int64 ns; ``numbers``: (N,) int, running numbers, from 0."""
        link = self._link(platform, sensor)
        count = len(numbers)
        if link is None:
            return np.zeros(count, np.int64)
        late = np.zeros(count)
        if link.late > 0:
            blocks, places = np.divmod(np.asarray(numbers, np.int64), BLOCK)
            for block in np.unique(blocks):
                rng = np.random.default_rng([self._seed, _stream(platform, sensor), int(block), 1])
                chosen, more = rng.random(BLOCK) < link.late, rng.exponential(link.lateness, BLOCK)
                rows = blocks == block
                late[rows] = (chosen * more)[places[rows]]
        return np.round((link.delay + late) * NANOSECONDS).astype(np.int64)

    def _link(self, platform: str, sensor: str) -> LinkConfig | None:
        fitting = (link for link in reversed(self._config.links) if link.platform in (platform, "*"))
        return next((link for link in fitting if link.sensor in (sensor, "*")), None)

    def _during(self, fault: OutageConfig | LossConfig, true_ns: int) -> bool:
        since = (true_ns - self._start_ns) / NANOSECONDS - fault.start
        return since >= 0 and (fault.duration == 0 or since < fault.duration)

    def _drop_block(self, platform: str, sensor: str, block: int) -> np.ndarray:
        """Return which packets of a block are lost, (BLOCK,) bool: runs of lost and kept ones in turn."""
        link = self._link(platform, sensor)
        if link is None:
            return np.zeros(BLOCK, bool)
        rng = np.random.default_rng([self._seed, _stream(platform, sensor), block, 0])
        leave = 1.0 / link.burst
        enter = leave * link.loss / (1.0 - link.loss)
        lost, bad = np.zeros(BLOCK, bool), bool(rng.random() < link.loss)
        place = 0
        while place < BLOCK:
            run = int(rng.geometric(leave if bad else enter))
            lost[place : place + run] = bad
            place, bad = place + run, not bad
        return lost


def _stream(platform: str, sensor: str) -> int:
    return zlib.crc32(f"{platform}/{sensor}".encode())
