"""The shipped crossing recording: what it claims about itself, its packets, and its truth."""

import hashlib
import importlib
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from mcap.reader import make_reader
from ouster.sdk import core
from rosbags.rosbag2 import Reader

from twin_common.codecs import codec_for
from twin_common.core import geometry
from twin_common.district import load_district

ROOT = Path(__file__).parent.parent
BAG = ROOT / "bags" / "crossing"
PACKETS = "twin_msgs/msg/LidarPackets"
SCANS = 200
TOPICS = ("/pole_01/lidar/packets", "/pole_02/lidar/packets")


@pytest.fixture(scope="module")
def script() -> Any:
    """The module that makes the recording."""
    sys.path.insert(0, str(ROOT / "bags"))
    try:
        return importlib.import_module("make_crossing")
    finally:
        sys.path.remove(str(ROOT / "bags"))


@pytest.fixture(scope="module")
def truth() -> list[dict[str, Any]]:
    return [json.loads(line) for line in (BAG / "truth.jsonl").read_text().splitlines()]


@pytest.fixture(scope="module")
def messages() -> dict[str, list[tuple[int, Any]]]:
    found: dict[str, list[tuple[int, Any]]] = {topic: [] for topic in TOPICS}
    with Reader(BAG) as reader:
        for connection, time_ns, raw in reader.messages():
            found[connection.topic].append((time_ns, codec_for(connection.msgtype).decode(raw)))
    return found


class Decoder:
    """A pole's packets as ouster-sdk reads them."""

    def __init__(self, pole: str) -> None:
        platform = load_district(BAG / "district.yaml").platform(pole)
        assert platform.lidar is not None
        self.info = core.SensorInfo((BAG / platform.lidar.driver["metadata"]).read_text())
        self.map_from_lidar = platform.pose.matrix() @ platform.lidar.mount.matrix()
        self.lut = core.XYZLut(self.info, use_extrinsics=False)

    def scan(self, message: Any) -> core.LidarScan:
        batch, scan = core.ScanBatcher(self.info), core.LidarScan(self.info)
        for stamp, payload in zip(message.stamps_ns, _payloads(message), strict=True):
            packet = core.LidarPacket(len(payload))
            packet.buf[:] = payload
            packet.host_timestamp = int(stamp)
            batch(packet, scan)
        return scan

    def points(self, scan: core.LidarScan) -> np.ndarray:
        """(H, W, 3), metres, map frame."""
        xyz = self.lut(scan)
        return geometry.apply(self.map_from_lidar, xyz.reshape(-1, 3)).reshape(xyz.shape)


def _payloads(message: Any) -> list[np.ndarray]:
    return np.split(np.frombuffer(message.data, np.uint8), np.cumsum(message.sizes)[:-1])


def test_the_manifest_describes_the_files() -> None:
    (entry,) = yaml.safe_load((BAG.parent / "manifest.yaml").read_text())["bags"]
    assert entry["path"] == BAG.name and entry["licence"] == "Apache-2.0"
    assert {path.name for path in BAG.iterdir() if path.is_file()} == set(entry["files"])
    for name, listed in entry["files"].items():
        content = (BAG / name).read_bytes()
        assert (len(content), hashlib.sha256(content).hexdigest()) == (listed["bytes"], listed["sha256"]), name
    assert entry["bytes"] == sum(listed["bytes"] for listed in entry["files"].values()) < 20e6


def test_the_bag_is_an_indexed_mcap_of_ros2_messages() -> None:
    with (BAG / "crossing.mcap").open("rb") as stream:
        summary = make_reader(stream).get_summary()
    assert summary is not None and summary.statistics is not None
    assert summary.statistics.message_count == 2 * SCANS
    assert {channel.topic for channel in summary.channels.values()} == set(TOPICS)
    assert {(schema.name, schema.encoding) for schema in summary.schemas.values()} == {(PACKETS, "ros2msg")}
    assert {chunk.compression for chunk in summary.chunk_indexes} == {"zstd"}
    about = yaml.safe_load((BAG / "metadata.yaml").read_text())["rosbag2_bagfile_information"]
    assert about["storage_identifier"] == "mcap" and about["message_count"] == 2 * SCANS


def test_stamps_follow_the_convention_of_the_message(messages: Any, truth: Any) -> None:
    for number, topic in enumerate(TOPICS):
        assert len(messages[topic]) == SCANS
        for frame, (time_ns, message) in enumerate(messages[topic]):
            stamps = np.asarray(message.stamps_ns, np.int64)
            first = message.header.stamp.sec * 10**9 + message.header.stamp.nanosec
            assert len(stamps) == len(message.sizes) == 32 and (np.diff(stamps) > 0).all()
            assert (first, time_ns) == (stamps[0], stamps[-1])
            assert message.model == "ouster/OS-0-64" and message.header.frame_id == topic[1:].replace("/packets", "")
            assert stamps[-1] - truth[frame]["stamp_ns"] == number * 30_000_000


