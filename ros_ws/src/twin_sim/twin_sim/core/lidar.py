"""LiDARs on poles and on vehicles: sweeps of ranges, intensities and what was hit, and their point clouds.

A pole's rays are cast against what stands still once; in each sweep only rays that may meet an actor are cast. Every
ray meets actors where they are when it is fired. On a vehicle the rays move with the vehicle, column by column.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from twin_common.pointcloud import POINT_DTYPE
from twin_sim.core.body_atlas import BodyAtlas
from twin_sim.core.frame import Frame, Weather
from twin_sim.core.lidar_models import PERIOD_NS, LidarModel
from twin_sim.core.lidar_receiver import Echoes, Receiver
from twin_sim.core.lidar_targets import RayPicker, Targets, met, motion, targets_near
from twin_sim.core.lidar_weather import droplets
from twin_sim.core.still_scene import Hits, StillScene

CLEAR_DAY = Weather()
FLICKER = 0.08  # intensities vary by this share from pulse to pulse
NOISES = 1 << 20  # normal deviates drawn once; a sweep takes a stretch of them that starts anywhere
_STREAM = 0x11DA2  # of LiDARs among the random streams of a seed


@dataclass(frozen=True, slots=True)
class Sweep:
    """One turn, as the sensor reports it; rows from the highest beam, columns in the order of firing.

    ``stamp_ns``: of the last point; ``column_stamps``: (W,) int64 nanoseconds; ``ranges``: (H, W) float32 metres, 0
    where nothing returned; ``reflectivity``: (H, W) uint8; ``owners``: (H, W) int32, index of the actor that was hit,
    -1 for anything else.
    """

    stamp_ns: int
    column_stamps: np.ndarray
    ranges: np.ndarray
    reflectivity: np.ndarray
    owners: np.ndarray

    def points_of(self, actors: int) -> np.ndarray:
        """Return how many points each of the frame's ``actors`` got, (actors,) uint32."""
        hit = self.owners[self.owners >= 0]
        return np.bincount(hit, minlength=actors).astype(np.uint32)


