import socket
import time

import numpy as np
import pytest

from twin_drivers.core import synthetic

NODE = "twin_drivers.lidar_node:LidarDriver"
TYPE = "twin_msgs/msg/LidarPackets"
START_NS = 1_700_000_000_000_000_000
METADATA = synthetic.ouster_metadata(512)


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


def test_live_ouster_that_stops_starts_anew_and_sends_rubbish(drive, ranges, free_udp_port, frames):
    driver, sensor = live(drive, free_udp_port, model="ouster", metadata=METADATA)
    for count, packets in enumerate(frames((500, 501)), 1):
        sensor.send(payloads(packets), lambda count=count: len(driver.of("points")) == count)
    assert driver.runtime.problem is None

    driver.advance(2.0)
    assert driver.runtime.problem == f"no packets for 1 s from udp 127.0.0.1:{free_udp_port}"

    for count, packets in enumerate(frames((1, 2)), 3):
        sensor.send(payloads(packets), lambda count=count: len(driver.of("points")) == count)
    assert driver.runtime.problem is None

    rng = np.random.default_rng(2)
    rubbish = [rng.bytes(size) for size in (1, 700, 12608, 12608)]
    sensor.send(rubbish, lambda: driver.runtime.events["bad_packets"] == 4)
    assert driver.runtime.problem.startswith(f"udp 127.0.0.1:{free_udp_port}: packet of 1 bytes; expected")
    assert "\n" not in driver.runtime.problem

    driver.advance(0.9)
    for count, packets in enumerate(frames((3, 4)), 5):
        sensor.send(payloads(packets), lambda count=count: len(driver.of("points")) == count)
        driver.advance(0.1)
    assert driver.runtime.problem is None and driver.runtime.events["errors"] == 0
    assert {len(cloud.points) for cloud in driver.of("points")} == {np.count_nonzero(ranges)}


def test_live_packets_can_be_recorded_and_played(drive, frames, free_udp_port):
    driver, sensor = live(drive, free_udp_port, model="ouster", metadata=METADATA)
    for count, packets in enumerate(frames((1, 2)), 1):
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
