"""Reads the official layout of the KITTI tracking benchmark.

``ROOT/{velodyne,label_02,calib,oxts,image_02}`` as described in Geiger et al. 2012, "Are we ready for
autonomous driving?", and the benchmark's development kit. Scans may be ``.bin`` (official) or ``.npz``
(``xyz_4mm`` int16 in units of 4 mm, ``intensity`` uint8).

Frames: ``lidar`` is x forward, y left, z up; ``camera`` is the rectified left camera, x right, y down,
z forward; ``imu`` is x forward, y left, z up.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

#: Time between two frames, ns: the benchmark publishes no stamps, the sensors ran at 10 Hz.
FRAME_PERIOD_NS = 100_000_000
#: Stamp given to frame 0: 2011-09-26 12:00:00 UTC, a day of the recordings.
START_NS = 1_317_038_400_000_000_000

_ROTATIONS = {"R0_rect": "R0_rect", "R_rect": "R0_rect"}
_TRANSFORMS = {
    "Tr_velo_to_cam": "Tr_velo_to_cam", "Tr_velo_cam": "Tr_velo_to_cam",
    "Tr_imu_to_velo": "Tr_imu_to_velo", "Tr_imu_velo": "Tr_imu_to_velo",
}  # fmt: skip


class KittiError(ValueError):
    """A file that is missing or not in the benchmark's format; the message is one line for a person."""


@dataclass(frozen=True, slots=True)
class Scan:
    """One LiDAR scan in the order of the file. ``xyz``: (N, 3) float32, metres; ``intensity``: (N,) float32, 0..1."""

    xyz: np.ndarray
    intensity: np.ndarray


@dataclass(frozen=True, slots=True)
class Calibration:
    """How the sensors of one sequence sit to each other.

    ``projection``: (3, 4), image_02 pixels from camera; ``camera_from_lidar``, ``lidar_from_imu``: (4, 4).
    """

    projection: np.ndarray
    camera_from_lidar: np.ndarray
    lidar_from_imu: np.ndarray

    @property
    def lidar_from_camera(self) -> np.ndarray:
        """The inverse of ``camera_from_lidar``, (4, 4)."""
        return np.linalg.inv(self.camera_from_lidar)


@dataclass(frozen=True, slots=True)
class Boxes:
    """Labels or detections, one a row, in the order of the file.

    ``frame``, ``track_id`` (-1: none), ``occluded``: (N,) int; ``kind``: (N,) str; ``truncated``, ``alpha``,
    ``rotation_y``, ``score``: (N,) float; ``image_box``: (N, 4) left, top, right, bottom, pixels;
    ``size``: (N, 3) height, width, length, metres; ``location``: (N, 3) centre of the bottom face, camera frame.
    """

    frame: np.ndarray
    track_id: np.ndarray
    kind: np.ndarray
    truncated: np.ndarray
    occluded: np.ndarray
    alpha: np.ndarray
    image_box: np.ndarray
    size: np.ndarray
    location: np.ndarray
    rotation_y: np.ndarray
    score: np.ndarray

    def __len__(self) -> int:
        return len(self.frame)

    def select(self, rows: np.ndarray) -> Boxes:
        """Return some rows, by mask or by index."""
        return Boxes(*(getattr(self, name)[rows] for name in self.__dataclass_fields__))

    def in_lidar(self, calibration: Calibration) -> np.ndarray:
        """Return centre x, y, z, length, width, height, yaw in the LiDAR frame, (N, 7)."""
        height, width, length = self.size.T
        centre = self.location - np.stack([np.zeros(len(self)), height / 2, np.zeros(len(self))], axis=1)
        heading = np.stack([np.cos(self.rotation_y), np.zeros(len(self)), -np.sin(self.rotation_y)], axis=1)
        lidar_from_camera = calibration.lidar_from_camera
        centre = centre @ lidar_from_camera[:3, :3].T + lidar_from_camera[:3, 3]
        heading = heading @ lidar_from_camera[:3, :3].T
        yaw = np.arctan2(heading[:, 1], heading[:, 0])
        return np.column_stack([centre, length, width, height, yaw])


