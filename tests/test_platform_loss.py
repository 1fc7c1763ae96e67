"""A platform that is lost in a scenario: the district misses it, and hears when it is back."""

from pathlib import Path
from typing import Any

from twin_bringup.graph import GraphOptions, SimulatedSensors, build_graph
from twin_common import registry
from twin_common.codecs import codec_for
from twin_common.lockstep import LockstepHost
from twin_msgs.msg import Alert
from twin_sim import convert
from twin_sim.scenario import load_scenario
from twin_sim.simulation import Simulation

SCENARIO = Path(__file__).parent.parent / "config/scenarios/platform_loss.yaml"
LOSS = ("faults.losses.0.start=2", "faults.losses.0.duration=6")
LEAD_NS = 150_000_000
SECOND = 1_000_000_000


def run(duration: float) -> tuple[int, list[tuple[str, int, Any]]]:
    """Return the scenario's start, and what all nodes of two poles and the district published."""
    scenario = load_scenario(SCENARIO, LOSS)
    simulated = SimulatedSensors(str(SCENARIO), settings=LOSS, columns=512)
    options = GraphOptions(True, platforms=("pole_01", "pole_02"), simulated=simulated)
    processes = build_graph(scenario.world.folder / "district.yaml", options)
    published: list[tuple[str, int, Any]] = []
    nodes = [node for process in processes for node in process.nodes]
    host = LockstepHost(nodes, lambda topic, _kind, now, message: published.append((topic, now, message)))
    made = {"signals": convert.signals_to_message, "sim_actors": convert.actors_to_message}
    try:
        with Simulation(scenario, populated=False) as simulation:
            for _ in range(round(duration * 10)):
                frame = simulation.step()
                for key, make in made.items():
                    entry = registry.topic(key)
                    if entry.resolve() in host.input_topics:
                        buffer = codec_for(entry.type_name).encode(make(frame))
                        host.feed(entry.resolve(), frame.stamp_ns - LEAD_NS, buffer)
    finally:
        host.close()
    return scenario.start_ns, published


def test_the_district_misses_a_lost_platform_until_it_is_back() -> None:
    start_ns, published = run(11.0)

    def seconds(topic: str) -> list[float]:
        return [(now - start_ns) / SECOND for name, now, _ in published if name == topic]

    heard = seconds("/pole_01/status")
    assert not [time for time in heard if 2.0 <= time < 8.0] and len([t for t in heard if t >= 8.0]) >= 2
    assert not [time for time in seconds("/pole_01/objects") if 2.1 < time < 8.0]
    assert len([time for time in seconds("/pole_02/status") if 2.0 <= time < 8.0]) == 6
    assert len([time for time in seconds("/pole_01/sim/visibility") if 2.0 <= time < 8.0]) >= 59
    alerts = [(now - start_ns, alert) for name, now, alert in published if name == "/district/alerts"]
    lost = [(now / SECOND, alert.state) for now, alert in alerts if alert.kind == "platform_lost"]
    assert [state for _, state in lost] == [Alert.STATE_RAISED, Alert.STATE_EXPIRED]
    assert 3.9 < lost[0][0] < 5.5 and 8.0 <= lost[1][0] < 9.5
