"""Small bags with known content."""

from pathlib import Path

import numpy as np

from twin_common import cdr, pointcloud
from twin_common.codecs import codec_for
from twin_replay.bag import BagWriter

START_NS = 1_700_000_000_000_000_000
TRACKS = "/district/tracks"
POINTS = "/pole_01/lidar/points"
STATIC = "/tf_static"


def tracks(stamp_ns, count, offset=0.0):
    records = np.zeros(count, cdr.record_dtype("twin_msgs/msg/Track"))
    records["track_id"] = np.arange(count)
    records["x"] = np.arange(count) + offset
    message = cdr.ArrayMessage(stamp_ns, "map", {"tracks": records})
    return cdr.encode("twin_msgs/msg/TrackArray", message)


def points(stamp_ns, count, seed=0):
    xyz = np.random.default_rng(seed).normal(size=(count, 3)).astype(np.float32)
    return pointcloud.encode(pointcloud.from_xyz(stamp_ns, "pole_01/lidar", xyz))


def frames(child="pole_01/base_link"):
    from geometry_msgs.msg import TransformStamped
    from tf2_msgs.msg import TFMessage

    return codec_for("tf2_msgs/msg/TFMessage").encode(TFMessage(transforms=[TransformStamped(child_frame_id=child)]))


def write_bag(path: Path, count=20, period_ns=100_000_000, cloud=100, start_ns=START_NS):
    """Write tracks and points alternately, and a fixed frame at the start."""
    with BagWriter(path) as writer:
        for name in (STATIC, TRACKS, POINTS):
            writer.add_topic(name)
        writer.write(STATIC, start_ns, frames())
        for i in range(count):
            time_ns = start_ns + i * period_ns
            writer.write(POINTS, time_ns, points(time_ns, cloud, i))
            writer.write(TRACKS, time_ns + 1000, tracks(time_ns, i % 5))
    return path
