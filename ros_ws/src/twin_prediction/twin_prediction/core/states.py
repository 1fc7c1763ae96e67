"""What prediction takes and gives, as arrays."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

STEPS = 12
STEP = 0.4  # seconds between points of a path
CONSTANT_VELOCITY, CONSTANT_TURN, STOP = 0, 1, 2


@dataclass(frozen=True, slots=True)
class TrackStates:
    """States of N tracks at one moment, map frame.

    Shapes: ``track_id`` (N,), ``position`` and ``velocity`` (N, 2) in m and m/s, ``covariance`` (N, 4, 4) of
    (x, y, vx, vy), ``yaw`` (N,) rad, ``yaw_rate`` (N,) rad/s with ``yaw_rate_variance``, ``acceleration`` (N,)
    along the heading in m/s^2, ``classification`` (N,) by ObjectClass.
    """

    track_id: np.ndarray
    position: np.ndarray
    velocity: np.ndarray
    covariance: np.ndarray
    yaw: np.ndarray
    yaw_rate: np.ndarray
    yaw_rate_variance: np.ndarray
    acceleration: np.ndarray
    classification: np.ndarray

    def __post_init__(self) -> None:
        """Check shapes.

        Raises:
            ValueError: an array does not have the shape its name promises.

        """
        count = len(self.track_id)
        shapes = {"position": (2,), "velocity": (2,), "covariance": (4, 4)}
        for name in self.__dataclass_fields__:
            expected = (count, *shapes.get(name, ()))
            if getattr(self, name).shape != expected:
                raise ValueError(f"{name}: expected {expected}, got {getattr(self, name).shape}")

    def __len__(self) -> int:
        return len(self.track_id)

    def take(self, index: np.ndarray) -> TrackStates:
        """Return the states at an index or mask."""
        return TrackStates(*(getattr(self, name)[index] for name in self.__dataclass_fields__))


@dataclass(frozen=True, slots=True)
class Paths:
    """M predicted paths of T steps, map frame.

    Shapes: ``track_id``, ``mode``, ``probability``, ``classification`` (M,), ``position`` (M, T, 2) m,
    ``covariance`` (M, T, 2, 2) m^2, ``yaw`` (M, T) rad.
    """

    track_id: np.ndarray
    mode: np.ndarray
    probability: np.ndarray
    classification: np.ndarray
    position: np.ndarray
    covariance: np.ndarray
    yaw: np.ndarray

    def __len__(self) -> int:
        return len(self.track_id)
