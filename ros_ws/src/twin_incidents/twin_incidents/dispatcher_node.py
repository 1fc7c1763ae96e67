"""Node that turns incidents into alerts and carries them through their life."""

from __future__ import annotations

from typing import Any

import numpy as np

from twin_common import stamps
from twin_common.component import Component, Context, Input, Output, Service, Timer
from twin_common.district import load_district
from twin_incidents import convert
from twin_incidents.config import DispatcherConfig
from twin_incidents.core.alert_life import Alert, AlertLife, State, TransitionError, UpdatePolicy
from twin_incidents.table import load_table
from twin_msgs.msg import Incident, IncidentArray


class Dispatcher(Component):
    """Incidents in, one alert out for every change of an alert's state; operators acknowledge and cancel."""

    Config = DispatcherConfig
    inputs = (Input("incidents", "incidents", max_age=1.0),)
    outputs = (Output("alerts", "alerts"),)
    timers = (Timer("watch", 0.5),)
    services = (
        Service("acknowledge", "twin_msgs/srv/AcknowledgeAlert"),
        Service("cancel", "twin_msgs/srv/CancelAlert"),
    )

    def __init__(self, config: DispatcherConfig, context: Context) -> None:
        """Read the district and the table."""
        super().__init__(config, context)
        self._district = load_district(config.district)
        self._datum = self._district.origin()
        self._gazetteer = convert.gazetteer_from_district(self._district)
        self._rows = {row.kind: row for row in load_table(config.table)}
        self._life = AlertLife(
            UpdatePolicy(config.min_interval, config.repeat, config.probability_band, config.place_step)
        )
        self._incidents: dict[str, Incident] = {}  # as last seen, by name
        self._heard_ns: int | None = None

    def on_incidents(self, message: IncidentArray, source: str) -> None:
        """Bring all alerts up to date."""
        now_ns = self.context.now_ns()
        newest_ns = stamps.from_time(message.header.stamp)
        current = {incident.incident_id: incident for incident in message.incidents}
        self._incidents |= current
        self._heard_ns = now_ns
        for alert in self._life.step([convert.observed_from_incident(item) for item in message.incidents], now_ns):
            self._tell(alert, now_ns, newest_ns if alert.state is State.EXPIRED else None)
        self._incidents = {
            alert.told.incident_id: self._incidents[alert.told.incident_id] for alert in self._life.live
        } | current
        self.context.measure("open_alerts", float(len(self._life.live)))

    def on_timer_watch(self, now_ns: int) -> None:
        """Report a silent incident detector: open alerts stay open, for nobody knows that they have ended."""
        silent = 0.0 if self._heard_ns is None else (now_ns - self._heard_ns) / stamps.NANOSECONDS
        if silent > self.config.max_silence:
            self.context.report(f"no incidents for more than {self.config.max_silence:.1f} s; expected 10 a second")
        else:
            self.context.report(None)

    def on_service_acknowledge(self, request: Any, response: Any) -> Any:
        """Note that an operator takes care of an alert."""
        return self._by_operator(self._life.acknowledge, request, response)

    def on_service_cancel(self, request: Any, response: Any) -> Any:
        """Call an alert off."""
        return self._by_operator(self._life.cancel, request, response)

    def _by_operator(self, change: Any, request: Any, response: Any) -> Any:
        now_ns = self.context.now_ns()
        try:
            alert = change(request.alert_id, request.operator_name, request.note, now_ns)
        except TransitionError as error:
            self.context.count("refused")
            response.success, response.message = False, str(error)
            return response
        self._tell(alert, now_ns, None)
        response.success, response.message = True, ""
        return response

    def _tell(self, alert: Alert, now_ns: int, sensor_ns: int | None) -> None:
        """Publish an alert; ``sensor_ns`` overrides the incident's stamp where newer data has ended it."""
        incident = self._incidents[alert.told.incident_id]
        sensor_ns = stamps.from_time(incident.sensor_stamp) if sensor_ns is None else sensor_ns
        message = convert.message_from_alert(alert, incident, sensor_ns, now_ns)
        position = self._datum.to_wgs84(*np.array([incident.x, incident.y, 0.0]))
        message.latitude, message.longitude, message.altitude = (float(value) for value in position)
        message.place = self._gazetteer.place(incident.x, incident.y)
        row = self._rows.get(incident.kind)
        if row is None:
            self.context.count("unknown_kind")
            message.text = f"{message.place}: {incident.cause}"
        else:
            message.agencies = list(row.agencies)
            message.text = getattr(row.text, self.config.language).format(
                place=message.place, cause=incident.cause, count=len(incident.track_ids),
                time_to_event=incident.time_to_event, percent=100 * incident.probability,
                platforms=", ".join(incident.platforms),
            )  # fmt: skip
        self.context.publish("alerts", message)


def main() -> int:
    """Run the node."""
    from twin_common.ros_host import run_component  # only here: lockstep replay needs no middleware

    return run_component(Dispatcher, "dispatcher")


if __name__ == "__main__":
    raise SystemExit(main())
