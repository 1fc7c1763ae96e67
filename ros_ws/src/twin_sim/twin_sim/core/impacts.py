"""Mechanics of accidents: boxes that touch, persons thrown, vehicles that collide, slide and turn.

Boxes: (x, y, yaw, length, width), metres and radians, map frame. Simple planar mechanics that a crash investigator
would use for a first estimate.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

GRAVITY = 9.81
#: Share of the vehicle's speed with which a person struck by its front leaves, and the angle of the launch: assumed,
#: such that the person comes to rest ahead of a braking car and within Searle's bounds (``throw_bounds``).
EFFICIENCY, LAUNCH_ANGLE = 0.92, np.radians(12.0)
#: Friction of a clothed person tumbling and sliding on asphalt: Searle & Searle 1983, "The trajectories of pedestrians,
#: motorcycles, motorcyclists, etc., following a road accident" (SAE 831622), 0.66 dry.
BODY_FRICTION = 0.66
#: Car against car: restitution falls to about 0.1 at city speeds, friction of sheet metal 0.4 to 0.6 (Brach & Brach,
#: "Vehicle Accident Analysis and Reconstruction Methods").
RESTITUTION, SHEET_FRICTION = 0.1, 0.5
#: Locked or sideways tyres on dry asphalt.
TYRE_FRICTION = 0.7


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle on the ground."""

    x: float
    y: float
    yaw: float
    length: float
    width: float

    def corners(self) -> np.ndarray:
        """Return the corners, (4, 2), counter-clockwise."""
        cos, sin = np.cos(self.yaw), np.sin(self.yaw)
        along = np.array([1.0, -1.0, -1.0, 1.0]) * (self.length / 2)
        across = np.array([1.0, 1.0, -1.0, -1.0]) * (self.width / 2)
        return np.column_stack([self.x + along * cos - across * sin, self.y + along * sin + across * cos])


@dataclass(frozen=True, slots=True)
class Touch:
    """Two boxes overlap: ``normal`` points from the first to the second; ``depth`` along it; ``point`` in both."""

    normal: tuple[float, float]
    depth: float
    point: tuple[float, float]


def touch(first: Box, second: Box) -> Touch | None:
    """Return how two boxes overlap, by the separating axis of least depth; None where they do not."""
    reach = (np.hypot(first.length, first.width) + np.hypot(second.length, second.width)) / 2
    if (first.x - second.x) ** 2 + (first.y - second.y) ** 2 > reach**2:
        return None
    a, b = first.corners(), second.corners()
    axes = np.array([
        (np.cos(yaw + turn), np.sin(yaw + turn)) for yaw in (first.yaw, second.yaw) for turn in (0.0, np.pi / 2)
    ])  # fmt: skip
    on_a, on_b = a @ axes.T, b @ axes.T
    depths = np.minimum(on_a.max(0) - on_b.min(0), on_b.max(0) - on_a.min(0))
    i = int(np.argmin(depths))
    if depths[i] <= 0:
        return None
    apart = np.array([second.x - first.x, second.y - first.y])
    normal = axes[i] if axes[i] @ apart >= 0 else -axes[i]
    point = _clipped(a, b).mean(axis=0)
    return Touch((float(normal[0]), float(normal[1])), float(depths[i]), (float(point[0]), float(point[1])))


def _clipped(subject: np.ndarray, clip: np.ndarray) -> np.ndarray:
    """Return the corners of the overlap of two convex counter-clockwise polygons (Sutherland & Hodgman 1974)."""
    points = list(subject)
    for start, end in zip(clip, np.roll(clip, -1, axis=0), strict=True):
        edge, found = end - start, []
        sides = [edge[0] * (p[1] - start[1]) - edge[1] * (p[0] - start[0]) for p in points]
        for j, point in enumerate(points):
            if (sides[j - 1] >= 0) != (sides[j] >= 0):
                found.append(points[j - 1] + (point - points[j - 1]) * (sides[j - 1] / (sides[j - 1] - sides[j])))
            if sides[j] >= 0:
                found.append(point)
        points = found or [(start + end) / 2]
    return np.array(points)


def gap(first: Box, second: Box) -> float:
    """Return the distance of two boxes, metres; 0 where they overlap."""
    if touch(first, second) is not None:
        return 0.0
    a, b = first.corners(), second.corners()
    return float(min(_to_edges(a, b), _to_edges(b, a)))


def _to_edges(points: np.ndarray, ring: np.ndarray) -> float:
    edge = np.roll(ring, -1, axis=0) - ring
    offset = points[:, None] - ring[None]
    fraction = np.clip((offset * edge).sum(-1) / (edge**2).sum(-1), 0.0, 1.0)
    return float(np.linalg.norm(offset - fraction[..., None] * edge, axis=-1).min())


@dataclass(slots=True)
class Rigid:
    """A vehicle as a rigid body: box, velocity, turn rate, mass and inertia about the vertical."""

    x: float
    y: float
    yaw: float
    length: float
    width: float
    velocity: np.ndarray
    yaw_rate: float
    mass: float

    @property
    def inertia(self) -> float:
        """Moment about the vertical axis, kg m²; a car's is close to that of a homogeneous box."""
        return self.mass * (self.length**2 + self.width**2) / 12.0

    def box(self) -> Box:
        """Return the rectangle on the ground."""
        return Box(self.x, self.y, self.yaw, self.length, self.width)

    def momentum(self) -> np.ndarray:
        """Return mass times velocity, (2,), kg m/s."""
        return self.mass * self.velocity

    def spin(self) -> float:
        """Return the angular momentum about the map's origin, kg m²/s."""
        return self.mass * _cross(np.array([self.x, self.y]), self.velocity) + self.inertia * self.yaw_rate


