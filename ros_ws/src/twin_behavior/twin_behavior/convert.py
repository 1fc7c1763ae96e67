"""TrackArray to arrays of core, and behaviours to BehaviorArray."""

from __future__ import annotations

import numpy as np

from twin_behavior.core.recognition import Behaviors
from twin_behavior.core.table import Motions
from twin_common.cdr import ArrayMessage, record_dtype

TENTATIVE = 0


def motions_from_message(message: ArrayMessage) -> tuple[Motions, int]:
    """Return the tracks that are no longer tentative, and how many were left out for not being finite."""
    tracks = message["tracks"]
    tracks = tracks[tracks["state"] != TENTATIVE]
    covariance = tracks["covariance"].astype(float).reshape(-1, 4, 4)[:, 2:, 2:]
    valid = np.isfinite(covariance).all(axis=(1, 2)) & np.isfinite(tracks["yaw_rate_variance"])
    valid &= np.all([np.isfinite(tracks[name]) for name in ("velocity_x", "velocity_y", "yaw_rate")], axis=0)
    good = tracks[valid]
    velocity = np.stack([good["velocity_x"], good["velocity_y"]], axis=1).astype(float)
    speed = np.linalg.norm(velocity, axis=1)
    motions = Motions(
        good["track_id"], good["classification"].astype(np.int64), good["posture"].astype(np.int64), speed,
        speed_sigma(velocity, covariance[valid]), good["yaw_rate"].astype(float),
        np.sqrt(np.maximum(good["yaw_rate_variance"].astype(float), 0.0)),
    )  # fmt: skip
    return motions, len(tracks) - len(good)


def speed_sigma(velocity: np.ndarray, covariance: np.ndarray) -> np.ndarray:
    """Return the standard deviation of speeds, (N,): of velocities (N, 2) along themselves, or on average at rest."""
    speed = np.linalg.norm(velocity, axis=1, keepdims=True)
    direction = velocity / np.maximum(speed, 1e-6)
    along = np.einsum("ni,nij,nj->n", direction, covariance, direction)
    mean = 0.5 * np.trace(covariance, axis1=1, axis2=2)
    return np.asarray(np.sqrt(np.maximum(np.where(speed[:, 0] > 0.1, along, mean), 0.0)))


def message_from_behaviors(message: ArrayMessage, motions: Motions, behaviors: Behaviors) -> ArrayMessage:
    """Return a BehaviorArray for the tracks of ``message``."""
    records = np.zeros(len(motions), record_dtype("twin_msgs/msg/Behavior"))
    records["track_id"], records["classification"] = motions.track_id, motions.classification
    records["speed"] = motions.speed
    records["kind"], records["probability"], records["since_ns"] = (
        behaviors.kind, behaviors.probability, behaviors.since_ns,
    )  # fmt: skip
    return ArrayMessage(message.stamp_ns, message.frame_id, {"behaviors": records})
