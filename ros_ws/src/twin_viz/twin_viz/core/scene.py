"""The live part of the 3D scene: objects, where they go, and where something is wrong."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from twin_common.core.names import short_track_id
from twin_viz.core import palette
from twin_viz.core.primitives import Arrows, Boxes, Cylinders, Entity, Labels, Paths

_LIFT = 0.08  # paths and zones float this high above the ground, metres, so that they do not flicker with it
_KILOMETRES_PER_HOUR = 3.6


@dataclass(frozen=True, slots=True)
class SceneSettings:
    """How the scene is drawn; the meaning of each is in ``config.FoxgloveConfig``."""

    arrow_time: float
    label_speed: float
    min_mode_probability: float
    fade_deviation: float


@dataclass(frozen=True, slots=True)
class Zone:
    """Where an incident holds: metres, map frame; ``severity`` is Incident.SEVERITY_*."""

    kind: str
    severity: int
    probability: float
    time_to_event: float
    x: float
    y: float
    radius: float
    track_ids: tuple[int, ...]


def build_scene(
    tracks: np.ndarray, paths: np.ndarray, behaviors: np.ndarray, zones: tuple[Zone, ...], settings: SceneSettings,
) -> list[Entity]:  # fmt: skip
    """Return the entities of one moment.

    Args:
        tracks: (N,) records of twin_msgs/Track.
        paths: (M,) records of twin_msgs/PredictedPath of the same moment.
        behaviors: (K,) records of twin_msgs/Behavior.
        zones: the incidents that hold.
        settings: how to draw.

    """
    severity = severity_of(tracks["track_id"], zones)
    return [
        Entity("objects", (boxes(tracks), halos(tracks, severity))),
        Entity("velocities", (arrows(tracks, settings.arrow_time),)),
        Entity("labels", (labels(tracks, behaviors, severity, settings.label_speed),)),
        Entity("predictions", (predicted(tracks, paths, settings),)),
        Entity("incidents", incident_zones(zones, tracks)),
    ]


def severity_of(track_ids: np.ndarray, zones: tuple[Zone, ...]) -> np.ndarray:
    """Return the highest severity of the incidents that name each track, (N,) int; -1 where none does."""
    severity = np.full(len(track_ids), -1)
    for zone in zones:
        named = np.isin(track_ids, np.array(zone.track_ids, np.uint64))
        severity[named] = np.maximum(severity[named], zone.severity)
    return severity


def _centers(tracks: np.ndarray) -> np.ndarray:
    return np.stack([tracks["x"], tracks["y"], tracks["z"]], axis=1)


def _sizes(tracks: np.ndarray) -> np.ndarray:
    return np.stack([tracks["length"], tracks["width"], tracks["height"]], axis=1)


def boxes(tracks: np.ndarray) -> Boxes:
    """Return one box per track, coloured by class; fainter while it is only extrapolated or not yet sure."""
    color = palette.class_colors(tracks["classification"])
    color[:, 3] *= np.where(tracks["state"] == 1, 1.0, 0.45)
    return Boxes(_centers(tracks), tracks["yaw"], _sizes(tracks), color)


def halos(tracks: np.ndarray, severity: np.ndarray) -> Boxes:
    """Return a translucent hull, in the colour of the severity, around every object an incident names."""
    named = severity >= 0
    color = palette.SEVERITY_COLORS[severity[named]].copy()
    color[:, 3] = 0.40
    return Boxes(_centers(tracks[named]), tracks["yaw"][named], _sizes(tracks[named]) + 0.6, color)


def arrows(tracks: np.ndarray, arrow_time: float) -> Arrows:
    """Return the velocity of every moving object, from its centre at the height of its top."""
    speed = np.hypot(tracks["velocity_x"], tracks["velocity_y"])
    moving = speed * arrow_time > 0.3
    start = _centers(tracks[moving])
    start[:, 2] += tracks["height"][moving] / 2
    color = palette.class_colors(tracks["classification"][moving])
    color[:, 3] = 1.0
    yaw = np.arctan2(tracks["velocity_y"][moving], tracks["velocity_x"][moving])
    return Arrows(start, yaw, speed[moving] * arrow_time, color)


def labels(tracks: np.ndarray, behaviors: np.ndarray, severity: np.ndarray, label_speed: float) -> Labels:
    """Return class, number, speed and remarkable behaviour of all that moves or that an incident names."""
    speed = np.hypot(tracks["velocity_x"], tracks["velocity_y"])
    shown = np.flatnonzero((speed >= label_speed) | (severity >= 0))
    doing = dict(zip(behaviors["track_id"].tolist(), behaviors["kind"].tolist(), strict=True))
    chosen = tracks[shown]
    texts = []
    for track_id, kind, pace in zip(
        chosen["track_id"].tolist(), chosen["classification"].tolist(), speed[shown].tolist(), strict=True
    ):
        behavior = doing.get(track_id, 0)
        remark = palette.BEHAVIOR_LABELS[behavior] if behavior < len(palette.BEHAVIOR_LABELS) else ""
        text = f"{palette.class_name(kind)} {short_track_id(track_id)}  {pace * _KILOMETRES_PER_HOUR:.0f} km/h"
        texts.append(f"{text}  {remark}" if remark else text)
    position = _centers(chosen)
    position[:, 2] += chosen["height"] / 2 + 1.0
    color = np.tile(np.array(palette.LABEL_COLOR), (len(shown), 1))
    named = severity[shown] >= 0
    color[named] = palette.SEVERITY_COLORS[severity[shown][named]]
    return Labels(position, tuple(texts), color, 1.1)


def predicted(tracks: np.ndarray, paths: np.ndarray, settings: SceneSettings) -> Paths:
    """Return the probable paths from each object's place on; the less certain, the fainter.

    Opacity at a point is the mode's probability times 1 / (1 + (deviation / fade_deviation)^2), the
    deviation being the root of the larger eigenvalue of the point's covariance.
    """
    order = np.argsort(tracks["track_id"])
    ids = tracks["track_id"][order]
    index = np.searchsorted(ids, paths["track_id"]).clip(0, max(len(ids) - 1, 0))
    probable = paths["probability"] >= settings.min_mode_probability
    chosen = probable & (ids[index] == paths["track_id"]) if len(ids) else np.zeros(len(paths), bool)
    paths, owner = paths[chosen], tracks[order[index[chosen]]] if len(ids) else tracks[:0]
    steps = slice(1, None, 2)  # every second one draws the same line
    ground = owner["z"] - owner["height"] / 2 + _LIFT
    x = np.concatenate([owner["x"][:, None], paths["x"][:, steps]], axis=1)
    y = np.concatenate([owner["y"][:, None], paths["y"][:, steps]], axis=1)
    points = np.stack([x, y, np.broadcast_to(ground[:, None], x.shape)], axis=2)
    mean = (paths["covariance_xx"] + paths["covariance_yy"]) / 2
    difference = (paths["covariance_xx"] - paths["covariance_yy"]) / 2
    variance = np.pad((mean + np.hypot(difference, paths["covariance_xy"]))[:, steps], ((0, 0), (1, 0)))
    color = np.repeat(palette.class_colors(paths["classification"])[:, None, :], x.shape[1], axis=1)
    color[..., 3] = paths["probability"][:, None] / (1 + variance / settings.fade_deviation**2)
    return Paths(points, color, 0.2)


def incident_zones(zones: tuple[Zone, ...], tracks: np.ndarray) -> tuple[Cylinders, Labels]:
    """Return a translucent disc per incident, under the objects it names, and a text that says what and when."""
    feet = tracks["z"] - tracks["height"] / 2
    levels = []
    for zone in zones:
        named = np.isin(tracks["track_id"], np.array(zone.track_ids, np.uint64))
        levels.append(float(np.median(feet[named])) if named.any() else 0.0)
    place = np.array([(zone.x, zone.y, level) for zone, level in zip(zones, levels, strict=True)]).reshape(-1, 3)
    radius = np.array([max(zone.radius, 1.0) for zone in zones])
    severity = np.array([min(zone.severity, len(palette.SEVERITY_COLORS) - 1) for zone in zones], int)
    color = palette.SEVERITY_COLORS[severity].copy()
    disc = color.copy()
    disc[:, 3] = 0.30
    discs = Cylinders(place + np.array((0, 0, _LIFT)), radius, np.full(len(zones), 0.25), disc)
    return discs, Labels(place + np.array((0, 0, 4.5)), tuple(zone_text(zone) for zone in zones), color, 1.8)


def zone_text(zone: Zone) -> str:
    """Return what is foreseen or happening, e.g. ``PREDICTED COLLISION  in 1.8 s  74 %``."""
    parts = [zone.kind.replace("_", " ").upper()]
    if np.isfinite(zone.time_to_event) and zone.time_to_event > 0:
        parts.append(f"in {zone.time_to_event:.1f} s")
    parts.append(f"{100 * zone.probability:.0f} %")
    return "  ".join(parts)
