"""Whether the connection of a client can take more.

The SDK keeps one queue for all of a client's messages and drops the oldest when it is full, so big clouds on
a slow connection would push alerts out. It does not tell how full that queue is, but the kernel does: the
server's sockets live in this process, and one that is not writable has its send buffer full and a queue
building up behind it. The bridge gives such a client nothing but alerts until it has caught up.
"""

from __future__ import annotations

import contextlib
import os
import select
import socket
import stat
import struct
import sys
import threading
from pathlib import Path

_DESCRIPTORS = Path("/dev/fd")
_UNSENT = 256 * 1024  # bytes that may wait in the kernel before a socket counts as full
_LATELY_MS = 50  # a request is told of within this time of its arrival
_LAST_DATA_RECEIVED = struct.Struct("=I")  # at byte 52 of the kernel's tcp_info
_NOTSENT_LOWAT = getattr(socket, "TCP_NOTSENT_LOWAT", 25)

Link = tuple[int, int]  # descriptor and inode: a number used again for another socket is another link


def links_of(port: int) -> frozenset[Link]:
    """Return the connections that this process has accepted on a TCP port."""
    found = set()
    for entry in _DESCRIPTORS.iterdir() if _DESCRIPTORS.is_dir() else ():
        with contextlib.suppress(OSError):  # the descriptor of this very listing is closed by now
            descriptor = int(entry.name)
            status = os.fstat(descriptor)
            if stat.S_ISSOCK(status.st_mode) and _serves(descriptor, port):
                found.add((descriptor, status.st_ino))
    return frozenset(found)


def _serves(descriptor: int, port: int) -> bool:
    """Return whether a socket is a connection on our port; if so, let little wait in its buffer."""
    with socket.socket(fileno=os.dup(descriptor)) as view:
        if view.family not in (socket.AF_INET, socket.AF_INET6) or view.type != socket.SOCK_STREAM:
            return False
        if view.getsockname()[1] != port or view.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
            return False
        view.setsockopt(socket.IPPROTO_TCP, _NOTSENT_LOWAT, _UNSENT)
        return True


def is_alive(link: Link) -> bool:
    """Return whether the connection is still the one it was."""
    try:
        return os.fstat(link[0]).st_ino == link[1]
    except OSError:
        return False


def is_writable(link: Link) -> bool:
    """Return whether the kernel would take more for this connection."""
    watch = select.poll()
    watch.register(link[0], select.POLLOUT)
    return bool(watch.poll(0))


def silence_ms(link: Link) -> int:
    """Return how long ago the client has last sent something, ms; 0 where the system does not tell."""
    if not hasattr(socket, "TCP_INFO") or sys.platform != "linux":
        return 0
    try:
        with socket.socket(fileno=os.dup(link[0])) as view:
            return int(_LAST_DATA_RECEIVED.unpack(view.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 56)[52:])[0])
    except OSError:
        return 1 << 31


class Links:
    """Which connection belongs to which client, as far as it can be known.

    The SDK names clients by number only, but when it tells of a request, that client's connection is one of
    those that have just received something, and none that another client is known to have. While that leaves
    several, a client counts as ready only if all of them are.
    """

    def __init__(self, port: int) -> None:
        """Watch the connections of a port."""
        self._port = port
        self._candidates: dict[int, set[Link]] = {}
        self._lock = threading.Lock()

    def observe(self, client: int) -> None:
        """Take note that a client has just made itself heard."""
        with self._lock:
            before = self._candidates.get(client)
            if before is not None and len(before) == 1:
                return
            silences = {link: silence_ms(link) for link in links_of(self._port) - self._known()}
            heard = {link for link, silence in silences.items() if silence <= min(silences.values()) + _LATELY_MS}
            self._candidates[client] = (before or heard) & heard or heard
            self._settle()

    def leave(self, client: int) -> None:
        """Forget a client."""
        with self._lock:
            self._candidates.pop(client, None)

    def is_ready(self, client: int) -> bool:
        """Return whether a client can take more; one whose connection is unknown can."""
        with self._lock:
            links = self._candidates.get(client, set())
            gone = {link for link in links if not is_alive(link)}
            if gone:
                links -= gone
                self._settle()
            return all(is_writable(link) for link in links)

    def _known(self) -> set[Link]:
        return {link for links in self._candidates.values() if len(links) == 1 for link in links}

    def _settle(self) -> None:
        """Take from the others what one client is known to have, until nothing follows any more."""
        known: set[Link] = set()
        while (now := self._known()) != known:
            known = now
            for links in self._candidates.values():
                if len(links) > 1:
                    links -= known
