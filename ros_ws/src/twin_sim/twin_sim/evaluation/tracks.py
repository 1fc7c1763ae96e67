"""Tracks of persons and cyclists, recorded or simulated: reading, resampling, speed and acceleration."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.signal import savgol_filter

from twin_common.config import ConfigError

#: The ETH scene as stored was resampled from every 6th frame, 0.4 s, to every 10th and still called 0.4 s
#: (github.com/StanfordASL/Trajectron-plus-plus issue 67): its rows are 0.4 s * 10 / 6 apart.
ROW_PERIODS = {"biwi_eth": 0.4 * 10 / 6}
ROW_PERIOD = 0.4  # s, of the other scenes
WINDOW = 5  # samples of the smoothing polynomial


@dataclass(frozen=True, slots=True)
class Track:
    """One person: ``times`` (N,) seconds, evenly spaced; ``places`` (N, 2) metres."""

    times: np.ndarray
    places: np.ndarray


@dataclass(frozen=True, slots=True)
class Motion:
    """Speed (N,) m/s, along-track acceleration (N,) m/s² of one track, smoothed."""

    times: np.ndarray
    speed: np.ndarray
    acceleration: np.ndarray


def read_scene(path: Path) -> list[Track]:
    """Read a scene of ETH/UCY: rows of frame, id, x, y; gaps part a track into several.

    Raises:
        ConfigError: the file is missing or has other columns.

    """
    rows = read_table(path, 4)
    frames = np.unique(rows[:, 0])
    step = float(np.median(np.diff(frames)))
    period = ROW_PERIODS.get(path.stem, ROW_PERIOD)
    tracks = []
    for person in np.unique(rows[:, 1]):
        own = rows[rows[:, 1] == person]
        own = own[np.argsort(own[:, 0], kind="stable")]
        for part in np.split(own, np.flatnonzero(np.diff(own[:, 0]) != step) + 1):
            if len(part) > 1:
                tracks.append(Track(part[:, 0] / step * period, part[:, 2:4]))
    return tracks


def read_table(path: Path, columns: int, delimiter: str | None = None, skip: int = 0) -> np.ndarray:
    """Read numbers as text, at least so many columns, (N, columns or more).

    Raises:
        ConfigError: the file is missing, or a row has other columns; names the file.

    """
    if not path.is_file():
        raise ConfigError(f"{path}: no such file; expected a recording as its folder's README says")
    try:
        rows = np.loadtxt(path, delimiter=delimiter, skiprows=skip, comments="#", ndmin=2)
    except ValueError as error:
        raise ConfigError(f"{path}: {error}; expected rows of {columns} numbers") from None
    if rows.shape[1] < columns:
        raise ConfigError(f"{path}: {rows.shape[1]} columns; expected {columns}")
    return rows


def resampled(track: Track, period: float) -> Track:
    """Return the track at whole multiples of a period after its start, by linear interpolation."""
    times = np.arange(track.times[0], track.times[-1] + 1e-9, period)
    places = np.column_stack([np.interp(times, track.times, column) for column in track.places.T])
    return Track(times, places)


def motion(track: Track, window: int = WINDOW) -> Motion | None:
    """Return speed and acceleration by a local parabola (Savitzky and Golay 1964); None for a shorter track."""
    if len(track.times) < window:
        return None
    period = float(track.times[1] - track.times[0])
    velocity = savgol_filter(track.places, window, 2, deriv=1, delta=period, axis=0)
    change = savgol_filter(track.places, window, 2, deriv=2, delta=period, axis=0)
    speed = np.hypot(velocity[:, 0], velocity[:, 1])
    along = np.einsum("nk,nk->n", velocity, change) / np.maximum(speed, 1e-6)
    return Motion(track.times, speed, along)


def motions(tracks: Sequence[Track], period: float, least: float, window: int = WINDOW) -> list[Motion]:
    """Return the motions of tracks at one rate; those that are slower than ``least`` m/s on average are left out."""
    found = [motion(resampled(track, period), window) for track in tracks]
    return [item for item in found if item is not None and float(item.speed.mean()) >= least]
