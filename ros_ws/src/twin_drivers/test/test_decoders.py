from pathlib import Path

import numpy as np
import pytest
from ouster.sdk import core as ouster
from scipy.spatial import cKDTree

from twin_drivers.core import captures, synthetic
from twin_drivers.core.decoders import make_decoder
from twin_drivers.core.scan import DecoderOptions, Packet, PacketError, split

START_NS = 1_700_000_000_000_000_000
OPTIONS = DecoderOptions(min_range=0.5, max_range=150.0, sensor_clock=False, cut_angle_deg=180.0)
METADATA = synthetic.ouster_metadata(512)


def xyz(points):
    return np.stack([points["x"], points["y"], points["z"]], axis=1)


def scans(decoder, packets):
    return [scan for scan in map(decoder.push, packets) if scan is not None]


def test_ouster_scan_is_what_was_sent(ranges):
    decoder = make_decoder("ouster/OS-1-64", METADATA, None, OPTIONS)
    (scan,) = scans(decoder, synthetic.ouster_packets(METADATA, ranges, START_NS, 7))
    rows, columns = np.nonzero(ranges)
    assert len(scan.points) == len(rows) and scan.coverage == 1.0
    np.testing.assert_allclose(np.linalg.norm(xyz(scan.points), axis=1), ranges[rows, columns], atol=0.02)
    np.testing.assert_array_equal(scan.points["intensity"], (rows + columns) % 256)
    np.testing.assert_array_equal(scan.points["ring"], 63 - rows)
    period = synthetic.PERIOD_NS // 512
    np.testing.assert_array_equal(scan.points["time_offset_ns"], (columns - 511) * period)
    assert scan.stamp_ns == START_NS + 511 * period


def test_ouster_rings_count_from_the_lowest_beam(ranges):
    decoder = make_decoder("ouster", METADATA, None, OPTIONS)
    (scan,) = scans(decoder, synthetic.ouster_packets(METADATA, ranges, START_NS, 7))
    elevation = np.arctan2(scan.points["z"], np.hypot(scan.points["x"], scan.points["y"]))
    means = [elevation[scan.points["ring"] == ring].mean() for ring in range(64)]
    assert np.all(np.diff(means) > 0)


def test_ouster_points_are_those_of_the_sdk(ranges):
    info = ouster.SensorInfo(METADATA)
    scan = ouster.LidarScan(info)
    scan.field("RANGE")[:] = np.rint(ranges * 1e3)
    expected = ouster.XYZLut(info, False)(scan)[ranges > 0]
    decoder = make_decoder("ouster", METADATA, None, OPTIONS)
    (found,) = scans(decoder, synthetic.ouster_packets(METADATA, ranges, START_NS, 1))
    np.testing.assert_allclose(xyz(found.points), expected, atol=1e-4)


def test_ouster_range_limits(ranges):
    options = DecoderOptions(10.0, 20.0, False, 0.0)
    decoder = make_decoder("ouster", METADATA, None, options)
    (scan,) = scans(decoder, synthetic.ouster_packets(METADATA, ranges, START_NS, 1))
    assert len(scan.points) == np.count_nonzero((ranges >= 10.0) & (ranges <= 20.0))


def test_ouster_scan_without_its_last_packet_ends_with_the_next(ranges):
    decoder = make_decoder("ouster", METADATA, None, OPTIONS)
    first = synthetic.ouster_packets(METADATA, ranges, START_NS, 1)[:-1]
    second = synthetic.ouster_packets(METADATA, ranges, START_NS + synthetic.PERIOD_NS, 2)
    one, two = scans(decoder, first + second)
    assert one.coverage == pytest.approx(31 / 32) and one.stamp_ns == first[-1].stamp_ns
    assert one.points["time_offset_ns"].max() == 0
    assert two.coverage == 1.0 and two.stamp_ns == second[-1].stamp_ns
    assert len(two.points) == np.count_nonzero(ranges)


def test_ouster_sensor_that_starts_anew_is_followed(ranges):
    decoder = make_decoder("ouster", METADATA, None, OPTIONS)
    packets = [
        packet
        for number, frame in enumerate((500, 501, 1, 2, 3))
        for packet in synthetic.ouster_packets(METADATA, ranges, START_NS + number * synthetic.PERIOD_NS, frame)
    ]
    assert [scan.coverage for scan in scans(decoder, packets)] == [1.0] * 5


