"""Messages to the arrays of core, and incidents and alerts to messages."""

from __future__ import annotations

import numpy as np

from twin_common import stamps
from twin_common.cdr import ArrayMessage
from twin_common.district import DistrictConfig
from twin_incidents.core import alert_life, book
from twin_incidents.core.ground import united, without
from twin_incidents.core.place_names import Gazetteer
from twin_incidents.core.scene import PathTable, TrackTable, Zones
from twin_msgs.msg import Alert, Incident, IncidentArray

TENTATIVE = 0  # Track.STATE_TENTATIVE
STOP = 2  # PredictedPath.MODE_STOP


def tracks_from_message(message: ArrayMessage, min_existence: float) -> tuple[TrackTable, int]:
    """Return the tracks that incidents are made of, and how many were left out for values that are not finite.

    These are no longer tentative, and at least so probable. An acceleration that is not finite counts as 0, a
    covariance as that of a place that is not known.
    """
    records = message["tracks"]
    records = records[(records["state"] != TENTATIVE) & ~(records["existence"] < min_existence)]
    floats = ("x", "y", "velocity_x", "velocity_y", "length", "width", "yaw", "age", "existence")
    valid = np.all([np.isfinite(records[name]) for name in floats], axis=0) & (records["classification"] < 10)
    good = records[valid]

    def pair(first: str, second: str) -> np.ndarray:
        return np.stack([good[first], good[second]], axis=1).astype(float)

    covariance = good["covariance"].reshape(-1, 4, 4)[:, :2, :2].astype(float)
    known = np.isfinite(covariance).all(axis=(1, 2))
    largest = np.linalg.eigvalsh(np.where(known[:, None, None], covariance, 0.0))[:, -1]
    table = TrackTable(
        good["track_id"], good["platforms"], pair("x", "y"), pair("velocity_x", "velocity_y"), pair("length", "width"),
        good["yaw"].astype(float), good["age"].astype(float),
        np.maximum(message.stamp_ns - good["last_seen_ns"], 0) / 1e9, good["existence"].astype(float),
        good["classification"].astype(np.int64), good["class_probability"].astype(float),
        np.where(known, np.sqrt(np.maximum(largest, 0.0)), np.inf),
        np.where(np.isfinite(good["acceleration"]), good["acceleration"], 0.0).astype(float),
    )  # fmt: skip
    return table, len(records) - len(good)


def paths_from_message(message: ArrayMessage) -> PathTable:
    """Return the paths of a PredictedPathArray; those that are not finite are left out."""
    records = message["paths"]
    xx, xy, yy = (records[f"covariance_{name}"].astype(float) for name in ("xx", "xy", "yy"))
    position = np.stack([records["x"], records["y"]], axis=-1).astype(float)
    covariance = np.stack([np.stack([xx, xy], axis=-1), np.stack([xy, yy], axis=-1)], axis=-2)
    good = np.isfinite(position).all(axis=(1, 2)) & np.isfinite(covariance).all(axis=(1, 2, 3))
    good &= np.isfinite(records["yaw"]).all(axis=1) & np.isfinite(records["probability"])
    return PathTable(
        records["track_id"][good], records["probability"][good].astype(float), records["mode"][good] == STOP,
        position[good], covariance[good], records["yaw"][good].astype(float), float(message["step"]),
    )  # fmt: skip


def zones_from_district(district: DistrictConfig) -> Zones:
    """Return the polygons that the rules need."""
    streets = district.polygons("carriageway")
    lanes = without(streets, district.polygons("parking"))
    return Zones(united(streets), united(district.polygons("crosswalk")), lanes)


def gazetteer_from_district(district: DistrictConfig) -> Gazetteer:
    """Return the named places of a district; a moving platform is no place."""
    return Gazetteer(
        [(zone.name, zone.corners()) for zone in district.zones if zone.kind != "parking"],
        [(p.name, np.array([p.pose.x, p.pose.y])) for p in district.platforms if p.kind == "pole"],
    )


def platform_names(mask: int, district: DistrictConfig) -> list[str]:
    """Return the names of the platforms in a bit mask."""
    return [platform.name for bit, platform in enumerate(district.platforms) if mask >> bit & 1]


def message_from_incidents(stamp_ns: int, incidents: list[book.Incident], district: DistrictConfig) -> IncidentArray:
    """Return an IncidentArray."""
    message = IncidentArray()
    stamps.fill_time(message.header.stamp, stamp_ns)
    message.header.frame_id = "map"
    message.incidents = [_incident(item, district) for item in incidents]
    return message


def _incident(item: book.Incident, district: DistrictConfig) -> Incident:
    finding = item.finding
    message = Incident(
        incident_id=item.incident_id, kind=finding.kind, severity=finding.severity, probability=finding.probability,
        time_to_event=finding.time_to_event, x=finding.position[0], y=finding.position[1], radius=finding.radius,
        track_ids=list(finding.track_ids), platforms=platform_names(finding.platforms, district), cause=finding.cause,
    )  # fmt: skip
    stamps.fill_time(message.first_stamp, item.first_ns)
    stamps.fill_time(message.sensor_stamp, finding.stamp_ns)
    return message


def observed_from_incident(message: Incident) -> alert_life.Observed:
    """Return what the life of an alert depends on."""
    return alert_life.Observed(message.incident_id, message.severity, message.probability, message.x, message.y)


def message_from_alert(alert: alert_life.Alert, incident: Incident, sensor_ns: int, stamp_ns: int) -> Alert:
    """Return an Alert in its state, about an incident; place, agencies and text are still to be filled."""
    message = Alert(
        alert_id=alert.alert_id, state=int(alert.state), incident_id=incident.incident_id, kind=incident.kind,
        severity=incident.severity, probability=incident.probability, time_to_event=incident.time_to_event,
        latency_ms=(stamp_ns - sensor_ns) / 1e6, x=incident.x, y=incident.y, radius=incident.radius,
        track_ids=incident.track_ids, platforms=incident.platforms, cause=incident.cause,
        operator_name=alert.operator_name, note=alert.note,
    )  # fmt: skip
    message.header.frame_id = "map"
    stamps.fill_time(message.header.stamp, stamp_ns)
    stamps.fill_time(message.raised_stamp, alert.raised_ns)
    stamps.fill_time(message.sensor_stamp, sensor_ns)
    return message
