"""Images with faces, heads and number plates covered."""

from __future__ import annotations

from typing import Any

import numpy as np

from twin_common.config import ConfigError
from twin_detection.core import anonymise
from twin_detection.core.camera_objects import ImageObjects
from twin_detection.models import check_file, entry, locate, open_session

MODEL = "faces"
_OUTPUTS = ("537", "538", "539")  # heat map, scale, offset


class Anonymiser:
    """Finds and covers faces.

    Args:
        threshold: score of a face from which on it is covered.
        side: pixels of the longer side in which an image is searched: small faces need a larger one.
        threads: that one image uses.

    Raises:
        ConfigError: the model is missing or is not what the manifest describes.

    """

    def __init__(self, threshold: float = 0.2, side: int = 640, threads: int = 1) -> None:
        """Open the model."""
        item = entry(MODEL)
        path = locate(item)
        self._session: Any = open_session(_any_size(check_file(item, path)), f"model {MODEL}: {path}", threads)
        names = {port.name for port in self._session.get_outputs()}
        if not names.issuperset(_OUTPUTS):
            raise ConfigError(f"model {MODEL}: outputs {sorted(names)}; expected {', '.join(_OUTPUTS)}")
        self._threshold, self._side = threshold, side

    def faces(self, image: np.ndarray) -> np.ndarray:
        """Return faces (N, 5), x0 y0 x1 y1 in pixels and score, in an image (H, W, 3) uint8 BGR."""
        size = anonymise.input_size(image.shape[0], image.shape[1], self._side)
        blob = anonymise.face_input(image, size)
        heat, scale, offset = self._session.run(list(_OUTPUTS), {self._session.get_inputs()[0].name: blob})
        return anonymise.decoded_faces(heat[0, 0], scale[0], offset[0], image.shape[:2], self._threshold)

    def anonymous(self, image: np.ndarray, objects: ImageObjects) -> np.ndarray:
        """Return an image (H, W, 3) uint8 BGR in which nobody and no plate can be recognised."""
        return anonymise.covered(image, anonymise.covered_zones(self.faces(image), objects))


def _any_size(content: bytes) -> bytes:
    """Return CenterFace, which is stored for pictures of 32 x 32 pixels, for pictures of any size."""
    import onnx

    model = onnx.load_from_string(content)
    weights = {item.name for item in model.graph.initializer}
    images = [port for port in model.graph.input if port.name not in weights]
    del model.graph.input[:]
    model.graph.input.extend(images)  # weights that are inputs too would not be folded into what uses them
    for port in (*model.graph.input, *model.graph.output):
        for axis, size in enumerate(port.type.tensor_type.shape.dim):
            if axis != 1:
                size.Clear()
                size.dim_param = f"{port.name}_{axis}"
    del model.graph.value_info[:]
    return bytes(model.SerializeToString())
