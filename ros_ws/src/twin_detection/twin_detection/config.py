"""Parameters of the LiDAR detector."""

from __future__ import annotations

from dataclasses import dataclass

from twin_common.config import Config, ConfigError, setting
from twin_common.district import BodyConfig

STILL, MOVING = "still", "moving"
LEARNED, RULES = "learned", "rules"
BODY = BodyConfig()


@dataclass(frozen=True, slots=True)
class LidarDetectorConfig(Config):
    """How objects are found in LiDAR scans."""

    platform: str = setting("", doc="name of the platform; part of the frames' names")
    mode: str = setting(STILL, doc="still: compare with a learned background; moving: remove the ground",
                        choices=(STILL, MOVING))  # fmt: skip
    method: str = setting(LEARNED, doc="moving: a network judges the scan from above, or rules judge clusters",
                          choices=(LEARNED, RULES))  # fmt: skip
    sensor_height: float = setting(5.0, "m", "height of the sensor above the ground below it", low=0.1, high=50.0)
    roll_deg: float = setting(0.0, "deg", "roll of the sensor in a level frame", low=-90.0, high=90.0)
    pitch_deg: float = setting(0.0, "deg", "pitch of the sensor in a level frame", low=-90.0, high=90.0)
    yaw_deg: float = setting(0.0, "deg", "yaw of the sensor on its platform", low=-360.0, high=360.0)
    mount_x: float = setting(0.0, "m", "moving: place of the sensor in base_link", low=-50.0, high=50.0)
    mount_y: float = setting(0.0, "m", "moving: place of the sensor in base_link", low=-50.0, high=50.0)

    min_range: float = setting(2.0, "m", "still: nearer returns are of the platform itself", low=0.0, high=20.0)
    body_length: float = setting(BODY.length, "m", "moving: returns above and below a rectangle of this length are of "
                                 "the platform itself", low=0.0, high=30.0)  # fmt: skip
    body_width: float = setting(BODY.width, "m", "moving: width of that rectangle", low=0.0, high=10.0)
    body_x: float = setting(BODY.x, "m", "moving: its middle in base_link", low=-15.0, high=15.0)
    body_y: float = setting(BODY.y, "m", "moving: its middle in base_link", low=-5.0, high=5.0)
    max_range: float = setting(60.0, "m", "farther returns are not looked at", low=5.0, high=300.0)
    min_height: float = setting(0.25, "m", "lower returns are ground", low=0.05, high=1.0)
    max_height: float = setting(4.0, "m", "higher returns are no object on the ground", low=1.0, high=10.0)
    cell_size: float = setting(0.2, "m", "edge of a cell when neighbouring points are joined", low=0.05, high=1.0)
    min_points: int = setting(6, doc="fewer points make no object", low=2, high=1000)
    min_existence: float = setting(0.45, doc="less probable objects are not reported", low=0.0, high=1.0)
    learned_min_existence: float = setting(
        0.15, doc="the same where a network judges scans from above: the tracker follows those it knows by weak ones",
        low=0.0, high=1.0,
    )  # fmt: skip

    fewest_points: int = setting(4, doc="still: fewer points of foreground make no object", low=2, high=1000)
    lowest: float = setting(0.1, "m", "still: lower foreground is ground", low=0.02, high=1.0)
    split_above: float = setting(0.5, doc="still: clusters that hold several objects with more probability are parted",
                                 low=0.0, high=1.0)  # fmt: skip

    azimuth_bins: int = setting(0, doc="background: directions in a full turn; 0: as the first scan shows", low=0,
                                high=8192)  # fmt: skip
    warm_up: float = setting(1.0, "s", "background: time of learning before the first objects", low=0.2, high=60.0)
    background_margin: float = setting(0.2, "m", "how much nearer than the background an object is at least",
                                       low=0.05, high=3.0)  # fmt: skip
    background_memory: float = setting(20.0, "s", "background: time over which it follows slow changes",
                                       low=1.0, high=3600.0)  # fmt: skip
    uncover_after: float = setting(0.3, "s", "background: time after which farther returns replace it", low=0.0,
                                   high=10.0)  # fmt: skip
    absorb_after: float = setting(600.0, "s", "background: time after which a thing joins it that is no road user",
                                  low=10.0, high=86400.0)  # fmt: skip
    state_folder: str = setting("", doc="background: folder in which it is kept from run to run; empty: it is not")
    store_every: float = setting(600.0, "s", "background: time between two times it is stored", low=1.0, high=86400.0)

    def __post_init__(self) -> None:
        """Check that the ranges make sense together."""
        Config.__post_init__(self)
        if self.min_range >= self.max_range:
            raise ConfigError(f"LidarDetectorConfig.min_range: {self.min_range}; expected less than max_range")
        if self.min_height >= self.max_height:
            raise ConfigError(f"LidarDetectorConfig.min_height: {self.min_height}; expected less than max_height")
