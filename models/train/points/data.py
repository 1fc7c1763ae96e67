"""Makes the samples: runs scenarios, puts LiDARs of several models on poles, and labels the clusters they see."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
from extras import LEAVES_ID, with_extras
from pieces import shown
from samples import Samples, concatenated, labelled

from twin_detection.config import LidarDetectorConfig
from twin_detection.convert import arrays_from_cloud
from twin_detection.core.cluster_features import ClusterFeatures
from twin_detection.core.clusters import Clusters
from twin_detection.core.detector import LidarDetector
from twin_detection.core.judging import Judge
from twin_detection.core.point_network import COLUMNS, Calibration
from twin_detection.core.still_detector import StillDetector
from twin_detection.evaluation.virtual import Place, Theatre, VirtualLidar, theatre_of
from twin_sim.core.frame import Frame, Weather
from twin_sim.core.zone_index import ZoneIndex
from twin_sim.scenario import load_scenario, visibility_in_rain
from twin_sim.simulation import Simulation
from twin_sim.world import World

#: Scenarios of training; rush_hour, rain, normal_night, jaywalking, vehicle_pass and stopped_in_lane are held out.
SCENARIOS = (
    "normal_day",
    "near_miss",
    "crowd_crush",
    "scooter_sidewalk",
    "fight",
    "pedestrian_fall",
    "red_light",
    "fog",
)
#: Sensor models with their shares; 0 columns: the model's own.
MODELS = ((("OS0-64", 1024), 0.45), (("OS0-64", 512), 0.2), (("OS1-64", 1024), 0.1), (("OS1-128", 1024), 0.1),
          (("VLP-32C", 0), 0.08), (("HDL-64E", 0), 0.07))  # fmt: skip
SPACING, SKIPPED = 15, 20  # frames between two that are used, and before the first
WARM_UP = 11  # scans without anybody
#: Every fourth run has crowds too, persons a square metre.
CROWDS = {"population.crowd_areas.plaza": 0.8, "population.crowd_areas.alley": 0.8}
#: Every second run has the traffic of a rush hour, with more lorries, buses and two-wheelers than usual.
BUSY = {
    "population.vehicles_per_hour": 3000, "population.pedestrians_per_hour": 3000, "population.crowd_density": 0.05,
    "population.warmup": 200, "population.cars": 0.5, "population.trucks": 0.12, "population.buses": 0.1,
    "population.scooters": 0.08, "population.bicycles": 0.1, "population.motorcycles": 0.1,
}  # fmt: skip
#: Of these every second has no crowds, and as many two-wheelers as other vehicles.
MANY_RIDERS = {
    "population.cars": 0.35, "population.trucks": 0.06, "population.buses": 0.05, "population.scooters": 0.16,
    "population.bicycles": 0.18, "population.motorcycles": 0.2,
}  # fmt: skip


def _network(points: np.ndarray, scalars: np.ndarray) -> np.ndarray:
    return np.zeros((len(points), COLUMNS), np.float32)


def make_samples(
    folder: Path, seeds: range, scans: int, *, lidars: int = 12, scenarios: tuple[str, ...] = SCENARIOS
) -> Samples:
    """Return samples of at least ``scans`` scans, one run of a scenario for each seed.

    Args:
        folder: of the scenarios.
        seeds: of the runs.
        scans: how many, at least; the runs share them evenly.
        lidars: in a run.
        scenarios: names, used in turn.

    """
    parts: list[Samples] = []
    theatre: Theatre | None = None
    began, per_run = time.monotonic(), -(-scans // len(seeds))
    for number, seed in enumerate(seeds):
        name = scenarios[number % len(scenarios)]
        rng = np.random.default_rng(seed)
        changes = (BUSY if seed % 2 == 0 else {}) | (CROWDS if seed % 4 == 0 else MANY_RIDERS if seed % 4 == 2 else {})
        scenario = load_scenario(folder / f"{name}.yaml", changes)
        frames = -(-per_run // lidars)
        with Simulation(scenario, seed) as simulation:
            passed = [simulation.step() for _ in range(SKIPPED)]
            pairs = []
            for _ in range(frames):
                passed = [simulation.step() for _ in range(min(SPACING, max(int(600 / frames), 2)))]
                pairs.append((passed[-1], passed[-2]))
        theatre = theatre or theatre_of(scenario.world)
        zones = ZoneIndex(scenario.world.district.zones)
        for _ in range(lidars):
            parts += _seen(theatre, scenario.world, zones, pairs, rng)
        spent = time.monotonic() - began
        print(f"{name}, seed {seed}: {sum(map(len, parts))} clusters after {spent:.0f} s", flush=True)
    return concatenated(parts)


def _weather(rng: np.random.Generator) -> Weather:
    kind = rng.choice(["dry", "rain", "fog"], p=[0.7, 0.2, 0.1])
    if kind == "rain":
        rain = float(rng.uniform(2, 30))
        return Weather(rain=rain, visibility=visibility_in_rain(rain))
    return Weather(visibility=float(rng.uniform(50, 400))) if kind == "fog" else Weather()


def _seen(
    theatre: Theatre, world: World, zones: ZoneIndex, pairs: list[tuple[Frame, Frame]], rng: np.random.Generator
) -> list[Samples]:
    """Return what one LiDAR on a pole sees of some frames."""
    poles = [item for item in world.district.platforms if item.kind == "pole"]
    pole = poles[int(rng.integers(len(poles)))]
    model, columns = MODELS[int(rng.choice(len(MODELS), p=[share for _, share in MODELS]))][0]
    tilt = rng.normal(0, 1.0, 2)
    place = Place(
        pole.pose.x, pole.pose.y, pole.pose.z, float(rng.uniform(3.5, 7.0)), float(rng.uniform(-180, 180)), *tilt
    )
    weather, seed = _weather(rng), int(rng.integers(2**31))
    lidar = VirtualLidar(theatre, place, model, columns, weather, seed)
    config = LidarDetectorConfig(
        mode="still", sensor_height=place.height, roll_deg=place.roll_deg, pitch_deg=place.pitch_deg
    )
    detector = LidarDetector(config, _network)
    learned = lidar
    if rng.random() < 0.2:  # a mast that sways: edges stand out, and are no objects
        swayed = Place(
            place.x, place.y, place.ground, place.height, place.yaw_deg + float(rng.normal(0, 0.5)),
            place.roll_deg + float(rng.normal(0, 0.15)), place.pitch_deg + float(rng.normal(0, 0.15)),
        )  # fmt: skip
        learned = VirtualLidar(theatre, swayed, model, columns, Weather(), seed)
    for cloud in learned.empty_scans(pairs[0][0].stamp_ns, WARM_UP):
        detector.step(*arrays_from_cloud(cloud), cloud.stamp_ns)
    assert detector.still is not None and not detector.still.learning
    level = Place(place.x, place.y, place.ground, place.height, place.yaw_deg).map_from_lidar()
    found: list[Samples] = []
    for frame, previous in pairs:
        more = with_extras(frame, previous, rng, zones, (place.x, place.y), int(rng.integers(8, 32)))
        cloud, owners = lidar.scan(*more)
        found += _clusters(detector.still, cloud, owners, more[0], level, config, rng)
    return found


def _clusters(
    still: StillDetector,
    cloud: object,
    owners: np.ndarray,
    frame: Frame,
    level: np.ndarray,
    config: LidarDetectorConfig,
    rng: np.random.Generator,
) -> list[Samples]:
    """Return the clusters of one scan, their parts, and pairs of pieces."""
    xyz, ring, offset = arrays_from_cloud(cloud)
    distance = np.linalg.norm(xyz, axis=1)
    owners = np.where(np.isin(owners, np.flatnonzero(frame.actors["actor_id"] >= LEAVES_ID)), -1, owners)
    usable = np.flatnonzero((distance > config.min_range) & (distance < config.max_range))
    points, rings = xyz[usable], ring[usable]
    if not len(points) or int(rings.max()) >= len(still.grid.phase):  # type: ignore[union-attr]
        return []
    _, front = still.front(points, rings, distance[usable])
    segments = still.segments(points, rings, front)
    own, when = owners[usable][segments.index], offset[usable][segments.index]
    if not len(segments.clusters):
        return []

    def label(features: ClusterFeatures, clusters: Clusters, several: np.ndarray | None) -> Samples:
        return labelled(features, clusters, segments, own, when, frame, level, several)

    return shown(Judge(config, _network, Calibration(), still.beams), segments, own, label, rng)
