"""What simulated sensors give, as the messages that drivers would make of it; faults of platforms are applied here."""

from __future__ import annotations

import dataclasses
import heapq
from collections.abc import Generator, Iterator
from typing import Any, NamedTuple

import cv2
import numpy as np
from sensor_msgs.msg import Imu

from twin_common import stamps
from twin_common.pointcloud import Cloud
from twin_drivers import convert as drivers
from twin_drivers.core import camera_model, nmea
from twin_drivers.core.scan import Packet
from twin_sim import convert
from twin_sim.core.camera_model import CameraModel
from twin_sim.core.faults import Faults
from twin_sim.core.gnss_imu import Position, Readings
from twin_sim.core.imu import Inertial
from twin_sim.core.lidar_packets import metadata, packets
from twin_sim.platform_sensors import Output, PlatformSensors, Scan, Shot

JPEG_QUALITY = 90
COLUMNS = 16  # of one packet: what is lost together
MAP = "map"


class Arrival(NamedTuple):
    """A message: its registry key, when it arrives at the computer (true time, ns), and itself.

    ``ahead_ns``: of packets, how far the platform's clock is ahead of true time.
    """

    key: str
    time_ns: int
    message: Any
    ahead_ns: int = 0


class ArrivalQueue:
    """Messages on their way, of any number of platforms, in order of arrival; of one moment, in order of making."""

    def __init__(self) -> None:
        """Start empty."""
        self._waiting: list[tuple[int, int, str, Arrival]] = []
        self._order = 0

    def push(self, arrival: Arrival, platform: str = "") -> None:
        """Add a message."""
        heapq.heappush(self._waiting, (arrival.time_ns, self._order, platform, arrival))
        self._order += 1

    def arrived(self, time_ns: int) -> Iterator[tuple[str, Arrival]]:
        """Take out the messages that have arrived by a time, with their platforms."""
        while self._waiting and self._waiting[0][0] <= time_ns:
            _, _, platform, arrival = heapq.heappop(self._waiting)
            yield platform, arrival

    def clear(self) -> None:
        """Forget all."""
        self._waiting.clear()


