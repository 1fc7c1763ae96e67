import datetime
import math

import pytest
from scipy.spatial.transform import Rotation
from sensor_msgs.msg import NavSatFix, NavSatStatus

from twin_common import stamps
from twin_drivers import convert
from twin_drivers.core import nmea
from twin_drivers.core.nmea import sentence

START_NS = 1_700_000_000_000_000_000
OPTIONS = nmea.NmeaOptions({1: 3.0, 2: 1.0, 4: 0.02, 5: 0.3}, 2.0, 0.1, math.radians(1.0), 0.0, False)


def gga(quality=4, hdop="0.9"):
    return sentence(f"GNGGA,031519.40,3509.120,N,12651.060,E,{quality},08,{hdop},45.4,M,22.1,M,1.0,0000")


def parse(*lines, options=OPTIONS):
    parser = nmea.NmeaParser(options)
    return [parser.push(START_NS + index * 10_000_000, line) for index, line in enumerate(lines)]


def test_fix():
    (fix,) = parse(gga())
    assert fix.stamp_ns == START_NS
    assert fix.latitude_deg == pytest.approx(35 + 9.12 / 60, abs=1e-9)
    assert fix.longitude_deg == pytest.approx(126 + 51.06 / 60, abs=1e-9)
    assert fix.altitude == pytest.approx(67.5)  # above the ellipsoid: sea level and geoid
    east = (0.9 * 0.02) ** 2
    assert fix.variances == pytest.approx((east, east, 4 * east)) and not fix.measured


@pytest.mark.parametrize(
    ("quality", "status", "sigma"),
    [
        (1, NavSatStatus.STATUS_FIX, 2.7),
        (2, NavSatStatus.STATUS_SBAS_FIX, 0.9),
        (4, NavSatStatus.STATUS_GBAS_FIX, 0.018),
        (5, NavSatStatus.STATUS_GBAS_FIX, 0.27),
    ],
)
def test_status_and_covariance_follow_the_quality(quality, status, sigma):
    (fix,) = parse(gga(quality))
    message = convert.fix_to_message(fix, "vehicle/imu")
    assert message.status.status == status and message.header.frame_id == "vehicle/imu"
    assert math.sqrt(message.position_covariance[0]) == pytest.approx(sigma)
    assert message.position_covariance_type == NavSatFix.COVARIANCE_TYPE_APPROXIMATED
    assert stamps.from_time(message.header.stamp) == START_NS


def test_receiver_without_fix_says_so():
    (fix,) = parse(sentence("GPGGA,031519.40,,,,,0,00,99.9,,M,,M,,"))
    message = convert.fix_to_message(fix, "vehicle/imu")
    assert message.status.status == NavSatStatus.STATUS_NO_FIX and math.isnan(message.latitude)
    assert message.position_covariance_type == NavSatFix.COVARIANCE_TYPE_UNKNOWN


def test_accuracy_of_the_receiver_is_preferred():
    _, fix = parse(sentence("GNGST,031519.40,1.0,2.0,1.0,10.0,0.5,0.6,1.1"), gga())
    assert fix.variances == pytest.approx((0.36, 0.25, 1.21)) and fix.measured


@pytest.mark.parametrize(
    ("course", "east", "north"), [("000.0", 0.0, 1.0), ("090.0", 1.0, 0.0), ("225.0", -math.sqrt(0.5), -math.sqrt(0.5))]
)
def test_velocity(course, east, north):
    speed = 20.0 * 1852 / 3600
    (velocity,) = parse(sentence(f"GNRMC,031519.40,A,3509.120,N,12651.060,E,020.0,{course},230394,003.1,W"))
    assert (velocity.east, velocity.north) == pytest.approx((east * speed, north * speed), abs=1e-9)
    message = convert.velocity_to_message(velocity, "map")
    assert message.twist.twist.linear.x == velocity.east and message.twist.covariance[0] == pytest.approx(0.01)


def test_vtg_stands_in_for_rmc():
    vtg = sentence("GNVTG,090.0,T,,M,019.4,N,036.0,K,A")
    (velocity,) = parse(vtg)
    assert (velocity.east, velocity.north) == pytest.approx((10.0, 0.0), abs=1e-9)
    rmc = sentence("GNRMC,031519.40,A,3509.120,N,12651.060,E,020.0,090.0,230394,003.1,W")
    assert parse(rmc, vtg)[1] is None


def test_receiver_at_rest_without_course():
    resting, moving, void = parse(
        sentence("GNRMC,031519.40,A,3509.120,N,12651.060,E,0.1,,230394,,"),
        sentence("GNRMC,031519.50,A,3509.120,N,12651.060,E,9.0,,230394,,"),
        sentence("GNRMC,031519.60,V,,,,,,,230394,,"),
    )
    assert math.hypot(resting.east, resting.north) < 0.1 and moving is None and void is None


