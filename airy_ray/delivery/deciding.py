"""What is to be done about a pending message: call its source, wait, or give up (sources §0.7)."""

from airy_ray.clock import Millis
from airy_ray.model.channel import Channel
from airy_ray.model.conversation import Conversation
from airy_ray.model.custom_source import CustomSource
from airy_ray.model.message import Message
from airy_ray.projections.view import Dispatch
from airy_ray.sources.sending import Call, Later, Outbound, ReadReceipts, Refused, Sending

EXPIRES_S = 300
EXPIRED = Refused(f"Message expired: not sent within {EXPIRES_S} seconds")
NO_RECIPIENT = Refused("No recipient")
NOT_CONNECTED = Refused("Channel not connected")
UNCERTAIN = Refused("delivery uncertain: the call to the source was interrupted")

_BACKOFF_S = 1.0
_BACKOFF_S_MAX = 60.0
_DOUBLINGS_MAX = 10


def is_expired(dispatch: Dispatch, sending: Sending, at: Millis) -> bool:
    """Whether a message has been pending for too long to be sent at all."""
    return sending.expires and (at - dispatch.since) // 1_000 > EXPIRES_S


def is_uncertain(dispatch: Dispatch, heard_of: int, sending: Sending, at: Millis) -> bool:
    """Whether it may have been sent already, and is not to be sent again to be sure.

    So it is after an attempt of which nobody heard the outcome; `heard_of` is the newest of which
    the caller did. Where the platform takes a message once it is sent again, unless it is too old.
    """
    has_outcome = dispatch.courier is None or dispatch.attempts == heard_of
    may_repeat = sending.is_deduplicating and not is_expired(dispatch, sending, at)
    return not has_outcome and not may_repeat


def outbound(
    dispatch: Dispatch,
    message: Message,
    conversation: Conversation,
    channel: Channel | None,
    sending: Sending,
    at: Millis,
    *,
    is_by_person: bool,
    custom_source: CustomSource | None = None,
) -> Outbound | Refused:
    """Return a message as its source needs to know it, or why nothing is sent."""
    if is_expired(dispatch, sending, at):
        return EXPIRED
    recipient = dispatch.place.source_conversation_id or message.recipient_id
    is_begun_by_us = message.recipient_id is not None and conversation.last_inbound_at is None
    if not recipient or (is_begun_by_us and not sending.opens_conversations):
        return NO_RECIPIENT
    if channel is None or not channel.connected:
        return NOT_CONNECTED
    if sending.needs_token and not channel.token:
        return NOT_CONNECTED
    return Outbound(
        message_id=message.id,
        content=message.content,
        recipient=recipient,
        channel=channel.source_channel_id,
        token=channel.token or "",
        at=at,
        heard_at=conversation.last_inbound_at,
        is_by_person=is_by_person,
        sent_at=message.sent_at,
        conversation=None if is_begun_by_us else conversation,
        custom_source=custom_source,
    )


def read_receipt(message: Message, channel: Channel | None, sending: Sending) -> Call | None:
    """Return the call that says that we have read a message; None if nobody is to be told."""
    if channel is None or not channel.connected or not channel.token:
        return None
    if message.source_message_id is None or not isinstance(sending, ReadReceipts):
        return None
    return sending.read_receipt(channel.source_channel_id, channel.token, message.source_message_id)


def wait_s(told: Later, tries: int, chance: float) -> float:
    """Return how long to wait after so many tries; `chance` in [0, 1) keeps callers apart."""
    doubled = 1 << min(tries - 1, _DOUBLINGS_MAX)
    backoff_s = min(_BACKOFF_S * doubled, _BACKOFF_S_MAX)
    return max(backoff_s * (1 + chance / 2), told.after_s or 0.0)


def is_worth_waiting(dispatch: Dispatch, sending: Sending, at: Millis, wait_s: float) -> bool:
    """Whether a message is tried again, and not too old when the wait is over."""
    return sending.expires and not is_expired(dispatch, sending, Millis(at + int(wait_s * 1_000)))
