import json

import numpy as np
import pytest

from twin_common import cdr
from twin_drivers.core import synthetic

NODE = "twin_drivers.lidar_node:LidarDriver"
TYPE = "twin_msgs/msg/LidarPackets"
START_NS = 1_700_000_000_000_000_000
METADATA = synthetic.ouster_metadata(512)


def test_vlp16_scans_of_a_played_capture_are_stamped_anew(drive, tmp_path):
    path = tmp_path / "vlp16.pcap"
    write_pcap(path, synthetic.vlp16_packets(10.0, START_NS - 10**15, 300))
    parameters = {"platform": "pole", "source": "pcap", "path": str(path), "model": "velodyne/VLP-16"}
    driver = drive(NODE, parameters)
    driver.advance(0.3)
    assert len(driver.of("points")) == 3
    for cloud in driver.of("points"):
        assert START_NS < cloud.stamp_ns <= driver.now_ns
    driver.advance(2.0)
    assert len(driver.of("points")) == 4 and driver.problems == [None]

    driver = drive(NODE, {**parameters, "rate": 0.0})
    driver.advance(0.05)
    stamps = [cloud.stamp_ns for cloud in driver.of("points")]
    assert len(stamps) == 4 and stamps[-1] < START_NS - 9 * 10**14

    driver = drive(NODE, {**parameters, "loop": True})
    driver.advance(3.0)
    stamps = np.array([cloud.stamp_ns for cloud in driver.of("points")])
    assert len(stamps) >= 28 and np.all(np.diff(stamps) > 0)


def test_capture_that_ends_early_is_reported(drive, tmp_path):
    path = tmp_path / "vlp16.pcap"
    write_pcap(path, synthetic.vlp16_packets(10.0, START_NS, 300))
    path.write_bytes(path.read_bytes()[:-700])
    driver = drive(NODE, {"platform": "pole", "source": "pcap", "path": str(path), "model": "velodyne/VLP-16"})
    driver.advance(1.0)
    assert len(driver.of("points")) >= 3
    assert str(path) in driver.runtime.problem and "whole .pcap" in driver.runtime.problem


@pytest.mark.realdata
def test_velodyne_recording_is_played(drive, lidar_data):
    (folder,) = (path for path in (lidar_data / "vlp16").iterdir() if path.is_dir())
    driver = drive(
        NODE,
        {"platform": "pole", "source": "bag", "path": str(folder), "model": "velodyne/VLP-16", "cut_angle_deg": 0.0},
    )
    driver.advance(1.0)
    assert [len(cloud.points) > 14_000 for cloud in driver.of("points")] == [True] * 4


def write_pcap(path, packets, port=2368, fragment=1480):
    """Write datagrams as Ethernet frames, in fragments of ``fragment`` bytes."""
    import dpkt

    with path.open("wb") as file:
        writer = dpkt.pcap.Writer(file)
        for number, (stamp_ns, payload) in enumerate(packets):
            udp = dpkt.udp.UDP(sport=1, dport=port, data=payload)
            udp.ulen = len(udp)
            body = bytes(udp)
            for start in range(0, len(body), fragment):
                piece = body[start : start + fragment]
                ip = dpkt.ip.IP(
                    src=b"\x0a\0\0\1", dst=b"\x0a\0\0\2", p=17, id=number % 65536, data=piece, offset=start // 8,
                    mf=int(start + fragment < len(body)),
                )  # fmt: skip
                ip.len = len(ip)
                writer.writepkt(bytes(dpkt.ethernet.Ethernet(data=ip)), ts=stamp_ns / 1e9)


def test_fragments_of_a_capture_are_put_together(drive, ranges, tmp_path, frames):
    path = tmp_path / "ouster.pcap"
    sent = [packet for frame in frames((1, 2)) for packet in frame]
    write_pcap(path, sent, port=7502)
    parameters = {"platform": "pole", "source": "pcap", "path": str(path), "model": "ouster", "metadata": METADATA}
    driver = drive(NODE, {**parameters, "port": 7502})
    driver.advance(0.5)
    assert [len(cloud.points) for cloud in driver.of("points")] == [np.count_nonzero(ranges)] * 2
    driver = drive(NODE, {**parameters, "port": 7503})
    driver.advance(0.1)
    assert driver.runtime.problem == "pcap ouster.pcap: no packets"


def test_own_message_type_is_the_built_one():
    """The definition used to read recordings is that of the interface package."""
    from twin_drivers.core.captures import _DEFINITIONS

    fields = [line.split()[1] for line in _DEFINITIONS[TYPE].splitlines()]
    assert fields == list(cdr.message_class(TYPE).get_fields_and_field_types())
    assert json.loads(METADATA)
