"""Opens the network that judges clusters of points, as shipped in ``models/``."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from twin_common.config import ConfigError
from twin_detection.core.point_network import Calibration, Network
from twin_detection.core.reliability import Reliability
from twin_detection.models import entry, open_model

NAME = "points"


def open_point_network(file: Path | str | None = None) -> tuple[Network, Calibration]:
    """Return the network and the calibration of its answers; ``file``: in place of the shipped one.

    Raises:
        ConfigError: the model is missing or is not what the manifest describes.

    """
    session = open_model(NAME, file=file)
    extra, known = entry(NAME).extra, ("temperature", "spread", "heading")
    numbers = {key: extra[key] for key in known if key in extra}
    if not all(isinstance(value, (int, float)) for value in numbers.values()):
        raise ConfigError(f"model {NAME}: extra: expected numbers {', '.join(sorted(known))}")
    try:
        reliability = Reliability.read(extra["streets"]) if "streets" in extra else Reliability()
    except ValueError as error:
        raise ConfigError(f"model {NAME}: extra: streets: {error}") from None

    def network(points: np.ndarray, scalars: np.ndarray) -> np.ndarray:
        return np.asarray(session.run(None, {"points": points, "scalars": scalars})[0])

    return network, Calibration(**numbers, reliability=reliability)
