"""What all commands carry."""

from collections.abc import Iterator

import msgspec

from airy_ray.model.ids import CommandId, derived_id, parse_id

ANONYMOUS = "airy-core-anonymous"
"""Who acts when authentication is off (contract: platform API §2.1)."""


_ID_TEXT = 36


class Command(msgspec.Struct, frozen=True, gc=False, kw_only=True, tag_field="command"):
    """What all commands carry.

    Attributes:
        id: under which the answer is kept for a day; equal ids are one command.
        principal: who wants it done.
        request: digest of the request, in hexadecimal digits, that an idempotency key stands for.
    """

    id: str
    principal: str = ANONYMOUS
    request: str | msgspec.UnsetType = msgspec.UNSET


def asked(command: Command, digest: bytes) -> bytes:
    """Return what has to be the same in a command that comes again under its id.

    That is `digest`, of the command as it is, unless it carries out a request with a key: what was
    found out on the way, such as a page's picture, may be different the second time.
    """
    return digest if command.request is msgspec.UNSET else bytes.fromhex(command.request)


def subjects(command: Command) -> Iterator[bytes]:
    """Yield the ids of what a command is about: those it names, and that of a contact it makes."""
    for name in command.__struct_fields__:
        value = getattr(command, name)
        if name.endswith("id") and isinstance(value, str) and len(value) == _ID_TEXT:
            try:
                identifier = parse_id(value)
            except ValueError:
                continue
            yield derived_id(CommandId(identifier), "contact") if name == "id" else identifier
