"""The main job: a recording, or a live district, through the whole graph, watched and judged."""

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
from pathlib import Path

from rich.console import Console
from rich.live import Live
from rich.text import Text

from twin_bringup.descriptions import ReplayOptions, bag_district, names_of, replay_jobs
from twin_bringup.graph import GraphOptions, build_graph, sensor_topics
from twin_bringup.jobs import run_folder
from twin_bringup.monitor import Monitor, Picture
from twin_bringup.paths import find
from twin_bringup.report import alert_table, live_view, objects_line, silent_stages, stage_table
from twin_bringup.runner import Outcome, Runner
from twin_common.config import ConfigError, load_yaml
from twin_common.district import load_district
from twin_common.node_spec import ProcessSpec

REFRESH = 0.5  # seconds
ALERT_MARGIN = 8.0  # seconds an event may need to become an alert (a stopped vehicle: 5 s and more)
TABLE_WIDTH = 150  # columns
NEWS = 2.0  # seconds between lines without a terminal


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


def expected_alerts(bag: Path, played: float) -> set[str]:
    """Return the kinds of alerts that ``played`` seconds of a recording must raise, from the events.yaml beside it."""
    path = bag / "events.yaml"
    if not path.is_file():
        return set()
    return {str(event["kind"]) for event in load_yaml(path) if float(event["start"]) + ALERT_MARGIN < played}


def run_demo(arguments: argparse.Namespace) -> int:
    """Run the demo; return 0 only if every stage produced output."""
    os.environ.setdefault("ROS_AUTOMATIC_DISCOVERY_RANGE", "LOCALHOST")
    bag = find(arguments.input, "a bag folder")
    options = ReplayOptions(
        bag=str(bag), rate=arguments.rate, duration=arguments.duration or 0.0, foxglove_port=arguments.port,
        platforms=arguments.platforms,
    )  # fmt: skip
    if options.foxglove_port:
        require_free_port(options.foxglove_host, options.foxglove_port)
    folder = run_folder()
    try:
        return asyncio.run(_run(arguments, options, folder))
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def graph_of(options: ReplayOptions) -> tuple[ProcessSpec, ...]:
    """Return the processes that ``replay_jobs`` runs for these options."""
    from twin_replay.bag import topics_of

    path = bag_district(Path(options.bag), options.district)
    played = sensor_topics(load_district(path), topics_of(Path(options.bag)))
    return build_graph(path, GraphOptions(use_sim_time=True, provided=played, platforms=names_of(options.platforms)))


async def _run(arguments: argparse.Namespace, options: ReplayOptions, folder: Path) -> int:
    jobs = replay_jobs(options, folder)
    processes = graph_of(options)
    console = wide_console()
    fancy = console.is_terminal and not arguments.headless
    monitor = Monitor()
    runner = Runner(jobs, write=_writer(console))
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, runner.interrupt)
    if options.foxglove_port:
        console.print(
            f"Foxglove: ws://{options.foxglove_host}:{options.foxglove_port}  (./twin view opens the operator's view)"
        )
    try:
        running = asyncio.create_task(runner.run())
        show = _show_table if fancy else _show_lines
        await show(console, running, processes, monitor, Path(options.bag).name)
        outcome = await running
        with monitor.lock:
            return _summary(console, processes, monitor.picture, outcome, options, arguments)
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
    del processes
    while not running.done():
        await asyncio.wait({running}, timeout=NEWS)
        with monitor.lock:
            alerts = len({alert.alert_id for alert in monitor.picture.alerts})
            console.print(f"{title}: ", objects_line(monitor.picture), f"   alerts: {alerts}", sep="")


def _summary(
    console: Console, processes: Sequence[ProcessSpec], picture: Picture, outcome: Outcome, options: ReplayOptions,
    arguments: argparse.Namespace,
) -> int:  # fmt: skip
    """Print what happened and return the exit code."""
    console.print(stage_table(processes, picture, f"summary of {options.bag}"))
    console.print(objects_line(picture))
    console.print(alert_table(picture))
    if outcome.exit_code:
        console.print(f"[red]failed:[/red] {outcome.reason}")
        return outcome.exit_code
    problems = silent_stages(processes, picture)
    whole = options.platforms == "all" and not outcome.interrupted
    expected = expected_alerts(Path(options.bag), arguments.duration or math.inf) if whole else set()
    missing = expected - {alert.kind for alert in picture.alerts}
    problems += [f"alert {kind} was not raised" for kind in sorted(missing)]
    for problem in problems:
        console.print(f"[red]failed:[/red] {problem}")
    if not problems:
        console.print(f"[green]every stage produced output[/green] ({outcome.restarts} restarts)")
    sys.stdout.flush()
    return 1 if problems else 0
