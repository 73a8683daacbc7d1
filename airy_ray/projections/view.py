"""The views of a partition as projections see them: tables of rows, and what a record tells."""

from typing import Protocol, TypeVar

import msgspec

from airy_ray.clock import Micros, Millis
from airy_ray.model.api_token import ApiToken
from airy_ray.model.channel import Channel
from airy_ray.model.contact import Contact, Identity, Merge
from airy_ray.model.conversation import Conversation
from airy_ray.model.custom_source import CustomSource
from airy_ray.model.events import Place
from airy_ray.model.ids import CommandId, ContactId, ConversationId, MessageId, Slot
from airy_ray.model.message import Message
from airy_ray.model.metadata import MetadataItem
from airy_ray.model.tag import Tag
from airy_ray.model.template import Template
from airy_ray.model.user import User
from airy_ray.model.webhook import Webhook

Row = TypeVar("Row")


class Change(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """One entry of the change feed.

    Attributes:
        kind: the event's type on the wire, `message.created` and so on.
        conversation_id: whose change it is; None for what belongs to no conversation.
        event: the JSON that WebSocket clients receive (contract: platform API §9.2).
        contact_id: of one whose row is another now, or gone.
    """

    kind: str
    conversation_id: ConversationId | None
    message_id: MessageId | None
    event: bytes
    contact_id: ContactId | None = None


class Answer(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """What the caller of a command gets.

    Attributes:
        digest: of what was asked; a repeated id with another digest was meant for something else.
        status: HTTP status.
        body: JSON, or empty.
        at: when it was given: by the records' time, for a rebuilt state must forget it at the same
            place in the log.
    """

    digest: bytes
    status: int
    body: bytes = b""
    at: Millis = Millis(0)


class AuditEntry(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """Who wanted what done: never what a message says.

    Attributes:
        action: the command, `conversations.mark-read` and so on.
        subject: the id of what it is about, or of what it made.
        status: what its caller was answered, as an HTTP status.
    """

    at: Millis
    principal: str
    action: str
    subject: str | None
    status: int


class Timer(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """What is to happen at an instant: an event that was put off, encoded."""

    event: bytes


class Outgoing(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """A record for another partition's log; `slot` None means every partition's."""

    slot: Slot | None
    kind: str
    source: str
    body: bytes


class Waiting(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """A record that could not be routed yet, by its position in this partition's log."""

    offset: int
    received_at: Millis


class Dispatch(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """A message of ours that its source has still to take.

    Attributes:
        since: when it became pending, which a resend does anew.
        position: of the record that made it pending; in a conversation the lower goes first.
        attempts: how many calls to its source were begun.
        courier: whose the last of them is, while its outcome is not known.
        is_read_receipt: it is a message of the contact's, and its source is to be told that it was
            read.
    """

    place: Place
    since: Millis
    position: int
    attempts: int = 0
    courier: int | None = None
    is_read_receipt: bool = False


class WantedProfile(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """The profile of a conversation's contact, which its source is still to be asked for.

    Attributes:
        since: when it came to be wanted.
        due_at: not before that.
        tries: how often the source did not tell it.
    """

    place: Place
    since: Millis
    due_at: Millis
    tries: int = 0


class Held(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """Messages of ours for a conversation that nobody has heard of yet, oldest first."""

    messages: tuple[Message, ...]


class Receipt(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """A receipt that came before its message was known under its source's id.

    Attributes:
        reason: why the message has failed, for people; `answer`, as the source told it.
    """

    state: str
    received_at: Millis
    reason: str = ""
    answer: str = ""


class KnownChannel(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """What `channel` records told this partition of a channel."""

    source: str
    source_channel_id: str
    connected: bool


class Tombstone(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """That a conversation or a contact was erased.

    Attributes:
        at: what was sent until then is not taken again.
        offset: of the record that says so.
        sweeps_at: when what was sent before and came after is to be erased too; None if nothing is.
        late: of this, the offset before which all goes.
    """

    at: Millis
    offset: int
    sweeps_at: Millis | None = None
    late: int = 0


class Erasure(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """Conversations and contacts that the record at this offset erased.

    Attributes:
        conversations: with each the offset before which all of it goes; after that only what was
            sent until `at`.
    """

    conversations: tuple[tuple[ConversationId, int], ...]
    contacts: tuple[ContactId, ...]
    at: Millis
    received_at: Millis


class Fault(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """Why a record is in quarantine: the error's type, where it happened, never what it read.

    Attributes:
        timer: under which key that is kept which fell due, of a record that tells of a timer.
    """

    error: str
    traceback: str
    at: Micros
    timer: bytes | None = None


class Rows(Protocol[Row]):
    """One table: rows by key, in the order of their keys' bytes."""

    def get(self, key: bytes) -> Row | None:
        """Return the row under `key`."""
        ...

    def under(self, prefix: bytes) -> list[tuple[bytes, Row]]:
        """Return the rows whose keys start with `prefix`, in order."""
        ...

    def put(self, key: bytes, row: Row) -> None:
        """Set the row under `key`."""
        ...

    def delete(self, key: bytes) -> None:
        """Remove the row under `key`, if it is there."""
        ...


class View(Protocol):
    """All tables of a partition, with the writes of this batch in them (design: §4)."""

    conversations: Rows[Conversation]
    conversations_by_time: Rows[bytes]
    messages: Rows[Message]
    message_keys: Rows[bytes]
    source_ids: Rows[bytes]
    early: Rows[bytes]
    """Messages that have metadata before they exist, by message id."""
    metadata: Rows[MetadataItem]
    unread: Rows[bytes]
    unseen: Rows[bytes]
    receipts: Rows[Receipt]
    contacts: Rows[Contact]
    contact_of: Rows[bytes]
    contacts_by_name: Rows[bytes]
    identities: Rows[Identity]
    merges: Rows[Merge]
    """Whom contacts took over, by contact, oldest first."""
    sends: Rows[Dispatch]
    profiles: Rows[WantedProfile]
    """Profiles that are still to be fetched, by conversation."""
    numbers: Rows[bytes]
    """Conversations whose contact's phone number was not looked for elsewhere yet, by id."""
    held: Rows[Held]
    """Messages that wait for their conversation, by its id."""
    asked: Rows[bytes]
    """Which run of a process asked a bot about a message, by conversation, message and bot."""
    dialogues: Rows[bytes]
    """What bots want to be told when they are asked next, by conversation and bot."""
    timers: Rows[Timer]
    aliases: Rows[Place]
    tombstones: Rows[Tombstone]
    """What was erased, by the id of the conversation or contact."""
    erasures: Rows[Erasure]
    """The same, by offset."""
    left_files: Rows[bytes]
    """Files that erased messages linked to, by name, until somebody has looked who else does."""
    orphans: Rows[Waiting]
    channels: Rows[KnownChannel]
    registry_channels: Rows[Channel]
    tags: Rows[Tag]
    templates: Rows[Template]
    sources: Rows[CustomSource]
    api_tokens: Rows[ApiToken]
    webhooks: Rows[Webhook]
    users: Rows[User]
    requests: Rows[Answer]
    quarantine: Rows[Fault]
    """Records whose projection failed, by offset."""

    @property
    def position(self) -> int:
        """The offset of the record that is being projected."""
        ...

    @property
    def is_history(self) -> bool:
        """Whether nobody hears of what is told: it was told when it happened."""
        ...

    def emit(self, change: Change) -> None:
        """Add a change to the feed, in order."""
        ...

    def whisper(self, change: Change) -> None:
        """Add a change that no client hears of, once, behind all that the record emits."""
        ...

    def send(self, outgoing: Outgoing) -> None:
        """Have a record forwarded to another partition, once."""
        ...

    def answer(self, command: CommandId, answer: Answer) -> None:
        """Leave the answer of a command for its caller."""
        ...

    def audit(self, entry: AuditEntry) -> None:
        """Write down who had the record's command carried out."""
        ...
