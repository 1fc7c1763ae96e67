"""What stands beside a recorded bag: its district, with drivers for the packets in it, and what is expected of it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from twin_sim.scenario import Scenario
from twin_sim.sensor_messages import SensorMessages
from twin_sim.simulation import Simulation


def write_bag_files(folder: Path, simulation: Simulation, platforms: Sequence[SensorMessages]) -> None:
    """Write ``district.yaml`` and the metadata of Ouster sensors into a bag's folder."""
    by_name = {item.name: item for item in platforms}
    source = simulation.world.folder / "district.yaml"
    district = yaml.safe_load(source.read_text())
    district["platforms"] = [
        _platform(folder, entry, by_name[entry["name"]]) for entry in district["platforms"] if entry["name"] in by_name
    ]
    write_yaml(folder / "district.yaml", district, f"Of a run of {simulation.scenario.name}, seed {simulation.seed}.")


def write_events(folder: Path, scenario: Scenario, begin: float, end: float) -> None:
    """Write ``events.yaml`` of a bag that shows a scenario from ``begin`` to ``end``, seconds."""
    heading = "What is expected to happen; start: seconds after the first frame."
    write_yaml(folder / "events.yaml", expected(scenario, begin, end), heading)


def _platform(folder: Path, entry: dict[str, Any], messages: SensorMessages) -> dict[str, Any]:
    """Return a platform's entry whose LiDAR is driven from the packets of the bag."""
    if messages.packet_model is not None:
        name = f"{messages.name}_lidar.json"
        (folder / name).write_text(messages.metadata())
        driver = {"source": "packets", "model": messages.packet_model.driver, "metadata": name}
        entry["lidar"] = {**entry["lidar"], "driver": driver}
    return entry


def expected(scenario: Scenario, begin: float, end: float) -> list[dict[str, Any]]:
    """Return the events of a scenario from ``begin`` to ``end``, seconds, as an events.yaml lists them."""
    return [
        {
            "kind": event.kind, "start": round(event.time - begin, 3), "within": event.within,
            "actors": list(event.actors),
        }
        for event in scenario.config.events
        if begin <= event.time < end
    ]  # fmt: skip


def write_yaml(path: Path, content: Any, heading: str) -> None:
    """Write YAML with keys in the given order and short lists on one line."""
    text = yaml.safe_dump(content, sort_keys=False, allow_unicode=True, default_flow_style=None, width=110)
    path.write_text(f"# {heading}\n{text}")
