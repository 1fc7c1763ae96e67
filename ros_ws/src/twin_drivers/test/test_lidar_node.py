import json
import socket
import time

import numpy as np
import pytest

from twin_common import cdr
from twin_common.config import ConfigError
from twin_drivers import convert
from twin_drivers.core import synthetic
from twin_drivers.core.scan import Packet

NODE = "twin_drivers.lidar_node:LidarDriver"
TYPE = "twin_msgs/msg/LidarPackets"
START_NS = 1_700_000_000_000_000_000
METADATA = synthetic.ouster_metadata(512)


def frames(ranges, numbers):
    return [
        synthetic.ouster_packets(METADATA, ranges, START_NS + index * synthetic.PERIOD_NS, number)
        for index, number in enumerate(numbers)
    ]


def message(packets, model="ouster/OS-1-64"):
    return convert.packets_to_message(packets, model, "pole/lidar")


def test_recorded_ouster_packets_become_clouds(drive, ranges):
    driver = drive(NODE, {"platform": "pole", "metadata": METADATA, "model": "ouster"})
    for packets in frames(ranges, (1, 2, 3)):
        driver.feed("packets", TYPE, message(packets))
        driver.advance(0.1)
    clouds = driver.of("points")
    assert [len(cloud.points) for cloud in clouds] == [np.count_nonzero(ranges)] * 3
    assert {cloud.frame_id for cloud in clouds} == {"pole/lidar"}
    assert np.diff([cloud.stamp_ns for cloud in clouds]).tolist() == [synthetic.PERIOD_NS] * 2
    assert driver.problems == [None] and driver.of("raw") == []


def test_messages_of_single_packets_do_as_well(drive, ranges):
    driver = drive(NODE, {"platform": "pole", "metadata": METADATA})
    for packet in frames(ranges, (1,))[0]:
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
    assert "hesai/XT32" in driver.runtime.problem


def test_metadata_file_is_found_beside_the_district(drive, ranges, tmp_path):
    (tmp_path / "sensors").mkdir()
    (tmp_path / "sensors" / "os1.json").write_text(METADATA)
    parameters = {"platform": "pole", "district": str(tmp_path / "district.yaml"), "metadata": "sensors/os1.json"}
    driver = drive(NODE, parameters)
    driver.feed("packets", TYPE, message(frames(ranges, (1,))[0]))
    assert len(driver.of("points")) == 1
    with pytest.raises(ConfigError, match=r"metadata: .*os2\.json: no such file"):
        drive(NODE, {**parameters, "metadata": "sensors/os2.json"})


def test_empty_and_broken_messages(drive, ranges):
    driver = drive(NODE, {"platform": "pole", "metadata": METADATA})
    driver.feed("packets", TYPE, message([]))
    broken = message(frames(ranges, (1,))[0])
    broken.sizes[0] += 1
    driver.feed("packets", TYPE, broken)
    driver.feed("packets", TYPE, message([Packet(START_NS, b"rubbish")]))
    driver.advance(0.05)
    assert driver.runtime.events["bad_packets"] == 2 and driver.of("points") == []
    assert "expected as many stamps as sizes" in driver.runtime.problem
    driver.advance(0.9)
    for packets in frames(ranges, (2, 3)):
        driver.feed("packets", TYPE, message(packets))
        driver.advance(0.1)
    assert len(driver.of("points")) == 2 and driver.problems[-1] is None


def test_silence_of_recorded_packets_is_reported(drive, ranges):
    driver = drive(NODE, {"platform": "pole", "metadata": METADATA, "timeout": 0.3})
    driver.feed("packets", TYPE, message(frames(ranges, (1,))[0]))
    driver.advance(1.0)
    driver.feed("packets", TYPE, message(frames(ranges, (2,))[0]))
    driver.advance(0.1)
    assert driver.problems == [None, "no packets for 0.3 s from ~/input/packets", None]


def test_scans_with_too_little_of_a_revolution_are_held_back(drive, ranges):
    driver = drive(NODE, {"platform": "pole", "metadata": METADATA, "min_coverage": 0.8})
    first, second = frames(ranges, (1, 2))
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


class Sensor:
    """Sends datagrams to the driver and lets it work until they have arrived."""

    def __init__(self, driver, port):
        self.driver, self.address = driver, ("127.0.0.1", port)
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)

    def send(self, payloads, until):
        for payload in payloads:
            self.socket.sendto(payload, self.address)
        self.wait(until)

    def wait(self, until):
        for _ in range(2000):
            self.driver.advance(0.01)
            if until():
                return
            time.sleep(0.002)
        pytest.fail(f"nothing came of it; problem: {self.driver.runtime.problem}")


def payloads(packets):
    return [packet.payload for packet in packets]


