import numpy as np
import pytest
import yaml
from nav_msgs.msg import Odometry
from rclpy.serialization import serialize_message

from twin_common import cdr, stamps
from twin_common.cdr import ArrayMessage, record_dtype
from twin_common.config import ConfigError
from twin_common.lockstep import LockstepHost
from twin_common.node_spec import NodeSpec
from twin_incidents import bench
from twin_incidents.table import DEFAULT_TABLE
from twin_msgs.msg import PlatformStatus
from twin_msgs.srv import AcknowledgeAlert, CancelAlert

CAR, PEDESTRIAN = 1, 7


def status(platform, state=PlatformStatus.STATE_OK):
    return serialize_message(PlatformStatus(platform=platform, state=state))


def hear(district, kit, platform, time, state=PlatformStatus.STATE_OK):
    district.host.feed(f"/{platform}/status", kit.START + stamps.from_seconds(time), status(platform, state))


def lost(district):
    return [(round(t, 1), i.platforms[0]) for t, i in district.named("platform_lost")]


def test_a_silent_platform_is_lost_and_found_again(make_district, kit):
    district = make_district(watched=("pole_01", "pole_02"))
    for k in range(12):
        if not 4 <= k < 9:
            hear(district, kit, "pole_02", k + 0.01)
        hear(district, kit, "pole_01", k + 0.02)
    district.host.advance(kit.START + 12 * 10**9)
    found = lost(district)
    assert {name for _, name in found} == {"pole_02"}
    assert found[0][0] == pytest.approx(6.1, abs=0.15)  # 3 s after 3.01 s
    assert found[-1][0] == pytest.approx(9.0, abs=0.15)
    states = [(round(time), alert.state, alert.place) for time, alert in district.alerts]
    assert states == [(6, 0, "0 m from pole_02"), (9, 4, "0 m from pole_02")]
    assert district.alerts[0][1].cause.startswith("no status of pole_02 for 3.1 s > 3.0 s")


def test_a_platform_that_says_it_is_lost_is_lost_at_once(make_district, kit):
    district = make_district(watched=("pole_01",))
    district.host.advance(kit.START)
    hear(district, kit, "pole_01", 1.0, PlatformStatus.STATE_LOST)
    district.host.advance(kit.START + 2 * 10**9)
    assert lost(district)[0] == (pytest.approx(1.1, abs=0.2), "pole_01")


def test_a_platform_never_heard_has_time_to_start(make_district, kit):
    district = make_district(watched=("pole_01",))
    district.host.advance(kit.START)
    district.host.advance(kit.START + 20 * 10**9)
    assert lost(district)[0][0] == pytest.approx(15.2, abs=0.3)


def walker_on_the_street(make_district, kit, **parameters):
    district = make_district(**parameters)
    district.play([kit.Actor(5, PEDESTRIAN, kit.straight(-30.0, 0.0, 0.0, 0.0))], 2.0)
    return district


def test_operators_acknowledge_and_cancel(make_district, kit):
    district = walker_on_the_street(make_district, kit)
    alert_id = district.alerts[0][1].alert_id

    def call(kind, service, **values):
        return district.host.call("/district/dispatcher", service, kind.Request(**values), kind.Response())

    refused = call(AcknowledgeAlert, "acknowledge", alert_id="nothing", operator_name="Kim")
    assert (refused.success, refused.message) == (False, "alert 'nothing': no such alert; 1 are open")
    assert call(AcknowledgeAlert, "acknowledge", alert_id=alert_id, operator_name="Kim", note="seen").success
    assert call(CancelAlert, "cancel", alert_id=alert_id, operator_name="Lee", note="a worker").success
    again = call(CancelAlert, "cancel", alert_id=alert_id, operator_name="Lee")
    assert not again.success and again.message.endswith("is cancelled, cannot become cancelled")
    told = [(alert.state, alert.operator_name, alert.note) for _, alert in district.alerts]
    assert told == [(0, "", ""), (2, "Kim", "seen"), (3, "Lee", "a worker")]
    district.play([kit.Actor(5, PEDESTRIAN, kit.straight(-30.0, 0.0, 0.0, 0.0))], 15.0, begin=2.1)
    assert len(district.alerts) == 3  # it still holds, and does not rise again


def test_alerts_speak_korean(make_district, kit):
    district = walker_on_the_street(make_district, kit, dispatcher={"language": "ko"})
    assert district.alerts[0][1].text == "main street: 차도에 보행자"


