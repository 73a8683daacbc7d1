"""`webhooks.*`: calls to others when something happens, and whom to call (contract: §7.9)."""

import re
from collections.abc import Callable
from datetime import datetime
from ipaddress import ip_address
from typing import Annotated, Any, Literal, TypeVar
from urllib.parse import urlsplit

from pydantic import AfterValidator, AliasChoices, AwareDatetime, Field, model_validator

from airy_ray.cluster.addresses import may_connect
from airy_ray.cluster.webhook_reading import heads
from airy_ray.errors import FilterError, RequestError
from airy_ray.filters.syntax import parse
from airy_ray.model import webhook
from airy_ray.model.commands import (
    PauseWebhook,
    ReplayWebhook,
    ResumeWebhook,
    RotateKey,
    SubscribeWebhook,
    TestWebhook,
    UnsubscribeWebhook,
    UpdateWebhook,
)
from airy_ray.model.ids import format_id
from airy_ray.publishing import signing
from airy_ray.serve.api import examples, shapes, webhook_shapes
from airy_ray.serve.api.endpoint import Body, Endpoint, Id, Nothing, OptionalId, OptionalText
from airy_ray.serve.api.examples import example
from airy_ray.serve.api.paging import items
from airy_ray.serve.api.platform import Caller, Platform
from airy_ray.serve.api.sources import absolute_url
from airy_ray.serve.http import Response
from airy_ray.state.queries import Reading
from airy_ray.state.search.matching import compiled

T = TypeVar("T")

_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,100}")
_HEADER_VALUE = re.compile(r"[\t\x20-\x7e\x80-\xff]{0,4096}")
_HEADERS_MAX = 50
_VALID_S_MAX = 30 * 86_400


def _unless_none(check: Callable[[T], T]) -> Callable[[T | None], T | None]:
    return lambda value: None if value is None else check(value)


def _headers(headers: dict[str, str]) -> dict[str, str]:
    for name, value in headers.items():
        if not _HEADER_NAME.fullmatch(name) or not _HEADER_VALUE.fullmatch(value):
            raise ValueError("not a header")
        if name.lower() in signing.RESERVED:
            raise ValueError(f"{name} is ours to set")
    return headers


def _key(key: str) -> str:
    signing.key_bytes(key)
    return key


def _filter(text: str) -> str:
    try:
        compiled(parse(text))
    except FilterError as error:
        raise ValueError(str(error)) from None
    return text


_REPORTS: dict[str, Any] = {
    key: examples.WEBHOOK[key] for key in ("name", "url", "headers", "events", "filter")
}
_KEY_ALIASES = AliasChoices("signature_key", "signatureKey")
SignatureKey = Annotated[OptionalText, AfterValidator(_unless_none(_key))]


class Subscription(Body):
    """Whom to call, when, and how; what they are called with is signed with the key."""

    name: OptionalText = None
    headers: Annotated[
        dict[str, str] | None,
        Field(max_length=_HEADERS_MAX),
        AfterValidator(_unless_none(_headers)),
    ] = None
    events: list[webhook_shapes.EventType] | None = Field(None, description="All types if empty.")
    signature_key: SignatureKey = Field(
        None,
        validation_alias=_KEY_ALIASES,
        description="A text; or `whsec_` and base64, as Standard Webhooks has it.",
    )
    filter: Annotated[str | None, AfterValidator(_unless_none(_filter))] = Field(
        None,
        description="Of conversations, in the language of `conversations.list`; empty for all.",
    )


class NewWebhook(Subscription):
    """A webhook; one with a known id is replaced."""

    model_config = example(**_REPORTS, signature_key="a long random text", start="now")
    url: Annotated[str, AfterValidator(absolute_url)]
    id: OptionalId = None
    start: Literal["now", "beginning"] | AwareDatetime = Field(
        "now",
        description="From when on it hears of what happens; the change feed keeps two days.",
    )


class OneWebhook(Body):
    """Which webhook."""

    model_config = example(id=examples.WEBHOOK_ID)
    id: Id


