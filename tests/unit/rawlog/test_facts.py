"""The small rows beside the records: whole, or nothing."""

import pytest

from airy_ray.rawlog import facts

VALUE = facts.stored("meta", b"forwarded", b"row")


def test_a_row_is_read_as_it_was_stored() -> None:
    assert facts.opened("meta", b"forwarded", VALUE) == b"row"


def test_every_single_bit_that_flips_is_noticed() -> None:
    for bit in range(len(VALUE) * 8):
        changed = bytearray(VALUE)
        changed[bit // 8] ^= 1 << bit % 8

        assert facts.opened("meta", b"forwarded", bytes(changed)) is None


@pytest.mark.parametrize(
    ("table", "key", "value"),
    [
        pytest.param("archives", b"forwarded", VALUE, id="another table"),
        pytest.param("meta", b"generation", VALUE, id="another key"),
        pytest.param("meta", b"forwarded", VALUE[:-1], id="cut"),
        pytest.param("meta", b"forwarded", VALUE + b"\0", id="longer"),
        pytest.param("meta", b"forwarded", b"", id="empty"),
    ],
)
def test_a_row_is_nothing_anywhere_else(table: str, key: bytes, value: bytes) -> None:
    assert facts.opened(table, key, value) is None
