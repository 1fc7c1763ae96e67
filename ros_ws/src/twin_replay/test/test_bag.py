import os
import signal
import subprocess
import sys
from pathlib import Path

import mcap.writer
import pytest
import yaml
from bag_samples import POINTS, START_NS, STATIC, TRACKS, points, tracks, write_bag
from mcap.reader import make_reader
from rosbags.rosbag2 import Reader
from rosbags.typesys import Stores, get_types_from_msg, get_typestore

from twin_common import registry
from twin_replay import message_definitions
from twin_replay.bag import BagError, BagReader, BagWriter, OfferedQos, recover, topics_of

DATA = Path(__file__).parents[4] / "../shared/data"


def content_of(reader):
    return [(m.topic, m.time_ns, m.content) for m in reader.messages()]


def test_what_is_written_is_read_back_by_this_reader_rosbags_and_mcap(tmp_path):
    bag = write_bag(tmp_path / "bag", count=30, cloud=20_000)
    reader = BagReader(bag)
    assert reader.problem is None
    assert reader.count == 61
    assert {name: topic.count for name, topic in reader.topics.items()} == {STATIC: 1, TRACKS: 30, POINTS: 30}
    assert reader.start_ns == START_NS
    assert reader.end_ns == START_NS + 29 * 100_000_000 + 1000
    messages = content_of(reader)
    assert [m[1] for m in messages] == sorted(m[1] for m in messages)
    assert messages[2] == (TRACKS, START_NS + 1000, tracks(START_NS, 0))

    with Reader(bag) as other:
        assert [(c.topic, t, bytes(b)) for c, t, b in other.messages()] == messages
        assert other.duration == reader.end_ns - reader.start_ns + 1
    with next(bag.glob("*.mcap")).open("rb") as stream:
        plain = make_reader(stream, validate_crcs=True)
        assert plain.get_header().profile == "ros2"
        assert sum(1 for _ in plain.iter_messages()) == 61


def test_rosbags_decodes_our_messages_by_the_definitions_in_the_bag(tmp_path):
    bag = tmp_path / "bag"
    with BagWriter(bag) as writer:
        writer.add_topic(TRACKS)
        writer.write(TRACKS, START_NS, tracks(START_NS, 3, offset=7.0))
    with Reader(bag) as reader:
        connection, _, content = next(reader.messages())
        store = get_typestore(Stores.ROS2_JAZZY)
        store.register(get_types_from_msg(connection.msgdef.data, connection.msgtype))
        message = store.deserialize_cdr(content, connection.msgtype)
    assert [track.x for track in message.tracks] == [7.0, 8.0, 9.0]
    assert message.header.frame_id == "map"


def test_metadata_is_that_of_jazzy(tmp_path):
    bag = write_bag(tmp_path / "bag")
    root = yaml.safe_load((bag / "metadata.yaml").read_text())["rosbag2_bagfile_information"]
    assert (root["version"], root["storage_identifier"], root["message_count"]) == (9, "mcap", 41)
    assert root["relative_file_paths"] == ["bag_0.mcap"]
    by_name = {item["topic_metadata"]["name"]: item["topic_metadata"] for item in root["topics_with_message_count"]}
    assert by_name[STATIC]["offered_qos_profiles"][0]["durability"] == "transient_local"
    assert by_name[POINTS]["offered_qos_profiles"][0]["reliability"] == "best_effort"
    assert by_name[TRACKS]["type_description_hash"].startswith("RIHS01_")
    with Reader(bag) as reader:  # rosbags checks every key it knows
        assert reader.message_count == 41


@pytest.mark.parametrize("type_name", sorted({topic.type_name for topic in registry.TOPICS.values()}))
def test_every_type_of_the_registry_has_a_full_definition(type_name):
    text = message_definitions.definition(type_name)
    store = get_typestore(Stores.EMPTY)
    types = get_types_from_msg(text, type_name)
    store.register(types)
    assert store.hash_rihs01(type_name) == message_definitions.type_hash(type_name)


def test_time_window_and_topics(tmp_path):
    reader = BagReader(write_bag(tmp_path / "bag"))
    window = list(reader.messages([POINTS], START_NS + 500_000_000, START_NS + 800_000_000))
    assert [m.time_ns - START_NS for m in window] == [500_000_000, 600_000_000, 700_000_000]
    assert {m.topic for m in window} == {POINTS}


def test_messages_written_out_of_order_come_in_order_of_time(tmp_path):
    times = [5, 1, 9, 3, 7, 1]
    with BagWriter(tmp_path / "bag") as writer:
        writer.add_topic(TRACKS)
        for i, seconds in enumerate(times):
            writer.write(TRACKS, START_NS + seconds, tracks(i, 1))
            writer.flush()
    assert [m.time_ns - START_NS for m in BagReader(tmp_path / "bag").messages()] == sorted(times)


