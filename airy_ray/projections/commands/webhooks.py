"""Webhooks subscribed, changed, ordered to be called again: by the registry."""

from typing import Any

import msgspec

from airy_ray.clock import Millis
from airy_ray.model import json_text, webhook
from airy_ray.model.commands import (
    DisableWebhook,
    PauseWebhook,
    ReplayWebhook,
    ResumeWebhook,
    RotateKey,
    SubscribeWebhook,
    TestWebhook,
    UnsubscribeWebhook,
    UpdateWebhook,
)
from airy_ray.model.ids import CommandId, derived_id, parse_id
from airy_ray.model.webhook import Order, SigningKey, Webhook
from airy_ray.projections import changes
from airy_ray.projections.commands.outcome import (
    APPLIED,
    NOT_FOUND,
    NOTHING_NEW,
    Handler,
    Outcome,
)
from airy_ray.projections.messages import Effect
from airy_ray.projections.view import View

WEBHOOKS_MAX = 100
"""How many webhooks may be subscribed at once: each is called with everything by itself."""
ORDERS_MAX = 100
"""How many tests and replays of a webhook may be asked for within a day."""
_ORDERS_MS = 24 * 3_600_000

_TOO_MANY_ORDERS = Outcome(
    Effect("too many orders"),
    409,
    json_text.encode({"message": f"more than {ORDERS_MAX} tests and replays within a day"}),
)
_TOO_MANY = Outcome(
    Effect("too many webhooks"),
    409,
    json_text.encode({"message": f"more than {WEBHOOKS_MAX} webhooks are subscribed"}),
)
_NOT_CALLED = Outcome(
    Effect("not called"), 409, json_text.encode({"message": "the webhook is not subscribed"})
)


def subscribe(view: View, command: SubscribeWebhook, identifier: CommandId, at: Millis) -> Outcome:
    """Keep a webhook; nothing of one with this id that was before it stays."""
    named = command.webhook_id
    made = Webhook(
        id=derived_id(identifier, "webhook") if named is None else parse_id(named),
        url=command.url,
        name=command.name,
        headers=command.headers,
        events=command.events,
        keys=_only(command.signature_key),
        began=view.position,
        start_at=at if command.start_at is None else Millis(command.start_at),
        places=command.places,
        filter=command.filter or None,
    )
    return _TOO_MANY if _is_full(view, made.id) else _stored(view, made)


def update(view: View, command: UpdateWebhook, _: CommandId, at: Millis) -> Outcome:
    """Change what is given; one that is subscribed again hears of what happens from now on."""
    present = view.webhooks.get(parse_id(command.webhook_id))
    if present is None:
        return NOT_FOUND
    named = ("url", "name", "headers", "events", "filter")
    told: dict[str, Any] = {name: getattr(command, name) for name in named}
    changed = msgspec.structs.replace(
        present, **{name: value for name, value in told.items() if value is not None}
    )
    if command.signature_key is not None:
        changed = msgspec.structs.replace(changed, keys=_only(command.signature_key))
    if changed.filter == "":
        changed = msgspec.structs.replace(changed, filter=None)
    if command.status == "Unsubscribed":
        changed = msgspec.structs.replace(changed, status="Unsubscribed")
    elif command.status == "Subscribed" and present.status == "Unsubscribed":
        if _is_full(view, present.id):
            return _TOO_MANY
        changed = msgspec.structs.replace(
            changed, status="Subscribed", reason=None, began=view.position, places=command.places
        )
    return _stored(view, changed)


def unsubscribe(view: View, command: UnsubscribeWebhook, _: CommandId, __: Millis) -> Outcome:
    """Have a webhook called no more; it stays in the list."""
    return _replaced(view, command.webhook_id, status="Unsubscribed")


def pause(view: View, command: PauseWebhook, _: CommandId, __: Millis) -> Outcome:
    """Have a webhook called later."""
    return _replaced(view, command.webhook_id, is_paused=True)


