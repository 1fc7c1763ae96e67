"""Tables of a running or finished graph, for the terminal."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from twin_bringup.monitor import ALERT_STATES, Picture
from twin_common import registry
from twin_common.node_spec import NodeSpec, ProcessSpec

#: Outputs that a stage need not produce: made on demand, or only when something happens.
OPTIONAL = frozenset({"lidar_foreground", "lidar_packets", "camera_image", "camera_info", "camera_objects",
                      "camera_signals", "camera_view", "alerts",
                      "gnss_fix", "gnss_velocity", "imu", "odometry", "map_pose"})  # fmt: skip


def outputs(node: NodeSpec) -> list[tuple[str, registry.Topic]]:
    """Return (port, registry entry) of each output of a node."""
    return [(output.name, registry.topic(output.topic)) for output in node.component_class().outputs]


def silent_stages(processes: Iterable[ProcessSpec], picture: Picture) -> list[str]:
    """Return every stage that has not produced what it exists for, in words; empty: all did."""
    missing = []
    for node in (node for process in processes for node in process.nodes):
        for port, entry in outputs(node):
            if entry.key not in OPTIONAL and not picture.published(node.full_name, port):
                missing.append(f"{node.full_name} published nothing on {entry.key}")
    if not picture.seen:
        missing.append("the tracker confirmed no object")
    return missing


def _milliseconds(value: float) -> str:
    return "–" if math.isnan(value) else f"{value:.1f}"


def stage_table(processes: Iterable[ProcessSpec], picture: Picture, title: str) -> Table:
    """Return a row per node: messages out, times, latencies, what was missed, and its state."""
    table = Table(title=title, title_justify="left", header_style="bold", expand=False)
    for heading in ("node", "out", "rate Hz", "work ms", "p95", "latency ms", "p95", "missed", "late"):
        table.add_column(heading, justify="left" if heading == "node" else "right", no_wrap=True)
    table.add_column("state")
    for node in (node for process in processes for node in process.nodes):
        figures = picture.nodes.get(node.full_name)
        if figures is None:
            table.add_row(node.full_name, *("–",) * 8, Text("not seen", style="red"))
            continue
        out = sum(figures.totals[f"output.{port}.published"] for port, _ in outputs(node))
        rates = [float(v) for k, v in figures.values.items() if k.startswith("input.") and k.endswith(".rate")]
        lost = sum(n for k, n in figures.totals.items() if k.endswith((".missed", ".dropped")))
        late = sum(n for k, n in figures.totals.items() if k.endswith(".late"))
        state = Text("ok", style="green") if figures.level == 0 else Text(figures.message[:60], style="yellow")
        times = [
            _milliseconds(figures.number(key + tail))
            for key in ("processing_time_ms", "pipeline_latency_ms")
            for tail in ("", ".p95")
        ]
        rate = f"{max(rates):.1f}" if rates and max(rates) else "–"
        table.add_row(node.full_name, str(out), rate, *times, str(lost), str(late), state)
    return table


def graph_line(processes: Iterable[ProcessSpec], picture: Picture) -> Text:
    """Return what the graph waits for while it starts, and then the objects that it tracks."""
    names = [node.full_name for process in processes for node in process.nodes]
    silent = [name for name in names if name not in picture.nodes]
    learning = [name for name in names if name in picture.nodes and picture.nodes[name].number("learning") > 0]
    if picture.seen or not (silent or learning):
        return objects_line(picture)
    waits = []
    if silent:
        waits.append(f"{len(names) - len(silent)} of {len(names)} nodes run, not yet {_listed(silent)}")
    if learning:
        waits.append(f"no background yet at {_listed(learning)}")
    return Text.assemble(("starting: ", "bold"), "; ".join(waits))


def _listed(names: list[str], most: int = 3) -> str:
    more = len(names) - most
    return ", ".join(names[:most]) + (f" and {more} more" if more > 0 else "")


def objects_line(picture: Picture) -> Text:
    """Return the objects tracked now and in all, by class."""
    now = ", ".join(f"{number} {name}" for name, number in sorted(picture.objects.items())) or "none"
    total = ", ".join(f"{number} {name}" for name, number in sorted(Counter(picture.seen.values()).items())) or "none"
    return Text.assemble(("objects now: ", "bold"), now, ("   tracks so far: ", "bold"), total)


def alert_table(picture: Picture, limit: int = 12) -> RenderableType:
    """Return the latest state of the latest alerts."""
    latest = {alert.alert_id: alert for alert in picture.alerts}
    first: dict[str, Any] = {}
    for alert in picture.alerts:
        first.setdefault(alert.alert_id, alert)
    if not latest:
        return Text("alerts: none yet", style="dim")
    table = Table(title="alerts", title_justify="left", header_style="bold")
    for heading in ("kind", "state", "latency ms", "where", "cause"):
        table.add_column(heading)
    for alert in list(latest.values())[-limit:]:
        raised = first[alert.alert_id]
        table.add_row(
            alert.kind, ALERT_STATES[alert.state], f"{raised.latency_ms:.0f}",
            f"{alert.latitude:.6f}, {alert.longitude:.6f} {alert.place}", raised.cause,
        )  # fmt: skip
    return table


def live_view(processes: Sequence[ProcessSpec], picture: Picture, title: str) -> RenderableType:
    """Return what the operator sees while the graph runs."""
    return Group(stage_table(processes, picture, title), graph_line(processes, picture), alert_table(picture))