def test_a_bag_of_several_files_is_read_as_one(tmp_path):
    one = write_bag(tmp_path / "bag", count=5)
    two = write_bag(tmp_path / "two", count=5, start_ns=START_NS + 50_000_000)
    next(two.glob("*.mcap")).rename(one / "bag_1.mcap")
    meta = yaml.safe_load((one / "metadata.yaml").read_text())
    meta["rosbag2_bagfile_information"]["relative_file_paths"].append("bag_1.mcap")
    (one / "metadata.yaml").write_text(yaml.safe_dump(meta))
    reader = BagReader(one)
    assert reader.topics[TRACKS].count == 10
    times = [m.time_ns for m in reader.messages()]
    assert len(times) == 22
    assert times == sorted(times)


def test_an_empty_bag_has_no_messages_and_says_so_where_some_are_needed(tmp_path):
    with BagWriter(tmp_path / "bag") as writer:
        writer.add_topic(TRACKS)
    reader = BagReader(tmp_path / "bag")
    assert (reader.count, reader.duration, list(reader.messages())) == (0, 0.0, [])
    with pytest.raises(BagError, match=r"no messages on /district/tracks; the bag has nothing"):
        reader.require([TRACKS])
    with Reader(tmp_path / "bag") as other:
        assert list(other.messages()) == []


@pytest.mark.parametrize(
    ("make", "expected"),
    [
        (lambda path: None, "no such bag; expected a rosbag2 folder or an .mcap file"),
        (lambda path: path.mkdir(), "no bag: neither metadata.yaml nor .mcap in it"),
        (lambda path: path.write_bytes(b""), "no MCAP file: is empty"),
        (lambda path: path.write_text("hello there"), "no MCAP file: begins with"),
        (lambda path: (path.mkdir(), (path / "metadata.yaml").write_text("{")), "metadata.yaml: cannot be read"),
        (lambda path: (path.mkdir(), (path / "metadata.yaml").write_text("a: 1")), "no rosbag2_bagfile_information"),
        (
            lambda path: (write_bag(path), (path / "bag_0.mcap").unlink()),
            "bag_0.mcap: no such file; expected it from",
        ),
    ],
)
def test_what_is_no_bag_gives_one_line(tmp_path, make, expected):
    path = tmp_path / "bag"
    make(path)
    with pytest.raises(BagError) as error:
        BagReader(path)
    assert expected in str(error.value)
    assert str(path) in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("part", [0.3, 0.6, 0.99])
def test_a_cut_off_bag_is_refused_and_its_whole_messages_recovered(tmp_path, part):
    bag = write_bag(tmp_path / "bag", count=200, cloud=5000)
    before = content_of(BagReader(bag))
    file = bag / "bag_0.mcap"
    whole = file.read_bytes()
    file.write_bytes(whole[: int(len(whole) * part)])
    with pytest.raises(BagError, match=r"cut off at byte \d+ of \d+; expected an MCAP footer; \d+ messages .* whole"):
        BagReader(bag)
    reader = BagReader(bag, recover=True)
    assert "cut off" in reader.problem
    assert (part - 0.2) * len(before) < reader.count < len(before)
    assert content_of(reader) == before[: reader.count]

    again = recover(bag, tmp_path / "whole")
    assert again.problem is None
    assert content_of(again) == before[: reader.count]
    assert again.topics[STATIC].qos.latched


def test_every_cut_of_a_small_bag_is_refused_in_one_line_and_never_crashes(tmp_path):
    bag = write_bag(tmp_path / "bag", count=3, cloud=10)
    file = bag / "bag_0.mcap"
    whole = file.read_bytes()
    for size in range(0, len(whole) - 1, 97):
        file.write_bytes(whole[:size])
        with pytest.raises(BagError) as error:
            BagReader(bag)
        assert "\n" not in str(error.value)


def test_damage_inside_a_chunk_is_found_and_skipped_on_request(tmp_path):
    bag = write_bag(tmp_path / "bag", count=200, cloud=5000)
    file = bag / "bag_0.mcap"
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 0xFF
    file.write_bytes(content)
    with pytest.raises(BagError, match=r"chunk at byte \d+ is damaged"):
        list(BagReader(bag).messages())
    reader = BagReader(bag, recover=True)
    left = list(reader.messages())
    assert 300 < len(left) < 401


@pytest.mark.parametrize(
    "options",
    [
        {"use_chunking": False},
        {"use_statistics": False},
        {"repeat_channels": False, "repeat_schemas": False},
        {"index_types": mcap.writer.IndexType.NONE},
        {"compression": mcap.writer.CompressionType.LZ4},
        {"compression": mcap.writer.CompressionType.NONE, "enable_crcs": False},
    ],
)
def test_files_of_other_writers_are_read(tmp_path, options):
    path = tmp_path / "other.mcap"
    with path.open("wb") as stream:
        writer = mcap.writer.Writer(stream, **options)
        writer.start(profile="ros2")
        schema = writer.register_schema("twin_msgs/msg/TrackArray", "ros2msg", b"x")
        channel = writer.register_channel(TRACKS, "cdr", schema)
        for i in (2, 0, 1):
            writer.add_message(channel, START_NS + i, tracks(i, i), START_NS)
        writer.finish()
    reader = BagReader(path)
    assert reader.topics[TRACKS].count == 3
    assert [m.content for m in reader.messages()] == [tracks(i, i) for i in range(3)]


