"""Boxes in an image to boxes on the ground.

A body of its class is stood on the ground and moved, turned and stretched until its outline fills the box in the
image: the maximum a posteriori estimate of place, height of the ground, heading and size, by Gauss-Newton steps from
several headings. Where the box ends because of the image's edge or because something nearer hides the rest, that
edge only says that the body reaches at least so far. The inverse of the information matrix is the covariance.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from twin_common.core import geometry
from twin_fusion.core import camera_bodies as bodies
from twin_fusion.core.ground_height import Ground
from twin_fusion.core.lens import NEAR, Lens

LEFT, TOP, RIGHT, BOTTOM = 1, 2, 4, 8  # bits of ImageObject.cut
_STEPS = (2, 3)  # of each round
_HOPELESS = 15.0  # twice the logarithm of how much less likely a heading is that is not followed further
_FARTHEST = 120.0  # metres
_STATES = 7  # x, y, height of the ground, heading, length, width, height
_DELTA = np.array([0.02, 0.02, 0.02, 0.01, 0.02, 0.02, 0.02])
_LARGEST_STEP = np.array([8.0, 8.0, 0.3, 0.4, 0.5, 0.3, 0.3])
_SMALL = 4  # headings: bodies with no more are small enough to stand behind things
_HIDDEN_COST = 5.0  # about twice the negative logarithm of how often that is so
_BODY_SIGMA = 0.08  # of the length: bodies are no boxes
_HEADING_SIGMA = 1.0  # radians: a start keeps its branch


class GroundSettings(Protocol):
    """How well boxes and mount are known; see ``config.FusionConfig``."""

    @property
    def pixel_sigma(self) -> float:
        """Pixels."""

    @property
    def box_sigma(self) -> float:
        """Share of the box."""

    @property
    def camera_angle_sigma(self) -> float:
        """Radians."""


@dataclass(frozen=True, slots=True)
class Placed:
    """Objects (N,) in the map frame, metres: ``centre`` (N, 3), its ``covariance`` (N, 3, 3), ``size`` (N, 3).

    ``yaw`` (N,) may be wrong by half a turn; ``good`` (N,): found on the ground at all.
    """

    centre: np.ndarray
    covariance: np.ndarray
    size: np.ndarray
    yaw: np.ndarray
    yaw_variance: np.ndarray
    good: np.ndarray


def locate(
    boxes: np.ndarray, cut: np.ndarray, rows: np.ndarray, lens: Lens, map_from_camera: np.ndarray, ground: Ground,
    settings: GroundSettings,
) -> Placed:  # fmt: skip
    """Return where on the ground the objects of an image are.

    ``boxes``: (N, 4) x_min, y_min, x_max, y_max, pixels from the edge of the image; ``cut``: (N,) bits; ``rows``: (N,)
    of ``camera_bodies.BODIES``; ``map_from_camera``: (4, 4), optical frame.

    Raises:
        ValueError: boxes are not (N, 4), or the pose not (4, 4).

    """
    if boxes.ndim != 2 or boxes.shape[1] != 4:
        raise ValueError(f"boxes: expected (N, 4), got {boxes.shape}")
    if map_from_camera.shape != (4, 4):
        raise ValueError(f"map_from_camera: expected (4, 4), got {map_from_camera.shape}")
    if not len(boxes):
        empty = np.zeros(0)
        return Placed(np.zeros((0, 3)), np.zeros((0, 3, 3)), np.zeros((0, 3)), empty, empty, np.zeros(0, bool))
    edges = boxes.astype(float) - 0.5  # to pixel centres
    loose = open_edges(boxes, cut)
    start = _start(edges, loose, rows, lens, map_from_camera, ground)
    owner, turn, hidden = _hypotheses(rows, loose)
    state = _states(start[owner], turn, rows[owner], map_from_camera)
    fitted, information, cost = state, np.zeros(0), np.zeros(0)
    for steps in _STEPS:  # the ground is that of where the body stood after the round before
        opened = loose[owner]
        opened[:, 3] |= hidden
        problem = _Problem.of(edges[owner], opened, rows[owner], state, fitted, lens, map_from_camera, ground, settings)
        fitted, information, cost = _fit(problem, fitted, steps)
        cost = cost + np.where(hidden, _HIDDEN_COST, 0.0)
        lowest = np.minimum.reduceat(cost, np.searchsorted(owner, np.arange(len(boxes))))
        kept = cost < lowest[owner] + _HOPELESS
        owner, hidden, state, fitted = owner[kept], hidden[kept], state[kept], fitted[kept]
        information, cost = information[kept], cost[kept]
    return _summary(fitted, information, cost, owner, len(boxes), map_from_camera)


def open_edges(boxes: np.ndarray, cut: np.ndarray) -> np.ndarray:
    """Return which edges (N, 4) are not the body's own: cut off by the image, or hidden by what is nearer.

    What stands nearer ends lower in the image.
    """
    opened: np.ndarray = np.stack([cut & bit for bit in (LEFT, TOP, RIGHT, BOTTOM)], axis=1) != 0
    x_min, y_min, x_max, y_max = boxes.T.astype(float)
    width, height = x_max - x_min, y_max - y_min
    nearer = y_max[None, :] > y_max[:, None] + 0.04 * height[:, None] + 1
    overlap_x = np.minimum(x_max[:, None], x_max) - np.maximum(x_min[:, None], x_min)
    overlap_y = np.minimum(y_max[:, None], y_max) - np.maximum(y_min[:, None], y_min)
    reach_y, reach_x = 0.12 * height[:, None] + 1, 0.12 * width[:, None] + 1
    wide, tall = overlap_x > 0.5 * width[:, None], overlap_y > 0.5 * height[:, None]
    opened[:, 3] |= (nearer & wide & (y_min < y_max[:, None] + reach_y)).any(axis=1)
    opened[:, 0] |= (nearer & tall & (x_min < x_min[:, None]) & (x_max > x_min[:, None] - reach_x)).any(axis=1)
    opened[:, 2] |= (nearer & tall & (x_max > x_max[:, None]) & (x_min < x_max[:, None] + reach_x)).any(axis=1)
    return opened


def _start(
    edges: np.ndarray, opened: np.ndarray, rows: np.ndarray, lens: Lens, map_from_camera: np.ndarray, ground: Ground
) -> np.ndarray:
    """Return a first guess of the feet, (N, 3): by the lower edge, else the upper one, else by the size."""
    middle = 0.5 * (edges[:, 0] + edges[:, 2])
    origin, rotation = map_from_camera[:3, 3], map_from_camera[:3, :3]
    feet = lens.rays(np.stack([middle, edges[:, 3]], axis=1)) @ rotation.T
    head = lens.rays(np.stack([middle, edges[:, 1]], axis=1)) @ rotation.T
    level = ground.level
    size = bodies.SIZE[rows]
    tall = np.maximum(edges[:, 3] - edges[:, 1], 1.0)
    by_size = np.clip(lens.focal * size[:, 2] / tall, 2.0, _FARTHEST)
    by_feet = _reach(feet, level - origin[2])
    by_head = _reach(head, level + size[:, 2] - origin[2])
    span = np.where(~opened[:, 3] & np.isfinite(by_feet), by_feet, np.where(~opened[:, 1], by_head, by_size))
    span = np.clip(np.where(np.isfinite(span), span, by_size), 1.0, _FARTHEST)
    spots = origin + np.where(opened[:, 3, None], head, feet) * span[:, None]
    level_ray = spots[:, :2] - origin[:2]
    depth = 0.25 * (size[:, 0] + size[:, 1])  # from the nearest side to the middle
    ahead = level_ray / np.maximum(np.linalg.norm(level_ray, axis=1), 1e-6)[:, None]
    spots[:, :2] += ahead * depth[:, None]
    spots[:, 2] = level
    return np.asarray(spots)


def _reach(rays: np.ndarray, drop: np.ndarray | float) -> np.ndarray:
    """Return how far along unit rays (N, 3) a plane ``drop`` metres above the origin lies; inf: never."""
    with np.errstate(divide="ignore", invalid="ignore"):
        span = drop / rays[:, 2]
    return np.where(np.isfinite(span) & (span > 0), span, np.inf)


def _hypotheses(rows: np.ndarray, opened: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return owner (K,), turn from the line of sight (K,), radians, and whether the feet are hidden (K,), by object.

    Small bodies are tried with hidden feet too: behind a parked car or a wall, of which the image says nothing.
    """
    owners, turns, hidden = [], [], []
    for number, headings in enumerate(bodies.HEADINGS[rows]):
        for unseen in (False, True) if headings <= _SMALL and not opened[number, 3] else (False,):
            owners += [number] * headings
            turns += [k * np.pi / headings for k in range(headings)]
            hidden += [unseen] * headings
    return np.array(owners), np.array(turns), np.array(hidden)


