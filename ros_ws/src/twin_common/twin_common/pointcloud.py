"""PointCloud2 messages as NumPy structured arrays."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from twin_common.cdr import LayoutError, Reader, Writer

TYPE = "sensor_msgs/msg/PointCloud2"

#: One LiDAR return: metres in the sensor's frame; ``time_offset_ns`` after the header's stamp, which is
#: the time of the scan's last point, so it is at most 0; ``ring`` counts from the lowest beam.
POINT_DTYPE = np.dtype(
    [("x", "<f4"), ("y", "<f4"), ("z", "<f4"), ("intensity", "<f4"), ("time_offset_ns", "<i4"), ("ring", "<u2"),
     ("padding", "<u2")]
)  # fmt: skip

# sensor_msgs/msg/PointField constants.
_DATATYPES = {1: "i1", 2: "u1", 3: "<i2", 4: "<u2", 5: "<i4", 6: "<u4", 7: "<f4", 8: "<f8"}
_CODES = {np.dtype(kind): code for code, kind in _DATATYPES.items()}


@dataclass(slots=True)
class Cloud:
    """A point cloud. ``points``: (N,) or (H, W) structured, with at least x, y, z in metres, frame ``frame_id``."""

    stamp_ns: int
    frame_id: str
    points: np.ndarray

    @property
    def xyz(self) -> np.ndarray:
        """Coordinates, (N, 3) float32, metres."""
        points = self.points.reshape(-1)
        return np.stack([points["x"], points["y"], points["z"]], axis=1).astype(np.float32, copy=False)


def from_xyz(stamp_ns: int, frame_id: str, xyz: np.ndarray, **columns: np.ndarray) -> Cloud:
    """Make a cloud of ``POINT_DTYPE`` from (N, 3) coordinates and further columns by name."""
    if xyz.ndim != 2 or xyz.shape[1] != 3:
        raise ValueError(f"xyz: expected (N, 3), got {xyz.shape}")
    points = np.zeros(len(xyz), POINT_DTYPE)
    points["x"], points["y"], points["z"] = xyz.T
    for name, column in columns.items():
        points[name] = column
    return Cloud(stamp_ns, frame_id, points)


def encode(cloud: Cloud) -> bytes:
    """Return the CDR bytes of a sensor_msgs/PointCloud2.

    Raises:
        LayoutError: a column has no PointField datatype.

    """
    points = cloud.points if cloud.points.ndim == 2 else cloud.points[None]
    dtype = points.dtype
    if dtype.names is None or not {"x", "y", "z"} <= set(dtype.names):
        raise LayoutError(f"points: expected a structured array with x, y, z, got {dtype}")
    writer = Writer()
    writer.header(cloud.stamp_ns, cloud.frame_id)
    height, width = points.shape
    writer.number(height, "<u4")
    writer.number(width, "<u4")
    names = [name for name in dtype.names if name != "padding"]
    writer.number(len(names), "<u4")
    for name in names:
        kind, offset = dtype.fields[name][:2]
        if kind.base not in _CODES:
            raise LayoutError(f"points.{name}: {kind} has no PointField datatype")
        writer.string(name)
        writer.number(offset, "<u4")
        writer.number(_CODES[kind.base], "u1")
        writer.number(int(np.prod(kind.shape, dtype=int)), "<u4")
    writer.number(0, "u1")
    writer.number(dtype.itemsize, "<u4")
    writer.number(dtype.itemsize * width, "<u4")
    writer.array(np.ascontiguousarray(points).view(np.uint8).reshape(-1), 1)
    writer.number(1, "u1")
    return writer.finish()


def decode(buffer: bytes | memoryview) -> Cloud:
    """Return the cloud in the bytes of a sensor_msgs/PointCloud2; ``points`` is a read-only view.

    Raises:
        LayoutError: the bytes end early, the cloud is big-endian, or a field's datatype is unknown.

    """
    reader = Reader(buffer, TYPE)
    stamp_ns, frame_id = reader.header()
    height, width = reader.number("<u4"), reader.number("<u4")
    names, formats, offsets = [], [], []
    for _ in range(reader.number("<u4")):
        names.append(reader.string())
        offsets.append(reader.number("<u4"))
        code, count = reader.number("u1"), reader.number("<u4")
        if code not in _DATATYPES:
            raise LayoutError(f"{TYPE}.{names[-1]}: datatype {code}; expected 1 to 8")
        formats.append((_DATATYPES[code], (count,)) if count > 1 else _DATATYPES[code])
    if reader.number("u1"):
        raise LayoutError(f"{TYPE}: big-endian points; expected little-endian")
    point_step, row_step = reader.number("<u4"), reader.number("<u4")
    block = reader.array(np.dtype("u1"), 1)
    try:
        spec: dict[str, Any] = {"names": names, "formats": formats, "offsets": offsets, "itemsize": point_step}
        dtype = np.dtype(spec)  # type: ignore[call-overload]
    except ValueError as error:
        raise LayoutError(f"{TYPE}: fields do not fit point_step {point_step}: {error}") from error
    if row_step != point_step * width or len(block) != row_step * height:
        raise LayoutError(f"{TYPE}: {len(block)} bytes of points, expected {height} x {width} x {point_step}")
    points = block.view(dtype) if len(block) else np.zeros(0, dtype)
    return Cloud(stamp_ns, frame_id, points.reshape(height, width) if height > 1 else points)