def test_a_table_of_ones_own(make_district, kit, tmp_path):
    content = yaml.safe_load(DEFAULT_TABLE.read_text())
    row = content["incidents"][1] | {"kind": "jaywalker", "agencies": ["guard"], "min_duration": 0.0}
    path = tmp_path / "own.yaml"
    path.write_text(yaml.safe_dump({"incidents": [row]}))
    own = {"table": str(path)}
    district = walker_on_the_street(make_district, kit, incident_detector=own, dispatcher=own)
    assert (district.alerts[0][1].kind, list(district.alerts[0][1].agencies)) == ("jaywalker", ["guard"])
    strangers = walker_on_the_street(make_district, kit, incident_detector=own)
    assert strangers.alerts[0][1].text.startswith("main street: pedestrian #0005")  # of another table


def test_wrong_configuration_is_refused(make_district):
    with pytest.raises(ConfigError, match=r"none.yaml: no such file"):
        make_district(incident_detector={"table": "none.yaml"})
    with pytest.raises(ConfigError, match=r"language: 'fr'; expected one of en, ko"):
        make_district(dispatcher={"language": "fr"})


def test_without_predictions_the_other_rules_go_on(district_file, kit):
    seen = []
    spec = NodeSpec("twin_incidents.incident_node:IncidentDetector", "detector", "/", {"district": str(district_file)})
    host = LockstepHost([spec], lambda *event: seen.append(event))
    for k in range(30):
        stamp_ns = kit.START + k * 100_000_000
        records = kit.records_of([kit.Actor(5, PEDESTRIAN, kit.straight(-30.0, 0.0, 0.0, 0.0))], 0.1 * k)
        records["last_seen_ns"] = stamp_ns
        message = ArrayMessage(stamp_ns, "map", {"tracks": records})
        host.feed("/detector/input/tracks", stamp_ns, cdr.encode("twin_msgs/msg/TrackArray", message))
    assert {i.kind for *_, message in seen for i in message.incidents} == {"pedestrian_on_carriageway"}
    assert host.runtimes[0].events["tracks_without_predictions"] > 20
    host.close()


def test_broken_tracks_are_counted(make_district, kit):
    district = make_district()
    records = kit.records_of([kit.Actor(5, PEDESTRIAN, kit.straight(-30.0, 0.0, 0.0, 0.0))] * 2, 0.0)
    records["x"][0] = np.nan
    district.feed(0.0, records)
    detector = next(r for r in district.host.runtimes if r.name == "/district/incident_detector")
    assert detector.events["rejected"] == 1 and detector.problem is None


def test_a_silent_detector_is_reported_and_alerts_stay(make_district, kit, district_file):
    spec = NodeSpec("twin_incidents.dispatcher_node:Dispatcher", "dispatcher", "/", {"district": str(district_file)})
    host = LockstepHost([spec], lambda *event: None)
    from twin_msgs.msg import Incident, IncidentArray

    message = IncidentArray(incidents=[Incident(incident_id="i", kind="platform_lost", x=10.0, y=20.0)])
    host.feed("/dispatcher/input/incidents", kit.START, serialize_message(message))
    host.advance(kit.START + 10**9)
    assert host.runtimes[0].problem is None
    host.advance(kit.START + 4 * 10**9)
    assert host.runtimes[0].problem == "no incidents for more than 2.0 s; expected 10 a second"
    assert host.runtimes[0].measures["open_alerts"] == 1


def run_monitor(district_file, platform, scans, objects, duration, start, frames=()):
    """Return the statuses of a platform whose arrays come at the given seconds, objects 30 ms after their scan."""
    published = []
    parameters = {"platform": platform, "district": str(district_file)}
    spec = NodeSpec("twin_incidents.platform_monitor_node:PlatformMonitor", "monitor", f"/{platform}", parameters)
    host = LockstepHost([spec], lambda _topic, _kind, now, message: published.append(((now - start) / 1e9, message)))
    events = [(time + 0.02, time, "scans") for time in scans] + [(time + 0.03, time, "objects") for time in objects]
    events += [(time + 0.06, time, "frames") for time in frames]
    for at, time, port in sorted(events):
        kind = "Image" if port == "frames" else "Detected"
        none = np.zeros(0, record_dtype(f"twin_msgs/msg/{kind}Object"))
        message = ArrayMessage(start + stamps.from_seconds(time), "map", {"objects": none})
        buffer = cdr.encode(f"twin_msgs/msg/{kind}ObjectArray", message)
        host.feed(f"/{platform}/monitor/input/{port}", start + stamps.from_seconds(at), buffer)
    host.advance(start + stamps.from_seconds(duration))
    return published, host


