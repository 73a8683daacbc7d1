"""Connecting a page at Meta, over HTTP with a server that answers as Meta does."""

import asyncio
import dataclasses
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from airy_ray.config import Facebook, Settings, Sources
from airy_ray.errors import AiryError, DeliveryError, RequestError
from airy_ray.serve.api.graph import Page, connect_page
from airy_ray.serve.api.platform import Platform
from airy_ray.serve.ports import free_port
from tests.e2e import platforms
from tests.e2e.platforms import GraphApi


@pytest.fixture
def meta() -> Iterator[GraphApi]:
    """Meta's Graph API."""
    with platforms.graph_api() as server:
        yield server


def connected(url: str, page_id: str = "1", token: str = "EAAshort") -> Page:
    """Connect a page as an endpoint does, of which only settings and the way out are needed."""
    facebook = Facebook(app_id="app", api_url=url)

    async def main() -> Page:
        async with httpx.AsyncClient(timeout=5) as http:
            fields: dict[str, Any] = dict.fromkeys(
                field.name for field in dataclasses.fields(Platform)
            )
            settings = Settings(sources=Sources(facebook=facebook))
            return await connect_page(
                Platform(**fields | {"settings": settings, "http": http}), page_id, token
            )

    return asyncio.run(main())


def refused(url: str, page_id: str = "1", token: str = "EAAshort") -> AiryError:
    with pytest.raises(AiryError) as error:
        connected(url, page_id, token)
    return error.value


def test_a_page_comes_with_its_own_token_its_name_and_its_picture(meta: GraphApi) -> None:
    assert connected(meta.url) == Page(
        "EAApage", "Blips and Chitz", "https://scontent.example.org/p1.jpg"
    )


@pytest.mark.parametrize("page", [{}, {"access_token": ""}, {"access_token": 7, "picture": []}])
def test_a_page_that_tells_little_is_connected_with_the_lasting_token(
    page: dict[str, Any], meta: GraphApi
) -> None:
    meta.page = page

    assert connected(meta.url) == Page("EAAlongLived", None, None)


def test_an_address_with_a_slash_behind_it_is_the_same(meta: GraphApi) -> None:
    connected(meta.url + "/")

    assert meta.calls[0][1] == "/v25.0/oauth/access_token"


@pytest.mark.parametrize("page_id", ["a/b", "a?b=c", "a#b", "../me", "a b", "é", "a\x00b"])
def test_the_id_of_a_page_is_one_part_of_the_path_whatever_it_is(
    page_id: str, meta: GraphApi
) -> None:
    connected(meta.url, page_id)
    path = meta.calls[1][1].removeprefix("/v25.0/")

    assert "/" not in path
    assert set(meta.calls[1][2]) == {"fields", "access_token"}


def test_metas_own_words_are_told(meta: GraphApi) -> None:
    error = refused(meta.url, token=platforms.REFUSED_TOKEN)

    assert isinstance(error, DeliveryError)
    assert error.reason == "Invalid OAuth access token."


def test_an_answer_without_words_is_told_by_its_status(meta: GraphApi) -> None:
    error = refused(meta.url, token=platforms.MUTE_TOKEN)

    assert isinstance(error, RequestError)
    assert (error.status, error.reason) == (503, "Meta answered with 502")


@pytest.mark.parametrize("subscribed", [{"success": False}, {}, {"success": "true"}])
def test_a_page_whose_events_we_do_not_get_is_not_connected(
    subscribed: dict[str, Any], meta: GraphApi
) -> None:
    meta.subscribed = subscribed
    error = refused(meta.url)

    assert isinstance(error, RequestError)
    assert error.status == 503


def test_a_meta_that_cannot_be_reached_is_told() -> None:
    error = refused(f"http://127.0.0.1:{free_port()}")

    assert isinstance(error, RequestError)
    assert (error.status, error.reason) == (503, "Meta cannot be reached: ConnectError")
