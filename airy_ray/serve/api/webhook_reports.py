"""How webhooks are doing: their attempts, what waits for them, and metrics of that.

All is read from what the publisher has written, a tenth of a second ago at most.
"""

from collections.abc import Iterator
from contextlib import contextmanager, suppress

from prometheus_client import CollectorRegistry, Gauge

from airy_ray.clock import Millis, now_millis
from airy_ray.cluster.webhook_answers import answers_to
from airy_ray.cluster.webhook_backlog import (
    TABLES,
    Attempt,
    Gap,
    Standing,
    attempts_of,
    places_of,
    standing_of,
)
from airy_ray.cluster.webhook_spec import backlog_directory
from airy_ray.errors import AiryError, RequestError
from airy_ray.model import json_text
from airy_ray.model.ids import REGISTRY, format_id
from airy_ray.model.webhook import Webhook
from airy_ray.projections import keys
from airy_ray.serve.api import webhook_shapes
from airy_ray.serve.api.endpoint import Endpoint, OptionalText
from airy_ray.serve.api.examples import WEBHOOK_ID, example
from airy_ray.serve.api.paging import size_of
from airy_ray.serve.api.platform import Caller, Platform
from airy_ray.serve.api.webhook_subscriptions import OneWebhook
from airy_ray.serve.http import Response
from airy_ray.state.queries import Reading
from airy_ray.storage.shelf import Shelf

_PAGE_SIZE = 20
_PLACE_BYTES = 10


class AttemptsOf(OneWebhook):
    """Whose attempts."""

    model_config = example(id=WEBHOOK_ID, page_size=20)
    cursor: OptionalText = None
    page_size: int | None = _PAGE_SIZE


async def attempts(platform: Platform, _: Caller, asked: AttemptsOf) -> Response:
    """Return what a webhook was called with and what came of it, newest first; the last 10,000.

    What was answered about somebody goes when they are erased.
    """
    await _known(platform, asked.id)
    limit = platform.settings.limits.page_size
    size = size_of(asked.page_size, limit=limit, default=_PAGE_SIZE)
    before = asked.id + _before(asked.cursor)
    with _shelf(platform) as shelf:
        rows = [] if shelf is None else attempts_of(shelf, asked.id, before, size + 1)
    following = rows[size - 1][0].removeprefix(asked.id).hex() if len(rows) > size > 0 else None
    answers = answers_to(platform.machine.spec.partitions[0].answers, rows[:size])
    both = zip(rows[:size], answers, strict=True)
    shown = b",".join(json_text.encode(_attempt(attempt, text)) for (_, attempt), text in both)
    told = json_text.encode({"next_cursor": following})
    return Response(body=b'{"data":[%b],"pagination_data":%b}' % (shown, told))


async def status(platform: Platform, _: Caller, asked: OneWebhook) -> Response:
    """Return how a webhook is doing: what was delivered, what waits, what it did not hear of."""
    webhook = await _known(platform, asked.id)
    with _shelf(platform) as shelf:
        standing = Standing() if shelf is None else standing_of(shelf, webhook.id)
        behind = _behind(platform, shelf, webhook)
    shown = {
        "id": format_id(webhook.id),
        "delivered": standing.delivered,
        "failed_attempts": standing.failed,
        "waiting": standing.waiting,
        "dead": standing.dead,
        "behind": behind,
        "delivered_at": _instant(standing.delivered_at),
        "failing_since": _instant(standing.failing_since),
        "gaps": [_gap(each) for each in standing.gaps],
    }
    return Response(body=json_text.encode(shown))


