import numpy as np
import pytest
import velodyne_decoder as velodyne
import yaml
from ouster.sdk import core as ouster

from twin_common.config import ConfigError
from twin_sim.core.lidar_models import MODELS, OUSTER_COLUMNS, PERIOD_NS, lidar_model
from twin_sim.core.lidar_packets import metadata


def test_beams_and_fields_of_view():
    expected = {
        "OS1-64": (64, 33.2), "OS1-128": (128, 42.4), "OS0-64": (64, 42.2), "VLP-16": (16, 30.0), "VLP-32C": (32, 40.0),
        "HDL-64E": (64, 26.3),
    }  # fmt: skip
    for name, (beams, view) in expected.items():
        model = lidar_model(name)
        assert model.beams == beams == len(model.azimuths_deg) == len(model.delays_ns)
        assert model.elevations_deg[0] - model.elevations_deg[-1] == pytest.approx(view, abs=0.1)
        assert np.all(np.diff(model.elevations_deg) < 0)
    assert set(expected) == set(MODELS)


@pytest.mark.parametrize("columns", OUSTER_COLUMNS)
def test_rays_of_the_os1_64_are_those_of_the_sdk(columns):
    info = ouster.SensorInfo.from_default(ouster.LidarMode.from_string(f"{columns}x10"))
    lut = ouster.XYZLut(info, use_extrinsics=False)
    near, far = (lut(np.full((info.h, info.w), r, np.uint32)) for r in (10_000, 20_000))
    origins, directions = lidar_model("OS1-64", columns).rays()
    np.testing.assert_allclose(directions, (far - near) / 10, atol=5e-5)
    np.testing.assert_allclose(origins + 10.0 * directions, near, atol=5e-4)


@pytest.mark.parametrize("name", ["OS0-64", "OS1-64", "OS1-128"])
def test_rays_are_those_of_the_metadata(name):
    model = lidar_model(name, 512)
    info = ouster.SensorInfo(metadata(model, 7))
    lut = ouster.XYZLut(info, use_extrinsics=False)
    origins, directions = model.rays()
    np.testing.assert_allclose(
        origins + 20.0 * directions, lut(np.full((info.h, info.w), 20_000, np.uint32)), atol=1e-5
    )
    assert info.prod_line == model.driver.split("/")[1] and str(info.sn) == "7"


@pytest.mark.parametrize(("name", "model"), [("VLP-16", velodyne.Model.VLP16), ("VLP-32C", velodyne.Model.VLP32C)])
def test_velodyne_angles_are_those_of_the_makers_calibration(name, model):
    lasers = yaml.safe_load(velodyne.Calibration.default_calibs[model].to_string())["lasers"]
    ours = lidar_model(name)
    expected = sorted(
        ((np.degrees(laser["vert_correction"]), np.degrees(laser["rot_correction"])) for laser in lasers), reverse=True
    )
    found = zip(ours.elevations_deg, ours.azimuths_deg, strict=True)
    np.testing.assert_allclose(list(found), expected, atol=0.002)


def test_hdl_64e_has_two_blocks():
    elevations = np.array(lidar_model("HDL-64E").elevations_deg)
    np.testing.assert_allclose(-np.diff(elevations[:32]), 1 / 3, atol=1e-9)
    np.testing.assert_allclose(-np.diff(elevations[32:]), 1 / 2, atol=1e-9)
    assert elevations[0] == 2.0 and elevations[-1] == pytest.approx(-24.33)


@pytest.mark.parametrize("name", MODELS)
def test_a_turn_is_clockwise_from_behind_and_ends_at_its_stamp(name):
    model = lidar_model(name)
    _, directions = model.rays()
    flat = directions[model.beams // 2]
    azimuth = np.unwrap(np.arctan2(flat[:, 1], flat[:, 0]))
    assert np.all(np.diff(azimuth) < 0)
    assert abs(azimuth[0] - np.pi) < 0.1 or abs(azimuth[0] + np.pi) < 0.1
    stamps = model.column_stamps(5_000_000_000)
    assert stamps[-1] + max(model.delays_ns) == 5_000_000_000
    assert stamps[0] > 5_000_000_000 - PERIOD_NS - max(model.delays_ns)
    assert np.all(np.abs(np.diff(stamps) - PERIOD_NS / model.columns) <= 1)


def test_lasers_of_a_vlp_16_fire_in_order():
    model = lidar_model("VLP-16")
    assert model.delays_ns[model.elevations_deg.index(-15.0)] == 0
    assert model.delays_ns[model.elevations_deg.index(1.0)] == 2304
    assert max(model.delays_ns) == 15 * 2304


@pytest.mark.parametrize(
    ("name", "columns", "message"),
    [
        ("OS9", 0, "lidar model 'OS9': not known; expected one of OS1-64"),
        ("OS1-64", 100, "lidar model OS1-64: 100 columns; expected 512, 1024, 2048"),
        ("VLP-16", 1024, "lidar model VLP-16: 1024 columns; expected 1808"),
    ],
)
def test_unknown_models_are_refused(name, columns, message):
    with pytest.raises(ConfigError, match=message):
        lidar_model(name, columns)