def test_monitor_tells_rates_latency_and_place(district_file, kit):
    times = [0.1 * k for k in range(60)]
    published, _ = run_monitor(district_file, "pole_01", times, times, 6.0, kit.START)
    time, message = published[3]
    assert [round(t) for t, _ in published] == [1, 2, 3, 4, 5, 6] and time == pytest.approx(4.0)
    assert message.platform == "pole_01" and message.state == PlatformStatus.STATE_OK and message.message == ""
    assert (message.lidar_rate, message.object_rate) == (pytest.approx(10.0, abs=1.1), pytest.approx(10.0, abs=1.1))
    assert message.pipeline_latency_ms == pytest.approx(30.0, abs=0.1)
    assert message.latitude == pytest.approx(35.15 + 20.0 / 110950, abs=1e-6)
    assert message.longitude == pytest.approx(126.85 + 10.0 / 91100, abs=1e-5)


def test_monitor_notices_a_silent_lidar_and_its_return(district_file, kit):
    times = [0.1 * k for k in range(100) if not 30 <= k < 60]
    published, _ = run_monitor(district_file, "pole_01", times, times, 9.9, kit.START)
    states = {round(time): (message.state, message.message) for time, message in published}
    assert states[3][0] == PlatformStatus.STATE_OK
    assert states[5] == (PlatformStatus.STATE_DEGRADED, "LiDAR silent for more than 1.0 s")
    assert states[7] == (PlatformStatus.STATE_OK, "")


def test_monitor_waits_for_a_lidar_that_learns_its_background(district_file, kit):
    later, others = [0.1 * k for k in range(80, 180)], [0.1 * k for k in range(180)]
    learning, _ = run_monitor(district_file, "pole_01", later, others, 18.0, kit.START)
    assert {message.state for _, message in learning} == {PlatformStatus.STATE_OK}
    dead, _ = run_monitor(district_file, "pole_01", [], others, 18.0, kit.START)
    assert (dead[-1][1].state, dead[-1][1].message) == (
        PlatformStatus.STATE_DEGRADED, "LiDAR silent for more than 15.0 s",
    )  # fmt: skip


def test_monitor_notices_a_silent_camera_once_it_has_had_one(district_file, kit):
    scans = [0.1 * k for k in range(90)]
    frames = [0.2 * k for k in range(45) if not 10 <= k < 30]
    published, _ = run_monitor(district_file, "pole_01", scans, scans, 8.9, kit.START, frames)
    told = {round(time): (message.state, message.message, message.camera_rate) for time, message in published}
    assert told[2] == (PlatformStatus.STATE_OK, "", pytest.approx(5.0, abs=1.1))
    assert told[4] == (PlatformStatus.STATE_DEGRADED, "camera silent for more than 1.0 s", 0.0)
    assert told[8][0] == PlatformStatus.STATE_OK


def test_a_platform_without_lidar_may_be_silent_and_late_objects_are_not(district_file, kit):
    published, _ = run_monitor(district_file, "pole_02", [], [], 4.0, kit.START)
    assert all(message.state == PlatformStatus.STATE_OK for _, message in published)
    late = [0.1 * k for k in range(40)]
    parameters = {"platform": "pole_02", "district": str(district_file), "max_latency_ms": 20.0}
    seen = []
    spec = NodeSpec("twin_incidents.platform_monitor_node:PlatformMonitor", "monitor", "/", parameters)
    host = LockstepHost([spec], lambda *event: seen.append(event[3]))
    none = np.zeros(0, record_dtype("twin_msgs/msg/DetectedObject"))
    for time in late:
        stamp_ns = kit.START + stamps.from_seconds(time)
        buffer = cdr.encode("twin_msgs/msg/DetectedObjectArray", ArrayMessage(stamp_ns, "map", {"objects": none}))
        host.feed("/monitor/input/objects", stamp_ns + 30_000_000, buffer)
    assert seen[-1].message == "objects are more than 20 ms late"


def test_monitor_follows_a_moving_platform(district_file, kit):
    seen = []
    parameters = {"platform": "pole_02", "district": str(district_file)}
    spec = NodeSpec("twin_incidents.platform_monitor_node:PlatformMonitor", "monitor", "/", parameters)
    host = LockstepHost([spec], lambda *event: seen.append(event[3]))
    odometry = Odometry()
    odometry.pose.pose.position.y = 1000.0
    host.feed("/monitor/input/odometry", kit.START, serialize_message(odometry))
    host.advance(kit.START + 3 * 10**9)
    assert seen[-1].latitude == pytest.approx(35.15 + 1000 / 110950, abs=1e-5)


def test_an_unknown_platform_is_refused(district_file):
    parameters = {"platform": "pole_09", "district": str(district_file)}
    with pytest.raises(ConfigError, match=r"pole_09: no such platform; district test crossing has pole_01, pole_02"):
        LockstepHost([NodeSpec("twin_incidents.platform_monitor_node:PlatformMonitor", "m", "/", parameters)], print)


def test_bench_reports_medians():
    assert bench.run(tracks=30, repeats=2)["all rules, 30 tracks"] > 0
