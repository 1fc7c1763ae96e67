"""The channels made for people: scene, map, alerts and frames."""

from __future__ import annotations

import json
from typing import Any

import numpy as np

from twin_common.district import DistrictConfig
from twin_viz import convert, messages
from twin_viz.core import geojson, ground, palette, scene_update
from twin_viz.core.alerts import AlertBook, AlertState
from twin_viz.core.primitives import Entity
from twin_viz.server import Feed, Server

_OPEN_ALERTS_SCHEMA = {
    "title": "OpenAlerts",
    "type": "object",
    "properties": {
        "alerts": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {
                    "alert_id": {"type": "string"}, "state": {"type": "string"}, "severity": {"type": "integer"},
                    "kind": {"type": "string"}, "text": {"type": "string"}, "place": {"type": "string"},
                    "raised_ns": {"type": "string"}, "probability": {"type": "number"},
                    "operator_name": {"type": "string"}, "agencies": {"type": "array", "items": {"type": "string"}},
                },
            },
        }
    },
}  # fmt: skip

_VEHICLE_HEIGHT = 2.5  # of the post that marks a moving platform, metres


class OperatorFeeds:
    """What an operator's view shows, encoded for Foxglove."""

    def __init__(self, server: Server, district: DistrictConfig | None, building_height: float) -> None:
        """Advertise the channels and retain what does not change."""
        self._district = district
        self._ground = Entity("ground")
        self._states: dict[str, int] = {}
        self._vehicles: dict[str, tuple[float, float, float]] = {}
        self._fixed_frames: dict[str, Any] = {}
        schemas = messages.schemas()

        def feed(topic: str, kind: str, **options: Any) -> Feed:
            return server.feed(topic, "protobuf", schemas[kind], **options)

        self.scene = feed("/scene", "scene", keep=1)
        self.truth = feed("/truth", "scene")
        self.transforms = feed("/transforms", "transforms", keep=1)
        self.map = feed("/map", "geojson", keep=1)
        self.map_zones = feed("/map/zones", "geojson", keep=1)
        self.map_alerts = feed("/map/alerts", "geojson", keep=1, urgent=True)
        self.map_center = feed("/map/center", "location", keep=1)
        self.alerts_log = feed("/alerts_log", "log", keep=200, urgent=True)
        self.alerts_open = server.feed("/alerts_open", "json", _OPEN_ALERTS_SCHEMA, keep=1, urgent=True)
        self.book = AlertBook()
        if district is not None:
            self._ground = ground.build_ground(convert.areas_of(district), building_height)
            self._send_zones(district)
            self.send_platforms(0)
        self.send_alerts(0)

    def _send_zones(self, district: DistrictConfig) -> None:
        areas = convert.areas_of(district)
        features = []
        for area in areas:
            longitude, latitude = convert.to_wgs84(district, area.corners)
            features.append(geojson.polygon(area.name, longitude, latitude, palette.ZONE_COLORS[area.kind]))
        self.map_zones.send(messages.geojson(geojson.collection(features)), 0, retain=True)
        middle = (
            np.concatenate([area.corners for area in areas]).mean(axis=0, keepdims=True) if areas else np.zeros((1, 2))
        )
        longitude, latitude = convert.to_wgs84(district, middle)
        fix = messages.location(float(latitude[0]), float(longitude[0]), district.datum.altitude, 0)
        self.map_center.send(fix, 0, retain=True)

    def send_platforms(self, time_ns: int) -> None:
        """Show the platforms, and the ground they stand on, in the scene and on the map."""
        if self._district is None:
            return
        posts = convert.posts_of(self._district, self._states)
        self.scene.send(scene_update.encode([self._ground, ground.build_posts(posts)], time_ns), time_ns, retain=True)
        features = []
        for post in posts:
            longitude, latitude = convert.to_wgs84(self._district, np.array([post.foot[:2]]))
            name = f"{post.name} ({palette.PLATFORM_STATES[post.state]})"
            color = tuple(palette.PLATFORM_COLORS[post.state].tolist())
            features.append(geojson.disc(name, float(longitude[0]), float(latitude[0]), 1.5, color))
        self.map.send(messages.geojson(geojson.collection(features)), time_ns, retain=True)

    def take_platform(self, name: str, state: int, time_ns: int) -> None:
        """Show a platform in another state."""
        if self._states.get(name) != state:
            self._states[name] = state
            self.send_platforms(time_ns)

    def take_alert(self, alert: AlertState, time_ns: int) -> None:
        """Log a change of an alert's state and show what is open now."""
        self.book.take(alert)
        self.alerts_log.send(messages.log_line(alert), time_ns, retain=True)
        self.send_alerts(time_ns)

    def send_alerts(self, time_ns: int) -> None:
        """Show the open alerts in the table and on the map."""
        self.alerts_open.send(json.dumps(self.book.summary()).encode(), time_ns, retain=True)
        features = [
            geojson.disc(
                alert.text or alert.kind, alert.longitude, alert.latitude, max(alert.radius, 3.0),
                tuple(palette.SEVERITY_COLORS[min(alert.severity, 3)].tolist()),
            )
            for alert in self.book.open()
        ]  # fmt: skip
        self.map_alerts.send(messages.geojson(geojson.collection(features)), time_ns, retain=True)

    def take_fixed_frames(self, message: Any, time_ns: int) -> None:
        """Send every fixed frame known by now."""
        self._fixed_frames |= {item[2]: item for item in convert.transforms_of(message)}
        self.transforms.send(messages.frame_transforms(self._fixed_frames.values()), time_ns, retain=True)

    def repeat(self, time_ns: int) -> None:
        """Send once more what seldom changes, for views that missed it while they were being built."""
        for feed in (self.scene, self.map, self.map_zones, self.map_alerts, self.map_center, self.alerts_open):
            feed.repeat(time_ns)

    def take_frames(self, message: Any, time_ns: int) -> None:
        """Send moving frames."""
        if self.transforms.wanted:
            self.transforms.send(messages.frame_transforms(convert.transforms_of(message)), time_ns)

    def take_vehicle(self, name: str, message: Any) -> None:
        """Show a moving platform here from the next scene on."""
        place = message.pose.pose.position
        self._vehicles[name] = (place.x, place.y, place.z)

    def send_entity(self, feed: Feed, entity: Entity, stamp_ns: int, time_ns: int) -> None:
        """Replace one entity of the scene, or of what a simulation tells."""
        feed.send(scene_update.encode([entity], stamp_ns), time_ns)

    def send_scene(self, entities: list[Entity], stamp_ns: int, time_ns: int) -> None:
        """Replace the live part of the scene."""
        posts = tuple(
            ground.Post(name, foot, _VEHICLE_HEIGHT, self._states.get(name, 3)) for name, foot in self._vehicles.items()
        )
        self.scene.send(scene_update.encode([*entities, ground.build_posts(posts, "vehicles")], stamp_ns), time_ns)
