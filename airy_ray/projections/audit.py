"""The audit log: who had what done, with what success; an entry for each command of a caller."""

import msgspec

from airy_ray.clock import Millis
from airy_ray.model.commands import (
    AnyCommand,
    ClaimKey,
    EraseContact,
    SeeUser,
    SettleFiles,
    VisitorSend,
)
from airy_ray.projections.view import AuditEntry

_UNAUDITED = (VisitorSend, SeeUser, ClaimKey, SettleFiles)
"""What visitors do, and what the platform writes down of its own accord."""

_NO_SUBJECT = {"id", "source_channel_id", "recipient_id"}


class _Made(msgspec.Struct):
    id: str | None = None


_decode_made = msgspec.json.Decoder(_Made).decode


def entry(command: AnyCommand, status: int, body: bytes, at: Millis) -> AuditEntry | None:
    """Return what is written down of a command that was answered with `status` and `body`."""
    if isinstance(command, _UNAUDITED):
        return None
    action = str(command.__struct_config__.tag)
    return AuditEntry(at, command.principal, action, _subject(command, status, body), status)


def _subject(command: AnyCommand, status: int, body: bytes) -> str | None:
    """Return the id that the command names, else that of what it made."""
    if isinstance(command, EraseContact):
        return command.contact_ids[0]
    for field in command.__struct_fields__:
        if field.endswith("_id") and field not in _NO_SUBJECT:
            named = getattr(command, field)
            if isinstance(named, str):
                return named
    if not body or status >= 400:
        return None
    try:
        return _decode_made(body).id
    except msgspec.DecodeError:  # a list of things
        return None