@dataclass(frozen=True, slots=True)
class Oxts:
    """GNSS/IMU, one row per frame, each (F,) float64.

    Degrees for latitude and longitude, metres, radians, m/s. ``roll``, ``pitch``, ``yaw``: 0 is level and
    facing east, counter-clockwise. ``vn``, ``ve``: velocity to north and east; ``vf``, ``vl``, ``vu``: forward,
    left, up; ``af`` .. ``au`` and ``wf`` .. ``wu``: acceleration and angular rate in the same axes.
    """

    latitude: np.ndarray
    longitude: np.ndarray
    altitude: np.ndarray
    roll: np.ndarray
    pitch: np.ndarray
    yaw: np.ndarray
    vn: np.ndarray
    ve: np.ndarray
    vf: np.ndarray
    vl: np.ndarray
    vu: np.ndarray
    ax: np.ndarray
    ay: np.ndarray
    az: np.ndarray
    af: np.ndarray
    al: np.ndarray
    au: np.ndarray
    wx: np.ndarray
    wy: np.ndarray
    wz: np.ndarray
    wf: np.ndarray
    wl: np.ndarray
    wu: np.ndarray
    position_accuracy: np.ndarray
    velocity_accuracy: np.ndarray
    navstat: np.ndarray
    satellites: np.ndarray
    posmode: np.ndarray
    velmode: np.ndarray
    orimode: np.ndarray

    def __len__(self) -> int:
        return len(self.latitude)


def frame_stamp_ns(frame: int) -> int:
    """Return the moment the camera was triggered and the LiDAR faced forward, ns since the epoch."""
    return START_NS + frame * FRAME_PERIOD_NS


def scan_stamp_ns(frame: int) -> int:
    """Return the moment of a scan's last point: half a turn after the LiDAR faced forward."""
    return frame_stamp_ns(frame) + FRAME_PERIOD_NS // 2


def point_time_offsets_ns(xyz: np.ndarray) -> np.ndarray:
    """Return when each point was measured after ``scan_stamp_ns``, (N,) int32, at most 0.

    The HDL-64E turned counter-clockwise, seen from above, from rear over right, front and left to rear:
    scans a second apart, put into the map with the recorded poses, agree best under that assumption.
    """
    azimuth = np.arctan2(xyz[:, 1], xyz[:, 0])
    turn = (azimuth.astype(np.float64) + np.pi) / (2 * np.pi)
    offsets: np.ndarray = np.minimum(np.round((turn - 1.0) * FRAME_PERIOD_NS), 0).astype(np.int32)
    return offsets


def rings(xyz: np.ndarray) -> np.ndarray:
    """Return the laser of each point, (N,) uint16, 0 the lowest, 63 the highest.

    A file holds one laser after the other, highest first, each from straight ahead counter-clockwise; a new
    laser begins where the azimuth passes straight ahead.
    """
    left = np.arctan2(xyz[:, 1], xyz[:, 0]) >= 0
    ahead = xyz[:, 0] > 0
    starts = np.zeros(len(xyz), bool)
    starts[1:] = ~left[:-1] & left[1:] & ahead[1:] & ahead[:-1]
    laser: np.ndarray = np.clip(63 - np.cumsum(starts), 0, 63).astype(np.uint16)
    return laser


def read_scan(path: Path) -> Scan:
    """Read one scan, ``.bin`` or ``.npz``.

    Raises:
        KittiError: the file is missing, or its size or arrays are not those of a scan.

    """
    if not path.is_file():
        raise KittiError(f"{path}: no such file; expected a LiDAR scan")
    if path.suffix == ".npz":
        return _read_npz(path)
    size = path.stat().st_size
    if size % 16:
        raise KittiError(f"{path}: {size} bytes; expected a multiple of 16 (x, y, z, intensity as float32)")
    rows = np.fromfile(path, "<f4").reshape(-1, 4)
    return Scan(np.ascontiguousarray(rows[:, :3]), rows[:, 3].copy())


