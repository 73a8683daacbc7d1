import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airy_ray.clock import Millis
from airy_ray.model import json_text

any_text = st.text(st.characters(exclude_categories=()), max_size=20)
"""Lone surrogates too."""
values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner),
    max_leaves=12,
)


@pytest.mark.parametrize(
    ("at", "shown"),
    [
        pytest.param(0, "1970-01-01T00:00:00.000Z", id="the epoch"),
        pytest.param(1_603_661_094_560, "2020-10-25T21:24:54.560Z", id="the contract's example"),
        pytest.param(-1, "1969-12-31T23:59:59.999Z", id="before the epoch"),
        pytest.param(999, "1970-01-01T00:00:00.999Z", id="milliseconds only"),
        pytest.param(253_402_300_799_999, "9999-12-31T23:59:59.999Z", id="the last"),
        pytest.param(253_402_300_800_000, "9999-12-31T23:59:59.000Z", id="after the last"),
        pytest.param(-62_135_596_800_001, "0001-01-01T00:00:00.999Z", id="before the first"),
    ],
)
def test_an_instant_is_shown_with_three_digits_and_z(at: int, shown: str) -> None:
    assert json_text.instant(Millis(at)) == shown


@given(at=st.integers(-62_135_596_800_000, 253_402_300_799_999))
def test_an_instant_reads_back_to_the_millisecond(at: int) -> None:
    read = datetime.fromisoformat(json_text.instant(Millis(at)))

    assert (read - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(milliseconds=1) == at


@pytest.mark.parametrize(
    ("text", "compact"),
    [
        pytest.param('{"b" : 1,\n\t"a": [ 1 , 2 ]}', '{"b":1,"a":[1,2]}', id="white space goes"),
        pytest.param('{"b":1,"a":2}', '{"b":1,"a":2}', id="keys keep their order"),
        pytest.param('{"a":1, "a":2}', '{"a":1,"a":2}', id="keys may come twice"),
        pytest.param("12345678901234567890123", "12345678901234567890123", id="huge numbers"),
        pytest.param("[1.50, 1e3, -0]", "[1.50,1e3,-0]", id="numbers as they were spelled"),
        pytest.param(r'"\u00e9\/ \ud83d\ude00"', r'"\u00e9\/ \ud83d\ude00"', id="escapes"),
        pytest.param(r'["\ud83d", 1]', r'["\ud83d",1]', id="a lone surrogate"),
        pytest.param(r'["\\ud83d" ]', r'["\\ud83d"]', id="a backslash before a u"),
        pytest.param('" { } "', '" { } "', id="white space in a string stays"),
        pytest.param(r'"\u0000"', r'"\u0000"', id="the character zero"),
        pytest.param("null", "null", id="null"),
    ],
)
def test_compact_only_takes_white_space_away(text: str, compact: str) -> None:
    assert json_text.compact(text.encode()) == compact.encode()


@given(value=values, indent=st.sampled_from([None, 1, "\t"]))
def test_compact_gives_what_was_compact_before(value: Any, indent: int | str | None) -> None:
    spaced = json.dumps(value, indent=indent).encode()

    assert json_text.compact(spaced) == json.dumps(value, separators=(",", ":")).encode()


@pytest.mark.parametrize(
    "text",
    [b"", b"{", b"[1,]", b"NaN", b"{'a':1}", b"[1] x", b"tru", b'"\\x"', b"\xff", b'"\\ud83d'],
)
def test_what_is_not_json_is_refused(text: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        json_text.compact(text)
    with pytest.raises(ValueError, match=r"."):
        json_text.decode(text)


@pytest.mark.parametrize("read", [json_text.compact, json_text.decode, json_text.canonical])
def test_json_that_nests_too_deep_is_refused(read: Any) -> None:
    with pytest.raises(ValueError, match="recursion"):
        read(b"[" * 100_000 + b"]" * 100_000)


@given(text=any_text)
def test_any_string_can_be_quoted(text: str) -> None:
    assert json.loads(json_text.quote(text)) == json.loads(json.dumps(text))


@pytest.mark.parametrize(
    ("text", "is_touched"),
    [
        pytest.param(r'"\ud83d"', True, id="high"),
        pytest.param(r'"\uDE00"', True, id="low"),
        pytest.param(r'"\ude00\ud83d"', True, id="a pair the wrong way round"),
        pytest.param(r'"\\\ud83d"', True, id="after an escaped backslash"),
        pytest.param(r'"\ud83d\ude00"', False, id="a pair"),
        pytest.param(r'"\\ud83d"', False, id="an escaped backslash before a u"),
        pytest.param(r'"\ud7ff\ue000"', False, id="their neighbours"),
    ],
)
def test_only_lone_surrogates_are_shielded(text: str, is_touched: bool) -> None:
    assert (json_text.shield(text.encode()) != text.encode()) is is_touched


@given(text=any_text)
def test_a_shielded_text_decodes_and_comes_back_as_it_was(text: str) -> None:
    spelled = json.dumps([text]).encode()
    shielded = json_text.shield(spelled)

    json_text.decode(shielded)
    assert json_text.unshield(shielded) == spelled


@given(text=any_text)
def test_a_lone_surrogate_survives_being_decoded_and_quoted(text: str) -> None:
    spelled = json.dumps(text).encode()

    assert json.loads(json_text.quote(json_text.decode(spelled))) == json.loads(spelled)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        pytest.param('{"a": 1}', '{"a":1}', id="white space"),
        pytest.param(r'"\u00e9"', '"é"', id="escapes"),
        pytest.param(r'"\/"', '"/"', id="slashes"),
        pytest.param("100.0", "1e2", id="numbers"),
        pytest.param('[1e400, "a"]', '[1e400,"a"]', id="numbers beyond what can be held"),
    ],
)
def test_canonical_text_is_the_same_however_a_value_was_spelled(one: str, other: str) -> None:
    assert json_text.canonical(one.encode()) == json_text.canonical(other.encode())


