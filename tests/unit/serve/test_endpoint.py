"""What a request's body may say, and what is told of one that may not."""

from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import Field

from airy_ray.errors import RequestError
from airy_ray.serve.api.endpoint import (
    Body,
    Endpoint,
    Id,
    OptionalId,
    OptionalText,
    parsed,
)
from airy_ray.serve.api.platform import Caller, Platform
from airy_ray.serve.http import Response

ID = "6f2f0e5c-9f4e-4b74-9b33-1f7f4e2a0001"
ID_BYTES = UUID(ID).bytes


class Everything(Body):
    """A field of each kind."""

    id: OptionalId = None
    text: OptionalText = None
    name: str = Field("", max_length=3)
    size: int | None = 20
    anything: object = None


class Required(Body):
    """A field that must be there."""

    id: Id


async def handle(_: Platform, __: Caller, ___: Body) -> Response:
    return Response()


def read(body: bytes, takes: type[Body] = Everything, *, may_be_empty: bool = False) -> Any:
    return parsed(Endpoint("/a.b", handle, takes, "", may_be_empty=may_be_empty), body)


def refusal(body: bytes, takes: type[Body] = Everything) -> RequestError:
    with pytest.raises(RequestError) as refused:
        read(body, takes)
    return refused.value


@pytest.mark.parametrize(
    ("body", "field", "value"),
    [
        pytest.param(b"{}", "size", 20, id="default"),
        pytest.param(b'{"size":null}', "size", None, id="null"),
        pytest.param(b'{"size":"7"}', "size", 7, id="text for a number"),
        pytest.param(b'{"text":7}', "text", "7", id="number for a text"),
        pytest.param(b'{"text":-1.5}', "text", "-1.5", id="fraction for a text"),
        pytest.param(b'{"text":""}', "text", None, id="empty text"),
        pytest.param(b'{"id":""}', "id", None, id="empty id"),
        pytest.param(b'{"id":null}', "id", None, id="no id"),
        pytest.param(f'{{"id":"{ID}"}}'.encode(), "id", ID_BYTES, id="id"),
        pytest.param(f'{{"id":"{ID.upper()}"}}'.encode(), "id", ID_BYTES, id="id in capitals"),
        pytest.param(b'{"unknown":[1]}', "text", None, id="unknown field"),
        pytest.param(b'{"text":"a","text":"b"}', "text", "b", id="twice"),
        pytest.param(b'{"text":"\\u0000"}', "text", "\0", id="NUL"),
        pytest.param(b'{"anything":[{"a":1}]}', "anything", [{"a": 1}], id="anything"),
        pytest.param(' { "text" : "é" } '.encode(), "text", "é", id="white space"),
    ],
)
def test_a_body_is_read_leniently(body: bytes, field: str, value: object) -> None:
    assert getattr(read(body), field) == value


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        pytest.param(b'{"id":"x"}', "id: not a UUID", id="no UUID"),
        pytest.param(b'{"size":"x"}', "size: Input should be a valid integer", id="no integer"),
        pytest.param(b'{"name":"long"}', "name: String should have at most", id="too long"),
        pytest.param(b"{", "not JSON: EOF while parsing", id="cut off"),
        pytest.param(b'{"size":NaN}', "not JSON: expected value", id="NaN"),
        pytest.param(b'{"anything":Infinity}', "not JSON: expected value", id="infinity"),
        pytest.param(b'{"text":"\xff"}', "not JSON: invalid unicode", id="not UTF-8"),
        pytest.param(b"[" * 100_000, "the body is nested too deeply", id="deep"),
        pytest.param(b"[]", "Input should be a valid dictionary", id="array"),
        pytest.param(b"null", "Input should be a valid dictionary", id="null"),
        pytest.param(b"{}{}", "not JSON: trailing characters", id="two"),
    ],
)
def test_what_is_wrong_is_told_in_words(body: bytes, reason: str) -> None:
    refused = refusal(body)

    assert refused.status == 400
    assert refused.reason.startswith(reason)


@pytest.mark.parametrize("body", [b"{}", b'{"id":null}', b'{"id":""}', b'{"id":7}'])
def test_what_is_required_has_to_be_there(body: bytes) -> None:
    assert refusal(body, Required).reason.startswith("id: ")


def test_what_was_sent_is_not_repeated() -> None:
    assert "secret" not in refusal(b'{"id":"a secret","size":"a secret"}').reason


def test_an_empty_body_is_an_empty_object_where_it_may_be() -> None:
    assert read(b"", may_be_empty=True) == Everything()
    assert refusal(b"").reason == "a JSON body is required"


def test_half_of_a_surrogate_pair_is_taken() -> None:
    assert read(b'{"anything":"\\ud83d"}').anything is not None


@given(body=st.binary(max_size=200) | st.text(max_size=200).map(str.encode))
def test_a_body_is_read_or_refused_whatever_it_is(body: bytes) -> None:
    try:
        outcome = read(body, may_be_empty=True)
    except RequestError as refused:
        outcome = refused

    assert isinstance(outcome, Everything) or (outcome.status == 400 and outcome.reason)
