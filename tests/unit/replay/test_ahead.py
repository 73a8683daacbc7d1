"""The next item is made ready ahead, in order, and what goes wrong comes up where it belongs."""

from collections.abc import Iterator
from contextlib import closing
from threading import Event

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airy_ray.replay.ahead import Ahead

WAIT_S = 30


@given(st.lists(st.integers(), max_size=20), st.lists(st.booleans(), min_size=20, max_size=20))
def test_items_come_in_order_whichever_were_begun(items: list[int], begun: list[bool]) -> None:
    with closing(Ahead(iter(items))) as ahead:
        for item, is_begun in zip(items, begun, strict=False):
            if is_begun:
                ahead.begin()
                ahead.begin()
            assert ahead.take() == item
        assert ahead.take() is None
        assert ahead.take() is None


def test_what_is_begun_is_made_before_it_is_taken() -> None:
    made = Event()

    def items() -> Iterator[int]:
        yield 1
        made.set()
        yield 2

    with closing(Ahead(items())) as ahead:
        assert ahead.take() == 1
        assert not made.is_set()
        ahead.begin()
        assert made.wait(WAIT_S)
        assert ahead.take() == 2


def test_what_cannot_be_made_is_raised_once_all_before_it_was_taken() -> None:
    def items() -> Iterator[int]:
        yield 1
        raise KeyError

    with closing(Ahead(items())) as ahead:
        ahead.begin()
        assert ahead.take() == 1
        ahead.begin()
        with pytest.raises(KeyError):
            ahead.take()
