import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airy_ray.clock import Millis
from airy_ray.model.metadata import MetadataItem, document, flatten, leaf


def item(value: str, *, at: int = 0) -> MetadataItem:
    return MetadataItem(value.encode(), Millis(at))


@pytest.mark.parametrize(
    ("values", "leaves"),
    [
        pytest.param({"a": "x"}, {"a": b'"x"'}, id="text"),
        pytest.param({"a": {"b": {"c": "x"}}}, {"a.b.c": b'"x"'}, id="objects nest along dots"),
        pytest.param({"a": [1, {"b": 2}]}, {"a": b'[1,{"b":2}]'}, id="an array is one leaf"),
        pytest.param({"a": 42}, {"a": b"42.0"}, id="a whole number"),
        pytest.param({"a": 1.5}, {"a": b"1.5"}, id="a number"),
        pytest.param({"a": True, "b": False}, {"a": b"true", "b": b"false"}, id="booleans"),
        pytest.param({"a": None}, {"a": b"null"}, id="an explicit null"),
        pytest.param({"a": {}, "b": {"c": {}}}, {}, id="empty objects make nothing"),
        pytest.param({"a.b": "x"}, {"a.b": b'"x"'}, id="a dot in a key is nesting"),
    ],
)
def test_an_object_becomes_one_item_per_leaf(
    values: dict[str, Any], leaves: dict[str, bytes]
) -> None:
    assert flatten(values) == leaves


@pytest.mark.parametrize("number", [2**70, 10**400, -(10**400)])
def test_no_number_is_too_large_for_a_leaf(number: int) -> None:
    assert json.loads(leaf(number)) == pytest.approx(number) or leaf(number) == b"%d" % number


@pytest.mark.parametrize(
    ("items", "shown"),
    [
        pytest.param([], {}, id="nothing"),
        pytest.param(
            [("name", item('"Ada"')), ("contact.lang", item('"en"'))],
            {"name": "Ada", "contact": {"lang": "en"}},
            id="keys nest",
        ),
        pytest.param(
            [("a", item('"old"', at=1)), ("a.b", item('"new"', at=2))],
            {"a": {"b": "new"}},
            id="a later nested key wins",
        ),
        pytest.param(
            [("a", item('"new"', at=2)), ("a.b", item('"old"', at=1))],
            {"a": "new"},
            id="a later scalar wins",
        ),
        pytest.param(
            [("a", item("[1,2]", at=1)), ("a.b", item("1.0", at=2))],
            {"a": {"b": 1.0}},
            id="an array gives way to an object",
        ),
        pytest.param([("a.b", item("")), ("c", item("1.0"))], {"c": 1.0}, id="removed keys"),
        pytest.param([("a.b", item("null"))], {"a": {"b": None}}, id="null is a value"),
        pytest.param([("a..b", item("1.0"))], {"a": {"": {"b": 1.0}}}, id="empty names"),
    ],
)
def test_items_make_the_document_that_the_contract_says(
    items: list[tuple[str, MetadataItem]], shown: dict[str, Any]
) -> None:
    assert json.loads(document(items)) == shown
    assert document(reversed(items)) == document(items)


names = st.sampled_from(["a", "b", "c"])
trees = st.recursive(
    st.none()
    | st.booleans()
    | st.text(max_size=4)
    | st.floats(-1e9, 1e9)
    | st.lists(st.booleans()),
    lambda inner: st.dictionaries(names, inner, min_size=1, max_size=3),
    max_leaves=8,
)


@given(values=st.dictionaries(names, trees))
def test_a_document_is_what_was_flattened(values: dict[str, Any]) -> None:
    items = [(key, MetadataItem(text, Millis(0))) for key, text in flatten(values).items()]

    assert json.loads(document(items)) == values


def test_a_document_tells_numbers_as_floating_point() -> None:
    """The contract's tests compare with 42.0."""
    items = [(key, MetadataItem(text, Millis(0))) for key, text in flatten({"a": 42}).items()]

    assert document(items) == b'{"a":42.0}'


def test_a_key_that_names_a_file_is_one_name_dots_and_all() -> None:
    key = "data_https://cdn.example.org/a.b.jpg?x=1"
    items = [(key, MetadataItem(b'"copy"', Millis(1))), ("a.b", MetadataItem(b"1.0", Millis(2)))]

    assert json.loads(document(items)) == {key: "copy", "a": {"b": 1.0}}
    assert flatten({key: "copy"}) == {key: b'"copy"'}
    assert flatten({"data_x": {"y": 1}}) == {"data_x": b'{"y":1}'}
