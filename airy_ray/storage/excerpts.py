"""Files of excerpts, each in a slot of its own: what is forgotten is overwritten where it lies.

1. Nobody waits for the disk to write one, so a slot has a checksum: it holds a whole one or none.
2. Who blanks slots does wait: what is gone does not come back with a power cut. Slots that a power
   cut has torn are blanked, too, for nobody knows whom they are about.
3. Who writes and who blanks exclude one another, by a lock on the directory that ends with its
   process.
"""

import fcntl
import os
from collections.abc import Container, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from xxhash import xxh3_64_digest

EXCERPT_BYTES = 1_024
"""How much is kept of each."""
_CHECKSUM_BYTES, _MARK_BYTES, _ABOUT_BYTES, _LENGTH_BYTES = 8, 8, 16, 2
_SLOT_BYTES = _CHECKSUM_BYTES + _MARK_BYTES + _ABOUT_BYTES + _LENGTH_BYTES + EXCERPT_BYTES
_SLOTS_AT_ONCE = 1_024


class Excerpt(NamedTuple):
    """The beginning of something.

    Attributes:
        mark: what tells it from others that were in its slot, or will be.
        about: an id of 16 bytes, by which it is forgotten.
    """

    mark: int
    about: bytes
    text: bytes


@contextmanager
def locked(directory: Path) -> Iterator[bool]:
    """Keep others out of the files of a directory; tell whether nobody has kept us out."""
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        yield _locks(descriptor)
    finally:
        os.close(descriptor)


def write(path: Path, excerpts: Mapping[int, Excerpt]) -> None:
    """Put excerpts into slots, under the lock.

    Raises:
        OSError: some may be missing.
    """
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT, 0o600)
    try:
        for slot, excerpt in excerpts.items():
            os.pwrite(descriptor, _packed(excerpt), slot * _SLOT_BYTES)
    finally:
        os.close(descriptor)


def read(path: Path, marks: Mapping[int, int]) -> dict[int, bytes]:
    """Return the texts, by slot, of those excerpts that are there under the marks told."""
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except FileNotFoundError:
        return {}
    try:
        pieces = {
            slot: _unpacked(os.pread(descriptor, _SLOT_BYTES, slot * _SLOT_BYTES)) for slot in marks
        }
    finally:
        os.close(descriptor)
    return {
        slot: found.text
        for slot, found in pieces.items()
        if found is not None and found.mark == marks[slot]
    }


def blank(directory: Path, abouts: Container[bytes]) -> bool:
    """Overwrite what is about any of these, durably; return False if somebody else has the lock."""
    if not directory.exists():
        return True
    with locked(directory) as is_ours:
        if is_ours:
            for path in directory.iterdir():
                _blank_in(path, abouts)
        return is_ours


def _locks(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _blank_in(path: Path, abouts: Container[bytes]) -> None:
    descriptor = os.open(path, os.O_RDWR)
    try:
        start, has_changed = 0, False
        while pieces := os.pread(descriptor, _SLOTS_AT_ONCE * _SLOT_BYTES, start):
            for offset in range(0, len(pieces), _SLOT_BYTES):
                piece = pieces[offset : offset + _SLOT_BYTES]
                if _goes(piece, abouts):
                    os.pwrite(descriptor, bytes(len(piece)), start + offset)
                    has_changed = True
            start += len(pieces)
        if has_changed:
            os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _goes(piece: bytes, abouts: Container[bytes]) -> bool:
    found = _unpacked(piece)
    return any(piece) if found is None else found.about in abouts


def _packed(excerpt: Excerpt) -> bytes:
    text = excerpt.text[:EXCERPT_BYTES]
    head = excerpt.mark.to_bytes(_MARK_BYTES, "big") + excerpt.about
    rest = head + len(text).to_bytes(_LENGTH_BYTES, "big") + text.ljust(EXCERPT_BYTES, b"\0")
    return xxh3_64_digest(rest) + rest


def _unpacked(piece: bytes) -> Excerpt | None:
    checksum, rest = piece[:_CHECKSUM_BYTES], piece[_CHECKSUM_BYTES:]
    if len(piece) < _SLOT_BYTES or xxh3_64_digest(rest) != checksum:
        return None
    about_at, length_at = _MARK_BYTES, _MARK_BYTES + _ABOUT_BYTES
    text_at = length_at + _LENGTH_BYTES
    length = int.from_bytes(rest[length_at:text_at], "big")
    mark = int.from_bytes(rest[:about_at], "big")
    return Excerpt(mark, rest[about_at:length_at], rest[text_at : text_at + length])
