"""Commands about webhooks: carried out by the registry.

They hold signing keys, as those that connect channels hold tokens.
"""

import msgspec

from airy_ray.model.commands.base import Command
from airy_ray.model.webhook import Status


class SubscribeWebhook(Command, frozen=True, kw_only=True, tag="webhooks.subscribe"):
    """A webhook is to be called; one with a known id is replaced.

    Attributes:
        webhook_id: None for a new one.
        start_at: what happened before is not told; None for from now on.
        places: from where to read each partition's feed.
    """

    url: str
    webhook_id: str | None = None
    name: str | None = None
    headers: dict[str, str] = msgspec.field(default_factory=dict)
    events: tuple[str, ...] = ()
    signature_key: str | None = None
    filter: str | None = None
    start_at: int | None = None
    places: dict[int, int] = msgspec.field(default_factory=dict)


class UpdateWebhook(Command, frozen=True, kw_only=True, tag="webhooks.update"):
    """A webhook is to be changed; None leaves as it is, an empty filter finds all.

    Attributes:
        places: from where to read on if it is subscribed again.
    """

    webhook_id: str
    url: str | None = None
    name: str | None = None
    headers: dict[str, str] | None = None
    events: tuple[str, ...] | None = None
    signature_key: str | None = None
    filter: str | None = None
    status: Status | None = None
    places: dict[int, int] = msgspec.field(default_factory=dict)


class UnsubscribeWebhook(Command, frozen=True, kw_only=True, tag="webhooks.unsubscribe"):
    """A webhook is to be called no more."""

    webhook_id: str


class PauseWebhook(Command, frozen=True, kw_only=True, tag="webhooks.pause"):
    """A webhook is not to be called for a while; what happens meanwhile is told later."""

    webhook_id: str


class ResumeWebhook(Command, frozen=True, kw_only=True, tag="webhooks.resume"):
    """A webhook is to be called again, from where it was paused."""

    webhook_id: str


class RotateKey(Command, frozen=True, kw_only=True, tag="webhooks.rotate-key"):
    """A webhook's calls are to be signed with another key, and with the former for a while too."""

    webhook_id: str
    signature_key: str
    former_valid_s: int


class TestWebhook(Command, frozen=True, kw_only=True, tag="webhooks.test"):
    """A webhook is to be called with an event that says nothing."""

    __test__ = False  # of pytest's

    webhook_id: str


class ReplayWebhook(Command, frozen=True, kw_only=True, tag="webhooks.replay"):
    """A webhook is to be called again: with one event, a range of them, or what has failed.

    Attributes:
        event_id: of the one event.
        since, until: when the events of the range happened; `until` is not in it.
        failed_since: since when what has failed for good, or is still failing, did so first.
    """

    webhook_id: str
    event_id: str | None = None
    since: int | None = None
    until: int | None = None
    failed_since: int | None = None


class DisableWebhook(Command, frozen=True, kw_only=True, tag="webhooks.disable"):
    """The platform calls a webhook no more, for a reason; one that began anew since is called."""

    webhook_id: str
    began: int
    reason: str


WebhookCommand = (
    SubscribeWebhook
    | UpdateWebhook
    | UnsubscribeWebhook
    | PauseWebhook
    | ResumeWebhook
    | RotateKey
    | TestWebhook
    | ReplayWebhook
    | DisableWebhook
)
