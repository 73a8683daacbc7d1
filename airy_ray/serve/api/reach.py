"""What limited tokens may touch: only what belongs to channels within their reach.

An endpoint that is not in one of these tables refuses them: it could not be limited, or nobody has
looked into how.
"""

from typing import Any

from airy_ray.errors import RequestError
from airy_ray.model.ids import ChannelId, ConversationId, MessageId
from airy_ray.serve.api.callers import Grant, Reach
from airy_ray.serve.api.endpoint import Endpoint
from airy_ray.serve.api.platform import Platform

FILTERED = {"/channels.list", "/conversations.list"}
"""Lists that leave out what is not within reach."""

SHARED = {
    "/client.config",
    "/tags.list",
    "/templates.info",
    "/templates.list",
}
"""What is nobody's in particular."""

BY_SUBJECT = {
    "/channels.facebook.disconnect",
    "/channels.google.disconnect",
    "/channels.info",
    "/channels.instagram.disconnect",
    "/channels.chatplugin.disconnect",
    "/channels.telegram.disconnect",
    "/channels.twilio.sms.disconnect",
    "/channels.twilio.whatsapp.disconnect",
    "/channels.viber.disconnect",
    "/channels.whatsapp.disconnect",
    "/channels.update",
    "/conversations.info",
    "/conversations.mark-read",
    "/conversations.refetch",
    "/conversations.remove-state",
    "/conversations.removeState",
    "/conversations.set-state",
    "/conversations.setState",
    "/conversations.tag",
    "/conversations.typing",
    "/conversations.untag",
    "/conversations.update-contact",
    "/conversations.updateContact",
    "/messages.list",
    "/messages.resend",
    "/messages.search",
    "/messages.send",
    "/messages.suggest-replies",
    "/messages.suggestReplies",
    "/metadata.upsert",
}
"""What names the channels, conversations and messages that it is about, all of them."""


async def check(platform: Platform, grant: Grant, endpoint: Endpoint, asked: Any) -> None:
    """Refuse what is not within a caller's reach; what is not known is nobody's.

    Raises:
        RequestError: 403 without a body.
    """
    reach = grant.reach
    if reach is None or endpoint.path in FILTERED or endpoint.path in SHARED:
        return
    subjects = _subjects(asked) if endpoint.path in BY_SUBJECT else []
    if not subjects:
        raise RequestError(403)
    for kind, identifier in subjects:
        channel = await _channel_of(platform, kind, identifier)
        if channel is None or not covers(platform, reach, channel):
            raise RequestError(403)


def covers(platform: Platform, reach: Reach, channel: ChannelId) -> bool:
    """Whether a channel, as the registry has it now, is within reach."""
    return reach.covers(platform.machine.registry.channel(channel))


def channels_within(platform: Platform, reach: Reach) -> frozenset[bytes]:
    """Return the ids of the channels within reach."""
    return frozenset(each.id for each in platform.machine.registry.channels() if reach.covers(each))


def _subjects(asked: Any) -> list[tuple[str, bytes]]:
    """Return all that a body names, by kind."""
    named = [
        (kind, getattr(asked, f"{kind}_id", None))
        for kind in ("conversation", "message", "channel")
    ]
    if hasattr(asked, "subject"):
        named.append((asked.subject, asked.id))
    return [(kind, identifier) for kind, identifier in named if identifier is not None]


async def _channel_of(platform: Platform, kind: str, identifier: bytes) -> ChannelId | None:
    if kind == "channel":
        return ChannelId(identifier)
    if kind == "message":
        message = await platform.partitions.message(MessageId(identifier))
        return None if message is None else message.channel_id
    conversation = await platform.partitions.conversation(ConversationId(identifier))
    return None if conversation is None else conversation.channel_id
