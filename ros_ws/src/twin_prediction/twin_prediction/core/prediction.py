"""Predicts every track in the modes that its motion makes plausible."""

from __future__ import annotations

import numpy as np

from twin_prediction.config import PredictionConfig
from twin_prediction.core import motion
from twin_prediction.core.states import CONSTANT_TURN, CONSTANT_VELOCITY, STEP, STEPS, STOP, Paths, TrackStates


def predict(tracks: TrackStates, config: PredictionConfig) -> Paths:
    """Return the predicted paths of all tracks; the modes of one track sum to 1 in probability."""
    times = STEP * np.arange(1, STEPS + 1)
    probability = mode_probabilities(tracks, config)
    models = (motion.constant_velocity, motion.decaying_turn, motion.brake_to_rest)
    parts = []
    for mode, model in zip((CONSTANT_VELOCITY, CONSTANT_TURN, STOP), models, strict=True):
        chosen = np.flatnonzero(probability[:, mode] > 0)
        some = tracks.take(chosen)
        position, covariance, yaw = model(some, times, config)
        parts.append((chosen, np.full(len(chosen), mode), probability[chosen, mode], position, covariance, yaw))
    index, mode_of, weight, position, covariance, yaw = (np.concatenate([part[i] for part in parts]) for i in range(6))
    order = np.argsort(index, kind="stable")
    index = index[order]
    return Paths(
        tracks.track_id[index], mode_of[order], weight[order], tracks.classification[index],
        position[order], covariance[order], np.pi - np.mod(np.pi - yaw[order], 2 * np.pi),
    )  # fmt: skip


def mode_probabilities(tracks: TrackStates, config: PredictionConfig) -> np.ndarray:
    """Return the probability of each mode, (N, 3), rows summing to 1."""
    stop = _stop_probability(tracks, config)
    turn = (1 - stop) * _turn_probability(tracks, config)
    probability = np.stack([1 - stop - turn, turn, stop], axis=1)
    probability[probability < config.min_probability] = 0.0
    return np.asarray(probability / probability.sum(axis=1, keepdims=True))


def _turn_probability(tracks: TrackStates, config: PredictionConfig) -> np.ndarray:
    """Return the posterior of turning against going straight, (N,).

    Bayes' rule on the estimated turn rate w of variance s^2: N(w; 0, s^2) if the object goes straight,
    N(w; 0, s^2 + spread^2) if it turns; so the ratio depends on |w| / s, its significance.
    """
    prior = np.array(config.turn_prior)[tracks.classification]
    straight = np.maximum(tracks.yaw_rate_variance, 1e-6)
    turning = straight + config.turn_rate_spread**2
    log_ratio = 0.5 * (tracks.yaw_rate**2 * (1 / straight - 1 / turning) - np.log(turning / straight))
    ratio = np.exp(np.minimum(log_ratio, 50.0))
    posterior = prior * ratio / (prior * ratio + 1 - prior)
    fast = np.linalg.norm(tracks.velocity, axis=1) >= config.turn_min_speed
    return np.where(fast, posterior, 0.0)


def _stop_probability(tracks: TrackStates, config: PredictionConfig) -> np.ndarray:
    """Return the probability that an object brakes to rest, (N,): a ramp in its deceleration."""
    ramp = (-tracks.acceleration - config.brake_low) / (config.brake_high - config.brake_low)
    moving = np.linalg.norm(tracks.velocity, axis=1) > 0.5
    return np.asarray(np.array(config.stop_prior)[tracks.classification] * np.clip(ramp, 0.0, 1.0) * moving)
