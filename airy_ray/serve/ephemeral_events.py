"""Ephemeral events as clients receive them: typing, presence, "seen". Beyond the contract."""

from airy_ray.clock import now_millis
from airy_ray.cluster.ephemeral import EphemeralEvent
from airy_ray.model import json_text
from airy_ray.model.ids import ChannelId, ConversationId, format_id

TYPING_LASTS_MS = 10_000
"""How long somebody types who does not say so again."""


def typing(
    conversation: ConversationId,
    channel: ChannelId,
    sender: str,
    *,
    from_contact: bool,
    is_on: bool,
) -> EphemeralEvent:
    """Return that somebody types, or does no more."""
    payload = _about(conversation, channel) | {
        "sender": {"id": sender},
        "from_contact": from_contact,
        "typing": is_on,
        "lasts_ms": TYPING_LASTS_MS if is_on else 0,
    }
    event = _event("typing.updated", payload)
    return EphemeralEvent("typing.updated", conversation, channel, event, not from_contact)


def seen(conversation: ConversationId, channel: ChannelId, message_id: str) -> EphemeralEvent:
    """Return that the visitor of a website has seen all up to a message."""
    payload = _about(conversation, channel) | {"message_id": message_id}
    event = _event("message.seen", payload)
    return EphemeralEvent("message.seen", conversation, channel, event, is_for_visitors=False)


def present(
    user_id: str, name: str | None, avatar_url: str | None, *, online: bool, viewing: list[str]
) -> bytes:
    """Return whether somebody is there, and which conversations they have open."""
    user = {"id": user_id, "name": name, "avatar_url": avatar_url}
    payload = {"user": user, "online": online, "conversation_ids": viewing}
    return _event("presence.updated", payload)


def _about(conversation: ConversationId, channel: ChannelId) -> dict[str, object]:
    return {"conversation_id": format_id(conversation), "channel_id": format_id(channel)}


def _event(kind: str, payload: dict[str, object]) -> bytes:
    return json_text.encode({"type": kind, "timestamp": now_millis(), "payload": payload})
