"""The codec against rclpy, byte for byte and field for field."""

import numpy as np
import pytest
from rclpy.serialization import deserialize_message, serialize_message

from twin_common import cdr, pointcloud
from twin_common.codecs import codec_for

RECORD_MESSAGES = (
    "twin_msgs/msg/DetectedObjectArray",
    "twin_msgs/msg/TrackArray",
    "twin_msgs/msg/PredictedPathArray",
    "twin_msgs/msg/BehaviorArray",
    "twin_msgs/msg/TwinSnapshot",
    "twin_msgs/msg/LidarPackets",
)


def random_array(dtype: np.dtype, count: int, rng: np.random.Generator) -> np.ndarray:
    array = np.zeros(count, dtype)
    for name in dtype.names or [None]:
        column = array if name is None else array[name]
        if column.dtype.kind == "f":
            column[...] = rng.normal(size=column.shape)
        else:
            column[...] = rng.integers(0, 100, column.shape)
    return array


def random_message(type_name: str, count: int, rng: np.random.Generator) -> cdr.ArrayMessage:
    message = cdr.ArrayMessage(1_700_000_000_123_456_789, "map")
    for field in cdr._layout(type_name):
        if field.is_sequence:
            message.fields[field.name] = random_array(field.dtype, count, rng)
        else:
            message.fields[field.name] = 3
    return message


def same(ours: np.ndarray, theirs: list) -> None:
    assert len(ours) == len(theirs)
    for record, item in zip(ours, theirs, strict=True):
        if ours.dtype.names is None:
            assert record == item
            continue
        for name in ours.dtype.names:
            np.testing.assert_array_equal(record[name], getattr(item, name), err_msg=name)


@pytest.mark.parametrize("frame_id", ["", "map", "pole_01/lidar", "x" * 5])
@pytest.mark.parametrize("count", [0, 1, 7])
@pytest.mark.parametrize("type_name", [t for t in RECORD_MESSAGES if t != "twin_msgs/msg/LidarPackets"])
def test_rclpy_reads_our_bytes_and_we_read_its(type_name: str, count: int, frame_id: str) -> None:
    message = random_message(type_name, count, np.random.default_rng(count))
    message.frame_id = frame_id
    theirs = deserialize_message(cdr.encode(type_name, message), cdr.message_class(type_name))
    assert (theirs.header.stamp.sec, theirs.header.stamp.nanosec) == (1_700_000_000, 123_456_789)
    assert theirs.header.frame_id == frame_id
    for name, value in message.fields.items():
        if isinstance(value, np.ndarray):
            same(value, getattr(theirs, name))
        else:
            assert getattr(theirs, name) == value
    back = cdr.decode(type_name, serialize_message(theirs))
    assert (back.stamp_ns, back.frame_id) == (message.stamp_ns, frame_id)
    for name, value in message.fields.items():
        np.testing.assert_array_equal(back[name], value, err_msg=name)


def test_a_message_with_a_string_among_scalars_is_left_to_rclpy() -> None:
    assert not cdr.covers("twin_msgs/msg/LidarPackets")
    assert not cdr.covers("twin_msgs/msg/Alert")
    codec = codec_for("twin_msgs/msg/Alert")
    alert = cdr.message_class("twin_msgs/msg/Alert")(alert_id="a")
    assert codec.decode(codec.encode(alert)).alert_id == "a"


@pytest.mark.parametrize("type_name", ["twin_msgs/msg/Alert", "twin_msgs/msg/Incident", "std_msgs/msg/Header"])
def test_a_record_without_fixed_layout_is_refused(type_name: str) -> None:
    with pytest.raises(cdr.LayoutError, match="no fixed layout"):
        cdr.record_dtype(type_name)


def test_a_record_with_a_gap_is_refused() -> None:
    with pytest.raises(cdr.LayoutError, match="multiple of"):
        cdr.record_dtype("sensor_msgs/msg/NavSatStatus")


def test_cut_bytes_are_refused() -> None:
    type_name = "twin_msgs/msg/TrackArray"
    whole = cdr.encode(type_name, random_message(type_name, 3, np.random.default_rng(0)))
    for size in (0, 3, 10, 30, len(whole) - 1):
        with pytest.raises(cdr.LayoutError):
            cdr.decode(type_name, whole[:size])


def test_wrong_dtype_missing_and_unknown_fields_are_refused() -> None:
    good = random_message("twin_msgs/msg/TrackArray", 1, np.random.default_rng(0))
    with pytest.raises(cdr.LayoutError, match="missing"):
        cdr.encode("twin_msgs/msg/TrackArray", cdr.ArrayMessage(0, "map"))
    with pytest.raises(cdr.LayoutError, match="unknown"):
        cdr.encode("twin_msgs/msg/TrackArray", cdr.ArrayMessage(0, "map", {**good.fields, "trakcs": 1}))
    with pytest.raises(cdr.LayoutError, match="record dtype"):
        cdr.encode("twin_msgs/msg/TrackArray", cdr.ArrayMessage(0, "map", {"tracks": np.zeros(3)}))


def test_clouds_pass_through_rclpy() -> None:
    rng = np.random.default_rng(1)
    cloud = pointcloud.from_xyz(5, "lidar", rng.normal(size=(100, 3)), intensity=rng.random(100), ring=np.arange(100))
    theirs = deserialize_message(pointcloud.encode(cloud), cdr.message_class(pointcloud.TYPE))
    assert (theirs.width, theirs.height, theirs.point_step) == (100, 1, 24)
    assert [f.name for f in theirs.fields] == ["x", "y", "z", "intensity", "time_offset_ns", "ring"]
    back = pointcloud.decode(serialize_message(theirs))
    for name in ("x", "y", "z", "intensity", "ring"):
        np.testing.assert_array_equal(back.points[name], cloud.points[name])


def test_an_empty_cloud_keeps_its_header() -> None:
    back = pointcloud.decode(pointcloud.encode(pointcloud.from_xyz(9, "lidar", np.zeros((0, 3)))))
    assert (back.stamp_ns, back.frame_id, back.xyz.shape) == (9, "lidar", (0, 3))


def test_an_organised_cloud_keeps_its_shape() -> None:
    cloud = pointcloud.Cloud(1, "lidar", np.zeros((4, 8), pointcloud.POINT_DTYPE))
    assert pointcloud.decode(pointcloud.encode(cloud)).points.shape == (4, 8)
