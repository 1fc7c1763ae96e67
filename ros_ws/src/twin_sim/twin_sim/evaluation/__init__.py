"""How faithful the simulator is: its figures beside those of real recordings.

``evaluate_sim`` is what ``./twin eval sim`` runs. One module a topic: ``cars`` (points and clusters of cars, KITTI),
``walking`` (ETH, UCY), ``crowd_flow`` (Jülich), ``cycling`` (VRU); ``results`` has the verdicts.
"""

from __future__ import annotations

from pathlib import Path

from twin_sim.evaluation.results import Figure

__all__ = ["evaluate_sim"]

FOLDERS = ("kitti_tracking", "eth_ucy", "crowd", "vru")
DURATION = 600.0  # s of the district that is simulated for walkers and cyclists
SEED = 1
SANGMU = Path(__file__).resolve().parents[5] / "config" / "districts" / "sangmu"


def evaluate_sim(
    data: Path, out: Path, district: Path = SANGMU, *, duration: float = DURATION, step: int = 1
) -> list[Figure]:
    """Compare the simulator with recordings; print a table, write ``metrics.json``, raw figures and plots to ``out``.

    Args:
        data: folder of the recordings.
        out: folder for results; made if need be.
        district: folder of the district whose walkers and cyclists are compared.
        duration: seconds of the district that are simulated.
        step: every ``step``-th LiDAR scan is compared.

    Raises:
        ConfigError: recordings are missing or broken, or the district cannot be read; one line.

    """
    # SUMO, jupedsim and Open3D load for seconds; only this command needs all of them
    from twin_common.config import ConfigError
    from twin_common.core.object_class import ObjectClass
    from twin_sim.core.demand import PopulationConfig
    from twin_sim.evaluation import cars, crowd_flow, cycling, results, walking
    from twin_sim.evaluation.district import pieces, tracks

    missing = [name for name in FOLDERS if not (data / name).is_dir()]
    if missing:
        raise ConfigError(f"{data}: no {', '.join(missing)} in it; expected the folder of real recordings")
    out.mkdir(parents=True, exist_ok=True)
    settings = PopulationConfig(cars=0.5, bicycles=0.3)
    found = tracks(district, settings, duration, SEED)
    figures = [
        *cars.compare(data, out, step),
        *walking.compare(data, pieces(found[ObjectClass.PEDESTRIAN]), out),
        *crowd_flow.compare(data, out, seed=SEED),
        *cycling.compare(data, found[ObjectClass.BICYCLE], out),
    ]
    results.publish(figures, out)
    return figures
