"""Node that tells what each live track is doing."""

from __future__ import annotations

from twin_behavior.config import BehaviorConfig
from twin_behavior.convert import message_from_behaviors, motions_from_message
from twin_behavior.core.recognition import Recognizer
from twin_common.cdr import ArrayMessage
from twin_common.component import Component, Context, Input, Output


class Behavior(Component):
    """Tracks in, behaviours out, one array for one array."""

    Config = BehaviorConfig
    inputs = (Input("tracks", "tracks", max_age=1.0),)
    outputs = (Output("behaviors", "behaviors"),)

    def __init__(self, config: BehaviorConfig, context: Context) -> None:
        """Start without tracks."""
        super().__init__(config, context)
        self._recognizer = Recognizer(config)

    def on_tracks(self, message: ArrayMessage, source: str) -> None:
        """Recognise the behaviours of one moment."""
        motions, rejected = motions_from_message(message)
        if rejected:
            self.context.count("rejected", rejected)
        behaviors = self._recognizer.step(motions, message.stamp_ns)
        self.context.publish("behaviors", message_from_behaviors(message, motions, behaviors))


def main() -> int:
    """Run the node."""
    from twin_common.ros_host import run_component  # only here: lockstep replay needs no middleware

    return run_component(Behavior, "behavior")


if __name__ == "__main__":
    raise SystemExit(main())
