"""Small components for the hosts' tests; imported by name, also from other processes."""

import array
from dataclasses import dataclass
from typing import Any

import numpy as np
from sensor_msgs.msg import CompressedImage

from twin_common import cdr, stamps
from twin_common.component import Component, Input, Output, Service, Timer
from twin_common.config import Config, setting

OBJECT = cdr.record_dtype("twin_msgs/msg/DetectedObject")


@dataclass(frozen=True, slots=True)
class SourceConfig(Config):
    count: int = setting(3, doc="objects per message", low=1, high=10)
    speed: float = setting(1.0, "m/s", "of the objects", low=0.0, high=50.0)


class Source(Component):
    """Publishes objects ten times a second, their x growing with time."""

    Config = SourceConfig
    outputs = (Output("objects", "platform_objects"),)
    timers = (Timer("emit", 0.1),)

    def on_timer_emit(self, now_ns: int) -> None:
        objects = np.zeros(self.config.count, OBJECT)
        objects["x"] = self.config.speed * (now_ns % 10**12) / 1e9
        self.context.publish("objects", cdr.ArrayMessage(now_ns, "map", {"objects": objects}))


@dataclass(frozen=True, slots=True)
class SinkConfig(Config):
    platforms: tuple[str, ...] = setting((), doc="whose objects to take")


class Sink(Component):
    """Passes objects on with what was seen so far in object_id; fails on an object at x < 0."""

    Config = SinkConfig
    inputs = (Input("objects", "platform_objects", each_platform=True, max_age=0.5),)
    outputs = (Output("objects", "objects"),)
    services = (Service("acknowledge", "twin_msgs/srv/AcknowledgeAlert"),)

    def __init__(self, config: SinkConfig, context: Any) -> None:
        super().__init__(config, context)
        self.seen = 0
        self.closed = False

    def on_objects(self, message: cdr.ArrayMessage, source: str) -> None:
        objects = message["objects"].copy()
        if (objects["x"] < 0).any():
            raise ValueError("x: expected at least 0")
        self.seen += 1
        objects["object_id"] = self.seen
        objects["platforms"] = 1 << self.config.platforms.index(source)
        self.context.publish("objects", cdr.ArrayMessage(message.stamp_ns, "map", {"objects": objects}))

    def on_service_acknowledge(self, request: Any, response: Any) -> Any:
        response.success, response.message = request.alert_id == "known", f"{self.seen} seen"
        return response

    def close(self) -> None:
        self.closed = True


class Lens(Component):
    """Publishes an image that shows people, ten times a second."""

    outputs = (Output("image", "camera_image"),)
    timers = (Timer("emit", 0.1),)

    def on_timer_emit(self, now_ns: int) -> None:
        if self.context.wanted("image"):
            message = CompressedImage(format="jpeg", data=array.array("B", b"people"))
            stamps.fill_time(message.header.stamp, now_ns)
            self.context.publish("image", message)


class Eye(Component):
    """Publishes an anonymous image for each that shows people."""

    inputs = (Input("image", "camera_image"),)
    outputs = (Output("view", "camera_view"),)

    def on_image(self, message: CompressedImage, _source: str) -> None:
        self.context.publish("view", CompressedImage(header=message.header, format=bytes(message.data).decode()))
