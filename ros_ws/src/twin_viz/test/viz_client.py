"""A Foxglove client and records for the tests of this package."""

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
from websockets.sync.client import connect

from twin_common import cdr


def make_tracks(*rows: dict) -> np.ndarray:
    """Records of twin_msgs/Track: a confirmed car of usual size at rest, but for what is given."""
    records = np.zeros(len(rows), cdr.record_dtype("twin_msgs/msg/Track"))
    usual = {"classification": 1, "state": 1, "length": 4.5, "width": 1.8, "height": 1.5, "z": 0.75}
    for record, row in zip(records, rows, strict=True):
        for name, value in (usual | row).items():
            record[name] = value
    return records


class Watcher:
    """A Foxglove client that reads channel by channel."""

    def __init__(self, connection) -> None:
        self.connection = connection
        self.channels: dict[str, dict] = {}
        self.services: dict[str, dict] = {}
        self.messages: dict[str, list[bytes]] = {}
        self._topics: dict[int, str] = {}

    def read(self, seconds: float, until=lambda: False) -> None:
        """Take what comes for so long, or until the condition holds."""
        deadline = time.monotonic() + seconds
        while (left := deadline - time.monotonic()) > 0 and not until():
            try:
                self._take(self.connection.recv(timeout=min(left, 0.05)))
            except TimeoutError:
                continue

    def _take(self, message) -> None:
        if isinstance(message, bytes):
            if message[0] == 1:
                number = int.from_bytes(message[1:5], "little")
                self.messages.setdefault(self._topics[number], []).append(message[13:])
            return
        parsed = json.loads(message)
        if parsed["op"] == "advertise":
            self.channels |= {item["topic"]: item for item in parsed["channels"]}
        elif parsed["op"] == "advertiseServices":
            self.services |= {item["name"]: item for item in parsed["services"]}

    def subscribe(self, *topics: str) -> None:
        self.read(10, until=lambda: set(topics) <= self.channels.keys())
        wanted = []
        for topic in topics:
            number = len(self._topics) + 1
            self._topics[number] = topic
            wanted.append({"id": number, "channelId": self.channels[topic]["id"]})
        self.connection.send(json.dumps({"op": "subscribe", "subscriptions": wanted}))

    def wait(self, topic: str, count: int = 1, seconds: float = 10) -> list[bytes]:
        self.read(seconds, until=lambda: len(self.messages.get(topic, [])) >= count)
        return self.messages.get(topic, [])


@contextmanager
def watch(port: int, **options) -> Iterator[Watcher]:
    with connect(f"ws://127.0.0.1:{port}", subprotocols=["foxglove.sdk.v1"], max_size=None, **options) as connection:
        yield Watcher(connection)
