"""``./twin bench``: speed, latency, CPU and memory, with medians."""

from __future__ import annotations

import argparse
import asyncio
import importlib
import json
import os
import shutil
import statistics
import sys
from pathlib import Path
from typing import Any

import psutil
from rich.console import Console
from rich.table import Table

from twin_bringup.demo import wide_console
from twin_bringup.descriptions import ReplayOptions, bag_district, plan_replay
from twin_bringup.jobs import run_folder
from twin_bringup.monitor import Monitor, Picture
from twin_bringup.paths import find
from twin_bringup.runner import Runner
from twin_common.config import ConfigError
from twin_common.district import load_district
from twin_common.node_spec import ProcessSpec

#: Benchmarks of single packages: ``<package>.bench:run()`` returns {what: median milliseconds}.
PACKAGES = {
    "messages": "twin_common", "drivers": "twin_drivers", "localization": "twin_localization",
    "perception": "twin_detection", "fusion": "twin_fusion", "tracking": "twin_tracking", "behavior": "twin_behavior",
    "prediction": "twin_prediction", "incidents": "twin_incidents", "state": "twin_state", "replay": "twin_replay",
    "scene": "twin_viz", "sim": "twin_sim",
}  # fmt: skip
SAMPLE = 1.0  # seconds
SETTLE = 4.0  # seconds of start-up that are not measured


def register(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command."""
    parser = commands.add_parser("bench", help="speed, latency and memory")
    parser.add_argument("name", nargs="?", default="graph", help=f"graph (default), all, {', '.join(PACKAGES)}")
    parser.add_argument("--input", default="bags/near_miss", metavar="BAG", help="bag folder for the graph")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures here too")
    parser.set_defaults(func=run)


def run(arguments: argparse.Namespace) -> int:
    """Run one benchmark, or all."""
    names = [*PACKAGES, "graph"] if arguments.name == "all" else [arguments.name]
    console = wide_console()
    figures: dict[str, Any] = {}
    for name in names:
        if name == "graph":
            figures[name] = _bench_graph(console, find(arguments.input, "a bag folder"))
        elif name in PACKAGES:
            figures[name] = importlib.import_module(f"{PACKAGES[name]}.bench").run()
            table = Table("what", "median", title=f"{name} ({PACKAGES[name]})", title_justify="left")
            for what, value in figures[name].items():
                table.add_row(what, f"{value:.3f}" if isinstance(value, float) else str(value))
            console.print(table)
        else:
            raise ConfigError(f"bench: no benchmark {name!r}; expected graph, all, {', '.join(PACKAGES)}")
    if arguments.json:
        arguments.json.write_text(json.dumps(figures, indent=2) + "\n")
    return 0


def _bench_graph(console: Console, bag: Path) -> dict[str, Any]:
    """Run the graph on a recording with one platform, then with all."""
    os.environ.setdefault("ROS_AUTOMATIC_DISCOVERY_RANGE", "LOCALHOST")
    results = {}
    every = [platform.name for platform in load_district(bag_district(bag, "")).platforms]
    for chosen in dict.fromkeys((every[0], ",".join(every))):
        options = ReplayOptions(bag=str(bag), platforms=chosen, foxglove_port=0)
        folder = run_folder()
        try:
            label = f"{len(chosen.split(','))} platform(s)"
            console.print(f"running the graph with {label} …")
            results[label] = asyncio.run(_measure(options, folder))
        finally:
            shutil.rmtree(folder, ignore_errors=True)
        _print(console, label, results[label])
    return results


async def _measure(options: ReplayOptions, folder: Path) -> dict[str, Any]:
    monitor = Monitor()
    plan = plan_replay(options, folder)
    runner = Runner(plan.jobs, write=lambda name, line: print(f"[{name}] {line}", file=sys.stderr))
    try:
        running = asyncio.create_task(runner.run())
        await asyncio.wait({running}, timeout=SETTLE)
        usage: dict[str, list[tuple[float, float]]] = {}
        watched: dict[int, psutil.Process] = {}
        while not running.done():
            for name, pid in runner.pids().items():
                try:
                    process = watched.setdefault(pid, psutil.Process(pid))
                    usage.setdefault(name, []).append((process.cpu_percent(), process.memory_info().rss / 2**20))
                except psutil.NoSuchProcess:
                    continue
            await asyncio.wait({running}, timeout=SAMPLE)
        outcome = await running
        if outcome.exit_code:
            raise ConfigError(f"bench: the graph failed: {outcome.reason}")
        with monitor.lock:
            return _figures(plan.processes, monitor.picture, usage)
    finally:
        monitor.close()


def _figures(
    processes: tuple[ProcessSpec, ...], picture: Picture, usage: dict[str, list[tuple[float, float]]]
) -> dict[str, Any]:
    stages = {}
    for node in (node for process in processes for node in process.nodes):
        figures = picture.nodes.get(node.full_name)
        if figures is not None:
            stages[node.full_name] = {
                key: figures.number(value)
                for key, value in (
                    ("work_ms", "processing_time_ms"), ("work_ms_p95", "processing_time_ms.p95"),
                    ("latency_ms", "pipeline_latency_ms"), ("latency_ms_p95", "pipeline_latency_ms.p95"),
                )
            }  # fmt: skip
    load = {
        name: {
            "cpu_percent": statistics.median(cpu for cpu, _ in samples[1:] or samples),
            "memory_mib": max(memory for _, memory in samples),
        }
        for name, samples in usage.items()
    }
    raised = [alert.latency_ms for alert in picture.alerts if alert.state == alert.STATE_RAISED]
    return {"stages": stages, "processes": load, "alert_latency_ms": raised}


def _print(console: Console, label: str, result: dict[str, Any]) -> None:
    table = Table(
        "stage", "work ms p50", "p95", "since the sensor's stamp ms p50", "p95", title=label, title_justify="left"
    )
    for name, row in result["stages"].items():
        table.add_row(name, *("–" if value != value else f"{value:.1f}" for value in row.values()))
    console.print(table)
    table = Table("process", "CPU % of one core", "memory MiB")
    for name, row in result["processes"].items():
        table.add_row(name, f"{row['cpu_percent']:.0f}", f"{row['memory_mib']:.0f}")
    console.print(table)
    if result["alert_latency_ms"]:
        worst = max(result["alert_latency_ms"])
        console.print(f"alerts raised: {len(result['alert_latency_ms'])}, sensor stamp to alert: worst {worst:.0f} ms")
