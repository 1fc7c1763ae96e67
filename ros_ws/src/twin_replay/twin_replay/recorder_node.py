"""The recorder as a process.

ros2 run twin_replay recorder OUT
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from rclpy.utilities import remove_ros_args

from twin_replay.bag import BagWriter
from twin_replay.infrastructure import background_node, exit_code, stop_on_signals
from twin_replay.options import add_options, config_of
from twin_replay.recorder import Recorder, RecorderConfig


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what the recorder takes on its command line."""
    out = parser.add_mutually_exclusive_group(required=True)
    out.add_argument("out", type=Path, metavar="OUT", nargs="?", help="folder of the new bag")
    out.add_argument("--out", type=Path, metavar="OUT", dest="out_option", help="the same")
    add_options(parser, RecorderConfig)


def record(args: argparse.Namespace, ros_arguments: Sequence[str] = ()) -> int:
    """Record until a signal or for the given time; return 0.

    Raises:
        BagError: the folder exists, or cannot be written.
        ConfigError: an option is out of range.

    """
    config = config_of(args, RecorderConfig)
    with stop_on_signals() as stop, BagWriter(args.out or args.out_option) as writer:
        started = time.monotonic()
        with background_node("recorder", ros_arguments) as node:
            recorder = Recorder(node, writer, config, lambda line: print(line, file=sys.stderr))
            recorder.run(stop)
        print(summary(recorder, writer, time.monotonic() - started), file=sys.stderr)
    return 0


def summary(recorder: Recorder, writer: BagWriter, seconds: float) -> str:
    """Return what was recorded: one line, and one per topic with its rate and its losses."""
    total, lost = sum(recorder.counts.values()), sum(recorder.lost.values())
    lines = [
        f"{writer.path}: {total} messages on {len(writer.topics)} topics in {seconds:.1f} s, "
        f"{recorder.bytes / 1e6:.1f} MB, {lost} lost"
    ]
    for name in sorted(writer.topics):
        count = recorder.counts[name]
        lines.append(f"  {name}: {count}, {count / seconds:.1f} Hz, {recorder.lost[name]} lost")
    return "\n".join(lines)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the recorder; return 0 after a signal or at the end of its time, 2 for bad input."""
    given = list(sys.argv if arguments is None else ["recorder", *arguments])
    parser = argparse.ArgumentParser(prog="recorder", description="Record topics of the running graph.")
    add_arguments(parser)
    args = parser.parse_args(remove_ros_args(given)[1:])
    return exit_code(lambda: record(args, given[1:]))


if __name__ == "__main__":
    sys.exit(main())
