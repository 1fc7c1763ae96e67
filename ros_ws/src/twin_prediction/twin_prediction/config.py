"""Parameters of the prediction; the only home of their defaults."""

from __future__ import annotations

from dataclasses import dataclass

from twin_common.config import Config, ConfigError, setting

CLASS_COUNT = 10


@dataclass(frozen=True, slots=True)
class PredictionConfig(Config):
    """How objects are expected to move; tuples of ten are by ObjectClass.

    The classes are unknown, car, truck, bus, motorcycle, scooter, bicycle, pedestrian, animal, debris.
    """

    noise_along: tuple[float, ...] = setting(
        (0.3, 0.8, 0.6, 0.6, 1.0, 0.4, 0.4, 0.04, 0.2, 0.01), "m^2/s^3",
        "spectral density of the acceleration along the path, by class", low=1e-6, high=100.0,
    )  # fmt: skip
    noise_across: tuple[float, ...] = setting(
        (0.3, 0.15, 0.1, 0.1, 0.25, 0.15, 0.15, 0.04, 0.2, 0.01), "m^2/s^3",
        "spectral density of the acceleration across the path, by class", low=1e-6, high=100.0,
    )  # fmt: skip
    turn_prior: tuple[float, ...] = setting(
        (0.0, 0.2, 0.2, 0.2, 0.2, 0.2, 0.2, 0.0, 0.0, 0.0), "",
        "share of objects that turn at any time, by class; 0: no turn mode", low=0.0, high=0.99,
    )  # fmt: skip
    stop_prior: tuple[float, ...] = setting(
        (0.0, 0.9, 0.9, 0.9, 0.9, 0.9, 0.9, 0.0, 0.0, 0.0), "",
        "probability of the stop mode while braking clearly, by class; 0: no stop mode", low=0.0, high=0.99,
    )  # fmt: skip
    turn_rate_spread: float = setting(0.35, "rad/s", "usual turn rate of an object that turns", low=0.01, high=3.0)
    turn_decay: float = setting(3.0, "s", "time in which a turn rate falls to 1/e", low=0.1, high=100.0)
    turn_min_speed: float = setting(1.0, "m/s", "slower objects have no turn mode", low=0.0, high=10.0)
    max_lateral_acceleration: float = setting(4.0, "m/s^2", "bounds the turn rate at speed", low=0.1, high=20.0)
    brake_low: float = setting(0.5, "m/s^2", "deceleration from which stopping becomes possible", low=0.0, high=10.0)
    brake_high: float = setting(1.5, "m/s^2", "deceleration from which braking is clear", low=0.01, high=10.0)
    brake_spread: float = setting(0.5, "m/s^2", "standard deviation of the deceleration until rest", low=0.0, high=5.0)
    full_noise_speed: float = setting(
        2.0, "m/s", "vehicles and riders slower than this move across their heading less", low=0.1, high=20.0
    )
    min_probability: float = setting(0.05, "", "modes less probable than this are left out", low=0.0, high=0.3)

    def __post_init__(self) -> None:
        """Check lengths and order."""
        Config.__post_init__(self)
        for name in ("noise_along", "noise_across", "turn_prior", "stop_prior"):
            if len(getattr(self, name)) != CLASS_COUNT:
                raise ConfigError(f"PredictionConfig.{name}: {len(getattr(self, name))} values; expected {CLASS_COUNT}")
        if not self.brake_low < self.brake_high:
            raise ConfigError(
                f"PredictionConfig.brake_low: {self.brake_low}; expected less than brake_high {self.brake_high}"
            )
