"""What all commands carry."""

import msgspec

ANONYMOUS = "airy-core-anonymous"
"""Who acts when authentication is off (contract: platform API §2.1)."""


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
