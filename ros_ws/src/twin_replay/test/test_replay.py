import argparse
import functools

import pytest
import replay_toys
from bag_samples import POINTS, START_NS, TRACKS, points, tracks

from twin_common.config import ConfigError
from twin_replay import cli, replay
from twin_replay.bag import BagError, BagReader, BagWriter
from twin_replay.convert import fingerprint


@pytest.fixture
def bag(tmp_path):
    """Clouds of 0 to 9 points, and tracks of the run they were recorded in."""
    path = tmp_path / "bag"
    with BagWriter(path) as writer:
        writer.add_topic(POINTS)
        writer.add_topic(TRACKS)
        for i in range(20):
            time_ns = START_NS + i * 100_000_000
            writer.write(POINTS, time_ns, points(time_ns, i % 10, i))
            writer.write(TRACKS, time_ns + 1, tracks(time_ns, 3))
    return path


@pytest.fixture
def run(bag, tmp_path, monkeypatch, capsys):
    """Return exit code and output of ``./twin replay`` over the toy graph."""
    monkeypatch.chdir(tmp_path)

    def call(*options, **parameters):
        commands = argparse.ArgumentParser()
        cli.register(commands.add_subparsers())
        args = commands.parse_args(["replay", str(bag), *options])
        code = args.func(args, lambda _args, _reader: replay_toys.graph(**parameters))
        captured = capsys.readouterr()
        return code, captured.out + captured.err

    return call


def test_the_same_graph_gives_the_same(run, bag, tmp_path):
    code, text = run("--update-refs")
    assert code == 0
    assert "/district/alerts: 2" in text
    assert "times real time" in text
    code, text = run("--twice")
    assert code == 0
    assert "same as the reference: 42 messages within tolerance" in text
    assert not (tmp_path / "out").exists()


def test_what_lies_in_memory_between_two_fields_makes_no_difference():
    from sensor_msgs.msg import Imu

    from twin_common.codecs import codec_for

    message = Imu()
    message.header.frame_id = "ab"  # with its end 3 bytes, at byte 12; the next field begins at byte 16
    clean = bytearray(codec_for("sensor_msgs/msg/Imu").encode(message))
    gap = slice(4 + 15, 4 + 16)
    clean[gap] = b"\x00"
    dirty = bytearray(clean)
    dirty[gap] = b"\x55"
    assert dirty != clean
    assert fingerprint("sensor_msgs/msg/Imu", bytes(dirty)) == fingerprint("sensor_msgs/msg/Imu", bytes(clean))
    message.header.frame_id = "ax"
    other = codec_for("sensor_msgs/msg/Imu").encode(message)
    assert fingerprint("sensor_msgs/msg/Imu", other) != fingerprint("sensor_msgs/msg/Imu", bytes(clean))


def test_two_runs_are_identical(bag):
    one, two = (replay.run_lockstep(replay_toys.graph(), BagReader(bag), replay.ExpectationConfig()) for _ in range(2))
    assert [message[:3] for message in one.outputs] == [message[:3] for message in two.outputs]
    assert one.digest() == two.digest()
    moved = replay.run_lockstep(replay_toys.graph(shift=1e-9), BagReader(bag), replay.ExpectationConfig())
    assert moved.digest() != one.digest()


def test_outputs_that_depend_on_the_process_are_found(run):
    run("--update-refs", hashes=True)
    code, text = run("--twice", hashes=True)
    assert code == 1
    assert "FAILED a second run, in a process of its own, gave other outputs" in text


def test_recorded_tracks_are_not_mixed_with_those_of_the_graph(bag):
    run = replay.run_lockstep(replay_toys.graph(), BagReader(bag), replay.ExpectationConfig())
    assert run.fed == 20
    assert replay.counts_by_topic(run.outputs) == {"/pole_01/objects": 20, TRACKS: 20, "/district/alerts": 2}


def test_a_difference_is_named_counted_and_written_out(run, tmp_path):
    run("--update-refs")
    code, text = run(shift=0.5)
    assert code == 1
    assert "DIFFERENT /district/tracks: 90 differences" in text  # 2 x (0 + 1 + ... + 9) tracks
    assert "DIFFERENT /district/alerts" not in text
    lines = (tmp_path / "out/replay/bag/differences.txt").read_text().splitlines()
    assert len(lines) == 90
    assert lines[0].startswith(f"/district/tracks[1] at {START_NS + 100_000_000}: tracks[0].x: reference ")
    assert lines[0].endswith("(tolerance 0.0001)")
    assert BagReader(tmp_path / "out/replay/bag/outputs").topics[TRACKS].count == 20
    assert run()[0] == 0
    assert not (tmp_path / "out/replay/bag/differences.txt").exists()


