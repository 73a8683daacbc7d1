"""What the API answers about webhooks, for the documentation."""

from typing import Literal
from uuid import UUID

from pydantic import Field

from airy_ray.serve.api import examples
from airy_ray.serve.api.examples import example
from airy_ray.serve.api.shapes import AuditPagination, Instant, Shape

EventType = Literal[
    "message.created",
    "message.updated",
    "conversation.updated",
    "channel.updated",
    "tag.updated",
    "metadata.item",
    "metadata.updated",
    "component.updated",
    "webhook.disabled",
    "message.corrected",
    "conversation.corrected",
]


class Webhook(Shape):
    """Somebody who is called when something happens; the key is never told."""

    model_config = example(examples.WEBHOOK)
    id: UUID
    name: str | None
    status: Literal["Subscribed", "Unsubscribed"]
    url: str
    headers: dict[str, str]
    events: list[EventType]
    filter: str | None = Field(description="Of conversations; null for all.")
    paused: bool
    reason: str | None = Field(description="Why the platform has unsubscribed it.")


class WebhookAttempt(Shape):
    """One call of a webhook, and what came of it."""

    model_config = example(examples.WEBHOOK_ATTEMPT)
    event_id: str = Field(description="What `webhook-id` said; the same on every attempt.")
    type: str | None
    subject: UUID | None = Field(description="The message, conversation or channel.")
    at: Instant
    number: int
    took_ms: int
    status: int | None = Field(description="Null if there was no answer.")
    error: str | None
    answer: str | None = Field(
        description="The first 1,024 bytes of its body; null if there was none, or it is erased."
    )
    outcome: Literal["delivered", "failed", "dead"] = Field(
        description="`failed` is tried again, `dead` is not."
    )
    out_of_order: bool = Field(description="Whether later events of it went before it.")


class WebhookGap(Shape):
    """What a webhook did not hear of, because it was too old when its turn came."""

    model_config = example(
        {"partition": 0, "from": 65536, "to": 131072, "noticed_at": examples.ANSWERED_AT}
    )
    partition: int
    start: int = Field(alias="from")
    end: int = Field(alias="to")
    noticed_at: Instant


class WebhookStatus(Shape):
    """How a webhook is doing."""

    model_config = example(
        id=examples.WEBHOOK_ID,
        delivered=1200,
        failed_attempts=3,
        waiting=1,
        dead=0,
        behind=0,
        delivered_at=examples.ANSWERED_AT,
        failing_since=None,
        gaps=[],
    )
    id: UUID
    delivered: int
    failed_attempts: int
    waiting: int = Field(description="Events that are tried again, and those behind them.")
    dead: int = Field(description="Events that have failed for good; `webhooks.replay` has them.")
    behind: int = Field(description="Records of which it has not been told.")
    delivered_at: Instant | None
    failing_since: Instant | None = Field(description="Since when every call has failed.")
    gaps: list[WebhookGap]


class AttemptsPage(Shape):
    """A page of a webhook's calls."""

    data: list[WebhookAttempt]
    pagination_data: AuditPagination
