"""What answers look like: for the documentation and the clients that are made of it.

Answers are put together from stored bytes, not from these models; tests hold the two together.
"""

from typing import Annotated, Any, Generic, Literal, TypeVar
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, RootModel

from airy_ray.serve.api import examples
from airy_ray.serve.api.examples import example

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

    model_config = example(message="not JSON: expected value at line 1 column 1")
    message: str


class Channel(Shape):
    """A channel: one account of ours at a source."""

    model_config = example(examples.CHANNEL)
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

    model_config = example(examples.MESSAGE)
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

    model_config = example(examples.CONVERSATION)
    id: UUID
    created_at: Instant
    channel: Channel | None
    metadata: Document
    last_message: Message


class FoundMessage(Shape):
    """A message that holds what was looked for."""

    model_config = example(
        message=examples.MESSAGE,
        conversation_id=examples.CONVERSATION_ID,
        snippet="Do you ship to <em>Iceland</em>?",
    )
    message: Message
    conversation_id: UUID
    snippet: str = Field(description="Where it does, as HTML: what was looked for is `<em>`.")


class Tag(Shape):
    """A tag."""

    model_config = example(id=examples.TAG_ID, name="vip", color="tag-red")
    id: UUID
    name: str
    color: Literal["tag-blue", "tag-red", "tag-green", "tag-purple"]


class Template(Shape):
    """A template."""

    model_config = example(
        id=examples.TEMPLATE_ID, name="Shipping", source="chatplugin", content=examples.ANSWER
    )
    id: UUID
    name: str
    source: str
    content: Content


class PostalAddress(Shape):
    """Where a contact lives or works."""

    organization_name: str | None
    address_line1: str | None
    address_line2: str | None
    postal_code: str | None
    city: str | None
    state: str | None
    country: str | None


class Contact(Shape):
    """A person, known by one identity for each conversation."""

    model_config = example(examples.CONTACT)
    id: UUID
    display_name: str | None
    avatar_url: str | None
    title: str | None
    gender: str | None
    timezone: int | None = Field(description="Hours from Greenwich.")
    locale: str | None
    organization_name: str | None
    via: dict[str, str] | None = Field(description="Ways to reach them: `phone`, `email`, any.")
    address: PostalAddress | None
    conversations: dict[UUID, str] | None = Field(description="Id of each, and its source.")
    metadata: Any
    created_at: int = Field(description="Milliseconds since 1970.")
    updated_at: int | None


class MergedContact(Contact):
    """A contact, with those whom it took over, as they were."""

    model_config = example(examples.MERGED_CONTACT)
    merge_history: list[Contact]


Progress = Literal["pending", "done"]


class Erasure(Shape):
    """How far the erasure of a person is."""

    model_config = example(
        id=examples.CONTACT_ID, state="pending", partitions={"00": "done", "01": "pending"}
    )
    id: UUID
    state: Progress = Field(description="Done once no file holds anything of the person.")
    partitions: dict[str, Progress]


class FacebookPage(Shape):
    """A page that somebody may connect."""

    model_config = example(
        page_id="104215698765432", name="Shop", image_url=examples.IMAGE_URL, connected=False
    )
    page_id: str
    name: str | None = None
    image_url: str | None = None
    connected: bool


class User(Shape):
    """Somebody who has logged in."""

    model_config = example(
        id="github:4403838",
        name="Grace",
        avatar_url=None,
        first_seen_at=examples.ASKED_AT,
        last_seen_at=examples.ANSWERED_AT,
    )
    id: str
    name: str | None
    avatar_url: str | None
    first_seen_at: Instant
    last_seen_at: Instant


class ApiToken(Shape):
    """What a program calls the API with, without its secret."""

    model_config = example(examples.API_TOKEN)
    id: UUID
    name: str
    scope: Literal["read", "write", "manage"]
    sources: list[str]
    channel_ids: list[UUID]
    requests_per_minute: int | None
    created_at: Instant
    created_by: str
    expires_at: Instant | None


class NewApiToken(ApiToken):
    """A token, with its secret, which is told only now."""

    model_config = example(
        examples.API_TOKEN | {"token": "airy_Zm9yLXRoZS1yZWFkZXItb2YtdGhlLWRvY3M"}
    )
    token: str


class Source(Shape):
    """A program that brings messages in as a source of its own, without its token."""

    model_config = example(examples.SOURCE)
    source_id: str
    token: str | None = Field(description="Null.")
    action_endpoint: str | None
    name: str | None
    image_url: str | None


class CreatedSource(Shape):
    """A source, with its token, which is told only now."""

    model_config = example(examples.SOURCE | {"token": examples.SOURCE_JWT})
    source_id: str
    token: str
    action_endpoint: str | None
    name: str | None
    image_url: str | None


class AuditEntry(Shape):
    """Who had what done, when, and what became of it."""

    model_config = example(
        at=examples.ANSWERED_AT,
        principal="airy-core-anonymous",
        action="conversations.mark-read",
        subject=examples.CONVERSATION_ID,
        status=204,
    )
    at: Instant
    principal: str
    action: str
    subject: str | None
    status: int


class AuditPagination(Shape):
    """Where to read on."""

    model_config = example(next_cursor=None)
    next_cursor: str | None


class AuditPage(Shape):
    """A page of the audit log."""

    data: list[AuditEntry]
    pagination_data: AuditPagination


class Uploaded(Shape):
    """A file that is kept."""

    model_config = example(
        media_url="https://airy.example/media/5d41402a-bc4b-8a76-b971-9d911017c592.png"
    )
    media_url: str = Field(description="Where it can be fetched, by anybody.")


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

    model_config = example(previous_cursor=None, next_cursor=None, total=1)
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

    model_config = example(token=examples.VISITOR_JWT, messages=[])
    token: str = Field(description="Good for an hour.")
    messages: list[Message] = Field(description="Oldest first; metadata is null.")


class ComeBack(Shape):
    """With what a visitor comes back."""

    model_config = example(resume_token=examples.VISITOR_JWT)
    resume_token: str = Field(description="Good for a week.")


class MessagesByConversation(RootModel[dict[UUID, Page[Message] | None]]):
    """Pages of messages, newest first, by conversation; null for one without messages."""

    model_config = example({examples.CONVERSATION_ID: examples.page(examples.BARE_MESSAGE)})
