import signal

import pytest
from bag_samples import POINTS, START_NS, STATIC, TRACKS, tracks, write_bag
from processes import finish, running, same, use_own_domain, wait_until, watching
from rcl_interfaces.srv import SetParameters
from rclpy.parameter import Parameter
from std_srvs.srv import SetBool, Trigger

from twin_replay.bag import BagReader, BagWriter
from twin_replay.core.timeline import Timeline
from twin_replay.player_node import main

pytestmark = pytest.mark.graph
SECOND = 1_000_000_000


@pytest.fixture(autouse=True)
def own_domain(monkeypatch):
    use_own_domain(monkeypatch)


@pytest.fixture
def bag(tmp_path):
    """Two seconds."""
    return write_bag(tmp_path / "bag", count=20)


def test_timeline_runs_at_its_rate_stops_in_pauses_and_jumps():
    timeline = Timeline(1000, 2.0, 50)
    assert timeline.at(60) == 1020
    assert timeline.due(1020) == 60
    timeline.set_paused(True, 60)
    assert (timeline.at(90), timeline.due(1020)) == (1020, None)
    timeline.set_paused(False, 100)
    assert timeline.at(110) == 1040
    timeline.set_rate(0.5, 110)
    assert timeline.at(130) == 1050
    timeline.jump(0, 130)
    assert timeline.at(140) == 5


def test_everything_is_played_in_order_and_none_is_lost(bag):
    with watching(TRACKS, POINTS, STATIC) as watcher, running("player_node", bag, "--rate", 4) as player:
        code, text = finish(player)
        assert (code, "41 messages played" in text) == (0, True)
        wait_until(lambda: len(watcher.got) == 41, "41 messages")
        recorded = [m.content for m in BagReader(bag).messages([TRACKS])]
        assert watcher.of(TRACKS) == recorded
        assert same(watcher.of(POINTS), [m.content for m in BagReader(bag).messages([POINTS])])
        assert watcher.clock == sorted(watcher.clock)
        assert watcher.clock[0] >= START_NS
        assert watcher.clock[-1] <= BagReader(bag).end_ns
        assert len(watcher.clock) > 20  # 50 Hz over half a second


def test_clock_is_the_time_a_message_was_recorded_at(bag):
    with watching(TRACKS) as watcher, running("player_node", bag, "--rate", 2) as player:
        finish(player)
        times = [m.time_ns for m in BagReader(bag).messages([TRACKS])]
        wait_until(lambda: len(watcher.got) == 20, "20 messages")
        behind = [time_ns - clock for time_ns, (_, _, clock) in zip(times, watcher.got, strict=True)]
        # A tick is at most 20 ms of wall time old, which is 40 ms here; the median is immune to a busy machine.
        assert -40_000_000 < sorted(behind)[10] < 60_000_000


