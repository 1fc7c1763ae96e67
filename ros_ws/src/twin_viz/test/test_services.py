import pytest

from twin_viz.services import BadRequest, parse_request


def test_what_is_left_out_is_empty() -> None:
    assert parse_request(b'{"alert_id": "a1"}') == {"alert_id": "a1", "operator_name": "", "note": ""}


@pytest.mark.parametrize(
    ("payload", "words"),
    [
        (b"", "not JSON"),
        (b"\xff", "not JSON"),
        (b"[]", "list; expected an object"),
        (b'{"alert": "a1"}', "unknown field 'alert'"),
        (b'{"alert_id": 5}', "alert_id is int; expected text"),
        (b'{"alert_id": ""}', "alert_id is missing"),
        (b'{"note": "x"}', "alert_id is missing"),
    ],
)
def test_other_requests_are_refused_in_one_line(payload: bytes, words: str) -> None:
    with pytest.raises(BadRequest, match=words) as caught:
        parse_request(payload)
    assert "\n" not in str(caught.value)
