"""Watches a running graph from outside: what every node says on /diagnostics, the tracks, and the alerts."""

from __future__ import annotations

import threading
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import rclpy
from diagnostic_msgs.msg import DiagnosticArray
from rclpy.context import Context
from rclpy.experimental import EventsExecutor
from rclpy.task import Future

from twin_common import cdr, registry
from twin_common.codecs import codec_for
from twin_common.core.object_class import CLASS_NAMES
from twin_common.ros_host import FOREVER, qos_profile
from twin_msgs.msg import Alert, Track

ALERT_STATES = {
    getattr(Alert, f"STATE_{name}"): name.lower()
    for name in ("RAISED", "UPDATED", "ACKNOWLEDGED", "CANCELLED", "EXPIRED")
}


@dataclass(slots=True)
class NodeFigures:
    """What one node has told: its latest values, and totals that survive a restart."""

    values: dict[str, str] = field(default_factory=dict)
    message: str = ""
    level: int = 0
    totals: Counter[str] = field(default_factory=Counter)

    def take(self, level: int, message: str, values: dict[str, str]) -> None:
        """Take one status; a counter that fell belongs to a restarted node."""
        for key, text in values.items():
            if not key.endswith((".published", ".received", ".missed", ".dropped", ".late")) and "count." not in key:
                continue
            before_text = self.values.get(key, "0")
            if not (text.isdigit() and before_text.isdigit()):  # of a node that is not ours
                continue
            now, before = int(text), int(before_text)
            self.totals[key] += now - before if now >= before else now
        self.level, self.message, self.values = level, message, values

    def number(self, key: str) -> float:
        """Return one value as a number, NaN where the node did not tell it."""
        return float(self.values.get(key, "nan"))


@dataclass(slots=True)
class Picture:
    """What is known of the graph now."""

    nodes: dict[str, NodeFigures] = field(default_factory=dict)
    objects: Counter[str] = field(default_factory=Counter)
    seen: dict[int, str] = field(default_factory=dict)
    alerts: list[Alert] = field(default_factory=list)

    def published(self, node: str, port: str) -> int:
        """Return how many messages a node has published on a port."""
        figures = self.nodes.get(node)
        return figures.totals[f"output.{port}.published"] if figures else 0


class Monitor:
    """A node of its own context, spun in a thread; ``picture`` is read under ``lock``."""

    def __init__(self) -> None:
        """Join the graph."""
        self.lock = threading.Lock()
        self.picture = Picture()
        self._context = Context()
        rclpy.init(context=self._context, signal_handler_options=rclpy.SignalHandlerOptions.NO)
        self._node = rclpy.create_node(
            "monitor", namespace="/district", context=self._context, start_parameter_services=False
        )
        self._executor = EventsExecutor(context=self._context)
        self._executor.add_node(self._node)
        self._listen("diagnostics", DiagnosticArray, self._on_diagnostics)
        self._listen("tracks", cdr.message_class(registry.topic("tracks").type_name), self._on_tracks, raw=True)
        self._listen("alerts", Alert, self._on_alert)
        self._decode_tracks = codec_for(registry.topic("tracks").type_name).decode
        self._thread = threading.Thread(target=self._spin, name="monitor", daemon=True)
        self._thread.start()

    def _listen(self, key: str, kind: type[Any], callback: Any, *, raw: bool = False) -> None:
        entry = registry.topic(key)
        self._node.create_subscription(kind, entry.resolve(), callback, qos_profile(entry.qos), raw=raw)

    def _spin(self) -> None:
        try:
            self._executor.spin_until_future_complete(Future(executor=self._executor), FOREVER)
        except rclpy.executors.ExternalShutdownException:
            return

    def _on_diagnostics(self, message: DiagnosticArray) -> None:
        with self.lock:
            for status in message.status:
                level = int.from_bytes(status.level, "little") if isinstance(status.level, bytes) else status.level
                values = {item.key: item.value for item in status.values}
                self.picture.nodes.setdefault(status.name, NodeFigures()).take(level, status.message, values)

    def _on_tracks(self, buffer: bytes) -> None:
        tracks: np.ndarray = self._decode_tracks(buffer)["tracks"]
        sure = tracks[tracks["state"] != Track.STATE_TENTATIVE]
        with self.lock:
            names = [CLASS_NAMES[label] for label in sure["classification"]]
            self.picture.objects = Counter(names)
            self.picture.seen.update(zip(map(int, sure["track_id"]), names, strict=True))

    def _on_alert(self, message: Alert) -> None:
        with self.lock:
            self.picture.alerts.append(message)

    def close(self) -> None:
        """Leave the graph."""
        self._context.try_shutdown()
        self._thread.join(timeout=5.0)
