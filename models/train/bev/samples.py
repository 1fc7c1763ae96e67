"""Scans as the network sees them, with what it should answer; every one varied anew."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from guests import Guests
from scans import UNIT, LabelledScan
from torch import Tensor
from torch.utils.data import Dataset

from twin_common.core.compiled import kernel
from twin_detection.core.bev_decode import STRIDE
from twin_detection.core.bev_grid import BevGrid, scan_image

FEWEST = 5  # points on an object that is asked for
WITH_GUESTS = 0.7  # share of the samples
_DRAWN_PARTS = 3  # of an image; that with most labels that are asked for is shown
#: Standard deviation of a wanted peak, by class, and how far it reaches, in cells.
_PEAK, _FAR = np.array([1.3, 1.5, 1.8, 0.9, 0.8, 0.9, 0.8]), 4
_SQUARES = np.add.outer(np.arange(-_FAR, _FAR + 1) ** 2, np.arange(-_FAR, _FAR + 1) ** 2)
_PEAKS = np.exp(-_SQUARES / (2 * _PEAK[:, None, None] ** 2)).astype(np.float32)
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
        keep = np.flatnonzero((rng.random(len(whole), np.float32) >= thin) & beams[np.minimum(ring, rings - 1)])
        points = _laid(whole, keep, turn.astype(np.float32), np.stack([slope, bend]).astype(np.float32), UNIT, scale)
        if blur:
            points += rng.standard_normal(points.shape, np.float32) * np.float32(blur * scale)
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


@kernel
def _laid(
    points: np.ndarray, kept: np.ndarray, turn: np.ndarray, ground: np.ndarray, unit: float, scale: float
) -> np.ndarray:
    """Return those of the stored points that are kept, turned, and laid on uneven ground, (K, 3) metres.

    ``turn``: (2, 2), with the scale; ``ground``: (2, 2), how it rises with x and y, and with their squares.
    """
    laid, flat, up = np.empty((len(kept), 3), np.float32), np.float32(unit), np.float32(unit * scale)
    slope, bend = ground
    for place in range(len(kept)):
        x, y = points[kept[place], 0] * flat, points[kept[place], 1] * flat
        along, across = turn[0, 0] * x + turn[0, 1] * y, turn[1, 0] * x + turn[1, 1] * y
        laid[place, 0], laid[place, 1] = along, across
        uneven = slope[0] * along + slope[1] * across + bend[0] * along * along + bend[1] * across * across
        laid[place, 2] = points[kept[place], 2] * up + uneven
    return laid


def wanted(labels: np.ndarray, grid: BevGrid, first: tuple[int, int], size: int) -> tuple[np.ndarray, ...]:
    """Return heat (7, n, n), weight, box (7, n, n), share and turning, the others (n, n), as for ``network.loss``.

    ``first``: row and column with which a part of the answer begins; ``size``: n, its edge in cells of the answer.
    """
    whole = grid.cells // STRIDE
    if min(first) < 0 or max(first) + size > whole:
        raise ValueError(f"part: from {first}, {size} cells long; expected one within {whole} x {whole} cells")
    faint_first = np.ascontiguousarray(labels[np.argsort(labels[:, 8])], float)
    return _wanted(faint_first, whole, grid.cell * STRIDE, grid.reach, *first, size)


@kernel
def _wanted(
    labels: np.ndarray, whole: int, cell: float, reach: float, top: int, left: int, size: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Return what ``wanted`` does; ``labels``: the faintest first; ``cell``: of the answer, metres.

    ``whole``: cells along an edge of the answer; ``top``, ``left``, ``size``: the part that is wanted.
    """
    heat = np.zeros((len(_PEAK), size, size), np.float32)
    weight, share = np.ones((size, size), np.float32), np.zeros((size, size), np.float32)
    turning, box = np.zeros((size, size), np.float32), np.zeros((7, size, size), np.float32)
    for number in range(len(labels)):
        x, y, _, length, width, tall, yaw, _, count = labels[number]
        at_row, at_column = (x + reach) / cell - 0.5, (y + reach) / cell - 0.5
        row, column, kind = round(at_row), round(at_column), int(labels[number, 7])
        if not (0 <= row < whole and 0 <= column < whole):
            continue
        at_row, at_column, row, column = at_row - top, at_column - left, row - top, column - left
        far = _FAR if count >= FEWEST else 1 + int(width)
        rows = range(max(row - far, 0), min(row + far + 1, size))
        columns = range(max(column - far, 0), min(column + far + 1, size))
        if count < FEWEST:
            for i in rows:
                for j in columns:
                    weight[i, j] = 0.0
            continue
        for i in rows:
            for j in columns:
                heat[kind, i, j] = max(heat[kind, i, j], _PEAKS[kind, i - row + _FAR, j - column + _FAR])
        if 0 <= row < size and 0 <= column < size:
            weight[row, column] = 1.0
        for i in range(max(row - _AROUND, 0), min(row + _AROUND + 1, size)):
            for j in range(max(column - _AROUND, 0), min(column + _AROUND + 1, size)):
                own = 1.0 if i == row and j == column else 0.4
                if own < share[i, j]:
                    continue
                share[i, j], turning[i, j] = own, _TURNING[kind]
                box[0, i, j], box[1, i, j] = (at_row - i) * cell, (at_column - j) * cell
                box[2, i, j], box[3, i, j], box[4, i, j] = np.log(length), np.log(width), np.log(tall)
                box[5, i, j], box[6, i, j] = np.sin(2 * yaw), np.cos(2 * yaw)
    return heat, weight, box, share, turning


class Samples(Dataset[tuple[Tensor, ...]]):
    """Scans by number; number n is always varied in the same way, and differs from n + len(scans)."""

    def __init__(self, scans: list[LabelledScan], count: int, seed: int, grid: BevGrid, part: int) -> None:
        """Keep the scans, and who may be a guest in others.

        ``count``: samples in all; ``part``: cells along an edge of the part of an image that is shown.
        """
        self._part = min(part, grid.cells)
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
        size = self._part // STRIDE
        row, column = self._fullest_part(sample.labels, rng)
        shown = image[:, STRIDE * row : STRIDE * (row + size), STRIDE * column : STRIDE * (column + size)]
        arrays = (np.ascontiguousarray(shown), *wanted(sample.labels, self._grid, (row, column), size))
        return tuple(torch.from_numpy(array) for array in arrays)

    def _fullest_part(self, labels: np.ndarray, rng: np.random.Generator) -> tuple[int, int]:
        """Return where a part of the answer begins: of some that are drawn, that with most labels asked for."""
        size, cell = self._part // STRIDE, self._grid.cell * STRIDE
        drawn = rng.integers(0, self._grid.cells // STRIDE - size + 1, (_DRAWN_PARTS, 2))
        at = (labels[labels[:, 8] >= FEWEST, :2] + self._grid.reach) / cell
        inside = ((at >= drawn[:, None]) & (at < drawn[:, None] + size)).all(axis=2).sum(axis=1)
        row, column = drawn[inside.argmax()]
        return int(row), int(column)
