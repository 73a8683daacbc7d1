"""Messages to WhatsApp through Meta's Cloud API (sources §3.5)."""

from typing import Any
from urllib.parse import quote

import msgspec

from airy_ray.errors import DeliveryError
from airy_ray.model import json_text
from airy_ray.sources import attached, meta, sending
from airy_ray.sources.attached import Limit, OurFile, Place
from airy_ray.sources.json_parts import members, object_of, scalar, string
from airy_ray.sources.sending import (
    Call,
    ChannelToken,
    Form,
    Later,
    Outbound,
    Pace,
    Refused,
    Reply,
    Taken,
    Verdict,
)

_PER_S = 80.0
_TEXT_MAX = 4_096
_PASSING = frozenset({1, 2, 4, 80007, 130429, 131000, 131016, 131056})
_LASTING = frozenset({131048})
"""Refused for spam: sending it again makes that worse."""
_OF_CONVERSATION = frozenset({131056})
"""Too many messages of one number to one contact."""
_OFFICE = "application/vnd.openxmlformats-officedocument."
_LIMITS = {
    "image": Limit(5 << 20, ("image/jpeg", "image/png")),
    "audio": Limit(
        16 << 20,
        ("audio/aac", "audio/amr", "audio/mpeg", "audio/mp4", "audio/ogg", "audio/opus"),
    ),
    "video": Limit(16 << 20, ("video/mp4", "video/3gpp")),
    "document": Limit(
        100 << 20,
        (
            *("application/pdf", "text/plain", "application/msword", "application/vnd.ms-excel"),
            *("application/vnd.ms-powerpoint", f"{_OFFICE}wordprocessingml.document"),
            *(f"{_OFFICE}spreadsheetml.sheet", f"{_OFFICE}presentationml.presentation"),
        ),
    ),
    "sticker": Limit(500 << 10, ("image/webp",)),
}
"""By kind of message: https://developers.facebook.com/docs/whatsapp/cloud-api/reference/media."""
_PLACES = tuple(
    Place((*path, kind), ("link",))
    for path in (
        (),
        ("interactive", "header"),
        ("template", "components", "parameters"),
        ("template", "components", "cards", "components", "parameters"),
    )
    for kind in _LIMITS
)
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
        named = _fields(message, _with_known(message))
        return [self._call(message, each) for each in _parts(named)]

    def attached(self, content: bytes) -> list[str]:
        """Return the addresses of what is shown, of headers and of templates' parameters."""
        return attached.links(content, _PLACES)

    def uploads(self, message: Outbound) -> dict[str, Call]:
        """Return the calls that give Meta files, which it keeps for thirty days."""
        _fields(message, message.content)
        made = {}
        for place in _PLACES:
            kind = place.path[-1]
            for url in attached.links(message.content, [place]):
                file = message.files.get(url)
                if file is not None and not file.known_as:
                    _LIMITS[kind].check(file, kind)
                    made[url] = self._upload(message, file)
        return made

    def uploaded(self, reply: Reply) -> str | Refused | Later:
        """Return the id that a file has."""
        return meta.uploaded(reply, "id", _PASSING)

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
        return Call(
            "POST",
            f"{self._number_url(channel)}/messages",
            {"authorization": f"Bearer {token}", "content-type": "application/json"},
            sending.body_of(body),
        )

    def _upload(self, message: Outbound, file: OurFile) -> Call:
        form = Form({"messaging_product": "whatsapp", "type": file.kind}, {"file": file})
        url = f"{self._number_url(message.channel)}/media"
        return sending.with_files(url, form, {"authorization": f"Bearer {message.token}"})

    def _number_url(self, channel: str) -> str:
        return f"{self.api_url.rstrip('/')}/{self.version}/{quote(channel, safe='')}"


def _fields(message: Outbound, content: bytes) -> dict[str, msgspec.Raw]:
    named = sending.fields(content)
    if message.heard_at is None and _kind(named) != "template":
        raise DeliveryError(_NEEDS_TEMPLATE)
    return named


def _with_known(message: Outbound) -> bytes:
    """Return content with the ids of files that Meta has been given."""
    if not message.files:
        return message.content
    text = json_text.shield(message.content)
    for place in _PLACES:
        text = attached.with_known(
            text, place, message.files, lambda known_as: {"id": json_text.quote(known_as)}
        )
    return text


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
