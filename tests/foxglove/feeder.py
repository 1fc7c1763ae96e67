"""Plays a graph to the Foxglove bridge: real publishers and services on real middleware, a scene with known truth.

python feeder.py [--empty] [--cloud-megabytes M] [--alerts N]
"""

from __future__ import annotations

import argparse
import math
import sys
import time

import numpy as np
import rclpy
from geometry_msgs.msg import TransformStamped
from rclpy.node import Node
from tf2_msgs.msg import TFMessage

from twin_common import cdr, pointcloud, registry, stamps
from twin_common.codecs import codec_for
from twin_common.ros_host import qos_profile
from twin_msgs.msg import Alert, Incident, IncidentArray, PlatformStatus
from twin_msgs.srv import AcknowledgeAlert, CancelAlert

PERIOD = 0.1
STEP = 0.4
#: track_id, class, x, y, heading deg, speed, (length, width, height)
ACTORS = (
    (1, 1, -20.0, -3.2, 0.0, 8.0, (4.5, 1.8, 1.5)), (2, 1, 28.0, 3.2, 180.0, 11.0, (4.4, 1.8, 1.5)),
    (3, 2, -46.0, -3.0, 0.0, 7.0, (8.0, 2.5, 3.2)), (4, 3, -3.0, 34.0, -90.0, 6.0, (11.0, 2.5, 3.2)),
    (5, 6, 16.0, 5.6, 180.0, 5.0, (1.8, 0.6, 1.7)), (6, 7, 9.0, -5.0, 90.0, 1.4, (0.5, 0.5, 1.7)),
    (7, 7, 8.0, 8.5, 0.0, 1.2, (0.5, 0.5, 1.7)), (8, 7, -4.0, 9.5, 0.0, 1.3, (0.5, 0.5, 1.7)),
    (9, 5, 3.2, -24.0, 90.0, 4.5, (1.2, 0.5, 1.7)), (10, 4, 3.0, -40.0, 90.0, 9.0, (2.1, 0.8, 1.6)),
    (11, 1, -24.0, 7.6, 0.0, 0.0, (4.5, 1.8, 1.5)), (12, 0, -14.0, -8.0, 0.0, 0.0, (0.8, 0.8, 1.0)),
)  # fmt: skip


def tracks_at(stamp_ns: int, elapsed: float) -> cdr.ArrayMessage:
    """The actors, each going to and fro over 20 m so that the picture is the same at any time."""
    records = np.zeros(len(ACTORS), cdr.record_dtype("twin_msgs/msg/Track"))
    for record, (track_id, kind, x, y, heading, speed, size) in zip(records, ACTORS, strict=True):
        yaw = math.radians(heading)
        along = (elapsed * speed) % 20.0
        record["track_id"], record["classification"], record["state"] = track_id, kind, 1
        record["x"], record["y"], record["z"] = x + along * math.cos(yaw), y + along * math.sin(yaw), size[2] / 2
        record["length"], record["width"], record["height"], record["yaw"] = *size, yaw
        record["velocity_x"], record["velocity_y"] = speed * math.cos(yaw), speed * math.sin(yaw)
    return cdr.ArrayMessage(stamp_ns, "map", {"tracks": records})


def paths_of(tracks: cdr.ArrayMessage) -> cdr.ArrayMessage:
    moving = tracks["tracks"][np.hypot(tracks["tracks"]["velocity_x"], tracks["tracks"]["velocity_y"]) > 0]
    ahead = STEP * np.arange(1, 13)
    paths = np.zeros(2 * len(moving), cdr.record_dtype("twin_msgs/msg/PredictedPath"))
    for mode, rate, probability in ((0, 0.0, 0.7), (1, 0.12, 0.3)):
        part = paths[mode * len(moving) : (mode + 1) * len(moving)]
        part["track_id"], part["classification"], part["mode"] = moving["track_id"], moving["classification"], mode
        part["probability"] = probability
        turn = rate * ahead / 2
        speed = np.hypot(moving["velocity_x"], moving["velocity_y"])[:, None]
        heading = moving["yaw"][:, None] + turn
        part["x"] = moving["x"][:, None] + speed * ahead * np.cos(heading)
        part["y"] = moving["y"][:, None] + speed * ahead * np.sin(heading)
        part["covariance_xx"] = part["covariance_yy"] = (0.2 + 0.5 * ahead) ** 2
    return cdr.ArrayMessage(tracks.stamp_ns, "map", {"step": STEP, "paths": paths})