class ChangedWebhook(Subscription):
    """What is to be different of a webhook."""

    model_config = example(**_REPORTS, id=examples.WEBHOOK_ID, status="Unsubscribed")
    id: Id
    url: Annotated[OptionalText, AfterValidator(absolute_url)] = None
    status: Literal["Subscribed", "Unsubscribed"] | None = None


class NewKey(OneWebhook):
    """With what a webhook's calls are to be signed."""

    model_config = example(id=examples.WEBHOOK_ID, signature_key="another long random text")
    signature_key: Annotated[
        str,
        AfterValidator(_key),
        Field(min_length=1, validation_alias=_KEY_ALIASES),
    ]
    former_valid_s: int = Field(
        86_400, ge=0, le=_VALID_S_MAX, description="How long the former key signs too."
    )


class Replay(OneWebhook):
    """What a webhook is to be called with again: one event, a range, or what has failed."""

    model_config = example(id=examples.WEBHOOK_ID, failed_since="2025-11-21T00:00:00Z")
    event_id: OptionalText = Field(None, max_length=200)
    since: AwareDatetime | None = None
    until: AwareDatetime | None = None
    failed_since: AwareDatetime | None = None

    @model_validator(mode="after")
    def _is_one(self) -> "Replay":
        is_range = self.since is not None or self.until is not None
        if [self.event_id is not None, is_range, self.failed_since is not None].count(True) != 1:
            raise ValueError("one of event_id, failed_since, and since or until")
        return self


async def list_webhooks(platform: Platform, _: Caller, __: Nothing) -> Response:
    """Return all webhooks, by id, also those that are not called any more."""
    stored = await platform.partitions.ask_registry(Reading.webhooks)
    return items([webhook.rendered(each) for each in stored])


async def info(platform: Platform, _: Caller, asked: OneWebhook) -> Response:
    """Return a webhook."""
    stored = await platform.partitions.ask_registry(Reading.webhook, asked.id)
    if stored is None:
        raise RequestError(404)
    return Response(body=webhook.rendered(stored))


async def subscribe(platform: Platform, caller: Caller, asked: NewWebhook) -> Response:
    """Have somebody called when something happens, once at least and with the same id each time.

    Calls are made in the order of what happens within a conversation, and again over three days if
    they fail, unless the answer is 410. The key is told to nobody.
    """
    _check_address(platform, asked.url)
    start_at = None
    if asked.start == "beginning":
        start_at = 0
    elif isinstance(asked.start, datetime):
        start_at = _millis(asked.start)
    command = SubscribeWebhook(
        **caller.signed(),
        webhook_id=None if asked.id is None else format_id(asked.id),
        url=asked.url,
        name=asked.name,
        headers=asked.headers or {},
        events=tuple(asked.events or ()),
        signature_key=asked.signature_key,
        filter=asked.filter,
        start_at=start_at,
        places=await heads(platform.machine.partitions) if start_at is None else {},
    )
    return await platform.register(command)


async def update(platform: Platform, caller: Caller, asked: ChangedWebhook) -> Response:
    """Change a webhook: what is not given stays.

    One that is subscribed again hears of what happens from then on. A new key takes the place of
    all others at once; `webhooks.rotate-key` leaves time.
    """
    if asked.url is not None:
        _check_address(platform, asked.url)
    command = UpdateWebhook(
        **caller.signed(),
        webhook_id=format_id(asked.id),
        url=asked.url,
        name=asked.name,
        headers=asked.headers,
        events=None if asked.events is None else tuple(asked.events),
        signature_key=asked.signature_key,
        filter=asked.filter,
        status=asked.status,
        places=await heads(platform.machine.partitions) if asked.status == "Subscribed" else {},
    )
    return await platform.register(command)


async def unsubscribe(platform: Platform, caller: Caller, asked: OneWebhook) -> Response:
    """Have a webhook called no more, also not with what waits for it; it stays in the list."""
    return await platform.register(
        UnsubscribeWebhook(**caller.signed(), webhook_id=format_id(asked.id))
    )


async def pause(platform: Platform, caller: Caller, asked: OneWebhook) -> Response:
    """Have a webhook called later: what happens meanwhile waits, as long as the feed is kept."""
    return await platform.register(PauseWebhook(**caller.signed(), webhook_id=format_id(asked.id)))