def gauges(platform: Platform, registry: CollectorRegistry) -> None:
    """Add what can be measured of each webhook that is called."""
    label = ("webhook",)
    told = {
        name: Gauge(f"airy_publisher_{name}", about, label, registry=registry)
        for name, about in (
            ("delivered", "Events that a webhook took"),
            ("failed_attempts", "Calls to a webhook that failed"),
            ("waiting", "Events that wait for a webhook because it failed"),
            ("dead", "Events that have failed for good"),
            ("behind", "Records of which a webhook has not been told"),
            ("failing_seconds", "For how long all calls to a webhook have failed"),
            ("disabled", "Whether the platform has unsubscribed a webhook"),
        )
    }
    with suppress(AiryError), _shelf(platform) as shelf:
        for webhook in platform.machine.registry.webhooks().values():
            for name, figure in _measured(platform, shelf, webhook).items():
                told[name].labels(format_id(webhook.id)).set(figure)


def _measured(platform: Platform, shelf: Shelf | None, webhook: Webhook) -> dict[str, float]:
    disabled = {"disabled": float(webhook.reason is not None)}
    if webhook.status != "Subscribed" or shelf is None:
        return disabled
    standing = standing_of(shelf, webhook.id)
    since = standing.failing_since
    return disabled | {
        "delivered": standing.delivered,
        "failed_attempts": standing.failed,
        "waiting": standing.waiting,
        "dead": standing.dead,
        "behind": _behind(platform, shelf, webhook),
        "failing_seconds": 0 if since is None else max(now_millis() - since, 0) / 1_000,
    }


async def _known(platform: Platform, identifier: bytes) -> Webhook:
    stored = await platform.partitions.ask_registry(Reading.webhook, identifier)
    if stored is None:
        raise RequestError(404)
    return stored


@contextmanager
def _shelf(platform: Platform) -> Iterator[Shelf | None]:
    """Open what the publisher has written, if it has written anything."""
    try:
        shelf = Shelf(backlog_directory(platform.settings.data), TABLES, create=False)
    except FileNotFoundError:
        yield None
        return
    try:
        yield shelf
    finally:
        shelf.close()


def _behind(platform: Platform, shelf: Shelf | None, webhook: Webhook) -> int:
    """Return how many records came after what a webhook has been told of."""
    places = {} if shelf is None else places_of(shelf, webhook)
    behind = 0
    for index, access in platform.machine.partitions.items():
        begun = places.get(index, webhook.places.get(int(index), 0))
        with access.reader.read() as view:
            if begun:
                behind += max(view.applied() - keys.position(begun), 0)
            elif index != REGISTRY:
                behind += view.applied()
    return behind


def _before(cursor: str | None) -> bytes:
    if cursor is None:
        return b"\xff" * _PLACE_BYTES
    try:
        before = bytes.fromhex(cursor)
    except ValueError:
        before = b""
    if len(before) != _PLACE_BYTES:
        raise RequestError(400, "cursor: not a cursor")
    return before


def _attempt(attempt: Attempt, answer: str | None) -> dict[str, object]:
    return {
        "event_id": attempt.event_id,
        "type": attempt.kind or None,
        "subject": format_id(attempt.subject) if attempt.subject else None,
        "at": json_text.instant(attempt.at),
        "number": attempt.number,
        "took_ms": attempt.took_ms,
        "status": attempt.status,
        "error": attempt.error or None,
        "answer": answer,
        "outcome": attempt.fate,
        "out_of_order": attempt.is_aside,
    }


def _gap(gap: Gap) -> dict[str, object]:
    return {
        "partition": gap.partition,
        "from": gap.first,
        "to": gap.end,
        "noticed_at": json_text.instant(gap.noticed_at),
    }


def _instant(at: Millis | None) -> str | None:
    return None if at is None else json_text.instant(at)


ENDPOINTS = [
    Endpoint(
        "/webhooks.attempts",
        attempts,
        AttemptsOf,
        "List a webhook's calls",
        webhook_shapes.AttemptsPage,
        failures=(404,),
    ),
    Endpoint(
        "/webhooks.status",
        status,
        OneWebhook,
        "Get how a webhook is doing",
        webhook_shapes.WebhookStatus,
        failures=(404,),
    ),
]
