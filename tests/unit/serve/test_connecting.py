"""Connecting at Viber, Telegram and WhatsApp, over HTTP with the played platforms."""

import asyncio
import dataclasses
import pickle
from collections.abc import Awaitable, Callable, Iterator
from typing import Any, TypeVar

import httpx
import pytest
from pydantic import SecretStr

from airy_ray.config import Facebook, Settings, Sources, Telegram, Viber, Whatsapp
from airy_ray.errors import AiryError, DeliveryError, RequestError
from airy_ray.serve import problems
from airy_ray.serve.api import graph, provider, telegram, viber
from airy_ray.serve.api.platform import Platform
from airy_ray.serve.http import Response
from airy_ray.serve.ports import free_port
from airy_ray.simulator import telegram_api, viber_api
from airy_ray.simulator.graph_api import SYSTEM_USER_TOKEN, USER_TOKEN, GraphApi, GraphServer
from airy_ray.simulator.telegram_api import BOT_TOKEN, TelegramApi
from airy_ray.simulator.viber_api import ViberApi
from airy_ray.sources.telegram import webhook_secret

T = TypeVar("T")

PAGES = [str(108_800_000_000_001 + index) for index in range(60)]
NUMBER = "106540352242922"
VIBER_TOKEN = "445da6az1s345z78"
BASE = "https://chat.example.org"


class Played:
    """The platforms, played at one address."""

    def __init__(self) -> None:
        self.viber = ViberApi(VIBER_TOKEN)
        self.telegram = TelegramApi(BOT_TOKEN)
        meta = GraphApi(PAGES, app_id="4711", app_secret="s3cret", phone_numbers=[NUMBER])
        others = [*viber_api.routes(self.viber), *telegram_api.routes(self.telegram)]
        self.server = GraphServer(meta, 0, others)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server.port}"


@pytest.fixture(scope="module")
def played() -> Iterator[Played]:
    """The platforms."""
    platforms = Played()
    with platforms.server:
        yield platforms


def settings(url: str, *, app_secret: str = "s3cret", viber_token: str | None = VIBER_TOKEN) -> Any:
    app = {"app_id": "4711", "app_secret": SecretStr(app_secret), "api_url": url}
    token = None if viber_token is None else SecretStr(viber_token)
    return Settings(
        sources=Sources(
            facebook=Facebook(**app),
            whatsapp=Whatsapp(**app),
            viber=Viber(auth_token=token, api_url=url),
            telegram=Telegram(api_url=url),
        )
    )


def called(configured: Settings, call: Callable[[Platform], Awaitable[T]]) -> T:
    """Call a platform as an endpoint does, of which only settings and the way out are needed."""

    async def main() -> T:
        async with httpx.AsyncClient(timeout=5) as http:
            fields: dict[str, Any] = dict.fromkeys(
                field.name for field in dataclasses.fields(Platform)
            )
            return await call(Platform(**fields | {"settings": configured, "http": http}))

    return asyncio.run(main())


def refused(configured: Settings, call: Callable[[Platform], Awaitable[Any]]) -> AiryError:
    with pytest.raises(AiryError) as error:
        called(configured, call)
    return error.value


def test_viber_sends_its_events_until_it_is_told_not_to(played: Played) -> None:
    account = called(settings(played.url), lambda each: viber.subscribe(each, BASE))
    subscribed = played.viber.webhook
    called(settings(played.url), viber.unsubscribe)

    assert (account.id, account.name) == (viber_api.ACCOUNT, "Simulated bot")
    assert subscribed == f"{BASE}/viber"
    assert played.viber.webhook == ""


@pytest.mark.parametrize(
    ("token", "base", "reason"),
    [
        pytest.param(None, BASE, "sources.viber.auth_token is not set", id="no token"),
        pytest.param("wrong", BASE, "invalidAuthToken", id="wrong token"),
        pytest.param(VIBER_TOKEN, "here", "invalidUrl", id="wrong address"),
    ],
)
def test_a_refusal_of_vibers_comes_in_its_words(
    token: str | None, base: str, reason: str, played: Played
) -> None:
    configured = settings(played.url, viber_token=token)
    error = refused(configured, lambda each: viber.subscribe(each, base))

    assert isinstance(error, DeliveryError)
    assert error.reason == f"Failed to connect the viber webhook. Error: {reason}"


