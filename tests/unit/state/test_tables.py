"""Stored rows: those that were written, or an error that names them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airy_ray.clock import Micros
from airy_ray.errors import RowCorruptError
from airy_ray.projections.view import Fault, WantedProfile
from airy_ray.state.tables import (
    APPENDED,
    DECODERS,
    ENCODERS,
    ROW_TYPES,
    decoded,
    sealed,
    unsealed,
)
from tests import builders
from tests.builders import NOW

KEY = b"key"
VALUE = sealed(KEY, b"a row")


@given(key=st.binary(min_size=1, max_size=40), row=st.binary(max_size=200))
def test_a_row_is_read_as_it_was_stored(key: bytes, row: bytes) -> None:
    assert unsealed("meta", key, sealed(key, row)) == row


def test_every_single_bit_that_flips_is_noticed() -> None:
    for bit in range(len(VALUE) * 8):
        changed = bytearray(VALUE)
        changed[bit // 8] ^= 1 << bit % 8

        with pytest.raises(RowCorruptError):
            unsealed("meta", KEY, bytes(changed))


@pytest.mark.parametrize("bit", range(len(KEY) * 8))
def test_a_row_under_another_key_is_noticed(bit: int) -> None:
    key = bytearray(KEY)
    key[bit // 8] ^= 1 << bit % 8

    with pytest.raises(RowCorruptError):
        unsealed("meta", bytes(key), VALUE)


@pytest.mark.parametrize("length", range(len(VALUE)))
def test_a_row_that_was_cut_is_noticed(length: int) -> None:
    with pytest.raises(RowCorruptError):
        unsealed("meta", KEY, VALUE[:length])


def test_an_error_names_table_and_key() -> None:
    with pytest.raises(RowCorruptError, match="row 6b6579 of messages") as caught:
        decoded("messages", KEY, b"")

    assert (caught.value.table, caught.value.key) == ("messages", KEY)


def test_a_whole_row_of_another_type_is_noticed() -> None:
    with pytest.raises(RowCorruptError):
        decoded("messages", KEY, sealed(KEY, b"\xc0"))


@pytest.mark.parametrize("table", [name for name, row in ROW_TYPES.items() if row is None])
def test_a_table_of_plain_bytes_gives_them_back(table: str) -> None:
    assert ENCODERS[table] is None
    assert decoded(table, KEY, VALUE) == b"a row"


@pytest.mark.parametrize(
    ("table", "row"),
    [
        pytest.param("conversations", builders.conversation(), id="conversation"),
        pytest.param("messages", builders.message(), id="message"),
        pytest.param("messages", builders.sent_message(), id="sent message"),
        pytest.param("registry_channels", builders.channel(), id="channel"),
        pytest.param("sends", builders.dispatch(courier=7), id="dispatch"),
        pytest.param("profiles", WantedProfile(builders.place(), NOW, NOW, 2), id="profile"),
        pytest.param("quarantine", Fault("KeyError", "at …", Micros(1)), id="fault"),
    ],
)
def test_a_row_object_comes_back_equal(table: str, row: object) -> None:
    encode_into = ENCODERS[table]
    encoded = bytearray()

    assert encode_into is not None
    encode_into(row, encoded)
    assert decoded(table, KEY, sealed(KEY, bytes(encoded))) == row


def test_every_table_can_be_read_and_written() -> None:
    assert ENCODERS.keys() == DECODERS.keys() == ROW_TYPES.keys()
    assert set(APPENDED) <= ROW_TYPES.keys()
