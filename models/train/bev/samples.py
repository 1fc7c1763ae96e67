"""Scans as the network sees them, with what it should answer; every one varied anew."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from guests import Guests
from scans import UNIT, LabelledScan
from torch import Tensor
from torch.utils.data import Dataset

from twin_detection.core.bev_decode import CLASSES, STRIDE
from twin_detection.core.bev_grid import BevGrid, scan_image

FEWEST = 5  # points on an object that is asked for
WITH_GUESTS = 0.7  # share of the samples
#: Standard deviation of a wanted peak, by class, and how far it reaches, in cells.
_PEAK, _FAR = np.array([1.3, 1.5, 1.8, 0.9, 0.8, 0.9, 0.8]), 4
_SQUARES = np.add.outer(np.arange(-_FAR, _FAR + 1) ** 2, np.arange(-_FAR, _FAR + 1) ** 2)
_PEAKS = np.exp(-_SQUARES / (2 * _PEAK[:, None, None] ** 2)).astype(np.float32)
#: Cells along an edge of the part of an image that is shown: any part teaches nearly as much, in less time.
PART = 320
_AROUND = 1  # cells around a centre that learn the box too
#: Weight of the heading, by class: a pedestrian's hardly shows.
_TURNING = np.array([1.0, 1.0, 1.0, 1.0, 0.5, 1.0, 0.1])
#: Standard deviations of what odometry tells of the way since the earlier scan: metres, radians.
_DRIFT, _TURN_DRIFT = 0.03, 0.003
_WITHOUT_EARLIER = 0.15  # share of the pairs


@dataclass(frozen=True, slots=True)
class Varied:
    """A varied scan, metres.

    ``points``: (N, 3); ``earlier``: (M, 3) of the scan ``elapsed`` seconds before; ``labels``: (L, 9) as of
    LabelledScan; ``sensor_height``.
    """

    points: np.ndarray
    earlier: np.ndarray
    elapsed: float
    labels: np.ndarray
    sensor_height: float


def plain(scan: LabelledScan) -> Varied:
    """Return a scan as it is."""
    unit = np.float32(UNIT)
    return Varied(scan.points * unit, scan.earlier * unit, scan.elapsed, scan.labels, scan.sensor_height)


def varied(scan: LabelledScan, rng: np.random.Generator, *, pair: bool = False) -> Varied:
    """Return a scan turned, mirrored, scaled, thinned, blurred and laid on uneven ground.

    ``pair``: with the earlier scan, where there is one.
    """
    labels = scan.labels.copy()
    thin, blur = rng.choice([0.0, rng.uniform(0.0, 0.5)]), rng.choice([0.0, rng.uniform(0.0, 0.04)])
    rings = int(scan.ring.max(initial=0)) + 1
    lost = rng.uniform(0.0, 0.4) if rng.random() < 0.35 else 0.0
    beams = rng.random(rings) >= lost
    angle, scale = rng.uniform(-np.pi, np.pi), float(rng.uniform(0.92, 1.09))
    flip = float(rng.choice([-1.0, 1.0]))
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]) @ np.diag([1.0, flip]) * scale
    slope, bend = rng.normal(0, 0.012, 2), rng.normal(0, 0.0003, 2)
    clouds = []
    known = pair and scan.elapsed > 0 and rng.random() >= _WITHOUT_EARLIER
    earlier = (scan.earlier, scan.earlier_ring) if known else (scan.earlier[:0], scan.earlier_ring[:0])
    for whole, ring in ((scan.points, scan.ring), earlier):
        keep = (rng.random(len(whole), np.float32) >= thin) & beams[np.minimum(ring, rings - 1)]
        points = whole[keep] * np.float32(UNIT)
        if blur:
            points += rng.standard_normal(points.shape, np.float32) * np.float32(blur)
        points[:, :2] = points[:, :2] @ turn.T.astype(np.float32)
        points[:, 2] *= scale
        points[:, 2] += points[:, :2] @ slope.astype(np.float32) + points[:, :2] ** 2 @ bend.astype(np.float32)
        clouds.append(points)
    labels[:, 8] *= len(clouds[0]) / max(len(scan.points), 1)
    labels[:, :2] = labels[:, :2] @ turn.T
    labels[:, 6] = flip * labels[:, 6] + angle
    labels[:, 2:6] *= scale
    labels[:, 2] += labels[:, :2] @ slope + labels[:, :2] ** 2 @ bend
    drift, turned = rng.normal(0, _DRIFT, 2), rng.normal(0, _TURN_DRIFT)
    clouds[1][:, :2] += clouds[1][:, 1::-1] * np.array([-turned, turned], np.float32) + drift.astype(np.float32)
    height = scan.sensor_height * scale + float(rng.normal(0, 0.08))
    return Varied(clouds[0], clouds[1], scan.elapsed if known else 0.0, labels, height)


def wanted(labels: np.ndarray, grid: BevGrid) -> tuple[np.ndarray, ...]:
    """Return heat (7, n, n), weight, box (7, n, n), share and turning, the others (n, n), as for ``network.loss``."""
    size, cell = grid.cells // STRIDE, grid.cell * STRIDE
    heat = np.zeros((len(CLASSES), size, size), np.float32)
    weight, share = np.ones((size, size), np.float32), np.zeros((size, size), np.float32)
    turning, box = np.zeros((size, size), np.float32), np.zeros((7, size, size), np.float32)
    for x, y, _, length, width, tall, yaw, kind, count in labels[np.argsort(labels[:, 8])]:
        place = np.array([(x + grid.reach) / cell - 0.5, (y + grid.reach) / cell - 0.5])
        row, column = np.round(place).astype(int)
        if not (0 <= row < size and 0 <= column < size):
            continue
        kind = int(kind)
        if count < FEWEST:
            reach = 1 + int(width)
            weight[max(row - reach, 0) : row + reach + 1, max(column - reach, 0) : column + reach + 1] = 0.0
            continue
        rows, columns = (slice(max(at - _FAR, 0), min(at + _FAR + 1, size)) for at in (row, column))
        near, peak = heat[kind, rows, columns], _PEAKS[kind]
        peak = peak[rows.start - row + _FAR :, columns.start - column + _FAR :][: len(near), : near.shape[1]]
        np.maximum(near, peak, out=near)
        weight[row, column] = 1.0
        for i in range(max(row - _AROUND, 0), min(row + _AROUND, size - 1) + 1):
            for j in range(max(column - _AROUND, 0), min(column + _AROUND, size - 1) + 1):
                own = 1.0 if (i, j) == (row, column) else 0.4
                if own < share[i, j]:
                    continue
                share[i, j], turning[i, j] = own, _TURNING[kind]
                box[:, i, j] = (
                    (place[0] - i) * cell, (place[1] - j) * cell, np.log(length), np.log(width), np.log(tall),
                    np.sin(2 * yaw), np.cos(2 * yaw),
                )  # fmt: skip
    return heat, weight, box, share, turning


class Samples(Dataset[tuple[Tensor, ...]]):
    """Scans by number; number n is always varied in the same way, and differs from n + len(scans)."""

    def __init__(self, scans: list[LabelledScan], count: int, seed: int, grid: BevGrid) -> None:
        """Keep the scans, and who may be a guest in others; ``count``: samples in all."""
        self._guests = Guests(scans)
        self._scans, self._count, self._seed, self._grid = scans, count, seed, grid
        rng = np.random.default_rng([seed, 0x0D])
        turns = -(-count // len(scans))
        self._order = np.concatenate([rng.permutation(len(scans)) for _ in range(turns)])[:count]

    def __len__(self) -> int:
        return self._count

    def __getitem__(self, index: int) -> tuple[Tensor, ...]:
        rng = np.random.default_rng([self._seed, 0x5A, index])
        scan = self._scans[self._order[index]]
        if rng.random() < WITH_GUESTS:
            scan = self._guests.invite(scan, rng)
        sample = varied(scan, rng)
        image, *_ = scan_image(sample.points, sample.sensor_height, self._grid)
        size = min(PART, self._grid.cells)
        first = rng.integers(0, (self._grid.cells - size) // STRIDE + 1, 2)
        row, column = (slice(int(at), int(at) + size // STRIDE) for at in first)
        shown = [slice(STRIDE * part.start, STRIDE * part.stop) for part in (row, column)]
        asked = wanted(sample.labels, self._grid)
        arrays = (image[:, shown[0], shown[1]], *(array[..., row, column] for array in asked))
        return tuple(torch.from_numpy(np.ascontiguousarray(array)) for array in arrays)
