"""Every topic of the graph: name, type, quality of service, rate, and whether it is recorded.

The one table that feeds nodes, recorder, Foxglove, documentation and tests.
"""

from __future__ import annotations

from dataclasses import dataclass

PLATFORM = "platform"
DISTRICT = "district"


@dataclass(frozen=True, slots=True)
class Qos:
    """A quality of service, in the words of rmw."""

    depth: int
    reliable: bool
    latched: bool = False


SENSOR = Qos(depth=4, reliable=False)
STREAM = Qos(depth=10, reliable=True)
EVENT = Qos(depth=200, reliable=True)
LATCHED = Qos(depth=100, reliable=True, latched=True)


@dataclass(frozen=True, slots=True)
class Topic:
    """One topic. ``name`` may contain ``{platform}``; ``rate`` is nominal, Hz (0: now and then).

    ``scope`` is PLATFORM where the data must not leave the platform that made it (privacy, bandwidth).
    ``recorded`` tells whether the recorder takes it unless told otherwise. What is ``private`` shows people: a process
    with all nodes of a platform keeps it to itself, and neither recorder nor viewer takes it.
    """

    key: str
    name: str
    type_name: str
    qos: Qos
    rate: float
    scope: str
    recorded: bool
    description: str
    private: bool = False

    def resolve(self, platform: str = "") -> str:
        """Return the topic's name for a platform."""
        if "{platform}" in self.name and not platform:
            raise ValueError(f"{self.key}: {self.name} needs a platform")
        return self.name.format(platform=platform)

    @property
    def per_platform(self) -> bool:
        """Whether each platform has one."""
        return "{platform}" in self.name


