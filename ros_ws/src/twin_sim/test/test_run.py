"""./twin sim run, as a person runs it: its bag, its truth, an interrupt, and what it refuses."""

import hashlib
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from twin_common.codecs import codec_for
from twin_common.district import load_district
from twin_drivers.core.decoders import make_decoder
from twin_drivers.core.scan import DecoderOptions, Packet
from twin_replay.bag import BagMessage, BagReader
from twin_replay.convert import fingerprint
from twin_sim.truth import load_truth

ROOT = Path(__file__).parents[4]


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "twin_bringup.cli", "sim", *arguments]


def run(*arguments: str) -> subprocess.CompletedProcess:
    environment = {**os.environ, "TWIN_ROOT": str(ROOT)}
    return subprocess.run(command(*arguments), cwd=ROOT, env=environment, capture_output=True, text=True, timeout=200)


@pytest.fixture(scope="module")
def twice(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folders = []
    for name in ("first", "second"):
        folder = tmp_path_factory.mktemp(name)
        made = run(
            "run", "vehicle_pass", "--platforms", "pole_01,vehicle_01", "--columns", "512", "--skip", "1",
            "--duration", "1.5", "--out", str(folder / "bag"), "--truth", str(folder / "truth.jsonl"),
        )  # fmt: skip
        assert made.returncode == 0, made.stderr
        folders.append(folder)
    return folders


def test_the_bag_has_what_sensors_give_and_what_is_true(twice: list[Path]) -> None:
    reader = BagReader(twice[0] / "bag")
    counts = {name: topic.count for name, topic in reader.topics.items()}
    assert counts["/sim/actors"] == counts["/sim/events"] == counts["/district/signals"] == 15
    assert counts["/pole_01/lidar/packets"] == counts["/pole_01/sim/visibility"] == 14
    assert counts["/vehicle_01/lidar/packets"] == counts["/vehicle_01/gnss/fix"] == 14
    assert counts["/vehicle_01/imu"] == 140
    times = [message.time_ns for message in reader.messages()]
    assert times == sorted(times)
    district = load_district(twice[0] / "bag/district.yaml")
    assert [platform.name for platform in district.platforms] == ["pole_01", "vehicle_01"]


def test_the_ordinary_driver_reads_the_packets(twice: list[Path]) -> None:
    bag = twice[0] / "bag"
    lidar = load_district(bag / "district.yaml").platform("pole_01").lidar
    assert lidar is not None and lidar.driver["source"] == "packets"
    options = DecoderOptions(0.5, 150.0, True, 180.0)
    decoder = make_decoder(lidar.driver["model"], (bag / lidar.driver["metadata"]).read_text(), None, options)
    visible = {
        m.time_ns: codec_for(m.type_name).decode(m.content)
        for m in BagReader(bag).messages(["/pole_01/sim/visibility"])
    }
    scans = []
    for message in BagReader(bag).messages(["/pole_01/lidar/packets"]):
        packets = codec_for(message.type_name).decode(message.content)
        payloads, at = bytes(packets.data), 0
        for stamp, size in zip(packets.stamps_ns, packets.sizes, strict=True):
            scan = decoder.push(Packet(int(stamp), payloads[at : at + size]))
            at += size
            scans += [scan] if scan is not None else []
    assert len(scans) == 14
    for scan, (stamp_ns, seen) in zip(scans, visible.items(), strict=True):
        assert abs(scan.stamp_ns - stamp_ns) < 1_000
        assert 0 < seen["actors"]["points"].sum() < len(scan.points)


def _content(message: BagMessage) -> tuple[str, int, str]:
    """Return what is in a message; padding bytes, of messages that rclpy serialises, may differ."""
    if message.type_name.endswith("LidarPackets"):  # their values are too many to look at one by one
        packets = codec_for(message.type_name).decode(message.content)
        return message.topic, message.time_ns, hashlib.sha256(packets.data.tobytes()).hexdigest()
    return message.topic, message.time_ns, fingerprint(message.type_name, message.content).hex()


def test_the_same_seed_gives_the_same_bag_and_truth(twice: list[Path]) -> None:
    first, second = ([_content(m) for m in BagReader(folder / "bag").messages()] for folder in twice)
    assert first == second
    names = sorted(path.name for path in twice[0].iterdir() if path.is_file())
    assert "truth.jsonl" in names and "truth.events.jsonl" in names
    for name in names:
        assert (twice[0] / name).read_bytes() == (twice[1] / name).read_bytes(), name


def test_the_truth_knows_what_each_platform_saw(twice: list[Path]) -> None:
    truth = load_truth(twice[0] / "truth.jsonl")
    assert len(set(truth["tracks"]["stamp_ns"].tolist())) == 15
    assert set(truth["visibility"]["platform"].tolist()) == {"pole_01", "vehicle_01"}
    assert set(truth["visibility"]["actor_id"].tolist()) <= set(truth["tracks"]["actor_id"].tolist())


def test_truth_alone_has_visibility_unless_sensors_are_left_out(tmp_path: Path) -> None:
    common = (
        "run",
        "near_miss",
        "--poles",
        "1",
        "--columns",
        "512",
        "--duration",
        "0.5",
        "--set",
        "population.warmup=5",
    )
    seen = {}
    for name, options in (("with", ()), ("recorded", ("--out", str(tmp_path / "bag"))), ("without", ("--no-sensors",))):
        path = tmp_path / f"{name}.parquet"
        made = run(*common, "--vehicles", "0", "--truth", str(path), *options)
        assert made.returncode == 0, made.stderr
        seen[name] = load_truth(path)
    assert set(seen["with"]["visibility"]["platform"].tolist()) == {"pole_01"}
    assert seen["with"]["visibility"]["points"].sum() > 100 and len(seen["without"]["visibility"]["platform"]) == 0
    for column, values in seen["recorded"]["visibility"].items():
        assert values.tolist() == seen["with"]["visibility"][column].tolist()
    assert seen["with"]["tracks"]["x"].tolist() == seen["without"]["tracks"]["x"].tolist()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=lambda n: n.name)
