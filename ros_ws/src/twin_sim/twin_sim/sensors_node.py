"""Simulated sensors of one platform: actors in; clouds, pictures and fixes out, as its drivers would give them."""

from __future__ import annotations

from collections import deque
from typing import Any

import numpy as np

from twin_common import stamps
from twin_common.cdr import ArrayMessage
from twin_common.component import Component, Context, Input, Output, Timer
from twin_common.config import ConfigError
from twin_common.ros_host import run_component
from twin_sim import convert
from twin_sim.config import SensorsConfig
from twin_sim.core.faults import Faults
from twin_sim.core.frame import SIGNAL, Frame, Shape
from twin_sim.packet_stream import PacketStream
from twin_sim.platform_sensors import PlatformSensors, Stage
from twin_sim.scenario import load_scenario
from twin_sim.sensor_messages import Arrival, ArrivalQueue, SensorMessages

OUTPUTS = ("lidar_points", "camera_image", "camera_info", "gnss_fix", "gnss_velocity", "imu", "sim_visibility")
WAITING = 20  # frames at most that have come and are not due yet


class Sensors(Component):
    """Computes what the sensors of a platform see, shortly before it is due, and gives it out when it is."""

    Config = SensorsConfig
    inputs = (Input("actors", "sim_actors"), Input("signals", "signals"))
    outputs = tuple(Output(key, key) for key in OUTPUTS)
    timers = (Timer("poll", 0.005),)

    def __init__(self, config: SensorsConfig, context: Context) -> None:
        """Build the district and cast what stands still."""
        super().__init__(config, context)
        scenario = load_scenario(config.scenario, config.settings)
        seed = scenario.seed if config.seed < 0 else config.seed
        names = [platform.name for platform in scenario.world.district.platforms]
        platform = scenario.world.district.platform(config.platform)
        self._names = names
        self._stage = Stage(scenario.world, scenario.weather, seed)
        self._sensors = PlatformSensors(self._stage, platform, config.columns)
        self._faults = Faults(scenario.config.faults, seed, scenario.start_ns, names)
        self._messages = SensorMessages(self._sensors, self._faults, as_packets=bool(config.udp_host))
        self._lost, self._sighted = False, True
        self._sender = self._open_stream(config)
        self._lead_ns = stamps.from_seconds(config.lead)
        self._signals = np.zeros(0, SIGNAL)
        self._frames: deque[Frame] = deque(maxlen=WAITING)
        self._ready = ArrivalQueue()
        self._last_ns = 0

    def _open_stream(self, config: SensorsConfig) -> PacketStream | None:
        if not config.udp_host:
            return None
        if self._messages.packet_model is None:
            raise ConfigError(f"{config.platform}: udp_host: its LiDAR sends no packets; expected an Ouster model")
        return PacketStream(config.udp_host, config.udp_port, self.context.now_ns)

    def on_signals(self, message: ArrayMessage, _source: str) -> None:
        """Remember what the signals show."""
        self._signals = convert.signals_of(message)

    def on_actors(self, message: ArrayMessage, _source: str) -> None:
        """Keep a frame until it is due."""
        if message.stamp_ns <= self._last_ns:
            self._frames.clear()
            self._ready.clear()
            if self._sender is not None:
                self._sender.clear()
        self._last_ns = message.stamp_ns
        if len(self._frames) == WAITING:
            self.context.count("frames_dropped")
        actors = convert.actors_of(message)
        self._frames.append(Frame(message.stamp_ns, actors, self._signals, vehicles=self._vehicles(actors)))

    def on_timer_poll(self, now_ns: int) -> None:
        """Compute the next turn shortly before its end, and give out all that has arrived by now."""
        self._lose(self.config.platform in self._faults.lost(now_ns))
        if self._frames and now_ns >= self._sensors.scan_stamp(self._frames[0]) - self._lead_ns:
            frame = self._frames.popleft()
            output = self._sensors.push(frame, picture=self._pictures())
            for arrival in self._messages.of(output):
                self._take(arrival)
        for _, arrival in self._ready.arrived(now_ns):
            self.context.publish(arrival.key, arrival.message)

    def _pictures(self) -> bool:
        """Return whether pictures are wanted and can be made; without OpenGL this is told once, and LiDARs go on."""
        if self._sighted and self.context.wanted("camera_image"):
            try:
                self._stage.renderer()
            except ConfigError as error:
                self._sighted = False
                self.context.report(str(error))
        return self._sighted and self.context.wanted("camera_image")

    def _lose(self, lost: bool) -> None:
        """Silence the whole platform while it is lost; its processes run on, and the simulator hears the sensors."""
        if lost != self._lost:
            self._lost = lost
            self.context.cut_off(lost)

    def _take(self, arrival: Arrival) -> None:
        """Keep a message until it arrives; packets go off at once: their stream paces them through the turn."""
        if arrival.key == "lidar_packets":
            if self._sender is not None and not self._sender.send(arrival.message, arrival.ahead_ns):
                self.context.count("turns_dropped")
            return
        self._ready.push(arrival)

    def _vehicles(self, actors: Any) -> dict[str, int]:
        """Return the actor_id of each sensor vehicle; its appearance is its place in the district's list."""
        own = actors[actors["shape"] == Shape.SENSOR_VEHICLE]
        return {self._names[number]: actor_id for number, actor_id in own[["appearance", "actor_id"]].tolist()}

    def close(self) -> None:
        """Release socket and renderer."""
        if self._sender is not None:
            self._sender.close()
        self._stage.close()


def main() -> int:
    """Run as a node of its own."""
    return run_component(Sensors, "sensors")
