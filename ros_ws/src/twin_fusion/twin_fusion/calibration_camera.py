"""``./twin calibrate camera``: intrinsics from pictures of a chessboard, by OpenCV (Zhang 2000)."""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import yaml

from twin_common.config import ConfigError
from twin_fusion.calibration_files import require_new, write_whole
from twin_fusion.config import CalibrationLimits

ENDINGS = (".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff")
LIMITS = CalibrationLimits()
_REFINE = (cv2.TERM_CRITERIA_EPS + cv2.TERM_CRITERIA_MAX_ITER, 50, 1e-4)
_CELLS = 4  # the corners must reach into most cells of a grid of so many by so many over the image
_LEAST_CELLS = 10


@dataclass(frozen=True, slots=True)
class Intrinsics:
    """``matrix`` (3, 3) px, ``distortion`` (5,) of plumb_bob, ``size`` width and height, ``rms_px``, of ``pictures``.

    ``sigma``: standard deviations of fx, fy, cx, cy, px.
    """

    matrix: np.ndarray
    distortion: np.ndarray
    size: tuple[int, int]
    rms_px: float
    pictures: int
    sigma: np.ndarray


def run(args: argparse.Namespace) -> int:
    """Calibrate, print, and write where asked to."""
    if args.out is not None:
        require_new(args.out)
    board = _board(args.board)
    if not args.square > 0:
        raise ConfigError(f"square: {args.square:g} m; expected more than 0")
    found = intrinsics(args.pictures, board, args.square)
    fx, fy, cx, cy = found.matrix[0, 0], found.matrix[1, 1], found.matrix[0, 2], found.matrix[1, 2]
    errors = found.sigma
    print(f"{found.pictures} pictures of {found.size[0]} x {found.size[1]}: residual {found.rms_px:.3f} px")
    print(f"fx {fx:.2f} ± {errors[0]:.2f}, fy {fy:.2f} ± {errors[1]:.2f}, cx {cx:.2f} ± {errors[2]:.2f}, "
          f"cy {cy:.2f} ± {errors[3]:.2f} px")  # fmt: skip
    print("k1 k2 p1 p2 k3: " + " ".join(f"{value:.5f}" for value in found.distortion))
    if found.rms_px > LIMITS.max_board_rms_px:
        raise ConfigError(f"refused: residual {found.rms_px:.2f} px; expected at most {LIMITS.max_board_rms_px:g} px")
    if args.out is not None:
        write_whole(args.out, camera_file(found, args.name))
        print(f"written: {args.out}")
    return 0


def intrinsics(folder: Path, board: tuple[int, int], square: float) -> Intrinsics:
    """Return the intrinsics of the camera that took the pictures of a folder.

    ``board``: inner corners, columns and rows; ``square``: metres.

    Raises:
        ConfigError: no folder, too few pictures with the board, of different sizes, or all in one part of the image.

    """
    if not folder.is_dir():
        raise ConfigError(f"{folder}: no such folder; expected pictures of a chessboard")
    paths = sorted(path for path in folder.iterdir() if path.suffix.lower() in ENDINGS)
    spots, size = [], None
    for path in paths:
        image = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
        if image is None:
            raise ConfigError(f"{path}: no picture; expected PNG or JPEG")
        here = (image.shape[1], image.shape[0])
        if size is not None and here != size:
            raise ConfigError(f"{path}: {here[0]} x {here[1]}; expected {size[0]} x {size[1]} like the others")
        size = here
        found, corners = cv2.findChessboardCorners(image, board)
        if found:
            spots.append(cv2.cornerSubPix(image, corners, (5, 5), (-1, -1), _REFINE).astype(np.float32))
    if size is None or len(spots) < LIMITS.min_pictures:
        raise ConfigError(
            f"{folder}: {len(spots)} of {len(paths)} pictures show a board of {board[0]}x{board[1]} inner corners; "
            f"expected {LIMITS.min_pictures} or more"
        )
    _require_spread(folder, np.concatenate(spots).reshape(-1, 2), size)
    grid = np.zeros((board[0] * board[1], 3), np.float32)
    grid[:, :2] = square * np.stack(np.meshgrid(range(board[0]), range(board[1])), axis=-1).reshape(-1, 2)
    rms, matrix, distortion, _, _, errors, _, _ = cv2.calibrateCameraExtended(
        [grid] * len(spots), spots, size, np.eye(3), np.zeros(5)
    )
    return Intrinsics(matrix, distortion.reshape(-1)[:5], size, float(rms), len(spots), errors.reshape(-1)[:4])


def _require_spread(folder: Path, spots: np.ndarray, size: tuple[int, int]) -> None:
    cells = np.floor(spots / np.array(size) * _CELLS).astype(int)
    filled = len(np.unique(cells, axis=0))
    if filled < _LEAST_CELLS:
        raise ConfigError(
            f"{folder}: the board is seen in {filled} of {_CELLS * _CELLS} parts of the image; expected {_LEAST_CELLS}"
        )


def camera_file(found: Intrinsics, name: str) -> str:
    """Return a camera_info file, as ROS's camera_calibration writes it."""

    def matrix(values: np.ndarray) -> dict[str, object]:
        rows, columns = values.shape
        return {"rows": rows, "cols": columns, "data": [round(float(value), 6) for value in values.reshape(-1)]}

    content = {
        "image_width": found.size[0], "image_height": found.size[1], "camera_name": name,
        "camera_matrix": matrix(found.matrix), "distortion_model": "plumb_bob",
        "distortion_coefficients": matrix(found.distortion[None]), "rectification_matrix": matrix(np.eye(3)),
        "projection_matrix": matrix(np.hstack([found.matrix, np.zeros((3, 1))])),
    }  # fmt: skip
    return yaml.safe_dump(content, sort_keys=False, default_flow_style=None, width=110)


def _board(text: str) -> tuple[int, int]:
    columns, _, rows = text.partition("x")
    if not (columns.isdigit() and rows.isdigit() and int(columns) > 2 and int(rows) > 2):
        raise ConfigError(f"board: {text!r}; expected inner corners as COLSxROWS, e.g. 8x6")
    return int(columns), int(rows)