def test_an_interrupted_run_leaves_a_readable_bag_and_truth(number: signal.Signals, tmp_path: Path) -> None:
    bag, truth = tmp_path / "bag", tmp_path / "truth.parquet"
    arguments = ("run", "normal_day", "--platforms", "pole_02", "--columns", "512", "--out", str(bag))
    process = subprocess.Popen(
        command(*arguments, "--truth", str(truth), "--set", "population.warmup=5"), cwd=ROOT,
        env={**os.environ, "TWIN_ROOT": str(ROOT)}, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline and not (
        bag.is_dir() and max(p.stat().st_size for p in bag.glob("*.mcap")) > 5e5
    ):
        assert process.poll() is None, process.communicate()[0]
        time.sleep(0.1)
    process.send_signal(number)
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 130, output
    assert "cut short" in output and "Traceback" not in output
    reader = BagReader(bag)
    assert reader.problem is None and reader.topics["/pole_02/lidar/packets"].count > 3
    frames = len(set(load_truth(truth)["tracks"]["stamp_ns"].tolist()))
    assert 0 <= frames - reader.topics["/sim/actors"].count <= 1  # the interrupt may come between the two


def test_an_interrupt_before_the_first_frame_leaves_nothing(tmp_path: Path) -> None:
    arguments = ("run", "normal_day", "--platforms", "pole_02", "--skip", "100", "--out", str(tmp_path / "bag"))
    process = subprocess.Popen(
        command(*arguments), cwd=ROOT, env={**os.environ, "TWIN_ROOT": str(ROOT)}, stderr=subprocess.PIPE, text=True
    )
    assert process.stderr is not None
    said = process.stderr.readline()
    process.send_signal(signal.SIGINT)
    said += process.communicate(timeout=60)[1]
    assert process.returncode == 130 and "Traceback" not in said, said
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (("run", "nowhere"), "nowhere: no such scenario; expected a file, or one of car_collision"),
        (
            ("run", "near_miss", "--duration", "300"),
            "duration: 300 s; expected at least a frame, 0.1 s, and at most 30 s",
        ),
        (
            ("run", "near_miss", "--duration", "0.05", "--out", "x"),
            "duration: 0.05 s; expected at least a frame, 0.1 s",
        ),
        (("run", "near_miss", "--no-sensors", "--out", "x"), "--no-sensors: --out and --udp need sensors"),
        (("run", "near_miss", "--skip", "40"), "skip: 40 s; expected 0 or more, and less than 30 s"),
        (("run", "near_miss", "--poles", "40", "--out", "x"), "poles: 40; expected at most 12"),
        (("run", "near_miss", "--platforms", "pole_77", "--out", "x"), "pole_77: no such platform"),
        (("run", "near_miss", "--set", "weather.rian=3"), "rian"),
        (("run", "near_miss", "--out", "docs"), "docs: exists already; expected the name of a new bag"),
        (("run", "near_miss", "--truth", "truth.csv"), "ends in .csv; expected .parquet or .jsonl"),
        (("import-osm", "nowhere.osm", "x"), "nowhere.osm"),
    ],
    ids=lambda value: "" if isinstance(value, str) else "_".join(value[1:3]),
)
def test_bad_input_is_one_line_and_leaves_nothing(arguments: tuple[str, ...], line: str) -> None:
    made = run(*arguments)
    assert made.returncode == 2
    last = made.stderr.strip().splitlines()[-1]
    assert line in last and "Traceback" not in made.stderr
    assert not (ROOT / "x").exists() and not (ROOT / "truth.csv").exists()


def test_packets_go_over_udp(tmp_path: Path) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as receiver:
        receiver.bind(("127.0.0.1", 0))
        receiver.settimeout(60)
        port = receiver.getsockname()[1]
        process = subprocess.Popen(
            command(
                "run", "near_miss", "--platforms", "pole_01", "--columns", "512", "--duration", "3", "--udp",
                f"127.0.0.1:{port}", "--set", "population.warmup=5",
            ),
            cwd=ROOT, env={**os.environ, "TWIN_ROOT": str(ROOT)},
        )  # fmt: skip
        try:
            sizes = {len(receiver.recv(65_536)) for _ in range(64)}
        finally:
            process.send_signal(signal.SIGINT)
            process.wait(timeout=60)
    assert len(sizes) == 1 and sizes.pop() > 1000
