"""The player as a process.

ros2 run twin_replay player BAG --rate 2 --loop
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from rclpy.utilities import remove_ros_args

from twin_replay.bag import BagReader
from twin_replay.infrastructure import background_node, exit_code, stop_on_signals
from twin_replay.options import add_options, config_of
from twin_replay.player import Player, PlayerConfig, plan


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what the player takes on its command line."""
    parser.add_argument("bag", type=Path, metavar="BAG", help="rosbag2 folder or .mcap file")
    add_options(parser, PlayerConfig)


def play(args: argparse.Namespace, ros_arguments: Sequence[str] = ()) -> int:
    """Play a bag until its end or a signal; return 0.

    Raises:
        BagError: the bag cannot be played.
        ConfigError: an option is out of range.

    """
    config = config_of(args, PlayerConfig)
    reader = BagReader(args.bag, recover=config.recover)
    planned = plan(reader, config)
    with stop_on_signals() as stop, background_node("player", ros_arguments) as node:
        player = Player(node, reader, planned, config)
        player.run(stop)
        print(f"{reader.path}: {player.published} messages played", file=sys.stderr)
    return 0


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the player; return 0 at the end of the bag or after a signal, 2 for bad input."""
    given = list(sys.argv if arguments is None else ["player", *arguments])
    parser = argparse.ArgumentParser(prog="player", description="Play a bag: its topics as recorded, and /clock.")
    add_arguments(parser)
    args = parser.parse_args(remove_ros_args(given)[1:])
    return exit_code(lambda: play(args, given[1:]))


if __name__ == "__main__":
    sys.exit(main())