class Lidar:
    """What LiDARs on poles and on vehicles have in common: model, receiver, and the making of clouds."""

    def __init__(self, model: LidarModel, atlas: BodyAtlas, *, seed: int, stream: int, weather: Weather) -> None:
        """Compute all rays in the sensor's frame. ``stream``: the platform's number, for noise of its own."""
        self.model = model
        self._atlas = atlas
        self._seed, self._stream = seed, stream
        self._receiver = Receiver(model, weather)
        self._droplets = droplets(model, weather)
        self._picker = RayPicker(model)
        origins, directions = model.rays()
        self._origins = np.ascontiguousarray(origins.reshape(-1, 3).T, np.float32)
        self._directions = np.ascontiguousarray(directions.reshape(-1, 3).T, np.float32)
        self._place = np.empty(model.beams * model.columns, np.float32)
        self._noise = np.random.default_rng([seed, _STREAM, stream]).standard_normal(NOISES, np.float32)
        since = model.column_stamps(0) + np.array(model.delays_ns)[:, None]
        self._since = (since.reshape(-1) * 1e-9).astype(np.float32)
        self._grid = np.zeros(model.beams * model.columns, POINT_DTYPE)
        self._grid["ring"] = np.repeat(model.rings(), model.columns)
        self._grid["time_offset_ns"] = since.reshape(-1)

    def cloud(self, sweep: Sweep) -> np.ndarray:
        """Return the points of a sweep, (N,) POINT_DTYPE, sensor frame at the moment of each point.

        Order, fields and ranges are those that the driver makes of the sensor's packets.
        """
        ranges = sweep.ranges.reshape(-1)
        numbers = self._grid.view(np.float32).reshape(len(ranges), -1)
        for axis in range(3):
            np.multiply(self._directions[axis], ranges, out=self._place)
            np.add(self._place, self._origins[axis], out=numbers[:, axis])
        numbers[:, 3] = sweep.reflectivity.reshape(-1)
        # As opaque bytes a point is copied whole, not field by field.
        return self._grid.view(f"V{POINT_DTYPE.itemsize}")[ranges > 0].view(POINT_DTYPE)

    def _rng(self, stamp_ns: int) -> np.random.Generator:
        return np.random.default_rng([self._seed, _STREAM, self._stream, stamp_ns // 1000])

    def _reported(self, echoes: Echoes, stamp_ns: int, rng: np.random.Generator) -> Sweep:
        """Return the sweep that the receiver reports of echoes, which are used up."""
        model, count = self.model, len(echoes.distance)
        ranges, chance = echoes.distance, echoes.chance
        echoes.spread *= self._drawn(count, rng)
        ranges += echoes.spread
        luck = rng.random(count, np.float32)
        seen = luck < chance
        if self._droplets is not None:
            self._add_droplets(echoes, seen, rng)
        ranges *= seen
        ranges *= np.float32(1 / model.resolution)
        np.rint(ranges, out=ranges)
        ranges *= np.float32(model.resolution)
        luck *= np.float32(2 * FLICKER)
        luck += np.float32(1 - FLICKER)
        luck *= echoes.intensity
        luck *= seen
        np.minimum(luck, np.float32(255.0), out=luck)
        echoes.owner[~seen] = -1
        shape = (model.beams, model.columns)
        return Sweep(
            stamp_ns, model.column_stamps(stamp_ns), ranges.reshape(shape),
            luck.astype(np.uint8).reshape(shape), echoes.owner.reshape(shape),
        )  # fmt: skip

    def _add_droplets(self, echoes: Echoes, seen: np.ndarray, rng: np.random.Generator) -> None:
        """Replace returns by stronger and nearer ones from the air: the sensor reports the strongest."""
        assert self._droplets is not None
        pulse, at, strength = self._droplets.drawn(rng, len(seen))
        against = np.where(seen[pulse], echoes.strength[pulse], 0.0)
        wins = (strength > against) & (at < echoes.distance[pulse]) & (at > self.model.nearest)
        pulse, at, strength = pulse[wins], at[wins], strength[wins]
        echoes.distance[pulse] = at
        echoes.intensity[pulse] = np.clip(strength * (at / self.model.reach) ** 2 * 10, 1.0, 20.0)
        echoes.owner[pulse] = -1
        seen[pulse] = True

    def _wobbled(self, directions: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Return directions, (N, 3) or (3, N), strewn over the beam's width: what a beam hits at an edge changes."""
        wobble = self._drawn(directions.size, rng).reshape(directions.shape) * np.float32(self.model.divergence / 4)
        wobble += directions
        return wobble

    def _drawn(self, count: int, rng: np.random.Generator) -> np.ndarray:
        """Return normal deviates (count,), from a random place in those drawn once."""
        if count >= NOISES:  # many actors close by: the deviates come round again
            return np.resize(self._noise, count)
        start = int(rng.integers(0, NOISES - count))
        return self._noise[start : start + count]

    def _meet(
        self, echoes: Echoes, targets: Targets, pairs: tuple[np.ndarray, np.ndarray], origins: np.ndarray,
        directions: np.ndarray, late: float, rng: np.random.Generator,
    ) -> None:  # fmt: skip
        """Put in the echoes of actors where they are nearer.

        ``origins``, ``directions``: (3, H * W) float32, from the sensor, in the map's axes; ``late``: seconds from the
        frame to the last point.
        """
        target, ray = pairs
        if not len(target):
            return
        forward = self._wobbled(directions.take(ray, axis=1), rng)
        seconds = self._since.take(ray) + np.float32(late)
        chosen, hits = met(targets, self._atlas, target, origins.take(ray, axis=1), forward, seconds)
        hit = ray[chosen]
        nearer = np.flatnonzero(hits.distance < echoes.distance[hit])
        order = nearer[np.argsort(-hits.distance[nearer], kind="stable")]
        owner = targets.index[target[chosen[order]]].astype(np.int32)
        found = Hits(hits.distance[order], hits.cosine[order], hits.material[order])
        echoes.put(hit[order], self._receiver.echoes(found, owner))


class LidarSensor(Lidar):
    """A LiDAR that stands still, on a pole."""

    def __init__(
        self, model: LidarModel, still: StillScene, atlas: BodyAtlas, map_from_sensor: np.ndarray, *, seed: int,
        stream: int, weather: Weather = CLEAR_DAY,
    ) -> None:  # fmt: skip
        """Cast what stands still. ``map_from_sensor``: (4, 4)."""
        super().__init__(model, atlas, seed=seed, stream=stream, weather=weather)
        self._position = np.asarray(map_from_sensor[:3, 3], float)
        self._sensor_from_map = np.asarray(map_from_sensor[:3, :3], float).T
        turn = self._sensor_from_map.astype(np.float32)
        self._from = turn.T @ self._origins
        self._to = turn.T @ self._directions
        self._still = self._cast(still, self._to.T)
        other = self._cast(still, self._wobbled(self._to, self._rng(0)).T)
        self._edges = np.flatnonzero(np.abs(other.distance - self._still.distance) > 0.1 + 0.02 * self._still.distance)
        self._other = other.take(self._edges)

    def _cast(self, still: StillScene, directions: np.ndarray) -> Echoes:
        origins = self._from.T + self._position
        hits = still.cast(origins, directions, self.model.nearest)
        return self._receiver.echoes(hits, np.full(len(directions), -1, np.int32))

    def sweep(self, frame: Frame, previous: Frame | None = None, stamp_ns: int | None = None) -> Sweep:
        """Return the turn whose last point has ``stamp_ns`` (None: the frame's).

        Actors move as from ``previous`` to ``frame``.
        """
        stamp_ns = frame.stamp_ns if stamp_ns is None else stamp_ns
        late = (stamp_ns - frame.stamp_ns) * 1e-9
        rng = self._rng(stamp_ns)
        echoes = self._still.copy()
        changed = np.flatnonzero(rng.random(len(self._edges), np.float32) < 0.5)
        echoes.put(self._edges[changed], self._other.take(changed))
        elapsed = (frame.stamp_ns - previous.stamp_ns) * 1e-9 if previous is not None else 0.0
        moving = motion(frame.actors, previous.actors if previous is not None else None, elapsed)
        targets = targets_near(frame, moving, self._atlas, self._position, self.model.farthest)
        corners = [targets.corners(self._atlas, late + s) for s in (0.0, -PERIOD_NS * 1e-9)]
        pairs = self._before(targets, self._picker.pairs(np.concatenate(corners, axis=1) @ self._sensor_from_map.T))
        self._meet(echoes, targets, pairs, self._from, self._to, late, rng)
        return self._reported(echoes, stamp_ns, rng)

    def _before(self, targets: Targets, pairs: tuple[np.ndarray, np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
        """Drop pairs whose target lies wholly behind what stands still."""
        target, ray = pairs
        slack = 1.0 + np.linalg.norm(targets.moving.velocity, axis=1) * 0.2
        reach = np.linalg.norm(targets.offset, axis=1) - slack - self._radii(targets)
        shown = reach[target] < self._still.distance.take(ray)
        return target[shown], ray[shown]

    def _radii(self, targets: Targets) -> np.ndarray:
        corners = targets.corners(self._atlas, 0.0) - targets.offset[:, None]
        return np.asarray(np.linalg.norm(corners, axis=2).max(axis=1, initial=0.0))


class VehicleLidar(Lidar):
    """A LiDAR on a vehicle: its rays start where the vehicle is when they are fired."""

    def __init__(
        self, model: LidarModel, still: StillScene, atlas: BodyAtlas, base_from_sensor: np.ndarray, *, seed: int,
        stream: int, weather: Weather = CLEAR_DAY,
    ) -> None:  # fmt: skip
        """Keep the scene. ``base_from_sensor``: (4, 4), the mount."""
        super().__init__(model, atlas, seed=seed, stream=stream, weather=weather)
        self._scene, self._mount = still, np.asarray(base_from_sensor, float)

    def sweep(self, frame: Frame, vehicle_id: int, previous: Frame | None = None, stamp_ns: int | None = None) -> Sweep:
        """Return the turn whose last point has ``stamp_ns`` (None: the frame's), seen from an actor of the frame.

        Raises:
            ValueError: the frame has no such actor.

        """
        own = int(np.searchsorted(frame.actors["actor_id"], vehicle_id))
        if own >= len(frame.actors) or frame.actors["actor_id"][own] != vehicle_id:
            raise ValueError(f"vehicle_id {vehicle_id}: not among the {len(frame.actors)} actors of the frame")
        stamp_ns = frame.stamp_ns if stamp_ns is None else stamp_ns
        late = (stamp_ns - frame.stamp_ns) * 1e-9
        rng = self._rng(stamp_ns)
        elapsed = (frame.stamp_ns - previous.stamp_ns) * 1e-9 if previous is not None else 0.0
        moving = motion(frame.actors, previous.actors if previous is not None else None, elapsed)
        columns = self._since[-self.model.columns :] - self._since[-1] + late
        rotation, position = self._poses(frame.actors[own], moving.velocity[own], float(moving.rate[own]), columns)
        centre = position[-1]
        origins, directions = self._rays(rotation, position - centre)
        hits = self._scene.cast(origins.T + centre, self._wobbled(directions, rng).T, self.model.nearest)
        echoes = self._receiver.echoes(hits, np.full(origins.shape[1], -1, np.int32))
        targets = targets_near(frame, moving, self._atlas, centre, self.model.farthest, own)
        pairs = self._picker.pairs(self._seen_from(targets, rotation, position - centre, columns))
        self._meet(echoes, targets, pairs, origins, directions, late, rng)
        return self._reported(echoes, stamp_ns, rng)

    def _poses(
        self, vehicle: np.void, velocity: np.ndarray, rate: float, seconds: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return map_from_sensor while each column fires: rotations (W, 3, 3) and positions (W, 3)."""
        yaw = float(vehicle["yaw"]) + rate * seconds.astype(float)
        cr, sr = np.cos(float(vehicle["roll"])), np.sin(float(vehicle["roll"]))
        cp, sp = np.cos(float(vehicle["pitch"])), np.sin(float(vehicle["pitch"]))
        tilt = np.array([[cp, sp * sr, sp * cr], [0, cr, -sr], [-sp, cp * sr, cp * cr]])
        cy, sy, no, one = np.cos(yaw), np.sin(yaw), np.zeros(len(yaw)), np.ones(len(yaw))
        turn = np.stack([cy, -sy, no, sy, cy, no, no, no, one], axis=1).reshape(-1, 3, 3)
        map_from_base = turn @ tilt
        base = np.array([float(vehicle[name]) for name in "xyz"]) + np.outer(seconds, velocity)
        return map_from_base @ self._mount[:3, :3], base + map_from_base @ self._mount[:3, 3]

    def _rays(self, rotation: np.ndarray, position: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return origins and directions of all rays, (3, H * W) float32, in the map's axes from the last position."""
        shape = (3, self.model.beams, self.model.columns)
        turn = rotation.transpose(1, 2, 0).astype(np.float32)[:, :, None]
        rays = []
        for local in (self._origins.reshape(shape), self._directions.reshape(shape)):
            rays.append(turn[:, 0] * local[0] + turn[:, 1] * local[1] + turn[:, 2] * local[2])
        rays[0] += position.T.astype(np.float32)[:, None]
        return rays[0].reshape(3, -1), rays[1].reshape(3, -1)

    def _seen_from(
        self, targets: Targets, rotation: np.ndarray, position: np.ndarray, seconds: np.ndarray
    ) -> np.ndarray:
        """Return everywhere the targets' corners are during the sweep, (K, C, 3) metres, sensor frame."""
        parts = []
        for column in (0, len(seconds) // 2, len(seconds) - 1):
            corners = targets.corners(self._atlas, float(seconds[column])) - position[column]
            parts.append(corners @ rotation[column])
        return np.concatenate(parts, axis=1)
