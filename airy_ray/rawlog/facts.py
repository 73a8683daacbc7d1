"""The small rows that a log keeps beside its records, and the bytes they are stored as.

A stored row tells its table, its key and whether it is whole, so that it is found in the bytes of a
damaged file, and never taken for what it is not.
"""

import struct
from zlib import crc32

import msgspec

_HEADER = struct.Struct(">4sII")
_MAGIC = b"AF\x01\x00"

HEADER_BYTES = _HEADER.size
VALUE_START = _MAGIC
"""What every stored row begins with."""


class Fact(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """One row."""

    table: str
    key: bytes
    row: bytes


def stored(table: str, key: bytes, row: bytes) -> bytes:
    """Return the value that is stored for a row."""
    payload = _encode(Fact(table, key, row))
    return _HEADER.pack(_MAGIC, len(payload), crc32(payload)) + payload


def opened(table: str, key: bytes, value: bytes) -> bytes | None:
    """Return the row in a stored value; None if it is not what was stored there."""
    fact = decoded(value)
    if fact is None or (fact.table, fact.key) != (table, key):
        return None
    return fact.row


def decoded(value: bytes) -> Fact | None:
    """Return the row in a stored value, if it is whole."""
    if len(value) < HEADER_BYTES:
        return None
    magic, length, checksum = _HEADER.unpack_from(value)
    payload = value[HEADER_BYTES:]
    if magic != _MAGIC or len(payload) != length or crc32(payload) != checksum:
        return None
    return _decode(payload)


def stored_bytes(header: bytes) -> int:
    """Return how long a stored value is as its header says, true or not."""
    return HEADER_BYTES + int(_HEADER.unpack_from(header)[1])


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Fact).decode
