import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import cv2
import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from twin_common import pointcloud, registry
from twin_common.codecs import codec_for
from twin_common.core import geometry
from twin_common.district import load_district
from twin_replay.bag import BagError, BagReader
from twin_replay.core import kitti
from twin_replay.kitti_import import LIDAR_HEIGHT, import_sequence, sensor_mounts

DATA = Path(__file__).parents[4] / "../shared/data/kitti_tracking"
LIDAR_IN_IMU = (0.81, -0.32, 0.80)
YAW = -1.2  # of the vehicle, from east


@pytest.fixture
def source(tmp_path):
    """Two frames in the official layout; sequence 0007 with an image of the first frame."""
    root = tmp_path / "kitti"
    for kind in ("velodyne/0007", "image_02/0007", "oxts", "calib", "label_02"):
        (root / kind).mkdir(parents=True)
    for frame in range(2):
        cloud = np.random.default_rng(frame).uniform(-20, 20, (500, 4)).astype("<f4")
        cloud[:, 3] = np.linspace(0, 1, 500)
        cloud.tofile(root / f"velodyne/0007/{frame:06d}.bin")
    pixels = np.zeros((40, 120, 3), np.uint8)
    pixels[:, 60:] = 255
    cv2.imwrite(str(root / "image_02/0007/000000.png"), pixels)
    row = [49.0, 8.4, 112.0, 0.01, 0.02, YAW, -3.0, 1.0, 3.5, 0.0, 0.1, 0, 0, 0, 0.3, -0.2, 9.8, 0, 0, 0, 0.01, 0.02]
    lines = [" ".join(map(str, [*row, 0.15, 0.5, 0.07, 4, 10, 4, 4, 0])) for _ in range(2)]
    (root / "oxts/0007.txt").write_text("\n".join(lines) + "\n")
    tr = " ".join(map(str, [1, 0, 0, -LIDAR_IN_IMU[0], 0, 1, 0, -LIDAR_IN_IMU[1], 0, 0, 1, -LIDAR_IN_IMU[2]]))
    (root / "calib/0007.txt").write_text(
        "P2: 700 0 60 45 0 700 20 0.2 0 0 1 0.003\nR_rect 1 0 0 0 1 0 0 0 1\n"
        f"Tr_velo_cam 0 -1 0 0 0 0 -1 0 1 0 0 -0.27\nTr_imu_velo {tr}\n"
    )
    (root / "label_02/0007.txt").write_text("0 1 Car 0 0 0.1 0 0 10 10 1.5 1.6 4.0 1 1.7 10 0.2\n")
    return root


def messages_of(bag, key):
    name = registry.topic(key).resolve("vehicle_01")
    codec = codec_for(registry.topic(key).type_name)
    return [(m.time_ns, codec.decode(m.content)) for m in BagReader(bag).messages([name])]


def test_scans_keep_points_times_and_rings(source, tmp_path):
    out = tmp_path / "k7"
    assert import_sequence(source, "0007", out) == 10
    (time_ns, cloud), (later_ns, _) = messages_of(out, "lidar_points")
    raw = np.fromfile(source / "velodyne/0007/000000.bin", "<f4").reshape(-1, 4)
    assert cloud.points.dtype.names == tuple(n for n in pointcloud.POINT_DTYPE.names if n != "padding")
    np.testing.assert_array_equal(cloud.xyz, raw[:, :3])
    np.testing.assert_allclose(cloud.points["intensity"], raw[:, 3] * 255, rtol=1e-6)
    assert (cloud.frame_id, cloud.stamp_ns, later_ns - time_ns) == ("vehicle_01/lidar", time_ns, 100_000_000)
    assert -100_000_000 <= cloud.points["time_offset_ns"].min() < cloud.points["time_offset_ns"].max() <= 0


def test_position_orientation_and_velocity_are_enu(source, tmp_path):
    out = tmp_path / "k7"
    import_sequence(source, "0007", out)
    stamp_ns = kitti.frame_stamp_ns(0)
    time_ns, fix = messages_of(out, "gnss_fix")[0]
    assert (time_ns, fix.latitude, fix.longitude, fix.altitude) == (stamp_ns, 49.0, 8.4, 112.0)
    assert fix.position_covariance[0] == pytest.approx(0.25)
    velocity = messages_of(out, "gnss_velocity")[0][1].twist.twist.linear
    assert (velocity.x, velocity.y, velocity.z) == (1.0, -3.0, 0.1)
    imu = messages_of(out, "imu")[0][1]
    q = imu.orientation
    forward = Rotation.from_quat([q.x, q.y, q.z, q.w]).apply([1, 0, 0])
    assert np.arctan2(forward[1], forward[0]) == pytest.approx(YAW)
    assert imu.angular_velocity.z == 0.15
    assert imu.linear_acceleration.z == 9.8


def test_the_image_is_small_and_its_camera_is_described(source, tmp_path):
    out = tmp_path / "k7"
    import_sequence(source, "0007", out)
    ((_, image),) = messages_of(out, "camera_image")
    pixels = cv2.imdecode(np.frombuffer(image.data, np.uint8), cv2.IMREAD_COLOR)
    assert pixels.shape == (40, 120, 3)
    assert pixels[20, 10].max() < 20
    assert pixels[20, 110].min() > 235
    ((_, info),) = messages_of(out, "camera_info")
    assert (info.width, info.height, info.k[0], info.p[3]) == (120, 40, 700.0, 45.0)


