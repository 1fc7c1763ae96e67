"""Writes the parts of the documentation that come from code: parameter tables, topics, the graph's drawing.

``python -m twin_bringup.docs`` rewrites them; a test compares them.
"""

from __future__ import annotations

import importlib
import re
import sys
from pathlib import Path

from twin_bringup.descriptions import DESCRIPTIONS
from twin_bringup.graph import GraphOptions, build_graph, mermaid
from twin_bringup.paths import root
from twin_common import registry
from twin_common.config import table

_TABLE = re.compile(r"(<!-- parameters: (?P<module>[\w.]+):(?P<name>\w+) -->\n).*?(<!-- end parameters -->)", re.DOTALL)


def with_tables(text: str) -> str:
    """Return a README with every parameter table written again from its configuration."""

    def rewrite(match: re.Match[str]) -> str:
        config = getattr(importlib.import_module(match["module"]), match["name"])
        return f"{match[1]}{table(config)}\n{match[4]}"

    return _TABLE.sub(rewrite, text)


def topics_page() -> str:
    """Return docs/topics.md."""
    return f"# Topics\n\nWritten from `twin_common.registry` by `python -m twin_bringup.docs`.\n\n{registry.table()}\n"


def graph_page(folder: Path) -> str:
    """Return docs/graph.md."""
    drawing = mermaid(build_graph(folder / "bags/near_miss/district.yaml", GraphOptions()))
    return (
        "# The graph of the default district\n\nWritten from the graph's data by `python -m twin_bringup.docs`.\n\n"
        f"```mermaid\n{drawing}\n```\n"
    )


def launch_page() -> str:
    """Return docs/launch.md."""
    parts = [
        f"## {name}\n\n{(options.__doc__ or '').strip()}\n\n{table(options)}\n"
        for name, (options, _) in DESCRIPTIONS.items()
    ]
    return (
        "# Launch descriptions\n\nWritten by `python -m twin_bringup.docs`. Run one with "
        "`./twin launch NAME key:=value …`, or, on a full ROS 2 installation, with "
        "`ros2 launch twin_bringup NAME.launch.py key:=value …`.\n\n" + "\n".join(parts)
    )


def pages(folder: Path) -> dict[Path, str]:
    """Return every generated page, by path, as it should be."""
    wanted = {
        folder / "docs/topics.md": topics_page(),
        folder / "docs/graph.md": graph_page(folder),
        folder / "docs/launch.md": launch_page(),
    }
    for readme in sorted(folder.glob("ros_ws/src/*/README.md")):
        text = readme.read_text()
        if _TABLE.search(text):
            wanted[readme] = with_tables(text)
    return wanted


def main() -> int:
    """Write every page that is not as it should be."""
    for path, text in pages(root()).items():
        if not path.is_file() or path.read_text() != text:
            path.write_text(text)
            print(f"written: {path}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
