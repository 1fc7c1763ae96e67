import pytest
import yaml

from twin_common.config import ConfigError
from twin_incidents.core.rules import RULES
from twin_incidents.table import DEFAULT_TABLE, LIMITS, TEXT_FIELDS, load_table


@pytest.fixture
def content():
    return yaml.safe_load(DEFAULT_TABLE.read_text())


def write(tmp_path, content):
    path = tmp_path / "incidents.yaml"
    path.write_text(yaml.safe_dump(content, allow_unicode=True))
    return str(path)


def test_default_table_uses_every_rule_and_speaks_both_languages():
    rows = load_table()
    assert {row.rule for row in rows} == set(RULES) == set(LIMITS)
    for row in rows:
        assert row.agencies
        assert row.text.en.format(**TEXT_FIELDS) and row.text.ko.format(**TEXT_FIELDS)
    crowd = next(row for row in rows if row.kind == "crowd_density")
    assert [step.density for step in crowd.thresholds.steps] == [3.0, 4.0, 5.0, 6.0]


def test_shipped_thresholds_are_the_documented_defaults():
    for row in load_table():
        assert row.thresholds == LIMITS[row.rule]()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t: t["incidents"][0].update(colour="red"), r"incidents\[0\]: unknown key 'colour'"),
        (lambda t: t["incidents"][0].update(rule="guess"), r"incidents\[0\]: rule 'guess'; expected one of predicted"),
        (lambda t: t["incidents"][1].update(severity="bad"), r"severity: 'bad'; expected one of info, warning"),
        (lambda t: t["incidents"][1].pop("agencies"), r"missing key 'agencies' \(who is to be told\)"),
        (
            lambda t: t["incidents"][0]["thresholds"].update(time_to_collision=9.0),
            r"9.0 is out of range; expected 0.2 to",
        ),
        (lambda t: t["incidents"][0]["thresholds"].update(time_to_colision=2.0), r"did you mean time_to_collision\?"),
        (lambda t: t["incidents"][0]["text"].update(ko="{where}"), r"Texts.ko: 'where'; expected only place, cause"),
        (lambda t: t["incidents"][3]["thresholds"]["steps"].reverse(), r"expected at least one, in rising order"),
        (lambda t: t["incidents"].append(t["incidents"][0]), r"kind 'predicted_collision' stands twice"),
        (lambda t: t.update(more=1), r"expected one key, incidents, with a list of rows"),
        (lambda t: t["incidents"].append("x"), r"incidents\[5\]: 'x'; expected a mapping"),
    ],
)
def test_a_wrong_table_is_refused_in_one_line(tmp_path, content, change, message):
    change(content)
    with pytest.raises(ConfigError, match=message) as caught:
        load_table(write(tmp_path, content))
    assert "\n" not in str(caught.value) and "incidents.yaml" in str(caught.value)


def test_a_missing_table_is_named(tmp_path):
    with pytest.raises(ConfigError, match=r"none.yaml: no such file"):
        load_table(str(tmp_path / "none.yaml"))


def test_rows_can_be_left_out_and_thresholds_keep_their_defaults(tmp_path, content):
    content["incidents"] = content["incidents"][:1]
    del content["incidents"][0]["thresholds"]
    (row,) = load_table(write(tmp_path, content))
    assert row.thresholds.time_to_collision == 2.0