def live(drive, port, **parameters):
    driver = drive(
        NODE, {"platform": "pole", "source": "udp", "host": "127.0.0.1", "port": port, **parameters}, ("points", "raw")
    )
    sensor = Sensor(driver, port)
    # Until the port is open datagrams are lost: knock until one is counted.
    for _ in range(2000):
        sensor.socket.sendto(b"knock", sensor.address)
        driver.advance(0.01)
        if driver.runtime.events["bad_packets"]:
            break
        time.sleep(0.002)
    driver.advance(2.0)
    time.sleep(0.05)
    driver.advance(2.0)
    driver.problems.clear()
    driver.runtime.events.clear()
    return driver, sensor


def test_live_ouster_that_stops_starts_anew_and_sends_rubbish(drive, ranges, free_udp_port):
    driver, sensor = live(drive, free_udp_port, model="ouster", metadata=METADATA)
    for count, packets in enumerate(frames(ranges, (500, 501)), 1):
        sensor.send(payloads(packets), lambda count=count: len(driver.of("points")) == count)
    assert driver.runtime.problem is None

    driver.advance(2.0)
    assert driver.runtime.problem == f"no packets for 1 s from udp 127.0.0.1:{free_udp_port}"

    for count, packets in enumerate(frames(ranges, (1, 2)), 3):
        sensor.send(payloads(packets), lambda count=count: len(driver.of("points")) == count)
    assert driver.runtime.problem is None

    rng = np.random.default_rng(2)
    rubbish = [rng.bytes(size) for size in (1, 700, 12608, 12608)]
    sensor.send(rubbish, lambda: driver.runtime.events["bad_packets"] == 4)
    assert driver.runtime.problem.startswith(f"udp 127.0.0.1:{free_udp_port}: packet of 1 bytes; expected")
    assert "\n" not in driver.runtime.problem

    driver.advance(0.9)
    for count, packets in enumerate(frames(ranges, (3, 4)), 5):
        sensor.send(payloads(packets), lambda count=count: len(driver.of("points")) == count)
        driver.advance(0.1)
    assert driver.runtime.problem is None and driver.runtime.events["errors"] == 0
    assert {len(cloud.points) for cloud in driver.of("points")} == {np.count_nonzero(ranges)}


def test_live_packets_can_be_recorded_and_played(drive, ranges, free_udp_port):
    driver, sensor = live(drive, free_udp_port, model="ouster", metadata=METADATA)
    for count, packets in enumerate(frames(ranges, (1, 2)), 1):
        sensor.send(payloads(packets), lambda count=count: len(driver.of("raw")) == count)
    again = drive(NODE, {"platform": "pole", "metadata": METADATA})
    for recorded in driver.of("raw"):
        assert recorded.model == "ouster/OS-1-64" and len(recorded.sizes) == 32
        again.feed("packets", TYPE, recorded)
    for one, other in zip(driver.of("points"), again.of("points"), strict=True):
        assert one.stamp_ns == other.stamp_ns
        np.testing.assert_array_equal(one.points, other.points)


def test_live_velodyne(drive, free_udp_port):
    driver, sensor = live(drive, free_udp_port, model="velodyne/VLP-16")
    packets = list(synthetic.vlp16_packets(10.0, START_NS, 200))
    sensor.send(payloads(packets), lambda: len(driver.of("points")) == 3)
    cloud = driver.of("points")[-1]
    np.testing.assert_allclose(np.linalg.norm(cloud.xyz, axis=1), 10.0, atol=0.05)
    assert driver.runtime.problem is None


@pytest.mark.realdata
def test_live_ouster_from_a_real_capture(drive, lidar_data, free_udp_port):
    from twin_drivers.core.captures import pcap_packets

    (path,) = (lidar_data / "ouster").glob("*.pcap")
    (metadata,) = (lidar_data / "ouster").glob("*.json")
    driver, sensor = live(drive, free_udp_port, model="ouster", metadata=str(metadata))
    sensor.send(payloads(pcap_packets(path)), lambda: len(driver.of("points")) == 3)
    assert all(len(cloud.points) > 100_000 for cloud in driver.of("points"))
    assert driver.runtime.problem is None


def test_busy_port_is_reported_and_tried_again(drive, free_udp_port):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
        other.bind(("127.0.0.1", free_udp_port))
        driver = drive(
            NODE, {"platform": "pole", "source": "udp", "host": "127.0.0.1", "port": free_udp_port, "timeout": 3600.0,
                   "model": "velodyne/VLP-16"},
        )  # fmt: skip
        sensor = Sensor(driver, free_udp_port)
        sensor.wait(lambda: driver.runtime.problem is not None)
        expected = f"udp 127.0.0.1:{free_udp_port}: Address already in use; trying again"
        assert driver.runtime.problem == expected
    sensor.wait(lambda: driver.runtime.problem is None)


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


def test_fragments_of_a_capture_are_put_together(drive, ranges, tmp_path):
    path = tmp_path / "ouster.pcap"
    sent = [packet for frame in frames(ranges, (1, 2)) for packet in frame]
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
