"""The simulated district as a process: /clock, actors, signals, events and what stands still.

    ros2 run twin_sim simulator SCENARIO --rate 1 --platforms pole_01 vehicle_01

The time of /clock is that of the scenario. It runs at the wall's pace, or slower where the machine or a
platform's sensors cannot keep up. A frame is published ``LEAD`` before its time, so that sensor models, which
need the frame after a scan to move actors within it, are ready when the scan's own time comes.
"""

from __future__ import annotations

import argparse
import functools
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rclpy.duration import Duration
from rclpy.node import Node
from rclpy.utilities import remove_ros_args
from rosgraph_msgs.msg import Clock

from twin_common import cdr, registry, stamps
from twin_common.codecs import codec_for
from twin_common.config import Config, ConfigError, setting
from twin_common.ros_host import qos_profile
from twin_replay.infrastructure import background_node, exit_code, stop_on_signals
from twin_replay.options import add_options, config_of
from twin_sim import convert
from twin_sim.core.frame import STEP_NS, Frame
from twin_sim.scenario import load_scenario
from twin_sim.simulation import Simulation
from twin_sim.static_map import static_map

LEAD_NS = 150_000_000  # a frame's time minus the time at which it is published
DENSITY_FRAMES = 10  # between two grids of densities
TICK_NS = 10_000_000  # between two messages of /clock, in the wall's time


@dataclass(frozen=True, slots=True)
class SimulatorConfig(Config):
    """How a scenario is run live."""

    rate: float = setting(1.0, "1", "speed: 2 is twice as fast as the wall, where the machine can", low=0.05, high=50)
    duration: float = setting(0.0, "s", "end after so much; 0: the scenario's own duration", low=0)
    seed: int = setting(-1, doc="of everything random; -1: the scenario's own", low=-1)
    set: tuple[str, ...] = setting((), doc="changes of the scenario, key=value")
    platforms: tuple[str, ...] = setting((), doc="platforms whose sensors are waited for")
    wait: float = setting(30.0, "s", "wait at most so long for these before the start", low=0, high=600)
    slack: float = setting(0.3, "s", "how far a platform's scans may be behind before time waits for it", low=0.15)
    patience: float = setting(3.0, "s", "how long time waits for a silent platform", low=0.1)


class Platforms:
    """How far each platform's sensors have come; thread-safe."""

    def __init__(self, node: Node, names: Sequence[str]) -> None:
        """Listen to every platform's visibility, the sign that a scan was made."""
        self._lock = threading.Lock()
        self._reached = dict.fromkeys(names, 0)
        self._heard = dict.fromkeys(names, 0.0)
        entry = registry.topic("sim_visibility")
        self._stamp = codec_for(entry.type_name)
        kind = cdr.message_class(entry.type_name)
        for name in names:
            take = functools.partial(self._take, name)
            node.create_subscription(kind, entry.resolve(name), take, qos_profile(entry.qos), raw=True)

    def _take(self, name: str, buffer: bytes) -> None:
        stamp_ns = self._stamp.stamp_ns(self._stamp.decode(buffer))
        with self._lock:
            self._reached[name] = max(self._reached[name], stamp_ns or 0)
            self._heard[name] = time.monotonic()

    def behind(self, limit_ns: int, patience: float) -> list[str]:
        """Return the platforms whose latest scan is older than ``limit_ns`` and that have not been given up."""
        now = time.monotonic()
        with self._lock:
            return [
                name
                for name, reached in self._reached.items()
                if reached and reached < limit_ns and now - self._heard[name] < patience
            ]


