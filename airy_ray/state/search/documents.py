"""Rows as the search index holds them: pure functions from a row to the fields of its document.

1. The index splits text at spaces and does nothing more: words come from `filters.words`, for what
   is stored as for what is asked.
2. Metadata of all keys is one field. Each word in it begins with a digest of its key, which is also
   a word by itself: so any key can be asked for, its name keeps its case, and no word of one key is
   near to one of another.
"""

from collections.abc import Iterator
from functools import lru_cache
from hashlib import blake2b
from typing import Any

import msgspec

from airy_ray.clock import Millis
from airy_ray.filters.words import spoken_words, words
from airy_ray.model import json_text
from airy_ray.model.conversation import Conversation, default_name
from airy_ray.model.ids import MessageId, format_id
from airy_ray.model.message import Message

TEXT_MAX = 20_000
"""How many characters of a message can be found."""
_METADATA_WORDS_MAX = 1_000
"""How many words of one key can be found."""
_SPOKEN = frozenset(
    {
        "text",
        "body",
        "caption",
        "title",
        "subtitle",
        "description",
        "message",
        "content",
        "fallback",
    }
)
"""Keys of content, in lower case, whose strings people wrote or read; not ids, links and tokens."""
_TIE_BITS = 16
_AT_MAX = (1 << (62 - _TIE_BITS)) - 1


class ConversationDocument(msgspec.Struct, frozen=True):
    """What is found of a conversation; words are separated by spaces."""

    id: bytes
    channel_id: str
    source: str
    display_name: str
    tag_ids: str
    metadata: list[str]
    unread_count: int
    created_at: int
    last_message_at: int


class MessageDocument(msgspec.Struct, frozen=True):
    """What is found of a message."""

    id: bytes
    conversation: bytes
    text: str
    rank: int


def conversation_document(row: Conversation) -> ConversationDocument:
    """Return what is found of a conversation."""
    document = json_text.decode(row.metadata)
    tags = document.get("tags")
    name = row.display_name or default_name(row.source, row.id)
    count = row.unread_count or 0
    return ConversationDocument(
        id=row.id,
        channel_id=format_id(row.channel_id),
        source=row.source.lower(),
        display_name=" ".join(words(name)),
        tag_ids=" ".join(word for tag in tags for word in words(tag))
        if isinstance(tags, dict)
        else "",
        metadata=[*_metadata(document), *_keyed("unread_count", str(count))],
        unread_count=count,
        created_at=row.created_at,
        last_message_at=row.last_message_at,
    )


def message_document(row: Message) -> MessageDocument:
    """Return what is found of a message."""
    return MessageDocument(
        id=row.id,
        conversation=row.conversation_id,
        text=" ".join(spoken_words(text_of(row))),
        rank=rank(row.sent_at, row.id),
    )


def text_of(row: Message) -> str:
    """Return what a message says, as far as people read it."""
    try:
        content = json_text.decode(row.content)
    except ValueError:
        return ""
    return "\n".join(_spoken(content))[:TEXT_MAX]


def rank(at: Millis, message: MessageId) -> int:
    """Return a number that sorts messages by time, those of one instant by their ids."""
    tie = int.from_bytes(message[-2:], "big")
    return max(-_AT_MAX, min(at, _AT_MAX)) << _TIE_BITS | tie


@lru_cache(maxsize=4_096)
def metadata_prefix(key: str) -> str:
    """Return what words of one key of metadata begin with."""
    return blake2b(key.encode("utf-8", "replace"), digest_size=6).hexdigest()


def _metadata(document: dict[str, Any]) -> Iterator[str]:
    waiting = list(document.items())
    while waiting:
        key, value = waiting.pop()
        if isinstance(value, dict):
            waiting += [(f"{key}.{inner}", each) for inner, each in value.items()]
        elif value is not None:
            for text in _value_texts(value):
                yield from _keyed(key, text)


def _value_texts(value: Any) -> list[str]:
    """Return how a value may be written by who looks for it."""
    if isinstance(value, str):
        return [value]
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
        return [str(int(value)), str(value)]
    return [json_text.encode(value).decode()]


def _keyed(key: str, text: str) -> Iterator[str]:
    prefix = metadata_prefix(key)
    yield prefix
    yield " ".join(prefix + word for word in words(text)[:_METADATA_WORDS_MAX])


def _spoken(content: Any) -> Iterator[str]:
    """Yield the strings that people read, in their order."""
    if isinstance(content, str):
        yield content
        return
    waiting = [content]
    while waiting:
        node = waiting.pop()
        if isinstance(node, list):
            waiting += reversed(node)
        elif isinstance(node, dict):
            for key, value in node.items():
                if isinstance(value, str) and key.lower() in _SPOKEN:
                    yield value
            waiting += [each for each in reversed(node.values()) if isinstance(each, dict | list)]