def test_selected_part_of_selected_topics_with_latched_ones_from_before(bag):
    options = ("--start", 1.0, "--duration", 0.55, "--exclude", POINTS, "--rate", 4)
    with watching(TRACKS, POINTS, STATIC) as watcher, running("player_node", bag, *options) as player:
        assert finish(player)[0] == 0
        wait_until(lambda: len(watcher.got) == 7, "7 messages")
        assert watcher.got[0][0] == STATIC
        assert watcher.of(TRACKS) == [tracks(START_NS + i * SECOND // 10, i % 5) for i in range(10, 16)]
        assert watcher.of(POINTS) == []
        assert watcher.clock[0] == START_NS + SECOND


def test_pause_single_steps_rate_and_resume(bag):
    with watching(TRACKS) as watcher, running("player_node", bag, "--paused", "--topics", TRACKS) as player:
        wait_until(lambda: watcher.clock, "/clock in the pause")
        assert not watcher.got
        for count in (1, 2, 3):
            assert watcher.call(Trigger, "/player/play_next", Trigger.Request()).success
            wait_until(lambda count=count: len(watcher.got) == count, f"message {count}")
        wait_until(lambda: watcher.clock[-1] == START_NS + 200_001_000, "/clock at the third message")
        ticks = len(watcher.clock)
        wait_until(lambda: len(watcher.clock) > ticks + 10, "/clock while paused")
        assert watcher.clock[-1] == START_NS + 200_001_000

        rate = Parameter("rate", value=10.0).to_parameter_msg()
        answer = watcher.call(SetParameters, "/player/set_parameters", SetParameters.Request(parameters=[rate]))
        assert answer.results[0].successful
        wrong = Parameter("rate", value=-1.0).to_parameter_msg()
        answer = watcher.call(SetParameters, "/player/set_parameters", SetParameters.Request(parameters=[wrong]))
        assert "-1.0 is out of range; expected 0.01 to 100" in answer.results[0].reason

        assert watcher.call(Trigger, "/player/toggle_paused", Trigger.Request()).message == "playing"
        wait_until(lambda: len(watcher.got) == 20, "the rest")
        assert finish(player)[0] == 0


def test_pause_and_resume_services_and_sigterm(bag):
    with watching(TRACKS) as watcher, running("player_node", bag, "--loop", "--rate", 0.5) as player:
        wait_until(lambda: watcher.got, "the first message")
        assert watcher.call(SetBool, "/player/pause", SetBool.Request(data=True)).message == "paused"
        ticks = len(watcher.clock)
        wait_until(lambda: len(watcher.clock) > ticks + 5, "/clock while paused")
        assert watcher.clock[-1] == watcher.clock[-3]
        assert not watcher.call(Trigger, "/player/play_next", Trigger.Request()).message.startswith("not paused")
        assert watcher.call(SetBool, "/player/pause", SetBool.Request(data=False)).message == "playing"
        stood = watcher.clock[-1]
        wait_until(lambda: watcher.clock[-1] > stood, "/clock going on")
        player.send_signal(signal.SIGTERM)
        assert finish(player)[0] == 0


def test_a_loop_sets_time_back_to_the_start(bag):
    with watching(TRACKS) as watcher, running("player_node", bag, "--loop", "--rate", 10) as player:
        wait_until(lambda: len(watcher.got) > 45, "the third round")
        player.send_signal(signal.SIGINT)
        assert finish(player)[0] == 0
        recorded = [m.content for m in BagReader(bag).messages([TRACKS])]
        assert watcher.of(TRACKS)[:40] == recorded * 2
        back = [b for a, b in zip(watcher.clock, watcher.clock[1:], strict=False) if b < a]
        assert len(back) >= 2
        assert all(time_ns < START_NS + SECOND for time_ns in back)


def test_scans_of_three_megabytes_arrive_whole(tmp_path):
    bag = write_bag(tmp_path / "bag", count=20, cloud=125_000)
    with watching(POINTS) as watcher, running("player_node", bag, "--topics", POINTS) as player:
        assert finish(player)[0] == 0
        wait_until(lambda: len(watcher.got) == 20, "20 scans")
        assert same(watcher.of(POINTS), [m.content for m in BagReader(bag).messages([POINTS])])


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (["nowhere"], "nowhere: no such bag; expected a rosbag2 folder"),
        (["BAG", "--topics", "/imu"], "no messages on /imu; the bag has /district/tracks"),
        (["BAG", "--rate", "0"], "rate: 0.0 is out of range; expected 0.01 to 100"),
        (["BAG", "--start", "9"], "start: 9.0 s; "),
        (["BAG", "--exclude", TRACKS, POINTS, STATIC], "no messages on any topic to be played"),
        (["EMPTY"], "no messages on any topic to be played; the bag has nothing"),
        (["CUT"], "recording is cut off at byte"),
    ],
)
def test_bad_input_gives_one_line_and_exit_code_2(bag, tmp_path, capsys, options, expected):
    with BagWriter(tmp_path / "empty"):
        pass
    cut = write_bag(tmp_path / "cut")
    content = (cut / "cut_0.mcap").read_bytes()
    (cut / "cut_0.mcap").write_bytes(content[: len(content) // 2])
    paths = {"BAG": bag, "EMPTY": tmp_path / "empty", "CUT": cut}
    assert main([str(paths.get(word, word)) for word in options]) == 2
    error = capsys.readouterr().err
    assert expected in error
    assert len(error.strip().splitlines()) == 1
