import socket
import time
from collections.abc import Iterator

import pytest
from viz_client import watch

from twin_common.config import ConfigError
from twin_viz import links
from twin_viz.server import Server

MEGABYTE = bytes(1_000_000)
ALERTS = 40


@pytest.fixture
def server() -> Iterator[Server]:
    running = Server("127.0.0.1", 0, backlog=64)
    yield running
    running.close()


def slow_socket(port: int) -> socket.socket:
    """A connection that takes little at a time."""
    connection = socket.socket()
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 64 * 1024)
    connection.connect(("127.0.0.1", port))
    return connection


def settle(condition, seconds: float = 5) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "nothing happened"
        time.sleep(0.01)


def test_a_busy_port_is_named_in_one_line(server: Server) -> None:
    with pytest.raises(ConfigError, match=rf"^foxglove: port {server.port} on 127.0.0.1 is in use; [^\n]+$"):
        Server("127.0.0.1", server.port, backlog=64)


def test_a_strange_address_is_named_in_one_line() -> None:
    with pytest.raises(ConfigError, match=r"^foxglove: port 0 on 203.0.113.7 cannot be opened [^\n]+$"):
        Server("203.0.113.7", 0, backlog=64)


def test_a_feed_knows_who_listens(server: Server) -> None:
    changes: list[bool] = []
    feed = server.feed("/a", "json", None, on_listeners=changes.append)
    assert not feed.wanted
    with watch(server.port) as first, watch(server.port) as second:
        first.subscribe("/a")
        second.subscribe("/a")
        settle(lambda: feed.listeners == 2)
        assert server.clients == 2
        feed.send(b'{"x": 1}', 1)
        assert first.wait("/a") == second.wait("/a") == [b'{"x": 1}']
    settle(lambda: not feed.wanted)
    assert changes == [True, False]
    assert server.clients == 0


def test_a_late_client_gets_what_was_retained_and_nobody_gets_it_twice(server: Server) -> None:
    feed = server.feed("/a", "json", None, keep=2)
    with watch(server.port) as early:
        early.subscribe("/a")
        settle(lambda: feed.wanted)
        for message in (b"[1]", b"[2]", b"[3]"):
            feed.send(message, 1, retain=True)
        feed.send(b"[4]", 1)
        with watch(server.port) as late:
            late.subscribe("/a")
            assert late.wait("/a", 2) == [b"[2]", b"[3]"]
            feed.send(b"[5]", 1)
            assert late.wait("/a", 3)[2:] == [b"[5]"]
        assert early.wait("/a", 5) == [b"[1]", b"[2]", b"[3]", b"[4]", b"[5]"]


def test_the_connection_of_each_client_is_found(server: Server) -> None:
    feed = server.feed("/a", "json", None)
    with watch(server.port) as first, watch(server.port) as second:
        settle(lambda: len(links.links_of(server.port)) == 2)
        for client in (first, second):
            client.subscribe("/a")
        settle(lambda: server.clients == 2)
        clients = sorted(feed._clients)
        assert all(server.is_ready(client) for client in clients)
    settle(lambda: not links.links_of(server.port))


def crowd(server: Server, *, hold_back: bool) -> tuple[list[bytes], int]:
    """Send clouds and alerts to a client that does not read meanwhile; return the alerts and the number of clouds."""
    if not hold_back:
        server.is_ready = lambda client: True
    clouds, alerts = server.feed("/clouds", "json", None), server.feed("/alerts", "json", None, urgent=True)
    with watch(server.port, sock=slow_socket(server.port), max_queue=1, close_timeout=0.2) as client:
        client.subscribe("/clouds", "/alerts")
        settle(lambda: clouds.wanted and alerts.wanted)
        for i in range(ALERTS):
            alerts.send(b"%d" % i, 1)
            for _ in range(10):
                clouds.send(MEGABYTE, 1)
                time.sleep(0.001)
        client.wait("/alerts", ALERTS, seconds=10 if hold_back else 3)
        return client.messages.get("/alerts", []), len(client.messages.get("/clouds", []))


def test_a_slow_client_loses_clouds_but_no_alert(server: Server) -> None:
    alerts, clouds = crowd(server, hold_back=True)
    assert alerts == [b"%d" % i for i in range(ALERTS)]
    assert 0 < clouds < 100
    assert server.held_back > 300


def test_that_without_holding_back_alerts_are_lost(server: Server) -> None:
    alerts, _ = crowd(server, hold_back=False)
    assert len(alerts) < ALERTS


def test_a_slow_client_does_not_slow_the_others(server: Server) -> None:
    clouds = server.feed("/clouds", "json", None)
    with (
        watch(server.port, sock=slow_socket(server.port), max_queue=1, close_timeout=0.2) as slow,
        watch(server.port) as fast,
    ):
        slow.subscribe("/clouds")
        settle(lambda: server.clients == 1)
        time.sleep(0.2)  # two clients that subscribe in the same moment cannot be told apart
        fast.subscribe("/clouds")
        settle(lambda: server.clients == 2)
        for i in range(1, 31):
            clouds.send(MEGABYTE, 1)
            assert len(fast.wait("/clouds", i)) == i
        assert server.held_back > 10
