"""NMEA 0183 sentences to fixes, velocities and attitudes.

Frames and signs: positions WGS84; velocities east-north-up; attitudes are fixed-axis roll, pitch, yaw of the vehicle
(x forward, y left, z up) in east-north-up (REP-103): NMEA's heading counts clockwise from north, its pitch bow up.
"""

from __future__ import annotations

import datetime
import functools
import math
import operator
from dataclasses import dataclass
from typing import Any

import pynmea2

KNOT = 1852.0 / 3600.0  # m/s
QUALITY_NONE, QUALITY_SINGLE, QUALITY_DIFFERENTIAL, QUALITY_PPS, QUALITY_FIXED, QUALITY_FLOAT = range(6)
_LONGEST_LINE = 512  # bytes; NMEA allows 82, some receivers send more
_BURST_NS = 60_000_000  # sentences of one moment follow each other within this time
_KEPT_NS = 2_000_000_000  # how long a better source of the same quantity is waited for
_AT_REST = 0.3  # m/s; below it a receiver may leave the course out


@dataclass(frozen=True, slots=True)
class NmeaOptions:
    """What a receiver's sentences leave open.

    ``range_error``: standard deviation by fix quality, metres; times HDOP it gives the position's.
    ``vertical_factor``: vertical over horizontal. ``speed_error``: m/s. ``heading_error``, ``heading_offset``: radians;
    the offset is added to the heading, clockwise. ``sensor_clock``: stamps are the receiver's UTC instead of arrival.
    """

    range_error: dict[int, float]
    vertical_factor: float
    speed_error: float
    heading_error: float
    heading_offset: float
    sensor_clock: bool


@dataclass(frozen=True, slots=True)
class Fix:
    """A position: degrees, altitude above the ellipsoid in metres; variances (east, north, up) in m².

    ``quality`` is GGA's; with ``QUALITY_NONE`` the position is NaN. ``measured``: variances come from the receiver.
    """

    stamp_ns: int
    latitude_deg: float
    longitude_deg: float
    altitude: float
    quality: int
    variances: tuple[float, float, float]
    measured: bool


@dataclass(frozen=True, slots=True)
class GroundVelocity:
    """Velocity over ground, m/s, and its variance, m²/s²."""

    stamp_ns: int
    east: float
    north: float
    variance: float


@dataclass(frozen=True, slots=True)
class Attitude:
    """Roll, pitch, yaw in radians, and their variances; an angle that is not measured is 0 with a large variance."""

    stamp_ns: int
    roll: float
    pitch: float
    yaw: float
    variances: tuple[float, float, float]


Record = Fix | GroundVelocity | Attitude
UNMEASURED = math.radians(30.0) ** 2  # variance of a roll or pitch that nobody measures


class SentenceError(ValueError):
    """Bytes that are no sentence; the message is one line for a person."""


def sentence(body: str) -> bytes:
    """Return a sentence with its ``$`` and checksum; ``body``: talker, type and fields, e.g. ``GPHDT,45.0,T``."""
    checksum = functools.reduce(operator.xor, body.encode(), 0)
    return f"${body}*{checksum:02X}".encode()


class LineReader:
    """Cuts a stream of bytes into lines; of a line that began before the connection the rest is left out."""

    def __init__(self) -> None:
        """Start with nothing."""
        self._rest = b""
        self._joining = True

    def push(self, chunk: bytes) -> list[bytes]:
        """Return the lines that ``chunk`` completes; what never ends is returned in pieces, to be refused."""
        *lines, self._rest = (self._rest + chunk).replace(b"\r", b"\n").split(b"\n")
        if len(self._rest) > _LONGEST_LINE:
            lines.append(self._rest)
            self._rest = b""
        if self._joining and lines:
            self._joining = False
            lines = lines if lines[0].startswith(b"$") else lines[1:]
        return [line for line in lines if line]

    def reset(self) -> None:
        """Forget an unfinished line: the connection is a new one."""
        self._rest = b""
        self._joining = True


