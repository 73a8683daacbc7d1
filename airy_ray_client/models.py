"""What endpoints answer.

Made of the API's description by `make clients`.
"""

from __future__ import annotations

from typing import Any, Literal
from uuid import UUID

from pydantic import Field, RootModel

from airy_ray_client.model import Model


class ApiToken(Model):
    """What a program calls the API with, without its secret."""

    id: UUID
    name: str
    scope: Literal["read", "write", "manage"]
    sources: list[str]
    channel_ids: list[UUID]
    requests_per_minute: int | None
    created_at: str
    """ISO 8601 in UTC, with milliseconds."""
    created_by: str
    expires_at: str | None


class ApiTokenList(Model):
    """What the description calls ApiTokenList."""

    data: list[ApiToken]


class AttemptsPage(Model):
    """A page of a webhook's calls."""

    data: list[WebhookAttempt]
    pagination_data: AuditPagination


class AuditEntry(Model):
    """Who had what done, when, and what became of it."""

    at: str
    """ISO 8601 in UTC, with milliseconds."""
    principal: str
    action: str
    subject: str | None
    status: int


class AuditPage(Model):
    """A page of the audit log."""

    data: list[AuditEntry]
    pagination_data: AuditPagination


class AuditPagination(Model):
    """Where to read on."""

    next_cursor: str | None


class Channel(Model):
    """A channel: one account of ours at a source."""

    id: UUID
    source: str
    source_channel_id: str
    connected: bool
    metadata: dict[str, Any] | None


class ChannelList(Model):
    """What the description calls ChannelList."""

    data: list[Channel]


class ClientConfig(Model):
    """What runs here, how tags look, who is logged in, and the version."""

    services: dict[str, Service]
    user_profile: UserProfile | None
    tag_config: TagConfig
    cluster_version: str


class ComeBack(Model):
    """With what a visitor comes back."""

    resume_token: str
    """Good for a week."""


class Component(Model):
    """A part of the platform, as the control center shows it; keys as the reference has them."""

    name: str
    display_name: str = Field(alias="displayName")
    description: str
    description_de: str = Field(alias="descriptionDE")
    description_fr: str = Field(alias="descriptionFR")
    description_es: str = Field(alias="descriptionES")
    category: str
    price: str
    available_for: str | None = Field(alias="availableFor")
    docs: str | None
    source: str | None
    repository: str
    is_channel: str | None = Field(alias="isChannel")
    is_app: str | None = Field(alias="isApp")
    internal_ui: str | None = Field(alias="internalUI")
    configuration_values: str = Field(alias="configurationValues")
    installation_status: str = Field(alias="installationStatus")


class ComponentSettings(Model):
    """How components are set up, by name; secrets are masked."""

    components: dict[str, dict[str, str]]


class Components(Model):
    """All components, by name."""

    components: dict[str, Component]


class Contact(Model):
    """A person, known by one identity for each conversation."""

    id: UUID
    display_name: str | None
    avatar_url: str | None
    title: str | None
    gender: str | None
    timezone: int | None
    """Hours from Greenwich."""
    locale: str | None
    organization_name: str | None
    via: dict[str, str] | None
    """Ways to reach them: `phone`, `email`, any."""
    address: PostalAddress | None
    conversations: dict[str, str] | None
    """Id of each, and its source."""
    metadata: Any
    created_at: int
    """Milliseconds since 1970."""
    updated_at: int | None


class ContactList(Model):
    """What the description calls ContactList."""

    data: list[Contact]


class ContactPage(Model):
    """What the description calls ContactPage."""

    data: list[Contact]
    pagination_data: PaginationData


class Conversation(Model):
    """A conversation with a contact on a channel."""

    id: UUID
    created_at: str
    """ISO 8601 in UTC, with milliseconds."""
    channel: Channel | None
    metadata: dict[str, Any]
    """Metadata: nested objects; numbers are floating point."""
    last_message: Message


class ConversationPage(Model):
    """What the description calls ConversationPage."""

    data: list[Conversation]
    pagination_data: PaginationData


