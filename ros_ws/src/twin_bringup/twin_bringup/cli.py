"""The command line: ``./twin COMMAND``."""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from twin_bringup import bench, demo
from twin_bringup.descriptions import DESCRIPTIONS, description, options_from_text
from twin_bringup.jobs import run_folder
from twin_bringup.paths import find, root
from twin_bringup.runner import Runner, run_until_signal
from twin_common.config import ConfigError, table


def _launch(arguments: argparse.Namespace) -> int:
    options_class, plan = description(arguments.name)
    given = {}
    for item in arguments.options:
        key, separator, value = item.partition(":=")
        if not separator:
            raise ConfigError(f"launch {arguments.name}: {item!r}; expected key:=value")
        given[key] = value
    options = options_from_text(options_class, given, f"launch {arguments.name}")
    port = getattr(options, "foxglove_port", 0)
    if port:
        demo.require_free_port(options.foxglove_host, port)
    folder = run_folder()
    try:
        outcome = run_until_signal(Runner(plan(options, folder).jobs))
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    if outcome.reason:
        print(f"launch {arguments.name}: {outcome.reason}", file=sys.stderr)
    return outcome.exit_code


def _test(arguments: argparse.Namespace) -> int:
    return subprocess.call([sys.executable, "-m", "pytest", *arguments.pytest], cwd=root())


def _evaluate(arguments: argparse.Namespace) -> int:
    from twin_behavior.evaluation import evaluate_behavior
    from twin_prediction.evaluation import evaluate_prediction
    from twin_replay.detection_evaluation import evaluate_detection
    from twin_replay.evaluation import evaluate_tracking
    from twin_sim.evaluation import evaluate_sim

    if arguments.format == "camera":
        return _evaluate_camera(arguments)
    if arguments.what == "localization":
        return _evaluate_localization(arguments)
    if arguments.what == "incidents":
        return _evaluate_incidents(arguments)
    _check_ways_of_kitti(arguments)
    simulated = arguments.format == "sim" or (arguments.format == "scans" and arguments.data is None)
    if arguments.what == "detection" and simulated:
        return _evaluate_simulated_detection(arguments)
    arguments.data = arguments.data or root() / "../shared/data"
    if arguments.format != "scans":
        return _evaluate_tracking(arguments)
    score = {
        "detection": evaluate_detection, "tracking": evaluate_tracking,
        "prediction": evaluate_prediction, "behavior": evaluate_behavior, "sim": evaluate_sim,
    }[arguments.what]  # fmt: skip
    if not arguments.data.is_dir():
        raise ConfigError(f"{arguments.data}: no such folder; expected the recordings to score on (--data)")
    arguments.out.mkdir(parents=True, exist_ok=True)
    score(arguments.data, arguments.out)
    print(f"written: {arguments.out}/metrics.json and the raw results")
    return 0


def _check_ways_of_kitti(arguments: argparse.Namespace) -> None:
    """Refuse a long run of something else than was asked for.

    Raises:
        ConfigError: ``--ablation`` or ``--cross-validate`` where they say nothing, or both.

    """
    given = [name for name in ("ablation", "cross-validate") if getattr(arguments, name.replace("-", "_"))]
    if given and (arguments.what, arguments.format) != ("tracking", "kitti"):
        raise ConfigError(f"eval {arguments.what}: --{given[0]}; expected it with eval tracking --format kitti only")
    if len(given) > 1:
        raise ConfigError("eval tracking: --ablation and --cross-validate; expected one of them")


def _evaluate_camera(arguments: argparse.Namespace) -> int:
    """Score the camera's detector on rendered pictures that nobody trained on."""
    from twin_bringup.simulation import scenario_folder
    from twin_detection.evaluation.camera_run import evaluate_camera

    if arguments.what != "detection":
        raise ConfigError(f"eval {arguments.what}: --format camera; expected it with detection only")
    for option in ("data", "long", "no_cameras", "ablation", "cross_validate"):
        if getattr(arguments, option):
            name = option.replace("_", "-")
            raise ConfigError(f"eval detection: --format camera with --{name}; expected --out at most beside it")
    evaluate_camera(scenario_folder(), arguments.out)
    print(f"written: {arguments.out}/metrics.json, plots and examples")
    return 0


def _evaluate_localization(arguments: argparse.Namespace) -> int:
    """Score where sensor vehicles are, in simulated drives."""
    from twin_bringup.simulation import scenario_folder
    from twin_localization.evaluation import evaluate_localization

    if arguments.data is not None or arguments.format not in ("scans", "sim"):
        raise ConfigError("eval localization: --data or --format; expected --out at most: it is simulated")
    evaluate_localization(scenario_folder(), arguments.out)
    print(f"written: {arguments.out}/metrics.json")
    return 0


def _evaluate_incidents(arguments: argparse.Namespace) -> int:
    """Score the alerts in simulated scenes."""
    from twin_incidents.evaluation.run import evaluate_incidents

    if arguments.data is not None or arguments.format not in ("scans", "sim"):
        given = "--data" if arguments.data is not None else f"--format {arguments.format}"
        raise ConfigError(f"eval incidents: {given}; expected --out at most: it is simulated")
    evaluate_incidents(arguments.out)
    print(f"written: {arguments.out}/metrics.json and what the platforms reported")
    return 0


