"""Meta's Graph API, as connecting a channel needs it (contract: sources §1.6, §3.8)."""

from typing import Any
from urllib.parse import parse_qsl, quote, urlsplit

import msgspec

from airy_ray.config import MetaApp
from airy_ray.errors import DeliveryError, RequestError
from airy_ray.serve.api import provider
from airy_ray.serve.api.platform import Platform
from airy_ray.serve.api.provider import text

_FIELDS = "id,name_with_location_descriptor,access_token,picture,is_webhooks_subscribed"
_SUBSCRIBED = (
    "messages,messaging_postbacks,messaging_optins,message_deliveries,message_reads,"
    "messaging_account_linking,messaging_referrals,message_echoes,standby,messaging_handovers,"
    "messaging_policy_enforcement,message_reactions"
)
_LISTS_MAX = 100
"""How many lists of pages are read, 25 pages each."""
_NOT_EXCHANGEABLE = (100, 190)


class Page(msgspec.Struct, frozen=True):
    """A page that we may use.

    Attributes:
        token: the page's own, else a long-lived one of who connected it.
    """

    token: str
    name: str | None
    image_url: str | None


class ListedPage(msgspec.Struct, frozen=True):
    """A page that somebody manages."""

    id: str
    name: str | None
    image_url: str | None


class GraphError(DeliveryError):
    """Meta refused a call; `code` says which kind of refusal it is."""

    def __init__(self, reason: str, code: int) -> None:
        super().__init__(reason)
        self.args = (reason, code)  # they rebuild the error
        self.code = code

    def __str__(self) -> str:
        return self.reason


async def connect_page(platform: Platform, page_id: str, page_token: str) -> Page:
    """Exchange a token for one that lasts, read the page, subscribe to its events.

    Raises:
        DeliveryError: Meta refused one of the calls, with its own text.
        RequestError: 503, Meta cannot be reached or made no sense.
    """
    app = platform.settings.sources.facebook
    long_lived = await _exchange(platform, app, page_token)
    known_as = quote(page_id, safe="")
    page = await _call(platform, app, "GET", known_as, fields=_FIELDS, access_token=long_lived)
    token = text(page, "access_token") or long_lived
    subscribed = await _call(
        platform,
        app,
        "POST",
        "me/subscribed_apps",
        access_token=token,
        subscribed_fields=_SUBSCRIBED,
    )
    if subscribed.get("success") is not True:
        raise RequestError(503, "Meta does not send the page's events")
    return Page(
        token=token,
        name=text(page, "name_with_location_descriptor"),
        image_url=_picture(page),
    )


async def managed_pages(platform: Platform, token: str) -> list[ListedPage]:
    """Return the pages that the owner of a token manages; raises as `connect_page` does."""
    app = platform.settings.sources.facebook
    query = {"fields": _FIELDS, "access_token": token}
    pages: list[ListedPage] = []
    for _ in range(_LISTS_MAX):
        listed = await _call(platform, app, "GET", "me/accounts", **query)
        rows = listed.get("data")
        pages += [_listed(row) for row in rows or () if text(row, "id")]
        following = text(listed.get("paging"), "next")
        if following is None:
            break
        # only what it asks for: the address itself might lead anywhere
        query |= dict(parse_qsl(urlsplit(following).query)) | {"access_token": token}
    return pages


async def whatsapp_token(platform: Platform, phone_number_id: str, user_token: str) -> str:
    """Return a token that lasts; one of a system user does already, and cannot be exchanged.

    Raises as `connect_page` does.
    """
    app = platform.settings.sources.whatsapp
    try:
        return await _exchange(platform, app, user_token)
    except GraphError as error:
        if error.code not in _NOT_EXCHANGEABLE:
            raise
        known_as = quote(phone_number_id, safe="")
        try:
            await _call(platform, app, "GET", known_as, fields="id", access_token=user_token)
        except GraphError:
            raise error from None
        return user_token


async def _exchange(platform: Platform, app: MetaApp, token: str) -> str:
    """Return a token that lasts for one that does not."""
    secret = app.app_secret.get_secret_value() if app.app_secret else ""
    try:
        exchanged = await _call(
            platform,
            app,
            "GET",
            "oauth/access_token",
            grant_type="fb_exchange_token",
            client_id=app.app_id or "",
            client_secret=secret,
            fb_exchange_token=token,
        )
    except GraphError as error:
        reason = provider.without(secret, provider.without(token, error.reason))
        raise GraphError(reason, error.code) from None
    long_lived = text(exchanged, "access_token")
    if long_lived is None:
        raise RequestError(503, "Meta gave no token")
    return long_lived


async def _call(
    platform: Platform, app: MetaApp, method: str, path: str, **query: str
) -> dict[str, Any]:
    url = f"{app.api_url.rstrip('/')}/{app.graph_version}/{path}"
    answered = await provider.called(platform.http, "Meta", method, url, query=query)
    if answered.is_success and answered.told is not None:
        return answered.told
    problem = (answered.told or {}).get("error")
    reason = text(problem, "message")
    if not isinstance(problem, dict) or reason is None:
        raise RequestError(503, f"Meta answered with {answered.status}")
    code = problem.get("code")
    shown = provider.without(query.get("access_token", ""), reason)
    raise GraphError(shown, code if isinstance(code, int) else 0)


def _listed(row: dict[str, Any]) -> ListedPage:
    return ListedPage(
        id=row["id"], name=text(row, "name_with_location_descriptor"), image_url=_picture(row)
    )


def _picture(page: dict[str, Any]) -> str | None:
    picture = page.get("picture")
    return text(picture.get("data"), "url") if isinstance(picture, dict) else None