def _read_npz(path: Path) -> Scan:
    try:
        with np.load(path) as arrays:
            xyz, intensity = arrays["xyz_4mm"], arrays["intensity"]
    except Exception as error:  # zipfile, zlib and NumPy raise many kinds for a broken archive
        raise KittiError(f"{path}: not a scan archive: {error}; expected arrays xyz_4mm and intensity") from None
    if xyz.ndim != 2 or xyz.shape[1] != 3 or intensity.shape != (len(xyz),):
        raise KittiError(f"{path}: xyz_4mm {xyz.shape}, intensity {intensity.shape}; expected (N, 3) and (N,)")
    return Scan(xyz.astype(np.float32) * np.float32(0.004), intensity.astype(np.float32) / np.float32(255))


def _lines(path: Path, what: str) -> list[str]:
    if not path.is_file():
        raise KittiError(f"{path}: no such file; expected {what}")
    try:
        return path.read_text().splitlines()
    except UnicodeDecodeError as error:
        raise KittiError(f"{path}: not a text file ({error.reason}); expected {what}") from None


def _numbers(words: Sequence[str], path: Path, line: int) -> list[float]:
    try:
        return [float(word) for word in words]
    except ValueError as error:
        raise KittiError(f"{path}:{line}: {error}; expected numbers") from None


def _finite(words: Sequence[str], path: Path, line: int) -> list[float]:
    values = _numbers(words, path, line)
    if not np.isfinite(values).all():
        raise KittiError(f"{path}:{line}: not all numbers are finite; expected finite ones")
    return values


