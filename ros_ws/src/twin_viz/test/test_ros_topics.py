"""The registry's topics as a viewer is offered them."""

from __future__ import annotations

import rclpy
from viz_client import watch

from twin_viz.ros_topics import RosTopics
from twin_viz.server import Server


def test_viewers_are_offered_anonymous_images_and_no_others() -> None:
    rclpy.init()
    server = Server("127.0.0.1", 0, backlog=64)
    topics = RosTopics("viewer_topics", server, ("pole_01",), lambda: 0)
    try:
        with watch(server.port) as viewer:
            viewer.read(10, until=lambda: "/pole_01/camera/view/compressed" in viewer.channels)
            assert {"/pole_01/camera/view/compressed", "/district/tracks"} <= viewer.channels.keys()
            assert "/pole_01/camera/image/compressed" not in viewer.channels
    finally:
        topics.close()
        server.close()
        rclpy.try_shutdown()
