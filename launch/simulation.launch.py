"""ros2 launch twin_bringup simulation.launch.py; the arguments are those of `./twin launch simulation`."""

from launch import LaunchDescription
from twin_bringup.launch_support import launch_description


def generate_launch_description() -> LaunchDescription:
    """Return the nodes of the description named simulation."""
    return launch_description("simulation")
