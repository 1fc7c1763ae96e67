import socket
import struct
import threading
import time

import av
import cv2
import numpy as np
import pytest

from twin_common import stamps
from twin_common.config import ConfigError

NODE = "twin_drivers.camera_node:CameraDriver"
WIDTH, HEIGHT = 160, 120
CALIBRATION = {"width": WIDTH, "height": HEIGHT, "fx": 130.0, "fy": 131.0, "cx": 80.0, "cy": 60.0}
CAMERA_INFO = """
image_width: 160
image_height: 120
camera_name: pole
camera_matrix: {rows: 3, cols: 3, data: [130.0, 0, 80, 0, 131, 60, 0, 0, 1]}
distortion_model: plumb_bob
distortion_coefficients: {rows: 1, cols: 5, data: [0.1, -0.02, 0.001, 0.002, 0.0]}
rectification_matrix: {rows: 3, cols: 3, data: [1, 0, 0, 0, 1, 0, 0, 0, 1]}
projection_matrix: {rows: 3, cols: 4, data: [128.0, 0, 80, 0, 0, 129, 60, 0, 0, 0, 1, 0]}
"""


def write_video(path, frames, rate=30, form=None):
    """Write frames that grow brighter: frame i is grey 4 i."""
    with av.open(path, "w", format=form) as container:
        stream = container.add_stream("mpeg4" if form is None else "mpeg2video", rate=rate)
        stream.width, stream.height, stream.pix_fmt, stream.bit_rate = WIDTH, HEIGHT, "yuv420p", 4_000_000
        for number in range(frames):
            image = np.full((HEIGHT, WIDTH, 3), min(4 * number, 255), np.uint8)
            for packet in stream.encode(av.VideoFrame.from_ndarray(image, format="bgr24")):
                container.mux(packet)
        for packet in stream.encode():
            container.mux(packet)


@pytest.fixture
def video(tmp_path):
    path = tmp_path / "street.mp4"
    write_video(str(path), 30)
    return path


def wait(driver, until, limit=20.0):
    deadline = time.monotonic() + limit
    while time.monotonic() < deadline:
        driver.advance(0.01)
        if until():
            return
        time.sleep(0.005)
    pytest.fail(f"nothing came of it; problem: {driver.runtime.problem}")


def brightness(message):
    return float(cv2.imdecode(np.frombuffer(message.data, np.uint8), cv2.IMREAD_COLOR).mean())


def test_video_file_is_played(drive, video):
    parameters = {"platform": "pole", "source": "file", "path": str(video), "rate": 0.0, **CALIBRATION}
    driver = drive(NODE, parameters, ("image",))
    wait(driver, lambda: "at its end" in str(driver.runtime.measures.get("source")))
    images, infos = driver.of("image"), driver.of("camera_info")
    assert len(images) + driver.runtime.events["frames_dropped"] == 30 and len(images) == len(infos) > 0
    levels = [brightness(image) for image in images]
    assert np.all(np.diff(levels) > 1.0)  # in order, none twice
    assert levels[-1] == pytest.approx(4 * 29, abs=3.0)
    assert images[0].format == "jpeg" and images[0].header.frame_id == "pole/camera"
    assert images[0].header.stamp == infos[0].header.stamp
    assert (infos[0].width, infos[0].height) == (WIDTH, HEIGHT)
    assert infos[0].k.tolist() == [130.0, 0.0, 80.0, 0.0, 131.0, 60.0, 0.0, 0.0, 1.0]
    assert infos[0].d.tolist() == [0.0] * 5
    assert driver.runtime.problem is None


def test_images_are_made_only_while_somebody_listens(drive, video):
    driver = drive(NODE, {"platform": "pole", "source": "file", "path": str(video), "loop": True, "rate": 0.0})
    driver.advance(0.02)
    wait(driver, lambda: len(driver.of("camera_info")) > 35)  # more than the file has: it starts over
    assert len(driver.of("image")) <= 2
    assert not driver.of("camera_info")[-1].k.any()  # not calibrated


def test_calibration_file_beside_the_district(drive, video, tmp_path):
    (tmp_path / "camera.yaml").write_text(CAMERA_INFO)
    driver = drive(
        NODE,
        {"platform": "pole", "source": "file", "path": "street.mp4", "district": str(tmp_path / "district.yaml"),
         "calibration": "camera.yaml", "delay": 0.05},
    )  # fmt: skip
    wait(driver, lambda: driver.of("camera_info"))
    info = driver.of("camera_info")[0]
    assert info.d.tolist() == [0.1, -0.02, 0.001, 0.002, 0.0] and info.p[5] == 129.0
    assert stamps.from_time(info.header.stamp) <= driver.now_ns - 50_000_000


def test_frames_of_another_size_get_no_intrinsics(drive, video):
    parameters = {"platform": "pole", "source": "file", "path": str(video), "loop": True, **CALIBRATION, "width": 320}
    driver = drive(NODE, parameters)
    wait(driver, lambda: driver.of("camera_info"))
    assert not driver.of("camera_info")[0].k.any()
    assert driver.runtime.problem.endswith("frames of 160 x 120; the calibration is for 320 x 120")


