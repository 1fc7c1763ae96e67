"""All rules by the name that a table row calls them."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from twin_incidents.core import collision, places
from twin_incidents.core.scene import Finding, Scene
from twin_incidents.table import IncidentRow

RULES: dict[str, Callable[[Scene, IncidentRow], list[Finding]]] = {
    "predicted_collision": collision.predicted_collision,
    "pedestrian_on_carriageway": places.pedestrian_on_carriageway,
    "vehicle_stopped_in_lane": places.vehicle_stopped_in_lane,
    "crowd_density": places.crowd_density,
    "platform_lost": places.platform_lost,
}


def findings_of(scene: Scene, rows: Iterable[IncidentRow]) -> list[Finding]:
    """Return what every row of the table finds in a scene."""
    return [finding for row in rows for finding in RULES[row.rule](scene, row)]
