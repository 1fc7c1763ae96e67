"""The Foxglove bridge: what operators see, and every topic of the graph as it is."""

from __future__ import annotations

import argparse
import sys
from typing import Any

import numpy as np
import rclpy

from twin_common import cdr, registry, stamps
from twin_common.component import Component, Context, Input, Timer
from twin_common.config import ConfigError
from twin_common.district import load_district
from twin_common.node_spec import NodeSpec, ProcessSpec
from twin_common.ros_host import run_process
from twin_viz import convert, services
from twin_viz.config import FoxgloveConfig
from twin_viz.core.scene import SceneSettings, Zone, build_scene
from twin_viz.core.truth import build_signals, build_truth
from twin_viz.feeds import OperatorFeeds
from twin_viz.ros_topics import CallFailed, RosTopics
from twin_viz.server import Server


class FoxgloveBridge(Component):
    """Serves the district to Foxglove."""

    Config = FoxgloveConfig
    inputs = (
        Input("tracks", "tracks"),
        Input("predictions", "predictions"),
        Input("behaviors", "behaviors"),
        Input("incidents", "incidents"),
        Input("alerts", "alerts"),
        Input("platform_status", "platform_status", each_platform=True),
        Input("odometry", "odometry", each_platform=True),
        Input("signals", "signals"),
        Input("sim_actors", "sim_actors"),
        Input("tf", "tf"),
        Input("tf_static", "tf_static"),
    )
    timers = (Timer("watch", 1.0), Timer("clock", 0.05))

    def __init__(self, config: FoxgloveConfig, context: Context) -> None:
        """Keep the configuration; the port is opened by ``start``."""
        super().__init__(config, context)
        self._settings = SceneSettings(
            config.arrow_time, config.label_speed, config.min_mode_probability, config.fade_deviation
        )
        self._server: Server | None = None
        self._feeds: OperatorFeeds | None = None
        self._topics: RosTopics | None = None
        self._tracks = np.zeros(0, cdr.record_dtype("twin_msgs/msg/Track"))
        self._paths = np.zeros(0, cdr.record_dtype("twin_msgs/msg/PredictedPath"))
        self._behaviors = np.zeros(0, cdr.record_dtype("twin_msgs/msg/Behavior"))
        self._zones: tuple[Zone, ...] = ()
        self._signals = np.zeros(0, cdr.record_dtype("twin_msgs/msg/Signal"))
        self._drawn_ns = 0
        self._heard_ns = 0

    @property
    def port(self) -> int:
        """The port that was opened."""
        if self._server is None:
            raise RuntimeError("foxglove: not started")
        return self._server.port

    def start(self) -> None:
        """Open the port and offer the channels.

        Raises:
            ConfigError: the port is in use, or the district cannot be read.

        """
        config: FoxgloveConfig = self.config
        district = load_district(config.district) if config.district else None
        with_ros = config.raw_topics and rclpy.ok()
        offered = services.make_services(self._call, self._latest_alert) if with_ros else []
        self._server = Server(config.host, config.port, config.backlog, offered)
        self._feeds = OperatorFeeds(self._server, district, config.building_height)
        if with_ros:
            name = f"{self.context.name.strip('/').replace('/', '_')}_topics"
            self._topics = RosTopics(name, self._server, config.platforms, self.context.now_ns)
            for service, type_name in services.TYPES.items():
                self._topics.add_service(service, type_name)
        self.context.log.info(f"Foxglove clients may connect to ws://{config.host}:{self._server.port}")

    def close(self) -> None:
        """End the bridge's own node and free the port."""
        if self._topics is not None:
            self._topics.close()
        if self._server is not None:
            self._server.close()

    @property
    def _view(self) -> OperatorFeeds:
        if self._feeds is None:
            raise RuntimeError("foxglove: not started")
        return self._feeds

    def _call(self, name: str, request: Any) -> Any:
        if self._topics is None:
            raise CallFailed(f"{name}: the bridge is still starting; expected a call after that")
        self.context.count("service_calls")
        return self._topics.call(name, request, self.config.service_timeout)

    def _latest_alert(self) -> str | None:
        alerts = self._view.book.open()
        return alerts[0].alert_id if alerts else None

    def on_tracks(self, message: cdr.ArrayMessage, _source: str) -> None:
        """Draw the scene, at most ``scene_rate`` times a second, while somebody looks."""
        self._tracks, self._heard_ns = message["tracks"], self.context.now_ns()
        passed = stamps.to_seconds(message.stamp_ns - self._drawn_ns)
        if 0 <= passed < 0.95 / self.config.scene_rate or not self._view.scene.wanted:
            return
        self._drawn_ns = message.stamp_ns
        self._draw(message.stamp_ns)

    def _draw(self, stamp_ns: int) -> None:
        entities = build_scene(self._tracks, self._paths, self._behaviors, self._zones, self._settings)
        entities.append(build_signals(self._signals))
        self._view.send_scene(entities, stamp_ns, self.context.now_ns())
        self.context.count("scenes")

    def on_predictions(self, message: cdr.ArrayMessage, _source: str) -> None:
        """Keep the newest paths for the next scene."""
        self._paths = message["paths"]

    def on_behaviors(self, message: cdr.ArrayMessage, _source: str) -> None:
        """Keep the newest behaviours for the next scene."""
        self._behaviors = message["behaviors"]

    def on_incidents(self, message: Any, _source: str) -> None:
        """Keep the incidents that hold for the next scene."""
        self._zones = convert.zones_of(message)

    def on_alerts(self, message: Any, _source: str) -> None:
        """Log the change and show the open alerts."""
        self._view.take_alert(convert.alert_of(message), self.context.now_ns())

    def on_platform_status(self, message: Any, source: str) -> None:
        """Show the platform's state."""
        self._view.take_platform(source, message.state, self.context.now_ns())

    def on_odometry(self, message: Any, source: str) -> None:
        """Keep where a moving platform is for the next scene."""
        self._view.take_vehicle(source, message)

    def on_signals(self, message: cdr.ArrayMessage, _source: str) -> None:
        """Show signals as soon as one of them changes; every scene shows them too."""
        before, self._signals = self._signals, message["signals"]
        if not np.array_equal(before["state"], self._signals["state"]) and self._view.scene.wanted:
            entity = build_signals(self._signals)
            self._view.send_entity(self._view.scene, entity, message.stamp_ns, self.context.now_ns())

    def on_sim_actors(self, message: cdr.ArrayMessage, _source: str) -> None:
        """Show the actors of a simulation as they are, in a layer of their own, while somebody looks at it."""
        if self._view.truth.wanted:
            entity = build_truth(message["actors"])
            self._view.send_entity(self._view.truth, entity, message.stamp_ns, self.context.now_ns())

    def on_tf(self, message: Any, _source: str) -> None:
        """Forward moving frames."""
        self._view.take_frames(message, self.context.now_ns())

    def on_tf_static(self, message: Any, _source: str) -> None:
        """Forward fixed frames."""
        self._view.take_fixed_frames(message, self.context.now_ns())

    def on_timer_watch(self, now_ns: int) -> None:
        """Repeat what seldom changes; take off the scene what nobody tracks any more; tell how many watch."""
        if self._server is None:
            return
        if len(self._tracks) and now_ns - self._heard_ns > self.config.stale_after * stamps.NANOSECONDS:
            self._tracks, self._zones = self._tracks[:0], ()
            self._draw(now_ns)
        self._view.repeat(now_ns)
        self.context.measure("clients", float(self._server.clients))
        self.context.measure("held_back_for_slow_clients", float(self._server.held_back))

    def on_timer_clock(self, now_ns: int) -> None:
        """Tell clients the time of the graph, which decides what Studio still shows."""
        if self._server is not None:
            self._server.tell_time(now_ns)