class CreatedSource(Model):
    """A source, with its token, which is told only now."""

    source_id: str
    token: str
    action_endpoint: str | None
    name: str | None
    image_url: str | None


class Differing(Model):
    """How many rows of a table differ."""

    table: str
    source: str
    only_before: int
    only_after: int
    changed: int


class DifferingRow(Model):
    """A row that differs; `before` and `after` are JSON text, of a changed row its `fields`."""

    table: str
    source: str
    id: str
    fields: list[str]
    before: str | None
    after: str | None


class Erasure(Model):
    """How far the erasure of a person is."""

    id: UUID
    state: Literal["pending", "done"]
    """Done once no file holds anything of the person."""
    partitions: dict[str, Literal["pending", "done"]]


class FacebookPage(Model):
    """A page that somebody may connect."""

    page_id: str
    name: str | None = Field(default=None)
    image_url: str | None = Field(default=None)
    connected: bool


class FacebookPageList(Model):
    """What the description calls FacebookPageList."""

    data: list[FacebookPage]


class FoundMessage(Model):
    """A message that holds what was looked for."""

    message: Message
    conversation_id: UUID
    snippet: str
    """Where it does, as HTML: what was looked for is `<em>`."""


class FoundMessagePage(Model):
    """What the description calls FoundMessagePage."""

    data: list[FoundMessage]
    pagination_data: PaginationData


class Generation(Model):
    """A generation of a partition's rows."""

    generation: int
    projection: int
    """The version of the code that made its rows."""
    applied: int
    """How many records of the log are in it."""
    origin: GenerationOrigin | None
    """null if its release did not note it."""


class GenerationOrigin(Model):
    """What a generation was made of, and by whom."""

    kind: str
    """live, replay, upgrade, restore, repair or erasure."""
    release: str
    """Of airy-ray."""
    at: str
    until: int
    """The offset up to which it was made of history, at once."""
    run: int | None = Field(default=None)
    """The number of the replay."""
    selection: ReplaySelection | None = Field(default=None)


class Generations(Model):
    """The generations of all partitions, and of which version this release is."""

    projection: int
    """The version that this release makes."""
    readable_since: int
    """The oldest one that it serves and goes on with."""
    partitions: list[PartitionGenerations]


class LedgerEntry(Model):
    """A record, and what became of it."""

    id: str
    """Its partition and its offset there."""
    received_at: str
    """ISO 8601 in UTC, with milliseconds."""
    kind: Literal["webhook", "command", "outcome", "timer", "forward", "channel", "swap", "lost"]
    source: str
    """`api` for commands."""
    body_bytes: int
    payload_id: str
    """Digest of the body: the same for the same body."""
    verdict: Literal["applied", "ignored", "quarantined"]
    reasons: list[str]
    """Why parts of it, or all, came to nothing."""
    message_ids: list[UUID]
    """Messages that it made or changed."""


class LedgerPage(Model):
    """A page of the ledger."""

    data: list[LedgerEntry]
    pagination_data: AuditPagination


class LedgerRecord(Model):
    """A record with its body; `verdict` is null once it is too old for the ledger."""

    id: str
    """Its partition and its offset there."""
    received_at: str
    """ISO 8601 in UTC, with milliseconds."""
    kind: Literal["webhook", "command", "outcome", "timer", "forward", "channel", "swap", "lost"]
    source: str
    body_bytes: int
    payload_id: str
    verdict: Literal["applied", "ignored", "quarantined"] | None
    reasons: list[str]
    message_ids: list[UUID]
    repeats: str | None
    """The record of which this is a repetition."""
    body_base64: str | None
    """What came in, byte for byte; null where no source sent it, or it was erased."""
    body_text: str | None
    """The same as text, where it is UTF-8."""


class MergedContact(Model):
    """A contact, with those whom it took over, as they were."""

    id: UUID
    display_name: str | None
    avatar_url: str | None
    title: str | None
    gender: str | None
    timezone: int | None
    """Hours from Greenwich."""
    locale: str | None
    organization_name: str | None
    via: dict[str, str] | None
    """Ways to reach them: `phone`, `email`, any."""
    address: PostalAddress | None
    conversations: dict[str, str] | None
    """Id of each, and its source."""
    metadata: Any
    created_at: int
    """Milliseconds since 1970."""
    updated_at: int | None
    merge_history: list[Contact]


