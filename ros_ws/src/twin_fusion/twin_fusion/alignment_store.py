"""Keeps what a still LiDAR was aligned with in a file, so that a mount turned while it was switched off is noticed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from twin_common.array_store import load_arrays, save_arrays
from twin_common.config import ConfigError
from twin_fusion.config import AlignmentConfig
from twin_fusion.core.drift import DriftCheck

VERSION = 1


class ReferenceKeeper:
    """Restores the reference of a node at its start, and stores it.

    Args:
        config: of the node; without ``state_folder`` nothing is kept.

    """

    def __init__(self, config: AlignmentConfig) -> None:
        """Look at nothing yet."""
        self._config = config
        name = f"{config.platform or 'lidar'}.alignment.npz"
        self.path = Path(config.state_folder) / name if config.state_folder else None

    def restore(self) -> tuple[DriftCheck | None, str | None]:
        """Return a check with the stored reference, None where there is none; and what is wrong with it, one line."""
        if self.path is None or not self.path.exists():
            return None, None
        try:
            points = load_arrays(self.path, "reference", self._about(), ("points",))["points"]
            if points.dtype.kind != "f" or points.ndim != 2 or points.shape[1] != 3 or not np.isfinite(points).all():
                raise ConfigError(f"{self.path}: points: {points.dtype} of {points.shape}; expected finite (N, 3)")
            return DriftCheck(self._config, points.astype(float)), None
        except ConfigError as error:
            return None, f"{error}; learned anew"
        except ValueError as error:
            return None, f"{self.path}: {error}; learned anew"

    def keep(self, check: DriftCheck | None) -> str | None:
        """Store the reference of a check; return what went wrong in one line, or None."""
        if self.path is None or check is None:
            return None
        try:
            save_arrays(self.path, self._about(), {"points": check.reference.astype(np.float32)})
        except ConfigError as error:
            return str(error)
        return None

    def _about(self) -> dict[str, Any]:
        """Return what a reference belongs to."""
        names = ("platform", "sensor_height", "mount_x", "mount_y", "roll_deg", "pitch_deg", "yaw_deg")
        return {"version": VERSION, **{name: getattr(self._config, name) for name in names}}
