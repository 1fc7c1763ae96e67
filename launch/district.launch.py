"""ros2 launch twin_bringup district.launch.py; the arguments are those of `./twin launch district`."""

from launch import LaunchDescription
from twin_bringup.launch_support import launch_description


def generate_launch_description() -> LaunchDescription:
    """Return the nodes of the description named district."""
    return launch_description("district")
