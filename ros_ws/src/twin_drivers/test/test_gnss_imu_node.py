import contextlib
import os
import pty
import socket
import termios
import threading
import time
import tty

import pytest

from twin_drivers.core.nmea import sentence

NODE = "twin_drivers.gnss_imu_node:GnssImuDriver"
BURST = b"\r\n".join(
    (
        sentence("GNGGA,031519.40,3509.120,N,12651.060,E,4,08,0.9,45.4,M,22.1,M,1.0,0000"),
        sentence("GNRMC,031519.40,A,3509.120,N,12651.060,E,020.0,084.4,230394,003.1,W"),
        sentence("GNHDT,45.0,T"),
        b"",
    )
)


def wait(driver, until):
    for _ in range(2000):
        driver.advance(0.01)
        if until():
            return
        time.sleep(0.002)
    pytest.fail(f"nothing came of it; problem: {driver.runtime.problem}")


def test_serial_line(drive):
    receiver, line = pty.openpty()
    tty.setraw(line)
    driver = drive(NODE, {"platform": "car", "device": os.ttyname(line), "baud": 9600})
    wait(driver, lambda: termios.tcgetattr(line)[4] == termios.B9600)  # the driver has opened it
    time.sleep(0.2)  # and dropped what was waiting there
    os.write(receiver, BURST)
    wait(driver, lambda: driver.of("imu"))
    assert [name for name, _ in driver.published] == ["gnss_fix", "gnss_velocity", "imu"]
    assert driver.of("gnss_fix")[0].header.frame_id == "car/imu"
    assert driver.of("gnss_velocity")[0].header.frame_id == "map"

    os.write(receiver, b"$GPGGA,rubbish*00\r\n" + os.urandom(40).replace(b"$", b"") + b"\r\n")
    wait(driver, lambda: driver.runtime.events["bad_sentences"] >= 1)
    assert "checksum" in driver.runtime.problem and "\n" not in driver.runtime.problem
    driver.advance(1.9)
    os.write(receiver, BURST)
    wait(driver, lambda: len(driver.of("imu")) == 2)
    wait(driver, lambda: driver.runtime.problem is None)

    driver.advance(2.5)
    assert driver.runtime.problem == f"no NMEA sentences for 2 s from serial {os.ttyname(line)}"
    os.close(receiver)
    wait(driver, lambda: driver.runtime.problem and driver.runtime.problem.endswith("trying again"))
    os.close(line)


def test_missing_device_is_reported(drive):
    driver = drive(NODE, {"platform": "car", "device": "/dev/no-such-receiver"})
    wait(driver, lambda: driver.runtime.problem)
    assert driver.runtime.problem.startswith("serial /dev/no-such-receiver: ")
    assert driver.runtime.problem.endswith("trying again")


class Receiver:
    """A TCP server that sends the same burst to whoever connects, until it is closed."""

    def __init__(self, port=0):
        self._server = socket.create_server(("127.0.0.1", port))
        self.port = self._server.getsockname()[1]
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self):
        self._server.settimeout(0.05)
        peers = []
        while not self._ending.is_set():
            with contextlib.suppress(TimeoutError):
                peers.append(self._server.accept()[0])
            for peer in peers:
                peer.sendall(BURST)
        for peer in peers:
            peer.close()
        self._server.close()

    def close(self):
        self._ending.set()
        self._thread.join()


def test_tcp_receiver_that_goes_and_comes_back(drive):
    receiver = Receiver()
    driver = drive(NODE, {"platform": "car", "source": "tcp", "port": receiver.port})
    wait(driver, lambda: len(driver.of("imu")) >= 3)
    assert driver.runtime.problem is None
    receiver.close()
    wait(driver, lambda: driver.runtime.problem)
    assert driver.runtime.problem.startswith(f"tcp 127.0.0.1:{receiver.port}: ")
    count = len(driver.of("imu"))
    again = Receiver(receiver.port)
    wait(driver, lambda: len(driver.of("imu")) > count)
    wait(driver, lambda: driver.runtime.problem is None)
    assert driver.runtime.events["connections"] == 2 and driver.runtime.events["bad_sentences"] == 0
    again.close()
