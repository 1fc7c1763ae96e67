"""``./twin calibrate``: wrong mounts are found again, bad results and bad input are refused in one line."""

from pathlib import Path

import cv2
import numpy as np
import pytest
import yaml

from twin_bringup.cli import main
from twin_common.config import ConfigError
from twin_common.district import PoseConfig, load_district
from twin_drivers.core.camera_model import from_yaml
from twin_fusion.calibration_camera import intrinsics
from twin_localization.core.registration import correction

ROOT = Path(__file__).parents[4]
NEAR_MISS, FALL = ROOT / "bags/near_miss", ROOT / "bags/fall"


def with_mount(source: Path, target: Path, platform: str, **changes: float) -> Path:
    """A copy of a bag's district in which the LiDAR of a platform is configured otherwise than it stands."""
    content = yaml.safe_load((source / "district.yaml").read_text())
    lidar = next(item for item in content["platforms"] if item["name"] == platform)["lidar"]
    for key, value in changes.items():
        lidar["mount"][key] = lidar["mount"].get(key, 0.0) + value
    for item in content["platforms"]:  # the metadata lies beside the bag
        item["lidar"]["driver"]["metadata"] = str(source / item["lidar"]["driver"]["metadata"])
    target.write_text(yaml.safe_dump(content))
    return target


def error_of(found: Path, platform: str, true: PoseConfig) -> tuple[float, float]:
    """How far a mount in a file is from the true one: degrees and metres."""
    mount = load_district(found).platform(platform).lidar.mount
    turn, shift = correction(true.matrix(), mount.matrix())
    return float(np.degrees(np.linalg.norm(turn))), float(np.linalg.norm(shift))


def test_a_lidar_is_found_again_on_the_map(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    wrong = with_mount(NEAR_MISS, tmp_path / "wrong.yaml", "pole_02", x=0.3, y=-0.2, z=0.1, yaw_deg=1.5, pitch_deg=-0.8)
    out = tmp_path / "right.yaml"
    true = load_district(NEAR_MISS / "district.yaml").platform("pole_02").lidar.mount
    command = ["calibrate", "lidar-map", str(NEAR_MISS), "--platform", "pole_02", "--district", str(wrong)]
    assert main([*command, "--out", str(out)]) == 0
    turn_deg, metres = error_of(out, "pole_02", true)
    assert turn_deg < 0.1 and metres < 0.05
    assert error_of(wrong, "pole_02", true)[1] > 0.3
    printed = capsys.readouterr().out
    assert "residual" in printed and f"written: {out}" in printed
    assert main([*command, "--out", str(out)]) == 2
    assert "exists already" in capsys.readouterr().err


def test_a_lidar_is_found_again_by_another_one(tmp_path: Path) -> None:
    wrong = with_mount(FALL, tmp_path / "wrong.yaml", "pole_04", x=-0.25, y=0.15, z=-0.1, yaw_deg=-1.0, roll_deg=0.7)
    out = tmp_path / "right.yaml"
    command = ["calibrate", "lidar-lidar", str(FALL), "--platform", "pole_04", "--reference", "pole_01"]
    assert main([*command, "--district", str(wrong), "--out", str(out)]) == 0
    true = load_district(FALL / "district.yaml").platform("pole_04").lidar.mount
    turn_deg, metres = error_of(out, "pole_04", true)
    assert turn_deg < 0.1 and metres < 0.05


def test_what_does_not_fit_is_refused_and_nothing_is_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out.yaml"
    turned = with_mount(NEAR_MISS, tmp_path / "turned.yaml", "pole_02", yaw_deg=40.0)
    command = ["calibrate", "lidar-map", str(NEAR_MISS), "--platform", "pole_02", "--out", str(out)]
    assert main([*command, "--district", str(turned)]) == 2
    assert "refused" in capsys.readouterr().err
    # These two look at opposite sides of the crossing: too little that both see.
    pair = ["calibrate", "lidar-lidar", str(NEAR_MISS), "--platform", "pole_02", "--reference", "pole_01"]
    assert main([*pair, "--out", str(out)]) == 2
    assert "uncertainty" in capsys.readouterr().err
    assert not out.exists() and not list(tmp_path.glob(".*"))


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["lidar-map", str(NEAR_MISS), "--platform", "pole_09"], "pole_09: no such platform"),
        (["lidar-map", "nowhere", "--platform", "pole_01"], "nowhere/district.yaml: no such file"),
        (["lidar-map", str(NEAR_MISS), "--platform", "pole_01", "--out", "nowhere/x.yaml"], "nowhere: no such folder"),
        (["lidar-map", str(ROOT / "bags/vehicle_pass"), "--platform", "vehicle_01"], "expected a pole"),
        (["lidar-lidar", str(FALL), "--platform", "pole_01", "--reference", "pole_01"], "expected another platform"),
        (["lidar-camera", str(NEAR_MISS), "--platform", "pole_01"], "/pole_01/camera/"),
        (["camera", "nowhere"], "nowhere: no such folder"),
        (["camera", str(ROOT), "--board", "3"], "expected inner corners"),
        (["camera", str(ROOT / "bags")], "0 of 0 pictures"),
    ],
)
def test_bad_input_gets_one_line(arguments: list[str], expected: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["calibrate", *arguments]) == 2
    error = capsys.readouterr().err
    assert expected in error and error.count("\n") == 1


