"""Messages to custom sources, by a call of their action endpoint. Contract: sources §9."""

import hmac

import msgspec

from airy_ray.errors import DeliveryError
from airy_ray.model import json_text
from airy_ray.model.conversation import Conversation
from airy_ray.model.ids import format_id
from airy_ray.model.metadata import flatten
from airy_ray.sources import sending
from airy_ray.sources.sending import (
    Call,
    ChannelToken,
    Outbound,
    Pace,
    Refused,
    Reply,
    Taken,
    Verdict,
)
from airy_ray.sources.source import text_id

SIGNATURE = "x-airy-content-signature"
_PER_S = 1_000.0
_CALL_S = 10.0
_NO_ENDPOINT = "Source has no action endpoint"


class CustomSending(ChannelToken, msgspec.Struct, frozen=True, tag="custom"):
    """The action endpoints of all custom sources.

    What one does not take is not tried again, and nothing is too old for it: that is the source's
    to decide.

    Attributes:
        key: what the tokens of sources are signed with, which in turn sign our calls.
    """

    key: bytes

    opens_conversations = True
    needs_token = False
    expires = False

    def pace(self, content: bytes) -> Pace:
        """Return more than a program should be called."""
        return Pace(_PER_S)

    def calls(self, message: Outbound) -> list[Call]:
        """Return the one call, signed with the source's token."""
        from airy_ray.sources.custom_token import token_of  # it brings its cryptography along

        source = message.custom_source
        if source is None or source.action_endpoint is None:
            raise DeliveryError(_NO_ENDPOINT)
        body = sending.body_of({"type": "message.send", "payload": _payload(message)})
        headers = {
            "content-type": "application/json",
            SIGNATURE: signature(body, token_of(source, self.key)),
        }
        return [Call("POST", source.action_endpoint, headers, body, _CALL_S)]

    def attached(self, content: bytes) -> list[str]:
        """Return nothing: what a program may fetch from where is its own affair."""
        return []

    def read(self, message: Outbound, reply: Reply) -> Verdict:
        """Return what the answer means; only 200 says that the message was taken."""
        told = _object(reply)
        if reply.status != 200:
            reason = (told or {}).get("error")
            if isinstance(reason, str) and reason:
                return Refused(reason, reply.text)
            return Refused(f"Action endpoint returned invalid error: {reply.text}", reply.text)
        if told is None:
            return Refused(f"Action endpoint returned invalid response: {reply.text}", reply.text)
        metadata = told.get("metadata")
        values = flatten(metadata) if isinstance(metadata, dict) else {}
        return Taken(
            text_id(told.get("source_message_id")),
            {key: json_text.unshield(value) for key, value in values.items()},
        )


def signature(body: bytes, token: str) -> str:
    """Return what proves to a source that a call comes from us: only we know its token."""
    return hmac.digest(token.encode(), body, "sha256").hex()


def _payload(message: Outbound) -> dict[str, object]:
    told: dict[str, object] = {
        "message": {
            "id": format_id(message.message_id),
            "source_recipient_id": _text(message.recipient),
            "content": msgspec.Raw(message.content),
            "sent_at": json_text.instant(message.sent_at),
        }
    }
    if message.conversation is not None:
        told["conversation"] = _conversation(message.conversation, message.channel)
    return told


def _conversation(conversation: Conversation, channel: str) -> dict[str, object]:
    return {
        "id": format_id(conversation.id),
        "channel_id": format_id(conversation.channel_id),
        "source_channel_id": _text(channel),
        "source_conversation_id": _text(conversation.source_conversation_id),
        "created_at": json_text.instant(conversation.created_at),
    }


def _text(text: str) -> msgspec.Raw:
    return msgspec.Raw(json_text.quote(text))


def _object(reply: Reply) -> dict[str, object] | None:
    """Return the JSON object in an answer, None if there is none."""
    if json_text.nests_too_deep(reply.body):
        return None
    try:
        told = json_text.decode(reply.body)
    except ValueError:
        return None
    return told if isinstance(told, dict) else None
