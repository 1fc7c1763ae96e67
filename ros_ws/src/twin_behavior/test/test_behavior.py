import itertools
import json
from pathlib import Path

import numpy as np
import pytest

from twin_behavior import bench, evaluation
from twin_behavior.config import BehaviorConfig
from twin_behavior.core import table
from twin_behavior.core.observed import filter_tracks
from twin_behavior.core.recognition import Recognizer
from twin_behavior.core.table import Motions
from twin_common import cdr
from twin_common.cdr import ArrayMessage, record_dtype
from twin_common.config import ConfigError
from twin_common.lockstep import LockstepHost
from twin_common.node_spec import NodeSpec
from twin_msgs.msg import Behavior as BehaviorMessage

DATA = Path(__file__).resolve().parents[5] / "shared" / "data"
CAR, BICYCLE, PEDESTRIAN, UNKNOWN_CLASS = 1, 6, 7, 0
START = 1_700_000_000_000_000_000
NAMES = {getattr(table, name): name for name in (
    "UNKNOWN", "STANDING", "WALKING", "RUNNING", "LYING", "STOPPED", "STARTING", "MOVING", "STOPPING", "TURNING_LEFT",
    "TURNING_RIGHT")}  # fmt: skip


def motion(speeds, kinds, *, turn_rate=0.0, posture=0, ids=None):
    speeds, count = np.asarray(speeds, float), len(speeds)
    return Motions(
        np.asarray(ids if ids is not None else range(1, count + 1), np.uint64),
        np.broadcast_to(kinds, count).astype(int),
        np.full(count, posture), speeds, np.full(count, 0.1), np.full(count, float(turn_rate)), np.full(count, 0.03),
    )  # fmt: skip


def run(speeds, kind, seed=None, **values):
    """Return (kind name, probability, since in seconds) of one track at each moment, 10 Hz."""
    recognizer, result = Recognizer(BehaviorConfig()), []
    noise = np.zeros(len(speeds)) if seed is None else np.random.default_rng(seed).normal(0, 0.1, len(speeds))
    for k, speed in enumerate(np.abs(np.asarray(speeds) + noise)):
        b = recognizer.step(motion([speed], kind, **values), START + k * 100_000_000)
        result.append((NAMES[int(b.kind[0])], float(b.probability[0]), (int(b.since_ns[0]) - START) / 1e9))
    return result


def test_kinds_are_those_of_the_message():
    assert {name: kind for kind, name in NAMES.items()} == {
        name: getattr(BehaviorMessage, name) for name in NAMES.values()
    }


@pytest.mark.parametrize(
    ("speed", "kind", "values", "expected"),
    [(0.0, PEDESTRIAN, {}, "STANDING"), (1.3, PEDESTRIAN, {}, "WALKING"), (3.5, PEDESTRIAN, {}, "RUNNING"),
     (0.0, PEDESTRIAN, {"posture": 3}, "LYING"), (0.1, CAR, {}, "STOPPED"), (9.0, CAR, {}, "MOVING"),
     (6.0, CAR, {"turn_rate": 0.35}, "TURNING_LEFT"), (6.0, BICYCLE, {"turn_rate": -0.35}, "TURNING_RIGHT"),
     (0.0, CAR, {"posture": 3}, "STOPPED"), (1.0, UNKNOWN_CLASS, {}, "UNKNOWN")],
)  # fmt: skip
def test_steady_motions(speed, kind, values, expected):
    seen = run([speed] * 20, kind, seed=1, **values)
    assert [name for name, *_ in seen] == [expected] * 20
    assert seen[-1][1] > 0.8 and seen[-1][2] == 0.0


@pytest.mark.parametrize(
    ("kind", "cruise", "rest", "move"),
    [(CAR, 8.0, "STOPPED", "MOVING"), (BICYCLE, 5.0, "STOPPED", "MOVING"), (PEDESTRIAN, 1.5, "STANDING", "WALKING")],
)
def test_start_and_stop(kind, cruise, rest, move):
    """At rest for 2 s, 1.5 m/s^2 up to speed, steady, the same down to rest: each behaviour once and in order."""
    ramp = np.arange(0, cruise, 0.15 if kind != PEDESTRIAN else 0.1)
    speeds = np.concatenate([np.zeros(20), ramp, np.full(30, cruise), ramp[::-1], np.zeros(20)])
    names = [name for name, *_ in run(speeds, kind)]
    order = [name for k, name in enumerate(names) if k == 0 or name != names[k - 1]]
    assert order == [rest, "STARTING", move, "STOPPING", rest]
    delay = names.index("STARTING") - 20
    assert 0 < delay <= 8  # tenths of a second


