"""Frames of a camera, stream or file, decoded in a thread of its own through FFmpeg."""

from __future__ import annotations

import re
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import av
import cv2

_QUEUE = 2  # frames; a newer one pushes out the oldest
_FIRST_RETRY, _LONGEST_RETRY = 0.25, 5.0  # seconds between attempts: doubled from the first to the longest
_OPEN_TIMEOUT = 5.0  # seconds
#: FFmpeg keeps seconds of a live stream back unless told not to.
LIVE = {"fflags": "nobuffer", "flags": "low_delay", "probesize": "500000", "analyzeduration": "500000"}


@dataclass(frozen=True, slots=True)
class VideoOptions:
    """What is opened, and what is made of it.

    ``rate``: frames per second at most, 0: all. ``paced``: a file is played at its own pace, ``loop`` ever again.
    """

    url: str
    format: str | None
    options: dict[str, str]
    rate: float
    jpeg_quality: int
    read_timeout: float
    paced: bool
    loop: bool


@dataclass(frozen=True, slots=True)
class Frame:
    """One frame; ``jpeg`` is None where nobody wanted the image."""

    stamp_ns: int
    width: int
    height: int
    jpeg: bytes | None


class VideoSource:
    """Decodes video in a thread of its own and opens it again, ever more slowly, when it breaks.

    Args:
        name: for people.
        options: what is opened.
        clock: gives the time of arrival, ns.

    """

    def __init__(self, name: str, options: VideoOptions, clock: Callable[[], int]) -> None:
        """Open nothing yet."""
        self.name = re.sub(r"//[^/@]*@", "//", name)  # no passwords in logs
        self.problem: str | None = None
        self.finished = False
        self.dropped = 0
        self.wanted = True
        self._options, self._clock = options, clock
        self._queue: deque[Frame] = deque()
        self._next_ns = 0
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._run, name=self.name, daemon=True)

    def start(self) -> None:
        """Begin to decode."""
        self._thread.start()

    def poll(self) -> list[Frame]:
        """Return the frames that have come since the last call."""
        return [self._queue.popleft() for _ in range(len(self._queue))]

    def close(self) -> None:
        """End the thread."""
        self._ending.set()
        if self._thread.is_alive():
            self._thread.join(timeout=self._options.read_timeout + 1.0)

    def _run(self) -> None:
        retry = _FIRST_RETRY
        while not self._ending.is_set():
            try:
                if self._play():
                    retry = _FIRST_RETRY
                if self._options.paced:
                    if self._options.loop:
                        continue
                    self.finished = True
                    return
                self.problem = f"{self.name}: ended; trying again"
            except (av.FFmpegError, OSError, ValueError) as error:
                reason = getattr(error, "strerror", None) or str(error).splitlines()[0]
                self.problem = f"{self.name}: {reason}; trying again"
            self._ending.wait(retry)
            retry = min(2.0 * retry, _LONGEST_RETRY)

    def _play(self) -> bool:
        """Decode until the end; return whether there was a frame."""
        options = self._options
        any_frame = False
        with av.open(
            options.url, format=options.format, options=options.options, timeout=(_OPEN_TIMEOUT, options.read_timeout)
        ) as container:
            if not container.streams.video:
                raise ValueError("no video in it")
            stream = container.streams.video[0]
            stream.codec_context.thread_count = 1  # several nodes share the machine; frame threads add delay
            started, first = time.monotonic(), None
            for frame in container.decode(stream):
                if self._ending.is_set():
                    break
                if options.paced and frame.time is not None:
                    first = frame.time if first is None else first
                    if self._ending.wait(max(started + frame.time - first - time.monotonic(), 0.0)):
                        break
                any_frame = True
                self.problem = None
                self._take(frame)
        if not any_frame and not self._ending.is_set():
            raise ValueError("no frame in it")
        return any_frame

    def _take(self, frame: Any) -> None:
        stamp_ns = self._clock()
        if self._options.rate:
            period_ns = round(1e9 / self._options.rate)
            if self._next_ns - 2 * period_ns < stamp_ns < self._next_ns:
                return
            # Kept on the grid of periods, so that 30 Hz gives 10 Hz and not 7.5 Hz.
            due = self._next_ns if stamp_ns - self._next_ns < period_ns else stamp_ns
            self._next_ns = due + period_ns
        jpeg = None
        if self.wanted:
            image = frame.to_ndarray(format="bgr24")
            good, encoded = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, self._options.jpeg_quality])
            jpeg = encoded.tobytes() if good else None
        if len(self._queue) >= _QUEUE:
            self._queue.popleft()
            self.dropped += 1
        self._queue.append(Frame(stamp_ns, frame.width, frame.height, jpeg))
