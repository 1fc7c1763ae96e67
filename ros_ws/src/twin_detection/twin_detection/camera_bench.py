"""How long an image takes: decoding, detecting, colours; reading signals; covering faces. Processor time, one core."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial

import cv2
import numpy as np

from twin_common.config import ConfigError
from twin_detection.anonymiser import Anonymiser
from twin_detection.camera_convert import image_from_message, message_from_image, message_from_objects
from twin_detection.camera_network import CameraNetwork
from twin_detection.core.camera_signals import PEDESTRIANS, VEHICLES, Camera, Heads, read

HEIGHT, WIDTH = 384, 640
PEERS = ("yolox_nano", "yolox_nano_sample")


def camera_speed(images: int = 30) -> dict[str, float | str]:
    """Return medians of processor time, milliseconds; a COCO detector beside ours where it is on this machine."""
    message = message_from_image(_street(), 90, 0, "camera")
    image, network, anonymiser = image_from_message(message), CameraNetwork("camera"), Anonymiser()
    found = network.find(image, 0.02)
    heads, camera = _heads()

    def whole() -> None:
        decoded = image_from_message(message)
        message_from_objects(network.find(decoded, 0.25), decoded, 0, "camera")

    figures: dict[str, float | str] = {
        f"image {WIDTH} x {HEIGHT}, JPEG to objects": _median_ms(whole, images),
        "of that the network": _median_ms(lambda: network.boxes(image), images),
        "signals, 12 heads": _median_ms(lambda: read(image, heads, camera), images),
        "anonymous view": _median_ms(lambda: anonymiser.anonymous(image, found), images),
    }
    for name in PEERS:
        try:
            peer = CameraNetwork(name)
        except ConfigError:
            continue
        figures[f"peer: {name}, {peer.width} x {peer.height}"] = _median_ms(partial(peer.find, image), images)
    return figures


def _median_ms(call: Callable[[], object], count: int) -> float:
    call()
    spent = []
    for _ in range(count):
        started = time.process_time()
        call()
        spent.append((time.process_time() - started) * 1e3)
    return float(np.median(spent))


def _street() -> np.ndarray:
    """Return a noisy image with boxes of all sizes: as hard to code as a street, and full of edges."""
    rng = np.random.default_rng(0)
    image = np.full((HEIGHT, WIDTH, 3), 120, np.uint8)
    for _ in range(120):
        low = rng.uniform((0, 0), (WIDTH, HEIGHT)).astype(int)
        high = low + rng.uniform(4, 90, 2).astype(int)
        cv2.rectangle(image, low.tolist(), high.tolist(), rng.integers(0, 255, 3).tolist(), -1)
    return np.clip(image + rng.normal(0, 6, image.shape), 0, 255).astype(np.uint8)


def _heads() -> tuple[Heads, Camera]:
    """Return twelve heads before a camera that looks along +x."""
    places = np.array([(15.0 + 2.5 * i, -6.0 + i, 2.0) for i in range(12)])
    users = np.array([VEHICLES, PEDESTRIANS] * 6)
    pose = np.array([[0, 0, 1, 0], [-1, 0, 0, 0], [0, -1, 0, 2], [0, 0, 0, 1]], float)
    matrix = np.array([[457.0, 0, WIDTH / 2], [0, 457.0, HEIGHT / 2], [0, 0, 1]])
    return Heads(np.arange(12), places, np.full(12, np.pi), users), Camera(matrix, np.zeros(5), pose)