MATRIX = np.array([[520.0, 0, 316.0], [0, 515.0, 243.0], [0, 0, 1]])
LENS = np.array([-0.25, 0.07, 0.0005, -0.0003, 0.0])


def draw_board(folder: Path, count: int, rng: np.random.Generator, where: float = 1.0) -> None:
    """Pictures of a board of 9 x 7 squares of 30 mm in many poses, by ray casting through the lens."""
    size = (640, 480)
    pixels = np.stack(np.meshgrid(np.arange(size[0]), np.arange(size[1])), axis=-1).reshape(-1, 1, 2).astype(float)
    rays = cv2.undistortPoints(pixels, MATRIX, LENS).reshape(-1, 2)
    rays = np.column_stack([rays, np.ones(len(rays))])
    for number in range(count):
        turn = cv2.Rodrigues(rng.uniform(-0.5, 0.5, 3))[0]
        distance = rng.uniform(0.4, 0.7)
        middle = np.array([*(rng.uniform(-0.35, 0.35, 2) * where * (1.0, 0.75)), 1.0]) * distance
        origin = middle - turn @ (0.135, 0.105, 0.0)
        reach = (turn[:, 2] @ origin) / (rays @ turn[:, 2])
        board = (rays * reach[:, None] - origin) @ turn[:, :2] / 0.03
        inside = ((board > -0.5) & (board < (9.5, 7.5))).all(axis=1)
        squares = ((board >= 0) & (board < (9, 7))).all(axis=1) & (np.floor(board).astype(int).sum(axis=1) % 2 == 0)
        picture = np.where(squares, 30.0, np.where(inside, 225.0, 120.0)).reshape(size[1], size[0])
        picture = cv2.GaussianBlur(picture, (0, 0), 0.8) + rng.normal(scale=2.0, size=picture.shape)
        cv2.imwrite(str(folder / f"{number:02d}.png"), np.clip(picture, 0, 255).astype(np.uint8))


def test_intrinsics_are_found_again_from_pictures_of_a_board(tmp_path: Path) -> None:
    pictures, out = tmp_path / "pictures", tmp_path / "camera.yaml"
    pictures.mkdir()
    draw_board(pictures, 20, np.random.default_rng(1))
    assert main(["calibrate", "camera", str(pictures), "--board", "8x6", "--out", str(out)]) == 0
    camera = from_yaml(out.read_text())  # what the camera driver reads
    np.testing.assert_allclose(camera.matrix, MATRIX, atol=2.5)
    rays = np.stack(np.meshgrid(np.linspace(-0.6, 0.6, 9), np.linspace(-0.45, 0.45, 7), [1.0]), axis=-1).reshape(-1, 3)
    spots = [
        cv2.projectPoints(rays, np.zeros(3), np.zeros(3), matrix, lens)[0].reshape(-1, 2)
        for matrix, lens in ((MATRIX, LENS), (camera.matrix, camera.distortion))
    ]
    assert np.abs(spots[0] - spots[1]).max() < 1.5  # pixels, also where no board was


def test_a_board_in_one_corner_and_other_boards_are_refused(tmp_path: Path) -> None:
    draw_board(tmp_path, 9, np.random.default_rng(2), where=0.05)
    with pytest.raises(ConfigError, match=r"parts of the image|expected 8 or more"):
        intrinsics(tmp_path, (8, 6), 0.03)
    with pytest.raises(ConfigError, match="0 of 9 pictures show a board of 9x8"):
        intrinsics(tmp_path, (9, 8), 0.03)
    (tmp_path / "broken.png").write_bytes(b"no picture")
    with pytest.raises(ConfigError, match=r"broken\.png: no picture"):
        intrinsics(tmp_path, (8, 6), 0.03)
