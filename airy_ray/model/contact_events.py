"""What contacts and conversations tell one another, wherever each of them lives.

Whose a conversation is, is decided where the conversation lives, in the order of that log; contacts
keep what they are told of it. So two that claim one conversation need not know of each other.
"""

import msgspec

from airy_ray.clock import Millis
from airy_ray.model.contact import Snapshot
from airy_ray.model.ids import ContactId, ConversationId


class ConversationClaimed(msgspec.Struct, frozen=True, gc=False, tag=True):
    """Somebody said that a conversation, known or still to come, is with a contact."""

    conversation_id: ConversationId
    contact_id: ContactId
    source: str


class ConversationPassed(msgspec.Struct, frozen=True, gc=False, tag=True):
    """A contact hands a conversation to another, if it is its own by then."""

    conversation_id: ConversationId
    giver: ContactId
    taker: ContactId


class ConversationLeft(msgspec.Struct, frozen=True, gc=False, tag=True):
    """A conversation is not with a contact any more, since `at`, nor with another."""

    conversation_id: ConversationId
    contact_id: ContactId
    at: Millis


class ConversationGranted(msgspec.Struct, frozen=True, gc=False, tag=True):
    """A conversation is with a contact; how it calls the person, as far as it knows.

    Attributes:
        created_at: when it began, if it has.
    """

    contact_id: ContactId
    conversation_id: ConversationId
    source: str
    source_conversation_id: str | None
    default_name: str | None
    display_name: str | None
    avatar_url: str | None
    created_at: Millis | None = None


class ConversationLost(msgspec.Struct, frozen=True, gc=False, tag=True):
    """A conversation is not with a contact, or not any more."""

    contact_id: ContactId
    conversation_id: ConversationId


class ContactMerged(msgspec.Struct, frozen=True, gc=False, tag=True):
    """A contact was taken over by another."""

    source: ContactId
    destination: ContactId


class MergeFollowed(msgspec.Struct, frozen=True, gc=False, tag=True):
    """What a contact was when it became a redirect, on its way to who has it now.

    Attributes:
        target: whom it has got to.
        trail: the redirects that it has followed; who is in it twice is in a loop.
    """

    target: ContactId
    trail: tuple[ContactId, ...]
    merged: Snapshot


class LoopFound(msgspec.Struct, frozen=True, gc=False, tag=True):
    """Merges that did not know of one another made a loop; `contact_id` is to be its end.

    Attributes:
        leads_to: where it leads; if elsewhere by then, the loop is no more.
    """

    contact_id: ContactId
    leads_to: ContactId


class ContactRestored(msgspec.Struct, frozen=True, gc=False, tag=True):
    """A contact that `giver` took over is one of its own again.

    Attributes:
        restored: as it was; its identities are those that the giver had still.
    """

    giver: ContactId
    restored: Snapshot


class ContactKept(msgspec.Struct, frozen=True, gc=False, tag=True):
    """A contact stays, though the conversation that it came with was erased."""

    kept: Snapshot


ContactEvent = (
    ConversationClaimed
    | ConversationPassed
    | ConversationLeft
    | ConversationGranted
    | ConversationLost
    | ContactMerged
    | MergeFollowed
    | LoopFound
    | ContactRestored
    | ContactKept
)
