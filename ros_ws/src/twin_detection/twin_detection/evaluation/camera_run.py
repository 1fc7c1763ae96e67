"""``./twin eval detection --format camera``: scores camera detectors on rendered pictures that nobody trained on."""

from __future__ import annotations

import json
from collections import defaultdict
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from rich.console import Console
from rich.table import Table

from twin_common.config import ConfigError
from twin_common.core.object_class import CLASS_NAMES
from twin_detection.camera_network import CameraNetwork
from twin_detection.camera_scenes import CAMERA_CLASSES
from twin_detection.core.anonymise import COVERED
from twin_detection.core.camera_objects import ImageObjects
from twin_detection.core.camera_signals import Heads, read
from twin_detection.evaluation import camera_scores as scores
from twin_detection.evaluation.camera_pictures import Scene, held_out, staged
from twin_detection.evaluation.camera_plates import covered_plates

OURS, PEERS = "camera", ("yolox_nano", "yolox_nano_sample", "yolox_tiny")
#: Rows of the tables: classes by name; of cars, trucks and buses together COCO's detectors can be asked too.
ROWS: dict[str, tuple[int, ...]] = {CLASS_NAMES[kind]: (kind,) for kind in CAMERA_CLASSES}
STAGED_PICTURES = 200
EXAMPLES = 6
SIGNAL_CONFIDENCE = 0.3
WHOLE = 0.95  # of a plate, from which on it is covered
_POSTURES = ("upright", "sitting", "lying")


def evaluate_camera(folder: Path, out: Path) -> dict[str, Any]:
    """Score the shipped detector, and COCO's where they are here; print the figures, write them to ``out``.

    Args:
        folder: of the scenarios.
        out: folder of metrics.json, plots and example pictures.

    """
    out.mkdir(parents=True, exist_ok=True)
    networks = {OURS: CameraNetwork(OURS)} | _peers()
    outcomes: dict[tuple[str, str], list[scores.Outcome]] = defaultdict(list)
    signals: dict[str, list[np.ndarray]] = defaultdict(list)
    plates: dict[str, list[np.ndarray]] = defaultdict(list)
    drawn: dict[str, int] = defaultdict(int)
    for scenes in (held_out(folder), staged(folder, STAGED_PICTURES)):
        for scene in scenes:
            for name, network in networks.items():
                objects = network.find(scene.image, 0.02)
                outcomes[name, scene.group].append(scores.outcome_of(objects, scene.labels))
                if name == OURS:
                    plates[scene.group].append(covered_plates(objects[objects.existence >= COVERED], scene.plates))
                if name == OURS and drawn[scene.group] < EXAMPLES and len(outcomes[name, scene.group]) % 20 == 10:
                    drawn[scene.group] += 1
                    path = out / f"{scene.group.replace(', ', '_')}_{drawn[scene.group]}.png"
                    cv2.imwrite(str(path), drawing(scene, objects))
            signals[scene.group].append(signal_rows(scene))
    joined = {key: scores.joined(parts) for key, parts in outcomes.items()}
    metrics = {
        "asked for": f"at least {scores.PIXELS} pixels, {scores.ROWS:g} rows, {scores.VISIBLE:.0%} to be seen, "
        f"within {scores.REACH:g} m",
        "detection": _detection(joined),
        "postures": {group: _postures(joined[OURS, group]) for name, group in joined if name == OURS},
        "calibration error": {f"{a} {b}": scores.calibration_error(item) for (a, b), item in joined.items()},
        "signals": {group: _signals(np.concatenate(rows)) for group, rows in signals.items()},
        "plates": {group: _plates(np.concatenate(rows)) for group, rows in plates.items()},
    }
    _print(metrics)
    _plot(joined, out)
    (out / "metrics.json").write_text(json.dumps(metrics, indent=1) + "\n")
    return metrics


def _peers() -> dict[str, CameraNetwork]:
    found = {}
    for name in PEERS:
        try:
            found[name] = CameraNetwork(name)
        except ConfigError as error:
            Console(stderr=True).print(f"not compared: {error}", style="dim", highlight=False, markup=False)
    return found


def signal_rows(scene: Scene) -> np.ndarray:
    """Return the heads in sight of a picture: true state and state read, 0: not read; (R, 2)."""
    from twin_detection.core.camera_signals import in_sight

    row = scene.signals
    heads = Heads(row["signal_id"], np.column_stack([row["x"], row["y"], row["z"]]), row["yaw"], row["users"])
    shape = scene.image.shape[:2]
    reading = read(scene.image, heads, scene.camera)
    told = np.zeros(len(heads), int)
    sure = reading.confidence >= SIGNAL_CONFIDENCE
    told[reading.index[sure]] = reading.state[sure]
    seen = in_sight(heads, scene.camera, shape, 50.0)
    return np.column_stack([row["state"][seen].astype(int), told[seen]]).reshape(-1, 2)


