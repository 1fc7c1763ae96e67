"""What a calibration needs of a recording: clouds of LiDARs, and what LiDAR and camera detect."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np

from twin_common import registry
from twin_common.codecs import codec_for
from twin_common.config import ConfigError
from twin_common.district import DistrictConfig, PlatformConfig, SensorConfig, load_district
from twin_common.lockstep import LockstepHost
from twin_common.pointcloud import Cloud
from twin_fusion import convert
from twin_fusion.core.camera_mount import Sighting
from twin_fusion.core.lens import Lens
from twin_fusion.core.placement import PoseError, finite, finite_boxes, place
from twin_fusion.core.scan_history import ScanHistory
from twin_replay.bag import BagReader

_LEAST_EXISTENCE = 0.6
_KEPT = 256  # clouds of one platform in memory
_LONGEST = 0.15  # seconds between a frame and the scan it is compared with
_SLOWEST_UNKNOWN = 0.06  # seconds: objects without velocity may be compared over so long


def district_of(bag: Path, district: Path | None) -> Path:
    """Return the district file: the one asked for, else the bag's own.

    Raises:
        ConfigError: there is none.

    """
    path = district or bag / "district.yaml"
    if not path.is_file():
        raise ConfigError(f"{path}: no such file; expected a district file (--district)")
    return path


def sensor_of(district: DistrictConfig, platform: str, sensor: str) -> tuple[PlatformConfig, SensorConfig]:
    """Return a platform and its sensor.

    Raises:
        ConfigError: no such platform, or it lacks the sensor.

    """
    config = district.platform(platform)
    found: SensorConfig | None = getattr(config, sensor)
    if found is None:
        raise ConfigError(f"{platform}: has no {sensor}; expected a platform with one")
    return config, found


def play(
    bag: Path, district: Path, platforms: Iterable[str], stages: frozenset[str], take: Callable[[str, Any], None],
    wanted: frozenset[str],
) -> None:  # fmt: skip
    """Play a bag through some stages of some platforms in lockstep; hand over what comes on the wanted topics.

    Raises:
        ConfigError, BagError: the bag or the district is not what was expected, or the bag lacks the topics.

    """
    from twin_bringup.graph import nodes_for_replay, sensor_topics  # the graph knows this package, not the reverse

    reader = BagReader(bag)
    available = [name for name, topic in reader.topics.items() if topic.count]
    provided = sensor_topics(load_district(district), available)
    spaces = {f"/{name}" for name in platforms}
    nodes = [node for node in nodes_for_replay(district, provided) if node.namespace in spaces and node.name in stages]

    def observe(topic: str, _type: str, _time_ns: int, message: Any) -> None:
        if topic in wanted:
            take(topic, message)

    host = LockstepHost(nodes, observe, wanted)
    made = {outlet.topic for runtime in host.runtimes for outlet in runtime.outlets.values()}
    inputs = {name for name in host.input_topics if name in reader.topics and name not in made}
    recorded = {name for name in wanted if name in reader.topics and name not in made}
    reader.require(wanted - made)
    reader.check_types(inputs | recorded)
    try:
        for message in reader.messages(inputs | recorded):
            if message.topic in inputs:
                host.feed(message.topic, message.time_ns, message.content)
            if message.topic in recorded:
                take(message.topic, codec_for(message.type_name).decode(message.content))
    finally:
        host.close()


def clouds(bag: Path, district: Path, platforms: Iterable[str], count: int) -> dict[str, list[Cloud]]:
    """Return of each platform some clouds, evenly spread over a bag.

    Raises:
        ConfigError, BagError: there are none.

    """
    names = {registry.topic("lidar_points").resolve(name): name for name in platforms}
    found: dict[str, list[Cloud]] = {name: [] for name in names.values()}
    number, every = dict.fromkeys(found, 0), dict.fromkeys(found, 1)

    def take(topic: str, cloud: Cloud) -> None:
        name = names[topic]
        if number[name] % every[name] == 0:
            found[name].append(cloud)
        number[name] += 1
        if len(found[name]) > _KEPT:
            del found[name][1::2]
            every[name] *= 2

    play(bag, district, names.values(), frozenset({"lidar_driver"}), take, frozenset(names))
    for name, taken in found.items():
        if not taken:
            raise ConfigError(f"{bag}: no scans of {name}; expected a recording of its LiDAR")
        chosen = np.unique(np.linspace(0, len(taken) - 1, min(count, len(taken))).astype(int))
        found[name] = [taken[k] for k in chosen]
    return found


def sightings(bag: Path, district: Path, platform: str) -> tuple[list[Sighting], Lens]:
    """Return what a platform's LiDAR and camera saw together, in its base frame, and the camera's lens.

    Raises:
        ConfigError, BagError: the recording has no frames with intrinsics.

    """
    config, lidar = sensor_of(load_district(district), platform, "lidar")
    keys = ("lidar_objects", "camera_objects", "camera_info")
    topics = {registry.topic(key).resolve(platform): key for key in keys}
    history = ScanHistory(1.0)
    lenses: list[Lens] = []
    seen: list[Sighting] = []
    base_from_lidar = lidar.mount.matrix()

    def take(topic: str, message: Any) -> None:
        if topics[topic] == "camera_info":
            lenses[:] = [convert.lens_from_info(message)]
        elif topics[topic] == "lidar_objects":
            objects = message["objects"]
            history.add(message.stamp_ns, place(objects[finite(objects)], base_from_lidar, 0, PoseError.even(0.0, 0.0)))
        else:
            sighting = _sighting(history, message.stamp_ns, message["objects"])
            seen.extend([sighting] if sighting is not None else [])

    stages = frozenset({"lidar_driver", "lidar_detector", "camera_detector"})
    play(bag, district, [config.name], stages, take, frozenset(topics))
    if not lenses:
        raise ConfigError(f"{bag}: no intrinsics of {platform}'s camera; expected camera_info")
    return seen, lenses[0]


def _sighting(history: ScanHistory, stamp_ns: int, boxes: np.ndarray) -> Sighting | None:
    """Return a frame with the LiDAR's objects of its moment; those whose velocity is not known are left out."""
    scan = history.nearest(stamp_ns)
    if scan is None or abs(scan.stamp_ns - stamp_ns) > _LONGEST * 1e9:
        return None
    elapsed = (stamp_ns - scan.times) / 1e9
    velocity = scan.velocity()
    known = np.isfinite(velocity[:, 0])
    usable = (scan.objects["existence"] >= _LEAST_EXISTENCE) & (known | (np.abs(elapsed) < _SLOWEST_UNKNOWN))
    objects = scan.objects.copy()
    objects["x"] += np.nan_to_num(velocity[:, 0]) * elapsed
    objects["y"] += np.nan_to_num(velocity[:, 1]) * elapsed
    boxes = boxes[finite_boxes(boxes) & (boxes["existence"] >= _LEAST_EXISTENCE)]
    corners = np.stack([boxes[name] for name in ("x_min", "y_min", "x_max", "y_max")], axis=1).astype(float)
    return Sighting(objects[usable], corners, boxes["classification"].astype(int), boxes["cut"])
