"""Node that predicts the paths of all live tracks."""

from __future__ import annotations

from twin_common.cdr import ArrayMessage
from twin_common.component import Component, Input, Output
from twin_prediction.config import PredictionConfig
from twin_prediction.convert import message_from_paths, states_from_message
from twin_prediction.core.prediction import predict


class Prediction(Component):
    """Tracks in, predicted paths out, one array for one array."""

    Config = PredictionConfig
    inputs = (Input("tracks", "tracks", max_age=1.0),)
    outputs = (Output("predictions", "predictions"),)

    def on_tracks(self, message: ArrayMessage, source: str) -> None:
        """Predict all tracks of one moment."""
        tracks, rejected = states_from_message(message)
        if rejected:
            self.context.count("rejected", rejected)
        paths = predict(tracks, self.config)
        self.context.publish("predictions", message_from_paths(message.stamp_ns, message.frame_id, paths))


def main() -> int:
    """Run the node."""
    from twin_common.ros_host import run_component  # only here: lockstep replay needs no middleware

    return run_component(Prediction, "prediction")


if __name__ == "__main__":
    raise SystemExit(main())
