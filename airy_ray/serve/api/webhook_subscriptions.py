"""`webhooks.*`: calls to others when something happens (contract: §7.9). There are none yet.

What is asked is checked all the same, so that who asks for what cannot be learns of it first.
"""

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, AliasChoices, Field

from airy_ray.errors import RequestError
from airy_ray.serve.api import examples, shapes
from airy_ray.serve.api.endpoint import Body, Endpoint, Id, Nothing, OptionalId, OptionalText
from airy_ray.serve.api.examples import example
from airy_ray.serve.api.paging import items
from airy_ray.serve.api.platform import Caller, Platform
from airy_ray.serve.api.sources import Url, absolute_url
from airy_ray.serve.http import Response

_DISABLED = "The webhook component needs to be enabled. This platform has none yet."

SignatureKey = Field(None, validation_alias=AliasChoices("signature_key", "signatureKey"))


_REPORTS: dict[str, Any] = {
    key: examples.WEBHOOK[key] for key in ("name", "url", "headers", "events")
}


class Subscription(Body):
    """Whom to call, when, and how; what they are called with is signed with the key."""

    name: OptionalText = None
    headers: dict[str, str] | None = None
    events: list[shapes.EventType] | None = None
    signature_key: OptionalText = SignatureKey


class NewWebhook(Subscription):
    """A webhook; one with a known id is replaced."""

    model_config = example(**_REPORTS, signature_key="a long random text")
    url: Annotated[str, AfterValidator(absolute_url)]
    id: OptionalId = None


class OneWebhook(Body):
    """Which webhook."""

    model_config = example(id=examples.WEBHOOK_ID)
    id: Id


class ChangedWebhook(Subscription):
    """What is to be different of a webhook."""

    model_config = example(**_REPORTS, id=examples.WEBHOOK_ID, status="Unsubscribed")
    id: Id
    url: Url = None
    status: Literal["Subscribed", "Unsubscribed"] | None = None


async def refuse(_: Platform, __: Caller, ___: Subscription) -> Response:
    """Say that no webhooks are called."""
    raise RequestError(409, _DISABLED)


async def list_webhooks(_: Platform, __: Caller, ___: Nothing) -> Response:
    """Return all webhooks: none."""
    return items([])


async def find(_: Platform, __: Caller, ___: OneWebhook) -> Response:
    """Find no webhook."""
    raise RequestError(404)


_UNSUBSCRIBED = examples.WEBHOOK | {"status": "Unsubscribed"}

ENDPOINTS = [
    Endpoint(
        "/webhooks.list",
        list_webhooks,
        Nothing,
        "List webhooks",
        shapes.Items[shapes.Webhook],
        may_be_empty=True,
    ),
    Endpoint("/webhooks.info", find, OneWebhook, "Get a webhook", shapes.Webhook, failures=(404,)),
    Endpoint(
        "/webhooks.subscribe",
        refuse,
        NewWebhook,
        "Subscribe a webhook",
        shapes.Webhook,
        failures=(409,),
    ),
    Endpoint(
        "/webhooks.update",
        refuse,
        ChangedWebhook,
        "Change a webhook",
        shapes.Webhook,
        examples={200: _UNSUBSCRIBED},
        failures=(404, 409),
    ),
    Endpoint(
        "/webhooks.unsubscribe",
        find,
        OneWebhook,
        "Unsubscribe a webhook",
        shapes.Webhook,
        examples={200: _UNSUBSCRIBED},
        failures=(404,),
    ),
]
