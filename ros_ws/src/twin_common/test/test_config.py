from dataclasses import dataclass
from pathlib import Path

import pytest

from twin_common.config import Config, ConfigError, from_mapping, load_yaml, setting, table
from twin_common.district import load_district


@dataclass(frozen=True, slots=True)
class Inner(Config):
    gain: float = setting(1.0, "m", "how much", low=0.0, high=2.0)


@dataclass(frozen=True, slots=True)
class Outer(Config):
    name: str = setting(doc="who")
    count: int = setting(3, doc="how many", low=1)
    kind: str = setting("a", doc="which", choices=("a", "b"))
    spans: tuple[float, ...] = setting((1.0, 2.0), "s", "when", low=0.0)
    flag: bool = setting(False, doc="whether")
    inner: Inner = setting(doc="nested", factory=Inner)


def test_values_and_nested_values_are_taken() -> None:
    built = from_mapping(Outer, {"name": "x", "count": 5, "spans": [1, 2.5], "inner": {"gain": 2}}, "file.yaml")
    assert built == Outer("x", 5, "a", (1.0, 2.5), False, Inner(2.0))
    assert isinstance(built.inner.gain, float)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({}, "file.yaml: missing key 'name' (who)"),
        ({"name": "x", "cuont": 5}, "file.yaml: unknown key 'cuont'; did you mean count?"),
        ({"name": "x", "zzz": 5}, "file.yaml: unknown key 'zzz'; expected one of name, count, kind"),
        ({"name": "x", "count": 0}, "file.yaml: Outer.count: 0 is out of range; expected at least 1"),
        ({"name": "x", "count": 1.5}, "file.yaml.count: 1.5 is float; expected int"),
        ({"name": "x", "count": True}, "file.yaml.count: True is bool; expected int"),
        ({"name": 3}, "file.yaml.name: 3 is int; expected str"),
        ({"name": "x", "kind": "c"}, "file.yaml: Outer.kind: 'c'; expected one of a, b"),
        ({"name": "x", "spans": [1, -2]}, "file.yaml: Outer.spans: -2.0 is out of range; expected at least 0.0"),
        ({"name": "x", "inner": {"gain": float("nan")}}, "Inner.gain: nan is out of range; expected 0.0 to 2.0"),
        ({"name": "x", "inner": {"gian": 1}}, "file.yaml.inner: unknown key 'gian'; did you mean gain?"),
        ([1], "file.yaml: [1] is list; expected a mapping"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(values: object, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        from_mapping(Outer, values, "file.yaml")  # type: ignore[arg-type]
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_missing_file_and_broken_yaml_name_file_and_line(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"nowhere\.yaml: no such file"):
        load_yaml(tmp_path / "nowhere.yaml")
    broken = tmp_path / "broken.yaml"
    broken.write_text("a: 1\nb: [1\nc: 2\n")
    with pytest.raises(ConfigError, match=r"broken.yaml: line 3 not YAML"):
        load_yaml(broken)


def test_the_table_lists_every_field_with_unit_and_range() -> None:
    text = table(Outer)
    assert "| `name` | required | – | any | who |" in text
    assert "| `spans` | [1.0, 2.0] | s | at least 0.0 | when |" in text


def test_a_district_with_a_wrong_key_names_its_place(tmp_path: Path) -> None:
    path = tmp_path / "district.yaml"
    good = (
        "name: d\ndatum: {latitude: 35.0, longitude: 126.8}\n"
        "platforms:\n  - {name: pole_01, pose: {x: 1, yaw_deg: 90}, lidar: {mount: {z: 5}}}\n"
        "zones: [{name: street, kind: carriageway, polygon: [[0, 0], [1, 0], [1, 1]]}]\n"
    )
    path.write_text(good)
    district = load_district(path)
    assert district.platform("pole_01").lidar.mount.z == 5.0  # type: ignore[union-attr]
    assert district.polygons("carriageway")[0].shape == (3, 2)
    for old, new, message in (
        ("z: 5", "zz: 5", r"platforms\[0\].lidar.mount: unknown key 'zz'"),
        ("latitude: 35.0", "latitude: 95.0", "latitude: 95.0 is out of range"),
        ("kind: carriageway", "kind: river", "'river'; expected one of carriageway"),
        (", [1, 1]]", "]", "2 corners; expected at least 3"),
    ):
        path.write_text(good.replace(old, new))
        with pytest.raises(ConfigError, match=message):
            load_district(path)
