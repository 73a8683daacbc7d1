"""Ids that route themselves.

1. An id is 16 bytes, a UUID of version 8 (RFC 9562 §5.8); as text it is the usual 36 characters.
2. The first 16 bits of a conversation's, message's or contact's id are its *slot*, and
   `partition = slot * partitions // 65536`: an id finds its partition with no look-up.
3. The rest is a BLAKE2b digest of what identifies the thing, so the same webhook delivered twice
   makes the same id twice, and duplicates vanish by construction.
4. An id that stands for a random one in the contract is a digest of the command that made it.
"""

from functools import lru_cache
from hashlib import blake2b
from typing import NewType
from uuid import UUID

ChannelId = NewType("ChannelId", bytes)
ConversationId = NewType("ConversationId", bytes)
MessageId = NewType("MessageId", bytes)
ContactId = NewType("ContactId", bytes)
CommandId = NewType("CommandId", bytes)

Slot = NewType("Slot", int)
PartitionIndex = NewType("PartitionIndex", int)

SLOTS = 65_536
ID_BYTES = 16

REGISTRY = PartitionIndex(65_535)
"""The index under which the registry's log and state are kept; no slot maps to it."""

_CONVERSATION = blake2b(digest_size=16, person=b"conversation")
_MESSAGE = blake2b(digest_size=14, person=b"message")
"""Set up once and copied: half of a short digest's cost is its setting up."""

_VERSION_8 = 0x8000 << 64 | 0x8 << 60
_FREE_BITS = ~(0xF000 << 64 | 0xC << 60)


def channel_id(source: str, source_channel_id: str) -> ChannelId:
    """Return the id of the channel that `source` knows as `source_channel_id`."""
    named = f"{source}\0{source_channel_id}".encode("utf-8", "surrogatepass")
    return ChannelId(_uuid8(blake2b(named, digest_size=16, person=b"channel").digest()))


def conversation_id(channel: ChannelId, source_conversation_id: str) -> ConversationId:
    """Return the id of a conversation, the same whether the contact or we wrote first."""
    digest = _CONVERSATION.copy()
    digest.update(channel + source_conversation_id.encode("utf-8", "surrogatepass"))
    return ConversationId(_uuid8(digest.digest()))


def custom_conversation_id(source: str, source_conversation_id: str) -> ConversationId:
    """Return the id of a custom source's conversation, on whichever of its channels."""
    named = f"{source}\0{source_conversation_id}".encode("utf-8", "surrogatepass")
    return ConversationId(_uuid8(blake2b(named, digest_size=16, person=b"custom").digest()))


def message_id(conversation: ConversationId, source_message_id: str) -> MessageId:
    """Return the id of a message that its source calls `source_message_id`."""
    digest = _MESSAGE.copy()
    digest.update(conversation + source_message_id.encode("utf-8", "surrogatepass"))
    return MessageId(_uuid8(conversation[:2] + digest.digest()))


def contact_id(conversation: ConversationId, again: bytes = b"") -> ContactId:
    """Return the id of the contact whom `conversation` showed first, or, told apart, again."""
    rest = blake2b(conversation + again, digest_size=14, person=b"contact").digest()
    return ContactId(_uuid8(conversation[:2] + rest))


def derived_id(command: CommandId, what: str) -> bytes:
    """Return the id of the `what` that `command` makes; its slot is the command's."""
    rest = blake2b(command, digest_size=14, person=what.encode()).digest()
    return _uuid8(command[:2] + rest)


def message_of_command(command: CommandId, conversation: ConversationId) -> MessageId:
    """Return the id of the message that `command` adds to `conversation`."""
    rest = blake2b(command, digest_size=14, person=b"sent message").digest()
    return MessageId(_uuid8(conversation[:2] + rest))


def command_id(slot: Slot, seed: bytes) -> CommandId:
    """Return the id of a command for `slot`: equal seeds (an idempotency key) give equal ids."""
    rest = blake2b(seed, digest_size=14, person=b"command").digest()
    return CommandId(_uuid8(slot.to_bytes(2, "big") + rest))


def random_id(random: bytes) -> bytes:
    """Return an id out of 16 random bytes, in a random slot."""
    return _uuid8(random)


def media_id(digest: bytes) -> bytes:
    """Return the id of a file out of 16 bytes that digest what is in it."""
    return _uuid8(digest)


def slot_of(identifier: bytes) -> Slot:
    """Return the slot that an id carries."""
    return Slot(int.from_bytes(identifier[:2], "big"))


def partition_of(slot: Slot, partitions: int) -> PartitionIndex:
    """Return which of `partitions` owns `slot`."""
    return PartitionIndex(slot * partitions // SLOTS)


def first_slot_of(partition: PartitionIndex, partitions: int) -> Slot:
    """Return the first of the slots that one of `partitions` owns."""
    return Slot(-(-partition * SLOTS // partitions))


def owner_of(identifier: bytes, partitions: int) -> PartitionIndex:
    """Return which of `partitions` owns an id."""
    return PartitionIndex(int.from_bytes(identifier[:2], "big") * partitions // SLOTS)


def format_id(identifier: bytes) -> str:
    """Return an id as the 36 characters that clients see."""
    digits = identifier.hex()
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"


@lru_cache(maxsize=8_192)
def format_busy_id(identifier: bytes) -> bytes:
    """Return the same in ASCII, for ids that come again and again: of channels, conversations."""
    return format_id(identifier).encode()


def parse_id(text: str) -> bytes:
    """Return the 16 bytes of an id.

    Raises:
        ValueError: `text` is not a UUID.
    """
    if len(text) == 36 and text[8] == text[13] == text[18] == text[23] == "-":
        identifier = bytes.fromhex(text.replace("-", ""))
        if len(identifier) == 16:
            return identifier
    return UUID(text).bytes


def _uuid8(digest: bytes) -> bytes:
    number = int.from_bytes(digest, "big") & _FREE_BITS | _VERSION_8
    return number.to_bytes(16, "big")
