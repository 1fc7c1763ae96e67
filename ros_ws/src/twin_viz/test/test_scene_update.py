"""The scene's encoder against the SDK's own."""

import math

import numpy as np
import pytest
import viz_wire as wire
from foxglove import messages as sdk
from hypothesis import given
from hypothesis import strategies as st

from twin_viz.core import protobuf, scene_update
from twin_viz.core.primitives import Arrows, Boxes, Cylinders, Entity, Labels, Paths, Triangles

COLOR = (0.1, 0.2, 0.3, 0.4)
SDK_COLOR = sdk.Color(r=0.1, g=0.2, b=0.3, a=0.4)
PLACE = (1.5, -2.5, 3.5)
ROW = np.array([PLACE])
COLORS = np.array([COLOR])


def pose(x: float, y: float, z: float, yaw: float = 0.0) -> sdk.Pose:
    turn = sdk.Quaternion(z=math.sin(yaw / 2), w=math.cos(yaw / 2))
    return sdk.Pose(position=sdk.Vector3(x=x, y=y, z=z), orientation=turn)


CASES = {
    "cubes": (
        Boxes(ROW, np.array([0.7]), np.array([(4.0, 2.0, 1.0)]), COLORS),
        [sdk.CubePrimitive(pose=pose(*PLACE, 0.7), size=sdk.Vector3(x=4.0, y=2.0, z=1.0), color=SDK_COLOR)],
    ),
    "arrows": (
        Arrows(ROW, np.array([-2.0]), np.array([5.0]), COLORS),
        [
            sdk.ArrowPrimitive(
                pose=pose(*PLACE, -2.0), shaft_length=4.2, shaft_diameter=0.16, head_length=0.8, head_diameter=0.5,
                color=SDK_COLOR,
            )
        ],
    ),
    "cylinders": (
        Cylinders(ROW, np.array([2.0]), np.array([3.0]), COLORS),
        [
            sdk.CylinderPrimitive(
                pose=pose(1.5, -2.5, 5.0), size=sdk.Vector3(x=4.0, y=4.0, z=3.0), bottom_scale=1.0, top_scale=1.0,
                color=SDK_COLOR,
            )
        ],
    ),
    "lines": (
        Paths(np.array([[PLACE, (4.0, 5.0, 6.0)]]), np.array([[COLOR, COLOR]]), 0.3),
        [
            sdk.LinePrimitive(
                type=sdk.LinePrimitiveLineType.LineStrip, pose=pose(0, 0, 0), thickness=0.3,
                points=[sdk.Point3(x=1.5, y=-2.5, z=3.5), sdk.Point3(x=4.0, y=5.0, z=6.0)], colors=[SDK_COLOR] * 2,
            )
        ],
    ),
    "triangles": (
        Triangles(np.array([[PLACE] * 3]), COLOR),
        [sdk.TriangleListPrimitive(pose=pose(0, 0, 0), points=[sdk.Point3(x=1.5, y=-2.5, z=3.5)] * 3, color=SDK_COLOR)],
    ),
    "texts": (
        Labels(ROW, ("횡단보도 1",), COLORS, 1.2),
        [sdk.TextPrimitive(pose=pose(*PLACE), billboard=True, font_size=1.2, color=SDK_COLOR, text="횡단보도 1")],
    ),
}  # fmt: skip


def flat(buffer: bytes, depth: int) -> dict:
    """A message as nested dictionaries; fields of value 0 are left out: readers take them as absent."""
    found = {}
    for number, values in wire.fields(buffer).items():
        parsed = [flat(value, depth - 1) if isinstance(value, bytes) and depth else value for value in values]
        parsed = [value for value in parsed if value not in (0, {})]
        if parsed:
            found[number] = parsed
    return found


def assert_same(ours, theirs) -> None:
    if isinstance(theirs, dict):
        assert ours.keys() == theirs.keys()
        for key, values in theirs.items():
            for mine, other in zip(ours[key], values, strict=True):
                assert_same(mine, other)
    elif isinstance(theirs, float):
        assert ours == pytest.approx(theirs, abs=1e-12)
    else:
        assert ours == theirs


@pytest.mark.parametrize("kind", CASES)
def test_it_says_what_the_sdk_says(kind: str) -> None:
    primitive, theirs = CASES[kind]
    stamp = sdk.Timestamp(7, 9)
    entity = sdk.SceneEntity(timestamp=stamp, frame_id="map", id="it", **{kind: theirs})
    (expected,) = wire.fields(sdk.SceneUpdate(entities=[entity]).encode())[2]
    (encoded,) = wire.fields(scene_update.encode([Entity("it", (primitive,))], 7_000_000_009))[2]
    number = {"arrows": 7, "cubes": 8, "cylinders": 10, "lines": 11, "triangles": 12, "texts": 13}[kind]
    ours, theirs = wire.fields(encoded), wire.fields(expected)
    assert ours.keys() == theirs.keys() == {1, 2, 3, number}
    assert ours[2] + ours[3] == theirs[2] + theirs[3]
    assert_same(flat(ours[1][0], 0), flat(theirs[1][0], 0))
    depth = {"texts": 0}.get(kind, 3)
    assert_same(flat(ours[number][0], depth), flat(theirs[number][0], depth))


@given(st.integers(0, 2**63 - 1))
def test_numbers_read_back(value: int) -> None:
    assert wire.fields(protobuf.integer(3, value)).get(3, [0]) == [value]


def test_missing_and_unknown_columns_are_named() -> None:
    template = protobuf.Template(protobuf.slots(1, "x", "y"))
    with pytest.raises(ValueError, match=r"expected \['x', 'y'\], got \['x', 'z'\]"):
        template.encode(2, {"x": 1.0, "z": 2.0})
    assert template.encode(0, {"x": 1.0, "y": 2.0}) == b""