def resume(view: View, command: ResumeWebhook, _: CommandId, __: Millis) -> Outcome:
    """Have a webhook called again."""
    return _replaced(view, command.webhook_id, is_paused=False)


def rotate_key(view: View, command: RotateKey, _: CommandId, at: Millis) -> Outcome:
    """Sign with another key from now on, and with the newest of the former for a while too."""
    present = view.webhooks.get(parse_id(command.webhook_id))
    if present is None:
        return NOT_FOUND
    until = Millis(at + command.former_valid_s * 1_000)
    former = [SigningKey(key.text, until) for key in present.keys[:1]]
    keys = (SigningKey(command.signature_key), *former)
    return _stored(view, msgspec.structs.replace(present, keys=keys))


def test(view: View, command: TestWebhook, _: CommandId, at: Millis) -> Outcome:
    """Have a webhook called with an event that says nothing."""
    return _ordered(view, command.webhook_id, Order(view.position, "test", at))


def replay(view: View, command: ReplayWebhook, _: CommandId, at: Millis) -> Outcome:
    """Have a webhook called again."""
    if command.event_id is not None:
        order = Order(view.position, "event", at, event_id=command.event_id)
    elif command.failed_since is not None:
        order = Order(view.position, "failed", at, Millis(command.failed_since))
    else:
        until = None if command.until is None else Millis(command.until)
        order = Order(view.position, "range", at, Millis(command.since or 0), until)
    return _ordered(view, command.webhook_id, order)


def disable(view: View, command: DisableWebhook, _: CommandId, at: Millis) -> Outcome:
    """Call a webhook no more, and tell so; unless it began anew after this was decided."""
    present = view.webhooks.get(parse_id(command.webhook_id))
    if present is None or present.status != "Subscribed" or present.began != command.began:
        return Outcome(NOTHING_NEW, 204)
    disabled = msgspec.structs.replace(present, status="Unsubscribed", reason=command.reason)
    changes.webhook_disabled(view, disabled, at)
    return _stored(view, disabled)


def _ordered(view: View, identifier: str, order: Order) -> Outcome:
    present = view.webhooks.get(parse_id(identifier))
    if present is None:
        return NOT_FOUND
    if present.status != "Subscribed":
        return _NOT_CALLED
    recent = tuple(each for each in present.orders if order.at - each.at < _ORDERS_MS)
    if len(recent) >= ORDERS_MAX:
        return _TOO_MANY_ORDERS
    view.webhooks.put(present.id, msgspec.structs.replace(present, orders=(*recent, order)))
    return Outcome(APPLIED, 202)


def _is_full(view: View, identifier: bytes) -> bool:
    """Whether one more cannot be called, beside those that are subscribed already."""
    subscribed = [row for _, row in view.webhooks.under(b"") if row.status == "Subscribed"]
    return sum(each.id != identifier for each in subscribed) >= WEBHOOKS_MAX


def _replaced(view: View, identifier: str, **fields: Any) -> Outcome:
    present = view.webhooks.get(parse_id(identifier))
    if present is None:
        return NOT_FOUND
    return _stored(view, msgspec.structs.replace(present, **fields))


def _stored(view: View, stored: Webhook) -> Outcome:
    view.webhooks.put(stored.id, stored)
    return Outcome(APPLIED, 200, webhook.rendered(stored))


def _only(key: str | None) -> tuple[SigningKey, ...]:
    return () if key is None else (SigningKey(key),)


HANDLERS: dict[type, Handler] = {
    SubscribeWebhook: subscribe,
    UpdateWebhook: update,
    UnsubscribeWebhook: unsubscribe,
    PauseWebhook: pause,
    ResumeWebhook: resume,
    RotateKey: rotate_key,
    TestWebhook: test,
    ReplayWebhook: replay,
    DisableWebhook: disable,
}
