"""Pictures of what a detector missed or made up, seen from above."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from twin_replay.core import kitti
from twin_replay.core.detection_scores import FrameMatches, match_frame
from twin_replay.core.protocol import FrameTruth, Protocol, judged
from twin_replay.kitti_play import Found, Results

MOST = 6  # pictures of a sequence
HALF = 12.0  # metres around what went wrong


def draw_misses(
    sequence: kitti.TrackingSequence, results: Results, truths: list[FrameTruth], level: float, protocol: Protocol,
    folder: Path,
) -> list[Path]:  # fmt: skip
    """Draw misses and false alarms, spread over the sequence, as PNG; return the files.

    ``level``: least score that counts.
    """
    wrong: list[tuple[int, np.ndarray, str]] = []
    shown: list[tuple[Found, FrameTruth]] = []
    for index, (found, truth) in enumerate(zip(results.found, truths, strict=True)):
        boxes, match = _matched(sequence, found, truth, level, protocol)
        shown.append((found, truth))
        wrong += [(index, truth.boxes[i, :2], "missed") for i in match.missed]
        wrong += [(index, boxes[i, :2], "false alarm") for i in match.false]
    paths = []
    for kind in ("missed", "false alarm"):
        own = [item for item in wrong if item[2] == kind]
        for number in np.unique(np.linspace(0, len(own) - 1, MOST // 2).astype(int)) if own else []:
            index, place, _ = own[number]
            frame = results.frames[index]
            path = folder / f"{sequence.name}_{frame:06d}_{kind.replace(' ', '_')}.png"
            _draw(sequence.scan(frame).xyz, *shown[index], place, level, f"{kind}, frame {frame}", path)
            paths.append(path)
    return paths


def _matched(
    sequence: kitti.TrackingSequence, found: Found, truth: FrameTruth, level: float, protocol: Protocol
) -> tuple[np.ndarray, FrameMatches]:
    boxes = found.boxes[found.vehicle & (found.score >= level)]
    counted = judged(boxes[:, :3], sequence.calibration, truth.dont_care, protocol)
    return boxes, match_frame(truth.boxes[:, :2], truth.must, boxes[:, :2], counted, protocol.match_distance)


def _draw(
    xyz: np.ndarray, found: Found, truth: FrameTruth, place: np.ndarray, level: float, title: str, path: Path
) -> None:
    """Draw the points around a place, labels in green, what is reported in red, what is too doubtful in grey."""
    from matplotlib.figure import Figure  # takes a second to import

    figure = Figure(figsize=(8, 8), layout="constrained")
    axes: Any = figure.subplots()
    near = xyz[(np.abs(xyz[:, :2] - place) < HALF).all(axis=1)]
    axes.scatter(near[:, 0], near[:, 1], c=near[:, 2], s=2, cmap="viridis", vmin=-2, vmax=1)
    for box in truth.boxes:
        axes.plot(*_outline(box), color="green", linewidth=2)
    for box, score, vehicle, kind in zip(found.boxes, found.score, found.vehicle, found.kind, strict=True):
        colour = "grey" if score < level else "red" if vehicle else "blue"
        axes.plot(*_outline(box), color=colour, linewidth=1)
        axes.annotate(f"{kind} {score:.2f}", box[:2], color=colour, annotation_clip=True)
    axes.set(xlim=place[0] + (-HALF, HALF), ylim=place[1] + (-HALF, HALF), aspect="equal", title=title)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=80)


def _outline(box: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return x and y of the corners of a box seen from above, with a notch at its head."""
    along, across = np.array([1, 1, -1, -1, 1, 0, 1]), np.array([0, 1, 1, -1, -1, 0, 0])
    along, across = along * box[3] / 2, across * box[4] / 2
    cos, sin = np.cos(box[6]), np.sin(box[6])
    return box[0] + along * cos - across * sin, box[1] + along * sin + across * cos