def _states(start: np.ndarray, turn: np.ndarray, rows: np.ndarray, map_from_camera: np.ndarray) -> np.ndarray:
    """Return the states (K, 7) to begin with: at the guessed feet, turned from the line of sight, of the usual size."""
    sight = np.arctan2(start[:, 1] - map_from_camera[1, 3], start[:, 0] - map_from_camera[0, 3])
    return np.concatenate([start, (sight + turn)[:, None], bodies.SIZE[rows]], axis=1)


@dataclass(frozen=True, slots=True)
class _Problem:
    """What K bodies are fitted to."""

    edges: np.ndarray
    opened: np.ndarray
    weight: np.ndarray
    outline: np.ndarray
    prior: np.ndarray
    prior_weight: np.ndarray
    lens: Lens
    camera_from_map: np.ndarray

    @classmethod
    def of(
        cls, edges: np.ndarray, opened: np.ndarray, rows: np.ndarray, start: np.ndarray, here: np.ndarray, lens: Lens,
        map_from_camera: np.ndarray, ground: Ground, settings: GroundSettings,
    ) -> _Problem:  # fmt: skip
        """Weigh edges by their error and states by what is known beforehand."""
        size = np.stack([edges[:, 2] - edges[:, 0], edges[:, 3] - edges[:, 1]], axis=1)
        swing = lens.focal * settings.camera_angle_sigma
        sigma = np.hypot(np.hypot(settings.pixel_sigma, swing), settings.box_sigma * np.tile(size, 2))
        heights, height_sigma = ground.at(here[:, :2])
        prior = start.copy()
        prior[:, 2] = heights
        spread = np.concatenate(
            [np.full((len(rows), 2), np.inf), height_sigma[:, None], np.full((len(rows), 1), _HEADING_SIGMA),
             bodies.SPREAD[rows]], axis=1,
        )  # fmt: skip
        return cls(
            edges, opened, 1 / sigma**2, bodies.OUTLINE[rows], prior, 1 / spread**2, lens,
            geometry.inverse(map_from_camera),
        )  # fmt: skip

    def seen(self, state: np.ndarray) -> np.ndarray:
        """Return the boxes (..., K, 4) around the outlines of states (..., K, 7)."""
        cos, sin = np.cos(state[..., 3, None]), np.sin(state[..., 3, None])
        shape = self.outline * state[..., None, 4:]
        x = state[..., 0, None] + shape[..., 0] * cos - shape[..., 1] * sin
        y = state[..., 1, None] + shape[..., 0] * sin + shape[..., 1] * cos
        corners = np.stack([x, y, state[..., 2, None] + shape[..., 2]], axis=-1)
        local = corners @ self.camera_from_map[:3, :3].T + self.camera_from_map[:3, 3]
        local[..., 2] = np.maximum(local[..., 2], NEAR)
        spots = self.lens.project(local)
        return np.concatenate([spots.min(axis=-2), spots.max(axis=-2)], axis=-1)

    def misses(self, seen: np.ndarray) -> np.ndarray:
        """Return by how much edges (..., K, 4) are off, pixels; an open edge may lie farther out."""
        miss = seen - self.edges
        outside = miss * np.array([1.0, 1.0, -1.0, -1.0]) < 0
        return np.where(self.opened & outside, 0.0, miss)

    def cost(self, state: np.ndarray) -> np.ndarray:
        """Return twice the negative log posterior of states (K, 7), but for a constant."""
        miss = self.misses(self.seen(state))
        off = state - self.prior
        off[:, :2] = 0.0
        return np.asarray((self.weight * miss**2).sum(axis=1) + (self.prior_weight * off**2).sum(axis=1))


