"""A GNSS receiver in a city: satellites hidden by buildings, received over walls, or clear.

Pseudoranges get the errors of orbit and atmosphere (the same for all receivers), of multipath and of noise, and a
weighted least-squares fix turns them into position, clock and covariance (Groves 2013, "Principles of GNSS, Inertial,
and Multisensor Integrated Navigation", 9.4). Hidden satellites that a wall reflects come in late by the geometric
detour (Groves & Jiang 2013, "Height aiding, C/N0 weighting and consistency checking for GNSS NLOS and multipath
mitigation in urban areas", Journal of Navigation 66).
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from enum import IntEnum

import numpy as np

from twin_common.config import Config, setting
from twin_common.core.geodesy import Datum
from twin_sim.core.sky import Constellation, Skyline, constellation

SKY_PERIOD_NS = 1_000_000_000  # the sky is looked at anew this often, and after SKY_STEP metres
SKY_STEP = 1.0
WORST = 200.0  # m; a fix whose error would be larger is none
CHIP = 20.0  # m; a longer detour disturbs a direct signal no more than this one (correlator of 0.1 chip)


class Quality(IntEnum):
    """Quality of a fix, numbers of the NMEA sentence GGA."""

    NONE = 0
    SINGLE = 1
    DIFFERENTIAL = 2
    FIXED = 4
    FLOAT = 5


@dataclass(frozen=True, slots=True)
class GnssConfig(Config):
    """Errors of a receiver with two systems and one frequency; carrier-phase corrections where ``corrections``."""

    rate: float = setting(10.0, "Hz", "fixes a second", low=0.1, high=50.0)
    corrections: bool = setting(True, doc="whether a reference station's corrections come in (RTK)")
    mask_deg: float = setting(10.0, "deg", "satellites below are not used", low=0.0, high=60.0)
    atmosphere: float = setting(0.8, "m", "error of orbit and atmosphere towards the zenith", low=0.0, high=20.0)
    noise: float = setting(0.3, "m", "white error of a pseudorange towards the zenith", low=0.0, high=20.0)
    multipath: float = setting(0.15, "1", "amplitude of a reflection beside the direct signal", low=0.0, high=1.0)
    correlation: float = setting(8.0, "s", "how long multipath stays alike while standing", low=0.1, high=600.0)
    reflected: float = setting(
        0.6, "1", "share of the hidden satellites with a reflecting wall that are received", low=0.0, high=1.0
    )
    doubt: float = setting(
        4.0, "1", "by how much the receiver trusts a weak, reflected signal less", low=1.0, high=50.0
    )
    doppler: float = setting(0.03, "m/s", "white error of a range rate towards the zenith", low=0.0, high=5.0)
    fixed_sigma: float = setting(0.012, "m", "horizontal error with fixed ambiguities", low=0.001, high=0.5)
    float_share: float = setting(0.15, "1", "error with floating ambiguities, of that without", low=0.01, high=1.0)
    fix_time: float = setting(8.0, "s", "open sky until ambiguities are fixed", low=0.0, high=600.0)
    fix_satellites: int = setting(9, "1", "clear satellites that fixed ambiguities need", low=4, high=40)
    float_satellites: int = setting(6, "1", "clear satellites that floating ambiguities need", low=4, high=40)


@dataclass(frozen=True, slots=True)
class Fix:
    """One epoch: position error and variances east, north, up (3,), metres and m²; velocity error and variance.

    ``clear`` and ``reflected``: satellites that are seen directly and over a wall. Without quality all is NaN.
    """

    stamp_ns: int
    quality: Quality
    position_error: np.ndarray
    position_variance: np.ndarray
    velocity_error: np.ndarray
    velocity_variance: np.ndarray
    clear: int
    reflected: int


@dataclass(frozen=True, slots=True)
class _Sky:
    """What is above at one moment: rows of satellites (K,), directions (K, 3), clear (K,), detours (K,), metres."""

    rows: np.ndarray
    directions: np.ndarray
    clear: np.ndarray
    detours: np.ndarray


class GnssReceiver:
    """The receiver of one platform.

    Args:
        config: its errors.
        skyline: the buildings.
        datum: where the map frame is.
        seed: of the run; orbits and atmosphere are the same for all receivers of a run.
        name: of the platform; multipath and noise are its own.

    """

    def __init__(self, config: GnssConfig, skyline: Skyline, datum: Datum, seed: int, name: str) -> None:
        """Set up the constellation."""
        self._config = config
        self._skyline = skyline
        self._place = np.radians(datum.latitude), np.radians(datum.longitude)
        self._seed, self._stream = seed, zlib.crc32(name.encode())
        self._satellites: Constellation = constellation(seed)
        count = len(self._satellites)
        rng = np.random.default_rng([seed, 0xA7])
        self._tones = rng.uniform(0, 2 * np.pi, (count, 4)), 2 * np.pi / rng.uniform(600, 3600, (count, 4))
        own = np.random.default_rng([seed, self._stream, 0x11])
        self._received = own.random(count) < config.reflected
        self._multipath = own.normal(size=count)
        self._phase = own.normal(size=3)
        self._sky: _Sky | None = None
        self._looked: tuple[int, np.ndarray] = (0, np.zeros(3))
        self._last_ns: int | None = None
        self._open_since_ns: int | None = None

    def step(self, stamp_ns: int, antenna: np.ndarray, speed: float) -> Fix:
        """Return the fix of one epoch; ``antenna``: (3,) metres, map frame; ``speed``: m/s."""
        rng = np.random.default_rng([self._seed, self._stream, stamp_ns & 0x7FFF_FFFF_FFFF_FFFF])
        sky = self._look(stamp_ns, antenna)
        self._age(stamp_ns, speed, rng)
        used = sky.clear | (self._received[sky.rows] & np.isfinite(sky.detours))
        clear = sky.clear[used]
        count = int(clear.sum())
        nothing = np.full(3, np.nan)
        if used.sum() < 5:
            self._open_since_ns = None
            return Fix(stamp_ns, Quality.NONE, nothing, nothing, nothing, nothing, count, int(used.sum()) - count)
        directions, sigma, error = self._ranges(stamp_ns, sky, used, rng)
        place = _solve(directions, error, sigma)
        if place is None:
            return Fix(stamp_ns, Quality.NONE, nothing, nothing, nothing, nothing, count, int(used.sum()) - count)
        quality = self._quality(stamp_ns, count)
        position, variance = self._refined(quality, place[0], place[1])
        share = self._config.doppler / max(self._config.noise, 1e-3)  # of a range rate's error in a range's
        motion_error = share * place[2] @ (sigma * rng.normal(size=len(sigma)))
        motion_variance = share**2 * (place[2] ** 2 @ sigma**2)
        reflected = int(used.sum()) - count
        return Fix(stamp_ns, quality, position, variance, motion_error, motion_variance, count, reflected)

    def _look(self, stamp_ns: int, antenna: np.ndarray) -> _Sky:
        """Return the sky, from memory while neither time nor place has changed much."""
        looked_ns, place = self._looked
        near = abs(stamp_ns - looked_ns) < SKY_PERIOD_NS and float(np.linalg.norm(place - antenna)) < SKY_STEP
        if self._sky is None or not near:
            directions = self._satellites.directions(stamp_ns, *self._place)
            rows = np.flatnonzero(directions[:, 2] > np.sin(np.radians(self._config.mask_deg)))
            seen = directions[rows]
            clear = ~self._skyline.blocked(antenna, seen)
            self._sky = _Sky(rows, seen, clear, self._skyline.detours(antenna, seen))
            self._looked = (stamp_ns, antenna.copy())
        return self._sky

    def _age(self, stamp_ns: int, speed: float, rng: np.random.Generator) -> None:
        """Let multipath and phase error wander: Gauss-Markov, faster while moving past walls."""
        passed = 1.0 / self._config.rate if self._last_ns is None else max(stamp_ns - self._last_ns, 0) / 1e9
        self._last_ns = stamp_ns
        correlation = self._config.correlation / (1.0 + speed)
        kept = np.exp(-passed / correlation)
        self._multipath = kept * self._multipath + np.sqrt(1 - kept**2) * rng.normal(size=len(self._multipath))
        kept = np.exp(-passed / 30.0)
        self._phase = kept * self._phase + np.sqrt(1 - kept**2) * rng.normal(size=3)

    def _ranges(
        self, stamp_ns: int, sky: _Sky, used: np.ndarray, rng: np.random.Generator
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return directions (K, 3), the receiver's sigma (K,) and the true error (K,) of each pseudorange, metres."""
        config, rows = self._config, sky.rows[used]
        directions, clear, detours = sky.directions[used], sky.clear[used], sky.detours[used]
        slant = 1.0 / np.maximum(directions[:, 2], 0.1)
        phases, rates = self._tones
        atmosphere = np.sin(phases[rows] + rates[rows] * (stamp_ns / 1e9)).sum(axis=1) / np.sqrt(2.0)
        residual = 0.03 if config.corrections else 1.0  # the station beside sees the same orbit and atmosphere
        bent = np.where(np.isfinite(detours), np.minimum(detours, CHIP), 0.0)
        share = config.multipath * bent * self._multipath[rows]
        late = np.where(clear, share, np.where(np.isfinite(detours), detours, 0.0) + share)
        white = rng.normal(size=len(rows)) * config.noise * slant
        error = residual * config.atmosphere * slant * atmosphere + late + white
        believed = np.hypot(config.noise, residual * config.atmosphere) * slant + 0.5 * config.multipath
        return directions, np.where(clear, believed, config.doubt * believed), error

    def _quality(self, stamp_ns: int, clear: int) -> Quality:
        """Return the quality that so many clear satellites allow; a fixed solution needs them for a while."""
        config = self._config
        if not config.corrections:
            return Quality.SINGLE
        if clear < config.fix_satellites:
            self._open_since_ns = None
            return Quality.FLOAT if clear >= config.float_satellites else Quality.DIFFERENTIAL
        if self._open_since_ns is None:
            self._open_since_ns = stamp_ns
        waited = (stamp_ns - self._open_since_ns) / 1e9
        return Quality.FIXED if waited >= config.fix_time else Quality.FLOAT

    def _refined(self, quality: Quality, error: np.ndarray, variance: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return error and variances of the position that carrier phases give."""
        if quality == Quality.FLOAT:
            return error * self._config.float_share, variance * self._config.float_share**2
        if quality == Quality.FIXED:
            sigma = self._config.fixed_sigma * np.array([1.0, 1.0, 1.8])
            return self._phase * sigma, sigma**2
        return error, variance


def _solve(
    directions: np.ndarray, error: np.ndarray, sigma: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray] | None:
    """Return error and variances (3,) of the weighted least-squares fix, and the gain (3, K) from ranges to position.

    Variances are scaled by the residuals. Signals that do not fit the others by far are left out once, as receivers
    do (Groves 2013, 17.4). None: the directions allow no fix.
    """
    design = np.column_stack([-directions, np.ones(len(directions))])
    weight = 1.0 / sigma**2
    for _ in range(2):
        try:
            covariance = np.linalg.inv(design.T @ (design * weight[:, None]))
        except np.linalg.LinAlgError:
            return None
        variance = np.diag(covariance)
        if not (variance > 0).all() or variance.max() > WORST**2:
            return None
        gain = covariance @ (design.T * weight)
        residual = error - design @ (gain @ error)
        misfit = np.abs(residual) / sigma
        bad = misfit > max(4.0, 3.0 * float(np.median(misfit)))
        if not bad.any() or (weight[~bad] > 0).sum() < 6:
            break
        weight = np.where(bad, 0.0, weight)
    freedom = max(int((weight > 0).sum()) - 4, 1)
    scale = max(float(np.sum(weight * residual**2)) / freedom, 1.0)
    return (gain @ error)[:3], scale * variance[:3], gain[:3]
