from typing import Any

import numpy as np
import pytest
from host_components import OBJECT

from twin_common import cdr
from twin_common.config import ConfigError
from twin_common.lockstep import LockstepHost
from twin_common.node_spec import NodeSpec
from twin_msgs.srv import AcknowledgeAlert

TYPE = "twin_msgs/msg/DetectedObjectArray"
SOURCE = NodeSpec(
    "host_components:Source", "source", "/pole_01", {"count": 2}, {"~/output/objects": "/pole_01/objects"}
)
SINK = NodeSpec(
    "host_components:Sink", "sink", "/district", {"platforms": ("pole_01", "pole_02")},
    {"~/input/objects/pole_01": "/pole_01/objects", "~/input/objects/pole_02": "/pole_02/objects",
     "~/output/objects": "/district/objects"},
)  # fmt: skip


def objects_at(x: float, stamp_ns: int) -> bytes:
    objects = np.zeros(1, OBJECT)
    objects["x"] = x
    return cdr.encode(TYPE, cdr.ArrayMessage(stamp_ns, "map", {"objects": objects}))


def run(feed: list[tuple[str, int, bytes]]) -> tuple[LockstepHost, list[tuple[str, int, Any]]]:
    seen: list[tuple[str, int, Any]] = []
    host = LockstepHost([SOURCE, SINK], lambda topic, kind, now, message: seen.append((topic, now, message)))
    for topic, time_ns, buffer in feed:
        host.feed(topic, time_ns, buffer)
    return host, seen


def test_messages_and_timers_run_in_order_of_time_and_the_same_every_time() -> None:
    feed = [("/pole_02/objects", 10**9 + 70_000_000 * k, objects_at(k, 10**9)) for k in range(10)]
    host, seen = run(feed)
    assert [now for _, now, _ in seen] == sorted(now for _, now, _ in seen)
    assert {topic for topic, _, _ in seen} == {"/pole_01/objects", "/district/objects"}
    ids = [int(message["objects"]["object_id"][0]) for topic, _, message in seen if topic == "/district/objects"]
    assert ids == list(range(1, 17))  # ten fed, six made by the timer in 0.63 s
    _, again = run(feed)
    for (topic, now, message), (topic2, now2, message2) in zip(seen, again, strict=True):
        assert (topic, now, message.stamp_ns) == (topic2, now2, message2.stamp_ns)
        np.testing.assert_array_equal(message["objects"], message2["objects"])
    sink = host.runtimes[1]
    assert sink.ports[1].figures.received == 10
    host.close()
    assert sink.component.closed  # type: ignore[attr-defined]


def test_an_error_in_a_handler_is_counted_and_reported_and_the_node_lives_on() -> None:
    host, _ = run(
        [("/pole_02/objects", 10**9, objects_at(-1, 10**9)), ("/pole_02/objects", 2 * 10**9, objects_at(1, 0))]
    )
    sink = host.runtimes[1]
    assert sink.events["errors"] == 1
    assert sink.problem == "on_objects: ValueError: x: expected at least 0"
    assert sink.component.seen > 1  # type: ignore[attr-defined]


def test_gaps_and_late_messages_are_counted() -> None:
    stamps_ns = [k * 100_000_000 for k in (10, 11, 12, 13, 14, 15, 16, 19, 18)]
    host, _ = run([("/pole_02/objects", stamp + 1000, objects_at(1, stamp)) for stamp in stamps_ns])
    figures = host.runtimes[1].ports[1].figures
    assert (figures.received, figures.missed, figures.late) == (9, 2, 1)
    assert figures.rate == pytest.approx(10)


def test_shared_arrays_cannot_be_changed_by_a_listener() -> None:
    _, seen = run(
        [("/pole_02/objects", 10**9, objects_at(1, 10**9)), ("/pole_02/objects", 2 * 10**9, objects_at(1, 0))]
    )
    with pytest.raises(ValueError, match="read-only"):
        seen[0][2]["objects"]["x"] = 5


def test_services_answer() -> None:
    host, _ = run([("/pole_02/objects", 10**9, objects_at(1, 10**9))])
    answer = host.call(
        "/district/sink", "acknowledge", AcknowledgeAlert.Request(alert_id="known"), AcknowledgeAlert.Response()
    )
    assert (answer.success, answer.message) == (True, "1 seen")


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        (NodeSpec("host_components:Source", "s", "/a", {"cuont": 1}), "/a/s: unknown key 'cuont'; did you mean count?"),
        (NodeSpec("host_components:Source", "s", "/a", {"count": 11}), "/a/s: SourceConfig.count: 11 is out of range"),
        (NodeSpec("host_components:Sauce", "s", "/a"), "component 'host_components:Sauce' cannot be loaded"),
        (NodeSpec("host_components:OBJECT", "s", "/a"), "is no component"),
    ],
)
def test_a_wrong_node_is_refused_in_one_line(spec: NodeSpec, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        LockstepHost([spec], lambda *_: None)
    assert message in str(caught.value)


def test_nodes_that_are_cut_off_are_heard_in_their_namespace_only() -> None:
    inside = NodeSpec(
        "host_components:Sink", "inside", "/pole_01", {"platforms": ("pole_01",)},
        {"~/input/objects/pole_01": "/pole_01/objects", "~/output/objects": "/pole_01/seen"},
    )  # fmt: skip
    told: list[tuple[str, int]] = []
    host = LockstepHost([SOURCE, inside, SINK], lambda topic, _kind, now, _message: told.append((topic, now)))
    source, within, district = host.runtimes
    host.advance(10**9)
    host.advance(2 * 10**9)
    before = district.component.seen  # type: ignore[attr-defined]
    within.cut_off(True)
    host.advance(3 * 10**9)
    assert (source.silent, within.silent, district.silent) == (True, False, False)
    assert district.component.seen == before >= 9  # type: ignore[attr-defined]
    assert within.component.seen >= before + 9  # type: ignore[attr-defined]
    assert not [now for topic, now in told if topic == "/pole_01/objects" and now > 2 * 10**9]
    within.cut_off(False)
    host.advance(4 * 10**9)
    assert district.component.seen > before and not source.silent  # type: ignore[attr-defined]
    host.close()
