"""A custom source: a program of somebody's that brings messages in under a name of its own.

What it calls conversations and messages it tells without their channel, so a conversation's id
comes from the source's and its own name, not from a channel's (design: §2).
"""

import re

import msgspec

from airy_ray.clock import Millis
from airy_ray.model import ids, json_text
from airy_ray.model.ids import ChannelId, ConversationId

BUILT_IN = frozenset(
    {
        "facebook",
        "instagram",
        "google",
        "whatsapp",
        "twilio.sms",
        "twilio.whatsapp",
        "viber",
        "telegram",
        "chatplugin",
    }
)
"""The sources that are not custom, by name."""

_RESERVED = BUILT_IN | {"api", "twilio"}
_NAME = re.compile(r"[A-Za-z0-9._-]{1,100}")


class CustomSource(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """One source as the registry keeps it.

    Attributes:
        id: its name, chosen by who made it.
        token_id: of the one token that is good for it; the token itself is kept nowhere.
        action_endpoint: where it wants to be told what it is to send.
    """

    id: str
    token_id: bytes
    created_at: Millis
    name: str | None = None
    image_url: str | None = None
    action_endpoint: str | None = None


def is_custom(source: str) -> bool:
    """Whether a source may be a custom one; none can pose as one of ours."""
    return source.lower() not in _RESERVED and _NAME.fullmatch(source) is not None


def conversation_id(source: str, channel: ChannelId, name: str) -> ConversationId:
    """Return the id of the conversation that `source`, built in or custom, calls `name`."""
    if is_custom(source):
        return ids.custom_conversation_id(source, name)
    return ids.conversation_id(channel, name)


def principal_of(source: str) -> str:
    """Return who acts with the token of a source."""
    return f"source_app:{source}"


def rendered(source: CustomSource, token: str | None = None) -> bytes:
    """Return a source as the API shows it; its token is told once."""
    shown = {
        "source_id": source.id,
        "token": token,
        "action_endpoint": source.action_endpoint,
        "name": source.name,
        "image_url": source.image_url,
    }
    return json_text.unshield(json_text.encode(shown))
