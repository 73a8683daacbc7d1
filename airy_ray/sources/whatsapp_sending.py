"""Messages to WhatsApp through Meta's Cloud API (sources §3.5)."""

from typing import Any
from urllib.parse import quote

import msgspec

from airy_ray.errors import DeliveryError
from airy_ray.model import json_text
from airy_ray.sources import meta, sending
from airy_ray.sources.json_parts import members, object_of, scalar, string
from airy_ray.sources.sending import Call, ChannelToken, Outbound, Pace, Reply, Taken, Verdict

_PER_S = 80.0
_TEXT_MAX = 4_096
_PASSING = frozenset({1, 2, 4, 80007, 130429, 131000, 131016, 131056})
_LASTING = frozenset({131048})
"""Refused for spam: sending it again makes that worse."""
_OF_CONVERSATION = frozenset({131056})
"""Too many messages of one number to one contact."""
_NEEDS_TEMPLATE = "WhatsApp conversations can only be opened with a template"


class WhatsappSending(ChannelToken, msgspec.Struct, frozen=True, tag="whatsapp"):
    """The Cloud API, for all of our phone numbers."""

    api_url: str
    version: str

    opens_conversations = True

    def pace(self, content: bytes) -> Pace:
        """Return the limit of a phone number."""
        return Pace(_PER_S)

    def calls(self, message: Outbound) -> list[Call]:
        """Return a call for each part of a text that is too long, else one.

        Whether a contact who wrote long ago may be answered is for Meta to decide; who never wrote
        gets templates only.
        """
        named = sending.fields(message.content)
        if message.heard_at is None and _kind(named) != "template":
            raise DeliveryError(_NEEDS_TEMPLATE)
        return [self._call(message, each) for each in _parts(named)]

    def read(self, message: Outbound, reply: Reply) -> Verdict:
        """Return what Meta's answer means."""
        if reply.status == 200:
            return Taken(_known_as(reply))
        return meta.not_taken(reply, _PASSING, lasting=_LASTING, of_conversation=_OF_CONVERSATION)

    def read_receipt(self, channel: str, token: str, source_message_id: str) -> Call:
        """Return the call that says that we have read a message, and all before it."""
        told = {
            "messaging_product": "whatsapp",
            "status": "read",
            "message_id": source_message_id,
        }
        return self._post(channel, token, told)

    def _call(self, message: Outbound, named: dict[str, Any]) -> Call:
        addressed = named | {"messaging_product": "whatsapp", "recipient_type": "individual"}
        for name in ("to", "recipient"):
            addressed.pop(name, None)
        is_number = message.recipient.removeprefix("+").isdecimal()
        addressed["to" if is_number else "recipient"] = message.recipient
        return self._post(message.channel, message.token, addressed)

    def _post(self, channel: str, token: str, body: dict[str, Any]) -> Call:
        number = quote(channel, safe="")
        return Call(
            "POST",
            f"{self.api_url.rstrip('/')}/{self.version}/{number}/messages",
            {"authorization": f"Bearer {token}", "content-type": "application/json"},
            sending.body_of(body),
        )


def _parts(named: dict[str, msgspec.Raw]) -> list[dict[str, Any]]:
    """Return content as it is or, if it is a text that is too long, in several parts.

    What the whole answers is answered by the first.
    """
    text = members(named.get("text")) or {}
    body = string(text.get("body")) or ""
    if _kind(named) not in (None, "text") or len(body) <= _TEXT_MAX:
        return [named]
    bodies = sending.parted(body, lambda rest: rest[:_TEXT_MAX]) or [body]
    parts = [
        named | {"text": msgspec.Raw(object_of(text | {"body": json_text.quote(each)}))}
        for each in bodies
    ]
    for part in parts[1:]:
        part.pop("context", None)
    return parts


def _known_as(reply: Reply) -> str | None:
    """Return what WhatsApp calls the message, if it told."""
    messages = reply.told().get("messages")
    first = messages[0] if isinstance(messages, list) and messages else None
    known_as = first.get("id") if isinstance(first, dict) else None
    return known_as if isinstance(known_as, str) and known_as else None


def _kind(named: dict[str, msgspec.Raw]) -> Any:
    return scalar(named.get("type"))
