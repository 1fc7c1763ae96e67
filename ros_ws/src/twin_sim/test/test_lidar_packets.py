import socket

import lidar_scenes as scenes
import numpy as np
import pytest

from twin_common.config import ConfigError
from twin_drivers.convert import packets_to_message
from twin_drivers.core.decoders import make_decoder
from twin_drivers.core.scan import DecoderOptions
from twin_sim.core.lidar_models import PERIOD_NS, lidar_model
from twin_sim.core.lidar_packets import Packet, metadata, packets
from twin_sim.packet_stream import LAG, PacketStream


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


def test_packets_are_sent_when_the_clock_says_so():
    now = [scenes.START_NS]
    lag_ns = round(LAG * 1e9)

    def turn(*stamps_ns):
        return packets_to_message([Packet(at, bytes([number])) for number, at in stamps_ns], "ouster", "pole/lidar")

    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as receiver:
        receiver.bind(("127.0.0.1", 0))
        receiver.settimeout(5.0)

        def come_by(time_ns):
            """Return the packets that are there once it is that time, and that no other is."""
            now[0] = time_ns
            found = [receiver.recv(16)[0]]
            receiver.settimeout(0.15)
            while True:
                try:
                    found.append(receiver.recv(16)[0])
                except TimeoutError:
                    receiver.settimeout(5.0)
                    return found

        with PacketStream("127.0.0.1", receiver.getsockname()[1], lambda: now[0]) as stream:
            at = scenes.START_NS + 100_000_000  # packet 2 is late, and overtaken by one of the next turn
            assert stream.send(turn((1, at), (2, at + 130_000_000), (3, at + 50_000_000)))
            assert stream.send(turn((4, at + 100_000_000), (5, at + 150_000_000)))
            assert come_by(at + lag_ns) == [1]
            assert come_by(at + lag_ns + 140_000_000) == [3, 4, 2]
            assert come_by(at + lag_ns + 150_000_000) == [5] and stream.sent == 5
            offset_ns = 3_600_000_000_000  # a clock that is an hour ahead changes stamps, not when packets leave
            assert stream.send(turn((6, at + 200_000_000 + offset_ns)), offset_ns)
            assert come_by(at + lag_ns + 200_000_000) == [6]
            assert stream.send(turn((7, at + 400_000_000)))
            stream.clear()
            assert stream.send(turn((8, at + 300_000_000)))
            assert come_by(at + 10**9) == [8]


@pytest.mark.parametrize(
    ("host", "port", "message"), [("127.0.0.1", 0, "udp: port 0"), ("no.such.host.invalid", 7502, "udp: host")]
)
def test_addresses_that_are_none_are_refused(host, port, message):
    with pytest.raises(ConfigError, match=message):
        PacketStream(host, port, lambda: 0)