def test_since_is_when_the_change_began():
    seen = run([0.0] * 20 + [1.4] * 20, PEDESTRIAN)
    name, _, since = seen[-1]
    assert name == "WALKING" and 2.0 <= since <= 3.3
    assert all(s == 0.0 for n, _, s in seen if n == "STANDING")


def test_noise_at_a_limit_does_not_flicker():
    limit = BehaviorConfig().standing_speed
    names = [name for name, *_ in run([limit] * 300, PEDESTRIAN, seed=2)]
    changes = sum(a != b for a, b in itertools.pairwise(names))
    plain = np.abs(np.diff((limit + np.random.default_rng(2).normal(0, 0.1, 300)) < limit)).sum()
    assert changes <= 6 < plain


def test_probabilities_sum_to_one_and_say_how_sure():
    rng, config = np.random.default_rng(3), BehaviorConfig()
    some = motion(rng.uniform(0, 10, 500), rng.integers(0, 10, 500), turn_rate=0.1)
    belief = table.probabilities(some, rng.normal(0, 1, 500), config)
    np.testing.assert_allclose(belief.sum(axis=1), 1.0)
    assert (belief >= 0).all()
    at_limit = table.probabilities(motion([config.standing_speed], PEDESTRIAN), np.zeros(1), config)[0]
    assert 0.35 < at_limit[table.STANDING] < 0.65


def test_tracks_are_remembered_by_name_and_forgotten():
    recognizer = Recognizer(BehaviorConfig())
    for k in range(10):
        recognizer.step(motion([0.0, 8.0], [PEDESTRIAN, CAR], ids=[5, 3]), START + k * 100_000_000)
    b = recognizer.step(motion([8.0, 0.0], [CAR, PEDESTRIAN], ids=[3, 5]), START + 10 * 100_000_000)
    assert [NAMES[k] for k in b.kind] == ["MOVING", "STANDING"] and (b.since_ns == START).all()
    recognizer.step(motion([8.0], [CAR], ids=[3]), START + 11 * 100_000_000)
    b = recognizer.step(motion([8.0, 0.0], [CAR, PEDESTRIAN], ids=[3, 5]), START + 12 * 100_000_000)
    assert list(b.since_ns - START) == [0, 1_200_000_000]
    b = recognizer.step(motion([0.0], [CAR], ids=[3]), START)  # a recording starts again
    assert NAMES[int(b.kind[0])] == "STOPPED" and b.since_ns[0] == START


def feed(records_by_frame):
    published = []
    wires = {"~/input/tracks": "/district/tracks", "~/output/behaviors": "/district/behaviors"}
    spec = NodeSpec("twin_behavior.behavior_node:Behavior", "behavior", "/district", {}, wires)
    host = LockstepHost([spec], lambda topic, _kind, _now, message: published.append((topic, message)))
    for k, records in enumerate(records_by_frame):
        stamp_ns = START + k * 100_000_000
        buffer = cdr.encode("twin_msgs/msg/TrackArray", ArrayMessage(stamp_ns, "map", {"tracks": records}))
        host.feed("/district/tracks", stamp_ns, buffer)
    host.close()
    return published, host.runtimes[0]


def tracks(count):
    records = np.zeros(count, record_dtype("twin_msgs/msg/Track"))
    records["track_id"], records["state"], records["classification"] = np.arange(count) + 1, 1, PEDESTRIAN
    records["covariance"] = (0.01 * np.eye(4)).reshape(-1)
    records["velocity_x"] = 1.3
    return records


def test_node_answers_every_array():
    published, runtime = feed([tracks(2), tracks(0), tracks(1)])
    assert [(topic, len(message["behaviors"])) for topic, message in published] == [
        ("/district/behaviors", 2), ("/district/behaviors", 0), ("/district/behaviors", 1)]  # fmt: skip
    record = published[0][1]["behaviors"][0]
    assert (record["kind"], record["classification"], record["since_ns"]) == (table.WALKING, PEDESTRIAN, START)
    assert record["speed"] == pytest.approx(1.3) and record["probability"] > 0.8
    message = published[0][1]
    again = cdr.decode("twin_msgs/msg/BehaviorArray", cdr.encode("twin_msgs/msg/BehaviorArray", message))
    assert (again["behaviors"] == message["behaviors"]).all() and runtime.problem is None


