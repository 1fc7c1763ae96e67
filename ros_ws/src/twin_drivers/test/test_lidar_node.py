import numpy as np
import pytest

from twin_common.config import ConfigError
from twin_drivers import convert
from twin_drivers.core import synthetic
from twin_drivers.core.scan import Packet

NODE = "twin_drivers.lidar_node:LidarDriver"
TYPE = "twin_msgs/msg/LidarPackets"
START_NS = 1_700_000_000_000_000_000
METADATA = synthetic.ouster_metadata(512)


def message(packets, model="ouster/OS-1-64"):
    return convert.packets_to_message(packets, model, "pole/lidar")


def test_recorded_ouster_packets_become_clouds(drive, ranges, frames):
    driver = drive(NODE, {"platform": "pole", "metadata": METADATA, "model": "ouster"})
    for packets in frames((1, 2, 3)):
        driver.feed("packets", TYPE, message(packets))
        driver.advance(0.1)
    clouds = driver.of("points")
    assert [len(cloud.points) for cloud in clouds] == [np.count_nonzero(ranges)] * 3
    assert {cloud.frame_id for cloud in clouds} == {"pole/lidar"}
    assert np.diff([cloud.stamp_ns for cloud in clouds]).tolist() == [synthetic.PERIOD_NS] * 2
    assert driver.problems == [None] and driver.of("raw") == []


def test_messages_of_single_packets_do_as_well(drive, ranges, frames):
    driver = drive(NODE, {"platform": "pole", "metadata": METADATA})
    for packet in frames((1,))[0]:
        driver.feed("packets", TYPE, message([packet]))
    assert [len(cloud.points) for cloud in driver.of("points")] == [np.count_nonzero(ranges)]


def test_model_is_taken_from_the_packets(drive):
    driver = drive(NODE, {"platform": "pole", "min_range": 1.0})
    packets = list(synthetic.vlp16_packets(10.0, START_NS, 200))
    for start in range(0, 200, 75):
        driver.feed("packets", TYPE, message(packets[start : start + 75], "velodyne/VLP-16"))
    assert len(driver.of("points")) == 3
    driver = drive(NODE, {"platform": "pole"})
    driver.feed("packets", TYPE, message(packets[:1], "hesai/XT32"))
    driver.advance(0.1)
    assert "hesai/XT32" in driver.runtime.problem and driver.runtime.events["errors"] == 0


def test_metadata_file_is_found_beside_the_district(drive, frames, tmp_path):
    (tmp_path / "sensors").mkdir()
    (tmp_path / "sensors" / "os1.json").write_text(METADATA)
    parameters = {"platform": "pole", "district": str(tmp_path / "district.yaml"), "metadata": "sensors/os1.json"}
    driver = drive(NODE, parameters)
    driver.feed("packets", TYPE, message(frames((1,))[0]))
    assert len(driver.of("points")) == 1
    with pytest.raises(ConfigError, match=r"metadata: .*os2\.json: no such file"):
        drive(NODE, {**parameters, "metadata": "sensors/os2.json"})


def test_empty_and_broken_messages(drive, frames):
    driver = drive(NODE, {"platform": "pole", "metadata": METADATA})
    driver.feed("packets", TYPE, message([]))
    broken = message(frames((1,))[0])
    broken.sizes[0] += 1
    driver.feed("packets", TYPE, broken)
    driver.feed("packets", TYPE, message([Packet(START_NS, b"rubbish")]))
    driver.advance(0.05)
    assert driver.runtime.events["bad_packets"] == 2 and driver.of("points") == []
    assert "expected as many stamps as sizes" in driver.runtime.problem
    driver.advance(0.9)
    for packets in frames((2, 3)):
        driver.feed("packets", TYPE, message(packets))
        driver.advance(0.1)
    assert len(driver.of("points")) == 2 and driver.problems[-1] is None


def test_silence_of_recorded_packets_is_reported(drive, frames):
    driver = drive(NODE, {"platform": "pole", "metadata": METADATA, "timeout": 0.3})
    driver.feed("packets", TYPE, message(frames((1,))[0]))
    driver.advance(1.0)
    driver.feed("packets", TYPE, message(frames((2,))[0]))
    driver.advance(0.1)
    assert driver.problems == [None, "no packets for 0.3 s from ~/input/packets", None]


def test_scans_with_too_little_of_a_revolution_are_held_back(drive, frames):
    driver = drive(NODE, {"platform": "pole", "metadata": METADATA, "min_coverage": 0.8})
    first, second = frames((1, 2))
    driver.feed("packets", TYPE, message(first[20:] + second))
    assert len(driver.of("points")) == 1 and driver.runtime.events["partial_scans"] == 1


@pytest.mark.parametrize(
    ("parameters", "expected"),
    [
        ({"model": "hesai/XT32"}, "expected velodyne/MODEL or ouster"),
        ({"model": "velodyne/VLP-17"}, "VLP-16"),
        ({"model": "ouster"}, "metadata: empty"),
        ({"source": "udp"}, "model: empty"),
        ({"source": "pcap", "model": "velodyne/VLP-16"}, "path: empty"),
        ({"source": "bag", "model": "velodyne/VLP-16", "path": "no/such"}, "path: no/such: no such file"),
        ({"model": "velodyne/HDL-64E"}, "parameter calibration"),
        ({"min_range": 50.0, "max_range": 10.0}, "less than max_range"),
        ({"sauce": "udp"}, "did you mean source"),
    ],
)
def test_wrong_parameters_are_refused(drive, parameters, expected):
    with pytest.raises(ConfigError, match=expected):
        drive(NODE, {"platform": "pole", **parameters})
