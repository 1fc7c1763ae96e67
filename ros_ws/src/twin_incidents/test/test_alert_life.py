import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from twin_incidents.core.alert_life import TRANSITIONS, AlertLife, Observed, State, TransitionError, UpdatePolicy
from twin_msgs.msg import Alert as AlertMessage

SECOND = 1_000_000_000
POLICY = UpdatePolicy(min_interval=1.0, repeat=10.0, probability_band=0.2, place_step=5.0)


def observed(name="i", severity=2, probability=0.8, x=0.0, y=0.0):
    return Observed(name, severity, probability, x, y)


def life_with_alert():
    life = AlertLife(POLICY)
    (alert,) = life.step([observed()], 0)
    return life, alert


def test_states_are_those_of_the_message():
    assert {state.name: int(state) for state in State} == {
        name.removeprefix("STATE_"): getattr(AlertMessage, name)
        for name in ("STATE_RAISED", "STATE_UPDATED", "STATE_ACKNOWLEDGED", "STATE_CANCELLED", "STATE_EXPIRED")
    }


def test_raised_once_and_expired_when_the_incident_ends():
    life, alert = life_with_alert()
    assert (alert.state, alert.raised_ns) == (State.RAISED, 0)
    assert life.step([observed()], SECOND) == []
    (ended,) = life.step([], 2 * SECOND)
    assert (ended.alert_id, ended.state, ended.raised_ns, ended.entered_ns) == (
        alert.alert_id,
        State.EXPIRED,
        0,
        2 * SECOND,
    )
    assert life.step([], 3 * SECOND) == [] and life.live == []


@pytest.mark.parametrize(
    ("change", "told"),
    [({"probability": 0.7}, False), ({"probability": 0.55}, True), ({"x": 3.0}, False), ({"x": 4.0, "y": 4.0}, True),
     ({"severity": 1}, True), ({"severity": 3}, True)],
)  # fmt: skip
def test_only_clear_changes_are_told(change, told):
    life, _ = life_with_alert()
    changed = life.step([observed(**change)], 2 * SECOND)
    assert [alert.state for alert in changed] == ([State.UPDATED] if told else [])


def test_updates_keep_their_distance_but_worse_is_told_at_once():
    life, _ = life_with_alert()
    assert life.step([observed(probability=0.1)], SECOND // 2) == []
    assert len(life.step([observed(severity=3)], SECOND // 2)) == 1
    assert life.step([observed(severity=2)], SECOND) == []


def test_what_holds_long_is_told_again():
    life, _ = life_with_alert()
    told = [k for k in range(1, 301) if life.step([observed()], k * SECOND // 10)]
    assert told == [100, 200, 300]


def test_acknowledged_alerts_stay_so_and_are_told_only_when_worse():
    life, alert = life_with_alert()
    acknowledged = life.acknowledge(alert.alert_id, "Kim", "on my way", SECOND)
    assert (acknowledged.state, acknowledged.operator_name, acknowledged.note) == (
        State.ACKNOWLEDGED,
        "Kim",
        "on my way",
    )
    assert life.step([observed(probability=0.1, x=90.0)], 60 * SECOND) == []
    (worse,) = life.step([observed(severity=3)], 61 * SECOND)
    assert worse.state == State.ACKNOWLEDGED and worse.told.severity == 3
    (ended,) = life.step([], 62 * SECOND)
    assert (ended.state, ended.operator_name) == (State.EXPIRED, "Kim")


def test_a_cancelled_incident_does_not_rise_again_while_it_holds():
    life, alert = life_with_alert()
    assert life.cancel(alert.alert_id, "Kim", "false alarm", SECOND).state == State.CANCELLED
    assert all(life.step([observed(severity=3)], k * SECOND) == [] for k in range(2, 60))
    assert life.step([], 60 * SECOND) == []
    (again,) = life.step([observed()], 61 * SECOND)
    assert again.state == State.RAISED and again.alert_id != alert.alert_id


def test_illegal_changes_are_refused_in_one_line():
    life, alert = life_with_alert()
    with pytest.raises(TransitionError, match=r"^alert 'x': no such alert; 1 are open$"):
        life.acknowledge("x", "Kim", "", 1)
    with pytest.raises(TransitionError, match=r"operator_name is empty; expected who asks for it$"):
        life.acknowledge(alert.alert_id, " ", "", 1)
    life.acknowledge(alert.alert_id, "Kim", "", 1)
    with pytest.raises(TransitionError, match=r"is acknowledged, cannot become acknowledged$"):
        life.acknowledge(alert.alert_id, "Kim", "", 2)
    life.step([], 3)
    with pytest.raises(TransitionError, match=r"is expired, cannot become cancelled$"):
        life.cancel(alert.alert_id, "Kim", "", 4)


NAMES = st.sampled_from("abc")
CHANGES = st.tuples(st.integers(0, 3), st.floats(0, 1), st.floats(-20, 20))  # severity, probability, x
ACTIONS = st.lists(
    st.one_of(
        st.tuples(st.just("step"), st.dictionaries(NAMES, CHANGES)),
        st.tuples(st.sampled_from(["acknowledge", "cancel"]), st.integers(0, 5)),
    ),
    max_size=40,
)  # fmt: skip


@settings(deadline=None)
@given(ACTIONS, st.integers(1, 5 * SECOND))
def test_whatever_happens_every_life_is_legal(actions, interval_ns):
    """Every published sequence follows the table, starts raised, and each incident has at most one live alert."""
    life, published, cancelled, now = AlertLife(POLICY), {}, {}, 0
    holding = set()
    for action, argument in actions:
        now += interval_ns
        if action == "step":
            gone = holding - argument.keys()
            changed = life.step([observed(name, s, p, x) for name, (s, p, x) in argument.items()], now)
            holding = set(argument)
            for name in gone:
                cancelled.pop(name, None)
            assert all(alert.told.incident_id not in cancelled for alert in changed)
            live = [alert.told.incident_id for alert in life.live]
            assert sorted(live) == sorted(holding - cancelled.keys())
        else:
            known = sorted(published)
            if argument >= len(known):
                continue
            before = published[known[argument]][-1]
            try:
                changed = [getattr(life, action)(known[argument], "Kim", "", now)]
            except TransitionError:
                target = State.ACKNOWLEDGED if action == "acknowledge" else State.CANCELLED
                assert target not in TRANSITIONS[before.state]
                continue
            if action == "cancel":
                cancelled[before.told.incident_id] = True
        for alert in changed:
            history = published.setdefault(alert.alert_id, [])
            if history:
                last = history[-1]
                worse = alert.state == last.state == State.ACKNOWLEDGED and alert.told.severity > last.told.severity
                assert worse or alert.state in TRANSITIONS[last.state]
                assert alert.raised_ns == last.raised_ns
            else:
                assert alert.state == State.RAISED
            history.append(alert)
