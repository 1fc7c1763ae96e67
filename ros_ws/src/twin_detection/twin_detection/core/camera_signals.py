"""What known signal heads show, read from an image.

Where a head's lamps are in the image is known from its place in the district and the camera's pose; the colour there
is read in hue, saturation and value, weighted with the distance from where each lamp is expected.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

RED, YELLOW, GREEN = 1, 2, 3  # STATE_* of twin_msgs/Signal
VEHICLES, PEDESTRIANS = 1, 2  # USERS_*
#: Height of the lamp of each state above the middle of a head, metres, by its users.
LAMPS = {VEHICLES: {RED: 0.34, YELLOW: 0.0, GREEN: -0.34}, PEDESTRIANS: {RED: 0.15, GREEN: -0.15}}
RADIUS = 0.11  # of a lamp, metres
FACING = 0.35  # cosine between where a head faces and the camera, at least
#: Hues (OpenCV, 0 to 179) of each state: from, to; red goes through 0.
HUES = {RED: (168, 12), YELLOW: (13, 36), GREEN: (48, 100)}
_VIVID, _BRIGHT = 30, 60  # least saturation and value of a lamp that is lit: JPEG washes out colours of a few pixels
FULL = 0.10  # share of a lamp's area, weighted with saturation and value, that is as sure as can be


@dataclass(frozen=True, slots=True)
class Heads:
    """Signal heads.

    Args:
        signal_id: (S,) of the district.
        place: (S, 3), middle of the lamps, map frame, metres.
        yaw: (S,), towards those a head is for, map frame, radians.
        users: (S,), VEHICLES or PEDESTRIANS.

    """

    signal_id: np.ndarray
    place: np.ndarray
    yaw: np.ndarray
    users: np.ndarray

    def __len__(self) -> int:
        """Return how many there are."""
        return len(self.signal_id)


@dataclass(frozen=True, slots=True)
class Camera:
    """A camera.

    Args:
        matrix: (3, 3), pixels.
        distortion: (K,), of plumb_bob or rational_polynomial.
        map_from_camera: (4, 4), of its optical frame.

    """

    matrix: np.ndarray
    distortion: np.ndarray
    map_from_camera: np.ndarray

    def project(self, places: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return pixels (N, 2), NaN behind the camera, and depths (N,), metres, of places (N, 3) in the map."""
        camera_from_map = np.linalg.inv(self.map_from_camera)
        local = places @ camera_from_map[:3, :3].T + camera_from_map[:3, 3]
        depth = local[:, 2]
        pixels = np.full((len(places), 2), np.nan)
        ahead = depth > 0.2
        if ahead.any():
            spots, _ = cv2.projectPoints(local[ahead], np.zeros(3), np.zeros(3), self.matrix, self.distortion)
            pixels[ahead] = spots.reshape(-1, 2)
        return pixels, depth


@dataclass(frozen=True, slots=True)
class Reading:
    """What heads show: ``index`` (R,) in the heads, ``state`` (R,) RED, YELLOW or GREEN, ``confidence`` (R,) 0..1."""

    index: np.ndarray
    state: np.ndarray
    confidence: np.ndarray


def in_sight(heads: Heads, camera: Camera, shape: tuple[int, int], reach: float, margin: float = 4.0) -> np.ndarray:
    """Return the indices of heads that face the camera, within ``reach`` metres and ``margin`` pixels of the image."""
    if not len(heads):
        return np.zeros(0, int)
    to_camera = camera.map_from_camera[:3, 3] - heads.place
    distance = np.linalg.norm(to_camera, axis=1)
    facing = to_camera[:, 0] * np.cos(heads.yaw) + to_camera[:, 1] * np.sin(heads.yaw)
    near = (distance < reach) & (facing > FACING * np.hypot(*to_camera[:, :2].T))
    pixels, _ = camera.project(heads.place)
    with np.errstate(invalid="ignore"):
        inside = (pixels > margin).all(axis=1) & (pixels < np.array(shape[::-1]) - margin).all(axis=1)
    return np.flatnonzero(near & inside)


def read(image: np.ndarray, heads: Heads, camera: Camera, reach: float = 50.0, blur: float = 1.0) -> Reading:
    """Return what heads in sight show; those of which no lamp is seen lit are left out.

    Args:
        image: (H, W, 3) uint8, BGR.
        heads: of the district.
        camera: that took the image.
        reach: metres: farther heads are not read.
        blur: pixels, standard deviation of where a lamp is expected: of the camera's pose.

    """
    indices, states, confidences = [], [], []
    for index in in_sight(heads, camera, image.shape[:2], reach):
        lamps = LAMPS.get(int(heads.users[index]), LAMPS[VEHICLES])
        evidence = _evidence(image, heads.place[index], lamps, camera, blur)
        total = sum(evidence.values())
        if total <= 0:
            continue
        best = max(evidence, key=lambda state: evidence[state])
        indices.append(index)
        states.append(best)
        confidences.append(evidence[best] / total * min(evidence[best] / FULL, 1.0))
    return Reading(np.array(indices, int), np.array(states, np.uint8), np.array(confidences, float))


def _evidence(
    image: np.ndarray, place: np.ndarray, lamps: dict[int, float], camera: Camera, blur: float
) -> dict[int, float]:
    """Return, by state, the share of its lamp that is lit in its colour."""
    spots, depth = camera.project(place + np.array([(0.0, 0.0, up) for up in lamps.values()]))
    radius = RADIUS * camera.matrix[0, 0] / depth
    if not np.isfinite(spots).all():
        return {}
    reach = float(radius.max() + 2 * blur + 1)
    low = np.maximum(np.floor(spots.min(axis=0) - reach), 0).astype(int)
    high = np.minimum(np.ceil(spots.max(axis=0) + reach) + 1, image.shape[1::-1]).astype(int)
    if (high - low < 2).any():
        return {}
    patch = cv2.cvtColor(image[low[1] : high[1], low[0] : high[0]], cv2.COLOR_BGR2HSV)
    hue, saturation, value = np.moveaxis(patch, 2, 0)
    strength = saturation.astype(float) * value / 255.0**2 * ((saturation >= _VIVID) & (value >= _BRIGHT))
    rows, columns = np.mgrid[low[1] : high[1], low[0] : high[0]]
    found = {}
    for (state, _), (u, v), size in zip(lamps.items(), spots, radius, strict=True):
        spread = (0.8 * size) ** 2 + blur**2
        weight = np.exp(-((columns - u) ** 2 + (rows - v) ** 2) / (2 * spread))
        first, last = HUES[state]
        right = (hue >= first) | (hue <= last) if first > last else (hue >= first) & (hue <= last)
        lit = strength * right
        around = (columns - u) ** 2 + (rows - v) ** 2 > (2 * size + 2 * blur) ** 2
        within = float((weight * lit).sum() / max(float(weight.sum()), 1e-9))
        beyond = float(lit[around].mean()) if around.any() else 0.0
        # What has the colour of a lamp all around is no lamp: a bus that stands before the head.
        alone = float(np.clip(1.0 - beyond / max(within, 1e-9), 0.0, 1.0))
        found[state] = alone * float((weight * lit).sum() / (np.pi * max(size, 0.7) ** 2))
    return found