def _topics() -> tuple[Topic, ...]:
    s, t = "sensor_msgs/msg/", "twin_msgs/msg/"
    p, d = PLATFORM, DISTRICT
    return (
        Topic("lidar_packets", "/{platform}/lidar/packets", t + "LidarPackets", SENSOR, 10, p, True, "Raw packets of one scan"),
        Topic("lidar_points", "/{platform}/lidar/points", s + "PointCloud2", SENSOR, 10, p, False, "One scan, sensor frame"),
        Topic("lidar_foreground", "/{platform}/lidar/foreground", s + "PointCloud2", SENSOR, 10, p, False, "Points of objects, sensor frame; made only while somebody listens"),
        Topic("lidar_objects", "/{platform}/lidar/objects", t + "DetectedObjectArray", STREAM, 10, p, False, "Objects in one scan, sensor frame"),
        Topic("camera_image", "/{platform}/camera/image/compressed", s + "CompressedImage", SENSOR, 10, p, False, "Camera frame as it is, JPEG or PNG: stays in the process of its platform", private=True),
        Topic("camera_info", "/{platform}/camera/camera_info", s + "CameraInfo", STREAM, 10, p, True, "Intrinsics of the camera"),
        Topic("camera_view", "/{platform}/camera/view/compressed", s + "CompressedImage", SENSOR, 5, d, False, "Camera frame with faces, heads and number plates covered; made only while somebody listens"),
        Topic("camera_objects", "/{platform}/camera/objects", t + "ImageObjectArray", STREAM, 10, p, False, "Objects in one frame, pixels"),
        Topic("camera_signals", "/{platform}/camera/signals", t + "SignalArray", STREAM, 10, d, True, "Signal heads that the camera sees, with the state it reads"),
        Topic("gnss_fix", "/{platform}/gnss/fix", s + "NavSatFix", STREAM, 10, p, True, "Position, WGS84"),
        Topic("gnss_velocity", "/{platform}/gnss/velocity", "geometry_msgs/msg/TwistWithCovarianceStamped", STREAM, 10, p, True, "Velocity over ground, east-north-up"),
        Topic("imu", "/{platform}/imu", s + "Imu", STREAM, 10, p, True, "Orientation (ENU), angular velocity, acceleration"),
        Topic("odometry", "/{platform}/odometry", "nav_msgs/msg/Odometry", STREAM, 10, d, False, "Pose and velocity of a moving platform, map frame"),
        Topic("map_pose", "/{platform}/map_pose", "geometry_msgs/msg/PoseWithCovarianceStamped", STREAM, 2, p, False, "Where a scan of a moving platform lies on the district's map"),
        Topic("platform_objects", "/{platform}/objects", t + "DetectedObjectArray", STREAM, 10, d, False, "What the platform sees, map frame"),
        Topic("platform_status", "/{platform}/status", t + "PlatformStatus", STREAM, 1, d, False, "Sign of life"),
        Topic("objects", "/district/objects", t + "DetectedObjectArray", STREAM, 10, d, False, "Objects of all platforms, merged, map frame"),
        Topic("tracks", "/district/tracks", t + "TrackArray", STREAM, 10, d, True, "Live tracks, map frame"),
        Topic("predictions", "/district/predictions", t + "PredictedPathArray", STREAM, 10, d, True, "Predicted paths, map frame"),
        Topic("behaviors", "/district/behaviors", t + "BehaviorArray", STREAM, 10, d, True, "Behaviours of live tracks"),
        Topic("snapshot", "/district/twin", t + "TwinSnapshot", STREAM, 10, d, True, "State of the twin"),
        Topic("incidents", "/district/incidents", t + "IncidentArray", STREAM, 10, d, True, "Incidents that hold now"),
        Topic("alerts", "/district/alerts", t + "Alert", LATCHED, 0, d, True, "Every change of an alert's state"),
        Topic("signals", "/district/signals", t + "SignalArray", STREAM, 10, d, True, "State of the signal heads, from their controllers"),
        Topic("sim_actors", "/sim/actors", t + "SimActorArray", STREAM, 10, d, True, "Simulation only: ground truth of every actor, map frame"),
        Topic("sim_events", "/sim/events", t + "SimEventArray", STREAM, 10, d, True, "Simulation only: events that have begun"),
        Topic("sim_density", "/sim/density", t + "TwinSnapshot", STREAM, 1, d, True, "Simulation only: true density of people in cells of 1 m; no tracks in it"),
        Topic("sim_map", "/sim/map", "visualization_msgs/msg/MarkerArray", LATCHED, 0, d, False, "Simulation only: what stands still, map frame"),
        Topic("sim_visibility", "/{platform}/sim/visibility", t + "SimVisibilityArray", STREAM, 10, d, True, "Simulation only: points and pixels on each actor"),
        Topic("tf", "/tf", "tf2_msgs/msg/TFMessage", EVENT, 10, d, True, "Moving frames"),
        Topic("tf_static", "/tf_static", "tf2_msgs/msg/TFMessage", LATCHED, 0, d, True, "Fixed frames"),
        Topic("diagnostics", "/diagnostics", "diagnostic_msgs/msg/DiagnosticArray", EVENT, 1, d, True, "State, rates and latencies of every node"),
        Topic("clock", "/clock", "rosgraph_msgs/msg/Clock", SENSOR, 50, d, False, "Time of the recording being played"),
    )  # fmt: skip


TOPICS: dict[str, Topic] = {topic.key: topic for topic in _topics()}


def topic(key: str) -> Topic:
    """Return a topic by key.

    Raises:
        KeyError: no such topic; lists those there are.

    """
    try:
        return TOPICS[key]
    except KeyError:
        raise KeyError(f"{key}: no such topic; expected one of {', '.join(TOPICS)}") from None


def table() -> str:
    """Return the registry as a Markdown table."""
    rows = [
        "| topic | type | QoS | rate | leaves the platform | recorded | what |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    for item in TOPICS.values():
        qos = ("reliable" if item.qos.reliable else "best effort") + (", latched" if item.qos.latched else "")
        rate = f"{item.rate:g} Hz" if item.rate else "on change"
        leaves, recorded = ("yes" if flag else "no" for flag in (item.scope == DISTRICT, item.recorded))
        rows.append(
            f"| `{item.name}` | `{item.type_name}` | {qos}, {item.qos.depth} | {rate} | {leaves} | {recorded} | {item.description} |"
        )
    return "\n".join(rows)