@pytest.mark.parametrize(
    ("parameters", "expected"),
    [
        ({"source": "rtsp"}, "url: empty"),
        ({"source": "file", "path": "no/such.mp4"}, "path: no/such.mp4: no such file"),
        ({"source": "v4l2", "width": 640}, "whole calibration"),
        ({"source": "v4l2", **CALIBRATION, "distortion": (0.1,)}, "1 coefficients; expected 5 of plumb_bob"),
        ({"source": "v4l2", "calibration": "{}"}, "missing key 'image_width'"),
    ],
)
def test_wrong_parameters_are_refused(drive, parameters, expected):
    with pytest.raises(ConfigError, match=expected):
        drive(NODE, {"platform": "pole", **parameters})


def test_file_without_video_and_missing_device_are_reported(drive, tmp_path):
    (tmp_path / "notes.txt").write_text("no video")
    driver = drive(NODE, {"platform": "pole", "source": "file", "path": str(tmp_path / "notes.txt")})
    wait(driver, lambda: driver.runtime.problem)
    assert "notes.txt: Invalid data" in driver.runtime.problem and "\n" not in driver.runtime.problem
    driver = drive(NODE, {"platform": "pole", "source": "v4l2", "device": "/dev/no-such-camera"})
    wait(driver, lambda: driver.runtime.problem)
    assert driver.runtime.problem == "v4l2 /dev/no-such-camera: No such file or directory; trying again"


class RtspServer:
    """Serves one MPEG transport stream over RTP inside RTSP (RFC 2326, 10.12; RFC 2250), until it is closed."""

    SDP = (
        "v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\ns=street\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n"
        "m=video 0 RTP/AVP 33\r\na=control:track1\r\n"
    )

    def __init__(self, stream, port=0):
        self._chunks = [stream[start : start + 7 * 188] for start in range(0, len(stream), 7 * 188)]
        self._server = socket.create_server(("127.0.0.1", port))
        self.port = self._server.getsockname()[1]
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def close(self):
        self._ending.set()
        self._thread.join()

    def _run(self):
        self._server.settimeout(0.05)
        while not self._ending.is_set():
            try:
                peer, _ = self._server.accept()
            except TimeoutError:
                continue
            with peer:
                try:
                    self._serve(peer)
                except OSError:
                    continue
        self._server.close()

    def _serve(self, peer):
        peer.settimeout(1.0)
        playing = False
        while not playing and not self._ending.is_set():
            request = b""
            while b"\r\n\r\n" not in request:
                received = peer.recv(4096)
                if not received:
                    return
                request += received
            method = request.split()[0].decode()
            sequence = next(line for line in request.decode().split("\r\n") if line.lower().startswith("cseq"))
            extra, body = "", ""
            if method == "OPTIONS":
                extra = "Public: OPTIONS, DESCRIBE, SETUP, PLAY, TEARDOWN\r\n"
            elif method == "DESCRIBE":
                body = self.SDP
                extra = f"Content-Type: application/sdp\r\nContent-Length: {len(body)}\r\n"
            elif method == "SETUP":
                extra = "Transport: RTP/AVP/TCP;unicast;interleaved=0-1\r\nSession: 1\r\n"
            elif method == "PLAY":
                extra, playing = "Session: 1\r\n", True
            peer.sendall(f"RTSP/1.0 200 OK\r\n{sequence}\r\n{extra}\r\n{body}".encode())
        number = 0
        while not self._ending.is_set():
            for chunk in self._chunks:
                packet = struct.pack(">BBHII", 0x80, 33, number % 65536, number * 900 % 2**32, 1) + chunk
                peer.sendall(struct.pack(">cBH", b"$", 0, len(packet)) + packet)
                number += 1
                if self._ending.wait(0.002):
                    return


def test_rtsp_camera_that_goes_and_comes_back(drive, tmp_path):
    path = tmp_path / "street.ts"
    write_video(str(path), 60, form="mpegts")
    server = RtspServer(path.read_bytes())
    url = f"rtsp://operator:secret@127.0.0.1:{server.port}/street"
    driver = drive(NODE, {"platform": "pole", "url": url, "rate": 0.0, **CALIBRATION}, ("image",))
    wait(driver, lambda: len(driver.of("image")) >= 5)
    assert driver.runtime.problem is None
    assert cv2.imdecode(np.frombuffer(driver.of("image")[0].data, np.uint8), 1).shape == (HEIGHT, WIDTH, 3)
    assert driver.of("camera_info")[0].k[0] == 130.0

    server.close()
    wait(driver, lambda: driver.runtime.problem)
    assert driver.runtime.problem.startswith(f"rtsp rtsp://127.0.0.1:{server.port}/street: ")
    assert "secret" not in driver.runtime.problem and "\n" not in driver.runtime.problem

    count = len(driver.of("image"))
    again = RtspServer(path.read_bytes(), server.port)
    wait(driver, lambda: len(driver.of("image")) > count + 5)
    wait(driver, lambda: driver.runtime.problem is None)
    again.close()


def test_silent_camera_is_reported(drive):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"tcp://127.0.0.1:{silent.getsockname()[1]}"
        driver = drive(NODE, {"platform": "pole", "url": url, "timeout": 0.5})
        wait(driver, lambda: driver.runtime.problem)
        assert driver.runtime.problem == f"no frames for 0.5 s from rtsp {url}"