class SensorMessages:
    """Makes the messages of one platform.

    Args:
        sensors: of the platform.
        faults: of the run.
        as_packets: LiDARs give packets (Ouster's models only), not clouds.
        seen_only: nobody takes clouds, packets and pictures: only what is in them is told.

    """

    def __init__(
        self, sensors: PlatformSensors, faults: Faults, *, as_packets: bool = False, seen_only: bool = False
    ) -> None:
        """Count from 0."""
        self._sensors, self._faults, self._seen_only = sensors, faults, seen_only
        self.name = sensors.platform.name
        model = sensors.lidar_model
        #: The LiDAR whose packets are made; None: clouds are.
        self.packet_model = model if as_packets and model is not None and model.ouster else None
        self._numbers = {"lidar": 0, "camera": 0, "gnss": 0, "imu": 0}
        self._frame = 0

    def metadata(self) -> str:
        """Return the metadata (JSON) of the LiDAR whose packets are made.

        Raises:
            ValueError: it gives clouds.

        """
        if self.packet_model is None:
            raise ValueError(f"{self.name}: makes no packets")
        return metadata(self.packet_model, self._sensors.number)

    def of(self, output: Output) -> Iterator[Arrival]:
        """Yield the messages of what the sensors gave between two frames, a sensor after the other."""
        points: dict[int, int] = {}
        pixels: dict[int, int] = {}
        if output.readings is not None:
            yield from self._readings(output.readings)
        if output.scan is not None and self._faults.alive(self.name, "lidar", output.scan.sweep.stamp_ns):
            points = yield from self._scan(output.scan)
        if output.shot is not None and self._faults.alive(self.name, "camera", output.shot.picture.stamp_ns):
            pixels = yield from self._shot(output.shot)
        if output.stamp_ns:
            visibility = convert.visibility_to_message(output.stamp_ns, f"{self.name}/base_link", points, pixels)
            yield Arrival("sim_visibility", output.stamp_ns, visibility)

    def _taken(self, sensor: str, count: int) -> np.ndarray:
        """Return the running numbers of the next ``count`` packets of a sensor."""
        first = self._numbers[sensor]
        self._numbers[sensor] = first + count
        return np.arange(first, first + count)

    def _link(self, sensor: str, count: int) -> tuple[np.ndarray, np.ndarray]:
        """Return which of the next packets arrive, and how late, ns."""
        numbers = self._taken(sensor, count)
        return self._faults.keep(self.name, sensor, numbers), self._faults.delays(self.name, sensor, numbers)

    def _scan(self, scan: Scan) -> Generator[Arrival, None, dict[int, int]]:
        """Yield what arrives of a turn; return the points on each actor in that."""
        sweep = scan.sweep
        shift = self._faults.stamp(self.name, sweep.stamp_ns) - sweep.stamp_ns
        kept, late = self._link("lidar", -(-sweep.ranges.shape[1] // COLUMNS))
        if not kept.any():
            return {}
        columns = np.repeat(kept, COLUMNS)[: sweep.ranges.shape[1]]
        if self._seen_only:
            return scan.points(columns)
        arrival = sweep.stamp_ns + int(late[kept].max())
        if self.packet_model is not None:
            told = dataclasses.replace(sweep, column_stamps=sweep.column_stamps + shift)
            sent = packets(self.packet_model, told, self._frame, self._sensors.number)
            self._frame += 1
            arrived = [Packet(p.stamp_ns + int(d), p.payload) for p, k, d in zip(sent, kept, late, strict=True) if k]
            arrived.sort(key=lambda packet: packet.stamp_ns)
            message = drivers.packets_to_message(arrived, self.packet_model.driver, f"{self.name}/lidar")
            yield Arrival("lidar_packets", arrival, message, shift)
            return scan.points(columns)
        seen = (
            sweep if kept.all() else dataclasses.replace(sweep, ranges=np.where(columns, sweep.ranges, np.float32(0)))
        )
        cloud = Cloud(sweep.stamp_ns + shift, f"{self.name}/lidar", self._sensors.cloud(seen))
        yield Arrival("lidar_points", arrival, cloud)
        return scan.points(columns)

    def _shot(self, shot: Shot) -> Generator[Arrival, None, dict[int, int]]:
        """Yield what arrives of a picture; return the pixels on each actor in that."""
        picture = shot.picture
        kept, late = self._link("camera", 1)
        if not kept[0]:
            return {}
        if self._seen_only:
            return shot.pixels
        stamp_ns = self._faults.stamp(self.name, picture.stamp_ns)
        frame_id, arrival = f"{self.name}/camera", picture.stamp_ns + int(late[0])
        yield Arrival("camera_info", arrival, camera_info(picture.model, stamp_ns, frame_id))
        yield Arrival("camera_image", arrival, drivers.jpeg_to_message(jpeg(picture.rgb), stamp_ns, frame_id))
        return shot.pixels

    def _readings(self, readings: Readings) -> Iterator[Arrival]:
        frame_id = f"{self.name}/imu"
        inertial = readings.inertial
        kept, late = self._link("imu", len(inertial.stamps_ns))
        for i in np.flatnonzero(kept):
            true_ns = int(inertial.stamps_ns[i])
            if self._faults.alive(self.name, "imu", true_ns):
                message = imu_message(inertial, int(i), self._faults.stamp(self.name, true_ns), frame_id)
                yield Arrival("imu", true_ns + int(late[i]), message)
        kept, late = self._link("gnss", len(readings.positions))
        for i in np.flatnonzero(kept):
            position = readings.positions[i]
            if self._faults.alive(self.name, "gnss", position.stamp_ns):
                stamp_ns = self._faults.stamp(self.name, position.stamp_ns)
                arrival = position.stamp_ns + int(late[i])
                if position.quality:
                    yield Arrival("gnss_velocity", arrival, _velocity(position, stamp_ns))
                yield Arrival("gnss_fix", arrival, _fix(position, stamp_ns, frame_id))


def jpeg(rgb: np.ndarray) -> bytes:
    """Return a picture (H, W, 3) uint8 as JPEG."""
    _, content = cv2.imencode(".jpg", cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
    return bytes(content)


def camera_info(model: CameraModel, stamp_ns: int, frame_id: str) -> Any:
    """Return the intrinsics of a simulated camera."""
    k = model.matrix()
    numbers = camera_model.from_numbers(
        (model.width, model.height), (k[0, 0], k[1, 1]), (k[0, 2], k[1, 2]), "plumb_bob", tuple(model.coefficients())
    )
    return drivers.camera_info(numbers, (model.width, model.height), stamp_ns, frame_id)


def imu_message(inertial: Inertial, number: int, stamp_ns: int, frame_id: str) -> Imu:
    """Return one sample of an IMU."""
    message = Imu()
    stamps.fill_time(message.header.stamp, stamp_ns)
    message.header.frame_id = frame_id
    q, w, a = message.orientation, message.angular_velocity, message.linear_acceleration
    q.x, q.y, q.z, q.w = map(float, inertial.orientation[number])
    w.x, w.y, w.z = map(float, inertial.rates[number])
    a.x, a.y, a.z = map(float, inertial.acceleration[number])
    message.orientation_covariance = np.diag(inertial.orientation_variance).reshape(-1)
    message.angular_velocity_covariance = np.diag(inertial.rates_variance).reshape(-1)
    message.linear_acceleration_covariance = np.diag(inertial.acceleration_variance).reshape(-1)
    return message


def _fix(position: Position, stamp_ns: int, frame_id: str) -> Any:
    east, north, up = map(float, position.variances)
    fix = nmea.Fix(
        stamp_ns, position.latitude_deg, position.longitude_deg, position.altitude, int(position.quality),
        (east, north, up), True,
    )  # fmt: skip
    return drivers.fix_to_message(fix, frame_id)


def _velocity(position: Position, stamp_ns: int) -> Any:
    east, north, _ = map(float, position.velocity)
    variance = float(np.mean(position.velocity_variances[:2]))
    return drivers.velocity_to_message(nmea.GroundVelocity(stamp_ns, east, north, variance), MAP)
