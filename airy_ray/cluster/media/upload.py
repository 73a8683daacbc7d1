"""A file that is being taken in, wherever it comes from."""

from hashlib import blake2b
from typing import IO

HEAD_BYTES = 4_096
"""How much of a file it takes to tell its kind."""


class Upload:
    """A file that is being taken in.

    Attributes:
        name: what its sender calls it; empty if nothing.
        head: its first bytes.
        size: in bytes.
    """

    def __init__(self, name: str, file: IO[bytes]) -> None:
        self.name = name
        self.file = file
        self.head = b""
        self.size = 0
        self._digest = blake2b(digest_size=16, person=b"media")

    @property
    def digest(self) -> bytes:
        """Of all that is in it: 16 bytes."""
        return self._digest.digest()

    def write(self, block: bytes) -> None:
        """Add to it. Blocks."""
        self.file.write(block)
        self._digest.update(block)
        self.head += block[: HEAD_BYTES - len(self.head)]
        self.size += len(block)