def test_writer_refuses_what_it_cannot_write(tmp_path):
    with BagWriter(tmp_path / "bag") as writer:
        with pytest.raises(BagError, match=r"/nowhere: no topic of the registry; expected its type"):
            writer.add_topic("/nowhere")
        with pytest.raises(BagError, match=r"package nothing_msgs is not installed"):
            writer.add_topic("/a", "nothing_msgs/msg/A")
        with pytest.raises(BagError, match=r"not declared"):
            writer.write(TRACKS, 1, b"")
        writer.add_topic("/chatter", "std_msgs/msg/String", OfferedQos(5, reliable=False))
        with pytest.raises(BagError, match=r"declared as std_msgs/msg/String"):
            writer.add_topic("/chatter", "std_msgs/msg/Bool")
    with pytest.raises(BagError, match=r"exists already"):
        BagWriter(tmp_path / "bag")
    with pytest.raises(BagError, match=r"cannot be made"):
        BagWriter("/proc/bag")
    assert topics_of(tmp_path / "bag") == {}


def test_types_that_have_changed_are_refused(tmp_path):
    with BagWriter(tmp_path / "bag") as writer:
        writer.add_topic(TRACKS, type_hash="RIHS01_" + "0" * 64)
        writer.add_topic("/foreign", "foreign_msgs/msg/A", definition=("uint8 a\n", "ros2msg"), type_hash="")
    reader = BagReader(tmp_path / "bag")
    with pytest.raises(BagError, match=r"recorded with other fields of twin_msgs/msg/TrackArray"):
        reader.check_types([TRACKS])
    with pytest.raises(BagError, match=r"foreign_msgs/msg/A, which is not installed"):
        reader.check_types(["/foreign"])


WRITE_UNTIL_KILLED = """
import sys
from bag_samples import *
from twin_replay.bag import BagWriter
writer = BagWriter(sys.argv[1])
writer.add_topic(POINTS)
for i in range(1_000_000):
    writer.write(POINTS, START_NS + i, points(START_NS + i, 2000, i))
    if i % 10 == 9:
        writer.flush()
        print(i + 1, flush=True)
"""


def test_a_killed_writer_leaves_what_it_flushed(tmp_path):
    bag = tmp_path / "bag"
    environment = dict(os.environ, PYTHONPATH=f"{Path(__file__).parent}:{os.environ.get('PYTHONPATH', '')}")
    command = [sys.executable, "-c", WRITE_UNTIL_KILLED, str(bag)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, env=environment, text=True) as process:
        flushed = 0
        for line in process.stdout:
            flushed = int(line)
            if flushed >= 100:
                break
        process.send_signal(signal.SIGKILL)
        process.stdout.read()
    reader = BagReader(bag, recover=True)
    assert reader.count >= flushed
    assert [m.content for m in reader.messages()][:3] == [points(START_NS + i, 2000, i) for i in range(3)]
    assert (bag / "metadata.yaml").is_file()


FILL_THE_DISK = """
import resource, sys
from bag_samples import *
from twin_replay.bag import BagError, BagWriter
resource.setrlimit(resource.RLIMIT_FSIZE, (5_000_000, 5_000_000))
try:
    with BagWriter(sys.argv[1]) as writer:
        writer.add_topic(POINTS)
        for i in range(1000):
            writer.write(POINTS, START_NS + i, points(START_NS + i, 2000, i))
except BagError as error:
    print(error)
    sys.exit(2)
"""


def test_a_full_disk_gives_one_line_and_leaves_what_fitted(tmp_path):
    bag = tmp_path / "bag"
    environment = dict(os.environ, PYTHONPATH=f"{Path(__file__).parent}:{os.environ.get('PYTHONPATH', '')}")
    command = [sys.executable, "-c", FILL_THE_DISK, str(bag)]
    done = subprocess.run(command, capture_output=True, env=environment, text=True, timeout=60)
    assert done.returncode == 2
    assert done.stdout.count("\n") == 1
    assert "bag_0.mcap: cannot be" in done.stdout
    assert "File too large" in done.stdout
    assert done.stderr == ""
    assert BagReader(bag, recover=True).count > 100


@pytest.mark.realdata
def test_a_recorded_sqlite_bag_is_read():
    bag = DATA / "lidar_packets/vlp16/1673400471837873222"
    reader = BagReader(bag)
    assert {name: topic.count for name, topic in reader.topics.items()} == {"/velodyne_packets": 4}
    assert reader.duration == pytest.approx(0.300, abs=0.001)
    assert len(list(reader.messages())) == 4


def test_a_broken_sqlite_bag_gives_one_line(tmp_path):
    bag = write_bag(tmp_path / "bag", count=1)
    text = (bag / "metadata.yaml").read_text()
    for other in ("sqlite3", "paper"):
        changed = text.replace("storage_identifier: mcap", f"storage_identifier: {other}")
        (bag / "metadata.yaml").write_text(changed)
        with pytest.raises(BagError, match=r"bag: cannot be read: "):
            BagReader(bag)
