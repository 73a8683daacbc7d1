"""What endpoints answer.

Made of the API's description by `make clients`.
"""

from __future__ import annotations

from typing import Any, Literal
from uuid import UUID

from airy_ray_client.model import Model


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


class PaginationData(Model):
    """Where a page lies in its list."""

    previous_cursor: str | None
    next_cursor: str | None
    """The cursor of the next page; null on the last."""
    total: int
    """How many items the whole list has."""


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
