"""An Ouster LiDAR on a pole: beams, ray casting with actors that move during the sweep, and its UDP packets.

The beam table is made for a pole: a 64-channel wide sensor with all beams below the horizon, 0.42 degrees apart
from 2.8 to 24.6 degrees below it and 1.85 degrees apart from there to 45 degrees. Azimuth offsets,
firing order and packet layout are those of the default 64-channel sensor of ouster-sdk.
"""

from __future__ import annotations

import json
from dataclasses import dataclass

import numpy as np
import open3d as o3d
from meshes import MATERIAL_NAMES, MATERIALS, Mesh, joined
from ouster.sdk import core
from ouster.sdk.util import scan_to_packets

PRODUCT = "OS-0-64"
MODEL = f"ouster/{PRODUCT}"
COLUMNS = 512
PERIOD_NS = 100_000_000
BLOCKS = 16  # actors stand still within one block of columns, 6.25 ms
MIN_RANGE, MAX_RANGE = 0.5, 100.0
RESOLUTION = 0.008  # of a range in the packets' profile, metres
NOISE = 0.010  # standard deviation of a range, metres
GRAZING = 0.03  # cosine of incidence below which half of the returns are lost
_REFLECTIVITY = np.array([MATERIALS[name].reflectivity for name in MATERIAL_NAMES], np.uint8)
_DROPOUT = np.array([MATERIALS[name].dropout for name in MATERIAL_NAMES])


def altitudes_deg() -> list[float]:
    """Return the elevation of each channel, top first, degrees."""
    fine = -2.8 - 0.42 * np.arange(53)
    coarse = np.linspace(fine[-1], -45.0, 12)[1:]
    return [round(float(angle), 3) for angle in np.concatenate([fine, coarse])]


def metadata(serial: int) -> str:
    """Return the sensor's metadata as the JSON that ouster-sdk reads."""
    info = json.loads(core.SensorInfo.from_default(core.LidarMode.from_string("512x10")).to_json_string())
    info["beam_intrinsics"]["beam_altitude_angles"] = altitudes_deg()
    info["beam_intrinsics"]["lidar_origin_to_beam_origin_mm"] = 27.67
    info["beam_intrinsics"]["beam_to_lidar_transform"][3] = 27.67
    info["lidar_data_format"]["udp_profile_lidar"] = "RNG15_RFL8_NIR8"
    info["config_params"].update(
        udp_profile_lidar="RNG15_RFL8_NIR8", timestamp_mode="TIME_FROM_PTP_1588", udp_port_lidar=7502, udp_port_imu=7503
    )
    info["sensor_info"].update(prod_line=PRODUCT, prod_sn=str(serial), image_rev="ousteros-image-prod-bootes-v3.1.0")
    info.pop("ouster-sdk", None)
    text = core.SensorInfo(json.dumps(info)).to_json_string()
    return json.dumps(json.loads(text), indent=1) + "\n"


@dataclass(frozen=True, slots=True)
class Sweep:
    """One scan: ``ranges`` (H, W) metres, 0 where nothing returned, ``reflectivity`` (H, W) uint8, ``owners`` (H, W).

    An owner is the index of the mesh that was hit, -1 for scenery; column order is that of firing.
    """

    ranges: np.ndarray
    reflectivity: np.ndarray
    owners: np.ndarray


class Lidar:
    """A LiDAR that stands still: the scenery is cast once, the actors in every block of columns."""

    def __init__(self, info: core.SensorInfo, map_from_sensor: np.ndarray, scenery: Mesh) -> None:
        """Compute all rays in the map frame, (H, W, 6), and cast the scenery."""
        self.info = info
        lut = core.XYZLut(info, use_extrinsics=False)
        near, far = (lut(np.full((info.h, info.w), r, np.uint32)) for r in (10_000, 20_000))
        directions = (far - near) / 10.0
        origins = near - 10.0 * directions
        rotation, position = map_from_sensor[:3, :3], map_from_sensor[:3, 3]
        self.origins = origins @ rotation.T + position
        self.directions = directions @ rotation.T
        self._rays = np.concatenate([self.origins, self.directions], axis=2).astype(np.float32)
        self._still = _cast(scenery, self._rays)

    def points(self, ranges: np.ndarray) -> np.ndarray:
        """Return the map coordinates of ranges (H, W), (H, W, 3) metres."""
        return self.origins + ranges[..., None] * self.directions

    def still_points(self) -> np.ndarray:
        """Return where the rays meet the scenery, (H, W, 3) metres, map frame; inf where nowhere."""
        return self.points(self._still.distance)

    def paint(self, materials: np.ndarray) -> None:
        """Replace the material index of each ray's hit on the scenery, (H, W)."""
        self._still = _Hits(self._still.distance, self._still.cosine, materials, self._still.owner)

    @property
    def still_materials(self) -> np.ndarray:
        """Material index of each ray's hit on the scenery, (H, W)."""
        return self._still.material

    def sweep(self, blocks: list[list[Mesh]], rng: np.random.Generator) -> Sweep:
        """Return one scan; ``blocks[b]`` has the actors' meshes, map frame, while block b of columns fires."""
        width = self.info.w // len(blocks)
        parts = [
            _nearest(
                self._still.part(b * width, width), _cast_actors(meshes, self._rays[:, b * width : (b + 1) * width])
            )
            for b, meshes in enumerate(blocks)
        ]
        hits = _Hits(*(np.concatenate(columns, axis=1) for columns in zip(*(p.columns() for p in parts), strict=True)))
        return _returns(hits, rng)

    def packets(self, sweep: Sweep, frame: int, start_ns: int) -> list[tuple[int, bytes]]:
        """Return (stamp of the last column in nanoseconds, bytes) of every packet of a scan."""
        info = self.info
        scan = core.LidarScan(info)
        scan.frame_id = frame
        stamps_ns = column_stamps_ns(info, start_ns)
        scan.timestamp[:] = stamps_ns
        scan.measurement_id[:] = np.arange(info.w)
        scan.status[:] = 1
        scan.field(core.ChanField.RANGE)[:] = np.round(sweep.ranges / RESOLUTION).astype(np.uint32) * 8
        scan.field(core.ChanField.REFLECTIVITY)[:] = sweep.reflectivity
        step = info.format.columns_per_packet
        last_ns = stamps_ns[step - 1 :: step]
        packets = scan_to_packets(scan, info)
        return [(int(stamp), bytes(packet.buf)) for stamp, packet in zip(last_ns, packets, strict=True)]


