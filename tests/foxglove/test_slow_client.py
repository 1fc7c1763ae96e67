"""Alerts and clouds through real middleware to a client that hardly reads."""

import json
import socket
import time
from collections.abc import Callable

import pytest
from websockets.sync.client import connect

MESSAGE_DATA = 1  # opcode of a message; the server's time has another
ALERTS = 60


@pytest.mark.graph
def test_a_slow_client_of_big_clouds_loses_no_alert(served: Callable[..., int]) -> None:
    port = served("--alerts", str(ALERTS), "--cloud-megabytes", "2")
    raw = socket.socket()
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 64 * 1024)
    raw.connect(("127.0.0.1", port))
    wanted = ["/alerts_log", "/district/alerts", "/pole_01/lidar/points", "/pole_02/lidar/points"]
    counts = dict.fromkeys(wanted, 0)
    lines = []
    with connect(
        f"ws://127.0.0.1:{port}",
        sock=raw,
        subprotocols=["foxglove.sdk.v1"],
        max_size=None,
        max_queue=1,
        close_timeout=0.2,
    ) as client:
        channels: dict[str, int] = {}
        while not set(wanted) <= channels.keys():
            message = client.recv(timeout=10)
            if isinstance(message, str):
                channels |= {item["topic"]: item["id"] for item in json.loads(message).get("channels", [])}
        subscriptions = [{"id": i, "channelId": channels[topic]} for i, topic in enumerate(wanted)]
        client.send(json.dumps({"op": "subscribe", "subscriptions": subscriptions}))
        time.sleep(8)  # reads nothing: clouds of 40 MB/s and alerts pile up
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline and counts["/alerts_log"] < ALERTS:
            message = client.recv(timeout=10)
            if isinstance(message, bytes) and message[0] == MESSAGE_DATA:
                topic = wanted[int.from_bytes(message[1:5], "little")]
                counts[topic] += 1
                if topic == "/alerts_log":
                    lines.append(message)
    assert [b"[alert-%04d]" % i for i in range(1, ALERTS + 1)] == [
        line[line.rindex(b"[") : line.rindex(b"]") + 1] for line in lines
    ]
    assert counts["/district/alerts"] >= ALERTS - 1  # the log's twin may come a moment later
    assert counts["/pole_01/lidar/points"] + counts["/pole_02/lidar/points"] > 0
