"""The main job: the simulated district, or a recording, through the whole graph, watched and judged."""

from __future__ import annotations

import argparse
import asyncio
import math
import os
import shutil
import signal
import socket
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.live import Live
from rich.text import Text

from twin_bringup.descriptions import ReplayOptions, plan_replay
from twin_bringup.jobs import run_folder
from twin_bringup.monitor import Monitor, Picture
from twin_bringup.paths import find
from twin_bringup.plan import Plan
from twin_bringup.report import alert_table, graph_line, live_view, objects_line, silent_stages, stage_table
from twin_bringup.runner import Outcome, Runner
from twin_bringup.simulation import (
    DEFAULT_SCENARIO,
    INCIDENT_OF,
    PROMPT,
    SimulationOptions,
    is_scenario,
    plan_simulation,
    simulated_alerts,
)
from twin_common.config import ConfigError, load_yaml
from twin_common.node_spec import ProcessSpec

REFRESH = 0.5  # seconds
TABLE_WIDTH = 150  # columns
NEWS = 2.0  # seconds between lines without a terminal
FOXGLOVE_HOST = ReplayOptions().foxglove_host


def require_free_port(host: str, port: int) -> None:
    """Refuse a port that something else listens on, before anything is started.

    Raises:
        ConfigError: the port is in use.

    """
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise ConfigError(
                f"foxglove: port {port} on {host}: {error.strerror}; expected a free port (--port N)"
            ) from None


def wide_console() -> Console:
    """Return a console as wide as the terminal, or wide enough for the tables where there is none."""
    console = Console()
    return console if console.is_terminal else Console(width=TABLE_WIDTH)


def expected_alerts(events: Path, played: float) -> set[str]:
    """Return the kinds of alerts that ``played`` seconds must raise, from an events.yaml; none where it is missing.

    An event needs time to happen (``within``) and time to become an alert.
    """
    if not events.is_file():
        return set()
    listed = [event for event in load_yaml(events) if event["start"] + event.get("within", 0.0) + PROMPT < played]
    return {INCIDENT_OF[event["kind"]] for event in listed if event["kind"] in INCIDENT_OF}


@dataclass(frozen=True, slots=True)
class Show:
    """What a demo shows: a plan, its name, and the alerts that it must raise."""

    title: str
    plan: Plan
    alerts: set[str]


def _show_of(arguments: argparse.Namespace, folder: Path) -> Show:
    """Plan a recording, or a scenario in the simulated district.

    Raises:
        ConfigError: there is no such bag or scenario, or it does not fit the options.

    """
    played = arguments.duration or math.inf
    if arguments.input and not is_scenario(arguments.input):
        bag = find(arguments.input, "a bag folder, or a scenario's name or file")
        from twin_replay.bag import BagReader

        replay = ReplayOptions(
            bag=str(bag), rate=arguments.rate, duration=arguments.duration or 0.0, foxglove_port=arguments.port,
            platforms=arguments.platforms or "all",
        )  # fmt: skip
        events = bag / "events.yaml"
        played = min(played, BagReader(bag, recover=True).duration)
        whole = replay.platforms == "all"
        return Show(str(bag), plan_replay(replay, folder), expected_alerts(events, played) if whole else set())
    simulation = SimulationOptions(
        scenario=arguments.input or DEFAULT_SCENARIO, rate=arguments.rate, duration=arguments.duration or 0.0,
        foxglove_port=arguments.port, platforms=arguments.platforms or SimulationOptions().platforms,
        cameras=arguments.cameras,
    )  # fmt: skip
    return Show(simulation.scenario, plan_simulation(simulation, folder), simulated_alerts(simulation, played))


def run_demo(arguments: argparse.Namespace) -> int:
    """Run the demo; return 0 only if every stage produced output."""
    os.environ.setdefault("ROS_AUTOMATIC_DISCOVERY_RANGE", "LOCALHOST")
    folder = run_folder()
    try:
        show = _show_of(arguments, folder)
        if arguments.port:
            require_free_port(FOXGLOVE_HOST, arguments.port)
        return asyncio.run(_run(arguments, show))
    finally:
        shutil.rmtree(folder, ignore_errors=True)


async def _run(arguments: argparse.Namespace, show: Show) -> int:
    console = wide_console()
    fancy = console.is_terminal and not arguments.headless
    monitor = Monitor()
    runner = Runner(show.plan.jobs, write=_writer(console))
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, runner.interrupt)
    if arguments.port:
        console.print(f"Foxglove: ws://{FOXGLOVE_HOST}:{arguments.port}  (./twin view opens the operator's view)")
    try:
        running = asyncio.create_task(runner.run())
        display = _show_table if fancy else _show_lines
        await display(console, running, show.plan.processes, monitor, Path(show.title).stem)
        outcome = await running
        with monitor.lock:
            return _summary(console, show, monitor.picture, outcome)
    finally:
        monitor.close()


def _writer(console: Console) -> Callable[[str, str], None]:
    def write(name: str, line: str) -> None:
        console.print(Text(f"[{name}] ", style="dim").append(line, style="not dim"), soft_wrap=True)

    return write


async def _show_table(
    console: Console, running: asyncio.Task[Outcome], processes: Sequence[ProcessSpec], monitor: Monitor, title: str
) -> None:
    with Live(console=console, auto_refresh=False, transient=True) as live:
        while not running.done():
            with monitor.lock:
                view = live_view(processes, monitor.picture, title)
            live.update(view, refresh=True)
            await asyncio.wait({running}, timeout=REFRESH)


async def _show_lines(
    console: Console, running: asyncio.Task[Outcome], processes: Sequence[ProcessSpec], monitor: Monitor, title: str
) -> None:
    while not running.done():
        await asyncio.wait({running}, timeout=NEWS)
        with monitor.lock:
            alerts = len({alert.alert_id for alert in monitor.picture.alerts})
            console.print(f"{title}: ", graph_line(processes, monitor.picture), f"   alerts: {alerts}", sep="")


def _summary(console: Console, show: Show, picture: Picture, outcome: Outcome) -> int:
    """Print what happened and return the exit code."""
    console.print(stage_table(show.plan.processes, picture, f"summary of {show.title}"))
    console.print(objects_line(picture))
    console.print(alert_table(picture))
    if outcome.exit_code:
        console.print(f"[red]failed:[/red] {outcome.reason}")
        return outcome.exit_code
    problems = silent_stages(show.plan.processes, picture)
    missing = set() if outcome.interrupted else show.alerts - {alert.kind for alert in picture.alerts}
    problems += [f"alert {kind} was not raised" for kind in sorted(missing)]
    for problem in problems:
        console.print(f"[red]failed:[/red] {problem}")
    if not problems:
        console.print(f"[green]every stage produced output[/green] ({outcome.restarts} restarts)")
    sys.stdout.flush()
    return 1 if problems else 0