def test_node_counts_bad_tracks_and_skips_tentative_ones():
    records = tracks(4)
    records["velocity_x"][0], records["covariance"][1, 15], records["state"][2] = np.nan, np.inf, 0
    published, runtime = feed([records])
    assert list(published[0][1]["behaviors"]["track_id"]) == [4] and runtime.events["rejected"] == 2


def test_wrong_configuration_is_refused():
    with pytest.raises(ConfigError, match=r"standing_speed: 1.5; expected less than person_change_speed 1.2"):
        BehaviorConfig(standing_speed=1.5)
    with pytest.raises(ConfigError, match=r"stickiness: 0.5 is out of range; expected 1.0 to 20.0"):
        BehaviorConfig(stickiness=0.5)


def test_filter_finds_known_velocities():
    rng = np.random.default_rng(4)
    truth = np.arange(40)[:, None] * 0.1 * np.array([1.2, -0.4])
    positions = truth[None] + rng.normal(0, 0.05, (200, 40, 2))
    positions[0, 20:] = np.nan
    velocity, variance = filter_tracks(positions, 0.1, np.full(200, 0.3), np.full(200, 0.05))
    np.testing.assert_allclose(velocity[1:, -1].mean(axis=0), [1.2, -0.4], atol=0.05)
    np.testing.assert_allclose(velocity[1:, -1].var(axis=0), variance[1, -1], rtol=1.0)
    assert np.isnan(velocity[0, 20:]).all() and np.isfinite(velocity[0, :20]).all()


@pytest.mark.parametrize(
    ("rest", "label"),
    [([1] * 30, "waiting"), ([0] * 30, "moving"), ([1] * 20 + [0] * 20, "starting"), ([0] * 20 + [1] * 20, "stopping"),
     ([1] * 20 + [0] * 2 + [1] * 20, "waiting")],
)  # fmt: skip
def test_label_of_a_track(rest, label):
    assert evaluation.label_of(np.array(rest, bool)) == label


def test_evaluation_of_made_up_recordings(tmp_path):
    t = np.arange(0, 8, 0.05)
    ways = {
        "moving": 1.4 * t,
        "waiting": 0 * t,
        "starting": 1.4 * np.maximum(t - 4, 0),
        "stopping": 1.4 * np.minimum(t, 4),
    }
    for group in ("cyclists", "pedestrians"):
        for label, way in ways.items():
            folder = tmp_path / "vru" / group / label
            folder.mkdir(parents=True)
            rows = "".join(f"{k},{time},{x},0.0\n" for k, (time, x) in enumerate(zip(t, way, strict=True)))
            (folder / "1.csv").write_text(",timestamp,x,y\n" + rows)
    (tmp_path / "vru" / "cyclists" / "waiting" / "2.csv").write_text(",timestamp,x,y\n0,0.0,1,1\n1,0.0,1,1\n")
    metrics = evaluation.evaluate_behavior(tmp_path, tmp_path / "out")
    assert metrics["cyclists"]["ours"]["accuracy"] == metrics["pedestrians"]["ours"]["accuracy"] == 1.0
    assert metrics["left_out"] == ["cyclists/waiting/2"]
    assert json.loads((tmp_path / "out" / "metrics.json").read_text()) == metrics
    assert len((tmp_path / "out" / "behavior.csv").read_text().splitlines()) == 9


def test_missing_or_broken_recordings_are_named(tmp_path):
    with pytest.raises(ConfigError, match=r"vru: no tracks; expected \{cyclists,pedestrians\}"):
        evaluation.evaluate_behavior(tmp_path, tmp_path / "out")
    (tmp_path / "1.csv").write_text(",timestamp,x\n0,1,2\n")
    with pytest.raises(ConfigError, match=r"1.csv: 1 rows of 3; expected number, timestamp, x, y"):
        evaluation.read_positions(tmp_path / "1.csv")


@pytest.mark.realdata
def test_recorded_cyclists_and_pedestrians(tmp_path):
    if not (DATA / "vru").is_dir():
        pytest.skip(f"{DATA / 'vru'}: the VRU recordings are missing")
    metrics = evaluation.evaluate_behavior(DATA, tmp_path)
    cyclists, pedestrians = metrics["cyclists"], metrics["pedestrians"]
    assert cyclists["ours"]["accuracy"] > 0.8 and pedestrians["ours"]["accuracy"] > 0.92
    assert cyclists["ours"]["accuracy"] > cyclists["threshold"]["accuracy"]
    for group in (cyclists, pedestrians):
        assert group["ours"]["changes_per_minute"] < 0.5 * group["threshold"]["changes_per_minute"]


def test_bench_reports_a_median():
    assert bench.run(tracks=20, repeats=3)["recognise 20 tracks"] > 0
