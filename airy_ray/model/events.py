"""What happened, in our own ids: what records say once their source's form is understood.

Projections fold these into rows. An event tells only what its record told: nothing here was looked
up in the state, so folding the same records again meets the same events.
"""

from typing import Literal

import msgspec

from airy_ray.clock import Millis
from airy_ray.model.channel import Backfill, Channel
from airy_ray.model.contact_events import ContactEvent
from airy_ray.model.ids import ChannelId, CommandId, ContactId, ConversationId, MessageId
from airy_ray.model.message import Message


class Place(msgspec.Struct, frozen=True, gc=False):
    """The conversation that an event belongs to, as its source and as we name it."""

    conversation_id: ConversationId
    channel_id: ChannelId
    source: str
    source_conversation_id: str


class MessageReceived(msgspec.Struct, frozen=True, gc=False, tag=True):
    """A message was written. One that is known already changes nothing."""

    place: Place
    message: Message


class MessageReplaced(msgspec.Struct, frozen=True, gc=False, tag=True):
    """A message was edited or deleted where it was written, at `message.updated_at`."""

    place: Place
    message: Message


class MessageOverwritten(msgspec.Struct, frozen=True, gc=False, tag=True):
    """A message was written; one that is known already now says what this one does."""

    place: Place
    message: Message


class EchoReceived(msgspec.Struct, frozen=True, gc=False, tag=True):
    """A message from our side that may be one of our own sends, whose id we do not know yet.

    `has_waited` says that it was put off before.
    """

    place: Place
    message: Message
    has_waited: bool = False


class MessageRecalled(msgspec.Struct, frozen=True, gc=False, tag=True):
    """A message was written before we were told of any; nobody is to hear of it as news.

    One from our side may be one of our own sends, as an echo may: `has_waited` is the same.
    """

    place: Place
    message: Message
    is_unread: bool
    has_waited: bool = False


class ReactionChanged(msgspec.Struct, frozen=True, gc=False, tag=True):
    """Somebody put `emoji` to a message, or took it back (None)."""

    place: Place
    source_message_id: str
    emoji: str | None
    at: Millis


class ReceiptReceived(msgspec.Struct, frozen=True, gc=False, tag=True):
    """Messages of ours were delivered to, or seen by, the contact.

    Attributes:
        source_message_ids: those named one by one.
        up_to: with it, all that we sent until then, itself included.
        and_earlier: whether those before the named ones are meant as well.
        at: when we were told.
        looked_in: the conversation in which they were looked for before this one.
    """

    place: Place
    state: Literal["delivered", "seen"]
    source_message_ids: tuple[str, ...]
    up_to: Millis | None
    and_earlier: bool
    at: Millis
    looked_in: ConversationId | None = None


class FailureReceived(msgspec.Struct, frozen=True, gc=False, tag=True):
    """A message of ours that its source had taken did not get to the contact after all.

    `looked_in` is the conversation in which it was looked for before this one.
    """

    place: Place
    source_message_id: str
    reason: str
    answer: str
    at: Millis
    looked_in: ConversationId | None = None


class ConversationDescribed(msgspec.Struct, frozen=True, gc=False, tag=True):
    """A source told metadata of a conversation: dotted key to JSON text."""

    place: Place
    values: dict[str, bytes]
    at: Millis


class NamedMessageDescribed(msgspec.Struct, frozen=True, gc=False, tag=True):
    """A source told metadata of a message, without saying in which conversation it is."""

    source: str
    source_message_id: str
    values: dict[str, bytes]
    at: Millis


class MessageDescribed(msgspec.Struct, frozen=True, gc=False, tag=True):
    """The same, once it is known where the message is."""

    place: Place
    source_message_id: str
    values: dict[str, bytes]
    at: Millis


class ConversationRead(msgspec.Struct, frozen=True, gc=False, tag=True):
    """A user has seen what the contact sent before `at`."""

    conversation_id: ConversationId
    at: Millis


class MessageSent(msgspec.Struct, frozen=True, gc=False, tag=True):
    """A user or program wrote a message, to be delivered to its source."""

    place: Place
    message: Message


class HoldExpired(msgspec.Struct, frozen=True, gc=False, tag=True):
    """A message of ours has waited long enough for its conversation."""

    conversation_id: ConversationId
    message_id: MessageId
    at: Millis


