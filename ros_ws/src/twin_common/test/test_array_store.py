"""Arrays are kept from run to run, and what is none of them is told in one line."""

from pathlib import Path

import numpy as np
import pytest

from twin_common.array_store import load_arrays, save_arrays
from twin_common.config import ConfigError

ABOUT = {"version": 2, "platform": "pole_01", "height": 5.0}
VALUES = {"points": np.arange(12.0, dtype=np.float32).reshape(4, 3), "known": np.array([True, False])}


def test_what_is_stored_comes_back(tmp_path: Path) -> None:
    path = tmp_path / "deeper" / "pole.npz"
    save_arrays(path, ABOUT, VALUES)
    again = load_arrays(path, "reference", ABOUT, tuple(VALUES))
    assert again.keys() == VALUES.keys()
    for name, values in VALUES.items():
        np.testing.assert_array_equal(again[name], values)
        assert again[name].dtype == values.dtype
    assert [item.name for item in path.parent.iterdir()] == ["pole.npz"]


@pytest.mark.parametrize(
    ("about", "reason"),
    [
        ({**ABOUT, "version": 3}, "a reference of another version; expected version 3"),
        ({**ABOUT, "platform": "pole_02"}, "reference of platform 'pole_01'; expected 'pole_02'"),
        ({**ABOUT, "height": 6.0}, "reference of height 5.0; expected 6.0"),
    ],
)
def test_arrays_of_something_else_are_refused(tmp_path: Path, about: dict[str, object], reason: str) -> None:
    path = tmp_path / "pole.npz"
    save_arrays(path, ABOUT, VALUES)
    with pytest.raises(ConfigError) as caught:
        load_arrays(path, "reference", about, tuple(VALUES))
    assert str(caught.value) == f"{path}: {reason}"


def test_a_damaged_file_and_a_missing_array_are_told_in_one_line(tmp_path: Path) -> None:
    path = tmp_path / "pole.npz"
    save_arrays(path, ABOUT, VALUES)
    whole = path.read_bytes()
    entry = whole.index(b"PK\x01\x02")  # of the archive's directory
    method = whole[: entry + 10] + b"\x63" + whole[entry + 11 :]
    encrypted = whole[: entry + 8] + b"\x01" + whole[entry + 9 :]
    for content in (b"", b"text", whole[: len(whole) // 2], method, encrypted):
        path.write_bytes(content)
        with pytest.raises(ConfigError, match="not a stored reference") as caught:
            load_arrays(path, "reference", ABOUT, ("points",))
        assert "\n" not in str(caught.value)
    path.write_bytes(whole)
    with pytest.raises(ConfigError, match="not a stored reference"):
        load_arrays(path, "reference", ABOUT, ("absent",))


def test_a_place_that_cannot_be_written_to_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match="expected a file that can be written"):
        save_arrays(tmp_path / "file" / "pole.npz", ABOUT, VALUES)
