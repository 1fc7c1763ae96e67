"""What a node is, apart from the middleware that carries its messages.

A ``Component`` declares its inputs, outputs, timers and services, and handles messages. A host runs it:
``ros_host.RosHost`` on rclpy, ``lockstep.LockstepHost`` in one process over a recording. Neither the
component nor its core knows which.

    class Tracker(Component):
        Config = TrackerConfig
        inputs = (Input("objects", "objects"),)
        outputs = (Output("tracks", "tracks"),)

        def on_objects(self, message: ArrayMessage, source: str) -> None:
            ...
            self.context.publish("tracks", tracks_to_message(...))
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol

from twin_common.config import Config


@dataclass(frozen=True, slots=True)
class Input:
    """A topic a component listens to, ``~/input/<name>``; handled by ``on_<name>(message, source)``.

    With ``each_platform`` there is one topic per platform of the parameter ``platforms``,
    ``~/input/<name>/<platform>``, and ``source`` is the platform's name; otherwise ``source`` is "".
    ``max_age`` is how old a message may be before it counts as late, seconds; None: no limit.
    """

    name: str
    topic: str
    each_platform: bool = False
    max_age: float | None = None


@dataclass(frozen=True, slots=True)
class Output:
    """A topic a component publishes, ``~/output/<name>``; ``topic`` is its key in the registry."""

    name: str
    topic: str


@dataclass(frozen=True, slots=True)
class Timer:
    """A periodic call of ``on_timer_<name>(now_ns)`` in the node's own time; ``period`` in seconds."""

    name: str
    period: float


@dataclass(frozen=True, slots=True)
class Service:
    """A service ``~/<name>``; handled by ``on_service_<name>(request, response) -> response``."""

    name: str
    type_name: str


class Log(Protocol):
    """The logger of a node."""

    def debug(self, message: str) -> Any:
        """Log for developers."""

    def info(self, message: str) -> Any:
        """Log what is worth knowing."""

    def warning(self, message: str) -> Any:
        """Log what may need attention."""

    def error(self, message: str) -> Any:
        """Log what went wrong."""


class Context(Protocol):
    """What a host gives to a component."""

    name: str
    log: Log

    def now_ns(self) -> int:
        """Return the time of the graph: the wall clock's, or the recording's."""

    def publish(self, port: str, message: Any) -> None:
        """Publish on ``~/output/<port>``."""

    def wanted(self, port: str) -> bool:
        """Return whether anybody listens to an output."""

    def count(self, event: str, number: int = 1) -> None:
        """Count an event (dropped, late, rejected, ...) on /diagnostics."""

    def report(self, problem: str | None) -> None:
        """Say what is wrong in one line on /diagnostics and in the log; None: all is well again."""

    def measure(self, key: str, value: float | str) -> None:
        """Show a value on /diagnostics."""

    def cut_off(self, silent: bool) -> None:
        """Keep within their namespace what its other nodes publish, or let it out again: for simulated losses."""


class Component:
    """Base of every node."""

    Config: ClassVar[type[Config]] = Config
    inputs: ClassVar[tuple[Input, ...]] = ()
    outputs: ClassVar[tuple[Output, ...]] = ()
    timers: ClassVar[tuple[Timer, ...]] = ()
    services: ClassVar[tuple[Service, ...]] = ()

    def __init__(self, config: Any, context: Context) -> None:
        """Keep configuration and context; a subclass makes its state here and starts nothing."""
        self.config = config
        self.context = context

    def start(self) -> None:
        """Begin: all topics exist now."""

    def close(self) -> None:
        """Release files, sockets and threads; called once, whatever happened."""

    def handler(self, name: str) -> Callable[..., Any]:
        """Return the method that handles a port, timer or service.

        Raises:
            TypeError: the class declares it but has no such method.

        """
        method = getattr(self, name, None)
        if method is None:
            raise TypeError(f"{type(self).__name__}: declares {name[3:]} but has no method {name}")
        return method  # type: ignore[no-any-return]
