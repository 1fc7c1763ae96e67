"""LiDAR models: beam tables, firing times, ranges and noise of real sensors at 10 Hz.

Row 0 is the highest beam. Sensors turn clockwise and start behind (at 180 degrees from +x, the sensor's front), as
Ouster's do and as the driver cuts Velodyne's. A range is measured from the axis through the beam's origin, which
lies on a ring about the axis, to the target, as in Ouster's and Velodyne's manuals.

Sources: Ouster, OS1 datasheet (64 channels over 33.2 degrees; 10 mm beam, 0.13 and 0.18 degrees divergence) and OS1
Rev 6/7 datasheet (128 channels over 42.4 degrees), azimuth offsets and ring radius of the default sensor and of the
public OS1-128 capture of ouster-sdk; Velodyne, VLP-16 and VLP-32C user manuals (elevations, azimuth offsets, firing
sequence), HDL-64E S2 manual (1/3 degree above, 1/2 degree below, 2083 firings a turn at 10 Hz). ``reach`` is where a
target of 10 % reflectivity that faces the sensor is seen half the time; the makers' figures, or fitted to theirs for
pavement (HDL-64E: 50 m).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from twin_common.config import ConfigError

PERIOD_NS = 100_000_000  # of one turn at 10 Hz


@dataclass(frozen=True, slots=True)
class LidarModel:
    """What a LiDAR is like.

    Args:
        name: as its maker writes it.
        driver: model for the driver node and LidarPackets, ``ouster/PRODUCT`` or ``velodyne/MODEL``.
        elevations_deg: of each beam, the highest first.
        azimuths_deg: of each beam, counter-clockwise from the column's direction.
        columns: firings a turn.
        delays_ns: when each beam fires after the start of its column.
        ring: radius of the circle that beams start from, metres.
        raised: height of that circle above the sensor's origin, metres.
        nearest, farthest: ranges that are reported, metres.
        reach: where 10 % reflectivity is seen half the time, metres.
        noise: standard deviation of a range at a strong return, metres.
        resolution: step of a reported range, metres.
        divergence: full angle of the beam, radians.
        aperture: diameter of the beam where it leaves the sensor, metres.

    """

    name: str
    driver: str
    elevations_deg: tuple[float, ...]
    azimuths_deg: tuple[float, ...]
    columns: int
    delays_ns: tuple[int, ...]
    ring: float
    raised: float
    nearest: float
    farthest: float
    reach: float
    noise: float
    resolution: float
    divergence: float
    aperture: float

    @property
    def beams(self) -> int:
        """How many beams there are."""
        return len(self.elevations_deg)

    @property
    def ouster(self) -> bool:
        """Whether it sends Ouster packets."""
        return self.driver.startswith("ouster/")

    def rings(self) -> np.ndarray:
        """Return the number of each row counted from the lowest beam, (H,) uint16."""
        order = np.argsort(np.array(self.elevations_deg), kind="stable")
        ring = np.empty(self.beams, np.uint16)
        ring[order] = np.arange(self.beams, dtype=np.uint16)
        return ring

    def azimuths(self) -> np.ndarray:
        """Return the azimuth of every firing, (H, W) radians, counter-clockwise from +x, not wrapped."""
        column = np.pi - 2 * np.pi * np.arange(self.columns) / self.columns
        return np.asarray(column + np.radians(self.azimuths_deg)[:, None])

    def rays(self) -> tuple[np.ndarray, np.ndarray]:
        """Return origins and unit directions of every firing, each (H, W, 3) float64, metres, sensor frame.

        The point of a range r is origin + r * direction: Ouster, Sensor Documentation, "Lidar Range to XYZ".
        """
        column = np.pi - 2 * np.pi * np.arange(self.columns) / self.columns
        azimuth, elevation = self.azimuths(), np.radians(self.elevations_deg)[:, None]
        directions = np.stack(
            [
                np.cos(elevation) * np.cos(azimuth),
                np.cos(elevation) * np.sin(azimuth),
                np.broadcast_to(np.sin(elevation), azimuth.shape),
            ],
            axis=-1,
        )
        start = np.stack([np.cos(column), np.sin(column), np.zeros(self.columns)], axis=-1) * self.ring
        origins = start[None] - self.ring * directions + (0.0, 0.0, self.raised)
        return origins, directions

    def column_stamps(self, stamp_ns: int) -> np.ndarray:
        """Return when each column of the scan whose last point has ``stamp_ns`` starts, (W,) int64 nanoseconds."""
        steps = np.arange(self.columns, dtype=np.int64) * PERIOD_NS // self.columns
        return np.asarray(stamp_ns - max(self.delays_ns) - (steps[-1] - steps))


def _pole_elevations() -> tuple[float, ...]:
    """Return 64 beams below the horizon: 0.42 degrees apart down to 24.6, 1.85 apart from there to 45."""
    fine = -2.8 - 0.42 * np.arange(53)
    coarse = np.linspace(fine[-1], -45.0, 12)[1:]
    return tuple(round(float(angle), 3) for angle in (*fine, *coarse))


def _even(top: float, count: int) -> tuple[float, ...]:
    return tuple(round(float(angle), 3) for angle in np.linspace(top, -top, count))


#: VLP-32C by laser number: elevation and azimuth offset (clockwise), degrees; user manual, appendix.
_VLP32C = (
    (-25.0, 1.4), (-1.0, -4.2), (-1.667, 1.4), (-15.639, -1.4), (-11.31, 1.4), (0.0, -1.4), (-0.667, 4.2),
    (-8.843, -1.4), (-7.254, 1.4), (0.333, -4.2), (-0.333, 1.4), (-6.148, -1.4), (-5.333, 4.2), (1.333, -1.4),
    (0.667, 4.2), (-4.0, -1.4), (-4.667, 1.4), (1.667, -4.2), (1.0, 1.4), (-3.667, -4.2), (-3.333, 4.2), (3.333, -1.4),
    (2.333, 1.4), (-2.667, -1.4), (-3.0, 1.4), (7.0, -1.4), (4.667, 1.4), (-2.333, -4.2), (-2.0, 4.2), (15.0, -1.4),
    (10.333, 1.4), (-1.333, -1.4),
)  # fmt: skip


def _by_elevation(lasers: list[tuple[float, float, int]]) -> dict[str, tuple]:
    """Return the tables of lasers (elevation, azimuth counter-clockwise, delay) with the highest first."""
    ordered = sorted(lasers, key=lambda laser: -laser[0])
    elevations, azimuths, delays = zip(*ordered, strict=True)
    return {"elevations_deg": elevations, "azimuths_deg": azimuths, "delays_ns": delays}


def _vlp16() -> LidarModel:
    order = [-15, 1, -13, 3, -11, 5, -9, 7, -7, 9, -5, 11, -3, 13, -1, 15]
    lasers = [(float(elevation), 0.0, 2304 * i) for i, elevation in enumerate(order)]
    return LidarModel(
        name="VLP-16", driver="velodyne/VLP-16", columns=1808, ring=0.0419, raised=0.0, nearest=0.5, farthest=100.0,
        reach=55.0, noise=0.010, resolution=0.002, divergence=0.003, aperture=0.0127, **_by_elevation(lasers),
    )  # fmt: skip


def _vlp32c() -> LidarModel:
    lasers = [(elevation, -azimuth, 2304 * (i // 2)) for i, (elevation, azimuth) in enumerate(_VLP32C)]
    return LidarModel(
        name="VLP-32C", driver="velodyne/VLP-32C", columns=1808, ring=0.0424, raised=0.0, nearest=0.5, farthest=200.0,
        reach=80.0, noise=0.010, resolution=0.004, divergence=0.003, aperture=0.0127, **_by_elevation(lasers),
    )  # fmt: skip


def _hdl64e() -> LidarModel:
    """Return the HDL-64E by its nominal table; each unit is calibrated, and its azimuth offsets are left out."""
    upper = [(2.0 - i / 3, 0.0, 1440 * (i % 16)) for i in range(32)]
    lower = [(-8.83 - 0.5 * i, 0.0, 1440 * (i % 16) + 720) for i in range(32)]
    return LidarModel(
        name="HDL-64E", driver="velodyne/HDL-64E", columns=2083, ring=0.0, raised=0.0, nearest=0.9, farthest=120.0,
        reach=90.0, noise=0.015, resolution=0.002, divergence=0.002, aperture=0.0127, **_by_elevation(upper + lower),
    )  # fmt: skip


def _ouster(name: str, elevations: tuple[float, ...], azimuths: tuple[float, ...], **figures: float) -> LidarModel:
    count = len(elevations)
    return LidarModel(
        name=name, driver=f"ouster/OS-{name[2:]}", elevations_deg=elevations,
        azimuths_deg=tuple(-azimuths[i % len(azimuths)] for i in range(count)), columns=1024,
        delays_ns=(0,) * count, raised=0.03618, **figures,
    )  # fmt: skip


_OS1 = {"ring": 0.015806, "nearest": 0.5, "farthest": 120.0, "aperture": 0.0100}
MODELS: dict[str, LidarModel] = {
    model.name: model
    for model in (
        _ouster("OS1-64", _even(16.611, 64), (3.164, 1.055, -1.055, -3.164), reach=55.0, noise=0.012, resolution=0.001,
                divergence=0.00227, **_OS1),
        _ouster("OS1-128", _even(21.2, 128), (4.21, 1.41, -1.41, -4.21), reach=65.0, noise=0.012, resolution=0.008,
                divergence=0.00314, **_OS1),
        _ouster("OS0-64", _pole_elevations(), (3.164, 1.055, -1.055, -3.164), ring=0.02767, nearest=0.5,
                farthest=100.0, reach=90.0, noise=0.010, resolution=0.008, divergence=0.00314, aperture=0.0095),
        _vlp16(), _vlp32c(), _hdl64e(),
    )
}  # fmt: skip
#: Other ways to write the names: as Ouster's metadata do.
ALIASES = {"OS-1-64": "OS1-64", "OS-1-128": "OS1-128", "OS-0-64": "OS0-64", "OS0-64 pole": "OS0-64"}
OUSTER_COLUMNS = (512, 1024, 2048)


def lidar_model(name: str, columns: int = 0) -> LidarModel:
    """Return a model by name; ``columns``: of an Ouster's turn, 512, 1024 or 2048 (0: 1024).

    Raises:
        ConfigError: an unknown model, or columns that it does not have.

    """
    found = MODELS.get(ALIASES.get(name, name))
    if found is None:
        raise ConfigError(f"lidar model {name!r}: not known; expected one of {', '.join((*MODELS, *ALIASES))}")
    if not columns or columns == found.columns:
        return found
    if not found.ouster or columns not in OUSTER_COLUMNS:
        allowed = ", ".join(map(str, OUSTER_COLUMNS if found.ouster else (found.columns,)))
        raise ConfigError(f"lidar model {found.name}: {columns} columns; expected {allowed}")
    return replace(found, columns=columns)
