"""The operator's view in a real Foxglove Studio in a real browser."""

import time
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from twin_viz import viewer
from twin_viz.browser import Page, browser
from twin_viz.screenshot import CANVAS

SIZE = (1100, 640)
ENOUGH = 2500  # coloured pixels of the 3D panel; the scene of the tests shows about three times as many
LOADED = 45  # seconds a page may take on a busy machine
PANEL = """(() => { const box = [...document.querySelectorAll('canvas')].map((c) => c.getBoundingClientRect())
  .sort((a, b) => b.width * b.height - a.width * a.height)[0];
  return [box.left, box.top, box.width, box.height]; })()"""


def colored(page: Page, file: Path) -> int:
    """Return how many pixels of the 3D panel have a strong colour; ground, buildings and controls have none."""
    file.write_bytes(page.picture())
    left, top, width, height = map(int, page.evaluate(PANEL))
    picture = cv2.imread(str(file)).astype(int)[top : top + height, left : left + int(0.88 * width)]
    return int((np.ptp(picture, axis=2) > 60).sum())


@pytest.mark.browser
@pytest.mark.graph
def test_the_view_shows_the_scene_and_an_operator_acknowledges(served: Callable[..., int], tmp_path: Path) -> None:
    port, picture = served("--alerts", "1"), tmp_path / "view.png"
    with viewer.serve() as web, browser(*SIZE) as page:
        page.open(viewer.page_url(web, f"ws://127.0.0.1:{port}"))
        page.wait_for(CANVAS, LOADED)
        deadline = time.monotonic() + 20
        while (count := colored(page, picture)) < ENOUGH and time.monotonic() < deadline:
            time.sleep(0.5)
        assert count >= ENOUGH, f"the 3D panel shows {count} coloured pixels: {picture}"
        text = "document.querySelector('.twin-alerts').innerText"
        page.wait_for(f"{text}.includes('predicted collision')", 10)
        assert page.evaluate("document.body.innerText.includes('[alert-0001]')"), f"the log is empty: {picture}"
        page.evaluate("document.querySelector('.twin-alerts button').click()")
        page.wait_for(f"{text}.includes('acknowledged by operator')", 10)
        assert not page.errors


@pytest.mark.browser
@pytest.mark.graph
def test_that_the_check_can_fail(served: Callable[..., int], tmp_path: Path) -> None:
    port, picture = served("--empty", "--alerts", "0", district=False), tmp_path / "empty.png"
    with viewer.serve() as web, browser(*SIZE) as page:
        page.open(viewer.page_url(web, f"ws://127.0.0.1:{port}"))
        page.wait_for(CANVAS, LOADED)
        page.wait_for("document.body.innerText.includes('No open alerts')", 10)
        time.sleep(3)
        assert colored(page, picture) < ENOUGH / 10
