"""Messages to detections, tracks to messages."""

from __future__ import annotations

import numpy as np

from twin_common import cdr
from twin_tracking.core.detections import Detections
from twin_tracking.core.tracks import Tracks

TRACK = "twin_msgs/msg/Track"


def detections_from_message(message: cdr.ArrayMessage) -> Detections:
    """Return the objects of a DetectedObjectArray; doubles, whatever the message holds."""
    objects = message["objects"]
    return Detections(
        position=np.column_stack([objects["x"], objects["y"], objects["z"]]),
        covariance=objects["position_covariance"].reshape(-1, 3, 3).astype(float),
        size=np.column_stack([objects["length"], objects["width"], objects["height"]]).astype(float),
        yaw=objects["yaw"].astype(float),
        yaw_variance=objects["yaw_variance"].astype(float),
        velocity=np.column_stack([objects["velocity_x"], objects["velocity_y"]]).astype(float),
        class_probability=objects["class_probability"].astype(float),
        existence=objects["existence"].astype(float),
        time_offset=objects["time_offset"].astype(float),
        point_count=objects["point_count"].astype(np.int64),
        posture=np.minimum(objects["posture"], 3),
        platforms=objects["platforms"].astype(np.uint64),
        colour=objects["colour"] / 255.0,
    )


def tracks_to_message(tracks: Tracks, frame_id: str) -> cdr.ArrayMessage:
    """Return a TrackArray."""
    records = np.zeros(len(tracks), cdr.record_dtype(TRACK))
    records["track_id"] = tracks.ids
    records["platforms"] = tracks.platforms
    records["first_seen_ns"], records["last_seen_ns"] = tracks.first_ns, tracks.last_ns
    for axis, name in enumerate(("x", "y", "z")):
        records[name] = tracks.position[:, axis]
    for axis, name in enumerate(("length", "width", "height")):
        records[name] = tracks.size[:, axis]
    records["velocity_x"], records["velocity_y"] = tracks.velocity.T
    records["covariance"] = tracks.covariance.reshape(-1, 16)
    for name in (
        "yaw",
        "yaw_variance",
        "yaw_rate",
        "yaw_rate_variance",
        "acceleration",
        "existence",
        "state",
        "posture",
    ):
        records[name] = getattr(tracks, name)
    records["class_probability"] = tracks.class_probability
    records["classification"] = tracks.class_probability.argmax(axis=1)
    records["age"] = (tracks.stamp_ns - tracks.first_ns) / 1e9
    return cdr.ArrayMessage(tracks.stamp_ns, frame_id, {"tracks": records})
