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
from pathlib import Path

_DESCRIPTORS = Path("/dev/fd")
_UNSENT = 256 * 1024  # bytes that may wait in the kernel before a socket counts as full
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


class Links:
    """Which connection belongs to which client, as far as it can be known.

    The SDK names clients by number only. A client is one of the connections that no other client is known
    to have; while that leaves several, it counts as ready only if all of them are.
    """

    def __init__(self, port: int) -> None:
        """Watch the connections of a port."""
        self._port = port
        self._candidates: dict[int, set[Link]] = {}

    def join(self, client: int) -> None:
        """Take note of a client that has just shown itself."""
        if client in self._candidates:
            return
        known = {next(iter(links)) for links in self._candidates.values() if len(links) == 1}
        self._candidates[client] = set(links_of(self._port)) - known
        self._settle()

    def leave(self, client: int) -> None:
        """Forget a client."""
        self._candidates.pop(client, None)

    def is_ready(self, client: int) -> bool:
        """Return whether a client can take more; one whose connection is unknown can."""
        links = self._candidates.get(client, set())
        gone = {link for link in links if not is_alive(link)}
        if gone:
            links -= gone
            self._settle()
        return all(is_writable(link) for link in links)

    def _settle(self) -> None:
        """What one client is known to have, no other has; repeat until nothing follows any more."""
        settled: set[int] = set()
        while True:
            certain = next((c for c, links in self._candidates.items() if len(links) == 1 and c not in settled), None)
            if certain is None:
                return
            settled.add(certain)
            for client, links in self._candidates.items():
                if client != certain and len(links) > 1:
                    links -= self._candidates[certain]
