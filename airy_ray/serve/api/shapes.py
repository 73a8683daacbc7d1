"""What answers look like: for the documentation and the clients that are made of it.

Answers are put together from stored bytes, not from these models; tests hold the two together.
"""

from typing import Annotated, Any, Generic, Literal, TypeVar
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

Instant = Annotated[
    str,
    Field(
        pattern=r"^-?\d{4,}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$",
        examples=["2025-11-21T08:00:00.000Z"],
        description="ISO 8601 in UTC, with milliseconds.",
    ),
]
Document = Annotated[
    dict[str, Any], Field(description="Metadata: nested objects; numbers are floating point.")
]
Content = Annotated[Any, Field(description="The message in its source's own form, any JSON.")]


class Shape(BaseModel):
    """What all have in common: everything that is declared is there, and nothing else is."""

    model_config = ConfigDict(extra="forbid")


class Problem(Shape):
    """Why a request was refused, in words for people."""

    message: str


class Channel(Shape):
    """A channel: one account of ours at a source."""

    id: UUID
    source: str = Field(examples=["facebook"])
    source_channel_id: str
    connected: bool
    metadata: Document | None


class Sender(Shape):
    """Who wrote a message: a contact as its source calls it, or a user or program of ours."""

    id: str
    name: str | None
    avatar_url: str | None


class Message(Shape):
    """A message."""

    id: UUID
    content: Content
    sent_at: Instant
    delivery_state: Literal["pending", "failed", "delivered"]
    from_contact: bool
    source: str
    metadata: Document | None
    sender: Sender


class Conversation(Shape):
    """A conversation with a contact on a channel."""

    id: UUID
    created_at: Instant
    channel: Channel | None
    metadata: Document
    last_message: Message


class Tag(Shape):
    """A tag."""

    id: UUID
    name: str
    color: Literal["tag-blue", "tag-red", "tag-green", "tag-purple"]


class Template(Shape):
    """A template."""

    id: UUID
    name: str
    source: str
    content: Content


Item = TypeVar("Item")


class Items(Shape, Generic[Item]):
    """A list that is not cut into pages."""

    data: list[Item]

    @classmethod
    def model_parametrized_name(cls, params: tuple[Any, ...]) -> str:
        """Return what the description calls a list of some items."""
        return f"{params[0].__name__}List"


class PaginationData(Shape):
    """Where a page lies in its list."""

    previous_cursor: str | None
    next_cursor: str | None = Field(description="The cursor of the next page; null on the last.")
    total: int = Field(description="How many items the whole list has.")


class Page(Shape, Generic[Item]):
    """A page of a list."""

    data: list[Item]
    pagination_data: PaginationData

    @classmethod
    def model_parametrized_name(cls, params: tuple[Any, ...]) -> str:
        """Return what the description calls a page of some items."""
        return f"{params[0].__name__}Page"


class VisitorEntered(Shape):
    """What a visitor of a website gets who is let in."""

    token: str = Field(description="Good for an hour.")
    messages: list[Message] = Field(description="Oldest first; metadata is null.")


class ComeBack(Shape):
    """With what a visitor comes back."""

    resume_token: str = Field(description="Good for a week.")


class Service(Shape):
    """One service, by its name in the reference."""

    enabled: bool
    healthy: bool
    component: str


class TagColor(Shape):
    """How a tag of one color looks: RGB, hexadecimal."""

    default: str
    background: str
    font: str
    position: int
    border: str


class TagConfig(Shape):
    """How tags look."""

    colors: dict[str, TagColor]


class UserProfile(Shape):
    """A user who is logged in."""

    id: str
    name: str | None
    avatar_url: str | None


class ClientConfig(Shape):
    """What runs here, how tags look, who is logged in, and the version."""

    services: dict[str, Service]
    user_profile: UserProfile | None
    tag_config: TagConfig
    cluster_version: str
