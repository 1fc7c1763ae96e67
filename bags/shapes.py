"""What the moving actors look like to a LiDAR: local frame x forward, origin on the ground; metres."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from meshes import Mesh, ball, box, cylinder, extrusion, joined, limb, wheel

STRIDE = 1.4  # two steps of a walking person


@dataclass(frozen=True, slots=True)
class Size:
    """Length along the heading, width and height of the box around an actor."""

    length: float
    width: float
    height: float


def _tyres(width: float, radius: float, axles: tuple[float, ...]) -> Mesh:
    return joined([wheel(radius, 0.22).placed(x=x, y=sign * (width / 2 - 0.11)) for x in axles for sign in (-1, 1)])


def car(size: Size, paint: str) -> Mesh:
    """Return a saloon: a body, and a narrower cabin of glass under a painted roof."""
    half, shoulder = size.length / 2, 0.58 * size.height
    body = extrusion(
        [(-half, 0.25), (half, 0.25), (half, 0.45 * size.height), (0.45 * half, shoulder), (-half, shoulder)],
        size.width, paint, [paint] * 5,
    )  # fmt: skip
    cabin = extrusion(
        [(-0.85 * half, shoulder), (0.42 * half, shoulder), (0.05 * half, size.height - 0.06),
         (-0.55 * half, size.height - 0.06)],
        0.84 * size.width, "glass", [paint, "glass", paint, "glass"],
    )  # fmt: skip
    roof = box(0.56 * half, 0.8 * size.width, 0.06, paint).placed(x=-0.25 * half, z=size.height - 0.06)
    return joined([body, cabin, roof, _tyres(size.width, 0.32, (-0.6 * half, 0.6 * half))])


def truck(size: Size, paint: str) -> Mesh:
    """Return a delivery truck: cab with a windscreen, and a box behind it."""
    half, cab = size.length / 2, 1.7
    front = extrusion(
        [(half - cab, 0.4), (half, 0.4), (half, 1.2), (half - 0.35, 2.2), (half - cab, 2.2)],
        size.width - 0.15, paint, [paint, paint, "glass", paint, paint],
    )  # fmt: skip
    load = box(size.length - cab - 0.1, size.width, size.height - 0.8, "paint_light").placed(x=-(cab + 0.1) / 2, z=0.8)
    chassis = box(size.length - cab, 0.9, 0.4, "paint_dark").placed(x=-cab / 2, z=0.4)
    return joined([front, load, chassis, _tyres(size.width, 0.4, (-0.55 * half, 0.62 * half))])


def bus(size: Size, paint: str) -> Mesh:
    """Return a city bus: painted below and above a band of windows."""
    lower = box(size.length, size.width, 1.0, paint).placed(z=0.3)
    windows = box(size.length - 0.04, size.width - 0.04, 1.1, "glass").placed(z=1.3)
    upper = box(size.length, size.width, size.height - 2.4, paint).placed(z=2.4)
    posts = [
        box(0.12, size.width, 1.1, paint).placed(x=x, z=1.3)
        for x in np.linspace(-size.length / 2 + 0.1, size.length / 2 - 0.1, 8)
    ]
    return joined(
        [lower, windows, upper, *posts, _tyres(size.width, 0.48, (-0.55 * size.length / 2, 0.65 * size.length / 2))]
    )


def _body(height: float, cloth: str, legs: tuple[float, float], arms: tuple[float, float], lean: float = 0.0) -> Mesh:
    """Return a person whose legs and arms are swung by the given angles, radians."""
    hip, shoulder = 0.50 * height, 0.82 * height
    trunk = joined(
        [
            cylinder(0.13, 0.21, shoulder - hip, cloth),
            ball(0.065 * height, "skin").placed(z=0.865 * height - hip),
            *[limb(0.36 * height, 0.10, swing, cloth).placed(y=y, z=shoulder - hip - 0.03)
              for y, swing in zip((-0.25, 0.25), arms, strict=True)],
        ]
    ).placed(pitch=lean)  # fmt: skip
    lower = [limb(hip, 0.15, swing, "cloth_dark").placed(y=y) for y, swing in zip((-0.10, 0.10), legs, strict=True)]
    return joined([trunk, *lower]).placed(z=hip)


def pedestrian(size: Size, cloth: str, travelled: float, speed: float) -> Mesh:
    """Return a walking person; limbs swing with the way ``travelled``, and hang when standing."""
    swing = 0.31 * min(speed / 1.4, 1.0) * float(np.sin(2 * np.pi * travelled / STRIDE))
    return _body(size.height, cloth, (swing, -swing), (-0.8 * swing, 0.8 * swing))


def bicycle(size: Size, cloth: str, travelled: float) -> Mesh:
    """Return a bicycle with a rider who pedals."""
    phase = 2 * np.pi * travelled / 5.0
    rim = wheel(0.34, 0.05, "rubber", 12)
    machine = [
        rim.placed(x=size.length / 2 - 0.34),
        rim.placed(x=-size.length / 2 + 0.34),
        box(0.95, 0.05, 0.05, "metal").placed(z=0.62),
        box(0.6, 0.05, 0.05, "metal").placed(x=-0.1, z=0.3),
        box(0.05, 0.05, 0.5, "metal").placed(x=-0.2, z=0.4),
        box(0.05, 0.5, 0.05, "metal").placed(x=0.45, z=1.0),
        box(0.05, 0.05, 0.4, "metal").placed(x=0.45, z=0.62),
    ]
    knees = (0.9 + 0.35 * float(np.sin(phase)), 0.9 - 0.35 * float(np.sin(phase)))
    rider = _body(1.62, cloth, knees, (1.0, 1.0), lean=0.35).placed(x=-0.2, z=size.height - 1.55)
    return joined([*machine, rider])


def scooter(size: Size, cloth: str) -> Mesh:
    """Return an electric kick scooter with a standing rider."""
    half = size.length / 2
    machine = [
        box(size.length - 0.3, 0.16, 0.06, "metal").placed(z=0.12),
        wheel(0.11, 0.05).placed(x=half - 0.11),
        wheel(0.11, 0.05).placed(x=-half + 0.11),
        cylinder(0.03, 0.03, 1.0, "metal", 6).placed(x=half - 0.16, z=0.14),
        box(0.05, 0.45, 0.05, "metal").placed(x=half - 0.16, z=1.1),
    ]
    rider = _body(size.height - 0.18, cloth, (0.12, -0.12), (0.7, 0.7)).placed(x=-0.08, z=0.18)
    return joined([*machine, rider])
