"""LiDARs on poles that need not be there: any model at any place of the simulated district, and what it sees."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from twin_common.core.geometry import transform_from_rpy
from twin_common.pointcloud import Cloud
from twin_sim.core.bodies import Bodies
from twin_sim.core.body_atlas import BodyAtlas
from twin_sim.core.frame import STEP_NS, Frame, Weather, no_actors
from twin_sim.core.lidar import LidarSensor
from twin_sim.core.lidar_models import lidar_model
from twin_sim.core.still_scene import StillScene
from twin_sim.scenery_cache import cached_scenery
from twin_sim.world import World


@dataclass(frozen=True, slots=True)
class Place:
    """Where a LiDAR stands: map frame, metres, degrees; ``ground``: height of the ground below it."""

    x: float
    y: float
    ground: float
    height: float
    yaw_deg: float
    roll_deg: float = 0.0
    pitch_deg: float = 0.0

    def map_from_lidar(self) -> np.ndarray:
        """Return the pose, (4, 4)."""
        at = self.x, self.y, self.ground + self.height
        roll, pitch, yaw = (float(np.radians(value)) for value in (self.roll_deg, self.pitch_deg, self.yaw_deg))
        return transform_from_rpy(at, roll, pitch, yaw)


@dataclass(frozen=True, slots=True)
class Theatre:
    """What all LiDARs of a district share: the static scene, and the bodies of actors in dry and in wet weather."""

    still: StillScene
    dry: BodyAtlas
    wet: BodyAtlas

    def atlas(self, weather: Weather) -> BodyAtlas:
        """Return the bodies as they are in a weather."""
        return self.wet if weather.rain > 0 else self.dry


def theatre_of(world: World) -> Theatre:
    """Return the theatre of a district; takes some seconds."""
    atlases = []
    for rain in (0.0, 8.0):
        bodies = Bodies(rain)
        bodies.prepare()
        atlases.append(BodyAtlas(bodies))
    return Theatre(StillScene(cached_scenery(world)), *atlases)


class VirtualLidar:
    """One LiDAR on a pole.

    Args:
        theatre: of the district.
        place: where it stands.
        model: name, of twin_sim.core.lidar_models.
        columns: of a turn; 0: the model's own.
        weather: in which it sees.
        seed: of its noise.

    """

    def __init__(
        self, theatre: Theatre, place: Place, model: str, columns: int, weather: Weather, seed: int, frame_id: str = ""
    ) -> None:
        """Cast what stands still."""
        self.place, self.frame_id = place, frame_id or "lidar"
        self.sensor = LidarSensor(
            lidar_model(model, columns), theatre.still, theatre.atlas(weather), place.map_from_lidar(), seed=seed,
            stream=seed % 97, weather=weather,
        )  # fmt: skip

    def scan(self, frame: Frame, previous: Frame | None = None) -> tuple[Cloud, np.ndarray]:
        """Return the cloud of the turn that ends with a frame, and the index of the actor of each point, -1: none."""
        sweep = self.sensor.sweep(frame, previous)
        points = self.sensor.cloud(sweep)
        owners = sweep.owners.reshape(-1)[sweep.ranges.reshape(-1) > 0]
        return Cloud(sweep.stamp_ns, self.frame_id, points), owners

    def empty_scans(self, stamp_ns: int, count: int) -> list[Cloud]:
        """Return scans of the place without anybody, which end before a stamp."""
        signals = np.zeros(0)
        frames = [Frame(stamp_ns - (count - i) * STEP_NS, no_actors(), signals) for i in range(count)]
        return [self.scan(frame)[0] for frame in frames]
