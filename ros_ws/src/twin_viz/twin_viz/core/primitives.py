"""What a scene is made of: plain arrays, in metres, map frame; colours RGBA 0..1."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np


@dataclass(frozen=True, slots=True)
class Boxes:
    """Oriented boxes: ``center`` (N, 3), ``yaw`` (N,) rad, ``size`` (N, 3), ``color`` (N, 4)."""

    center: np.ndarray
    yaw: np.ndarray
    size: np.ndarray
    color: np.ndarray


@dataclass(frozen=True, slots=True)
class Arrows:
    """Level arrows: ``start`` (N, 3), ``yaw`` (N,) rad, ``length`` (N,), ``color`` (N, 4)."""

    start: np.ndarray
    yaw: np.ndarray
    length: np.ndarray
    color: np.ndarray


@dataclass(frozen=True, slots=True)
class Paths:
    """Polylines of equal length: ``points`` (N, K, 3), ``color`` (N, K, 4), one ``thickness``."""

    points: np.ndarray
    color: np.ndarray
    thickness: float


@dataclass(frozen=True, slots=True)
class Cylinders:
    """Upright cylinders: ``base`` (N, 3) middle of the foot, ``radius`` (N,), ``height`` (N,), ``color`` (N, 4)."""

    base: np.ndarray
    radius: np.ndarray
    height: np.ndarray
    color: np.ndarray


@dataclass(frozen=True, slots=True)
class Triangles:
    """A surface of one colour: ``points`` (T, 3, 3), ``color`` (4,)."""

    points: np.ndarray
    color: tuple[float, float, float, float]


@dataclass(frozen=True, slots=True)
class Labels:
    """Texts facing the viewer: ``position`` (N, 3), ``text`` N strings, ``color`` (N, 4), ``size`` of letters."""

    position: np.ndarray
    text: tuple[str, ...]
    color: np.ndarray
    size: float


Primitive = Boxes | Arrows | Paths | Cylinders | Triangles | Labels


@dataclass(frozen=True, slots=True)
class Entity:
    """Primitives that are shown and replaced together; a new entity replaces the one of the same ``name``."""

    name: str
    primitives: tuple[Primitive, ...] = field(default=())
