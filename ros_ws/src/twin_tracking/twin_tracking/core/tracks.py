"""What the tracker tells others: all live tracks at one stamp."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from twin_tracking.config import TrackerConfig
from twin_tracking.core.state import NANOSECONDS, existence

TENTATIVE, CONFIRMED, COASTING = range(3)


@dataclass(frozen=True, slots=True)
class Tracks:
    """N tracks at ``stamp_ns``, map frame, ordered by birth.

    ``ids`` uint64; ``position`` (N, 3) m; ``velocity`` (N, 2) m/s; ``covariance`` (N, 4, 4) of (x, y, velocity);
    ``yaw``, ``yaw_variance``, ``yaw_rate``, ``yaw_rate_variance``, ``acceleration`` (N,); ``size`` (N, 3) length,
    width, height; ``existence`` (N,), of which ``score`` (N,) is what the detections say of the object and the rest
    whether it is still there; ``class_probability`` (N, 10); ``state`` (N,) TENTATIVE, CONFIRMED or COASTING;
    ``posture`` (N,) 0 to 3; ``first_ns``, ``last_ns`` (N,); ``platforms`` (N,) uint64 bit sets.
    """

    stamp_ns: int
    ids: np.ndarray
    position: np.ndarray
    velocity: np.ndarray
    covariance: np.ndarray
    yaw: np.ndarray
    yaw_variance: np.ndarray
    yaw_rate: np.ndarray
    yaw_rate_variance: np.ndarray
    acceleration: np.ndarray
    size: np.ndarray
    existence: np.ndarray
    score: np.ndarray
    class_probability: np.ndarray
    state: np.ndarray
    posture: np.ndarray
    first_ns: np.ndarray
    last_ns: np.ndarray
    platforms: np.ndarray

    def __len__(self) -> int:
        return len(self.ids)


def tracks_of(state: np.ndarray, stamp_ns: int, config: TrackerConfig) -> Tracks:
    """Return what is known at ``stamp_ns``, the time of the TRACK records ``state``."""
    coasting = stamp_ns - state["last_ns"] > config.coast_after * NANOSECONDS
    estimate, spread = state["estimate"], state["spread"]
    position = np.empty((len(state), 3))
    position[:, :2], position[:, 2] = estimate[:, :2], state["z"]
    label = np.where(state["confirmed"], np.where(coasting, COASTING, CONFIRMED), TENTATIVE)
    return Tracks(
        stamp_ns=stamp_ns,
        ids=state["id"],
        position=position,
        velocity=estimate[:, 2:4],
        covariance=spread[:, :4, :4],
        yaw=state["yaw"],
        yaw_variance=state["yaw_variance"],
        yaw_rate=estimate[:, 4],
        yaw_rate_variance=spread[:, 4, 4],
        acceleration=state["acceleration"],
        size=state["size"],
        existence=existence(state),
        score=state["score"],
        class_probability=state["class_probability"],
        state=label.astype(np.uint8),
        posture=state["posture_votes"].argmax(axis=1).astype(np.uint8),
        first_ns=state["first_ns"],
        last_ns=state["last_ns"],
        platforms=np.bitwise_or.reduce(state["platforms"], axis=1),
    )