class Feeder(Node):
    """Everything the bridge listens to."""

    def __init__(self, options: argparse.Namespace) -> None:
        super().__init__("feeder")
        self.options = options
        self.started = time.monotonic()
        self.alerts: dict[str, Alert] = {}
        self.outlets = {}
        for key in ("tracks", "predictions", "behaviors", "incidents", "alerts", "tf_static", "diagnostics"):
            self._advertise(key, "")
        for platform in ("pole_01", "pole_02"):
            self._advertise("platform_status", platform)
            self._advertise("lidar_points", platform)
        self.create_service(
            AcknowledgeAlert, "/district/dispatcher/acknowledge", self._change(Alert.STATE_ACKNOWLEDGED)
        )
        self.create_service(CancelAlert, "/district/dispatcher/cancel", self._change(Alert.STATE_CANCELLED))
        points = np.random.default_rng(1).uniform(-30, 30, (max(int(options.cloud_megabytes * 1e6 / 24), 1), 3))
        points[:, 2] = 0.05 - 5.0
        self.points = points.astype(np.float32)
        self._send(
            "tf_static", TFMessage(transforms=[self._mount("pole_01", 11, 11), self._mount("pole_02", -11, -11)])
        )
        self.raised = 0
        self.create_timer(PERIOD, self._tick)

    def _advertise(self, key: str, platform: str) -> None:
        entry = registry.topic(key)
        publisher = self.create_publisher(
            cdr.message_class(entry.type_name), entry.resolve(platform), qos_profile(entry.qos)
        )
        self.outlets[key + platform] = (codec_for(entry.type_name), publisher)

    def _send(self, outlet: str, message: object) -> None:
        codec, publisher = self.outlets[outlet]
        publisher.publish(codec.encode(message))

    def _mount(self, platform: str, x: float, y: float) -> TransformStamped:
        item = TransformStamped(child_frame_id=f"{platform}/lidar")
        item.header.frame_id = "map"
        item.transform.translation.x, item.transform.translation.y, item.transform.translation.z = (
            float(x),
            float(y),
            5.0,
        )
        item.transform.rotation.w = 1.0
        return item

    def _change(self, state: int):
        def handle(request, response):
            alert = self.alerts.get(request.alert_id)
            response.success = alert is not None
            if alert is None:
                response.message = f"{request.alert_id}: no such alert"
                return response
            alert.state, alert.operator_name, alert.note = state, request.operator_name, request.note
            stamps.fill_time(alert.header.stamp, time.time_ns())
            self._send("alerts", alert)
            response.message = "noted"
            return response

        return handle

    def _raise_alert(self, now_ns: int) -> None:
        self.raised += 1
        alert = Alert(
            alert_id=f"alert-{self.raised:04d}", state=Alert.STATE_RAISED, kind="predicted_collision", severity=3,
            probability=0.82, time_to_event=1.6, latency_ms=74.0, latitude=35.15252, longitude=126.8481, radius=5.0,
            place="crossing, east crosswalk", agencies=["operator", "police"], text="car 1 and pedestrian 6",
        )  # fmt: skip
        for stamp in (alert.header.stamp, alert.raised_stamp, alert.sensor_stamp):
            stamps.fill_time(stamp, now_ns)
        self.alerts[alert.alert_id] = alert
        self._send("alerts", alert)

    def _incidents(self, now_ns: int) -> IncidentArray:
        message = IncidentArray(
            incidents=[
                Incident(
                    incident_id="i1", kind="predicted_collision", severity=3, probability=0.82, time_to_event=1.6,
                    x=9.0, y=-3.0, radius=5.0, track_ids=[1, 6],
                ),
                Incident(
                    incident_id="i2", kind="vehicle_stopped", severity=1, probability=0.9, time_to_event=0.0, x=-24.0,
                    y=7.6, radius=4.0, track_ids=[11],
                ),
            ]
        )  # fmt: skip
        stamps.fill_time(message.header.stamp, now_ns)
        return message

    def _tick(self) -> None:
        now_ns = time.time_ns()
        for i, platform in enumerate(("pole_01", "pole_02")):
            status = PlatformStatus(platform=platform, state=i, lidar_rate=10.0)
            stamps.fill_time(status.header.stamp, now_ns)
            self._send(f"platform_status{platform}", status)
            if self.options.cloud_megabytes:
                self._send(f"lidar_points{platform}", pointcloud.from_xyz(now_ns, f"{platform}/lidar", self.points))
        if self.options.empty:
            return
        tracks = tracks_at(now_ns, 0.8 + 0.0 * (time.monotonic() - self.started))
        self._send("predictions", paths_of(tracks))
        self._send("incidents", self._incidents(now_ns))
        self._send("tracks", tracks)
        if self.raised < self.options.alerts:
            self._raise_alert(now_ns)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--empty", action="store_true", help="platforms are alive, but nothing moves")
    parser.add_argument("--cloud-megabytes", type=float, default=0.0, help="of each platform, ten times a second")
    parser.add_argument("--alerts", type=int, default=2, help="raised, one every 0.1 s")
    options = parser.parse_args()
    rclpy.init()
    rclpy.spin(Feeder(options))


if __name__ == "__main__":
    try:
        main()
    except (KeyboardInterrupt, rclpy.executors.ExternalShutdownException):
        sys.exit(0)