@pytest.mark.parametrize("number", [0, 1])
@pytest.mark.parametrize("frame", [0, 115])
def test_packets_give_back_the_rays(number: int, frame: int, messages: Any, script: Any) -> None:
    world = script.Crossing(script.POLES, seed=1)
    sweep, counts = world.scan(number, frame)
    decoder = Decoder(script.POLES[number].name)
    scan = decoder.scan(messages[TOPICS[number]][frame][1])
    ranges = scan.field(core.ChanField.RANGE) / 1000.0
    both = (ranges > 0) & (sweep.ranges > 0)
    # Another processor may see a ray pass on the other side of an edge: a few in a thousand at most.
    assert np.mean((ranges > 0) != (sweep.ranges > 0)) < 0.005
    sensor = world.sensors[number]
    errors = np.linalg.norm(decoder.points(scan) - sensor.points(sweep.ranges), axis=2)[both]
    assert np.mean(errors < 0.01) > 0.995 and np.median(errors) < 0.005
    still = both & (sweep.owners < 0)
    exact = np.linalg.norm(sensor.still_points() - sensor.origins, axis=2)
    noise = (ranges - exact)[still]
    assert abs(np.median(noise)) < 0.002 and 0.008 < np.std(noise[np.abs(noise) < 0.1]) < 0.016
    assert sum(counts.values()) == np.count_nonzero(sweep.owners >= 0) > 100
    start_ns = world.start_ns(number, frame)
    assert (scan.timestamp[[0, -1]] == [start_ns, start_ns + 100_000_000 * 511 // 512]).all()


def _in_box(points: np.ndarray, item: dict[str, Any], margin: float) -> np.ndarray:
    offset = points - (item["x"], item["y"], item["z"])
    cos, sin = np.cos(item["yaw"]), np.sin(item["yaw"])
    along, across = offset[:, 0] * cos + offset[:, 1] * sin, offset[:, 1] * cos - offset[:, 0] * sin
    above_road = offset[:, 2] + item["height"] / 2 > 0.08  # not the road below it
    half = np.array([item["length"], item["width"], item["height"]]) / 2 + margin
    return (np.abs(along) < half[0]) & (np.abs(across) < half[1]) & (np.abs(offset[:, 2]) < half[2]) & above_road


@pytest.mark.parametrize("frame", [40, 90, 125, 180])
def test_boxes_contain_their_returns(frame: int, messages: Any, truth: Any) -> None:
    checked = 0
    for topic in TOPICS:
        pole = topic.split("/")[1]
        decoder = Decoder(pole)
        scan = decoder.scan(messages[topic][frame][1])
        valid = scan.field(core.ChanField.RANGE) > 0
        points = decoder.points(scan)[valid]
        ages = (scan.timestamp.astype(np.int64) - truth[frame]["stamp_ns"]) * 1e-9
        late = np.broadcast_to(ages, valid.shape)[valid]
        for item in truth[frame]["objects"]:
            if item["points"][pole] < 10:
                continue
            at_stamp = points - late[:, None] * np.array([item["vx"], item["vy"], 0.0])
            found = np.count_nonzero(_in_box(at_stamp, item, 0.05))
            assert 0.75 * item["points"][pole] <= found <= 1.15 * item["points"][pole] + 4, (item["id"], pole)
            checked += 1
    assert checked >= 10


def test_the_cast_is_seen(truth: Any) -> None:
    kinds: dict[str, set[str]] = {}
    best: dict[str, int] = {}
    for row in truth:
        for item in row["objects"]:
            kinds.setdefault(item["class"], set()).add(item["id"])
            best[item["id"]] = max(best.get(item["id"], 0), *item["points"].values())
    assert {kind: len(names) for kind, names in kinds.items()} == {
        "CAR": 7, "TRUCK": 1, "BUS": 1, "BICYCLE": 1, "SCOOTER": 1, "PEDESTRIAN": 10,
    }  # fmt: skip
    assert min(best.values()) >= 15


def test_nobody_is_hit_and_one_nearly_is(truth: Any, script: Any) -> None:
    series = script.events.encounter(truth, *script.PAIR)
    gap = np.array([entry[1] for entry in series])
    time_to_collision = np.array([entry[2] for entry in series])
    assert 0.5 < gap.min() < 1.0
    assert time_to_collision.min() < 0.6
    speeds = [
        next(o["vx"] for o in row["objects"] if o["id"] == "car_1") for row in truth if row["stamp_ns"] >= series[0][0]
    ]
    assert -np.diff(speeds).min() / 0.1 == pytest.approx(6.5, abs=0.2)


def test_expected_events(truth: Any, script: Any) -> None:
    found = yaml.safe_load((BAG / "events.yaml").read_text())
    assert [(event["kind"], event["actors"]) for event in found] == [
        ("predicted_collision", ["car_1", "pedestrian_1"]),
        ("pedestrian_on_carriageway", ["pedestrian_1"]),
        ("vehicle_stopped_in_lane", ["truck_1"]),
    ]
    assert found == script.events.expected(truth, script.scene.STREETS, script.scene.CROSSWALKS, script.PAIR)
    assert all(event["end_ns"] > event["start_ns"] for event in found)


def test_the_same_arguments_give_the_same_recording(tmp_path: Path, script: Any) -> None:
    for name in ("first", "second"):
        script.make(tmp_path / name / "bag", script.POLES[:1], duration=0.2, seed=3)
    names = sorted(path.name for path in (tmp_path / "first/bag").iterdir())
    assert names == ["bag.mcap", "district.yaml", "events.yaml", "metadata.yaml", "pole_01_lidar.json", "truth.jsonl"]
    for name in names:
        assert (tmp_path / "first/bag" / name).read_bytes() == (tmp_path / "second/bag" / name).read_bytes(), name
    assert len(load_district(tmp_path / "first/bag/district.yaml").platforms) == 1


def test_an_existing_folder_is_refused(tmp_path: Path, script: Any, monkeypatch: Any, capsys: Any) -> None:
    monkeypatch.setattr(sys, "argv", ["make_crossing.py", "--out", str(tmp_path)])
    assert script.main() == 2
    assert "exists already" in capsys.readouterr().err