def _cross(a: np.ndarray, b: np.ndarray) -> float:
    return float(a[0] * b[1] - a[1] * b[0])


def collide(first: Rigid, second: Rigid, contact: Touch) -> float:
    """Let two bodies exchange an impulse at their contact; returns it, N s, 0 where they part already.

    Impulse along the normal with restitution, along the tangent by Coulomb's law, at most until sliding stops
    (Brach & Brach, planar impact mechanics with sliding).
    """
    normal = np.array(contact.normal)
    tangent = np.array([-normal[1], normal[0]])
    arms = [np.array(contact.point) - (body.x, body.y) for body in (first, second)]
    speeds = [
        body.velocity + body.yaw_rate * np.array([-arm[1], arm[0]])
        for body, arm in zip((first, second), arms, strict=True)
    ]
    relative = speeds[1] - speeds[0]
    closing = -float(relative @ normal)
    if closing <= 0:
        return 0.0

    def softness(a: np.ndarray, b: np.ndarray) -> float:
        bodies = zip((first, second), arms, strict=True)
        return sum(float(a @ b) / body.mass + _cross(arm, a) * _cross(arm, b) / body.inertia for body, arm in bodies)

    nn, tt, nt = softness(normal, normal), softness(tangent, tangent), softness(normal, tangent)
    sliding = float(relative @ tangent)
    target = np.array([(1 + RESTITUTION) * closing, -sliding])
    push, rub = np.linalg.solve(np.array([[nn, nt], [nt, tt]]), target)
    if push <= 0 or abs(rub) > SHEET_FRICTION * push:
        sign = -np.sign(sliding) if sliding else 0.0
        push = (1 + RESTITUTION) * closing / (nn + SHEET_FRICTION * sign * nt)
        rub = SHEET_FRICTION * sign * push
    impulse = push * normal + rub * tangent
    for body, arm, sign in ((first, arms[0], -1.0), (second, arms[1], 1.0)):
        body.velocity = body.velocity + sign * impulse / body.mass
        body.yaw_rate += sign * _cross(arm, impulse) / body.inertia
    return float(np.hypot(push, rub))


def part(first: Rigid, second: Rigid, contact: Touch) -> None:
    """Move two bodies apart until they only touch, the lighter one more; keeps their common centre of mass."""
    share = second.mass / (first.mass + second.mass)
    shift = np.array(contact.normal) * contact.depth
    first.x, first.y = first.x - shift[0] * share, first.y - shift[1] * share
    second.x, second.y = second.x + shift[0] * (1 - share), second.y + shift[1] * (1 - share)


def slide(body: Rigid, interval: float, friction: float = TYRE_FRICTION) -> None:
    """Let a body slide on four locked wheels for a short time, each with Coulomb friction against its own motion."""
    cos, sin = np.cos(body.yaw), np.sin(body.yaw)
    along = np.array([1, 1, -1, -1]) * 0.3 * body.length
    across = np.array([1, -1, 1, -1]) * 0.42 * body.width
    arms = np.column_stack([along * cos - across * sin, along * sin + across * cos])
    speeds = body.velocity + body.yaw_rate * np.column_stack([-arms[:, 1], arms[:, 0]])
    size = np.maximum(np.hypot(speeds[:, 0], speeds[:, 1]), 1e-9)
    # A wheel's friction does not push it backwards: it fades where the wheel would stop within the interval.
    decelerations = np.minimum(friction * GRAVITY, size / interval * 0.5)
    forces = -(body.mass / 4) * decelerations[:, None] * speeds / size[:, None]
    body.velocity = body.velocity + forces.sum(0) / body.mass * interval
    body.yaw_rate += float((arms[:, 0] * forces[:, 1] - arms[:, 1] * forces[:, 0]).sum()) / body.inertia * interval
    body.x, body.y = body.x + body.velocity[0] * interval, body.y + body.velocity[1] * interval
    body.yaw += body.yaw_rate * interval


def launch(vehicle_velocity: np.ndarray) -> np.ndarray:
    """Return the velocity, (3,), with which a vehicle of velocity (2,) throws a person that it hits."""
    speed = float(np.hypot(*vehicle_velocity)) * EFFICIENCY
    direction = np.asarray(vehicle_velocity, float) / max(float(np.hypot(*vehicle_velocity)), 1e-9)
    return np.array([*(direction * speed * np.cos(LAUNCH_ANGLE)), speed * np.sin(LAUNCH_ANGLE)])


def landed(velocity: np.ndarray) -> np.ndarray:
    """Return the horizontal velocity, (2,), that a body keeps when it comes down: the blow rubs too (Searle 1983)."""
    level = np.array(velocity[:2], float)
    speed = float(np.hypot(*level))
    kept = max(speed - BODY_FRICTION * abs(float(velocity[2])), 0.0)
    return np.asarray(level * (kept / max(speed, 1e-9)))


def throw_bounds(speed: float, drop: float = 0.0) -> tuple[float, float]:
    """Return least and greatest throw distance, metres, of a body that leaves with ``speed``, m/s.

    ``drop``: by how much its middle is lower at rest than at first, metres. Least: it slides, or flies off level;
    greatest: it leaves at the best angle (Searle 1993, "The physics of throw distance in accident reconstruction",
    SAE 930659).
    """
    least, fall = speed**2 / (2 * BODY_FRICTION * GRAVITY), BODY_FRICTION * drop
    return least + fall, least * (1 + BODY_FRICTION**2) + fall