def node_spec(parameters: dict[str, Any]) -> NodeSpec:
    """Return the bridge as a node of the graph, its inputs connected as the registry says."""
    remappings = {}
    for item in FoxgloveBridge.inputs:
        entry = registry.topic(item.topic)
        if item.each_platform:
            for platform in parameters.get("platforms", ()):
                remappings[f"~/input/{item.name}/{platform}"] = entry.resolve(platform)
        else:
            remappings[f"~/input/{item.name}"] = entry.resolve()
    return NodeSpec("twin_viz.foxglove_node:FoxgloveBridge", "foxglove", "/district", parameters, remappings)


def main() -> int:
    """Run the bridge: ``foxglove [--district FILE] [--host H] [--port P] [--ros-args ...]``."""
    parser = argparse.ArgumentParser(prog="foxglove", description="Serves a district to Foxglove.")
    parser.add_argument("--district", default="", help="the district's YAML")
    parser.add_argument("--host", help="address to listen on")
    parser.add_argument("--port", type=int, help="port to listen on; 0: any free one")
    words = sys.argv[1:]
    cut = words.index("--ros-args") if "--ros-args" in words else len(words)
    arguments = parser.parse_args(words[:cut])
    try:
        parameters: dict[str, Any] = {}
        if arguments.district:
            names = tuple(platform.name for platform in load_district(arguments.district).platforms)
            parameters = {"district": arguments.district, "platforms": names}
    except ConfigError as error:
        print(error, file=sys.stderr)
        return 2
    parameters |= {key: value for key in ("host", "port") if (value := getattr(arguments, key)) is not None}
    return run_process(ProcessSpec("foxglove", (node_spec(parameters),)), [sys.argv[0], *words[cut:]])


if __name__ == "__main__":
    sys.exit(main())
