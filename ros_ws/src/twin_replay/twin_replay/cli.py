"""The commands ``./twin bag`` and ``./twin replay``."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console

from twin_common.config import ConfigError
from twin_common.node_spec import NodeSpec
from twin_replay.bag import BagError, BagMessage, BagReader

if TYPE_CHECKING:
    from twin_replay.replay import Comparison

SHOWN = 20  # differences shown in the terminal; the file has all


def register(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the commands; each parser sets ``func``."""
    bag = commands.add_parser("bag", help="bags: info, play, record, recover, import-kitti")
    verbs = bag.add_subparsers(dest="verb", required=True, metavar="VERB")
    _add_info(verbs)
    _add_play_and_record(verbs)
    _add_recover(verbs)
    _add_import(verbs)
    _add_replay(commands)


def _add_info(verbs: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = verbs.add_parser("info", help="what is in a bag")
    parser.add_argument("bag", type=Path, metavar="BAG")
    parser.add_argument("--quick", action="store_true", help="do not read the messages: no rates and stamps")
    parser.set_defaults(func=_info)


def _info(args: argparse.Namespace) -> int:
    from twin_replay import bag_info

    reader = BagReader(args.bag, recover=True)
    figures = None if args.quick else bag_info.figures_of(reader)
    console = Console(width=None if sys.stdout.isatty() else 240, highlight=False, markup=False)
    for line in bag_info.summary_lines(reader):
        console.print(line, soft_wrap=True)
    console.print(bag_info.topic_table(reader, figures))
    return 0


def _add_play_and_record(verbs: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    from twin_replay import player_node, recorder_node

    play = verbs.add_parser("play", help="play a bag, with /clock")
    player_node.add_arguments(play)
    play.set_defaults(func=player_node.play)
    record = verbs.add_parser("record", help="record topics of the running graph")
    recorder_node.add_arguments(record)
    record.set_defaults(func=recorder_node.record)


def _add_recover(verbs: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = verbs.add_parser("recover", help="make a whole bag of what can be read of a cut-off one")
    parser.add_argument("bag", type=Path, metavar="BAG")
    parser.add_argument("out", type=Path, metavar="OUT")
    parser.set_defaults(func=_recover)


def _recover(args: argparse.Namespace) -> int:
    from twin_replay.bag import recover

    whole = recover(args.bag, args.out)
    print(f"{whole.path}: {whole.count} messages, {whole.duration:.3f} s")
    return 0


def _add_import(verbs: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = verbs.add_parser("import-kitti", help="a sequence of the KITTI tracking benchmark as a bag")
    parser.add_argument("source", type=Path, metavar="SRC", help="folder with velodyne, oxts, calib, label_02")
    parser.add_argument("sequence", metavar="SEQ", help="e.g. 0000")
    parser.add_argument("out", type=Path, metavar="OUT", help="folder of the new bag")
    parser.add_argument("--force", action="store_true", help="replace OUT")
    parser.set_defaults(func=_import)


def _import(args: argparse.Namespace) -> int:
    from twin_replay.kitti_import import import_sequence

    started = time.perf_counter()
    count = import_sequence(args.source, args.sequence, args.out, force=args.force)
    print(f"{args.out}: {count} messages in {time.perf_counter() - started:.1f} s")
    return 0


def _add_replay(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = commands.add_parser("replay", help="lockstep regression of one bag against its pinned reference")
    parser.add_argument("bag", type=Path, metavar="BAG")
    parser.add_argument("--update-refs", action="store_true", help="pin the outputs of this run as the reference")
    parser.add_argument("--twice", action="store_true", help="run twice and require identical outputs")
    parser.add_argument(
        "--nodes", nargs="+", default=(), metavar="NODE", help="only these; other inputs come from the bag"
    )
    parser.add_argument("--district", type=Path, help="district file (default: the bag's own)")
    parser.add_argument("--out", type=Path, metavar="DIR", help="for differences (default: out/replay/<bag>)")
    parser.set_defaults(func=_replay)


def _graph(args: argparse.Namespace, reader: BagReader) -> list[NodeSpec]:
    from twin_bringup.graph import nodes_for_replay, sensor_topics
    from twin_common.district import load_district

    path = args.district or args.bag / "district.yaml"
    available = [name for name, topic in reader.topics.items() if topic.count]
    return list(nodes_for_replay(path, sensor_topics(load_district(path), available)))


def _replay(args: argparse.Namespace, graph: Callable[[argparse.Namespace, BagReader], list[NodeSpec]] = _graph) -> int:
    """Return 0 where nothing differs, 1 where something does or a stage was not exercised."""
    from twin_replay import replay

    if args.update_refs and args.nodes:
        raise ConfigError("--update-refs pins the outputs of the whole graph; expected it without --nodes")
    reader = BagReader(args.bag)
    expectations = replay.load_expectations(args.bag)
    pinned = _pinned(args)
    nodes = replay.select_nodes(graph(args, reader), args.nodes)
    run = replay.run_lockstep(nodes, reader, expectations, pinned)
    print(
        f"{args.bag}: {run.fed} messages, {run.recorded_seconds:.1f} s of recording in {run.wall_seconds:.1f} s "
        f"({run.cpu_seconds:.1f} s of CPU): {run.speed:.1f} times real time"
    )
    for topic, count in sorted(replay.counts_by_topic(run.outputs).items()):
        print(f"  {topic}: {count}")
    if args.twice and replay.digest_elsewhere(nodes, reader, expectations, pinned) != run.digest():
        run.failures.append("a second run, in a process of its own, gave other outputs; expected identical ones")
    for failure in run.failures:
        print(f"FAILED {failure}", file=sys.stderr)
    if run.failures:
        return 1
    if args.update_refs:
        size = replay.write_reference(args.bag, run.outputs)
        print(f"pinned {len(run.outputs)} messages in {args.bag / replay.REFERENCE}, {size / 1e6:.2f} MB")
        return 0
    assert pinned is not None
    made = {message.topic for message in run.outputs} | _outputs_of(nodes)
    reference = [message for message in pinned.messages() if not args.nodes or message.topic in made]
    comparison = replay.compare_outputs(reference, run.outputs, expectations.tolerances())
    return _report(comparison, run.outputs, args.out or Path("out/replay") / args.bag.resolve().name)


def _pinned(args: argparse.Namespace) -> BagReader | None:
    """Return the reference; None where this run is to make a new one."""
    from twin_replay.replay import REFERENCE

    if args.update_refs:
        return None
    if not (args.bag / REFERENCE).is_dir():
        raise BagError(f"{args.bag / REFERENCE}: no such folder; expected a pinned reference (--update-refs makes one)")
    reference = BagReader(args.bag / REFERENCE)
    reference.check_types(reference.topics)
    return reference


def _outputs_of(nodes: list[NodeSpec]) -> set[str]:
    return {topic for node in nodes for port, topic in node.remappings.items() if port.startswith("~/output/")}


def _report(comparison: Comparison, outputs: Sequence[BagMessage], folder: Path) -> int:
    """Print the summary; write every difference, and the outputs as a bag, where there are any."""
    from twin_replay import replay

    file = folder / "differences.txt"
    if comparison.same:
        file.unlink(missing_ok=True)
        print(f"same as the reference: {comparison.compared} messages within tolerance")
        return 0
    folder.mkdir(parents=True, exist_ok=True)
    file.write_text("\n".join(comparison.lines) + "\n")
    replay.write_outputs(folder / "outputs", outputs)
    for topic, count in comparison.by_topic.items():
        if count:
            print(f"DIFFERENT {topic}: {count} differences", file=sys.stderr)
    for line in comparison.lines[:SHOWN]:
        print(f"  {line}", file=sys.stderr)
    print(
        f"{len(comparison.lines)} differences, all in {file}; the outputs are in {folder / 'outputs'}", file=sys.stderr
    )
    return 1