class DeliveryAttempted(msgspec.Struct, frozen=True, gc=False, tag=True):
    """A courier wants to call the source, for the `number`th time; the first to say so may.

    Attributes:
        courier: which run of a courier it is.
    """

    message_id: MessageId
    number: int
    courier: int


class DeliveryPutOff(msgspec.Struct, frozen=True, gc=False, tag=True):
    """The source did not take a message at the attempt of this number; it may at a later one."""

    message_id: MessageId
    number: int


class MessageDelivered(msgspec.Struct, frozen=True, gc=False, tag=True):
    """The source took a message of ours and calls it `source_message_id`, if it told.

    Attributes:
        attempt: with which call; None if whoever tells does not count them.
        metadata: what the source wants to be kept with it, dotted key to JSON text.
    """

    message_id: MessageId
    source_message_id: str | None
    at: Millis
    attempt: int | None = None
    metadata: dict[str, bytes] = {}


class MessageFailed(msgspec.Struct, frozen=True, gc=False, tag=True):
    """The source refused a message of ours: `reason` for people, `answer` as it came.

    `attempt` says at which call, or after which; None if whoever tells does not count them.
    """

    message_id: MessageId
    reason: str
    answer: str | None
    at: Millis
    attempt: int | None = None


class ReadTold(msgspec.Struct, frozen=True, gc=False, tag=True):
    """The source was told that a message of the contact's was read, or cannot be told."""

    message_id: MessageId


class ProfileFetched(msgspec.Struct, frozen=True, gc=False, tag=True):
    """A source was asked for a contact's profile, and told `values`, or nothing.

    Attributes:
        since: when the profile came to be wanted.
        values: dotted key to JSON text; empty if there is nothing to be known.
    """

    conversation_id: ConversationId
    since: Millis
    values: dict[str, bytes]
    at: Millis


class ProfilePutOff(msgspec.Struct, frozen=True, gc=False, tag=True):
    """A source did not tell a profile now, the `tries`th time; it is asked again at `due_at`."""

    conversation_id: ConversationId
    since: Millis
    tries: int
    due_at: Millis


class NumberSettled(msgspec.Struct, frozen=True, gc=False, tag=True):
    """Who else has the phone number of a conversation's contact was looked for, once."""

    conversation_id: ConversationId


class FilesKept(msgspec.Struct, frozen=True, gc=False, tag=True):
    """Files of a contact's message have copies of ours, or cannot have any: `values` tells which.

    They are metadata of the message: each names a copy, or tells an `error`.
    """

    message_id: MessageId
    values: dict[str, bytes]


class BotAsked(msgspec.Struct, frozen=True, gc=False, tag=True):
    """A bot is about to be asked about a message of the contact's; the first to say so may.

    Attributes:
        run: which run of a process it is that asks.
    """

    message_id: MessageId
    conversation_id: ConversationId
    bot: str
    run: int


class DialogueKept(msgspec.Struct, frozen=True, gc=False, tag=True):
    """A bot wants to be told `context`, JSON text, when it is asked next in a conversation."""

    conversation_id: ConversationId
    bot: str
    context: bytes


class ChannelSeen(msgspec.Struct, frozen=True, gc=False, tag=True):
    """The registry says how a channel is now."""

    channel_id: ChannelId
    source: str
    source_channel_id: str
    connected: bool


class ChannelStored(msgspec.Struct, frozen=True, gc=False, tag=True):
    """A channel was connected, or its connection renewed."""

    channel: Channel
    metadata: dict[str, bytes]


class ChannelDisconnected(msgspec.Struct, frozen=True, gc=False, tag=True):
    """A channel is not to be used any more."""

    channel_id: ChannelId
    at: Millis


class BackfillAdvanced(msgspec.Struct, frozen=True, gc=False, tag=True):
    """More of what was written before a channel was connected is in the logs.

    Attributes:
        backfill: how far it is, counted from the beginning.
        is_over: whether nothing more will come.
        problem: why, if that is because the source does not tell the rest.
    """

    channel_id: ChannelId
    backfill: Backfill
    is_over: bool
    problem: str | None = None


