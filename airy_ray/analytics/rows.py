"""A row of a file out of a row of the state or a record of the log: pure functions.

1. Instants are microseconds, those outside of the years 1 to 9999 their ends, as the API has it.
2. Halves of surrogate pairs, which Arrow takes for no text, become question marks.
3. Bodies of records are told where they are text in a form of others: what a source sent, what a
   caller asked for. What the program tells itself is in a form of its own.
"""

from typing import Any, get_args

import msgspec

from airy_ray.clock import Millis
from airy_ray.model import hand_over, json_text, persistent_copies
from airy_ray.model.commands import (
    ContactCommand,
    ConversationCommand,
    ErasureCommand,
    MessageCommand,
)
from airy_ray.model.contact import NO_DETAILS, Snapshot
from airy_ray.model.conversation import Conversation, default_name, served_metadata
from airy_ray.model.ids import ContactId, PartitionIndex, format_id
from airy_ray.model.message import Message
from airy_ray.projections import keys
from airy_ray.rawlog.record import Record, is_erased

Row = dict[str, Any]

_FIRST_MS, _LAST_MS = -62_135_596_800_000, 253_402_300_799_999

_TOLD_COMMANDS = frozenset(
    each.__struct_config__.tag
    for each in get_args(ContactCommand | ConversationCommand | ErasureCommand | MessageCommand)
)
"""Those that conversations and contacts are told; others may carry a token."""


class _Head(msgspec.Struct):
    command: str
    principal: str | None = None


_decode_head = msgspec.json.Decoder(_Head).decode


def conversation_row(stored: Conversation, contact: ContactId | None) -> Row:
    """Return a conversation; `contact` is whose it is."""
    document = json_text.decode(stored.metadata)
    tags, state = document.get("tags"), document.get(hand_over.STATE)
    name = stored.display_name or default_name(stored.source, stored.id)
    return {
        "id": format_id(stored.id),
        "source": _text(stored.source),
        "channel_id": format_id(stored.channel_id),
        "contact_id": None if contact is None else format_id(contact),
        "source_conversation_id": _text(stored.source_conversation_id),
        "display_name": _text(name),
        "created_at": _micros(stored.created_at),
        "last_message_id": format_id(stored.last_message_id),
        "last_message_at": _micros(stored.last_message_at),
        "last_inbound_at": _micros(stored.last_inbound_at),
        "message_count": stored.message_count,
        "unread_count": stored.unread_count or 0,
        "state": _text(state) if isinstance(state, str) else None,
        "tag_ids": [_text(tag) for tag in tags] if isinstance(tags, dict) else [],
        "metadata": _decoded(served_metadata(stored)),
    }


def message_row(stored: Message) -> Row:
    """Return a message, its content as readers of the API see it."""
    return {
        "id": format_id(stored.id),
        "conversation_id": format_id(stored.conversation_id),
        "channel_id": format_id(stored.channel_id),
        "source": _text(stored.source),
        "source_message_id": _text(stored.source_message_id),
        "sender_id": _text(stored.sender_id),
        "is_from_contact": stored.from_contact,
        "delivery_state": stored.delivery_state,
        "sent_at": _micros(stored.sent_at),
        "updated_at": _micros(stored.updated_at),
        "content": _decoded(persistent_copies.shown(stored.content, stored.metadata)),
        "reaction": _reaction(stored.metadata),
        "metadata": _decoded(stored.metadata),
    }


def contact_row(whole: Snapshot) -> Row:
    """Return a contact, or the redirect that it became."""
    contact = whole.contact
    details = contact.details or NO_DETAILS
    return {
        "id": format_id(contact.id),
        "is_deleted": False,
        "merged_into": None if contact.merged_into is None else format_id(contact.merged_into),
        "display_name": _text(contact.display_name),
        "avatar_url": _text(contact.avatar_url),
        "title": _text(details.title),
        "gender": _text(details.gender),
        "timezone": details.timezone,
        "locale": _text(details.locale),
        "organization_name": _text(details.organization_name),
        "via": _texts(details.via),
        "address": _texts(details.address),
        "conversations": [
            {
                "conversation_id": format_id(conversation),
                "source": _text(identity.source),
                "source_conversation_id": _text(identity.source_conversation_id),
            }
            for conversation, identity in whole.identities
        ],
        "metadata": None if details.metadata is None else _decoded(details.metadata),
        "created_at": _micros(contact.created_at),
        "updated_at": _micros(contact.updated_at),
    }


def deleted_contact_row(identifier: ContactId) -> Row:
    """Return what says that a contact is there no more."""
    return {"id": format_id(identifier), "is_deleted": True}


def event_row(partition: PartitionIndex, offset: int, record: Record) -> Row:
    """Return a record of the log."""
    head, body = _told(record)
    return {
        "id": f"{partition:02}:{offset}",
        "change": keys.sequence(offset),
        "offset": offset,
        "received_at": record.received_at,
        "kind": record.kind,
        "source": _text(record.source) or None,
        "command": None if head is None else head.command,
        "principal": None if head is None else _text(head.principal),
        "routes": [
            {
                "channel_id": format_id(route.channel_id),
                "conversation_id": format_id(route.conversation_id),
                "refused": route.refused,
            }
            for route in record.routes
        ],
        "payload_id": record.payload_id.hex(),
        "body_bytes": len(record.body),
        "body": body,
    }


def day_of(at: int) -> str:
    """Return the day of an instant, in microseconds, as directories are called."""
    return json_text.instant(Millis(at // 1_000)).partition("T")[0]


def _told(record: Record) -> tuple[_Head | None, str | None]:
    """Return who wanted what, of a command, and the body, of those that are told."""
    if record.kind == "webhook" and json_text.is_utf8(record.body):
        return None, record.body.decode()
    if record.kind != "command" or is_erased(record):
        return None, None
    try:
        head = _decode_head(record.body)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None, None
    return head, _decoded(record.body) if head.command in _TOLD_COMMANDS else None


def _reaction(metadata: bytes) -> str | None:
    if metadata.find(b'"reaction"') < 0:  # seldom there
        return None
    reaction = json_text.decode(metadata).get("reaction")
    emoji = reaction.get("emoji") if isinstance(reaction, dict) else None
    return _text(emoji) if isinstance(emoji, str) else None


def _micros(at: Millis | None) -> int | None:
    return None if at is None else max(_FIRST_MS, min(at, _LAST_MS)) * 1_000


def _texts(values: dict[str, str]) -> list[tuple[str, str]]:
    return [
        (_decoded(key.encode(errors="replace")), _decoded(value.encode(errors="replace")))
        for key, value in values.items()
    ]


def _text(text: str | None) -> str | None:
    return None if text is None else text.encode(errors="replace").decode()


def _decoded(text: bytes) -> str:
    return text.decode(errors="replace")
