"""Sweeps as the UDP packets of an Ouster LiDAR, and the metadata that describes the sensor; through ouster-sdk."""

from __future__ import annotations

import json
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
from ouster.sdk import core as _sdk
from ouster.sdk import util as _util

from twin_sim.core.lidar import Sweep
from twin_sim.core.lidar_models import LidarModel

ouster: Any = _sdk  # its stubs do not export these names
util: Any = _util
_COLUMNS_PER_PACKET = 16
_COARSE = 0.008  # metres; the step of ranges in the profile of low data rate


class Packet(NamedTuple):
    """One datagram: when its last column was fired, nanoseconds since the epoch, and its bytes."""

    stamp_ns: int
    payload: bytes


def metadata(model: LidarModel, serial: int = 0) -> str:
    """Return the metadata of an Ouster model as the JSON text that ouster-sdk and the driver read.

    Raises:
        ValueError: the model is no Ouster.

    """
    if not model.ouster:
        raise ValueError(f"model {model.name}: has no Ouster packets; expected an Ouster model")
    columns, beams = model.columns, model.beams
    info = json.loads(ouster.SensorInfo.from_default(ouster.LidarMode.from_string(f"{columns}x10")).to_json_string())
    profile = "RNG15_RFL8_NIR8" if model.resolution >= _COARSE else "RNG19_RFL8_SIG16_NIR16"
    ring = round(model.ring * 1e3, 3)
    # Ouster counts azimuth offsets clockwise.
    offsets = [-angle for angle in model.azimuths_deg]
    info["beam_intrinsics"].update(
        beam_altitude_angles=list(model.elevations_deg), beam_azimuth_angles=offsets,
        lidar_origin_to_beam_origin_mm=ring,
        beam_to_lidar_transform=[1, 0, 0, ring, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1],
    )  # fmt: skip
    shifts = np.rint((np.array(offsets) - min(offsets)) / 360 * columns).astype(int).tolist()
    info["lidar_data_format"].update(
        udp_profile_lidar=profile, pixels_per_column=beams, pixel_shift_by_row=shifts,
        columns_per_packet=_COLUMNS_PER_PACKET, column_window=[0, columns - 1],
    )  # fmt: skip
    info["lidar_intrinsics"]["lidar_to_sensor_transform"][11] = round(model.raised * 1e3, 3)
    info["config_params"].update(
        udp_profile_lidar=profile, timestamp_mode="TIME_FROM_PTP_1588", udp_port_lidar=7502, udp_port_imu=7503
    )
    info["sensor_info"].update(
        prod_line=model.driver.removeprefix("ouster/"),
        prod_sn=str(serial),
        image_rev="ousteros-image-prod-bootes-v3.1.0",
    )
    info.pop("ouster-sdk", None)
    text = ouster.SensorInfo(json.dumps(info)).to_json_string()
    return json.dumps(json.loads(text), indent=1) + "\n"


@lru_cache(maxsize=64)
def _described(model: LidarModel, serial: int) -> Any:
    return ouster.SensorInfo(metadata(model, serial))


def packets(model: LidarModel, sweep: Sweep, frame: int, serial: int = 0) -> list[Packet]:
    """Return the packets of a sweep in the order of sending; ``frame`` is the sensor's count of turns.

    Raises:
        ValueError: the model is no Ouster.

    """
    info = _described(model, serial)
    scan = ouster.LidarScan(info)
    scan.frame_id = frame % 65536
    scan.timestamp[:] = sweep.column_stamps.astype(np.uint64)
    scan.measurement_id[:] = np.arange(info.w)
    scan.status[:] = 1
    scan.packet_timestamp[:] = 1  # without an arrival a packet counts as lost
    step = round(model.resolution * 1e3)
    scan.field("RANGE")[:] = np.rint(sweep.ranges / model.resolution).astype(np.uint32) * step
    scan.field("REFLECTIVITY")[:] = sweep.reflectivity
    last = sweep.column_stamps[_COLUMNS_PER_PACKET - 1 :: _COLUMNS_PER_PACKET].tolist()
    made = util.scan_to_packets(scan, info)
    return [Packet(stamp, bytes(packet.buf)) for stamp, packet in zip(last, made, strict=True)]
