"""``./twin eval incidents``: how true the alerts are, in simulated scenes with known truth."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from twin_common.config import load_yaml
from twin_common.district import load_district
from twin_incidents.evaluation.chain import Parameters, told_of, true_of
from twin_incidents.evaluation.coverage import AROUND, stopped_share
from twin_incidents.evaluation.judge import Course, Judgement, judge
from twin_incidents.evaluation.scenes import Scene, learn, record
from twin_incidents.evaluation.truth import seen_at
from twin_incidents.table import DEFAULT_TABLE
from twin_msgs.msg import SimEvent
from twin_tracking.config import NO_PIECES

POLES = ("pole_01", "pole_02", "pole_03", "pole_04")
EVERYBODY = (*POLES, "vehicle_01")
LEAST_POINTS = 10  # of an actor in a scan that has seen it
#: Scenes in which nothing is to happen, and scenes with events; docs/incidents.md says who has looked at them when.
QUIET = (
    Scene("normal_day", 31_001, 10.0, 30.0), Scene("rush_hour", 31_002, 10.0, 30.0), Scene("rain", 31_003, 10.0, 30.0),
    Scene("normal_night", 31_004, 10.0, 30.0),
)  # fmt: skip
EVENTFUL = (
    Scene("near_miss", 31_005, 0.0, 14.0), Scene("car_hits_pedestrian", 31_006, 0.0, 14.0),
    Scene("stopped_in_lane", 31_007, 5.0, 22.0), Scene("car_collision", 31_008, 0.0, 12.0),
    Scene("demo", 31_009, 0.0, 18.0), Scene("red_light", 31_010, 0.0, 14.0),
)  # fmt: skip
KINDS: dict[str, frozenset[int]] = {
    "predicted_collision": frozenset((SimEvent.KIND_NEAR_COLLISION, SimEvent.KIND_COLLISION)),
    "pedestrian_on_carriageway": frozenset((SimEvent.KIND_JAYWALKING, SimEvent.KIND_FALL)),
    "vehicle_stopped_in_lane": frozenset((SimEvent.KIND_STOPPED_IN_LANE,)),
    "crowd_density": frozenset((SimEvent.KIND_CROWD_CRUSH, SimEvent.KIND_CROWDING)),
}
#: The rules and the tracker without what keeps false alarms away, for comparison.
PLAIN_TRACKER = {"piece_margin": NO_PIECES, "usual_top_speed": (1000.0,) * 10}
PLAIN_RULES: dict[str, dict[str, float]] = {
    "predicted_collision": {
        "braking": 2.5, "hard_braking": 20.0, "min_age_driven": 0.5, "max_unseen": 60.0, "max_position_sigma": 100.0,
        "view": 10_000.0,
    },
    "pedestrian_on_carriageway": {"max_unseen": 60.0, "view": 10_000.0},
    "vehicle_stopped_in_lane": {"max_unseen": 60.0, "queue_gap": 0.0, "view": 10_000.0},
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Figures:
    """Figures of one kind over some scenes; rates per hour of one district, ``delay`` s, median and worst.

    ``barely``: true incidents of actors that no platform saw well, and how many of these were told of.
    """

    alerts: int
    true: int
    false_per_hour: float
    asked: int
    told: int
    delay: float
    longest_delay: float
    barely: int
    barely_told: int


def plain_parameters(folder: Path) -> Parameters:
    """Return what turns the steps against false alarms off; the table is written into ``folder``."""
    table = load_yaml(DEFAULT_TABLE)
    for row in table["incidents"]:
        row["thresholds"] |= PLAIN_RULES.get(row["kind"], {})
    path = folder / "plain_incidents.yaml"
    path.write_text(yaml.safe_dump(table, allow_unicode=True))
    return {"tracker": PLAIN_TRACKER, "incident_detector": {"table": str(path.resolve()), "min_existence": 0.0}}


def evaluate_incidents(
    out: Path, scenes: Sequence[Scene] = (*QUIET, *EVENTFUL), platforms: Sequence[str] = EVERYBODY
) -> dict[str, Any]:
    """Run the scenes, print a table, write ``out/metrics.json`` and what the platforms reported, a bag per scene."""
    out.mkdir(parents=True, exist_ok=True)
    backgrounds = learn(platforms, out)
    ways: dict[str, tuple[Sequence[str], Parameters]] = {
        "poles": (POLES, {}), "poles, plain": (POLES, plain_parameters(out))
    }  # fmt: skip
    if set(platforms) > set(POLES):
        ways["all platforms"] = platforms, {}
    judged: dict[str, dict[str, dict[str, Judgement]]] = {name: {} for name in ways}
    durations = {}
    for scene in scenes:
        bag = record(scene, platforms, out, backgrounds)
        durations[scene.name] = Course(bag).duration
        for name, judgement in judge_scene(bag, ways).items():
            judged[name][scene.name] = judgement
    share = stopped_share(load_district(out / scenes[0].name / "district.yaml"))
    return _publish(judged, durations, share, out)


def judge_scene(
    bag: Path, ways: Mapping[str, tuple[Sequence[str], Parameters]]
) -> dict[str, dict[str, Judgement]]:  # fmt: skip
    """Return the judgement of each way (platforms and parameters) and kind in one scene.

    ``bag``: what the platforms reported, and the truth.
    """
    course, true = Course(bag), true_of(bag, {})
    result = {}
    for name, (platforms, parameters) in ways.items():
        seen, told = seen_at(bag, platforms, LEAST_POINTS), told_of(bag, platforms, parameters)
        result[name] = {kind: judge(kind, told, true, course, seen, events) for kind, events in KINDS.items()}
    return result


def figures_of(parts: Sequence[Judgement], seconds: float) -> Figures:
    """Return the figures over some scenes of so many seconds together."""
    alerts, true = sum(part.alerts for part in parts), sum(part.true for part in parts)
    delays = [delay for part in parts for delay in part.delay]
    return Figures(
        alerts, true, 3600.0 * (alerts - true) / seconds, sum(part.asked for part in parts),
        sum(part.told for part in parts), float(np.median(delays)) if delays else float("nan"),
        max(delays, default=float("nan")), sum(part.barely for part in parts), sum(part.barely_told for part in parts),
    )  # fmt: skip


def _publish(
    judged: Mapping[str, Mapping[str, Mapping[str, Judgement]]], durations: Mapping[str, float], share: float, out: Path
) -> dict[str, Any]:  # fmt: skip
    groups = {"quiet": [scene.name for scene in QUIET], "eventful": [scene.name for scene in EVENTFUL]}
    groups = {name: [scene for scene in members if scene in durations] for name, members in groups.items()}
    print(
        "| way | scenes | kind | alerts | true | false per hour | to be told | told | delay: median, longest "
        "| barely seen | told |"
    )
    print("| --- " * 11 + "|")
    figures: dict[str, Any] = {}
    for way, scenes in judged.items():
        for group, members in groups.items():
            seconds = sum(durations[name] for name in members)
            for kind in KINDS if members else ():
                one = figures_of([scenes[name][kind] for name in members], seconds)
                figures.setdefault(way, {}).setdefault(group, {})[kind] = asdict(one)
                delay = "–" if one.delay != one.delay else f"{one.delay:.1f} s, {one.longest_delay:.1f} s"
                print(
                    f"| {way} | {group} | {kind} | {one.alerts} | {one.true} | {one.false_per_hour:.0f} | {one.asked} "
                    f"| {one.told} | {delay} | {one.barely} | {one.barely_told} |"
                )
    print(f"a car that stands alone is told of at {share:.0%} of the places in lanes within {AROUND:.0f} m of a pole")
    result = {
        "seconds": dict(durations), "stopped_share": share, "figures": figures,
        "scenes": {way: {name: {kind: asdict(one) for kind, one in kinds.items()} for name, kinds in scenes.items()}
                   for way, scenes in judged.items()},
    }  # fmt: skip
    (out / "metrics.json").write_text(json.dumps(result, indent=2, ensure_ascii=False) + "\n")
    return result
