"""A body is JSON as the standard has it, and nothing that only looks like it."""

import pytest

from serving.errors import RefusedError
from serving.json_body import MOST_LEVELS, read_json


def test_a_body_is_read_as_it_is() -> None:
    body = '{"user_id": "Zoë ☃", "items": ["没有", "[[[[[[[[[[[[[[[[[["], "top_k": 5}'
    assert read_json(b'["' + b"," * 1_000_001 + b'"]') == ["," * 1_000_001], "a text has no values"
    read = read_json(body.encode())
    assert read == {"user_id": "Zoë ☃", "items": ["没有", "[" * 18], "top_k": 5}


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"", "empty"),
        (b"not json", "line 1, column 1"),
        (b'{"a": 1', "not JSON"),
        (b'{"a": 1} {}', "Extra data"),
        (b'{"a": NaN}', "NaN"),
        (b'{"a": -Infinity}', "-Infinity"),
        (b'{"a": 1, "b": {"c": 1, "c": 1}}', "'c' twice"),
        ('{"a": "ü"}'.encode("latin-1"), "not UTF-8 (byte 8)"),
        ('{"a": 1}'.encode("utf-16"), "not UTF-8"),
        (b"[" * 100_000, "levels deep"),
        (b"[" + b"[]," * 100_000 + b"1]", "100,001 objects and lists"),
        (b"[" + b"1," * 1_000_000 + b"1]", "more than 1,000,000 values"),
        (b"[" + b"{}," * 100_000 + b"1]", "100,001 objects and lists"),
        (b'{"a":' * 50 + b"1" + b"}" * 50, "levels deep"),
        (b'["\\"]", ' + b"[" * 17 + b"]" * 17 + b"]", "levels deep"),
        (b"1" * 10_000, "too long"),
        (b"{" + b",".join(b'"%d":1' % n for n in range(10_001)) + b"}", "10,001 names"),
    ],
)
def test_what_is_no_json_is_refused_with_the_reason(body: bytes, said: str) -> None:
    with pytest.raises(RefusedError) as caught:
        read_json(body)
    assert caught.value.status == 400
    assert caught.value.path == "body"
    assert said in caught.value.message


def test_the_nesting_that_is_allowed_is_exact() -> None:
    for levels, fits in ((MOST_LEVELS, True), (MOST_LEVELS + 1, False)):
        body = b"[" + b"[]," * 30 + b"[" * (levels - 1) + b"]" * (levels - 1) + b"]"
        if fits:
            assert len(read_json(body)) == 31
        else:
            with pytest.raises(RefusedError, match="levels deep"):
                read_json(body)