class Message(Model):
    """A message."""

    id: UUID
    content: Any
    """The message in its source's own form, any JSON."""
    sent_at: str
    """ISO 8601 in UTC, with milliseconds."""
    delivery_state: Literal["pending", "failed", "delivered"]
    from_contact: bool
    source: str
    metadata: dict[str, Any] | None
    sender: Sender


class MessagePage(Model):
    """What the description calls MessagePage."""

    data: list[Message]
    pagination_data: PaginationData


class MessagesByConversation(RootModel[dict[str, MessagePage | None]]):
    """Pages of messages, newest first, by conversation; null for one without messages."""


class NewApiToken(Model):
    """A token, with its secret, which is told only now."""

    id: UUID
    name: str
    scope: Literal["read", "write", "manage"]
    sources: list[str]
    channel_ids: list[UUID]
    requests_per_minute: int | None
    created_at: str
    """ISO 8601 in UTC, with milliseconds."""
    created_by: str
    expires_at: str | None
    token: str


class PaginationData(Model):
    """Where a page lies in its list."""

    previous_cursor: str | None
    next_cursor: str | None
    """The cursor of the next page; null on the last."""
    total: int
    """How many items the whole list has."""


class PartitionGenerations(Model):
    """The generations of one partition."""

    partition: str
    present: Generation | None
    """The one that is served."""
    former: list[Generation]
    """Those that are kept to roll back to."""


class PostalAddress(Model):
    """Where a contact lives or works."""

    organization_name: str | None
    address_line1: str | None
    address_line2: str | None
    postal_code: str | None
    city: str | None
    state: str | None
    country: str | None


class QuarantineFault(Model):
    """Why a record is in quarantine."""

    id: str
    """Its partition and its offset there."""
    received_at: str
    """ISO 8601 in UTC, with milliseconds."""
    error: str
    kind: Literal["webhook", "command", "outcome", "timer", "forward", "channel", "swap", "lost"]
    source: str
    body_bytes: int
    payload_id: str
    traceback: str
    """Where in the code it was raised; never what it read."""


class QuarantinePage(Model):
    """A page of the quarantine."""

    data: list[QuarantinedRecord]
    pagination_data: QuarantinePagination


class QuarantinePagination(Model):
    """Where to read on, and how many records are in quarantine."""

    next_cursor: str | None
    total: int


class QuarantinedRecord(Model):
    """A record in quarantine."""

    id: str
    """Its partition and its offset there."""
    received_at: str
    """ISO 8601 in UTC, with milliseconds."""
    error: str


class ReplayPart(Model):
    """How far one partition is."""

    partition: str
    phase: str
    done: int | None = Field(default=None)
    """Records; a part of the history is read twice."""
    total: int | None = Field(default=None)
    per_second: float | None = Field(default=None)
    conversations: int | None = Field(default=None)
    """Of how many the history was folded again; null if of all."""
    messages: int | None = Field(default=None)
    vanishing: int | None = Field(default=None)
    """Messages that would be gone."""
    unsent: int | None = Field(default=None)
    """Messages that would have been sent, and are not."""
    misrouted: int | None = Field(default=None)
    """Bodies that belong elsewhere."""
    pause_ms: float | None = Field(default=None)
    """How long its owner paused for the swap."""
    error: str | None = Field(default=None)


class ReplaySelection(Model):
    """What part of history was taken; all of it, if this says nothing."""

    sources: list[str] | None = Field(default=None)
    channels: list[bytes] | None = Field(default=None)
    conversations: list[bytes] | None = Field(default=None)
    since: str | None = Field(default=None)
    until: str | None = Field(default=None)
    quarantined: bool | None = Field(default=None)


class ReplayStatus(Model):
    """How far a replay is, and what differs."""

    run: int
    """Its number."""
    phase: str
    """That of the slowest partition."""
    selection: ReplaySelection
    rollback_until: str | None
    """How long what was before the swap is kept; null if nothing is."""
    conversations: int | None
    """How many are of what was selected; null if all, or not known yet."""
    vanishing: float
    """The share of all messages that would be gone."""
    partitions: list[ReplayPart]
    differences: list[Differing]
    samples: list[DifferingRow]


