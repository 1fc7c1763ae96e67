"""ros2 launch twin_bringup platform.launch.py; the arguments are those of `./twin launch platform`."""

from launch import LaunchDescription
from twin_bringup.launch_support import launch_description


def generate_launch_description() -> LaunchDescription:
    """Return the nodes of the description named platform."""
    return launch_description("platform")