def test_the_district_knows_datum_and_mounts(source, tmp_path):
    out = tmp_path / "k7"
    import_sequence(source, "0007", out)
    district = load_district(out / "district.yaml")
    platform = district.platform("vehicle_01")
    assert (platform.kind, district.datum.latitude, district.datum.longitude) == ("vehicle", 49.0, 8.4)
    lidar = platform.lidar.mount
    assert (lidar.x, lidar.y, lidar.z) == (LIDAR_IN_IMU[0], LIDAR_IN_IMU[1], LIDAR_HEIGHT)
    assert platform.gnss_imu.mount.z == pytest.approx(LIDAR_HEIGHT - 0.80)
    assert district.datum.altitude == pytest.approx(112.0 - platform.gnss_imu.mount.z)
    in_front = geometry.apply(platform.camera.mount.matrix(), np.array([[0.0, 0.0, 10.0]]))[0]
    np.testing.assert_allclose(in_front, [LIDAR_IN_IMU[0] + 10.27, LIDAR_IN_IMU[1], LIDAR_HEIGHT], atol=1e-6)


def test_mounts_survive_the_file(source, tmp_path):
    import_sequence(source, "0007", tmp_path / "k7")
    mounts = sensor_mounts(kitti.TrackingSequence(source, "0007").calibration)
    platform = load_district(tmp_path / "k7/district.yaml").platform("vehicle_01")
    for name, sensor in (("lidar", platform.lidar), ("camera", platform.camera), ("imu", platform.gnss_imu)):
        np.testing.assert_allclose(sensor.mount.matrix(), mounts[name], atol=1e-7)


def test_truth_is_copied_in_the_official_layout(source, tmp_path):
    import_sequence(source, "0007", tmp_path / "k7")
    assert len(kitti.read_labels(tmp_path / "k7/labels/label_02/0007.txt")) == 1
    assert sorted(path.name for path in (tmp_path / "k7/labels").iterdir()) == ["calib", "label_02", "oxts"]
    assert sorted(path.name for path in (tmp_path / "k7").iterdir()) == [
        "district.yaml", "k7_0.mcap", "labels", "metadata.yaml",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("damage", "expected"),
    [
        (lambda root: (root / "velodyne/0007/000001.bin").write_bytes(b"123"), "000001.bin: 3 bytes; expected"),
        (lambda root: (root / "oxts/0007.txt").unlink(), "oxts/0007.txt: no such file"),
        (lambda root: (root / "image_02/0007/000000.png").write_bytes(b"x"), "000000.png: no readable image"),
        (lambda root: (root / "calib/0007.txt").write_text("P2: 1 2"), "P2 has 2 numbers; expected 12"),
    ],
)
def test_bad_input_gives_one_line_and_leaves_nothing(source, tmp_path, damage, expected):
    damage(source)
    with pytest.raises(ValueError, match=expected) as error:
        import_sequence(source, "0007", tmp_path / "k7")
    assert "\n" not in str(error.value)
    assert [path.name for path in tmp_path.iterdir()] == ["kitti"]


def test_an_existing_folder_is_replaced_only_by_force(source, tmp_path):
    out = tmp_path / "k7"
    import_sequence(source, "0007", out)
    (out / "mine").touch()
    with pytest.raises(BagError, match=r"k7: exists already; expected the name of a new folder \(or --force\)"):
        import_sequence(source, "0007", out)
    assert (out / "mine").exists()
    (source / "oxts/0007.txt").rename(source / "oxts/gone.txt")
    with pytest.raises(kitti.KittiError):
        import_sequence(source, "0007", out, force=True)
    assert (out / "mine").exists()
    (source / "oxts/gone.txt").rename(source / "oxts/0007.txt")
    import_sequence(source, "0007", out, force=True)
    assert not (out / "mine").exists()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["k7", "kitti"]


IMPORT = """
import sys
from pathlib import Path
from twin_replay import kitti_import
slow = kitti_import._cloud
def waiting(*arguments):
    import time
    print("at work", flush=True)
    time.sleep(30)
    return slow(*arguments)
kitti_import._cloud = waiting
kitti_import.import_sequence(Path(sys.argv[1]), "0007", Path(sys.argv[2]))
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_import_leaves_nothing(source, tmp_path, number):
    command = [sys.executable, "-c", IMPORT, str(source), str(tmp_path / "k7")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=dict(os.environ)) as process:
        process.stdout.readline()
        assert any(path.name.endswith(".partial") for path in tmp_path.iterdir())
        time.sleep(0.1)
        process.send_signal(number)
        assert process.wait(20) != 0
    assert [path.name for path in tmp_path.iterdir()] == ["kitti"]


@pytest.mark.realdata
def test_a_real_scan_lies_flat_on_the_ground(tmp_path):
    root = tmp_path / "few"
    for kind in ("velodyne/0000", "oxts", "calib", "label_02"):
        (root / kind).mkdir(parents=True)
    for frame in (0, 1):
        (root / f"velodyne/0000/{frame:06d}.npz").symlink_to(DATA / f"velodyne/0000/{frame:06d}.npz")
    for kind in ("oxts", "calib", "label_02"):
        (root / kind / "0000.txt").symlink_to(DATA / kind / "0000.txt")
    import_sequence(root, "0000", tmp_path / "k0")
    _, cloud = messages_of(tmp_path / "k0", "lidar_points")[0]
    mount = load_district(tmp_path / "k0/district.yaml").platform("vehicle_01").lidar.mount.matrix()
    xyz = geometry.apply(mount, cloud.xyz.astype(float))
    near = (np.abs(xyz[:, 0]) < 12) & (np.abs(xyz[:, 1]) < 4) & (np.abs(xyz[:, 2]) < 0.4)
    assert near.sum() > 5000
    assert abs(np.median(xyz[near, 2])) < 0.1
