"""The command ``./twin sim``: list, run, preview, import-osm."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from rich.console import Console
from rich.table import Table

from twin_common.config import ConfigError

USUAL = -1  # poles and vehicles: as many as a run usually has, or as there are


def register(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command; each parser sets ``func``."""
    sim = commands.add_parser("sim", help="the simulated district: list, run, preview, import-osm")
    verbs = sim.add_subparsers(dest="verb", required=True, metavar="VERB")
    _add_list(verbs)
    _add_run(verbs)
    _add_preview(verbs)
    _add_import(verbs)


def _add_scenario(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("scenario", metavar="SCENARIO", help="name of a scenario of config/scenarios, or a file")
    parser.add_argument("--seed", type=int, metavar="N", help="of everything random (default: the scenario's)")
    parser.add_argument(
        "--set", action="append", default=[], metavar="KEY=VALUE", dest="settings",
        help="change the scenario, e.g. --set weather.rain=5; may be given several times",
    )  # fmt: skip


def _add_list(verbs: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = verbs.add_parser("list", help="the scenarios there are")
    parser.set_defaults(func=_list)


def _list(_arguments: argparse.Namespace) -> int:
    from twin_bringup.simulation import scenario_folder
    from twin_sim.scenario import load_scenario, scenario_files

    console = Console(width=None if sys.stdout.isatty() else 160, highlight=False, markup=False)
    table = Table("scenario", "kind", "s", "runs", "what happens", header_style="bold")
    for path in scenario_files(scenario_folder()):
        scenario = load_scenario(path)
        config = scenario.config
        runs = sum(1 for _ in scenario.variations())
        table.add_row(
            scenario.name, config.kind.replace("_", " "), f"{config.duration:g}", str(runs), config.description
        )
    console.print(table)
    return 0


def _add_run(verbs: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = verbs.add_parser("run", help="simulate a scenario, with or without recording")
    _add_scenario(parser)
    parser.add_argument("--skip", type=float, default=0.0, metavar="S", help="begin so much after its start")
    parser.add_argument("--duration", type=float, metavar="S", help="simulate so much (default: all of it)")
    parser.add_argument(
        "--poles", type=int, default=USUAL, metavar="N", help="the first N have sensors (default: 4, if there are)"
    )
    parser.add_argument(
        "--vehicles", type=int, default=USUAL, metavar="N", help="the first N too (default: 1, if there is)"
    )
    parser.add_argument("--platforms", metavar="NAMES", help="these have, with commas, instead of the first ones")
    parser.add_argument("--out", type=Path, metavar="BAG", help="record what the sensors give into this new folder")
    parser.add_argument(
        "--truth", type=Path, metavar="FILE",
        help="write ground truth: .parquet or .jsonl; with what each platform's LiDAR sees of it, pixels with --images",
    )  # fmt: skip
    parser.add_argument("--no-sensors", action="store_true", help="faster: truth without what platforms see of it")
    parser.add_argument(
        "--columns", type=int, default=0, metavar="N", help="of a LiDAR's revolution (default: its model's)"
    )
    parser.add_argument("--images", action="store_true", help="cameras too: they take time and make a bag large")
    parser.add_argument("--realtime", action="store_true", help="not faster than the wall's clock")
    parser.add_argument(
        "--udp", metavar="HOST:PORT", help="send the LiDARs' packets there, one port per platform; implies --realtime"
    )
    parser.set_defaults(func=_run)


def _run(arguments: argparse.Namespace) -> int:
    from twin_bringup.simulation import chosen_platforms, find_scenario
    from twin_sim.scenario import load_scenario

    scenario = load_scenario(find_scenario(arguments.scenario), arguments.settings)
    district = scenario.world.district
    named = arguments.platforms or ""
    sensing = bool(arguments.out or arguments.udp or arguments.truth) and not arguments.no_sensors
    if arguments.no_sensors and (arguments.out or arguments.udp):
        raise ConfigError("--no-sensors: --out and --udp need sensors; expected only --truth with it")
    platforms = chosen_platforms(district, arguments.poles, arguments.vehicles, named) if sensing else ()
    from twin_sim.run import RunOptions, run_scenario  # takes seconds, which bad input need not wait for

    options = RunOptions(
        scenario=scenario, platforms=platforms, seed=arguments.seed,
        skip=arguments.skip, duration=arguments.duration, out=arguments.out,
        truth=arguments.truth, columns=arguments.columns, images=arguments.images,
        realtime=arguments.realtime or bool(arguments.udp), udp=arguments.udp or "",
    )  # fmt: skip
    return run_scenario(options)


def _add_preview(verbs: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = verbs.add_parser("preview", help="pictures of a scenario: from above, and one frame of each sensor")
    _add_scenario(parser)
    parser.add_argument(
        "--out", type=Path, metavar="DIR", help="folder for the pictures (default: out/preview/<scenario>)"
    )
    parser.set_defaults(func=_preview)


def _preview(arguments: argparse.Namespace) -> int:
    from twin_bringup.simulation import find_scenario
    from twin_sim.preview import preview

    path = find_scenario(arguments.scenario)
    out = arguments.out or Path("out/preview") / path.stem
    for made in preview(path, out, seed=arguments.seed, settings=tuple(arguments.settings)):
        print(made)
    return 0


def _add_import(verbs: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = verbs.add_parser("import-osm", help="make a district of an OpenStreetMap extract")
    parser.add_argument("source", type=Path, metavar="FILE", help="extract, .osm (XML)")
    parser.add_argument("out", type=Path, metavar="OUT", help="new folder, e.g. config/districts/mine")
    parser.set_defaults(func=_import)


def _import(arguments: argparse.Namespace) -> int:
    from twin_sim.osm_import import import_osm

    import_osm(arguments.source, arguments.out)
    return 0