def test_ouster_takes_time_from_the_sensor_when_told(ranges):
    decoder = make_decoder("ouster", METADATA, None, DecoderOptions(0.5, 150.0, True, 0.0))
    packets = [Packet(5, payload) for _, payload in synthetic.ouster_packets(METADATA, ranges, START_NS, 1)]
    (scan,) = scans(decoder, packets)
    assert scan.stamp_ns == START_NS + 511 * (synthetic.PERIOD_NS // 512)


def test_ouster_without_returns_gives_an_empty_scan(ranges):
    decoder = make_decoder("ouster", METADATA, None, OPTIONS)
    (scan,) = scans(decoder, synthetic.ouster_packets(METADATA, ranges * 0, START_NS, 1))
    assert len(scan.points) == 0 and scan.coverage == 1.0


@pytest.mark.parametrize("profile", ["RNG19_RFL8_SIG16_NIR16", "RNG15_RFL8_NIR8", "RNG19_RFL8_SIG16_NIR16_DUAL"])
def test_ouster_profiles(profile):
    info = ouster.SensorInfo(METADATA)
    info.format.udp_profile_lidar = ouster.UDPProfileLidar.from_string(profile)
    metadata = info.to_json_string()
    ranges = np.full((64, 512), 8.0)
    decoder = make_decoder("ouster", metadata, None, OPTIONS)
    (scan,) = scans(decoder, synthetic.ouster_packets(metadata, ranges, START_NS, 1))
    assert len(scan.points) == ranges.size
    np.testing.assert_allclose(np.linalg.norm(xyz(scan.points), axis=1), 8.0, atol=0.02)


def rubbish():
    rng = np.random.default_rng(3)
    sizes = (0, 1, 1206, 6464, 12608)
    return [Packet(START_NS, rng.bytes(size)) for size in sizes for _ in range(5)]


def test_ouster_refuses_rubbish_and_goes_on(ranges):
    decoder = make_decoder("ouster", METADATA, None, OPTIONS)
    packets = synthetic.ouster_packets(METADATA, ranges, START_NS, 1)
    found = scans(decoder, packets[:10])
    for packet in rubbish():
        with pytest.raises(PacketError, match="expected"):
            decoder.push(packet)
    found += scans(decoder, packets[10:])
    assert [len(scan.points) for scan in found] == [np.count_nonzero(ranges)]


def test_vlp16_sphere():
    decoder = make_decoder("velodyne/VLP-16", "", None, OPTIONS)
    packets = list(synthetic.vlp16_packets(10.0, START_NS, 300))
    found = scans(decoder, packets)
    assert len(found) == 4  # the first, of half a revolution, and three whole ones
    assert found[0].coverage == pytest.approx(0.5, abs=0.02)
    arrivals = {packet.stamp_ns for packet in packets}
    for scan in found[1:]:
        assert scan.coverage == pytest.approx(1.0, abs=0.02)
        assert len(scan.points) == pytest.approx(16 * synthetic.PERIOD_NS / 55_296, rel=0.02)
        np.testing.assert_allclose(np.linalg.norm(xyz(scan.points), axis=1), 10.0, atol=0.05)
        assert scan.stamp_ns in arrivals
        offsets = scan.points["time_offset_ns"]
        assert offsets.max() == 0 and offsets.min() == pytest.approx(-synthetic.PERIOD_NS, rel=0.02)
    points = found[-1].points
    elevation = np.degrees(np.arctan2(points["z"], np.hypot(points["x"], points["y"])))
    np.testing.assert_allclose(elevation, points["ring"] * 2.0 - 15.0, atol=0.2)
    # Lasers fire in the order -15, 1, -13, 3, ... degrees; intensity is the laser's number.
    laser = points["intensity"].astype(int)
    np.testing.assert_array_equal(points["ring"], np.where(laser % 2 == 0, laser // 2, 8 + laser // 2))


def test_vlp16_times_grow_with_azimuth():
    decoder = make_decoder("velodyne/VLP-16", "", None, OPTIONS)
    scan = scans(decoder, synthetic.vlp16_packets(10.0, START_NS, 200))[-1]
    clockwise = (np.degrees(np.arctan2(-scan.points["y"], scan.points["x"])) - 180.0) % 360.0
    inner = (clockwise > 10.0) & (clockwise < 350.0)
    turned = clockwise[inner] - 360.0
    expected_ns = turned / 360.0 * synthetic.PERIOD_NS
    assert np.abs(scan.points["time_offset_ns"][inner] - expected_ns).max() < 2e6


def test_velodyne_refuses_rubbish_and_goes_on():
    decoder = make_decoder("velodyne/VLP-16", "", None, OPTIONS)
    packets = list(synthetic.vlp16_packets(10.0, START_NS, 100))
    clean = scans(make_decoder("velodyne/VLP-16", "", None, OPTIONS), packets)
    found = scans(decoder, packets[:50])
    for packet in rubbish():
        with pytest.raises(PacketError, match="expected"):
            decoder.push(packet)
    assert decoder.push(Packet(START_NS, bytes(512))) is None  # a position packet
    found += scans(decoder, packets[50:])
    assert [len(scan.points) for scan in found] == [len(scan.points) for scan in clean]


def test_velodyne_of_another_model_is_refused():
    decoder = make_decoder("velodyne/VLP-32C", "", None, OPTIONS)
    with pytest.raises(PacketError, match="product 0x22; expected 0x28 of velodyne/VLP-32C"):
        decoder.push(next(synthetic.vlp16_packets(10.0, START_NS, 1)))


@pytest.mark.parametrize(
    ("model", "metadata", "expected"),
    [
        ("hesai/XT32", "", "expected velodyne/MODEL or ouster"),
        ("velodyne/VLP-17", "", "VLP-16"),
        ("ouster/OS-1-64", "", "parameter metadata"),
        ("ouster", '{"beams": 64}', "expected the JSON of an Ouster sensor"),
    ],
)
def test_unknown_models_and_metadata(model, metadata, expected):
    with pytest.raises(ValueError, match=expected):
        make_decoder(model, metadata, None, OPTIONS)


def test_every_velodyne_model_has_a_decoder():
    import velodyne_decoder

    from twin_drivers.core.models import VELODYNE

    folder = Path(velodyne_decoder.__file__).parent / "calibrations"
    for name in VELODYNE:
        calibration = folder / "HDL-64E_S3-VeloView.yml" if name.startswith("HDL-64E") else None
        assert make_decoder(f"velodyne/{name}", "", calibration, OPTIONS).model == f"velodyne/{name}"


def test_calibration_is_asked_for_and_checked(tmp_path):
    with pytest.raises(ValueError, match="parameter calibration"):
        make_decoder("velodyne/HDL-64E", "", None, OPTIONS)
    broken = tmp_path / "broken.yml"
    broken.write_text("lasers: none")
    with pytest.raises(ValueError, match=r"calibration: .*broken\.yml"):
        make_decoder("velodyne/HDL-64E", "", broken, OPTIONS)


def test_split():
    payloads = np.frombuffer(b"abbccc", np.uint8)
    packets = list(split(np.array([1, 2, 3]), np.array([1, 2, 3]), payloads))
    assert packets == [(1, b"a"), (2, b"bb"), (3, b"ccc")]
    assert list(split(np.zeros(0, int), np.zeros(0, int), payloads[:0])) == []
    with pytest.raises(PacketError, match="6 bytes"):
        list(split(np.array([1, 2]), np.array([1, 2]), payloads))


def read_pcd(path):
    """Points of the reference decoder, (N, 3) metres, and their distances, (N,) metres."""
    content = path.read_bytes()
    start = content.index(b"DATA binary\n") + 12
    dtype = np.dtype(
        [("x", "<f4"), ("y", "<f4"), ("z", "<f4"), ("rest", "V4"), ("angles", "V8"), ("distance", "<f4"), ("t", "<u4")]
    )
    points = np.frombuffer(content[start:], dtype)
    return xyz(points), points["distance"]


@pytest.mark.realdata
def test_vlp16_recording_decodes_to_the_reference(lidar_data):
    reference, distance = read_pcd(next((lidar_data / "vlp16").glob("*.pcd")))
    (folder,) = (path for path in (lidar_data / "vlp16").iterdir() if path.is_dir())
    options = DecoderOptions(float(distance.min()), float(distance.max()), False, 0.0)
    decoder = make_decoder("velodyne/VLP-16", "", None, options)
    scan = scans(decoder, captures.bag_packets(folder))[-1]
    points = xyz(scan.points)
    assert len(points) == pytest.approx(len(reference), rel=0.02)
    for one, other in ((points, reference), (reference, points)):
        nearest, _ = cKDTree(one).query(other)
        assert np.median(nearest) < 0.02 and np.percentile(nearest, 99) < 0.10


@pytest.mark.realdata
def test_ouster_capture_decodes_to_what_the_sdk_gives(lidar_data):
    from ouster.sdk import open_source

    (path,) = (lidar_data / "ouster").glob("*.pcap")
    (metadata,) = (lidar_data / "ouster").glob("*.json")
    decoder = make_decoder("ouster", metadata.read_text(), None, DecoderOptions(0.0, 1000.0, False, 0.0))
    found = scans(decoder, captures.pcap_packets(path))
    expected = [scan[0] for scan in open_source(str(path), meta=[str(metadata)])]
    assert len(found) == len(expected) == 3
    lut = ouster.XYZLut(ouster.SensorInfo(metadata.read_text()), False)
    for scan, truth in zip(found, expected, strict=True):
        valid = truth.field("RANGE") > 0
        np.testing.assert_allclose(xyz(scan.points), lut(truth)[valid], atol=1e-4)
        np.testing.assert_array_equal(scan.points["intensity"], truth.field("REFLECTIVITY")[valid])
        columns = np.nonzero(valid)[1]
        times = truth.timestamp.astype(np.int64)
        np.testing.assert_array_equal(scan.points["time_offset_ns"], times[columns] - times.max())
