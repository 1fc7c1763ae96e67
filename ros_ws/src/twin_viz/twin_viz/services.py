"""Services that operators call from Foxglove, in JSON."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import foxglove

from twin_common import cdr

ACKNOWLEDGE = "/district/dispatcher/acknowledge"
CANCEL = "/district/dispatcher/cancel"
TYPES = {ACKNOWLEDGE: "twin_msgs/srv/AcknowledgeAlert", CANCEL: "twin_msgs/srv/CancelAlert"}
LATEST = "latest"
_REQUEST = ("alert_id", "operator_name", "note")
_RESPONSE = {"success": "boolean", "message": "string"}


class BadRequest(ValueError):
    """A request that is not what was expected; the message is one line for a person."""


def parse_request(payload: bytes) -> dict[str, str]:
    """Return the fields of a request; operator_name and note may be left out.

    Raises:
        BadRequest: no JSON object, an unknown or missing field, or one that is no text.

    """
    try:
        fields = json.loads(payload)
    except ValueError as error:
        raise BadRequest(f"request: not JSON ({error})") from None
    if not isinstance(fields, dict):
        raise BadRequest(f"request: {type(fields).__name__}; expected an object with {', '.join(_REQUEST)}")
    for name, value in fields.items():
        if name not in _REQUEST:
            raise BadRequest(f"request: unknown field {name!r}; expected {', '.join(_REQUEST)}")
        if not isinstance(value, str):
            raise BadRequest(f"request: {name} is {type(value).__name__}; expected text")
    if not fields.get("alert_id"):
        raise BadRequest(f"request: alert_id is missing; expected an alert's, or {LATEST!r}")
    return {name: fields.get(name, "") for name in _REQUEST}


def make_services(forward: Callable[[str, Any], Any], latest: Callable[[], str | None]) -> list[foxglove.Service]:
    """Return the services.

    Args:
        forward: calls the ROS service of a name with its request and returns the response.
        latest: returns the alert that ``alert_id: "latest"`` stands for.

    """

    def handle(request: Any) -> bytes:
        fields = parse_request(bytes(request.payload))
        if fields["alert_id"] == LATEST:
            alert_id = latest()
            if alert_id is None:
                return json.dumps({"success": False, "message": "no alert is open"}).encode()
            fields["alert_id"] = alert_id
        message_type: Any = cdr.message_class(TYPES[request.service_name])
        answer = forward(request.service_name, message_type.Request(**fields))
        text = f"{fields['alert_id']}: {answer.message}" if answer.message else fields["alert_id"]
        return json.dumps({"success": bool(answer.success), "message": text}).encode()

    return [foxglove.Service(name, schema=_schema(type_name), handler=handle) for name, type_name in TYPES.items()]


def _schema(type_name: str) -> foxglove.ServiceSchema:
    def side(suffix: str, properties: dict[str, str]) -> foxglove.MessageSchema:
        described = {"type": "object", "properties": {name: {"type": kind} for name, kind in properties.items()}}
        schema = foxglove.Schema(
            name=f"{type_name}_{suffix}", encoding="jsonschema", data=json.dumps(described).encode()
        )
        return foxglove.MessageSchema(encoding="json", schema=schema)

    request = side("Request", dict.fromkeys(_REQUEST, "string"))
    return foxglove.ServiceSchema(type_name, request=request, response=side("Response", _RESPONSE))
