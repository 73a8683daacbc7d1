"""A record of the raw log, and the bytes it is stored as (design: §3).

1. Stored are 20 bytes of header (magic, version, length, offset, CRC) and MessagePack.
2. The CRC-32 covers offset, length and record: bytes that were moved, cut or changed are noticed.
3. Offsets have no gaps. What was lost is said by a `lost` record.
"""

import struct
from hashlib import blake2b
from typing import Literal, NewType
from zlib import crc32

import msgspec

from airy_ray.clock import Micros, Millis
from airy_ray.errors import RecordCorruptError
from airy_ray.model.ids import ChannelId, ConversationId, PartitionIndex

Offset = NewType("Offset", int)
"""A position in one partition's log, from 0."""

Kind = Literal["webhook", "command", "outcome", "timer", "forward", "channel", "swap", "lost"]

_HEADER = struct.Struct(">2sBxIQI")
_PLACE = struct.Struct(">QI")
_MAGIC = b"AR"
_VERSION = 1
_PAYLOAD_ID_BYTES = 16

ERASED = b'{"erased":true}'
"""The body of a record all of which was erased: it means nothing to anybody."""

ERASED_AUDITED = b'{"erased":true,"audited":'
"""What the body of an erased command begins with of which a row of the audit log stays."""

HEADER_BYTES = _HEADER.size
VALUE_START = _MAGIC + bytes([_VERSION, 0])
"""What every stored value begins with."""


class Route(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """Where one event of a body belongs, as it was decided when the body came in.

    Attributes:
        channel: what the source calls the channel.
        conversation: what the source calls the conversation.
        channel_id: our id of the channel, whether it is known or not.
        conversation_id: our id of the conversation; its slot says which partition takes the event.
        refused: why the event is not taken; None if it is.
    """

    source: str
    channel: str
    conversation: str
    channel_id: ChannelId
    conversation_id: ConversationId
    refused: str | None = None


class Record(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """One fact as it entered.

    Attributes:
        received_at: when we took it, the only "now" that a projection knows.
        source: the messaging source, or `api` for commands; selects records for replay and export.
        routes: of the events in the body; empty for what names its partition itself.
        payload_id: digest of the body, so that the same body stored twice is recognisable.
        headers: the few that are needed to read the body again; never secrets.
        of: the record that this one repeats, as partition and offset.
    """

    received_at: Micros
    kind: Kind
    source: str
    body: bytes
    payload_id: bytes
    routes: tuple[Route, ...] = ()
    headers: dict[str, str] | None = None
    of: tuple[PartitionIndex, Offset] | None = None

    @property
    def at(self) -> Millis:
        """When we took it, in the unit of everything that is shown."""
        return Millis(self.received_at // 1_000)


def is_erased(record: Record) -> bool:
    """Whether all of a record was erased."""
    body = record.body
    return body == ERASED or (record.kind == "command" and body.startswith(ERASED_AUDITED))


class Prepared(msgspec.Struct, frozen=True, gc=False):
    """A record as bytes, ready for whatever offset it gets."""

    payload: bytes
    checksum: int


encode = msgspec.msgpack.Encoder().encode
"""Return the MessagePack of a record."""


def payload_id(body: bytes) -> bytes:
    """Return the digest by which a body is recognised."""
    return blake2b(body, digest_size=_PAYLOAD_ID_BYTES).digest()


def parse_payload_id(text: str) -> bytes:
    """Return a body's digest that is given as hexadecimal digits.

    Raises:
        ValueError: it is none.
    """
    digest = bytes.fromhex(text)
    if len(digest) != _PAYLOAD_ID_BYTES:
        raise ValueError(f"{text} is not the id of a payload")
    return digest


def prepare(record: Record) -> Prepared:
    """Return the bytes of a record: the costly part of storing it, before the log is locked."""
    return prepared(encode(record))


def prepared(encoded: bytes) -> Prepared:
    """Return an encoded record, ready to be stored."""
    return Prepared(encoded, crc32(encoded))


def stored(prepared: Prepared, offset: int) -> bytes:
    """Return the value that is stored at `offset`."""
    length = len(prepared.payload)
    checksum = checksum_at(offset, prepared)
    return _HEADER.pack(_MAGIC, _VERSION, length, offset, checksum) + prepared.payload


def checksum_at(offset: int, prepared: Prepared) -> int:
    """Return the CRC that a record has at `offset`."""
    return crc32(_PLACE.pack(offset, len(prepared.payload)), prepared.checksum)


def opened(value: bytes, offset: int) -> Record:
    """Return the record in a stored value.

    Raises:
        RecordCorruptError: these are not the bytes that were stored at `offset`.
    """
    payload = checked_payload(value, offset)
    try:
        return _decode(payload)
    except msgspec.DecodeError as error:
        raise RecordCorruptError(offset, f"it does not decode: {type(error).__name__}") from error


def checked_payload(value: bytes, offset: int) -> bytes:
    """Return the record's own bytes in a stored value, once they are known to be whole."""
    if len(value) < _HEADER.size:
        raise RecordCorruptError(offset, "it is shorter than a header")
    magic, version, length, place, checksum = _HEADER.unpack_from(value)
    if magic != _MAGIC or version != _VERSION:
        raise RecordCorruptError(offset, "it does not begin like a record")
    payload = value[_HEADER.size :]
    if len(payload) != length or place != offset:
        raise RecordCorruptError(offset, "its length or place is wrong")
    if crc32(_PLACE.pack(offset, length), crc32(payload)) != checksum:
        raise RecordCorruptError(offset, "its checksum is wrong")
    return payload


def is_at(value: bytes, offset: int) -> bool:
    """Whether a stored value begins like the one that belongs at `offset`."""
    return value.startswith(VALUE_START) and (
        len(value) >= HEADER_BYTES and length_and_offset(value)[1] == offset
    )


def length_and_offset(value: bytes) -> tuple[int, int]:
    """Return what the header of a stored value says, true or not."""
    _, _, length, offset, _ = _HEADER.unpack_from(value)
    return length, offset


def checksum_of(value: bytes) -> int:
    """Return the CRC in the header of a stored value."""
    checksum: int = _HEADER.unpack_from(value)[-1]
    return checksum


_decode = msgspec.msgpack.Decoder(Record).decode
