"""What a node tells about itself on /diagnostics."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue

from twin_common import stamps
from twin_common.runtime import NodeRuntime


def status_of(runtime: NodeRuntime) -> DiagnosticStatus:
    """Return the status of one node: times, rates, drops, and what is wrong if anything is."""
    values: dict[str, Any] = {}
    for key, window in (
        ("processing_time_ms", runtime.processing_ms),
        ("pipeline_latency_ms", runtime.latency_ms),
    ):
        if window:
            p50, p95 = np.percentile(window, (50, 95))
            values[key], values[f"{key}.p95"] = f"{p50:.3f}", f"{p95:.3f}"
    for port in runtime.ports:
        name = f"input.{port.input.name}" + (f".{port.source}" if port.source else "")
        figures = port.figures
        values[f"{name}.received"], values[f"{name}.rate"] = figures.received, f"{figures.rate:.2f}"
        values[f"{name}.missed"], values[f"{name}.dropped"] = figures.missed, figures.dropped
        values[f"{name}.late"] = figures.late
    for outlet in runtime.outlets.values():
        values[f"output.{outlet.port}.published"] = outlet.published
    values.update({f"count.{event}": number for event, number in sorted(runtime.events.items())})
    values.update(
        {key: f"{value:.4g}" if isinstance(value, float) else value for key, value in runtime.measures.items()}
    )
    return DiagnosticStatus(
        level=DiagnosticStatus.WARN if runtime.problem else DiagnosticStatus.OK,
        name=runtime.name,
        message=runtime.problem or "ok",
        values=[KeyValue(key=key, value=str(value)) for key, value in values.items()],
    )


def diagnostics_of(runtimes: Iterable[NodeRuntime], now_ns: int) -> DiagnosticArray:
    """Return one message with the status of every node of a process."""
    message = DiagnosticArray(status=[status_of(runtime) for runtime in runtimes])
    stamps.fill_time(message.header.stamp, now_ns)
    return message