def test_a_viber_that_cannot_be_reached_is_told() -> None:
    error = refused(settings(f"http://127.0.0.1:{free_port()}"), viber.unsubscribe)

    assert isinstance(error, DeliveryError)
    assert error.reason == (
        "Failed to disconnect the viber webhook. Error: Viber cannot be reached: ConnectError"
    )


def test_telegram_sends_updates_with_a_secret_until_it_is_told_not_to(played: Played) -> None:
    bot = called(settings(played.url), lambda each: telegram.subscribe(each, BOT_TOKEN, BASE))
    webhook = played.telegram.webhooks.get(bot.id, {})
    called(settings(played.url), lambda each: telegram.unsubscribe(each, BOT_TOKEN))

    assert (bot.id, bot.name) == ("7012345678", "Simulated bot 5678")
    assert webhook == {
        "url": f"{BASE}/telegram/7012345678",
        "secret_token": webhook_secret(BOT_TOKEN),
        "allowed_updates": ["message", "edited_message", "callback_query", "message_reaction"],
        "max_connections": 40,
    }
    assert played.telegram.webhooks == {}


@pytest.mark.parametrize("token", ["1:wrong", "é", "a?b#c", "a b"])
def test_a_token_that_telegram_does_not_know_is_refused_in_its_words(
    token: str, played: Played
) -> None:
    configured = settings(played.url)
    error = refused(configured, lambda each: telegram.subscribe(each, token, BASE))

    assert isinstance(error, DeliveryError)
    assert error.reason == "Unauthorized"


def test_a_bot_whose_token_was_revoked_can_be_left(played: Played) -> None:
    called(settings(played.url), lambda each: telegram.unsubscribe(each, "1:revoked"))


def test_a_telegram_that_makes_no_sense_is_told() -> None:
    error = refused(
        settings(f"http://127.0.0.1:{free_port()}"),
        lambda each: telegram.subscribe(each, BOT_TOKEN, BASE),
    )

    assert isinstance(error, RequestError)
    assert (error.status, error.reason) == (503, "Telegram cannot be reached: ConnectError")


@pytest.mark.parametrize(
    ("token", "is_kept"),
    [
        pytest.param(USER_TOKEN, False, id="exchanged"),
        pytest.param(SYSTEM_USER_TOKEN, True, id="kept as it lasts"),
    ],
)
def test_a_number_is_used_with_a_token_that_lasts(
    token: str, is_kept: bool, played: Played
) -> None:
    lasting = called(settings(played.url), lambda each: graph.whatsapp_token(each, NUMBER, token))

    assert (lasting == token) is is_kept


@pytest.mark.parametrize(
    ("token", "number", "app_secret", "reason"),
    [
        pytest.param(
            "nobody's", NUMBER, "s3cret", "Invalid OAuth access token.", id="unknown token"
        ),
        pytest.param(
            SYSTEM_USER_TOKEN,
            "404",
            "s3cret",
            "The access token cannot be exchanged.",
            id="a number that the token is not for",
        ),
        pytest.param(
            USER_TOKEN, NUMBER, "wrong", "Error validating client secret.", id="not our app"
        ),
    ],
)
def test_a_number_that_meta_refuses_is_told_why(
    token: str, number: str, app_secret: str, reason: str, played: Played
) -> None:
    error = refused(
        settings(played.url, app_secret=app_secret),
        lambda each: graph.whatsapp_token(each, number, token),
    )

    assert isinstance(error, DeliveryError)
    assert error.reason == reason


def test_a_refusal_is_told_in_metas_words_alone(played: Played) -> None:
    error = refused(
        settings(played.url), lambda each: graph.whatsapp_token(each, NUMBER, "nobody's")
    )

    assert problems.answer(error) == Response(500, b'{"message":"Invalid OAuth access token."}')
    assert repr(pickle.loads(pickle.dumps(error))) == repr(error)


@pytest.mark.parametrize(
    ("secret", "reason", "shown"),
    [
        ("EAAx", "Malformed access token EAAx", "Malformed access token …"),
        ("", "Malformed access token", "Malformed access token"),
    ],
)
def test_a_token_that_a_platform_quotes_is_not_told(secret: str, reason: str, shown: str) -> None:
    assert provider.without(secret, reason) == shown


def test_all_pages_of_somebody_are_listed(played: Played) -> None:
    pages = called(settings(played.url), lambda each: graph.managed_pages(each, USER_TOKEN))

    assert [page.id for page in pages] == PAGES
    assert pages[0].name == "Simulated page 0001"
    assert pages[0].image_url is not None