class ChannelDescribed(msgspec.Struct, frozen=True, gc=False, tag=True):
    """Metadata of a channel was set: dotted key to JSON text."""

    channel_id: ChannelId
    values: dict[str, bytes]
    at: Millis


class AliasKnown(msgspec.Struct, frozen=True, gc=False, tag=True):
    """A source's name for a conversation that does not say where it lives."""

    source: str
    kind: str
    key: str
    place: Place


class ContactLinked(msgspec.Struct, frozen=True, gc=False, tag=True):
    """The contact of a conversation is `name` as well, and what they say belongs there."""

    place: Place
    name: str


class ConversationsErased(msgspec.Struct, frozen=True, gc=False, tag=True):
    """Conversations are forgotten: what was in the log before this, and what they said until `at`.

    Every partition is told, for bodies about several people are in several logs.

    Attributes:
        contacts: whose they were; one that has no other conversation is forgotten as well.
        is_whole: the contacts are forgotten in any case, and with them those whom they took over.
        is_aged: not so contacts that began after `at`: nobody wished it, they were thought old.
    """

    conversations: tuple[ConversationId, ...]
    contacts: tuple[ContactId, ...]
    at: Millis
    is_whole: bool = False
    is_aged: bool = False


class ErasureDue(msgspec.Struct, frozen=True, gc=False, tag=True):
    """All partitions are to be told of an erasure."""

    erased: ConversationsErased


class RetentionDue(msgspec.Struct, frozen=True, gc=False, tag=True):
    """Conversations are to be forgotten whose newest message is not later than `before`.

    Attributes:
        conversations: with each its contact, who is forgotten too if no other is left.
    """

    conversations: tuple[tuple[ConversationId, ContactId | None], ...]
    before: Millis


class FilesLeft(msgspec.Struct, frozen=True, gc=False, tag=True):
    """Messages that linked to files of ours were erased; perhaps nothing else links to them."""

    names: tuple[str, ...]


class WaitingFor(msgspec.Struct, frozen=True, gc=False, tag=True):
    """A record could not be routed: its channel, or the alias of its conversation, is unknown."""

    waits_for: bytes
    received_at: Millis


class RecordsLost(msgspec.Struct, frozen=True, gc=False, tag=True):
    """Damage took the records `first` to `last`, inclusive."""

    first: int
    last: int


class HistorySwapped(msgspec.Struct, frozen=True, gc=False, tag=True):
    """A generation of the state that was made out of history took over, or was rolled back.

    Attributes:
        run: which replay made it.
        places: the conversations, and messages of conversations, that show something else.
        is_whole: whether those are all.
        unsent: messages that only this generation would send, and that nobody is to send.
        misrouted: offsets of records whose events belong elsewhere than was thought.
        channels: whose the conversations are that only one of both generations has.
    """

    run: int
    places: tuple[tuple[ConversationId, MessageId | None], ...]
    is_whole: bool
    unsent: tuple[MessageId, ...] = ()
    misrouted: tuple[int, ...] = ()
    channels: dict[ConversationId, ChannelId] = {}


Event = (
    MessageReceived
    | MessageReplaced
    | MessageOverwritten
    | EchoReceived
    | MessageRecalled
    | ReactionChanged
    | ReceiptReceived
    | FailureReceived
    | ConversationDescribed
    | NamedMessageDescribed
    | MessageDescribed
    | ConversationRead
    | MessageSent
    | HoldExpired
    | DeliveryAttempted
    | DeliveryPutOff
    | MessageDelivered
    | MessageFailed
    | ReadTold
    | ProfileFetched
    | ProfilePutOff
    | NumberSettled
    | FilesKept
    | BotAsked
    | DialogueKept
    | ChannelSeen
    | ChannelStored
    | ChannelDisconnected
    | ChannelDescribed
    | BackfillAdvanced
    | AliasKnown
    | ContactLinked
    | ConversationsErased
    | ErasureDue
    | RetentionDue
    | FilesLeft
    | WaitingFor
    | RecordsLost
    | HistorySwapped
    | ContactEvent
)


class Command(msgspec.Struct, frozen=True, gc=False):
    """A caller's wish that became a record: its answer is kept under `id` for a day.

    Attributes:
        digest: of what was asked, so that one id used for two wishes is noticed.
    """

    id: CommandId
    digest: bytes
    event: Event
