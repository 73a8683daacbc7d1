"""Keys of the views' rows: what comes first in a key is what rows are found and sorted by.

LMDB keys hold at most 511 bytes: a variable part over 200 is stored as its first 160 and a 16-byte
digest; who needs the whole finds it in the row.
"""

from hashlib import blake2b

from airy_ray.clock import Micros, Millis
from airy_ray.model.ids import ChannelId, ContactId, ConversationId, MessageId
from airy_ray.model.metadata import Namespace

_PART_BYTES_MAX = 200
_PART_BYTES_KEPT = 160
_NEWEST_FIRST = (1 << 63) - 1
_EPOCH = 1 << 63

NEVER_DUE = b"\xff"
"""Before this are the timers that fall due some day; no instant that is ever reached begins so."""

_NAMESPACE_TAGS: dict[Namespace, bytes] = {
    "conversation": b"c",
    "channel": b"h",
    "message": b"m",
    "contact": b"p",
}


def by_time(at: Millis, conversation: ConversationId) -> bytes:
    """Sort conversations by their last message, newest first."""
    return (_NEWEST_FIRST - at).to_bytes(8, "big") + conversation


def message(conversation: ConversationId, sent_at: Millis, identifier: MessageId) -> bytes:
    """Sort the messages of a conversation, newest first, equal instants by id."""
    return conversation + (_NEWEST_FIRST - sent_at).to_bytes(8, "big") + identifier


def unread(conversation: ConversationId, identifier: MessageId) -> bytes:
    """Find what is unread of a conversation."""
    return conversation + identifier


def unseen(
    conversation: ConversationId, state: bytes, sent_at: Millis, identifier: MessageId
) -> bytes:
    """Sort what the contact has not seen yet of our messages, oldest first, by delivery `state`."""
    return conversation + state + instant(sent_at) + identifier


def source_id(channel: ChannelId, source_message_id: str) -> bytes:
    """Find a message by what its source calls it."""
    named = channel + source_message_id.encode("utf-8", "surrogatepass")
    return blake2b(named, digest_size=16, person=b"source id").digest()


def subject(namespace: Namespace, identifier: bytes) -> bytes:
    """Find all metadata of one subject."""
    return _NAMESPACE_TAGS[namespace] + identifier


def metadata(namespace: Namespace, identifier: bytes, key: str) -> bytes:
    """Find one key of a subject's metadata."""
    return subject(namespace, identifier) + bounded(key)


def contact_name(name: str | None, contact: ContactId) -> bytes:
    """Sort contacts by name, those without one last."""
    return b"\xff" + contact if name is None else bounded(name) + b"\0" + contact


def named_contact(key: bytes) -> ContactId:
    """Return the contact that a key of `contact_name` lists."""
    return ContactId(key[-16:])


def identity(contact: ContactId, conversation: ConversationId) -> bytes:
    """Find the identities of a contact."""
    return contact + conversation


def merge(contact: ContactId, position: int, index: int) -> bytes:
    """Sort those whom a contact took over, oldest first; some came along with others."""
    return contact + offset(position) + index.to_bytes(4, "big")


def asked(conversation: ConversationId, message: MessageId, bot: str) -> bytes:
    """Find whether a bot was asked about a message."""
    return conversation + message + bot.encode()


def dialogue(conversation: ConversationId, bot: str) -> bytes:
    """Find what a bot wants to be told again in a conversation."""
    return conversation + bot.encode()


def alias(source: str, kind: str, key: str) -> bytes:
    """Find an alias; as a digest its first 16 bits are also the slot that keeps it."""
    named = "\0".join((source, kind, key)).encode("utf-8", "surrogatepass")
    return blake2b(named, digest_size=16, person=b"alias").digest()


def timer(due_at: Millis, identifier: bytes) -> bytes:
    """Sort timers by when they are due."""
    return instant(due_at) + identifier


def put_aside(timer_key: bytes) -> bytes:
    """Keep a timer that failed where it never falls due: behind all that may."""
    return timer_key if timer_key.startswith(NEVER_DUE) else NEVER_DUE + timer_key


def instant(at: Millis) -> bytes:
    """Sort by time, oldest first; instants before 1970 are earlier than those after it."""
    return (at + _EPOCH).to_bytes(8, "big")


def instant_of(part: bytes) -> Millis:
    """Return the instant in a part of a key."""
    return Millis(int.from_bytes(part, "big") - _EPOCH)


def offset(position: int) -> bytes:
    """Sort by position in the log."""
    return position.to_bytes(8, "big")


def sequence(position: int) -> int:
    """Return the first sequence number of the record at `position`; it may use 65,536 of them.

    Changes and outgoing records are sorted by them, as eight bytes.
    """
    return position << 16


def position(sequence: int) -> int:
    """Return the position of the record that a sequence number belongs to."""
    return sequence >> 16


def waiting(waits_for: bytes, position: int) -> bytes:
    """Find the records that wait for a channel or an alias, oldest first."""
    return waits_for + position.to_bytes(8, "big")


def received(at: Micros) -> bytes:
    """Sort by when a record was taken in."""
    return at.to_bytes(8, "big")


def bounded(text: str) -> bytes:
    """Return `text` as a part of a key; equal texts give equal parts."""
    raw = text.encode("utf-8", "surrogatepass")
    if len(raw) <= _PART_BYTES_MAX:
        return raw
    return raw[:_PART_BYTES_KEPT] + blake2b(raw, digest_size=16).digest()


def is_shortened(text: str) -> bool:
    """Whether `bounded` could not keep the whole."""
    return len(text.encode("utf-8", "surrogatepass")) > _PART_BYTES_MAX


def forwarded(partition: int, position: int, digest: bytes) -> bytes:
    """Find whether a record of another partition was folded here already."""
    place = partition.to_bytes(2, "big") + position.to_bytes(8, "big")
    return blake2b(place + digest, digest_size=16, person=b"forwarded").digest()