@pytest.mark.parametrize(
    ("one", "other"),
    [
        pytest.param('{"a":1,"b":2}', '{"b":2,"a":1}', id="order of keys"),
        pytest.param('["1"]', "[1]", id="type"),
        pytest.param(r'"\ud83d"', r'"\ud83e"', id="lone surrogates"),
    ],
)
def test_canonical_text_differs_where_values_do(one: str, other: str) -> None:
    assert json_text.canonical(one.encode()) != json_text.canonical(other.encode())


@pytest.mark.parametrize(
    ("text", "is_utf8"),
    [(b"", True), ("é😀".encode(), True), (b"\xff", False), (b"\xed\xa0\xbd", False)],
    ids=["empty", "text", "no UTF-8", "an encoded surrogate"],
)
def test_only_utf8_can_be_sent_to_clients(text: bytes, is_utf8: bool) -> None:
    assert json_text.is_utf8(text) is is_utf8


@pytest.mark.parametrize(
    ("text", "is_too_deep"),
    [
        pytest.param(b"[" * 200 + b"]" * 200, False, id="as deep as may be"),
        pytest.param(b"[" * 201 + b"]" * 201, True, id="too deep"),
        pytest.param(b'{"a":[' * 100 + b"]}" * 100, False, id="objects and arrays, deep"),
        pytest.param(b'{"a":[' * 101 + b"]}" * 101, True, id="objects and arrays, too deep"),
        pytest.param(b"[" + b"[],{}," * 1_000 + b"[]]", False, id="wide"),
        pytest.param(b'["' + b"[" * 1_000 + b'"]', False, id="brackets in a string"),
        pytest.param(b'["\\"' + b"[" * 1_000 + b'"]', False, id="after an escaped quote"),
        pytest.param(b'{"]":' * 201 + b"1" + b"}" * 201, True, id="brackets in keys"),
        pytest.param(b"[" * 100_000, True, id="never closed"),
    ],
)
def test_how_deep_json_may_nest_is_fixed(text: bytes, is_too_deep: bool) -> None:
    """Were it the parser's limit, what a record means would depend on who reads it."""
    assert json_text.nests_too_deep(text) is is_too_deep