def _fit(problem: _Problem, state: np.ndarray, steps: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the fitted states (K, 7), their information matrices (K, 7, 7) and costs (K,); damped Gauss-Newton."""
    cost: np.ndarray = problem.cost(state)
    damping: np.ndarray = np.full(len(state), 1e-3)
    information = np.zeros((len(state), _STATES, _STATES))
    for _ in range(steps):
        information, slope = _linearised(problem, state)
        ridge = damping[:, None] * np.maximum(np.einsum("kii->ki", information), 1e-6)
        step = np.linalg.solve(information + ridge[:, :, None] * np.eye(_STATES), slope[:, :, None])[:, :, 0]
        tried = state - np.clip(step, -_LARGEST_STEP, _LARGEST_STEP)
        tried[:, 4:] = np.maximum(tried[:, 4:], 0.1)
        tried_cost = problem.cost(tried)
        better = tried_cost < cost
        state = np.where(better[:, None], tried, state)
        cost = np.where(better, tried_cost, cost)
        damping = np.where(better, damping * 0.2, damping * 10)
    return state, _linearised(problem, state)[0], cost


def _linearised(problem: _Problem, state: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the information matrices (K, 7, 7) and gradients (K, 7) at states."""
    moved = state + np.concatenate([np.zeros((1, _STATES)), np.diag(_DELTA)])[:, None, :]
    seen = problem.seen(moved)
    miss = problem.misses(seen[0])
    slopes = (seen[1:] - seen[0]) / _DELTA[:, None, None]
    slopes = np.where((problem.opened & (miss == 0))[None], 0.0, slopes)
    jacobian = slopes.transpose(1, 2, 0)  # (K, 4, 7)
    information = np.einsum("ke,kei,kej->kij", problem.weight, jacobian, jacobian)
    gradient = np.einsum("ke,kei,ke->ki", problem.weight, jacobian, miss)
    off = state - problem.prior
    off[:, :2] = 0.0
    information += problem.prior_weight[:, :, None] * np.eye(_STATES)
    return information, gradient + problem.prior_weight * off


def _summary(
    state: np.ndarray, information: np.ndarray, cost: np.ndarray, owner: np.ndarray, count: int,
    map_from_camera: np.ndarray,
) -> Placed:  # fmt: skip
    """Return one object for each owner: the best heading, with the spread of the others that fit as well."""
    information = information + 1e-6 * np.eye(_STATES)
    spread = np.linalg.inv(information)
    to_centre = np.zeros((3, _STATES))
    to_centre[0, 0] = to_centre[1, 1] = to_centre[2, 2] = 1.0
    to_centre[2, 6] = 0.5
    centres = state @ to_centre.T
    covariances = to_centre @ spread @ to_centre.T
    starts = np.searchsorted(owner, np.arange(count))
    lowest = np.minimum.reduceat(cost, starts)
    weight = np.exp(-0.5 * (cost - lowest[owner]))
    weight /= np.add.reduceat(weight, starts)[owner]
    centre = np.add.reduceat(weight[:, None] * centres, starts)
    apart = centres - centre[owner]
    covariance = np.add.reduceat(weight[:, None, None] * (covariances + apart[:, :, None] * apart[:, None, :]), starts)
    covariance += np.square(_BODY_SIGMA * state[starts, 4])[:, None, None] * np.eye(3)
    parts = np.split(weight, starts[1:])
    best = np.array([start + int(np.argmax(part)) for start, part in zip(starts, parts, strict=True)])
    turn = geometry.wrap(2 * (state[:, 3] - state[best, 3][owner])) / 2
    yaw_variance = np.add.reduceat(weight * (spread[:, 3, 3] + turn**2), starts)
    distance = np.linalg.norm(centre[:, :2] - map_from_camera[:2, 3], axis=1)
    good = np.isfinite(centre).all(axis=1) & (distance < _FARTHEST) & np.isfinite(covariance).all(axis=(1, 2))
    return Placed(centre, covariance, state[best, 4:], geometry.wrap(state[best, 3]), yaw_variance, good)
