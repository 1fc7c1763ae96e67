"""Intrinsics of a camera, from numbers or from the file that ROS's camera_calibration writes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import yaml

#: Coefficients by distortion model, as in sensor_msgs/CameraInfo.
COEFFICIENTS = {"plumb_bob": 5, "rational_polynomial": 8, "equidistant": 4}


@dataclass(frozen=True, slots=True)
class CameraModel:
    """A pinhole camera with distortion.

    ``matrix``: (3, 3), pixels; ``distortion``: coefficients of ``distortion_model``; ``rectification``: (3, 3);
    ``projection``: (3, 4), pixels, of the rectified image.
    """

    width: int
    height: int
    matrix: np.ndarray
    distortion_model: str
    distortion: np.ndarray
    rectification: np.ndarray
    projection: np.ndarray

    def __post_init__(self) -> None:
        """Check shapes and values."""
        shapes = {"matrix": (3, 3), "rectification": (3, 3), "projection": (3, 4)}
        for name, shape in shapes.items():
            value = getattr(self, name)
            if value.shape != shape or not np.isfinite(value).all():
                raise ValueError(f"{name}: expected {shape} finite numbers, got {value.shape}")
        if self.distortion_model not in COEFFICIENTS:
            raise ValueError(f"distortion model {self.distortion_model!r}; expected one of {', '.join(COEFFICIENTS)}")
        expected = COEFFICIENTS[self.distortion_model]
        if self.distortion.shape != (expected,) or not np.isfinite(self.distortion).all():
            raise ValueError(
                f"distortion: {self.distortion.size} coefficients; expected {expected} of {self.distortion_model}"
            )
        if self.width < 1 or self.height < 1 or self.matrix[0, 0] <= 0 or self.matrix[1, 1] <= 0:
            raise ValueError("width, height, fx, fy: expected positive numbers")


def from_numbers(
    size: tuple[int, int], focal: tuple[float, float], centre: tuple[float, float], distortion_model: str,
    distortion: Sequence[float],
) -> CameraModel:  # fmt: skip
    """Return a camera that needs no rectification; no coefficients: no distortion.

    Raises:
        ValueError: the wrong number of coefficients, or a size or focal length that is not positive.

    """
    matrix = np.array([[focal[0], 0.0, centre[0]], [0.0, focal[1], centre[1]], [0.0, 0.0, 1.0]])
    coefficients = np.array(distortion if len(distortion) else [0.0] * COEFFICIENTS[distortion_model], float)
    projection = np.hstack([matrix, np.zeros((3, 1))])
    return CameraModel(*size, matrix, distortion_model, coefficients, np.eye(3), projection)


def from_yaml(text: str) -> CameraModel:
    """Return the camera of a camera_info file.

    Raises:
        ValueError: not YAML, a missing key, or a matrix of the wrong size.

    """
    try:
        content = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ValueError(f"not YAML: {str(error).splitlines()[0]}") from None
    if not isinstance(content, Mapping):
        raise ValueError("expected the keys of a camera_info file")
    try:
        return CameraModel(
            int(content["image_width"]), int(content["image_height"]), _matrix(content, "camera_matrix", 3),
            str(content["distortion_model"]), _matrix(content, "distortion_coefficients", 1).reshape(-1),
            _matrix(content, "rectification_matrix", 3), _matrix(content, "projection_matrix", 3),
        )  # fmt: skip
    except KeyError as error:
        raise ValueError(f"missing key {error}; expected a camera_info file of camera_calibration") from None
    except TypeError as error:
        raise ValueError(f"{error}; expected a camera_info file of camera_calibration") from None


def _matrix(content: Mapping[str, Any], key: str, rows: int) -> np.ndarray:
    values = np.array(content[key]["data"], float)
    if values.size % rows:
        raise ValueError(f"{key}: {values.size} numbers; expected {rows} rows")
    return values.reshape(rows, -1)
