"""``./twin sim run``: a scenario as fast as it goes, with its truth and its sensors recorded."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from twin_common import registry
from twin_common.codecs import codec_for
from twin_common.config import ConfigError
from twin_replay.bag import BagWriter
from twin_replay.folders import terminate_as_interrupt
from twin_replay.infrastructure import stop_on_signals
from twin_sim import convert
from twin_sim.bag_files import write_bag_files, write_events
from twin_sim.core.frame import STEP_NS, Frame
from twin_sim.packet_stream import PacketStream
from twin_sim.platform_sensors import PlatformSensors, Stage
from twin_sim.scenario import Scenario
from twin_sim.sensor_messages import Arrival, ArrivalQueue, SensorMessages
from twin_sim.simulation import Simulation
from twin_sim.truth import TruthWriter, check_ending

FLUSH_FRAMES = 10
TRUTH_KEYS = ("sim_actors", "sim_events", "signals")


@dataclass(frozen=True, slots=True)
class RunOptions:
    """What ``./twin sim run`` was asked for; ``platforms`` have sensors."""

    scenario: Scenario
    platforms: tuple[str, ...]
    seed: int | None = None
    skip: float = 0.0
    duration: float | None = None
    out: Path | None = None
    truth: Path | None = None
    columns: int = 0
    images: bool = False
    realtime: bool = False
    udp: str = ""


@dataclass(frozen=True, slots=True)
class Platform:
    """The sensors of one platform, what makes messages of them, and where its packets go."""

    sensors: PlatformSensors
    messages: SensorMessages
    sender: PacketStream | None


def run_scenario(options: RunOptions) -> int:
    """Run a scenario; return 0, or 130 after an interrupt, which leaves bag and truth readable.

    Before the first frame there are neither, and KeyboardInterrupt goes on to the caller.

    Raises:
        ConfigError: something asked for is not possible; nothing has been written.

    """
    scenario = options.scenario
    duration = _duration(options, scenario)
    _check_files(options)
    console = Console(stderr=True)
    started, done, interrupted = time.monotonic(), 0, False
    with ExitStack() as stack:
        with terminate_as_interrupt():  # there are no files yet
            console.print(f"{scenario.name}: starting", style="dim")
            simulation = stack.enter_context(Simulation(scenario, options.seed))
            for _ in range(_frames(options.skip)):
                simulation.step()
            run = Run(stack, simulation, options)
        stop = stack.enter_context(stop_on_signals())
        run.open()
        started = time.monotonic()
        for number in _progress(console, scenario.name, _frames(duration)):
            if stop.is_set():
                break
            run.step()
            done = number
        run.finish()
        interrupted = stop.is_set()
        whole = not interrupted and simulation.time >= scenario.duration
        missing = [event.name for event in simulation.missing()] if whole else []
    spent = time.monotonic() - started
    simulated = done * STEP_NS / 1e9
    speed = simulated / max(spent, 1e-9)
    print(f"{scenario.name}: {simulated:.1f} s simulated in {spent:.1f} s, {speed:.1f} times real time")
    for path in filter(None, (options.out, options.truth)):
        print(f"{'cut short' if interrupted else 'written'}: {path}")
    for name in missing:
        print(f"{scenario.name}: event {name} did not happen as expected", file=sys.stderr)
    return 130 if interrupted else 0


def _check_files(options: RunOptions) -> None:
    """Refuse, before anything is simulated, what could not be written or sent.

    Raises:
        ConfigError: the bag exists, the truth's ending is not known, or the port is none.

    """
    if options.out is not None and options.out.exists():
        raise ConfigError(f"{options.out}: exists already; expected the name of a new bag")
    if options.truth is not None:
        check_ending(options.truth)
    if options.udp:
        _port(options.udp.rpartition(":")[2])


def _duration(options: RunOptions, scenario: Scenario) -> float:
    longest, frame = scenario.duration - options.skip, STEP_NS / 1e9
    if not (options.skip >= 0 and _frames(longest) >= 1):
        raise ConfigError(f"skip: {options.skip:g} s; expected 0 or more, and less than {scenario.duration:g} s")
    if options.duration is None:
        return longest
    if not (_frames(options.duration) >= 1 and options.duration <= longest):
        raise ConfigError(
            f"duration: {options.duration:g} s; expected at least a frame, {frame:g} s, and at most {longest:g} s"
        )
    return options.duration


def _frames(duration: float) -> int:
    return round(duration * 1e9) // STEP_NS if np.isfinite(duration) else 0


def _progress(console: Console, name: str, total: int) -> Iterator[int]:
    """Yield 1 to ``total``, showing how far it is."""
    columns = (
        TextColumn(name),
        BarColumn(),
        TextColumn("{task.completed:.1f} of {task.total:.1f} s"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task(name, total=total / 10)
        for number in range(1, total + 1):
            yield number
            progress.update(task, completed=number / 10)


class Run:
    """One run: simulation, sensors, bag and truth, frame by frame."""

    def __init__(self, stack: ExitStack, simulation: Simulation, options: RunOptions) -> None:
        """Make the sensors, which takes seconds; ``stack`` closes everything."""
        self._simulation, self._options = simulation, options
        self._waiting = ArrivalQueue()
        self._frames = 0
        self._first_ns = simulation.start_ns + round(simulation.time * 1e9)
        self._platforms = self._make_platforms(stack) if options.platforms else []
        self._stack = stack
        self._bag: BagWriter | None = None
        self._truth: TruthWriter | None = None

    def open(self) -> None:
        """Begin the files, and the run's time."""
        options = self._options
        self._bag = self._open_bag(options.out) if options.out else None
        if options.truth:
            self._truth = self._stack.enter_context(TruthWriter(options.truth, self._simulation))
        self._began = time.monotonic()

    def _make_platforms(self, stack: ExitStack) -> list[Platform]:
        simulation, options = self._simulation, self._options
        stage = Stage(simulation.world, simulation.weather, simulation.seed)
        stack.callback(stage.close)
        if options.images:
            stage.renderer()  # without OpenGL this says so, before there are files
        host, _, port = options.udp.rpartition(":")
        platforms = []
        for number, name in enumerate(options.platforms):
            sensors = PlatformSensors(stage, simulation.world.district.platform(name), options.columns)
            messages = SensorMessages(
                sensors, simulation.faults, as_packets=True, seen_only=not (options.out or options.udp)
            )
            sender = None
            if options.udp and messages.packet_model is not None:
                sender = stack.enter_context(PacketStream(host or "127.0.0.1", _port(port) + number, self._now_ns))
            platforms.append(Platform(sensors, messages, sender))
        return platforms

    def _open_bag(self, path: Path) -> BagWriter:
        bag = BagWriter(path)
        self._stack.callback(bag.close)
        write_bag_files(path, self._simulation, [item.messages for item in self._platforms])
        self._first = self._simulation.time
        return bag

    def step(self) -> None:
        """Simulate a tenth of a second."""
        frame = self._simulation.step()
        if self._options.realtime:
            due = self._began + self._frames * STEP_NS / 1e9
            time.sleep(max(due - time.monotonic(), 0.0))
        if self._truth is not None:
            self._truth.write(frame)
        for platform in self._platforms:
            self._sense(platform, frame)
        if self._bag is not None:
            self._record_truth(frame)
            self._record_until(self._bag, frame.stamp_ns - STEP_NS)
            if self._frames % FLUSH_FRAMES == 0:
                self._bag.flush()
        self._frames += 1

    def _now_ns(self) -> int:
        """Return the time of packets: that of the run, a frame late, because a turn is known when its frame is."""
        return self._first_ns + round((time.monotonic() - self._began) * 1e9) - STEP_NS

    def _sense(self, platform: Platform, frame: Frame) -> None:
        output = platform.sensors.push(frame, picture=self._options.images)
        for arrival in platform.messages.of(output):
            if arrival.key == "sim_visibility" and self._truth is not None:
                seen = arrival.message["actors"]
                name = platform.messages.name
                self._truth.see(arrival.time_ns, name, seen["actor_id"], seen["points"], seen["pixels"])
            if arrival.key == "lidar_packets" and platform.sender is not None:
                platform.sender.send(arrival.message, arrival.ahead_ns)
            self._keep(platform.messages.name, arrival)

    def _record_truth(self, frame: Frame) -> None:
        made = (convert.actors_to_message(frame), convert.events_to_message(frame), convert.signals_to_message(frame))
        for key, message in zip(TRUTH_KEYS, made, strict=True):
            self._keep("", Arrival(key, frame.stamp_ns, message))

    def _keep(self, platform: str, arrival: Arrival) -> None:
        if self._bag is not None:
            self._waiting.push(arrival, platform)

    def _record_until(self, bag: BagWriter, time_ns: int) -> None:
        """Write what has arrived by a time, in order of arrival."""
        for platform, arrival in self._waiting.arrived(time_ns):
            entry = registry.topic(arrival.key)
            topic = entry.resolve(platform)
            if topic not in bag.topics:
                bag.add_topic(topic)
            bag.write(topic, arrival.time_ns, codec_for(entry.type_name).encode(arrival.message))

    def finish(self) -> None:
        """Write what is still on its way, and what the bag is expected to show."""
        if self._bag is not None:
            self._record_until(self._bag, np.iinfo(np.int64).max)
            write_events(self._bag.path, self._simulation.scenario, self._first, self._simulation.time)


def _port(text: str) -> int:
    if not text.isdigit() or not 0 < int(text) < 65536:
        raise ConfigError(f"udp: {text!r}; expected HOST:PORT, e.g. 127.0.0.1:7502")
    return int(text)
