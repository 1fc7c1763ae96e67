import signal
import time

import pytest
from bag_samples import POINTS, START_NS, STATIC, TRACKS, frames, tracks, write_bag
from processes import finish, running, same, use_own_domain, wait_until
from rclpy.qos import QoSProfile, ReliabilityPolicy

from twin_common import cdr, registry
from twin_common.codecs import codec_for
from twin_common.config import ConfigError
from twin_common.ros_host import qos_profile
from twin_replay import topic_names
from twin_replay.bag import BagReader
from twin_replay.infrastructure import background_node
from twin_replay.recorder import RecorderConfig, selects
from twin_replay.recorder_node import main

pytestmark = pytest.mark.graph


@pytest.fixture(autouse=True)
def own_domain(monkeypatch):
    use_own_domain(monkeypatch)


@pytest.fixture
def node():
    with background_node("source", []) as made:
        yield made


def publisher(node, name, qos=None):
    entry = topic_names.entry_of(name)
    return node.create_publisher(cdr.message_class(entry.type_name), name, qos or qos_profile(entry.qos))


def matched(*publishers):
    wait_until(lambda: all(item.get_subscription_count() for item in publishers), "subscription of the recorder")


def send(source, count, start=0):
    sent = [tracks(START_NS + i, i % 7) for i in range(start, start + count)]
    for content in sent:
        source.publish(content)
        time.sleep(0.002)
    return sent


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_the_bag_properly_and_none_is_lost(node, tmp_path, number):
    source, static = publisher(node, TRACKS), publisher(node, STATIC)
    static.publish(frames())
    with running("recorder_node", tmp_path / "bag") as recorder:
        matched(source, static)
        before = time.time_ns()
        sent = send(source, 100)
        wait_until(lambda: source.wait_for_all_acked(), "acknowledgement")
        time.sleep(0.1)
        recorder.send_signal(number)
        code, text = finish(recorder)
    assert code == 0
    assert "101 messages on 2 topics" in text
    assert ", 0 lost" in text
    reader = BagReader(tmp_path / "bag")
    assert reader.problem is None
    recorded = list(reader.messages([TRACKS]))
    assert [m.content for m in recorded] == sent
    assert before <= recorded[0].time_ns <= recorded[-1].time_ns <= time.time_ns()
    (static,) = reader.messages([STATIC])
    decoded = codec_for(static.type_name).decode(static.content)
    assert [transform.child_frame_id for transform in decoded.transforms] == ["pole_01/base_link"]
    assert reader.topics[STATIC].qos.latched


def test_a_killed_recorder_leaves_a_readable_bag(node, tmp_path):
    source = publisher(node, TRACKS)
    with running("recorder_node", "--out", tmp_path / "bag", "--flush-period", 0.1) as recorder:
        matched(source)
        sent = send(source, 50)
        file = tmp_path / "bag/bag_0.mcap"
        wait_until(lambda: BagReader(file, recover=True).count == 50, "50 messages on disk")
        send(source, 20)
        recorder.kill()
        recorder.wait()
    reader = BagReader(tmp_path / "bag", recover=True)
    assert "cut off" in reader.problem
    assert [m.content for m in reader.messages()][:50] == sent


def test_topics_are_added_as_they_appear_and_only_those_asked_for(node, tmp_path):
    first = publisher(node, TRACKS)
    with running("recorder_node", tmp_path / "bag", "--topics", TRACKS, "/pole_07/imu") as recorder:
        matched(first)
        publisher(node, POINTS)
        late = publisher(node, "/pole_07/imu")
        matched(late)
        late.publish(cdr.message_class("sensor_msgs/msg/Imu")())
        time.sleep(0.2)
        recorder.send_signal(signal.SIGINT)
        assert finish(recorder)[0] == 0
    assert {name: topic.count for name, topic in BagReader(tmp_path / "bag").topics.items()} == {
        TRACKS: 0, "/pole_07/imu": 1,
    }  # fmt: skip


