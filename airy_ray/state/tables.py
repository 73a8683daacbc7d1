"""The tables of a partition's state and the bytes of their rows.

Every stored value begins with a checksum over key and row: a row that the disk changed, or that a
damaged tree hands out under another key, is noticed and never served.
"""

from collections.abc import Callable
from typing import Any

import msgspec
from xxhash import xxh3_64_digest

from airy_ray.clock import Micros
from airy_ray.errors import RowCorruptError
from airy_ray.model.api_token import ApiToken
from airy_ray.model.channel import Channel
from airy_ray.model.contact import Contact, Identity, Merge
from airy_ray.model.conversation import Conversation
from airy_ray.model.custom_source import CustomSource
from airy_ray.model.events import Place
from airy_ray.model.message import Message
from airy_ray.model.metadata import MetadataItem
from airy_ray.model.tag import Tag
from airy_ray.model.template import Template
from airy_ray.model.user import User
from airy_ray.model.webhook import Webhook
from airy_ray.projections.view import (
    Answer,
    AuditEntry,
    Change,
    Dispatch,
    Erasure,
    Fault,
    Held,
    KnownChannel,
    Outgoing,
    Receipt,
    Timer,
    Tombstone,
    Waiting,
    WantedProfile,
)

PROJECTION_VERSION = 7
"""Raised whenever the same log would make other rows; a replay then repairs an older state."""
READABLE_SINCE = 5
"""The oldest version whose rows this code reads, and goes on with; an older state is made anew.

Raised to the present version with every change after which a row that is stored cannot be decoded
any more, or means something else. `tests/fixtures/upgrade` has a state of each since then.
"""

CHECKSUM_BYTES = 8


def is_readable(version: int) -> bool:
    """Whether this code reads the rows of a version of the projection, and goes on with them."""
    return READABLE_SINCE <= version <= PROJECTION_VERSION


class LedgerEntry(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """What became of one record.

    Attributes:
        body_bytes: the size of what came in.
        verdict: `applied`, `ignored` or `quarantined`.
        reasons: why parts of it, or all, came to nothing.
        message_ids: the messages that it made or changed.
        payload_id: by which the same body is recognised.
        request: key of the row in `requests` that goes with the record, if one does.
    """

    received_at: Micros
    kind: str
    source: str
    body_bytes: int
    verdict: str
    reasons: tuple[str, ...]
    message_ids: tuple[bytes, ...]
    payload_id: bytes
    request: bytes | None = None


ROW_TYPES: dict[str, type[Any] | None] = {
    "conversations": Conversation,
    "conversations_by_time": None,
    "messages": Message,
    "message_keys": None,
    "source_ids": None,
    "early": None,
    "metadata": MetadataItem,
    "unread": None,
    "unseen": None,
    "receipts": Receipt,
    "contacts": Contact,
    "contact_of": None,
    "contacts_by_name": None,
    "identities": Identity,
    "merges": Merge,
    "sends": Dispatch,
    "profiles": WantedProfile,
    "numbers": None,
    "held": Held,
    "asked": None,
    "dialogues": None,
    "timers": Timer,
    "aliases": Place,
    "tombstones": Tombstone,
    "erasures": Erasure,
    "left_files": None,
    "orphans": Waiting,
    "channels": KnownChannel,
    "registry_channels": Channel,
    "tags": Tag,
    "templates": Template,
    "sources": CustomSource,
    "api_tokens": ApiToken,
    "webhooks": Webhook,
    "users": User,
    "requests": Answer,
    "changes": Change,
    "outbox": Outgoing,
    "ledger": LedgerEntry,
    "audit": AuditEntry,
    "quarantine": Fault,
    "meta": None,
}
"""Table to the type of its rows; None for those whose rows are plain bytes."""

APPENDED = ("changes", "outbox", "ledger", "audit")
"""Tables whose keys only grow."""

TELLING = ("changes", "outbox", "audit")
"""Those of them that say what was told or done once, and is not again for history."""

EncodeInto = Callable[[Any, bytearray], None]
Decode = Callable[[bytes], Any]

_encode_into = msgspec.msgpack.Encoder().encode_into

ENCODERS: dict[str, EncodeInto | None] = {
    name: None if row_type is None else _encode_into for name, row_type in ROW_TYPES.items()
}
DECODERS: dict[str, Decode | None] = {
    name: None if row_type is None else msgspec.msgpack.Decoder(row_type).decode
    for name, row_type in ROW_TYPES.items()
}


checksum: Callable[[bytes], bytes] = xxh3_64_digest
"""Return the checksum of a row's key and bytes, joined; a tenth of the time of zlib's CRC-32."""


def sealed(key: bytes, row: bytes) -> bytes:
    """Return the value that is stored for `row` under `key`."""
    return checksum(key + row) + row


def unsealed(table: str, key: bytes, value: bytes) -> bytes:
    """Return the row in a stored value.

    Raises:
        RowCorruptError: it is not what was stored under `key`.
    """
    row = value[CHECKSUM_BYTES:]
    if checksum(key + row) != value[:CHECKSUM_BYTES]:
        raise RowCorruptError(table, key)
    return row


def decoded(table: str, key: bytes, value: bytes) -> Any:
    """Return the row object in a stored value.

    Raises:
        RowCorruptError: it is not what was stored under `key`.
    """
    row = unsealed(table, key, value)
    decode = DECODERS[table]
    if decode is None:
        return row
    try:
        return decode(row)
    except msgspec.DecodeError as error:
        raise RowCorruptError(table, key) from error
