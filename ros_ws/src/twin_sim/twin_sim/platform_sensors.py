"""The sensors of one platform in the simulated district: frames in, scans, pictures and fixes out."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np

from twin_common import stamps
from twin_common.core.geometry import transform_from_rpy
from twin_common.district import PlatformConfig
from twin_sim.core.bodies import Bodies
from twin_sim.core.body_atlas import BodyAtlas
from twin_sim.core.camera import CameraRenderer, Picture, View
from twin_sim.core.frame import STEP_NS, Frame, Weather
from twin_sim.core.gnss_imu import GnssImu, Readings, skyline_of
from twin_sim.core.imu import Motion
from twin_sim.core.lidar import LidarSensor, Sweep, VehicleLidar
from twin_sim.core.lidar_models import LidarModel
from twin_sim.core.meshes import Mesh
from twin_sim.core.still_scene import StillScene
from twin_sim.scenery_cache import cached_scenery
from twin_sim.sensor_config import camera_of, gnss_imu_of, lidar_of
from twin_sim.world import World


@dataclass(frozen=True, slots=True)
class Scan:
    """One turn of a LiDAR; ``actor_ids``: (N,) of the frame's actors, which the sweep's owners are indices of."""

    sweep: Sweep
    actor_ids: np.ndarray

    def points(self, columns: np.ndarray) -> dict[int, int]:
        """Return points on each actor by actor_id in those columns, (W,) bool, that have arrived."""
        seen = self.sweep if columns.all() else replace(self.sweep, owners=self.sweep.owners[:, columns])
        return _by_actor(seen.points_of(len(self.actor_ids)), self.actor_ids)


@dataclass(frozen=True, slots=True)
class Shot:
    """One picture, and pixels on each actor by actor_id."""

    picture: Picture
    pixels: dict[int, int]


@dataclass(frozen=True, slots=True)
class Output:
    """What a platform's sensors gave between two frames; stamps are true times, faults are not applied.

    ``stamp_ns``: up to when; 0 where there is no frame before.
    """

    stamp_ns: int = 0
    scan: Scan | None = None
    shot: Shot | None = None
    readings: Readings | None = None


@dataclass(slots=True)
class Stage:
    """What the sensors of all platforms of one process share."""

    world: World
    weather: Weather
    seed: int
    mesh: Mesh = field(init=False)
    still: StillScene = field(init=False)
    atlas: BodyAtlas = field(init=False)
    _renderer: CameraRenderer | None = field(init=False, default=None)

    def __post_init__(self) -> None:
        """Build everything that stands still; takes a second or two."""
        self.mesh = cached_scenery(self.world)
        self.still = StillScene(self.mesh)
        bodies = Bodies(self.weather.rain)
        bodies.prepare()
        self.atlas = BodyAtlas(bodies)

    def renderer(self) -> CameraRenderer:
        """Return the renderer of all cameras; the first call makes it.

        Raises:
            ConfigError: no OpenGL; says which packages bring it.

        """
        if self._renderer is None:
            self._renderer = CameraRenderer(self.mesh, self.world, seed=self.seed)
        return self._renderer

    def close(self) -> None:
        """Release the renderer, if there is one."""
        if self._renderer is not None:
            self._renderer.close()


class PlatformSensors:
    """All sensors of one platform.

    Args:
        stage: what stands still.
        platform: which sensors it has, and where.
        columns: of the LiDAR's turn; 0: as configured.

    """

    def __init__(self, stage: Stage, platform: PlatformConfig, columns: int = 0) -> None:
        """Cast what stands still."""
        self._stage, self.platform = stage, platform
        names = [item.name for item in stage.world.district.platforms]
        self.number = names.index(platform.name)
        self._map_from_base = platform.pose.matrix() if platform.kind == "pole" else None
        self.lidar_model: LidarModel | None = None
        self._lidar: LidarSensor | VehicleLidar | None = None
        self._phase_ns = 0
        found = lidar_of(platform, columns)
        if found is not None and platform.lidar is not None:
            config, self.lidar_model = found
            self._phase_ns = stamps.from_seconds(config.phase)
            self._lidar = self._make_lidar(self.lidar_model, platform.lidar.mount.matrix())
        self._camera = camera_of(platform)
        self._view: View | None = None
        self._unit = self._make_unit()
        self._previous: Frame | None = None
        self._count = 0

    def _make_lidar(self, model: LidarModel, mount: np.ndarray) -> LidarSensor | VehicleLidar:
        stage = self._stage
        shared = {"seed": stage.seed, "stream": self.number, "weather": stage.weather}
        if self._map_from_base is None:
            return VehicleLidar(model, stage.still, stage.atlas, mount, **shared)  # type: ignore[arg-type]
        return LidarSensor(model, stage.still, stage.atlas, self._map_from_base @ mount, **shared)  # type: ignore[arg-type]

    def _make_unit(self) -> GnssImu | None:
        config = gnss_imu_of(self.platform)
        if config is None or self.platform.gnss_imu is None:
            return None
        district = self._stage.world.district
        skyline = skyline_of((zone.corners(), zone.height) for zone in district.zones if zone.kind == "building")
        mount = self.platform.gnss_imu.mount.matrix()
        return GnssImu(config, mount, skyline, district.origin(), self._stage.seed, self.platform.name)

    def scan_stamp(self, frame: Frame) -> int:
        """Return the true time of the end of the turn that ends in the tenth of a second before a frame."""
        return frame.stamp_ns if not self._phase_ns else frame.stamp_ns - STEP_NS + self._phase_ns

    def push(self, frame: Frame, *, picture: bool = False) -> Output:
        """Take the next frame; return what the sensors gave since the one before.

        That is nothing for the first, and for one that does not follow the one before: time was set back.
        ``picture``: whether the camera is to take one, if it is its turn. A vehicle that is not in the district sees
        nothing.
        """
        previous, self._previous = self._previous, frame
        self._count += 1
        if previous is None or frame.stamp_ns - previous.stamp_ns != STEP_NS:
            return Output()
        stamp_ns = self.scan_stamp(frame)
        if self._map_from_base is None and not (self._own(previous) and self._own(frame)):
            return Output(stamp_ns)
        return Output(
            stamp_ns, self._scan(previous, frame), self._shot(frame) if picture else None, self._read(previous, frame)
        )

    def _own(self, frame: Frame) -> int:
        """Return the actor_id of this vehicle, 0 where it is not there."""
        number = frame.vehicles.get(self.platform.name, 0)
        return number if number in frame.actors["actor_id"] else 0

    def _scan(self, previous: Frame, frame: Frame) -> Scan | None:
        if self._lidar is None:
            return None
        stamp_ns = self.scan_stamp(frame)
        if isinstance(self._lidar, VehicleLidar):
            sweep = self._lidar.sweep(frame, self._own(frame), previous, stamp_ns)
        else:
            sweep = self._lidar.sweep(frame, previous, stamp_ns)
        return Scan(sweep, frame.actors["actor_id"])

    def cloud(self, sweep: Sweep) -> np.ndarray:
        """Return the points of a sweep, (N,) POINT_DTYPE, sensor frame.

        Raises:
            ValueError: the platform has no LiDAR.

        """
        if self._lidar is None:
            raise ValueError(f"{self.platform.name}: no LiDAR")
        return self._lidar.cloud(sweep)

    def _shot(self, frame: Frame) -> Shot | None:
        if self._camera is None or self.platform.camera is None or self._count % self._camera.every:
            return None
        renderer = self._stage.renderer()
        if self._view is None:
            self._view = renderer.view(self._camera.image, self.number)
        map_from_camera = self._base(frame) @ self.platform.camera.mount.matrix()
        own = 0 if self._map_from_base is not None else self._own(frame)
        picture = renderer.render(self._view, map_from_camera, frame, self._stage.weather, own_id=own)
        pixels = np.bincount(picture.ids[picture.ids >= 0], minlength=len(frame.actors))
        return Shot(picture, _by_actor(pixels, frame.actors["actor_id"]))

    def _base(self, frame: Frame) -> np.ndarray:
        """Return map_from_base at a frame, (4, 4)."""
        if self._map_from_base is not None:
            return self._map_from_base
        return pose_of(_row(frame, self._own(frame)))

    def _read(self, previous: Frame, frame: Frame) -> Readings | None:
        return None if self._unit is None else self._unit.step(self._motion(previous), self._motion(frame))

    def _motion(self, frame: Frame) -> Motion:
        if self._map_from_base is not None:
            pose = self.platform.pose
            yaw = float(np.radians(pose.yaw_deg))
            return Motion(frame.stamp_ns, self._map_from_base[:3, 3], np.zeros(3), yaw)
        row = _row(frame, self._own(frame))
        position = np.array([row["x"], row["y"], row["z"]], float)
        velocity = np.array([row["velocity_x"], row["velocity_y"], row["velocity_z"]], float)
        return Motion(
            frame.stamp_ns, position, velocity, float(row["yaw"]), float(row["yaw_rate"]), float(row["pitch"]),
            float(row["roll"]),
        )  # fmt: skip


def pose_of(row: np.ndarray) -> np.ndarray:
    """Return map_from_base of an actor, () ACTOR, (4, 4)."""
    place = float(row["x"]), float(row["y"]), float(row["z"])
    return transform_from_rpy(place, float(row["roll"]), float(row["pitch"]), float(row["yaw"]))


def _row(frame: Frame, actor_id: int) -> np.ndarray:
    return np.asarray(frame.actors[np.searchsorted(frame.actors["actor_id"], actor_id)])


def _by_actor(counts: np.ndarray, actor_ids: np.ndarray) -> dict[int, int]:
    hit = np.flatnonzero(counts)
    return dict(zip(actor_ids[hit].tolist(), counts[hit].tolist(), strict=True))
