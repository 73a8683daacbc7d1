"""A record and the bytes that it is stored as: whatever happens to them is noticed."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airy_ray.clock import Micros
from airy_ray.errors import RecordCorruptError
from airy_ray.model.ids import PartitionIndex
from airy_ray.rawlog.record import Offset, Record, is_at, opened, payload_id, prepare, stored
from tests import builders

WHOLE = Record(
    received_at=Micros(1_763_712_000_000_123),
    kind="webhook",
    source="facebook",
    body=b'{"object":"page"}',
    payload_id=payload_id(b'{"object":"page"}'),
    routes=(builders.route(), builders.route("bob", refused="no such channel")),
    headers={"content-type": "application/json"},
    of=(PartitionIndex(3), Offset(77)),
)
OFFSET = 1_000
VALUE = stored(prepare(WHOLE), OFFSET)


def test_a_record_is_read_as_it_was_stored() -> None:
    assert opened(VALUE, OFFSET) == WHOLE


@given(body=st.binary(max_size=300), offset=st.integers(0, 2**63))
def test_any_body_comes_back_byte_for_byte(body: bytes, offset: int) -> None:
    record = builders.record(body)

    assert opened(stored(prepare(record), offset), offset).body == body


def test_every_single_bit_that_flips_is_noticed() -> None:
    unnoticed = [bit for bit in range(len(VALUE) * 8) if _opens(_flipped(VALUE, bit), OFFSET)]

    assert not [bit for bit in unnoticed if bit // 8 != 3], "byte 3 of the header means nothing"


@pytest.mark.parametrize(
    "value",
    [
        pytest.param(b"", id="empty"),
        pytest.param(VALUE[:19], id="less than a header"),
        pytest.param(VALUE[:20], id="header only"),
        pytest.param(VALUE[:-1], id="last byte lost"),
        pytest.param(VALUE + b"\0", id="longer"),
        pytest.param(bytes(len(VALUE)), id="zeros"),
        pytest.param(VALUE[20:] + VALUE[:20], id="turned round"),
    ],
)
def test_what_was_cut_or_overwritten_is_noticed(value: bytes) -> None:
    with pytest.raises(RecordCorruptError) as caught:
        opened(value, OFFSET)

    assert caught.value.offset == OFFSET


@pytest.mark.parametrize("offset", [0, OFFSET - 1, OFFSET + 1, OFFSET << 8])
def test_a_record_in_the_place_of_another_is_noticed(offset: int) -> None:
    with pytest.raises(RecordCorruptError):
        opened(VALUE, offset)


def test_a_whole_value_that_is_no_record_is_noticed() -> None:
    with pytest.raises(RecordCorruptError, match="does not decode"):
        opened(stored(prepare("no record"), OFFSET), OFFSET)  # type: ignore[arg-type]


def test_an_error_tells_where_but_never_what() -> None:
    with pytest.raises(RecordCorruptError) as caught:
        opened(_flipped(VALUE, len(VALUE) * 8 - 1), OFFSET)

    assert str(OFFSET) in str(caught.value)
    assert "object" not in str(caught.value)


@pytest.mark.parametrize(
    ("value", "offset", "is_there"),
    [
        pytest.param(VALUE, OFFSET, True, id="its place"),
        pytest.param(VALUE, OFFSET + 1, False, id="another's place"),
        pytest.param(VALUE[:12], OFFSET, False, id="cut"),
        pytest.param(b"XX" + VALUE[2:], OFFSET, False, id="no record"),
    ],
)
def test_a_glance_tells_whether_a_value_is_where_it_belongs(
    value: bytes, offset: int, is_there: bool
) -> None:
    assert is_at(value, offset) is is_there


def test_equal_bodies_are_recognised() -> None:
    assert payload_id(b"a") == payload_id(b"a") != payload_id(b"b")
    assert len(payload_id(b"a")) == 16


def _flipped(value: bytes, bit: int) -> bytes:
    changed = bytearray(value)
    changed[bit // 8] ^= 1 << bit % 8
    return bytes(changed)


def _opens(value: bytes, offset: int) -> bool:
    try:
        opened(value, offset)
    except RecordCorruptError:
        return False
    return True