async def resume(platform: Platform, caller: Caller, asked: OneWebhook) -> Response:
    """Have a webhook called again, from where it was paused."""
    return await platform.register(ResumeWebhook(**caller.signed(), webhook_id=format_id(asked.id)))


async def rotate_key(platform: Platform, caller: Caller, asked: NewKey) -> Response:
    """Sign with another key, and in `webhook-signature` with the former one too for a while.

    `X-Airy-Content-Signature` is of the new key alone.
    """
    command = RotateKey(
        **caller.signed(),
        webhook_id=format_id(asked.id),
        signature_key=asked.signature_key,
        former_valid_s=asked.former_valid_s,
    )
    return await platform.register(command)


async def test(platform: Platform, caller: Caller, asked: OneWebhook) -> Response:
    """Have a webhook called with an event of type `webhook.test`; its attempts tell of it."""
    return await platform.register(TestWebhook(**caller.signed(), webhook_id=format_id(asked.id)))


async def replay(platform: Platform, caller: Caller, asked: Replay) -> Response:
    """Have a webhook called again, with the same ids: receivers know what they have already.

    `since` and `until` are when events happened, as far back as the change feed is kept.
    `failed_since` is since when events have failed for good, or began to fail.
    """
    command = ReplayWebhook(
        **caller.signed(),
        webhook_id=format_id(asked.id),
        event_id=asked.event_id,
        since=_optional_millis(asked.since),
        until=_optional_millis(asked.until),
        failed_since=_optional_millis(asked.failed_since),
    )
    return await platform.register(command)


def _check_address(platform: Platform, url: str) -> None:
    """Refuse what could never be called; what a name leads to is looked at when it is called.

    Raises:
        RequestError: 400, it is an address of a private network.
    """
    host = urlsplit(url).hostname or ""
    allows = platform.settings.webhooks.allow_private_networks
    try:
        is_reachable = may_connect(ip_address(host), allow_private_networks=allows)
    except ValueError:  # a name
        is_reachable = allows or host.lower() != "localhost"
    if not is_reachable:
        raise RequestError(
            400, "url: an address of a private network, see webhooks.allow_private_networks"
        )


def _millis(at: datetime) -> int:
    return int(at.timestamp() * 1_000)


def _optional_millis(at: datetime | None) -> int | None:
    return None if at is None else _millis(at)


def _command(verb: str, handler: Any, takes: type[Body], summary: str, **more: Any) -> Endpoint:
    """Return an endpoint that changes a webhook, if there is it."""
    told: dict[str, Any] = {"answers": webhook_shapes.Webhook, "failures": (404, 409)} | more
    return Endpoint(f"/webhooks.{verb}", handler, takes, summary, **told)


_UNSUBSCRIBED = {200: examples.WEBHOOK | {"status": "Unsubscribed"}}
_PAUSED = {200: examples.WEBHOOK | {"paused": True}}
_ORDERED: dict[str, Any] = {"answers": None, "status": 202}

ENDPOINTS = [
    Endpoint(
        "/webhooks.list",
        list_webhooks,
        Nothing,
        "List webhooks",
        shapes.Items[webhook_shapes.Webhook],
        may_be_empty=True,
    ),
    Endpoint(
        "/webhooks.info", info, OneWebhook, "Get a webhook", webhook_shapes.Webhook, failures=(404,)
    ),
    _command("subscribe", subscribe, NewWebhook, "Subscribe a webhook", failures=(409,)),
    _command("update", update, ChangedWebhook, "Change a webhook", examples=_UNSUBSCRIBED),
    _command(
        "unsubscribe", unsubscribe, OneWebhook, "Unsubscribe a webhook", examples=_UNSUBSCRIBED
    ),
    _command("pause", pause, OneWebhook, "Pause a webhook", examples=_PAUSED),
    _command("resume", resume, OneWebhook, "Resume a webhook"),
    _command("rotate-key", rotate_key, NewKey, "Sign a webhook's calls with another key"),
    _command("test", test, OneWebhook, "Call a webhook to see whether it answers", **_ORDERED),
    _command("replay", replay, Replay, "Call a webhook again", **_ORDERED),
]
