import dataclasses
import json
import math

import numpy as np
import pytest

from twin_viz.core import alerts, geojson
from twin_viz.core.alerts import AlertBook, AlertState, LogLevel

RAISED = AlertState(
    stamp_ns=2_000_000_000, alert_id="a1", state=alerts.RAISED, kind="predicted_collision", severity=3, probability=0.8,
    time_to_event=1.6, latency_ms=73.6, raised_ns=2_000_000_000, latitude=35.0, longitude=127.0, radius=5.0,
    place="crossing", agencies=("police", "fire"), text="car 1 and pedestrian 6", operator_name="", note="",
)  # fmt: skip


def changed(**values) -> AlertState:
    return dataclasses.replace(RAISED, **values)


def test_a_line_tells_what_where_when_and_to_whom() -> None:
    assert alerts.line(RAISED) == (
        "RAISED predicted collision; car 1 and pedestrian 6; at crossing; in 1.6 s; "
        "to police, fire, 74 ms after the sensor [a1]"
    )
    answer = changed(state=alerts.ACKNOWLEDGED, operator_name="Kim", note="on it", time_to_event=math.nan)
    assert alerts.line(answer).endswith("by Kim: on it [a1]")


@pytest.mark.parametrize(
    ("state", "severity", "level"),
    [
        (alerts.RAISED, 0, LogLevel.INFO), (alerts.RAISED, 1, LogLevel.WARNING), (alerts.UPDATED, 2, LogLevel.ERROR),
        (alerts.RAISED, 3, LogLevel.FATAL), (alerts.RAISED, 200, LogLevel.FATAL), (alerts.EXPIRED, 3, LogLevel.INFO),
        (alerts.ACKNOWLEDGED, 3, LogLevel.INFO),
    ],
)  # fmt: skip
def test_the_level_follows_severity_until_somebody_has_taken_care(state: int, severity: int, level: LogLevel) -> None:
    assert alerts.level(changed(state=state, severity=severity)) is level


def test_the_book_keeps_the_newest_state_of_open_alerts() -> None:
    book = AlertBook()
    for alert in (
        changed(alert_id="mild", severity=1, raised_ns=9),
        changed(alert_id="old", raised_ns=1),
        changed(alert_id="new", raised_ns=2),
        changed(alert_id="seen", state=alerts.ACKNOWLEDGED, raised_ns=10),
        changed(alert_id="gone", raised_ns=3),
        changed(alert_id="gone", state=alerts.EXPIRED),
        changed(alert_id="off", state=alerts.CANCELLED),
    ):
        book.take(alert)
    assert [alert.alert_id for alert in book.open()] == ["new", "old", "mild", "seen"]
    rows = json.loads(json.dumps(book.summary()))["alerts"]
    assert rows[3]["state"] == "acknowledged"
    assert rows[0]["raised_ns"] == "2"


def test_a_disc_on_the_map_has_its_radius() -> None:
    feature = geojson.disc("alert", 127.0, 35.0, 50.0, (1.0, 0.0, 0.0))
    ring = np.array(feature["geometry"]["coordinates"][0])
    east = (ring[:, 0] - 127.0) * 111_320 * math.cos(math.radians(35))
    north = (ring[:, 1] - 35.0) * 111_320
    np.testing.assert_allclose(np.hypot(east, north), 50.0, rtol=1e-3)
    np.testing.assert_array_equal(ring[0], ring[-1])
    assert feature["properties"]["style"]["color"] == "#ff0000"
