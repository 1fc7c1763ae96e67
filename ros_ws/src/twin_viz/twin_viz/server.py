"""The Foxglove server: channels that remember, know who listens, and hold back what a slow client cannot take."""

from __future__ import annotations

import contextlib
import queue
import threading
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

import foxglove
from foxglove.websocket import Capability

from twin_common.config import ConfigError
from twin_viz.links import Links


class Feed:
    """One channel.

    Args:
        keep: so many of the messages sent with ``retain`` are given to a client that subscribes later.
        urgent: every message reaches every subscriber; others skip a client that lags behind.
        on_listeners: called with True when the first client subscribes and with False when the last has left.

    """

    def __init__(
        self, server: Server, topic: str, encoding: str, schema: Any, *, keep: int = 0, urgent: bool = False,
        on_listeners: Callable[[bool], None] | None = None,
    ) -> None:  # fmt: skip
        """Advertise the channel."""
        self.topic = topic
        self._server = server
        self._urgent = urgent
        self._on_listeners = on_listeners
        self._retained: deque[tuple[bytes, int]] = deque(maxlen=keep)
        self._clients: set[int] = set()
        self._lock = threading.Lock()
        self._channel = foxglove.Channel(topic, message_encoding=encoding, schema=schema, context=server.context)
        self.id = self._channel.id()

    @property
    def listeners(self) -> int:
        """How many clients listen."""
        return len(self._clients)

    @property
    def wanted(self) -> bool:
        """Whether anybody listens."""
        return bool(self._clients)

    def send(self, message: bytes, time_ns: int, *, retain: bool = False) -> None:
        """Give a message to every subscriber that can take it."""
        with self._lock:
            if retain:
                self._retained.append((message, time_ns))
            for client in self._clients:
                self._log(message, time_ns, client, always=self._urgent)

    def repeat(self, time_ns: int) -> None:
        """Give what is retained to every subscriber once more."""
        with self._lock:
            for message, _ in self._retained:
                for client in self._clients:
                    self._log(message, time_ns, client, always=False)

    def _log(self, message: bytes, time_ns: int, client: int, *, always: bool) -> None:
        if always or self._server.is_ready(client):
            self._channel.log(message, log_time=time_ns, sink_id=client)
        else:
            self._server.held_back += 1

    def forget(self) -> None:
        """Drop what was retained."""
        with self._lock:
            self._retained.clear()

    def join(self, client: int) -> None:
        """Add a subscriber and give it what was retained."""
        if not self._clients and self._on_listeners is not None:
            self._on_listeners(True)
        with self._lock:
            self._clients.add(client)
            for message, time_ns in self._retained:
                self._channel.log(message, log_time=time_ns, sink_id=client)

    def leave(self, client: int) -> None:
        """Remove a subscriber."""
        with self._lock:
            self._clients.discard(client)
        if not self._clients and self._on_listeners is not None:
            self._on_listeners(False)


class _Listener:
    """Hands the SDK's calls to the server's own thread: the SDK holds locks while it calls."""

    def __init__(self, events: queue.SimpleQueue[tuple[str, int, int] | None]) -> None:
        self._events = events
        self.links: Links | None = None

    def on_subscribe(self, client: Any, channel: Any) -> None:
        if self.links is not None:
            self.links.observe(client.id)
        self._events.put(("join", client.id, channel.id))

    def on_unsubscribe(self, client: Any, channel: Any) -> None:
        self._events.put(("leave", client.id, channel.id))


class Server:
    """A WebSocket server with feeds and services.

    Raises:
        ConfigError: the port is in use or the address is not one of this machine.

    """

    def __init__(self, host: str, port: int, backlog: int, services: Sequence[foxglove.Service] = ()) -> None:
        """Listen; feeds are added afterwards."""
        self.context = foxglove.Context()
        self.held_back = 0
        self._lock = threading.RLock()
        self._feeds: dict[int, Feed] = {}
        self._subscriptions: dict[int, set[int]] = {}
        self._events: queue.SimpleQueue[tuple[str, int, int] | None] = queue.SimpleQueue()
        listener = _Listener(self._events)
        try:
            self._server = foxglove.start_server(
                name="District Twin", host=host, port=port, context=self.context, message_backlog_size=backlog,
                server_listener=listener, services=list(services),
                capabilities=[Capability.Time] + ([Capability.Services] if services else []),
                supported_encodings=["json"],
            )  # fmt: skip
        except RuntimeError as error:
            if "in use" in str(error):
                reason = "is in use; expected a free port (parameter port, or --port N)"
            else:
                reason = f"cannot be opened ({error}); expected an address of this machine"
            raise ConfigError(f"foxglove: port {port} on {host} {reason}") from None
        self.port = self._server.port
        self._links = listener.links = Links(self.port)
        self._thread = threading.Thread(target=self._run, name="foxglove", daemon=True)
        self._thread.start()

    @property
    def clients(self) -> int:
        """Clients that subscribe to something."""
        return len(self._subscriptions)

    def feed(self, topic: str, encoding: str, schema: Any, **options: Any) -> Feed:
        """Add a channel; ``options`` as of ``Feed``."""
        with self._lock:  # a client may subscribe before the feed is in the table
            feed = Feed(self, topic, encoding, schema, **options)
            self._feeds[feed.id] = feed
        return feed

    def tell_time(self, time_ns: int) -> None:
        """Tell clients the time of the graph: that of the recording while one is played."""
        self._server.broadcast_time(time_ns)

    def is_ready(self, client: int) -> bool:
        """Return whether a client keeps up."""
        return self._links.is_ready(client)

    def _run(self) -> None:
        while (event := self._events.get()) is not None:
            kind, client, channel = event
            with self._lock:
                feed = self._feeds[channel]
                self._note(kind, client, channel)
            if kind == "join":
                feed.join(client)
            else:
                feed.leave(client)

    def _note(self, kind: str, client: int, channel: int) -> None:
        """Keep account of who has subscribed to what."""
        channels = self._subscriptions.setdefault(client, set())
        if kind == "join":
            self._links.observe(client)
            channels.add(channel)
        else:
            channels.discard(channel)
            if not channels:
                del self._subscriptions[client]
                self._links.leave(client)

    def close(self) -> None:
        """Disconnect everybody and free the port."""
        self._events.put(None)
        self._thread.join(timeout=2.0)
        with contextlib.suppress(RuntimeError):
            self._server.stop()