def column_stamps_ns(info: core.SensorInfo, start_ns: int) -> np.ndarray:
    """Return when each column of a scan fires, (W,) uint64 nanoseconds."""
    return np.uint64(start_ns) + (np.arange(info.w, dtype=np.uint64) * np.uint64(PERIOD_NS)) // np.uint64(info.w)


@dataclass(frozen=True, slots=True)
class _Hits:
    """First hits of rays (H, W): distance, cosine of incidence, material index, index of the mesh."""

    distance: np.ndarray
    cosine: np.ndarray
    material: np.ndarray
    owner: np.ndarray

    def columns(self) -> tuple[np.ndarray, ...]:
        return self.distance, self.cosine, self.material, self.owner

    def part(self, start: int, width: int) -> _Hits:
        return _Hits(*(column[:, start : start + width] for column in self.columns()))


def _cast(mesh: Mesh, rays: np.ndarray, owner_of_triangle: np.ndarray | None = None) -> _Hits:
    world = o3d.t.geometry.RaycastingScene(nthreads=1)
    world.add_triangles(mesh.vertices.astype(np.float32), mesh.triangles.astype(np.uint32))
    answer = world.cast_rays(o3d.core.Tensor(np.ascontiguousarray(rays)), nthreads=1)
    distance = answer["t_hit"].numpy().astype(float)
    triangle = answer["primitive_ids"].numpy().astype(np.int64)
    found = np.isfinite(distance)
    triangle = np.where(found, triangle, 0)
    cosine = np.abs(np.einsum("hwk,hwk->hw", answer["primitive_normals"].numpy(), rays[..., 3:]))
    owner = np.full(distance.shape, -1) if owner_of_triangle is None else owner_of_triangle[triangle]
    return _Hits(distance, cosine, mesh.materials[triangle], np.where(found, owner, -1))


def _cast_actors(meshes: list[Mesh], rays: np.ndarray) -> _Hits:
    if not meshes:
        nothing = np.full(rays.shape[:2], np.inf)
        return _Hits(nothing, np.zeros_like(nothing), np.zeros(nothing.shape, int), np.full(nothing.shape, -1))
    owners = np.repeat(np.arange(len(meshes)), [len(mesh.triangles) for mesh in meshes])
    return _cast(joined(meshes), rays, owners)


def _nearest(first: _Hits, second: _Hits) -> _Hits:
    closer = second.distance < first.distance
    return _Hits(*(np.where(closer, b, a) for a, b in zip(first.columns(), second.columns(), strict=True)))


def _returns(hits: _Hits, rng: np.random.Generator) -> Sweep:
    """Return what the receiver reports: noise, lost returns on dark, glassy, grazing and far surfaces."""
    noisy = hits.distance + rng.normal(0.0, NOISE, hits.distance.shape)
    lost = rng.random(hits.distance.shape) < _DROPOUT[hits.material] + 0.5 * (hits.cosine < GRAZING)
    reach = MAX_RANGE * np.clip(_REFLECTIVITY[hits.material] / 10.0, 0.3, 1.0) ** 0.5
    seen = ~lost & (hits.distance > MIN_RANGE) & (hits.distance < reach)
    return Sweep(
        np.where(seen, noisy, 0.0),
        np.where(seen, _REFLECTIVITY[hits.material], 0).astype(np.uint8),
        np.where(seen, hits.owner, -1),
    )
