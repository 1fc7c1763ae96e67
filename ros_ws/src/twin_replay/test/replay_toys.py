"""A toy graph: an object per point, a track per object, an alert where there are many."""

from dataclasses import dataclass

import numpy as np

from twin_common import cdr, stamps
from twin_common.cdr import ArrayMessage
from twin_common.component import Component, Input, Output
from twin_common.config import Config, setting
from twin_common.node_spec import NodeSpec
from twin_msgs.msg import Alert


class Detector(Component):
    inputs = (Input("points", "lidar_points"),)
    outputs = (Output("objects", "platform_objects"),)

    def on_points(self, cloud, _source):
        objects = np.zeros(len(cloud.points), cdr.record_dtype("twin_msgs/msg/DetectedObject"))
        for name in "xyz":
            objects[name] = cloud.points[name]
        self.context.publish("objects", ArrayMessage(cloud.stamp_ns, "map", {"objects": objects}))


@dataclass(frozen=True, slots=True)
class TrackerConfig(Config):
    shift: float = setting(0.0, "m", "added to x")
    lose: int = setting(-1, doc="object that is left out")
    hashes: bool = setting(False, doc="let the hash seed of the process show in the output")
    fails: bool = setting(False, doc="raise on the third scan")


class Tracker(Component):
    Config = TrackerConfig
    inputs = (Input("objects", "platform_objects"),)
    outputs = (Output("tracks", "tracks"), Output("alerts", "alerts"))

    def __init__(self, config, context):
        super().__init__(config, context)
        self.scans = 0

    def on_objects(self, message, _source):
        self.scans += 1
        if self.config.fails and self.scans == 3:
            raise RuntimeError("third scan")
        objects = message["objects"]
        tracks = np.zeros(len(objects), cdr.record_dtype("twin_msgs/msg/Track"))
        tracks["track_id"], tracks["x"] = np.arange(len(objects)), objects["x"] + self.config.shift
        if self.config.hashes:
            tracks["age"] = hash("age") % 1000
        tracks["velocity_x"] = np.nan
        tracks = tracks[tracks["track_id"] != self.config.lose]
        self.context.publish("tracks", ArrayMessage(message.stamp_ns, "map", {"tracks": tracks}))
        if len(objects) > 8:
            alert = Alert(alert_id=f"a{self.scans}", track_ids=[1, 2], cause=f"{len(objects)} objects")
            stamps.fill_time(alert.header.stamp, message.stamp_ns)
            self.context.publish("alerts", alert)


def graph(**parameters):
    return [
        NodeSpec(
            "replay_toys:Detector", "lidar_detector", "/pole_01",
            remappings={"~/input/points": "/pole_01/lidar/points", "~/output/objects": "/pole_01/objects"},
        ),
        NodeSpec(
            "replay_toys:Tracker", "tracker", "/district", parameters,
            {
                "~/input/objects": "/pole_01/objects", "~/output/tracks": "/district/tracks",
                "~/output/alerts": "/district/alerts",
            },
        ),
    ]  # fmt: skip
