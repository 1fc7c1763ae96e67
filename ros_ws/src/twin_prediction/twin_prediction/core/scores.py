"""Scores of predicted paths against what happened."""

from __future__ import annotations

import numpy as np
from scipy.stats import chi2


def displacement_errors(predicted: np.ndarray, actual: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the average and the final displacement error of each path, (N,) metres; inputs (N, T, 2)."""
    error = np.linalg.norm(predicted - actual, axis=2)
    return error.mean(axis=1), error[:, -1]


def squared_mahalanobis(predicted: np.ndarray, covariance: np.ndarray, actual: np.ndarray) -> np.ndarray:
    """Return the squared Mahalanobis distances, (N, T), of (N, T, 2) errors under (N, T, 2, 2) covariances."""
    error = actual - predicted
    return np.asarray(np.einsum("nti,ntij,ntj->nt", error, np.linalg.inv(covariance), error))


def coverage(predicted: np.ndarray, covariance: np.ndarray, actual: np.ndarray, probability: float) -> float:
    """Return the share of actual positions inside the ellipse that should hold ``probability`` of them."""
    inside = squared_mahalanobis(predicted, covariance, actual) <= chi2.ppf(probability, 2)
    return float(inside.mean()) if inside.size else float("nan")


def negative_log_likelihood(predicted: np.ndarray, covariance: np.ndarray, actual: np.ndarray) -> np.ndarray:
    """Return the mean over steps of the negative log density of the actual positions, (N,) nats."""
    _, log_determinant = np.linalg.slogdet(covariance)
    distance = squared_mahalanobis(predicted, covariance, actual)
    return np.asarray((0.5 * distance + 0.5 * log_determinant + np.log(2 * np.pi)).mean(axis=1))