class NmeaParser:
    """Turns sentences into records; keeps what one sentence leaves to others of the same moment."""

    def __init__(self, options: NmeaOptions) -> None:
        """Start without date and accuracy."""
        self._options = options
        self._date: datetime.date | None = None
        self._epoch: tuple[datetime.time | None, int] = (None, -_KEPT_NS)
        self._accuracy: tuple[int, tuple[float, float, float]] | None = None
        self._last_rmc_ns = self._last_attitude_ns = -_KEPT_NS

    def push(self, arrival_ns: int, line: bytes) -> Record | None:
        """Return the record of one line; None where it has none for us.

        Raises:
            SentenceError: the line is no NMEA sentence, its checksum is missing or wrong, or a field is no number.

        """
        try:
            sentence: Any = pynmea2.parse(line.decode("ascii").strip(), check=True)
        except (pynmea2.ParseError, ValueError, KeyError, IndexError) as error:
            reason = "checksum" if isinstance(error, pynmea2.ChecksumError) else "no NMEA sentence"
            raise SentenceError(f"{reason}: {line[:40]!r}; expected NMEA 0183 with checksum") from None
        take = self._TAKERS.get(type(sentence).__name__)
        try:
            return take(self, arrival_ns, sentence) if take else None
        except (ValueError, TypeError, ArithmeticError, AttributeError):
            raise SentenceError(f"field: {line[:80]!r}; expected numbers of NMEA 0183") from None

    def _stamp(self, arrival_ns: int, time: datetime.time | None) -> int:
        """Return the stamp of a sentence; those of one moment get the same."""
        known, stamp_ns = self._epoch
        same_burst = arrival_ns - stamp_ns < _BURST_NS
        if not self._options.sensor_clock:
            if same_burst and (time is None or time == known):
                return stamp_ns
            if time is not None:
                self._epoch = (time, arrival_ns)
            return arrival_ns
        if time is None or self._date is None:
            return stamp_ns if known is not None else arrival_ns
        moment = datetime.datetime.combine(self._date, time.replace(tzinfo=None), datetime.timezone.utc)
        stamp_ns = int(moment.replace(microsecond=0).timestamp()) * 1_000_000_000 + moment.microsecond * 1000
        self._epoch = (time, stamp_ns)
        return stamp_ns

    def _gga(self, arrival_ns: int, sentence: Any) -> Fix:
        stamp_ns = self._stamp(arrival_ns, sentence.timestamp)
        quality = int(sentence.gps_qual or 0)
        if quality == QUALITY_NONE or not sentence.lat or not sentence.lon:
            return Fix(stamp_ns, math.nan, math.nan, math.nan, QUALITY_NONE, (math.inf,) * 3, False)
        altitude = float(sentence.altitude) + float(sentence.geo_sep or 0.0)
        options = self._options
        if self._accuracy is not None and abs(arrival_ns - self._accuracy[0]) < _KEPT_NS:
            variances, measured = self._accuracy[1], True
        else:
            error = options.range_error.get(quality, options.range_error[QUALITY_SINGLE])
            horizontal = (error * float(sentence.horizontal_dil or 1.0)) ** 2
            variances, measured = (horizontal, horizontal, horizontal * options.vertical_factor**2), False
        latitude, longitude = float(sentence.latitude), float(sentence.longitude)
        if not (abs(latitude) <= 90.0 and abs(longitude) <= 180.0 and math.isfinite(altitude)):
            raise ValueError("position")
        return Fix(stamp_ns, latitude, longitude, altitude, quality, variances, measured)

    def _gst(self, arrival_ns: int, sentence: Any) -> None:
        north, east, up = (
            float(value) ** 2
            for value in (sentence.std_dev_latitude, sentence.std_dev_longitude, sentence.std_dev_altitude)
        )
        self._accuracy = (arrival_ns, (east, north, up))

    def _rmc(self, arrival_ns: int, sentence: Any) -> GroundVelocity | None:
        if sentence.datestamp:
            self._date = sentence.datestamp
        stamp_ns = self._stamp(arrival_ns, sentence.timestamp)
        if sentence.status != "A" or sentence.spd_over_grnd is None:
            return None
        self._last_rmc_ns = arrival_ns
        return self._velocity(stamp_ns, float(sentence.spd_over_grnd) * KNOT, sentence.true_course)

    def _vtg(self, arrival_ns: int, sentence: Any) -> GroundVelocity | None:
        """Take a velocity where RMC gives none."""
        if arrival_ns - self._last_rmc_ns < _KEPT_NS or sentence.spd_over_grnd_kmph is None:
            return None
        if sentence.faa_mode == "N":
            return None
        stamp_ns = self._stamp(arrival_ns, None)
        return self._velocity(stamp_ns, float(sentence.spd_over_grnd_kmph) / 3.6, sentence.true_track)

    def _velocity(self, stamp_ns: int, speed: float, course_deg: Any) -> GroundVelocity | None:
        if course_deg in (None, ""):
            if speed > _AT_REST:
                return None
            course_deg = 0.0
        course = math.radians(float(course_deg))
        variance = self._options.speed_error**2
        return GroundVelocity(stamp_ns, speed * math.sin(course), speed * math.cos(course), variance)

    def _hdt(self, arrival_ns: int, sentence: Any) -> Attitude | None:
        """Take a heading where no PASHR gives the whole attitude."""
        if arrival_ns - self._last_attitude_ns < _KEPT_NS or sentence.heading in (None, ""):
            return None
        yaw = self._yaw(float(sentence.heading))
        variances = (UNMEASURED, UNMEASURED, self._options.heading_error**2)
        return Attitude(self._stamp(arrival_ns, None), 0.0, 0.0, yaw, variances)

    def _pashr(self, arrival_ns: int, sentence: Any) -> Attitude | None:
        if sentence.true_heading is None or sentence.roll is None or sentence.pitch is None:
            return None
        self._last_attitude_ns = arrival_ns
        errors = (sentence.roll_accuracy, sentence.pitch_accuracy, sentence.heading_accuracy)
        roll, pitch, yaw = (
            math.radians(float(error)) ** 2 if error else self._options.heading_error**2 for error in errors
        )
        return Attitude(
            self._stamp(arrival_ns, sentence.timestamp), math.radians(float(sentence.roll)),
            -math.radians(float(sentence.pitch)), self._yaw(float(sentence.true_heading)), (roll, pitch, yaw),
        )  # fmt: skip

    def _yaw(self, heading_deg: float) -> float:
        """Return the angle from east, counter-clockwise, in (-pi, pi]."""
        yaw = math.pi / 2 - math.radians(heading_deg) - self._options.heading_offset
        return math.pi - (math.pi - yaw) % (2 * math.pi)

    _TAKERS = {"GGA": _gga, "GST": _gst, "RMC": _rmc, "VTG": _vtg, "HDT": _hdt, "ASHRATT": _pashr}  # noqa: RUF012