def _evaluate_simulated_detection(arguments: argparse.Namespace) -> int:
    """Score the detectors on simulated scenes that nobody trained on."""
    from twin_detection.evaluation.run import SCENARIOS, evaluate_simulated

    arguments.out.mkdir(parents=True, exist_ok=True)
    evaluate_simulated(
        find(SCENARIOS, "the scenarios"), arguments.out, long=arguments.long, cameras=not arguments.no_cameras
    )
    print(f"written: {arguments.out}/metrics.json and plots")
    return 0


def _evaluate_tracking(arguments: argparse.Namespace) -> int:
    """Score the tracker by itself, on given detections or in the simulated district."""
    if arguments.what != "tracking":
        raise ConfigError(f"eval {arguments.what}: --format {arguments.format}; expected it with tracking only")
    if arguments.format == "sim":
        from twin_tracking.evaluation.sim import evaluate_sim

        return evaluate_sim(arguments.out)
    from twin_tracking.evaluation.kitti import evaluate_kitti
    from twin_tracking.evaluation.kitti_ablation import ablate
    from twin_tracking.evaluation.kitti_choice import cross_validate

    if not arguments.data.is_dir():
        raise ConfigError(f"{arguments.data}: no such folder; expected the recordings to score on (--data)")
    if arguments.ablation:
        ablate(arguments.data, arguments.out)
    elif arguments.cross_validate:
        cross_validate(arguments.data, arguments.out)
    else:
        evaluate_kitti(arguments.data, arguments.out)
    print(f"written: {arguments.out}/metrics.json and the raw results")
    return 0


def _add_demo(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = commands.add_parser("demo", help="the whole graph on a district, watched and judged")
    parser.add_argument(
        "--input", metavar="BAG|SCENARIO", help="bag folder, or a scenario's name or file (default: scenario demo)"
    )
    parser.add_argument("--duration", type=float, metavar="S", help="seconds to play (default: all)")
    parser.add_argument("--headless", action="store_true", help="lines instead of a live table")
    parser.add_argument("--port", type=int, default=8765, help="of the Foxglove server; 0: none (default: %(default)s)")
    parser.add_argument("--rate", type=float, default=1.0, help="speed of its time (default: %(default)s)")
    parser.add_argument(
        "--platforms", help="that take part, with commas (default: all of a bag; 4 poles, 1 vehicle of a scenario)"
    )
    parser.add_argument("--cameras", action="store_true", help="simulated cameras too: needs more processors")
    parser.set_defaults(func=demo.run_demo)


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of every command."""
    from twin_detection import models_cli
    from twin_fusion import calibration_cli
    from twin_replay import cli as replay_cli
    from twin_sim import cli as sim_cli
    from twin_viz import cli as viz_cli

    parser = argparse.ArgumentParser(prog="twin", description="District Twin: a live digital twin of a city district.")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    commands.add_parser("setup", help="make .venv, install the locked packages, build ros_ws")
    _add_demo(commands)
    launch = commands.add_parser(
        "launch", help="run a launch description", formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog="\n\n".join(f"{name}:\n{table(options)}" for name, (options, _) in DESCRIPTIONS.items()),
    )  # fmt: skip
    launch.add_argument("name", help=", ".join(DESCRIPTIONS))
    launch.add_argument("options", nargs="*", metavar="key:=value")
    launch.set_defaults(func=_launch)
    viz_cli.register(commands)
    replay_cli.register(commands)
    sim_cli.register(commands)
    models_cli.register(commands)
    calibration_cli.register(commands)
    score = commands.add_parser("eval", help="score against recordings with known truth")
    score.add_argument(
        "what", choices=("detection", "tracking", "localization", "prediction", "behavior", "incidents", "sim")
    )
    score.add_argument(
        "--data", type=Path,
        help="folder of the recordings (default: ../shared/data; detection: none, on simulated scenes)",
    )  # fmt: skip
    score.add_argument("--out", type=Path, default=Path("out/eval"), help="folder for metrics.json and raw results")
    score.add_argument(
        "--format", choices=("scans", "kitti", "sim", "camera"), default="scans",
        help="tracking: from LiDAR scans, from KITTI's detections, or in the simulated district; detection: camera "
        "alone, in pictures (default: %(default)s)",
    )  # fmt: skip
    score.add_argument("--ablation", action="store_true", help="tracking, format kitti: each ingredient off in turn")
    score.add_argument(
        "--cross-validate", action="store_true", help="tracking, format kitti: parameters chosen without each sequence"
    )
    score.add_argument("--long", action="store_true", help="detection: also an hour with somebody who lies still")
    score.add_argument("--no-cameras", action="store_true", help="detection: LiDARs alone")
    score.set_defaults(func=_evaluate)
    bench.register(commands)
    test = commands.add_parser("test", help="every test; arguments go to pytest", add_help=False)
    test.add_argument("pytest", nargs=argparse.REMAINDER)
    test.set_defaults(func=_test)
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; bad input gives one line and exit code 2."""
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    if arguments[:1] == ["test"]:  # argparse takes a leading option for its own
        return _test(argparse.Namespace(pytest=arguments[1:]))
    parsed = build_parser().parse_args(arguments)
    try:
        return int(parsed.func(parsed))
    except (ConfigError, ValueError) as error:
        print(f"twin {parsed.command}: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except OSError as error:
        print(f"twin {parsed.command}: {error.filename or ''}: {error.strerror or error}", file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main())
