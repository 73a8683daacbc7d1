"""A webhook: whom the platform calls when something happens (contract: platform API §7.9, §10)."""

from typing import Any, Literal

import msgspec

from airy_ray.clock import Millis
from airy_ray.model import json_text
from airy_ray.model.ids import format_id

Status = Literal["Subscribed", "Unsubscribed"]


class SigningKey(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """What calls are signed with, until an instant; without one until a newer key takes over."""

    text: str
    until: Millis | None = None


class Order(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """Something that a webhook is to be called with once more, or to see whether it answers.

    Attributes:
        number: of the order; greater than of those before.
        since, until: the instants of events in a range, of failures with `failed`.
        event_id: the one event with `event`.
    """

    number: int
    kind: Literal["test", "event", "failed", "range"]
    at: Millis
    since: Millis = Millis(0)
    until: Millis | None = None
    event_id: str = ""


class Webhook(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """One webhook as the registry keeps it.

    Attributes:
        events: the types that it hears of; all if there are none.
        keys: newest first; none for calls that are not signed.
        began: the offset of the record from which on it is called; what was on its way for an
            earlier beginning is dropped.
        start_at: what happened before is not told.
        places: from where to read each partition's feed.
        filter: of conversations, in the language of lists; None for all.
        reason: why the platform has unsubscribed it.
        orders: of the last day, oldest first.
    """

    id: bytes
    url: str
    name: str | None
    headers: dict[str, str]
    events: tuple[str, ...]
    keys: tuple[SigningKey, ...]
    began: int
    start_at: Millis
    places: dict[int, int]
    status: Status = "Subscribed"
    filter: str | None = None
    is_paused: bool = False
    reason: str | None = None
    orders: tuple[Order, ...] = ()

    @property
    def is_called(self) -> bool:
        """Whether it is called now."""
        return self.status == "Subscribed" and not self.is_paused


CORRECTIONS = ("message.corrected", "conversation.corrected")
"""What history that was processed again shows differently: only who asks for it by name hears."""


def wants(webhook: Webhook, kind: str) -> bool:
    """Whether a webhook hears of events of a type."""
    return kind in webhook.events or not (webhook.events or kind in CORRECTIONS)


def good_keys(webhook: Webhook, at: Millis) -> list[str]:
    """Return the keys that calls are signed with at an instant, newest first."""
    return [key.text for key in webhook.keys if key.until is None or at < key.until]


def shown(webhook: Webhook) -> dict[str, Any]:
    """Return a webhook as the API shows it: without its keys."""
    return {
        "id": format_id(webhook.id),
        "name": webhook.name,
        "status": webhook.status,
        "url": webhook.url,
        "headers": webhook.headers,
        "events": list(webhook.events),
        "filter": webhook.filter,
        "paused": webhook.is_paused,
        "reason": webhook.reason,
    }


def about_disabled(webhook: Webhook) -> dict[str, Any]:
    """Return what is told of a webhook that the platform has unsubscribed."""
    return {"id": format_id(webhook.id), "name": webhook.name, "reason": webhook.reason}


def rendered(webhook: Webhook) -> bytes:
    """Return the same as JSON."""
    return json_text.unshield(json_text.encode(shown(webhook)))
