"""Broken clouds: the node says in one line what is wrong, publishes what it can, and goes on with the next scan."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from twin_common import pointcloud
from twin_common.lockstep import LockstepHost
from twin_common.node_spec import NodeSpec
from twin_common.pointcloud import Cloud
from twin_detection.synthetic import PERIOD_NS, START_NS, Box, Lidar, scan

NODE = "/pole_01/lidar_detector"
MODES = {
    "still": ({"mode": "still", "sensor_height": 5.0}, Lidar(height=5.0, columns=256)),
    "moving, rules": ({"mode": "moving", "method": "rules", "sensor_height": 1.8},
                      Lidar(height=1.8, columns=900, lowest_deg=-24.0, highest_deg=2.5)),
    "moving, learned": ({"mode": "moving", "method": "learned", "sensor_height": 1.8},
                        Lidar(height=1.8, columns=900, lowest_deg=-24.0, highest_deg=2.5)),
}  # fmt: skip
#: Scans of the warm-up, of which nothing is published.
SILENT = {"still": 11, "moving, rules": 0, "moving, learned": 0}
STREET = [Box(0.0, 14.0, 40.0, 1.0, 8.0), Box(0.0, -12.0, 40.0, 1.0, 8.0)]
CAR = Box(10.0, 3.0, 4.4, 1.8, 1.5, 0.2)


def host(mode: str, **parameters: Any) -> tuple[LockstepHost, list[Any]]:
    seen: list[Any] = []
    values = {"platform": "pole_01", **MODES[mode][0], **parameters}
    spec = NodeSpec("twin_detection.lidar_detector_node:LidarDetector", "lidar_detector", "/pole_01", values)
    return LockstepHost([spec], lambda _topic, _type, _time, message: seen.append(message)), seen


def feed(target: LockstepHost, cloud: Cloud) -> None:
    target.feed(f"{NODE}/input/points", cloud.stamp_ns, pointcloud.encode(cloud))


def good(mode: str, index: int) -> Cloud:
    return scan(MODES[mode][1], [*STREET, *([CAR] if index >= 12 else [])], np.random.default_rng(index), index)


def with_nan(cloud: Cloud) -> Cloud:
    points = cloud.points.copy()
    points["x"][::2] = np.nan
    points["z"][1::4] = np.inf
    return replace(cloud, points=points)


def enlarged(cloud: Cloud) -> Cloud:
    return replace(cloud, points=np.resize(cloud.points, 300_000))


BROKEN = {
    "NaN": (with_nan, "are not finite"),
    "empty": (lambda cloud: replace(cloud, points=cloud.points[:0]), "empty scans"),
    "single point": (lambda cloud: replace(cloud, points=cloud.points[:1]), "points: 1 in a scan"),
    "300,000 points": (enlarged, "300000 in a scan"),
}


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_cloud_gets_one_line_and_the_node_goes_on(mode: str, name: str) -> None:
    target, seen = host(mode)
    for index in range(13):
        feed(target, good(mode, index))
    assert target.runtimes[0].problem is None
    change, expected = BROKEN[name]
    feed(target, change(good(mode, 13)))
    problem = target.runtimes[0].problem
    assert problem is not None and expected in problem and "\n" not in problem
    feed(target, good(mode, 14))
    runtime = target.runtimes[0]
    assert runtime.problem is None and runtime.events["errors"] == 0
    assert len(seen) == 15 - SILENT[mode]
    record = seen[-1]["objects"]
    assert len(record) and np.hypot(record["x"] - 10.0, record["y"] - 3.0).min() < 0.6
    numbers = [name for name in record.dtype.names if record[name].dtype.kind == "f" and "velocity" not in name]
    for message in seen:
        assert all(np.isfinite(message["objects"][name]).all() for name in numbers)


@pytest.mark.parametrize("mode", MODES)
def test_duplicated_points_change_little(mode: str) -> None:
    target, seen = host(mode)
    for index in range(13):
        feed(target, good(mode, index))
    cloud = good(mode, 13)
    feed(target, replace(cloud, points=np.repeat(cloud.points, 2)))
    record = seen[-1]["objects"]
    assert target.runtimes[0].events["errors"] == 0
    assert len(record) and np.hypot(record["x"] - 10.0, record["y"] - 3.0).min() < 0.8
    if mode == "still":
        assert "expected one a direction" in str(target.runtimes[0].problem)


@pytest.mark.parametrize("mode", MODES)
def test_repeated_and_reversed_scans_are_counted(mode: str) -> None:
    target, seen = host(mode)
    for index in range(14):
        feed(target, good(mode, index))
    feed(target, good(mode, 13))
    feed(target, good(mode, 5))
    backwards = good(mode, 15)
    points = backwards.points.copy()
    points["time_offset_ns"] = points["time_offset_ns"][::-1]
    feed(target, replace(backwards, points=points))
    events = target.runtimes[0].events
    assert events["repeated"] == 1 and events["set_back"] == 1 and events["errors"] == 0
    assert len(seen) == 16 - SILENT[mode]
    assert seen[-1].stamp_ns == START_NS + 15 * PERIOD_NS


def test_a_stored_background_of_another_pole_is_refused_in_one_line(tmp_path: Path) -> None:
    target, _ = host("still", state_folder=str(tmp_path))
    for index in range(13):
        feed(target, good("still", index))
    target.close()
    path = tmp_path / "pole_01.background.npz"
    assert path.is_file()
    again, seen = host("still", state_folder=str(tmp_path))
    feed(again, good("still", 14))
    assert len(seen[-1]["objects"]) == 1 and again.runtimes[0].problem is None
    other, seen = host("still", state_folder=str(tmp_path), sensor_height=4.0)
    feed(other, good("still", 14))
    problem = other.runtimes[0].problem
    assert problem is not None and "sensor_height 5.0; expected 4.0" in problem and "\n" not in problem
    assert len(seen) == 0


def test_a_background_that_cannot_be_stored_at_the_end_is_told(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder = tmp_path / "state"
    target, _ = host("still", state_folder=str(folder))
    for index in range(12):
        feed(target, good("still", index))
    folder.write_text("no folder")
    target.close()
    assert f"{folder}/" in caplog.text and "expected a file that can be written" in caplog.text
