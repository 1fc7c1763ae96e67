"""A camera's network from the manifest: an image in, road users out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from twin_common.config import ConfigError
from twin_common.core.image_boxes import STRIDES
from twin_detection.camera_config import CameraDetectorConfig
from twin_detection.core.camera_decode import Boxes, decoded, kept, letterboxed
from twin_detection.core.camera_objects import ImageObjects, our_classes, road_users
from twin_detection.models import ModelEntry, entry, open_model

LOWEST = 0.02  # score below which outputs are not even decoded


class CameraNetwork:
    """A model whose output has YOLOX's form: box, object, classes, and postures if the manifest names them.

    Args:
        name: in the manifest.
        threads: that one image uses.
        file: in place of where the model usually lies.
        overlap: of two boxes of one class from which on they are one object; None: as the node's default is.
        folder: of the manifest, in place of the project's.

    Raises:
        ConfigError: the model is not what the manifest describes, or its output has not YOLOX's form.

    """

    def __init__(
        self, name: str, threads: int = 1, file: str = "", overlap: float | None = None, folder: Path | None = None
    ) -> None:
        """Open the model."""
        self.entry: ModelEntry = entry(name, folder)
        try:
            self._classes = our_classes(self.entry.classes)
        except ValueError as error:
            raise ConfigError(f"model {name}: {error}") from None
        self._session: Any = open_model(name, threads, file=file or None, folder=folder)
        self._input = self._session.get_inputs()[0]
        self._overlap = CameraDetectorConfig().overlap if overlap is None else overlap
        shape = self._input.shape
        if len(shape) != 4 or shape[1] != 3 or not all(isinstance(side, int) and side % 32 == 0 for side in shape[2:]):
            raise ConfigError(f"model {name}: input of shape {shape}; expected (1, 3, H, W), H and W multiples of 32")
        self.height, self.width = int(shape[2]), int(shape[3])
        outputs = sum((self.height // stride) * (self.width // stride) for stride in STRIDES)
        given, columns = self._session.get_outputs()[0].shape, 5 + len(self._classes)
        if len(given) != 3 or given[1] != outputs or given[2] < columns:
            raise ConfigError(
                f"model {name}: output of shape {given}; expected (1, {outputs}, {columns} or more) as YOLOX gives it"
            )
        self._calibration = self.entry.extra.get("calibration")
        #: Whether it boxes riders and machines on their own, as COCO's labels do.
        self.riders_apart = list(self.entry.classes) == ["coco"]

    def boxes(self, image: np.ndarray, min_score: float = LOWEST) -> Boxes:
        """Return what the network says of an image, (H, W, 3) uint8 BGR, in its pixels, with its own classes."""
        blob, scale = letterboxed(image, self.height, self.width)
        raw = self._session.run(None, {self._input.name: blob})[0][0]
        found = decoded(raw, self.height, self.width, len(self._classes), min_score)
        box = np.clip(found.box / scale, 0, np.tile((image.shape[1], image.shape[0]), 2))
        visible = np.flatnonzero((box[:, 2:] > box[:, :2] + 1.0).all(axis=1))
        return kept(Boxes(box, found.object_score, found.scores, found.extra)[visible], self._overlap)

    def find(self, image: np.ndarray, min_existence: float = 0.3) -> ImageObjects:
        """Return the road users in an image, (H, W, 3) uint8 BGR, best first."""
        found = self.boxes(image)
        users = road_users(found, self._classes, self._calibration, riders_apart=self.riders_apart)
        return users[np.flatnonzero(users.existence >= min_existence)]