class Sender(Model):
    """Who wrote a message: a contact as its source calls it, or a user or program of ours."""

    id: str
    name: str | None
    avatar_url: str | None


class Service(Model):
    """One service, by its name in the reference."""

    enabled: bool
    healthy: bool
    component: str


class Source(Model):
    """A program that brings messages in as a source of its own, without its token."""

    source_id: str
    token: str | None
    """Null."""
    action_endpoint: str | None
    name: str | None
    image_url: str | None


class SourceList(Model):
    """What the description calls SourceList."""

    data: list[Source]


class Tag(Model):
    """A tag."""

    id: UUID
    name: str
    color: Literal["tag-blue", "tag-red", "tag-green", "tag-purple"]


class TagColor(Model):
    """How a tag of one color looks: RGB, hexadecimal."""

    default: str
    background: str
    font: str
    position: int
    border: str


class TagConfig(Model):
    """How tags look."""

    colors: dict[str, TagColor]


class TagList(Model):
    """What the description calls TagList."""

    data: list[Tag]


class Template(Model):
    """A template."""

    id: UUID
    name: str
    source: str
    content: Any
    """The message in its source's own form, any JSON."""


class TemplateList(Model):
    """What the description calls TemplateList."""

    data: list[Template]


class Uploaded(Model):
    """A file that is kept."""

    media_url: str
    """Where it can be fetched, by anybody."""


class User(Model):
    """Somebody who has logged in."""

    id: str
    name: str | None
    avatar_url: str | None
    first_seen_at: str
    """ISO 8601 in UTC, with milliseconds."""
    last_seen_at: str
    """ISO 8601 in UTC, with milliseconds."""


class UserPage(Model):
    """What the description calls UserPage."""

    data: list[User]
    pagination_data: PaginationData


class UserProfile(Model):
    """A user who is logged in."""

    id: str
    name: str | None
    avatar_url: str | None


class VisitorEntered(Model):
    """What a visitor of a website gets who is let in."""

    token: str
    """Good for an hour."""
    messages: list[Message]
    """Oldest first; metadata is null."""


class Webhook(Model):
    """Somebody who is called when something happens; the key is never told."""

    id: UUID
    name: str | None
    status: Literal["Subscribed", "Unsubscribed"]
    url: str
    headers: dict[str, str]
    events: list[
        Literal[
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
    ]
    filter: str | None
    """Of conversations; null for all."""
    paused: bool
    reason: str | None
    """Why the platform has unsubscribed it."""


class WebhookAttempt(Model):
    """One call of a webhook, and what came of it."""

    event_id: str
    """What `webhook-id` said; the same on every attempt."""
    type: str | None
    subject: UUID | None
    """The message, conversation or channel."""
    at: str
    """ISO 8601 in UTC, with milliseconds."""
    number: int
    took_ms: int
    status: int | None
    """Null if there was no answer."""
    error: str | None
    answer: str | None
    """The first 1,024 bytes of its body; null if there was none, or it is erased."""
    outcome: Literal["delivered", "failed", "dead"]
    """`failed` is tried again, `dead` is not."""
    out_of_order: bool
    """Whether later events of it went before it."""


class WebhookGap(Model):
    """What a webhook did not hear of, because it was too old when its turn came."""

    partition: int
    from_: int = Field(alias="from")
    to: int
    noticed_at: str
    """ISO 8601 in UTC, with milliseconds."""


class WebhookList(Model):
    """What the description calls WebhookList."""

    data: list[Webhook]


class WebhookStatus(Model):
    """How a webhook is doing."""

    id: UUID
    delivered: int
    failed_attempts: int
    waiting: int
    """Events that are tried again, and those behind them."""
    dead: int
    """Events that have failed for good; `webhooks.replay` has them."""
    behind: int
    """Records of which it has not been told."""
    delivered_at: str | None
    failing_since: str | None
    """Since when every call has failed."""
    gaps: list[WebhookGap]