def read_calibration(path: Path) -> Calibration:
    """Read ``calib/SEQ.txt``; both spellings of the keys that are in circulation are taken.

    Raises:
        KittiError: a matrix is missing or has another size; names file and line.

    """
    matrices: dict[str, np.ndarray] = {}
    for number, text in enumerate(_lines(path, "a calibration"), 1):
        words = text.replace(":", " ").split()
        if not words:
            continue
        values = np.array(_numbers(words[1:], path, number))
        key = _ROTATIONS.get(words[0]) or _TRANSFORMS.get(words[0]) or words[0]
        size = 9 if key == "R0_rect" else 12
        if len(values) != size:
            raise KittiError(f"{path}:{number}: {words[0]} has {len(values)} numbers; expected {size}")
        matrices[key] = np.eye(4)
        matrices[key][:3, : size // 3] = values.reshape(3, -1)
    missing = {"P2", "R0_rect", "Tr_velo_to_cam", "Tr_imu_to_velo"} - matrices.keys()
    if missing:
        raise KittiError(f"{path}: no {', '.join(sorted(missing))}; expected a calibration of the tracking benchmark")
    camera_from_lidar = matrices["R0_rect"] @ matrices["Tr_velo_to_cam"]
    return Calibration(matrices["P2"][:3], camera_from_lidar, matrices["Tr_imu_to_velo"])


def read_labels(path: Path) -> Boxes:
    """Read ``label_02/SEQ.txt``, or results in the same format, which have a score as the 18th number.

    Raises:
        KittiError: a line has another number of columns; names file and line.

    """
    kinds, rows = [], []
    for number, text in enumerate(_lines(path, "labels"), 1):
        words = text.split()
        if not words:
            continue
        if len(words) not in (17, 18):
            raise KittiError(f"{path}:{number}: {len(words)} columns; expected 17, or 18 with a score")
        kinds.append(words[2])
        values = _numbers(words[:2] + words[3:], path, number)
        rows.append(values if len(values) == 17 else [*values, 1.0])
    return _boxes(np.array(rows, float).reshape(-1, 17), kinds)


def read_detections(path: Path, kind: str) -> Boxes:
    """Read detections as comma-separated text: frame, type, 2D box (4), score, h, w, l, x, y, z, rot_y, alpha.

    Raises:
        KittiError: a line has another number of columns, or an impossible number; names file and line.

    """
    rows = []
    for number, text in enumerate(_lines(path, "detections"), 1):
        words = text.replace(",", " ").split()
        if not words:
            continue
        if len(words) != 15:
            raise KittiError(f"{path}:{number}: {len(words)} columns; expected 15")
        v = _finite(words, path, number)
        if v[0] < 0:
            raise KittiError(f"{path}:{number}: frame {v[0]:g}; expected 0 or more")
        rows.append([v[0], -1, -1, -1, v[14], *v[2:6], *v[7:10], *v[10:13], v[13], v[6]])
    return _boxes(np.array(rows, float).reshape(-1, 17), [kind] * len(rows))


def _boxes(rows: np.ndarray, kinds: list[str]) -> Boxes:
    """Name the columns of frame, id, truncated, occluded, alpha, box, size, location, rotation_y, score."""
    return Boxes(
        frame=rows[:, 0].astype(int), track_id=rows[:, 1].astype(int), kind=np.array(kinds, "U16"),
        truncated=rows[:, 2], occluded=rows[:, 3].astype(int), alpha=rows[:, 4], image_box=rows[:, 5:9],
        size=rows[:, 9:12], location=rows[:, 12:15], rotation_y=rows[:, 15], score=rows[:, 16],
    )  # fmt: skip


def read_oxts(path: Path) -> Oxts:
    """Read ``oxts/SEQ.txt``, one line of 30 numbers per frame.

    Raises:
        KittiError: a line has another number of columns; names file and line.

    """
    fields = list(Oxts.__dataclass_fields__)
    rows = []
    for number, text in enumerate(_lines(path, "GNSS/IMU records"), 1):
        words = text.split()
        if not words:
            continue
        if len(words) != len(fields):
            raise KittiError(f"{path}:{number}: {len(words)} columns; expected {len(fields)}")
        rows.append(_finite(words, path, number))
    columns = np.array(rows, float).reshape(-1, len(fields)).T
    return Oxts(**dict(zip(fields, columns, strict=True)))


class TrackingSequence:
    """One sequence under a root folder; its files are read when first asked for.

    Raises:
        KittiError: the folder has no scans of that sequence.

    """

    def __init__(self, root: Path, name: str) -> None:
        """Find the scans."""
        self.root = Path(root)
        self.name = name
        folder = self.root / "velodyne" / name
        if not folder.is_dir():
            raise KittiError(f"{folder}: no such folder; expected scans as in {self.root}/velodyne/0000/000000.bin")
        self._scans: dict[int, Path] = {}
        for path in sorted([*folder.glob("*.npz"), *folder.glob("*.bin")]):
            if not path.stem.isdigit():
                raise KittiError(f"{path}: expected a frame number as name, e.g. 000000{path.suffix}")
            self._scans[int(path.stem)] = path
        if not self._scans:
            raise KittiError(f"{folder}: no .bin and no .npz; expected LiDAR scans")

    @property
    def frames(self) -> list[int]:
        """Numbers of the frames that have a scan, in order; the benchmark itself lacks a few."""
        return sorted(self._scans)

    def scan(self, frame: int) -> Scan:
        """Read the scan of a frame."""
        if frame not in self._scans:
            raise KittiError(f"{self.root}/velodyne/{self.name}: no scan of frame {frame}")
        return read_scan(self._scans[frame])

    @functools.cached_property
    def calibration(self) -> Calibration:
        """How the sensors sit to each other."""
        return read_calibration(self.root / "calib" / f"{self.name}.txt")

    @functools.cached_property
    def labels(self) -> Boxes:
        """The labels of all frames."""
        return read_labels(self.root / "label_02" / f"{self.name}.txt")

    @functools.cached_property
    def oxts(self) -> Oxts:
        """GNSS/IMU of all frames; row i belongs to frame i."""
        oxts = read_oxts(self.root / "oxts" / f"{self.name}.txt")
        if len(oxts) <= self.frames[-1]:
            path = self.root / "oxts" / f"{self.name}.txt"
            raise KittiError(f"{path}: {len(oxts)} lines; expected at least {self.frames[-1] + 1}, one per frame")
        return oxts

    def image(self, frame: int) -> Path | None:
        """Return the camera image of a frame, if there is one."""
        for suffix in (".png", ".jpg"):
            path = self.root / "image_02" / self.name / f"{frame:06d}{suffix}"
            if path.is_file():
                return path
        return None


def sequences(root: Path) -> list[str]:
    """Return the names of the sequences that have scans.

    Raises:
        KittiError: there is no ``velodyne`` folder.

    """
    folder = Path(root) / "velodyne"
    if not folder.is_dir():
        raise KittiError(f"{folder}: no such folder; expected the layout of the KITTI tracking benchmark")
    return sorted(path.name for path in folder.iterdir() if path.is_dir() and any(path.iterdir()))
