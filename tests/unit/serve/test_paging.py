"""Pages of a list."""

import json
import re

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from airy_ray.errors import RequestError
from airy_ray.serve.api.paging import cursor, items, page, placed, size_of


def test_a_page_is_its_items_as_they_are_and_where_it_lies() -> None:
    response = page([b'{"n": 1.10}', b'"b"'], previous="0", following=None, total=7)

    assert response.status == 200
    assert response.body.startswith(b'{"data":[{"n": 1.10},"b"],')
    assert json.loads(response.body)["pagination_data"] == {
        "previous_cursor": "0",
        "next_cursor": None,
        "total": 7,
    }


def test_a_page_of_nothing_is_an_empty_list() -> None:
    response = page([], previous=None, following=None, total=0)

    assert json.loads(response.body)["data"] == []


@pytest.mark.parametrize(
    ("asked", "size"),
    [(None, 10), (0, 10), (-3, 10), (1, 1), (100, 100), (101, 100)],
)
def test_a_page_is_as_large_as_asked_up_to_its_limit(asked: int | None, size: int) -> None:
    assert size_of(asked, limit=100) == size


def test_the_limit_holds_for_a_page_of_no_asked_size() -> None:
    assert size_of(None, limit=5) == 5
    assert size_of(None, limit=100, default=20) == 20


def test_a_list_that_is_not_cut_has_no_cursors() -> None:
    assert items([b"1", b"2"]).body == b'{"data":[1,2]}'
    assert items([]).body == b'{"data":[]}'


class _Place(msgspec.Struct, frozen=True, array_like=True, tag="a list"):
    number: int
    key: bytes


class _OtherPlace(msgspec.Struct, frozen=True, array_like=True, tag="another list"):
    number: int
    key: bytes


@given(st.integers(-(2**63), 2**63 - 1), st.binary(max_size=40))
def test_a_cursor_leads_back_to_its_place(number: int, key: bytes) -> None:
    place = _Place(number, key)

    assert placed(cursor(place), _Place) == place
    assert re.fullmatch(r"[A-Za-z0-9_-]+", cursor(place))


@given(st.text())
def test_what_is_no_cursor_is_refused(text: str) -> None:
    with pytest.raises(RequestError, match="cursor: not a cursor"):
        placed(text, _Place)


def test_a_cursor_of_another_list_is_refused() -> None:
    with pytest.raises(RequestError, match="cursor: not a cursor"):
        placed(cursor(_OtherPlace(1, b"")), _Place)
