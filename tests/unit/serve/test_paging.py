"""Pages of a list."""

import json

from airy_ray.serve.api.paging import items, page


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


def test_a_list_that_is_not_cut_has_no_cursors() -> None:
    assert items([b"1", b"2"]).body == b'{"data":[1,2]}'
    assert items([]).body == b'{"data":[]}'
