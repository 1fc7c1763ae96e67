"""Keeps the background of a still LiDAR in a file, from one run of its node to the next."""

from __future__ import annotations

import copy
import threading
from pathlib import Path
from typing import Any

import numpy as np

from twin_common.array_store import load_arrays, save_arrays
from twin_common.config import ConfigError
from twin_detection.config import STILL, LidarDetectorConfig
from twin_detection.core.background import Background
from twin_detection.core.background_step import NOTHING
from twin_detection.core.beam_grid import BeamGrid
from twin_detection.core.still_detector import StillDetector, background_settings

VERSION = 1
#: Images that are stored; the others are of the present minute.
IMAGES = ("far", "spread", "low", "high", "thing", "flips")


def background_path(folder: str, platform: str) -> Path:
    """Return the file of a platform's background."""
    return Path(folder) / f"{platform or 'lidar'}.background.npz"


def save_background(
    path: Path, grid: BeamGrid, background: Background, gaps: np.ndarray, config: LidarDetectorConfig
) -> None:
    """Write a background, whole or not at all.

    Raises:
        ConfigError: the file cannot be written.

    """
    images = {name: getattr(background.state, name) for name in IMAGES}
    save_arrays(path, _about(config), {"phase": grid.phase, "gaps": gaps, **images})


def load_background(path: Path, config: LidarDetectorConfig) -> tuple[BeamGrid, Background, np.ndarray]:
    """Return the grid, the background and the angles between lasers, as they were stored.

    Raises:
        ConfigError: the file is damaged, or of another platform, mount or version.

    """
    values = load_arrays(path, "background", _about(config), ("phase", "gaps", *IMAGES))
    _check_kinds(path, values)
    grid = BeamGrid(values["far"].shape[-1], values["phase"].astype(np.float32))
    _check_images(path, grid, values)
    background = Background(grid.shape, background_settings(config))
    background.learned = True
    for name in IMAGES:
        setattr(background.state, name, values[name])
    return grid, background, values["gaps"].astype(np.float64)


def _about(config: LidarDetectorConfig) -> dict[str, Any]:
    """Return what a background belongs to."""
    names = ("platform", "sensor_height", "roll_deg", "pitch_deg")
    return {"version": VERSION, **{name: getattr(config, name) for name in names}}


def _check_kinds(path: Path, values: dict[str, np.ndarray]) -> None:
    for name in ("phase", "gaps", *IMAGES):
        kind, dimensions = "b" if name == "thing" else "f", 2 if name in IMAGES else 1
        if values[name].dtype.kind != kind or values[name].ndim != dimensions:
            found = f"{values[name].dtype} of {values[name].ndim} dimensions"
            raise ConfigError(f"{path}: {name}: {found}: damaged; expected what this node stores")


def _check_images(path: Path, grid: BeamGrid, values: dict[str, np.ndarray]) -> None:
    for name in IMAGES:
        if values[name].shape != grid.shape:
            raise ConfigError(f"{path}: {name}: {values[name].shape}; expected {grid.shape}")
    numbers = np.concatenate([values["gaps"], values["phase"], values["flips"].reshape(-1)])
    if len(values["gaps"]) != len(grid.phase) or not np.isfinite(numbers).all():
        raise ConfigError(f"{path}: gaps, phase, flips: damaged; expected numbers for {len(grid.phase)} lasers")
    if np.isnan(values["low"]).any() or np.isnan(values["high"]).any():
        raise ConfigError(f"{path}: low, high: damaged; expected ranges")
    far, spread = values["far"], values["spread"]
    if not (np.isfinite(far).all() and np.isfinite(spread).all() and (far > 0).all() and (far <= NOTHING).all()):
        raise ConfigError(f"{path}: far, spread: damaged; expected ranges of 0 to {NOTHING:g} m")


class BackgroundKeeper:
    """Restores the background of a detector from a file at the start, and stores it from time to time.

    Packing and writing take longer than a scan may, and are done beside the scans, on a copy.

    Args:
        config: of the detector; without ``state_folder`` nothing is kept.

    """

    def __init__(self, config: LidarDetectorConfig) -> None:
        """Look at nothing yet."""
        self._config = config
        kept = bool(config.state_folder) and config.mode == STILL
        self._path = background_path(config.state_folder, config.platform) if kept else None
        self._stored_ns: int | None = None
        self._writing: threading.Thread | None = None
        self._trouble: str | None = None

    def restore(self, detector: StillDetector | None) -> str | None:
        """Give a detector the stored background; return what is wrong with it in one line, or None."""
        if self._path is None or detector is None or not self._path.exists():
            return None
        try:
            detector.adopt(*load_background(self._path, self._config))
        except ConfigError as error:
            return f"{error}; learned anew"
        return None

    def keep(self, detector: StillDetector | None, stamp_ns: int, *, now: bool = False) -> str | None:
        """Store the background where it is time, or ``now``; return what went wrong last, in one line, or None."""
        if self._path is None or detector is None or detector.learning or detector.background is None:
            return None
        if detector.worse:
            return self._trouble
        if self._stored_ns is None or stamp_ns < self._stored_ns:
            self._stored_ns = stamp_ns
        if now:
            self.finish()
        elif (stamp_ns - self._stored_ns) / 1e9 < self._config.store_every or self._busy():
            return self._trouble
        self._stored_ns = stamp_ns
        assert detector.grid is not None
        copied = detector.grid, copy.deepcopy(detector.background), detector.beams.gaps
        self._writing = threading.Thread(target=self._write, args=copied, name="background")
        self._writing.start()
        if now:
            self.finish()
        return self._trouble

    def finish(self) -> None:
        """Wait until what is being written is written."""
        if self._writing is not None:
            self._writing.join()

    def _busy(self) -> bool:
        return self._writing is not None and self._writing.is_alive()

    def _write(self, grid: BeamGrid, background: Background, gaps: np.ndarray) -> None:
        assert self._path is not None
        try:
            save_background(self._path, grid, background, gaps, self._config)
            self._trouble = None
        except ConfigError as error:
            self._trouble = str(error)
