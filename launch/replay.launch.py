"""ros2 launch twin_bringup replay.launch.py; the arguments are those of `./twin launch replay`."""

from launch import LaunchDescription
from twin_bringup.launch_support import launch_description


def generate_launch_description() -> LaunchDescription:
    """Return the nodes of the description named replay."""
    return launch_description("replay")
