"""Metadata of conversations, messages and channels: one row per key, and the document they make.

The document is kept in the row of its subject too, so that reading needs no assembly.
"""

from collections.abc import Mapping

import msgspec

from airy_ray.clock import Millis
from airy_ray.model import hand_over, json_text, metadata
from airy_ray.model import message as messages
from airy_ray.model.conversation import Conversation, counted_metadata
from airy_ray.model.ids import ConversationId, MessageId
from airy_ray.model.message import Message
from airy_ray.model.metadata import EMPTY_DOCUMENT, MetadataItem, Namespace
from airy_ray.projections import changes, contacts, keys
from airy_ray.projections.view import View

Values = Mapping[str, bytes | None]
"""Dotted key to JSON text, or to None for a key that is taken away."""


def describe_conversation(
    view: View, conversation: ConversationId, values: Values, at: Millis
) -> bool:
    """Set metadata of a conversation; return whether anything is different now."""
    is_different = _store(view, "conversation", conversation, values, at)
    if hand_over.STATE in values:
        _hand_over(view, conversation, values)
    if not is_different:
        return False
    present = view.conversations.get(conversation)
    document = document_of(view, "conversation", conversation)
    if present is None:
        changes.metadata_stored(
            view, "conversation", conversation, document, at, conversation=conversation
        )
        return True
    described = msgspec.structs.replace(
        present, metadata=document, display_name=display_name_of(view, conversation)
    )
    view.conversations.put(conversation, described)
    if described.display_name != present.display_name or "contact.avatar_url" in values:
        contacts.follow(view, described, at)
    tell_conversation(view, described, at)
    return True


def _hand_over(view: View, conversation: ConversationId, values: Values) -> None:
    """Give a conversation to bots or people, as its state says anew."""
    present = view.conversations.get(conversation)
    if present is not None:
        is_with_people = hand_over.is_with_people(values, before=present.is_with_people)
        handed = msgspec.structs.replace(present, is_with_people=is_with_people)
        view.conversations.put(conversation, handed)


def display_name_of(view: View, conversation: ConversationId) -> str | None:
    """Return the name that somebody gave to the contact of a conversation."""
    item = view.metadata.get(keys.metadata("conversation", conversation, "contact.display_name"))
    if item is None or item.is_removed:
        return None
    name = json_text.decode(item.value)
    return name if isinstance(name, str) else None


def tell_conversation(view: View, conversation: Conversation, at: Millis) -> None:
    """Tell the metadata of a conversation as it is now, its unread count with it."""
    if view.is_history:
        return
    document = conversation.metadata
    if conversation.unread_count is not None:
        document = counted_metadata(document, conversation.unread_count)
    changes.metadata_stored(
        view, "conversation", conversation.id, document, at, conversation=conversation.id
    )


def describe_message(
    view: View,
    conversation: ConversationId | None,
    message: MessageId,
    values: Values,
    at: Millis,
    *,
    is_news: bool = True,
) -> bool:
    """Set metadata of a message, which may come later; return whether anything is different now.

    Nobody is told of it unless it `is_news`.
    """
    if not _store(view, "message", message, values, at):
        return False
    key = view.message_keys.get(message)
    present = None if key is None else view.messages.get(key)
    document = document_of(view, "message", message)
    if key is None or present is None:
        view.early.put(message, b"")
    else:
        document = with_source_id(document, present.source_message_id)
        conversation = present.conversation_id
        replace_message(view, key, msgspec.structs.replace(present, metadata=document))
    if is_news:
        changes.metadata_stored(view, "message", message, document, at, conversation=conversation)
    return True


def replace_message(view: View, key: bytes, message: Message) -> None:
    """Store a new version of a known message, also where it is shown as the last one."""
    view.messages.put(key, message)
    conversation = view.conversations.get(message.conversation_id)
    if conversation is not None and conversation.last_message_id == message.id:
        shown = messages.head(message) + message.metadata
        view.conversations.put(
            conversation.id, msgspec.structs.replace(conversation, last_message=shown)
        )


def adopt_early(view: View, message: Message) -> Message:
    """Return a new message with the metadata that came before it."""
    if view.early.get(message.id) is None:
        return message
    view.early.delete(message.id)
    document = document_of(view, "message", message.id)
    return msgspec.structs.replace(
        message, metadata=with_source_id(document, message.source_message_id)
    )


def document_of(view: View, namespace: Namespace, identifier: bytes) -> bytes:
    """Return the document that the stored keys of a subject make."""
    prefix = keys.subject(namespace, identifier)
    items = (
        (item.long_key or key[len(prefix) :].decode("utf-8", "surrogatepass"), item)
        for key, item in view.metadata.under(prefix)
    )
    return metadata.document(items)


def with_source_id(document: bytes, source_message_id: str | None) -> bytes:
    """Return a message's document with `source.id`, which no row repeats (sources §0.4)."""
    if source_message_id is None:
        return document
    if document == EMPTY_DOCUMENT:
        return source_id_document(source_message_id)
    value = json_text.decode(document)
    inner = value.get("source")
    source = {"id": source_message_id} | (inner if isinstance(inner, dict) else {})
    merged = {"source": source} | {key: item for key, item in value.items() if key != "source"}
    return json_text.unshield(json_text.encode(merged))


def source_id_document(source_message_id: str) -> bytes:
    """Return the document of a message of which only its source's id is known."""
    return b'{"source":{"id":' + json_text.quote(source_message_id) + b"}}"


def _store(view: View, namespace: Namespace, identifier: bytes, values: Values, at: Millis) -> bool:
    is_different = False
    for name, value in values.items():
        key = keys.metadata(namespace, identifier, name)
        present = view.metadata.get(key)
        text = value or b""
        is_known = (present.value if present else b"") == text
        if is_known and text:
            continue  # but a removal is remembered: what it took away may come later
        long_key = name if keys.is_shortened(name) else None
        view.metadata.put(key, MetadataItem(text, at, long_key))
        is_different = is_different or not is_known
    return is_different
