"""A program for the runner's tests: says what happens to it in a file."""

import os
import signal
import sys
import time
from pathlib import Path


def main() -> int:
    mode, log = sys.argv[1], Path(sys.argv[2])

    def note(text: str) -> None:
        with log.open("a") as file:
            file.write(f"{mode} {text}\n")

    if mode != "early":
        signal.signal(signal.SIGINT, signal.default_int_handler)  # the runner starts its jobs with SIGINT ignored
    note(f"started {os.getpid()}")
    if mode == "refuse":
        print("config.yaml: unknown key 'x'")
        return 2
    if mode == "finish":
        time.sleep(0.5)
        return 0
    if mode == "stubborn":
        signal.signal(signal.SIGINT, lambda *_: note("ignored SIGINT"))
        signal.signal(signal.SIGTERM, lambda *_: note("ignored SIGTERM"))
    if "TWIN_READY_FD" in os.environ and mode == "slow":
        time.sleep(0.7)
        note("ready")
        os.write(int(os.environ["TWIN_READY_FD"]), b"ready\n")
    try:
        while True:
            time.sleep(0.1)
            if mode == "crash":
                os.kill(os.getpid(), signal.SIGSEGV)
    except KeyboardInterrupt:
        note("ended by SIGINT")
        return 0


if __name__ == "__main__":
    sys.exit(main())
