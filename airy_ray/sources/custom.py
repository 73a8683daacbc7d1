"""Custom sources: programs that bring messages in by `sources.webhook`. Contract: sources §9.

What comes is refused as a whole while its caller still listens, so what is stored can be read.
"""

from typing import Any

import msgspec

from airy_ray.clock import Millis
from airy_ray.errors import PayloadError
from airy_ray.model import json_text
from airy_ray.model.metadata import flatten
from airy_ray.sources.source import (
    Cut,
    Described,
    Key,
    MessageDescribed,
    Overwritten,
    Parsed,
    Received,
    SourceEvent,
    Webhook,
    instant,
    instant_of_text,
    text_id,
)

ELEMENTS_MAX = 5_000
"""How many messages and metadata a body may hold: a record has only so many changes to tell of."""

_NO_CHANNEL = ""
_BY_MESSAGE = "\0"
"""In place of a channel's name: the key names a conversation, or a message, without it."""


def parse(source: str, webhook: Webhook) -> Parsed:
    """Return what a body of `source` says."""
    return Parsed(read(source, webhook.body), [])


def names_a_channel(key: Key) -> bool:
    """Whether a key names a conversation with its channel, as those of messages do."""
    return key.channel not in (_NO_CHANNEL, _BY_MESSAGE)


def named_message(key: Key) -> str | None:
    """Return the message that a key names, and nothing else of it, if it does."""
    return key.conversation if key.channel == _BY_MESSAGE else None


def routes(source: str, body: bytes) -> list[Key]:
    """Return where the events in a body belong, each place once.

    Raises:
        PayloadError: some part of the body is not what it should be.
    """
    return list(dict.fromkeys(event.key for event in read(source, body)))


def read(source: str, body: bytes) -> list[SourceEvent]:
    """Return all that a body says; raises as `routes` does."""
    if json_text.nests_too_deep(body):
        raise PayloadError("nested too deep")
    told = _decoded(body)
    if len(told.messages) + len(told.metadata) > ELEMENTS_MAX:
        raise PayloadError(f"at most {ELEMENTS_MAX} messages and metadata at once")
    events: list[SourceEvent] = [_overwritten(source, message) for message in told.messages]
    return events + [_described(source, each) for each in told.metadata]


def without(source: str, body: bytes, cut: Cut) -> bytes | None:
    """Return a body without what goes, all else as it came; None if nothing is left.

    Metadata that names a message alone goes if the name is one of somebody forgotten.
    """
    shielded = json_text.shield(body)
    try:
        told = _decode_elements(shielded)
        messages = [part for part in told.messages if not _goes(source, part, cut)]
        metadata = [part for part in told.metadata if not _metadata_goes(source, part, cut)]
    except (msgspec.DecodeError, PayloadError, RecursionError):
        return None if cut.names(body) else body
    if len(messages) == len(told.messages) and len(metadata) == len(told.metadata):
        return body
    if not messages and not metadata:
        return None
    parts = (b",".join(map(bytes, each)) for each in (messages, metadata))
    return json_text.unshield(b'{"messages":[%b],"metadata":[%b]}' % tuple(parts))


def _goes(source: str, part: msgspec.Raw, cut: Cut) -> bool:
    received = _overwritten(source, _decode_message(part)).received
    return cut.takes(received.key, received.sent_at)


def _metadata_goes(source: str, part: msgspec.Raw, cut: Cut) -> bool:
    event = _described(source, _decode_metadata(part))
    is_named = isinstance(event, MessageDescribed) and cut.names(bytes(part))
    return cut.takes(event.key, None) or is_named


class _Elements(msgspec.Struct, gc=False):
    messages: list[msgspec.Raw] = []
    metadata: list[msgspec.Raw] = []


_decode_elements = msgspec.json.Decoder(_Elements).decode


class _Message(msgspec.Struct, gc=False):
    source_message_id: str | int
    source_conversation_id: str | int
    source_channel_id: str | int
    source_sender_id: str | int
    content: msgspec.Raw
    sent_at: Any
    from_contact: bool | None = False


class _Metadata(msgspec.Struct, gc=False):
    namespace: str
    source_id: str | int
    metadata: dict[str, Any]


class _Body(msgspec.Struct, gc=False):
    messages: list[_Message] = []
    metadata: list[_Metadata] = []


_body_decoder = msgspec.json.Decoder(_Body)
_decode_message = msgspec.json.Decoder(_Message).decode
_decode_metadata = msgspec.json.Decoder(_Metadata).decode


def _decoded(body: bytes) -> _Body:
    try:
        return json_text.decode_with(_body_decoder, body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise PayloadError(str(error)) from None


def _overwritten(source: str, told: _Message) -> Overwritten:
    channel = _name("source_channel_id", told.source_channel_id)
    if channel == _BY_MESSAGE:
        raise PayloadError("source_channel_id: is no name")
    name = _name("source_message_id", told.source_message_id)
    received = Received(
        Key(source, channel, _name("source_conversation_id", told.source_conversation_id)),
        name,
        name,
        _sent_at(told.sent_at),
        from_contact=told.from_contact is True,
        sender_id=_name("source_sender_id", told.source_sender_id),
        content=_content(bytes(told.content)),
    )
    return Overwritten(received)


def _described(source: str, told: _Metadata) -> SourceEvent:
    name = _name("source_id", told.source_id)
    values = {key: json_text.unshield(value) for key, value in flatten(told.metadata).items()}
    if told.namespace == "conversation":
        return Described(Key(source, _NO_CHANNEL, name), values)
    if told.namespace == "message":
        return MessageDescribed(Key(source, _BY_MESSAGE, name), values)
    raise PayloadError(f"Unknown metadata namespace {told.namespace}")


def _name(field: str, value: str | int) -> str:
    name = text_id(value)
    if name is None:
        raise PayloadError(f"{field}: is empty")
    return name


def _sent_at(value: object) -> Millis:
    at = None
    if isinstance(value, str):
        at = instant_of_text(value)
    elif isinstance(value, float):
        at = instant(int(value)) if abs(value) < 1e18 else None
    elif isinstance(value, int):
        at = instant(value)
    if at is None:
        raise PayloadError("sent_at: neither milliseconds since 1970 nor an ISO 8601 time")
    return at


def _content(text: bytes) -> bytes:
    content = json_text.unshield(json_text.compact(text))
    if content == b"null":
        raise PayloadError("content: is required")
    return content