class Simulator:
    """Runs a simulation against the wall's clock and publishes it."""

    def __init__(self, node: Node, simulation: Simulation, config: SimulatorConfig) -> None:
        """Make the publishers; nothing moves yet."""
        self._node, self._simulation, self._config = node, simulation, config
        self._out = {
            key: (codec_for(registry.topic(key).type_name), self._publisher(node, key))
            for key in ("sim_actors", "sim_events", "signals", "sim_density", "sim_map")
        }
        self._clock = node.create_publisher(Clock, "/clock", qos_profile(registry.topic("clock").qos))
        self._platforms = Platforms(node, config.platforms)
        self._now_ns = simulation.start_ns - LEAD_NS
        self._wall_ns = 0  # up to which the wall's time has been turned into the scenario's
        self.steps = 0

    @staticmethod
    def _publisher(node: Node, key: str) -> Any:
        entry = registry.topic(key)
        return node.create_publisher(cdr.message_class(entry.type_name), entry.resolve(), qos_profile(entry.qos))

    def run(self, stop: threading.Event) -> None:
        """Run until the end of the scenario, or until ``stop`` is set."""
        self._send("sim_map", static_map(self._simulation.world, self._simulation.start_ns))
        self._wait_for_sensors(stop)
        duration = self._config.duration or self._simulation.scenario.duration
        while not stop.is_set() and self.steps * STEP_NS < stamps.from_seconds(duration) + STEP_NS:
            frame = self._simulation.step()
            self._reach(frame.stamp_ns - LEAD_NS, stop)
            self._publish(frame)
            self.steps += 1
        self._reach(self._now_ns + 2 * LEAD_NS, stop)  # the last scans become tracks
        self._clock.wait_for_all_acked(Duration(seconds=1.0))

    def _publish(self, frame: Frame) -> None:
        messages = [
            ("signals", convert.signals_to_message(frame)), ("sim_actors", convert.actors_to_message(frame)),
            ("sim_events", convert.events_to_message(frame)),
        ]  # fmt: skip
        if self.steps % DENSITY_FRAMES == 0:
            messages.append(("sim_density", convert.density_to_message(frame)))
        for key, message in messages:
            self._send(key, message)

    def _send(self, key: str, message: Any) -> None:
        codec, publisher = self._out[key]
        publisher.publish(codec.encode(message))

    def _reach(self, time_ns: int, stop: threading.Event) -> None:
        """Let the clock run to ``time_ns``; it stands still while a platform is too far behind."""
        slack_ns = stamps.from_seconds(self._config.slack)
        self._wall_ns = self._wall_ns or time.monotonic_ns()
        while self._now_ns < time_ns and not stop.is_set():
            left_ns = (time_ns - self._now_ns) / self._config.rate
            stop.wait(min(TICK_NS, left_ns) / stamps.NANOSECONDS)
            passed_ns = time.monotonic_ns() - self._wall_ns
            if self._platforms.behind(self._now_ns - slack_ns, self._config.patience):
                self._wall_ns += passed_ns
            else:  # what is left over counts for the next frame
                used_ns = min(passed_ns, left_ns)
                self._now_ns = min(self._now_ns + round(used_ns * self._config.rate), time_ns)
                self._wall_ns += max(round(used_ns), passed_ns - LEAD_NS)
            self._tick()

    def _tick(self) -> None:
        self._clock.publish(Clock(clock=stamps.fill_time(Clock().clock, self._now_ns)))

    def _wait_for_sensors(self, stop: threading.Event) -> None:
        """Wait until each platform's sensors listen; with none named, not at all."""
        until = time.monotonic() + self._config.wait
        topics = [registry.topic("sim_visibility").resolve(name) for name in self._config.platforms]
        while time.monotonic() < until and not stop.is_set():
            self._tick()
            if all(self._node.count_publishers(topic) for topic in topics):
                break
            stop.wait(0.02)


def simulate(args: argparse.Namespace, ros_arguments: Sequence[str] = ()) -> int:
    """Run a scenario until its end or a signal; return 0.

    Raises:
        ConfigError: the scenario or an option is not what was expected.

    """
    config = config_of(args, SimulatorConfig)
    scenario = load_scenario(args.scenario, config.set)
    if config.duration > scenario.duration:
        raise ConfigError(f"duration: {config.duration} s; expected at most the scenario's {scenario.duration} s")
    seed = None if config.seed < 0 else config.seed
    with (
        stop_on_signals() as stop,
        background_node("simulator", ros_arguments) as node,
        Simulation(scenario, seed) as simulation,
    ):
        simulator = Simulator(node, simulation, config)
        started = time.monotonic()
        simulator.run(stop)
        spent = max(time.monotonic() - started, 1e-9)
        passed = simulator.steps * STEP_NS / stamps.NANOSECONDS
        print(f"{args.scenario.stem}: {passed:.1f} s simulated, {passed / spent:.2f} times real time", file=sys.stderr)
    return 0


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the simulator; return 0 at the end of the scenario or after a signal, 2 for bad input."""
    given = list(sys.argv if arguments is None else ["simulator", *arguments])
    parser = argparse.ArgumentParser(
        prog="simulator", description="Run a scenario live: /clock, actors, signals, events."
    )
    parser.add_argument("scenario", type=Path, metavar="SCENARIO", help="scenario file")
    add_options(parser, SimulatorConfig)
    args = parser.parse_args(remove_ros_args(given)[1:])
    return exit_code(lambda: simulate(args, given[1:]))


if __name__ == "__main__":
    sys.exit(main())
