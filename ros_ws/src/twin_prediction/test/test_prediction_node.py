import numpy as np
import pytest

from twin_common import cdr
from twin_common.cdr import ArrayMessage, record_dtype
from twin_common.lockstep import LockstepHost
from twin_common.node_spec import NodeSpec
from twin_prediction import bench
from twin_prediction.convert import message_from_paths, paths_from_message

TRACKS, PREDICTIONS = "twin_msgs/msg/TrackArray", "twin_msgs/msg/PredictedPathArray"
STAMP = 1_700_000_000_000_000_000


def run(records):
    """Feed one TrackArray and return the predictions and the node's runtime."""
    published = []
    spec = NodeSpec(
        "twin_prediction.prediction_node:Prediction", "prediction", "/district", {},
        {"~/input/tracks": "/district/tracks", "~/output/predictions": "/district/predictions"},
    )  # fmt: skip
    host = LockstepHost([spec], lambda topic, kind, _now, message: published.append((topic, kind, message)))
    host.feed(
        "/district/tracks", STAMP + 5_000_000, cdr.encode(TRACKS, ArrayMessage(STAMP, "map", {"tracks": records}))
    )
    host.close()
    return published, host.runtimes[0]


def car(count=1):
    records = np.zeros(count, record_dtype("twin_msgs/msg/Track"))
    records["track_id"] = np.arange(count) + 12
    records["velocity_x"] = 10.0
    records["covariance"] = np.diag([0.04, 0.04, 0.09, 0.09]).reshape(-1)
    records["yaw_rate_variance"] = 0.0025
    records["classification"], records["state"] = 1, 1
    return records


def test_predicts_a_car_in_step_with_the_tracks():
    published, _ = run(car())
    ((topic, kind, message),) = published
    assert (topic, kind, message.stamp_ns, message.frame_id) == ("/district/predictions", PREDICTIONS, STAMP, "map")
    assert message["step"] == 0.4
    paths = message["paths"]
    straight = paths[paths["mode"] == 0][0]
    assert straight["track_id"] == 12
    assert straight["x"][-1] == pytest.approx(48.0, abs=0.01)
    decoded = cdr.decode(PREDICTIONS, cdr.encode(PREDICTIONS, message))
    assert (decoded["paths"] == paths).all()


def test_tentative_tracks_are_left_out():
    records = car(3)
    records["state"] = [0, 1, 2]
    published, _ = run(records)
    assert set(published[0][2]["paths"]["track_id"]) == {13, 14}


def test_empty_input_gives_empty_output():
    published, _ = run(car(0))
    assert len(published) == 1 and len(published[0][2]["paths"]) == 0


def test_bad_tracks_are_counted_and_others_predicted():
    records = car(4)
    records["velocity_x"][0] = np.nan
    records["covariance"][1, 0] = -1.0
    records["classification"][2] = 77
    published, runtime = run(records)
    assert set(published[0][2]["paths"]["track_id"]) == {15}
    assert runtime.events["rejected"] == 3
    assert runtime.problem is None


def test_paths_survive_the_message():
    published, _ = run(car(2))
    message = published[0][2]
    again = message_from_paths(STAMP, "map", paths_from_message(message))
    assert (again["paths"] == message["paths"]).all()


def test_bench_reports_a_median():
    assert bench.run(tracks=20, repeats=2)["predict 20 tracks"] > 0
