"""TrackArray to arrays of core, and paths to PredictedPathArray."""

from __future__ import annotations

import numpy as np

from twin_common.cdr import ArrayMessage, record_dtype
from twin_prediction.core.states import STEP, STEPS, Paths, TrackStates

TENTATIVE = 0


def states_from_message(message: ArrayMessage) -> tuple[TrackStates, int]:
    """Return the confirmed and coasting tracks, and how many were left out for not being finite or valid."""
    tracks = message["tracks"]
    tracks = tracks[tracks["state"] != TENTATIVE]
    floats = ("x", "y", "velocity_x", "velocity_y", "yaw", "yaw_rate", "yaw_rate_variance", "acceleration")
    valid = np.all([np.isfinite(tracks[name]) for name in floats], axis=0)
    covariance = tracks["covariance"].astype(float).reshape(-1, 4, 4)
    valid &= np.isfinite(covariance).all(axis=(1, 2)) & (np.diagonal(covariance, axis1=1, axis2=2) >= 0).all(axis=1)
    valid &= (tracks["yaw_rate_variance"] >= 0) & (tracks["classification"] < 10)
    good = tracks[valid]
    yaw, yaw_rate, yaw_rate_variance, acceleration = (good[name].astype(float) for name in floats[4:])
    states = TrackStates(
        good["track_id"].copy(),
        np.stack([good["x"], good["y"]], axis=1).astype(float),
        np.stack([good["velocity_x"], good["velocity_y"]], axis=1).astype(float),
        covariance[valid], yaw, yaw_rate, yaw_rate_variance, acceleration, good["classification"].astype(np.int64),
    )  # fmt: skip
    return states, int(len(tracks) - len(good))


def message_from_paths(stamp_ns: int, frame_id: str, paths: Paths) -> ArrayMessage:
    """Return a PredictedPathArray."""
    records = np.zeros(len(paths), record_dtype("twin_msgs/msg/PredictedPath"))
    if records["x"].shape[1:] != (STEPS,):
        raise ValueError(f"PredictedPath.x: {records['x'].shape[1:]} steps; expected {STEPS}")
    for name in ("track_id", "probability", "mode", "classification", "yaw"):
        records[name] = getattr(paths, name)
    records["x"], records["y"] = paths.position[..., 0], paths.position[..., 1]
    records["covariance_xx"] = paths.covariance[..., 0, 0]
    records["covariance_xy"] = paths.covariance[..., 0, 1]
    records["covariance_yy"] = paths.covariance[..., 1, 1]
    return ArrayMessage(stamp_ns, frame_id, {"step": STEP, "paths": records})


def paths_from_message(message: ArrayMessage) -> Paths:
    """Return the paths in a PredictedPathArray."""
    records = message["paths"]
    position = np.stack([records["x"], records["y"]], axis=-1).astype(float)
    xx, xy, yy = (records[f"covariance_{name}"].astype(float) for name in ("xx", "xy", "yy"))
    covariance = np.stack([np.stack([xx, xy], axis=-1), np.stack([xy, yy], axis=-1)], axis=-2)
    return Paths(
        records["track_id"], records["mode"].astype(np.int64), records["probability"].astype(float),
        records["classification"].astype(np.int64), position, covariance, records["yaw"].astype(float),
    )  # fmt: skip
