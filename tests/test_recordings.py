"""The shipped recordings: what their manifest claims, their packets, and the truth that is in them."""

import hashlib
import importlib.util
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from mcap.reader import make_reader
from ouster.sdk import core

from twin_bringup.cli import build_parser
from twin_common.codecs import codec_for
from twin_common.core import geometry
from twin_common.district import load_district
from twin_replay.bag import BagReader

ROOT = Path(__file__).parent.parent
BAGS = ROOT / "bags"
ENTRIES = {entry["path"]: entry for entry in yaml.safe_load((BAGS / "manifest.yaml").read_text())["bags"]}
TRUTH = {"/sim/actors", "/sim/events", "/district/signals"}


def test_every_recording_is_in_the_manifest() -> None:
    assert set(ENTRIES) == {path.parent.name for path in BAGS.glob("*/metadata.yaml")}
    assert {"near_miss", "fall", "crowd", "vehicle_pass"} <= set(ENTRIES)


@pytest.mark.parametrize("name", ENTRIES)
def test_the_manifest_describes_the_files(name: str) -> None:
    entry, folder = ENTRIES[name], BAGS / name
    assert entry["licence"] == "Apache-2.0" and (folder / "reference/metadata.yaml").is_file()
    assert {path.name for path in folder.iterdir() if path.is_file()} == set(entry["files"])
    for file, listed in entry["files"].items():
        content = (folder / file).read_bytes()
        assert (len(content), hashlib.sha256(content).hexdigest()) == (listed["bytes"], listed["sha256"]), file
    assert entry["bytes"] == sum(listed["bytes"] for listed in entry["files"].values()) < 30e6
    program, *arguments = shlex.split(entry["command"])
    assert program == "./twin" and build_parser().parse_args(arguments).verb == "run"


@pytest.mark.parametrize("name", ENTRIES)
def test_a_bag_is_an_indexed_mcap_of_packets_and_truth(name: str) -> None:
    (path,) = (BAGS / name).glob("*.mcap")
    with path.open("rb") as stream:
        summary = make_reader(stream).get_summary()
    assert summary is not None and summary.statistics is not None and summary.chunk_indexes
    platforms = [platform.name for platform in load_district(BAGS / name / "district.yaml").platforms]
    topics = {channel.topic for channel in summary.channels.values()}
    assert topics >= TRUTH | {f"/{platform}/lidar/packets" for platform in platforms}
    assert {chunk.compression for chunk in summary.chunk_indexes} == {"zstd"}


def test_a_recording_stays_until_the_new_one_is_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    specification = importlib.util.spec_from_file_location("make_bags", BAGS / "make_bags.py")
    assert specification is not None and specification.loader is not None
    make_bags = importlib.util.module_from_spec(specification)
    monkeypatch.setitem(sys.modules, "make_bags", make_bags)
    specification.loader.exec_module(make_bags)
    monkeypatch.setattr(make_bags, "BAGS", tmp_path)
    (tmp_path / "near_miss").mkdir()
    (tmp_path / "near_miss/kept.txt").write_text("as before")
    with pytest.raises(subprocess.CalledProcessError):
        make_bags.make(make_bags.Recording("near_miss", "", ("no_such_scenario",)))
    assert [path.name for path in tmp_path.iterdir()] == ["near_miss"]
    assert (tmp_path / "near_miss/kept.txt").read_text() == "as before"


class Pole:
    """A pole's packets as ouster-sdk reads them, in the map frame."""

    def __init__(self, bag: Path, name: str) -> None:
        platform = load_district(bag / "district.yaml").platform(name)
        assert platform.lidar is not None
        self.info = core.SensorInfo((bag / platform.lidar.driver["metadata"]).read_text())
        self.map_from_lidar = platform.pose.matrix() @ platform.lidar.mount.matrix()
        self.lut = core.XYZLut(self.info, use_extrinsics=False)

    def points(self, message: Any) -> tuple[np.ndarray, np.ndarray]:
        """Return points (N, 3) and their stamps (N,)."""
        batch, scan = core.ScanBatcher(self.info), core.LidarScan(self.info)
        payloads = np.split(np.frombuffer(message.data, np.uint8), np.cumsum(message.sizes)[:-1])
        for stamp, payload in zip(message.stamps_ns, payloads, strict=True):
            packet = core.LidarPacket(len(payload))
            packet.buf[:] = payload
            packet.host_timestamp = int(stamp)
            batch(packet, scan)
        valid = scan.field(core.ChanField.RANGE) > 0
        points = geometry.apply(self.map_from_lidar, self.lut(scan).reshape(-1, 3))
        stamps = np.broadcast_to(scan.timestamp.astype(np.int64), valid.shape)
        return points[valid.reshape(-1)], stamps[valid]


@pytest.mark.parametrize(("name", "pole"), [("near_miss", "pole_01"), ("near_miss", "pole_02"), ("fall", "pole_01")])
def test_boxes_contain_the_returns_of_their_actors(name: str, pole: str) -> None:
    """As many points lie in each actor's box, where it was at the moment of each point, as the truth says."""
    reader = BagReader(BAGS / name)
    rows = [
        {message.time_ns: codec_for(message.type_name).decode(message.content) for message in reader.messages([topic])}
        for topic in ("/sim/actors", f"/{pole}/sim/visibility", f"/{pole}/lidar/packets")
    ]
    actors, visible, packets = rows
    decoder, checked = Pole(BAGS / name, pole), 0
    for stamp_ns in list(visible)[20::40]:
        later = min(stamp for stamp in actors if stamp >= stamp_ns)
        points, stamps = decoder.points(packets[min(packets, key=lambda time_ns: abs(time_ns - stamp_ns))])
        table = {int(actor["actor_id"]): actor for actor in actors[later]["actors"]}
        for seen in visible[stamp_ns]["actors"]:
            actor = table[int(seen["actor_id"])]
            if seen["points"] < 30 or (actor["stature"] > 0 and actor["height"] < 1.0):  # limbs of who lies stick out
                continue
            seconds = (stamps - later) * 1e-9
            moved = np.stack([actor["velocity_x"] * seconds, actor["velocity_y"] * seconds], axis=1)
            offset = points[:, :2] - moved - (actor["x"], actor["y"])
            cos, sin = np.cos(actor["yaw"]), np.sin(actor["yaw"])
            along, across = offset @ (cos, sin), offset @ (-sin, cos)
            up = points[:, 2] - actor["z"]
            inside = (np.abs(along) < actor["length"] / 2 + 0.25) & (np.abs(across) < actor["width"] / 2 + 0.25)
            found = np.count_nonzero(inside & (up > 0.06) & (up < actor["height"] + 0.2))
            assert 0.7 * seen["points"] <= found, (int(seen["actor_id"]), found, int(seen["points"]))
            checked += 1
    assert checked >= 10
