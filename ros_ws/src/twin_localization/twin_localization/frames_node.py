"""Publishes the fixed frames of one platform."""

from __future__ import annotations

from twin_common.component import Component, Context, Output
from twin_common.district import load_district
from twin_common.ros_host import run_component
from twin_localization.config import FramesConfig
from twin_localization.convert import fixed_frames


class Frames(Component):
    """Publishes the mounts of a platform's sensors and, for a pole, where it stands; once, latched."""

    Config = FramesConfig
    outputs = (Output("tf_static", "tf_static"),)

    def __init__(self, config: FramesConfig, context: Context) -> None:
        """Read the district."""
        super().__init__(config, context)
        self._frames = fixed_frames(load_district(config.district).platform(config.platform))

    def start(self) -> None:
        """Publish."""
        self.context.publish("tf_static", self._frames)


def main() -> int:
    """Run the node."""
    return run_component(Frames, "frames")
