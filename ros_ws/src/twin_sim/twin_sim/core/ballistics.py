"""Pieces in free fall that bounce, slide and come to rest: debris, vectorised."""

from __future__ import annotations

import numpy as np

from twin_sim.core.impacts import GRAVITY

#: Concrete, brick or sheet metal on paving: of the vertical speed, a bounce keeps this share.
BOUNCE = 0.15
FRICTION = 0.6
#: A bounce slower than this is none, m/s.
SOFT = 0.8


class Pieces:
    """Pieces in flight, (N,): ``position`` (N, 3) of the middle of the underside, ``velocity`` (N, 3), metres, m/s."""

    def __init__(self, position: np.ndarray, velocity: np.ndarray, ground: np.ndarray) -> None:
        """Take over positions and velocities; ``ground`` (N,) is the height on which each piece comes down."""
        self.position = np.array(position, float).reshape(-1, 3)
        self.velocity = np.array(velocity, float).reshape(-1, 3)
        self.ground = np.broadcast_to(np.asarray(ground, float), len(self.position)).copy()
        if len(self.velocity) != len(self.position):
            raise ValueError(f"velocity: expected {self.position.shape}, got {self.velocity.shape}")
        self.flying = self.position[:, 2] > self.ground

    @property
    def moving(self) -> np.ndarray:
        """Which pieces are not at rest yet, (N,) bool."""
        return np.asarray(self.flying | (np.abs(self.velocity).max(axis=1) > 0))

    def step(self, interval: float) -> np.ndarray:
        """Let time pass; returns which pieces touched the ground, (N,) bool. Flight is exact for any interval."""
        up = self.flying
        self.position[up] += self.velocity[up] * interval
        self.position[up, 2] -= GRAVITY * interval**2 / 2
        self.velocity[up, 2] -= GRAVITY * interval
        down = up & (self.position[:, 2] <= self.ground)
        self.position[down, 2] = self.ground[down]
        rebound = np.where(-self.velocity[:, 2] * BOUNCE > SOFT, -self.velocity[:, 2] * BOUNCE, 0.0)
        self._rub(down, FRICTION * (np.abs(self.velocity[:, 2]) + rebound))
        self.velocity[down, 2] = rebound[down]
        self.flying = (up & ~down) | (down & (rebound > 0))
        sliding = ~up & (np.abs(self.velocity[:, :2]).max(axis=1, initial=0.0) > 0)
        self.position[sliding, :2] += self.velocity[sliding, :2] * interval
        self._rub(sliding, np.full(len(self.position), FRICTION * GRAVITY * interval))
        return np.asarray(down)

    def _rub(self, which: np.ndarray, loss: np.ndarray) -> None:
        """Take ``loss`` (N,) from the horizontal speed of some pieces."""
        speed = np.hypot(self.velocity[:, 0], self.velocity[:, 1])
        kept = np.where(speed > 0, np.maximum(speed - loss, 0.0) / np.maximum(speed, 1e-12), 0.0)
        self.velocity[which, :2] *= kept[which, None]
