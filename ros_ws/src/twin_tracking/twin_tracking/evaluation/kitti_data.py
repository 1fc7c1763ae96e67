"""The files of the KITTI tracking benchmark that a tracker of given detections needs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np
from scipy.spatial.transform import Rotation

from twin_common.core.geodesy import Datum
from twin_replay.core import kitti
from twin_replay.core.kitti import Boxes, Calibration, KittiError

DETECTIONS = "det_pointrcnn"
Read = TypeVar("Read")


@dataclass(frozen=True, slots=True)
class KittiDetections:
    """One sequence: ``boxes`` by class, ``map_from_lidar`` (F, 4, 4) or none, ``labels`` or none; ``frames`` F.

    ``notes``: what is missing or broken without which it can be tracked all the same, a line each.
    """

    name: str
    frames: int
    calibration: Calibration
    boxes: dict[str, Boxes]
    map_from_lidar: np.ndarray | None
    labels: Boxes | None
    notes: tuple[str, ...] = ()


def sequence_names(data: Path, kinds: tuple[str, ...]) -> list[str]:
    """Return the names of all sequences that have detections of any class.

    Raises:
        KittiError: there are none.

    """
    folder = data / DETECTIONS
    names = sorted({path.stem for kind in kinds for path in (folder / kind).glob("[!.]*.txt")})
    if not names:
        raise KittiError(f"{folder}: no detections; expected files as {folder}/{kinds[0]}/0000.txt")
    return names


def read_sequence(data: Path, name: str, kinds: tuple[str, ...]) -> KittiDetections:
    """Read one sequence; without poses or labels that can be used it is read all the same, and its notes say so.

    Raises:
        KittiError: no calibration, or a calibration or detections that are not in the benchmark's format.

    """
    boxes = {}
    for kind in kinds:
        path = data / DETECTIONS / kind / f"{name}.txt"
        if path.is_file():
            boxes[kind] = kitti.read_detections(path, kind)
    calibration = kitti.read_calibration(data / "calib" / f"{name}.txt")
    notes: list[str] = []
    labels = _optional(kitti.read_labels, data / "label_02" / f"{name}.txt", "not scored", notes)
    oxts = _optional(kitti.read_oxts, data / "oxts" / f"{name}.txt", "tracked in the moving LiDAR's frame", notes)
    frames = 1 + max(int(found.frame.max(initial=-1)) for found in [*boxes.values(), *([labels] if labels else [])])
    poses = None
    if oxts is not None and len(oxts) < max(frames, 1):
        path = data / "oxts" / f"{name}.txt"
        short = f"{len(oxts)} lines; expected at least {max(frames, 1)}, one per frame"
        notes.append(f"{path}: {short}: {name} is tracked in the moving LiDAR's frame")
    elif oxts is not None:
        poses, frames = _map_from_lidar(oxts, calibration), len(oxts)
    return KittiDetections(name, frames, calibration, boxes, poses, labels, tuple(notes))


def _optional(read: Callable[[Path], Read], path: Path, without: str, notes: list[str]) -> Read | None:
    """Return what ``read`` makes of a file; nothing, and a note of what happens ``without`` it, if it cannot."""
    try:
        return read(path)
    except KittiError as error:
        notes.append(f"{error}: {path.stem} is {without}")
        return None


def _map_from_lidar(oxts: kitti.Oxts, calibration: Calibration) -> np.ndarray:
    """Return the poses of the LiDAR, (F, 4, 4): east, north, up from the first frame's place."""
    place = Datum(oxts.latitude[0], oxts.longitude[0], oxts.altitude[0])
    map_from_imu = np.tile(np.eye(4), (len(oxts), 1, 1))
    map_from_imu[:, :3, 3] = place.to_map(oxts.latitude, oxts.longitude, oxts.altitude)
    map_from_imu[:, :3, :3] = Rotation.from_euler("xyz", np.stack([oxts.roll, oxts.pitch, oxts.yaw], 1)).as_matrix()
    return np.asarray(map_from_imu @ np.linalg.inv(calibration.lidar_from_imu))
