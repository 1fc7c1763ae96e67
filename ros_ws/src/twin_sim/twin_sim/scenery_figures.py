"""Prints how many triangles the scenery of a district has, by part, and the time to make it.

python -m twin_sim.scenery_figures [FOLDER]
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

from twin_sim.core.scenery import parts
from twin_sim.world import load_world

SANGMU = Path(__file__).resolve().parents[4] / "config/districts/sangmu"


def figures(folder: Path) -> dict[str, float]:
    """Return triangles by part, their sum, and seconds of the processor."""
    world = load_world(folder)
    began = time.process_time()
    counts = {name: float(len(mesh.triangles)) for name, mesh in parts(world).items()}
    spent = time.process_time() - began
    return counts | {"all": sum(counts.values()), "seconds of one core": spent}


if __name__ == "__main__":
    for what, value in figures(Path(sys.argv[1]) if len(sys.argv) > 1 else SANGMU).items():
        print(f"{what}: {value:,.1f}" if what.startswith("seconds") else f"{what}: {value:,.0f} triangles")
