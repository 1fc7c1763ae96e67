import argparse
import subprocess
import sys

import pytest
from bag_samples import POINTS, TRACKS, write_bag

from twin_replay import bag_info, bench, cli
from twin_replay.bag import BagError, BagReader, BagWriter
from twin_replay.core.kitti import KittiError


def call(*words):
    parser = argparse.ArgumentParser(prog="twin")
    cli.register(parser.add_subparsers(required=True))
    args = parser.parse_args([str(word) for word in words])
    return args.func(args)


@pytest.fixture
def bag(tmp_path):
    return write_bag(tmp_path / "bag")


def test_info_shows_topics_counts_rates_and_stamps(bag, capsys):
    assert call("bag", "info", bag) == 0
    text = capsys.readouterr().out
    assert "messages:  41 on 3 topics" in text
    assert "duration:  1.900 s" in text
    assert "start:     2023-11-14 22:13:20.000 UTC" in text
    (row,) = (line.split() for line in text.splitlines() if line.startswith(TRACKS))
    assert row[1:4] == ["twin_msgs/msg/TrackArray", "20", "10.00"]
    assert row[5:] == ["0.100", "0.000", "1.900", "0.0"]  # longest gap, first and last stamp, delay in ms


def test_quick_info_does_not_read_messages(bag, capsys):
    assert call("bag", "info", bag, "--quick") == 0
    (row,) = (line.split() for line in capsys.readouterr().out.splitlines() if line.startswith(TRACKS))
    assert row[1:] == ["twin_msgs/msg/TrackArray", "20"]


def test_figures_of_a_topic_with_a_gap():
    figures = bag_info.TopicFigures([0, 10**8, 2 * 10**8, 10**9], [])
    assert (figures.rate, figures.longest_gap) == (10.0, 0.8)
    assert bag_info.TopicFigures([5], []).rate == 0.0


def test_info_of_an_empty_and_of_a_cut_off_bag(bag, tmp_path, capsys):
    with BagWriter(tmp_path / "empty") as writer:
        writer.add_topic(TRACKS)
    assert call("bag", "info", tmp_path / "empty") == 0
    assert "messages:  0 on 1 topics" in capsys.readouterr().out
    whole = (bag / "bag_0.mcap").read_bytes()
    (bag / "bag_0.mcap").write_bytes(whole[:-20])
    assert call("bag", "info", bag) == 0
    text = capsys.readouterr().out
    assert "problem:   bag_0.mcap: recording is cut off at byte" in text
    assert "./twin bag recover" in text


def test_recover_makes_a_whole_bag(bag, tmp_path, capsys):
    whole = (bag / "bag_0.mcap").read_bytes()
    (bag / "bag_0.mcap").write_bytes(whole[:-20])
    assert call("bag", "recover", bag, tmp_path / "again") == 0
    assert "41 messages" in capsys.readouterr().out
    assert BagReader(tmp_path / "again").topics[POINTS].count == 20
    with pytest.raises(BagError, match="exists already"):
        call("bag", "recover", bag, tmp_path / "again")
    with BagWriter(tmp_path / "none"):
        pass
    with pytest.raises(BagError, match="no whole message in it"):
        call("bag", "recover", tmp_path / "none", tmp_path / "new")
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize(
    ("words", "error", "expected"),
    [
        (("bag", "info", "nowhere"), BagError, "nowhere: no such bag"),
        (("bag", "play", "nowhere"), BagError, "nowhere: no such bag"),
        (("replay", "nowhere"), BagError, "nowhere: no such bag"),
        (("bag", "import-kitti", "nowhere", "0000", "out"), KittiError, "velodyne/0000: no such folder"),
    ],
)
def test_bad_input_raises_one_line_for_the_command_line(words, error, expected, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(error, match=expected) as caught:
        call(*words)
    assert "\n" not in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_record_refuses_an_existing_folder(bag):
    with pytest.raises(BagError, match="exists already"):
        call("bag", "record", bag)


@pytest.mark.parametrize("module", ["player_node", "recorder_node"])
def test_help_names_every_option_with_its_default(module):
    command = [sys.executable, "-m", f"twin_replay.{module}", "--help"]
    text = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    for option in {"player_node": ("--rate", "--loop", "--start"), "recorder_node": ("--all", "--regex", "--out")}[
        module
    ]:
        assert option in text
    assert "default" in text


def test_bench_measures_this_package_beside_its_peers():
    figures = bench.run(clouds=2, tracks_per_cloud=2, repeat=1)
    assert sum(", mcap alone" in key for key in figures) == 2
    assert sum(", rosbags" in key for key in figures) == 2
    assert all(value > 0 for value in figures.values())
