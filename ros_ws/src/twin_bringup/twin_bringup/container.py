"""Runs the nodes of one process: ``ros2 run twin_bringup container --spec FILE``."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from twin_common.config import ConfigError, from_mapping, load_yaml
from twin_common.node_spec import ProcessSpec
from twin_common.ros_host import run_process


def notify_ready() -> None:
    """Tell the runner that all nodes exist, through the descriptor it named in TWIN_READY_FD."""
    descriptor = os.environ.pop("TWIN_READY_FD", "")
    if descriptor.isdigit():
        os.write(int(descriptor), b"ready\n")
        os.close(int(descriptor))


def main() -> int:
    """Run until Ctrl-C or SIGTERM; exit code 2 and one line on a bad specification."""
    parser = argparse.ArgumentParser(prog="container", description=__doc__)
    parser.add_argument("--spec", type=Path, required=True, help="YAML of a process: its name and its nodes")
    arguments, ros_arguments = parser.parse_known_args()
    try:
        process = from_mapping(ProcessSpec, load_yaml(arguments.spec), str(arguments.spec))
    except ConfigError as error:
        print(error, file=sys.stderr)
        return 2
    return run_process(process, [sys.argv[0], *ros_arguments], on_ready=notify_ready)


if __name__ == "__main__":
    sys.exit(main())
