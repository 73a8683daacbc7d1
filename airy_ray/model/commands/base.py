"""What all commands carry."""

import msgspec

ANONYMOUS = "airy-core-anonymous"
"""Who acts when authentication is off (contract: platform API §2.1)."""


class Command(msgspec.Struct, frozen=True, gc=False, kw_only=True, tag_field="command"):
    """What all commands carry.

    Attributes:
        id: under which the answer is kept for a day; equal ids are one command.
        principal: who wants it done.
    """

    id: str
    principal: str = ANONYMOUS
