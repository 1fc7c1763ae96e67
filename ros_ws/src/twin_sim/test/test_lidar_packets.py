import socket

import lidar_scenes as scenes
import numpy as np
import pytest

from twin_common.config import ConfigError
from twin_drivers.core.decoders import make_decoder
from twin_drivers.core.scan import DecoderOptions
from twin_sim.core.lidar_models import PERIOD_NS, lidar_model
from twin_sim.core.lidar_packets import Packet, metadata, packets
from twin_sim.udp import UdpSender


@pytest.mark.parametrize(("name", "columns"), [("OS0-64", 512), ("OS1-64", 1024), ("OS1-128", 512)])
@pytest.mark.parametrize("sensor_clock", [False, True])
def test_the_driver_makes_the_same_cloud_of_the_packets(name, columns, sensor_clock):
    lidar = scenes.sensor([scenes.ground(), scenes.wall(25.0)], name, columns)
    options = DecoderOptions(min_range=0.4, max_range=150.0, sensor_clock=sensor_clock, cut_angle_deg=180.0)
    decoder = make_decoder(lidar.model.driver, metadata(lidar.model), None, options)
    for number in range(2):
        sweep = lidar.sweep(scenes.frame(scenes.car(9.0, 3.0), scenes.START_NS + number * PERIOD_NS))
        sent = packets(lidar.model, sweep, 40_000 + number)
        (scan,) = [found for found in map(decoder.push, sent) if found is not None]
        cloud = lidar.cloud(sweep)
        assert scan.stamp_ns == sweep.stamp_ns and scan.coverage == 1.0
        assert len(scan.points) == len(cloud) > 3000
        np.testing.assert_allclose(scenes.xyz(scan.points), scenes.xyz(cloud), atol=1e-3)
        for field in ("intensity", "ring", "time_offset_ns"):
            np.testing.assert_array_equal(scan.points[field], cloud[field])


def test_only_ousters_have_packets():
    lidar = scenes.sensor([scenes.ground()], "VLP-16")
    with pytest.raises(ValueError, match="model VLP-16: has no Ouster packets; expected an Ouster model"):
        packets(lidar.model, lidar.sweep(scenes.frame()), 1)
    with pytest.raises(ValueError, match="expected an Ouster model"):
        metadata(lidar_model("HDL-64E"))


def test_packets_are_sent_at_the_pace_of_their_stamps():
    now, slept = [100.0], []

    def sleep(seconds):
        slept.append(seconds)
        now[0] += seconds

    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as receiver:
        receiver.bind(("127.0.0.1", 0))
        receiver.settimeout(5.0)
        with UdpSender("127.0.0.1", receiver.getsockname()[1], clock=lambda: now[0], sleep=sleep) as sender:
            sender.send([Packet(scenes.START_NS + i * 10_000_000, bytes([i])) for i in range(5)])
            assert [receiver.recv(16) for _ in range(5)] == [bytes([i]) for i in range(5)]
            assert sum(slept) == pytest.approx(0.04, abs=1e-6) and sender.sent == 5
            now[0] += 10.0  # the simulation stood still: go on at once, at the usual pace
            sender.send([Packet(scenes.START_NS + i * 10_000_000, b"x") for i in range(5, 8)])
            assert sum(slept) == pytest.approx(0.06, abs=1e-6)


@pytest.mark.parametrize(
    ("host", "port", "message"), [("127.0.0.1", 0, "udp: port 0"), ("no.such.host.invalid", 7502, "udp: host")]
)
def test_addresses_that_are_none_are_refused(host, port, message):
    with pytest.raises(ConfigError, match=message):
        UdpSender(host, port)
