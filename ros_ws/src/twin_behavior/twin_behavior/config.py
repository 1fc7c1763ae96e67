"""Parameters of the behaviour recognition; the only home of their defaults."""

from __future__ import annotations

from dataclasses import dataclass

from twin_common.config import Config, ConfigError, setting


@dataclass(frozen=True, slots=True)
class BehaviorConfig(Config):
    """Limits between behaviours, and how much evidence a change needs."""

    standing_speed: float = setting(0.35, "m/s", "a person slower than this stands", low=0.01, high=2.0)
    running_speed: float = setting(2.5, "m/s", "a person faster than this runs", low=0.5, high=10.0)
    stopped_speed: float = setting(0.5, "m/s", "a vehicle or rider slower than this is at rest", low=0.01, high=5.0)
    person_change_speed: float = setting(
        1.2, "m/s", "a person faster than this is neither starting nor stopping", low=0.1, high=5.0
    )
    vehicle_change_speed: float = setting(
        3.5, "m/s", "a vehicle or rider faster than this is neither starting nor stopping", low=0.1, high=20.0
    )
    person_acceleration: float = setting(0.4, "m/s^2", "of a person that starts or stops", low=0.05, high=5.0)
    vehicle_acceleration: float = setting(
        0.6, "m/s^2", "of a vehicle or rider that starts or stops", low=0.05, high=5.0
    )
    turn_rate: float = setting(0.15, "rad/s", "of a vehicle or rider that turns", low=0.01, high=2.0)
    turn_speed: float = setting(1.0, "m/s", "a slower vehicle or rider is not turning", low=0.0, high=10.0)
    speed_sigma: float = setting(0.08, "m/s", "least standard deviation of a speed", low=0.001, high=2.0)
    acceleration_sigma: float = setting(0.2, "m/s^2", "standard deviation of an acceleration", low=0.001, high=5.0)
    turn_rate_sigma: float = setting(0.04, "rad/s", "least standard deviation of a turn rate", low=0.001, high=1.0)
    smoothing: float = setting(0.5, "s", "time over which speed is smoothed for its change", low=0.05, high=5.0)
    stickiness: float = setting(2.0, "", "how many times more probable another behaviour must be", low=1.0, high=20.0)
    confirmation: float = setting(
        0.3, "s", "time that another behaviour must stay the most probable", low=0.0, high=5.0
    )
    settling: float = setting(0.5, "s", "a new track takes the most probable behaviour at once", low=0.0, high=5.0)
    lying_probability: float = setting(0.9, "", "of lying, when the posture says so", low=0.0, high=1.0)

    def __post_init__(self) -> None:
        """Check the order of speeds."""
        Config.__post_init__(self)
        for low, high in (
            ("standing_speed", "person_change_speed"), ("person_change_speed", "running_speed"),
            ("stopped_speed", "vehicle_change_speed"),
        ):  # fmt: skip
            if not getattr(self, low) < getattr(self, high):
                raise ConfigError(
                    f"BehaviorConfig.{low}: {getattr(self, low)}; expected less than {high} {getattr(self, high)}"
                )