def test_tolerances_are_data(run, bag):
    run("--update-refs")
    assert run(shift=0.5)[0] == 1
    (bag / "tolerances.yaml").write_text("fields: {'*/tracks:tracks.x': {absolute: 0.51}}")
    assert run(shift=0.5)[0] == 0
    (bag / "tolerances.yaml").write_text("fields: {'*:tracks.x': {ignore: true}}")
    assert run(shift=5.0)[0] == 0
    (bag / "tolerances.yaml").write_text("default: {absolut: 1}")
    with pytest.raises(ConfigError, match=r"tolerances.yaml.default: unknown key 'absolut'; did you mean absolute"):
        run()


def test_a_lost_track_is_a_difference(run):
    run("--update-refs")
    code, text = run(lose=0)
    assert code == 1
    assert "tracks.length: reference 1, now 0" in text


@pytest.mark.parametrize("parameters", [{"fails": True}, {}])
def test_a_stage_that_fails_or_stays_silent_is_named(bag, run, parameters, tmp_path):
    if not parameters:
        few = tmp_path / "few"
        with BagWriter(few) as writer:
            writer.add_topic(POINTS)
            writer.write(POINTS, START_NS, points(START_NS, 2))
        failures = replay.run_lockstep(replay_toys.graph(), BagReader(few), replay.ExpectationConfig()).failures
        assert failures == [
            "/district/tracker: no message on /district/alerts; "
            "expected some, or the topic under quiet in tolerances.yaml"
        ]
        quiet = replay.ExpectationConfig(quiet=("/district/alerts",))
        assert replay.run_lockstep(replay_toys.graph(), BagReader(few), quiet).failures == []
        return
    code, text = run("--update-refs", **parameters)
    assert code == 1
    assert "FAILED /district/tracker: 1 errors, the last problem: on_objects: RuntimeError: third scan" in text
    assert not (bag / "reference").exists()


def test_a_stage_without_input_is_named(tmp_path):
    with BagWriter(tmp_path / "bag") as writer:
        writer.add_topic("/pole_01/objects")
        writer.write("/pole_01/objects", START_NS, objects())
    nodes = [replay_toys.graph()[1], *second_detector()]
    failures = replay.run_lockstep(nodes, BagReader(tmp_path / "bag"), replay.ExpectationConfig()).failures
    assert any(f.startswith("/pole_02/lidar_detector: received nothing; expected messages on") for f in failures)
    assert any(f.startswith("/pole_02/lidar_detector: published nothing; expected messages on") for f in failures)


def objects():
    import numpy as np

    from twin_common import cdr

    records = np.zeros(2, cdr.record_dtype("twin_msgs/msg/DetectedObject"))
    return cdr.encode("twin_msgs/msg/DetectedObjectArray", cdr.ArrayMessage(START_NS, "map", {"objects": records}))


def second_detector():
    detector = replay_toys.graph()[0]
    ports = {"~/input/points": "/pole_02/lidar/points", "~/output/objects": "/pole_02/objects"}
    return [type(detector)(detector.component, detector.name, "/pole_02", {}, ports)]


def test_one_node_alone_takes_its_input_from_the_reference(run):
    run("--update-refs")
    code, text = run("--nodes", "tracker")
    assert code == 0
    assert "same as the reference: 22 messages" in text
    assert run("--nodes", "/district/tracker", shift=1.0)[0] == 1
    with pytest.raises(ConfigError, match=r"--nodes nobody: no such node; expected /pole_01/lidar_detector"):
        run("--nodes", "nobody")
    with pytest.raises(ConfigError, match="without --nodes"):
        run("--nodes", "tracker", "--update-refs")


def test_references_change_only_on_request_and_as_a_whole(run, bag):
    with pytest.raises(BagError, match=r"reference: no such folder; expected a pinned reference \(--update-refs"):
        run()
    run("--update-refs")
    before = (bag / "reference/reference_0.mcap").read_bytes()
    run(shift=1.0)
    assert (bag / "reference/reference_0.mcap").read_bytes() == before
    run("--update-refs", shift=1.0)
    assert (bag / "reference/reference_0.mcap").read_bytes() != before
    assert sorted(path.name for path in bag.iterdir()) == ["bag_0.mcap", "metadata.yaml", "reference"]
    assert run(shift=1.0)[0] == 0


def test_a_bag_that_feeds_nothing_is_refused(tmp_path):
    with BagWriter(tmp_path / "bag") as writer:
        writer.add_topic(TRACKS)
        writer.write(TRACKS, START_NS, tracks(START_NS, 1))
    call = functools.partial(replay.run_lockstep, replay_toys.graph(), BagReader(tmp_path / "bag"))
    with pytest.raises(BagError, match=r"no messages on /pole_01/lidar/points; the bag has /district/tracks"):
        call(replay.ExpectationConfig())


def test_a_reference_of_other_message_types_is_refused_until_it_is_made_again(run, bag):
    with BagWriter(bag / "reference") as writer:
        writer.add_topic(TRACKS, type_hash="RIHS01_" + "0" * 64)
        writer.write(TRACKS, START_NS, tracks(START_NS, 1))
    with pytest.raises(BagError, match=r"reference: /district/tracks was recorded with other fields"):
        run()
    assert run("--update-refs")[0] == 0
    assert run()[0] == 0
