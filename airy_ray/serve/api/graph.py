"""Meta's Graph API, as connecting a page needs it (contract: sources §1.6)."""

from typing import Any
from urllib.parse import quote

import httpx
import msgspec
import stamina

from airy_ray.errors import DeliveryError, RequestError
from airy_ray.serve.api.platform import Platform

_FIELDS = "id,name_with_location_descriptor,access_token,picture,is_webhooks_subscribed"
_SUBSCRIBED = (
    "messages,messaging_postbacks,messaging_optins,message_deliveries,message_reads,"
    "messaging_account_linking,messaging_referrals,message_echoes,standby,messaging_handovers,"
    "messaging_policy_enforcement,message_reactions"
)
_ATTEMPTS = 3


class Page(msgspec.Struct, frozen=True):
    """A page that we may use.

    Attributes:
        token: the page's own, else a long-lived one of who connected it.
    """

    token: str
    name: str | None
    image_url: str | None


async def connect_page(platform: Platform, page_id: str, page_token: str) -> Page:
    """Exchange a token for one that lasts, read the page, subscribe to its events.

    Raises:
        DeliveryError: Meta refused one of the calls, with its own text.
        RequestError: 503, Meta cannot be reached or made no sense.
    """
    facebook = platform.settings.sources.facebook
    secret = facebook.app_secret.get_secret_value() if facebook.app_secret else ""
    exchanged = await _call(
        platform,
        "GET",
        "oauth/access_token",
        grant_type="fb_exchange_token",
        client_id=facebook.app_id or "",
        client_secret=secret,
        fb_exchange_token=page_token,
    )
    long_lived = _text(exchanged, "access_token")
    if long_lived is None:
        raise RequestError(503, "Meta gave no token")
    known_as = quote(page_id, safe="")
    page = await _call(platform, "GET", known_as, fields=_FIELDS, access_token=long_lived)
    token = _text(page, "access_token") or long_lived
    subscribed = await _call(
        platform, "POST", "me/subscribed_apps", access_token=token, subscribed_fields=_SUBSCRIBED
    )
    if subscribed.get("success") is not True:
        raise RequestError(503, "Meta does not send the page's events")
    picture = page.get("picture")
    shown = picture.get("data") if isinstance(picture, dict) else None
    return Page(
        token=token,
        name=_text(page, "name_with_location_descriptor"),
        image_url=_text(shown, "url") if isinstance(shown, dict) else None,
    )


async def _call(platform: Platform, method: str, path: str, **query: str) -> dict[str, Any]:
    facebook = platform.settings.sources.facebook
    url = f"{facebook.api_url.rstrip('/')}/{facebook.graph_version}/{path}"
    try:
        response = await _tried(platform.http, method, url, query)
    except httpx.HTTPError as error:
        raise RequestError(503, f"Meta cannot be reached: {type(error).__name__}") from None
    try:
        told = msgspec.json.decode(response.content)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        told = None
    if response.is_success and isinstance(told, dict):
        return told
    problem = told.get("error") if isinstance(told, dict) else None
    reason = _text(problem, "message") if isinstance(problem, dict) else None
    if reason is None:
        raise RequestError(503, f"Meta answered with {response.status_code}")
    raise DeliveryError(reason)


async def _tried(
    http: httpx.AsyncClient, method: str, url: str, query: dict[str, str]
) -> httpx.Response:
    """Call, again if no connection could be made: then nothing can have happened yet."""
    async for attempt in stamina.retry_context(on=httpx.ConnectError, attempts=_ATTEMPTS):
        with attempt:
            return await http.request(method, url, params=query)
    raise AssertionError("the last attempt returns or raises")


def _text(told: dict[str, Any], name: str) -> str | None:
    value = told.get(name)
    return value if isinstance(value, str) and value else None