def _signals(rows: np.ndarray) -> dict[str, float]:
    told = rows[rows[:, 1] > 0]
    return {
        "heads in sight": float(len(rows)), "read": float(len(told) / max(len(rows), 1)),
        "right": float((told[:, 0] == told[:, 1]).mean()) if len(told) else float("nan"),
    }  # fmt: skip


def _plates(shares: np.ndarray) -> dict[str, float]:
    """Return how many plates could be read, and how many of them an anonymous view covers."""
    return {"readable": float(len(shares)), "covered": float((shares > WHOLE).mean()) if len(shares) else float("nan")}


def _detection(joined: dict[tuple[str, str], scores.Outcome]) -> dict[str, Any]:
    table: dict[str, Any] = {}
    for (name, group), outcome in joined.items():
        for row, kinds in (ROWS | {"all": CAMERA_CLASSES}).items():
            table.setdefault(group, {}).setdefault(row, {})[name] = scores.of_classes(outcome, kinds)
    return table


def _postures(outcome: scores.Outcome) -> dict[str, Any]:
    """Return how often persons' posture is told right, and the table of true (rows) and told ones."""
    counts = np.zeros((3, 3), int)
    np.add.at(counts, tuple(outcome.postures.T - 1), 1)
    total = counts.sum()
    right = {name: float(counts[i, i] / counts[i].sum()) if counts[i].sum() else float("nan")
             for i, name in enumerate(_POSTURES)}  # fmt: skip
    share = float(np.trace(counts) / total) if total else float("nan")
    return {"persons": int(total), "right": share, "by posture": right, "counts": counts.tolist()}


def _print(metrics: dict[str, Any]) -> None:
    console = Console(width=120, highlight=False)
    console.print(f"asked for: {metrics['asked for']}")
    for group, rows in metrics["detection"].items():
        table = Table("class", "detector", "objects", "AP50", "recall", "precision", title=group, title_justify="left")
        for row, found in rows.items():
            for name, figures in found.items():
                if figures["objects"]:
                    numbers = (f"{figures[key]:.2f}" for key in ("AP50", "recall", "precision"))
                    table.add_row(row, name, f"{figures['objects']:.0f}", *numbers)
        console.print(table)
    for group, found in metrics["postures"].items():
        by = ", ".join(f"{name} {share:.2f}" for name, share in found["by posture"].items() if share == share)
        console.print(f"posture, {group}: {found['right']:.3f} right of {found['persons']} persons ({by})")
    for group, found in metrics["signals"].items():
        console.print(
            f"signals, {group}: {found['read']:.2f} of {found['heads in sight']:.0f} heads in sight read, "
            f"{found['right']:.3f} of these right"
        )
    for group, found in metrics["plates"].items():
        console.print(f"plates, {group}: {found['covered']:.3f} of {found['readable']:.0f} readable ones covered")
    for key, error in metrics["calibration error"].items():
        console.print(f"calibration error, {key}: {error:.3f}")


def _plot(joined: dict[tuple[str, str], scores.Outcome], out: Path) -> None:
    """Draw how often what is told with a probability is there."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(5, 5))
    axes.plot([0, 1], [0, 1], color="0.7", linewidth=1)
    for (name, group), outcome in joined.items():
        if name == OURS:
            told, hit, count = scores.reliability(outcome).T
            axes.plot(told[count > 20], hit[count > 20], marker="o", label=group)
    axes.set(xlabel="existence told", ylabel="share that is there", xlim=(0, 1), ylim=(0, 1))
    axes.legend()
    figure.savefig(out / "reliability_camera.png", dpi=100)
    pyplot.close(figure)


def drawing(scene: Scene, objects: ImageObjects, least: float = 0.4) -> np.ndarray:
    """Return a picture with what is asked for in grey and what was found in colour."""
    image = scene.image.copy()
    for box in scene.labels["box"][scores.asked(scene.labels)]:
        low, high = np.round(box.reshape(2, 2)).astype(int).tolist()
        cv2.rectangle(image, low, high, (200, 200, 200), 1)
    for index in np.flatnonzero(objects.existence >= least):
        low, high = np.round(objects.box[index].reshape(2, 2)).astype(int).tolist()
        colour = (80, 80, 255) if objects.posture[index] > 1 else (80, 255, 80)
        cv2.rectangle(image, low, high, colour, 1)
        text = f"{CLASS_NAMES[objects.label[index]][:5]} {objects.existence[index]:.2f}"
        cv2.putText(image, text, (low[0], max(low[1] - 2, 8)), cv2.FONT_HERSHEY_SIMPLEX, 0.33, colour, 1)
    return image
