"""Pictures of figures are drawn for every source, with names that any shell takes."""

from pathlib import Path

import cv2
import numpy as np

from twin_detection.evaluation.comparison import Compared
from twin_detection.evaluation.measures import partly_hidden
from twin_detection.evaluation.plots import draw_figures, draw_gains, file_name
from twin_detection.evaluation.scenes import SceneSpec
from twin_detection.evaluation.scoring import empty_rows
from twin_detection.evaluation.tables import BANDS, figures_of

DAY = (SceneSpec("street", 1, "day", ("pole_01",)),)


def test_names_of_files_have_neither_blanks_nor_quotes() -> None:
    assert file_name("poles, in the camera's view") == "poles_in_the_cameras_view"
    assert file_name("vehicle") == "vehicle"


def test_pictures_are_drawn_even_of_nothing(tmp_path: Path) -> None:
    rows = {name: empty_rows() for name in ("LiDAR", "camera", "fused")}
    assert not partly_hidden(rows["LiDAR"]).any()
    draw_figures("poles", rows, {name: figures_of(part, DAY) for name, part in rows.items()}, BANDS, tmp_path)
    draw_gains("poles", "fused", [Compared("car | day", 40, {}, -0.01, -0.02, 0.01)], tmp_path)
    draw_gains("nothing", "fused", [], tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["poles.png", "poles_gain.png"]
    for path in tmp_path.iterdir():
        assert np.ptp(cv2.imread(str(path))) == 255