def test_a_best_effort_publisher_of_a_reliable_topic_is_heard(node, tmp_path):
    source = publisher(node, TRACKS, QoSProfile(depth=10, reliability=ReliabilityPolicy.BEST_EFFORT))
    with running("recorder_node", tmp_path / "bag") as recorder:
        matched(source)
        send(source, 5)
        time.sleep(0.2)
        recorder.send_signal(signal.SIGINT)
        finish(recorder)
    topic = BagReader(tmp_path / "bag").topics[TRACKS]
    assert (topic.count > 0, topic.qos.reliable) == (True, False)


def test_another_type_under_a_known_name_is_refused(node, tmp_path):
    node.create_publisher(cdr.message_class("std_msgs/msg/String"), TRACKS, 10)
    other = publisher(node, "/district/incidents")
    with running("recorder_node", tmp_path / "bag") as recorder:
        matched(other)
        recorder.send_signal(signal.SIGINT)
        code, text = finish(recorder)
    assert code == 0
    assert f"{TRACKS}: not recorded: published as std_msgs/msg/String; expected twin_msgs/msg/TrackArray" in text


def test_a_played_bag_recorded_in_its_own_time_is_the_same_bag(tmp_path):
    bag = write_bag(tmp_path / "bag", count=30)
    arguments = [tmp_path / "copy", "--all", "--exclude", "/clock", "/parameter_events", "--ros-args", "-p"]
    with running("recorder_node", *arguments, "use_sim_time:=true") as recorder:
        wait_until(lambda: (tmp_path / "copy/metadata.yaml").is_file(), "the recorder")
        with running("player_node", bag, "--wait", 10) as player:
            assert finish(player)[0] == 0
        time.sleep(0.3)
        recorder.send_signal(signal.SIGINT)
        assert finish(recorder)[0] == 0
    original, copy = BagReader(bag), BagReader(tmp_path / "copy")
    for name in (TRACKS, POINTS, STATIC):
        assert same(*([m.content for m in bag.messages([name])] for bag in (copy, original)))
    shift = [
        (c.time_ns - o.time_ns) / 1e6 for c, o in zip(copy.messages([TRACKS]), original.messages([TRACKS]), strict=True)
    ]
    assert abs(sorted(shift)[15]) < 50  # ms; log times are those of the recording, not of today


def test_registry_decides_unless_told_otherwise():
    default = RecorderConfig()
    recorded = {entry.key for entry in registry.TOPICS.values() if selects(default, entry.resolve("pole_01"))}
    assert recorded == {entry.key for entry in registry.TOPICS.values() if entry.recorded}
    assert not selects(default, "/rosout")
    assert selects(RecorderConfig(all=True), "/rosout")
    assert not selects(RecorderConfig(all=True, exclude=("/rosout",)), "/rosout")
    assert selects(RecorderConfig(regex="/pole_.*"), POINTS)
    assert not selects(RecorderConfig(regex="/pole_.*"), TRACKS)
    with pytest.raises(ConfigError, match=r"regex: '\(': .* expected a regular expression"):
        RecorderConfig(regex="(")


def test_an_existing_folder_gives_one_line_and_exit_code_2(tmp_path, capsys):
    write_bag(tmp_path / "bag")
    assert main([str(tmp_path / "bag")]) == 2
    assert capsys.readouterr().err == f"{tmp_path}/bag: exists already; expected the name of a new bag\n"
    assert BagReader(tmp_path / "bag").count == 41


def test_images_that_show_people_are_refused_whatever_is_asked_for(node, tmp_path):
    name = "/pole_01/camera/image/compressed"
    image, other = publisher(node, name), publisher(node, "/pole_01/imu")
    with running("recorder_node", tmp_path / "bag", "--all") as recorder:
        matched(other)
        time.sleep(0.5)
        assert image.get_subscription_count() == 0
        recorder.send_signal(signal.SIGINT)
        code, text = finish(recorder)
    assert code == 0 and f"{name}: not recorded: it shows people" in text
    assert name not in BagReader(tmp_path / "bag").topics
