"""Things that come down: pieces of facades, signs, loads of cranes; each with what announces it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import numpy as np

from twin_common.core.object_class import ObjectClass
from twin_sim.core.acts import FacadeConfig, LoadConfig, SignConfig
from twin_sim.core.ballistics import Pieces
from twin_sim.core.frame import Activity, EventKind, Shape, no_actors
from twin_sim.core.impacts import GRAVITY
from twin_sim.core.sightings import Sighting
from twin_sim.world import CraneConfig, PanelConfig

Ground = Callable[[float, float], float]
PANEL_ID, LOAD_ID, RUBBLE_ID = 2_000_000, 2_100_000, 2_200_000


class Hazard(Protocol):
    """A thing that comes down."""

    def step(self, now: float, interval: float) -> None:
        """Let time pass, up to ``now``."""

    def rows(self, now: float) -> np.ndarray:
        """Return its parts, (N,) ACTOR, at the time of the last step."""

    def falling(self, now: float) -> np.ndarray:
        """Return those of its parts that are in the air, (N,) ACTOR."""

    def facts(self) -> list[Sighting]:
        """Return what it has done so far, in a fixed order."""


def panel_row(panel: PanelConfig, index: int) -> np.ndarray:
    """Return a panel or a sign at its place, (1,) ACTOR."""
    row = no_actors(1)
    row["actor_id"] = PANEL_ID + index
    row["x"], row["y"], row["z"] = panel.x, panel.y, panel.z
    row["length"], row["width"], row["height"] = panel.thickness, panel.width, panel.height
    row["yaw"] = np.arctan2(np.sin(np.radians(panel.yaw_deg)), np.cos(np.radians(panel.yaw_deg)))
    row["shape"] = Shape.PANEL if panel.kind == "panel" else Shape.SIGN
    row["appearance"] = index
    return row


def _growth(now: float, begun: float, until: float) -> float:
    """Return how far a precursor is, 0 to 1: slowly at first."""
    return float(min(max((now - begun) / max(until - begun, 1e-6), 0.0), 1.0) ** 1.5)


def _vectors(yaw_deg: float) -> tuple[np.ndarray, np.ndarray]:
    """Return the outward and the leftward unit vector of a panel, each (3,)."""
    yaw = np.radians(yaw_deg)
    return np.array([np.cos(yaw), np.sin(yaw), 0.0]), np.array([-np.sin(yaw), np.cos(yaw), 0.0])


class FacadeFall:
    """A panel that bulges, sheds small pieces, breaks and becomes a heap."""

    BREAKS = 0.7  # seconds from the first piece to the last
    HEAP_SHARE = 0.35  # of the pieces are down when a heap shows

    def __init__(
        self, config: FacadeConfig, panel: PanelConfig, index: int, ground: Ground, rng: np.random.Generator
    ) -> None:
        """Draw the pieces: where they break off, when, and how fast."""
        self._config, self._panel = config, panel
        self._row = panel_row(panel, index)
        self._rng_appearance = int(rng.integers(2**31))
        outward, left = _vectors(panel.yaw_deg)
        foot = np.array([panel.x, panel.y, panel.z])
        floor = ground(*(foot + 1.5 * outward)[:2])
        self._times, self._sizes, positions, velocities = self._drawn(rng, foot, outward, left)
        self._first = RUBBLE_ID + index * 1000
        self._pieces = Pieces(positions, velocities, np.full(len(positions), floor))
        self._released = np.zeros(len(self._times), bool)
        self._down = np.full(len(self._times), np.inf)
        self._turns = rng.uniform(-3.0, 3.0, (len(self._times), 2))
        self._angles = np.zeros((len(self._times), 2))
        self._bulge, self._now = 0.0, 0.0
        self._foot_place = (float((foot + outward)[0]), float((foot + outward)[1]), floor)

    def _drawn(
        self, rng: np.random.Generator, foot: np.ndarray, outward: np.ndarray, left: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """Return release times (N,), sizes (N, 3), positions (N, 3) and velocities (N, 3): small ones first."""
        config, panel = self._config, self._panel
        begun = config.bulges_from if config.bulges_from is not None else config.falls
        early = begun + (config.falls - begun) * np.sort(rng.uniform(0.25, 0.95, config.small_falls))
        columns = max(round(np.sqrt(config.pieces * panel.width / panel.height)), 1)
        rows = -(-config.pieces // columns)
        cell = np.array([panel.width / columns, panel.height / rows])
        place = np.array([(c + 0.5, r) for r in range(rows) for c in range(columns)])[: config.pieces]
        late = config.falls + self.BREAKS * (0.3 * rng.random(len(place)) + 0.7 * place[:, 1] / rows)
        late[0] = config.falls
        small = np.column_stack([rng.uniform(0, columns, config.small_falls), rng.uniform(0, rows, config.small_falls)])
        spots = np.concatenate([small, place]) * cell - (panel.width / 2, 0.0)
        big = np.column_stack([np.full(len(place), panel.thickness), np.tile(cell, (len(place), 1))])
        sizes = np.concatenate(
            [rng.uniform(0.08, 0.25, (config.small_falls, 3)), big * rng.uniform(0.55, 1.0, big.shape)]
        )
        offsets = np.where(np.arange(len(spots)) < config.small_falls, 0.25, 0.0)
        positions = foot + spots[:, :1] * left + spots[:, 1:] * (0.0, 0.0, 1.0) + offsets[:, None] * outward
        push = rng.uniform(0.3, 1.2, len(spots)) + 0.5 * spots[:, 1] * (offsets == 0)
        velocities = push[:, None] * outward + rng.normal(0.0, 0.35, len(spots))[:, None] * left
        return np.concatenate([early, late]), sizes, positions, velocities

    def step(self, now: float, interval: float) -> None:
        """Let time pass, up to ``now``."""
        config, self._now = self._config, now
        if config.bulges_from is not None and now >= config.bulges_from:
            self._bulge = config.bulge * _growth(now, config.bulges_from, config.falls)
        due = ~self._released & (self._times <= now)
        self._released |= due
        self._pieces.flying &= self._released
        self._pieces.flying |= due
        held = self._pieces.velocity[~self._released].copy()
        self._pieces.velocity[~self._released] = 0.0
        landed = self._pieces.step(interval)
        self._pieces.velocity[~self._released] = held
        self._down[landed & np.isinf(self._down)] = now
        self._angles[self._pieces.flying] += self._turns[self._pieces.flying] * interval

    def rows(self, now: float) -> np.ndarray:
        """Return the panel while it holds, then its pieces, and the heap that they make."""
        parts = []
        if now < self._config.falls:
            row = self._row.copy()
            row["pitch"] = np.arctan2(self._bulge, self._panel.height)
            parts.append(row)
        shown = self._released.copy()
        if now >= self._config.falls:
            shown[self._config.small_falls :] = True
        parts.append(self._rubble(np.flatnonzero(shown), now))
        heap = self._heap(now)
        return np.concatenate([*parts, heap])

    def _rubble(self, which: np.ndarray, now: float) -> np.ndarray:
        rows = no_actors(len(which))
        moving = self._released[which] & self._pieces.moving[which]
        rows["actor_id"] = self._first + which
        for axis, name in enumerate("xyz"):
            rows[name] = self._pieces.position[which, axis]
            rows[f"velocity_{name}"] = np.where(moving, self._pieces.velocity[which, axis], 0.0)
        rows["length"], rows["width"], rows["height"] = self._sizes[which].T
        flying = self._pieces.flying[which] & self._released[which]
        rows["pitch"], rows["roll"] = np.where(flying[:, None], self._angles[which], 0.0).T
        rows["yaw"] = self._row["yaw"]
        rows["activity"] = np.where(moving | ~self._released[which], Activity.FLYING, Activity.RESTING)
        rows["since"] = np.maximum(now - self._times[which], 0.0)
        rows["classification"], rows["shape"] = ObjectClass.DEBRIS, Shape.RUBBLE
        rows["appearance"] = (self._rng_appearance + which) % 2**32
        return rows

    def falling(self, now: float) -> np.ndarray:
        """Return the pieces in the air, (N,) ACTOR."""
        return self._rubble(np.flatnonzero(self._pieces.flying & self._released), now)

    def _heap(self, now: float) -> np.ndarray:
        """Return the heap, (0 or 1,) ACTOR: it grows as pieces come down, about where they lie."""
        big = np.arange(len(self._times)) >= self._config.small_falls
        down = big & np.isfinite(self._down)
        share = down.sum() / max(big.sum(), 1)
        if share < self.HEAP_SHARE:
            return no_actors()
        outward, left = _vectors(self._panel.yaw_deg)
        places = self._pieces.position[down, :2]
        middle = places.mean(axis=0)
        reach = 1.3 * np.maximum([(places @ outward[:2]).std(), (places @ left[:2]).std()], 0.6)
        volume = self._sizes[down].prod(axis=1).sum() * 1.6  # loose rubble takes more room than what it was
        row = no_actors(1)
        row["actor_id"] = self._first + 999
        row["x"], row["y"], row["z"] = middle[0], middle[1], self._pieces.ground[0]
        row["length"], row["width"] = 2 * reach
        row["height"] = np.clip(3 * volume / (4 * reach[0] * reach[1]), 0.25, 1.5)
        row["yaw"], row["since"] = self._row["yaw"], now - np.sort(self._down[down])[0]
        row["classification"], row["shape"], row["activity"] = ObjectClass.DEBRIS, Shape.HEAP, Activity.RESTING
        row["appearance"] = self._rng_appearance
        return row

    def facts(self) -> list[Sighting]:
        """Return the bulge, the small falls and the collapse."""
        config = self._config
        x, y, z = self._foot_place
        found, panel = [], int(self._row["actor_id"][0])
        if config.bulges_from is not None and self._bulge > 0.02:
            visible = config.bulges_from + (config.falls - config.bulges_from) * (0.02 / config.bulge) ** (1 / 1.5)
            ended = config.falls if self._now >= config.falls else None
            place = self._panel.x, self._panel.y, self._panel.z
            found.append(Sighting(EventKind.BULGE, visible, ended, *place, (panel,)))
        for i in range(config.small_falls):
            if self._released[i]:
                ended = self._down[i] if np.isfinite(self._down[i]) else None
                found.append(Sighting(EventKind.SMALL_FALL, self._times[i], ended, x, y, z, (self._first + i, panel)))
        if self._now >= config.falls:
            late = slice(config.small_falls, None)
            rest = not self._pieces.moving[late].any() and self._released[late].all()
            ended = float(self._down[late].max()) + 0.5 if rest else None
            ids = (
                panel,
                *(self._first + i for i in range(config.small_falls, min(config.small_falls + 6, len(self._times)))),
            )
            found.append(Sighting(EventKind.FACADE_COLLAPSE, config.falls, ended, x, y, z, ids))
        return found


class SingleFall:
    """A thing in one piece that swings from a point above it, comes off, and falls: a sign, a load."""

    def __init__(
        self, row: np.ndarray, falls: float, sways_from: float | None, ground: Ground, *, kind: EventKind, arm: float,
        swing: np.ndarray, angle: float, rolls: bool,
    ) -> None:  # fmt: skip
        """Take the thing at rest, (1,) ACTOR.

        Args:
            row: where it hangs.
            falls: when, seconds.
            sways_from: since when it swings; None: not at all.
            ground: height of the ground at a point.
            kind: of the event that its fall is.
            arm: length of the pendulum, metres.
            swing: horizontal unit vector, (3,), along which it swings.
            angle: to which the swing grows, radians.
            rolls: whether it turns with the swing, as a sign on its hinges does; a load on a rope stays level.

        """
        self._rest, self._falls, self._sways_from, self._kind = row, falls, sways_from, kind
        self._arm, self._swing, self._angle, self._rolls = arm, swing, angle, rolls
        self._ground = ground(float(row["x"][0]), float(row["y"][0]))
        self._piece: Pieces | None = None
        self._down: float | None = None
        self._now, self._tumble = 0.0, 0.0

    def _swung(self, now: float) -> tuple[np.ndarray, float]:
        """Return the offset, (3,), and the angle of the swing."""
        if self._sways_from is None or now < self._sways_from:
            return np.zeros(3), 0.0
        frequency = np.sqrt(GRAVITY / self._arm)
        turn = frequency * (now - self._sways_from)
        angle = self._angle * _growth(now, self._sways_from, self._falls) * np.sin(turn)
        return self._arm * (np.sin(angle) * self._swing + (1 - np.cos(angle)) * np.array([0.0, 0.0, 1.0])), float(angle)

    def step(self, now: float, interval: float) -> None:
        """Let time pass, up to ``now``."""
        self._now = now
        if now < self._falls:
            return
        if self._piece is None:
            interval = now - self._falls
            offset, _ = self._swung(self._falls)
            before, _ = self._swung(self._falls - 0.01)
            speed = (offset - before) / 0.01 if self._sways_from is not None else np.zeros(3)
            place = [float(self._rest[name][0]) for name in "xyz"] + offset
            self._piece = Pieces(place[None], np.array([[speed[0], speed[1], 0.0]]), np.array([self._ground]))
        if self._piece.step(interval)[0] and self._down is None:
            self._down = now
        if self._piece.flying[0]:
            self._tumble += (0.9 if self._rolls else 0.15) * interval

    def rows(self, now: float) -> np.ndarray:
        """Return the thing, (1,) ACTOR."""
        row = self._rest.copy()
        if self._piece is None:
            (offset, angle), (later, _) = self._swung(now), self._swung(now + 0.01)
            for axis, name in enumerate("xyz"):
                row[name] += offset[axis]
                row[f"velocity_{name}"] = (later[axis] - offset[axis]) / 0.01
            if self._rolls:
                row["roll"] = angle
            return row
        moving = bool(self._piece.moving[0])
        for axis, name in enumerate("xyz"):
            row[name] = self._piece.position[0, axis]
            row[f"velocity_{name}"] = self._piece.velocity[0, axis] if moving else 0.0
        row["classification"] = ObjectClass.DEBRIS
        row["activity"], row["since"] = (Activity.FLYING if moving else Activity.RESTING), now - self._falls
        if self._down is None:
            row["pitch"] = self._tumble
        elif self._rolls:  # lies flat
            row["length"], row["height"] = self._rest["height"], self._rest["length"]
        return row

    def falling(self, now: float) -> np.ndarray:
        """Return the thing while it is in the air, (0 or 1,) ACTOR."""
        return self.rows(now) if self._piece is not None and self._piece.flying[0] else no_actors()

    def facts(self) -> list[Sighting]:
        """Return the sway and the fall."""
        found, ids = [], (int(self._rest["actor_id"][0]),)
        x, y, z = (float(self._rest[name][0]) for name in "xyz")
        if self._sways_from is not None and self._now >= self._sways_from:
            span = self._falls - self._sways_from
            visible = self._sways_from + span * (0.15 ** (1 / 1.5))
            if self._now >= visible:
                ended = self._falls if self._now >= self._falls else None
                found.append(Sighting(EventKind.SWAY, visible, ended, x, y, z, ids))
        if self._piece is not None:
            ended = self._down if self._down is not None and not self._piece.moving[0] else None
            found.append(Sighting(self._kind, self._falls, ended, x, y, self._ground, ids))
        return found


def sign_fall(config: SignConfig, panel: PanelConfig, index: int, ground: Ground) -> SingleFall:
    """Return a sign that swings about its upper edge in its own plane, and falls."""
    _, left = _vectors(panel.yaw_deg)
    return SingleFall(
        panel_row(panel, index), config.falls, config.sways_from, ground, kind=EventKind.FALLING_OBJECT,
        arm=panel.height, swing=left, angle=np.radians(config.sway_deg), rolls=True,
    )  # fmt: skip


def load_drop(config: LoadConfig, crane: CraneConfig, index: int, ground: Ground) -> SingleFall:
    """Return a load that swings on the rope of a crane across its jib, and drops."""
    outward, left = _vectors(crane.yaw_deg)
    row = no_actors(1)
    row["actor_id"], row["appearance"] = LOAD_ID + index, index
    row["x"], row["y"] = crane.x + config.reach * outward[0], crane.y + config.reach * outward[1]
    row["z"], row["yaw"] = config.hangs, np.arctan2(outward[1], outward[0])
    row["length"], row["width"], row["height"] = config.size
    row["shape"] = Shape.LOAD
    rope = max(crane.height - config.hangs - config.size[2], 1.0)
    return SingleFall(
        row, config.drops, config.sways_from, ground, kind=EventKind.LOAD_DROP, arm=rope, swing=left,
        angle=np.arcsin(min(config.sway / rope, 0.9)), rolls=False,
    )  # fmt: skip
