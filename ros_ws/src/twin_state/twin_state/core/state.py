"""The state of the district at one moment."""

from __future__ import annotations

import numpy as np

PEDESTRIAN = 7
TENTATIVE, CONFIRMED, COASTING = 0, 1, 2
COAST_ACCELERATION = 2.0  # how hard an object may accelerate while nobody measures it, m/s^2


def density(tracks: np.ndarray, cell_size: float, dtype: np.dtype) -> np.ndarray:
    """Return the occupied cells of a square grid, (C,) of ``dtype``, ordered by y, then x.

    Counts the pedestrians the tracker is sure of. ``tracks``: (N,) with the fields of twin_msgs/Track;
    ``dtype``: fields of twin_msgs/DensityCell; ``cell_size``: metres.
    """
    persons = tracks[(tracks["classification"] == PEDESTRIAN) & (tracks["state"] != TENTATIVE)]
    columns = np.floor(np.stack([persons["y"], persons["x"]], axis=1) / cell_size).astype(np.int64)
    cells, counts = np.unique(columns, axis=0, return_counts=True)
    grid = np.zeros(len(cells), dtype)
    grid["y"], grid["x"] = (cells.T + 0.5) * cell_size
    grid["size"], grid["persons"] = cell_size, counts
    grid["density"] = counts / cell_size**2
    return grid


def coasted(tracks: np.ndarray, elapsed: float) -> np.ndarray:
    """Return tracks (N,) moved on at constant velocity by ``elapsed`` seconds, marked as coasting.

    The covariance of (x, y, velocity_x, velocity_y) grows by that of a white acceleration.
    """
    moved = tracks.copy()
    moved["x"] += tracks["velocity_x"].astype(float) * elapsed
    moved["y"] += tracks["velocity_y"].astype(float) * elapsed
    transition = np.eye(4)
    transition[0, 2] = transition[1, 3] = elapsed
    growth = np.array([[elapsed**3 / 3, elapsed**2 / 2], [elapsed**2 / 2, elapsed]])
    noise = COAST_ACCELERATION**2 * np.kron(growth, np.eye(2))
    covariance = tracks["covariance"].reshape(-1, 4, 4).astype(float)
    moved["covariance"] = (transition @ covariance @ transition.T + noise).reshape(-1, 16)
    moved["age"] += elapsed
    sure = tracks["state"] == CONFIRMED
    moved["state"] = np.where(sure, COASTING, tracks["state"])
    return moved


def of_live_tracks(behaviors: np.ndarray, tracks: np.ndarray) -> np.ndarray:
    """Return the behaviours (B,) whose track is among the tracks."""
    live: np.ndarray = behaviors[np.isin(behaviors["track_id"], tracks["track_id"])]
    return live
