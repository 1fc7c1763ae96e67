import json
from pathlib import Path

import numpy as np
import pytest

from twin_common.config import ConfigError
from twin_prediction import evaluation
from twin_prediction.core.observed import filter_positions

DATA = Path(__file__).resolve().parents[5] / "shared" / "data"


def test_filter_finds_a_known_velocity():
    rng = np.random.default_rng(5)
    times = 0.4 * np.arange(8)
    truth = times[:, None] * [1.2, -0.5]
    state, covariance = filter_positions(truth[None] + rng.normal(0, 0.02, (500, 8, 2)), 0.4, 0.03, 0.02)
    np.testing.assert_allclose(state[:, 2:].mean(axis=0), [1.2, -0.5], atol=0.02)
    assert (state[:, 2:].std(axis=0) < np.sqrt(covariance[0, 2, 2])).all()


def test_windows_skip_gaps(tmp_path):
    rows = [(10 * k + (10 if k >= 25 else 0), 1, 0.5 * k, 0.0) for k in range(50)]
    path = tmp_path / "scene.txt"
    np.savetxt(path, rows)
    windows = evaluation.read_windows(path)
    assert windows.shape == (12, 20, 2)  # six on either side of the gap
    np.testing.assert_allclose(np.diff(windows[:, :, 0]), 0.5)


def test_straight_walkers_score_perfectly(tmp_path):
    folder = tmp_path / "eth_ucy"
    folder.mkdir()
    np.savetxt(folder / "scene.txt", [(10 * k, 1, 0.5 * k, 0.2 * k) for k in range(20)])
    metrics = evaluation.evaluate_prediction(tmp_path, tmp_path / "out")
    assert metrics["scenes"]["scene"]["ours"]["fde"] == pytest.approx(0.0, abs=1e-6)
    assert metrics == json.loads((tmp_path / "out" / "metrics.json").read_text())
    assert len((tmp_path / "out" / "prediction.csv").read_text().splitlines()) == 2


def test_missing_or_broken_recordings_are_named(tmp_path):
    with pytest.raises(ConfigError, match=r"eth_ucy: no \*.txt; expected the ETH/UCY pedestrians"):
        evaluation.evaluate_prediction(tmp_path, tmp_path / "out")
    assert not (tmp_path / "out").exists()
    (tmp_path / "scene.txt").write_text("1 2 3\n")
    with pytest.raises(ConfigError, match=r"scene.txt: 3 columns; expected frame, id, x, y"):
        evaluation.read_windows(tmp_path / "scene.txt")


@pytest.mark.realdata
def test_recorded_pedestrians(tmp_path):
    """Constant velocity reaches its published errors (0.43/0.95 on Zara 1, 0.52/1.13 on the university)."""
    if not (DATA / "eth_ucy").is_dir():
        pytest.skip(f"{DATA / 'eth_ucy'}: the ETH/UCY recordings are missing")
    metrics = evaluation.evaluate_prediction(DATA, tmp_path)
    scenes = metrics["scenes"]
    plain, ours = (scenes["crowds_zara01"][method] for method in ("constant_velocity", "ours"))
    assert (plain["ade"], plain["fde"]) == (pytest.approx(0.43, abs=0.02), pytest.approx(0.95, abs=0.03))
    assert ours["ade"] < 0.46 and ours["fde"] < 1.0
    for name, scene in scenes.items():
        if name != "biwi_eth":  # its clock is known to run fast: pedestrians seem to move at 2.3 m/s and more
            assert 0.90 <= scene["ours"]["coverage_95"] <= 0.98, name
    assert metrics["mean"]["ours"]["nll"] < metrics["mean"]["constant_velocity"]["nll"]