@pytest.mark.parametrize(("heading", "yaw_deg"), [("0.0", 90.0), ("90.0", 0.0), ("270.0", 180.0), ("180.0", -90.0)])
def test_heading(heading, yaw_deg):
    (attitude,) = parse(sentence(f"GNHDT,{heading},T"))
    assert math.degrees(attitude.yaw) == pytest.approx(yaw_deg, abs=1e-9)
    message = convert.attitude_to_message(attitude, "vehicle/imu")
    q = message.orientation
    assert Rotation.from_quat([q.x, q.y, q.z, q.w]).as_euler("xyz", degrees=True)[2] == pytest.approx(yaw_deg)
    assert message.angular_velocity_covariance[0] == message.linear_acceleration_covariance[0] == -1.0
    assert math.sqrt(message.orientation_covariance[8]) == pytest.approx(math.radians(1.0))


def test_whole_attitude_is_preferred():
    pashr = sentence("PASHR,031519.40,045.00,T,+01.50,+03.00,+00.10,0.101,0.113,0.267,1,0")
    attitude, heading = parse(pashr, sentence("GNHDT,045.0,T"))
    assert heading is None
    # Nose up is a turn about the axis to the left by a negative angle.
    assert (attitude.roll, attitude.pitch, attitude.yaw) == pytest.approx(
        (math.radians(1.5), math.radians(-3.0), math.radians(45.0))
    )
    assert math.degrees(math.sqrt(attitude.variances[2])) == pytest.approx(0.267)
    forward = Rotation.from_euler("xyz", (attitude.roll, attitude.pitch, attitude.yaw)).apply([1.0, 0.0, 0.0])
    assert forward[2] > 0


def test_heading_offset():
    options = nmea.NmeaOptions({1: 3.0}, 2.0, 0.1, 0.02, math.radians(90.0), False)
    (attitude,) = parse(sentence("GNHDT,0.0,T"), options=options)
    assert attitude.yaw == pytest.approx(0.0, abs=1e-12)


def test_sentences_of_one_moment_have_one_stamp():
    rmc = sentence("GNRMC,031519.40,A,3509.120,N,12651.060,E,020.0,084.4,230394,003.1,W")
    records = parse(gga(), rmc, sentence("GNHDT,45.0,T"))
    assert {record.stamp_ns for record in records} == {START_NS}


def test_stamps_of_the_receiver():
    options = nmea.NmeaOptions({1: 3.0, 4: 0.02}, 2.0, 0.1, 0.02, 0.0, True)
    rmc = sentence("GNRMC,031519.40,A,3509.120,N,12651.060,E,020.0,084.4,251125,003.1,W")
    velocity, fix = parse(rmc, gga(), options=options)
    moment = datetime.datetime(2025, 11, 25, 3, 15, 19, 400_000, datetime.timezone.utc)
    assert velocity.stamp_ns == fix.stamp_ns == pytest.approx(moment.timestamp() * 1e9, abs=1e3)


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"$",
        b"\xff\x00\x12",
        b"$GPGGA,1,2,3",
        gga()[:-2] + b"00",
        gga().replace(b"3509", b"3519"),
        sentence("GNGGA,031519.40,35a9.120,N,12651.060,E,4,08,0.9,545.4,M,46.9,M,1.0,0000"),
        sentence("GNGGA,031519.40,3509.120,N,12651.060,E,4,08,0.9,nan,M,46.9,M,1.0,0000"),
        sentence("GNHDT,abc,T"),
        sentence("PASHR,1"),
        sentence("XXXXX"),
        sentence(""),
    ],
)
def test_rubbish_is_refused(line):
    parser = nmea.NmeaParser(OPTIONS)
    try:
        assert parser.push(START_NS, line) is None
    except nmea.SentenceError as error:
        assert "expected" in str(error)
    assert parser.push(START_NS, gga()).quality == 4


def test_wrong_checksum_is_named():
    with pytest.raises(nmea.SentenceError, match="checksum"):
        nmea.NmeaParser(OPTIONS).push(START_NS, gga().replace(b"3509", b"3519"))
    with pytest.raises(nmea.SentenceError, match="expected NMEA 0183 with checksum"):
        nmea.NmeaParser(OPTIONS).push(START_NS, gga()[:-3])


def test_lines_are_put_together():
    reader = nmea.LineReader()
    assert reader.push(b"half a line\r\n$GPG") == []
    assert reader.push(b"GA\r\n$A\n$B") == [b"$GPGGA", b"$A"]
    reader.reset()
    assert reader.push(b"$C\r\n") == [b"$C"]
    assert [len(line) for line in reader.push(bytes(600))] == [600]
