"""What is found in the bytes of a damaged log, whatever became of the tree that led to it.

A stored value tells where it begins, how long it is, where it belongs, and whether it is whole. So
the file is searched from end to end without asking LMDB, which would abort on a bad page.
"""

import mmap
import re
import struct
from collections.abc import Callable, Iterator
from pathlib import Path

from airy_ray.errors import RecordCorruptError
from airy_ray.rawlog import facts, record
from airy_ray.rawlog.facts import Fact
from airy_ray.rawlog.record import length_and_offset, opened
from airy_ray.storage.pages import PAGE_BYTES

_PAGE = struct.Struct("<10xHHH")
"""Of a page: its flags, where its pointers end, where its nodes begin."""
_LEAF = 0x02


def records_in(file: Path) -> dict[int, bytes]:
    """Return the whole stored values in an LMDB file, by offset.

    Pages that are free now may hold records that were trimmed, and one that was never committed and
    whose offset another took: of two for one offset the one received later counts. The free space
    of a page holds what its memory was used for before, transactions that were given up among it:
    that counts only where there is nothing else, and never beyond the rest.
    """
    used: dict[int, bytes] = {}
    unused: dict[int, bytes] = {}
    for value, is_used in _whole_values(file, record.VALUE_START, _record_at):
        offset = length_and_offset(value)[1]
        found = used if is_used else unused
        found[offset] = _later(found.get(offset), value, offset)
    end = max(used, default=-1)
    return {offset: value for offset, value in unused.items() if offset < end} | used


def facts_in(file: Path) -> list[Fact]:
    """Return the whole small rows in an LMDB file, also those that were replaced since."""
    found = [facts.decoded(value) for value, _ in _whole_values(file, facts.VALUE_START, _fact_at)]
    return [fact for fact in found if fact is not None]


def _whole_values(
    file: Path, beginning: bytes, value_at: Callable[[mmap.mmap, int], bytes | None]
) -> Iterator[tuple[bytes, bool]]:
    """Yield the values in a file, and whether each is in the used part of its page.

    What looks like one inside of another is only its content.
    """
    if not file.exists() or file.stat().st_size == 0:
        return
    with file.open("rb") as source, mmap.mmap(source.fileno(), 0, prot=mmap.PROT_READ) as content:
        end = 0
        for start in re.finditer(re.escape(beginning), content):
            if start.start() < end:
                continue
            value = value_at(content, start.start())
            if value is not None:
                end = start.start() + len(value)
                yield value, not _is_in_free_space(content, start.start())


def _is_in_free_space(content: mmap.mmap, at: int) -> bool:
    """Whether a place lies between the pointers of a leaf page and its nodes."""
    page, place = at - at % PAGE_BYTES, at % PAGE_BYTES
    flags, _, upper = _PAGE.unpack_from(content, page)
    return bool(flags & _LEAF) and place < upper


def _record_at(content: mmap.mmap, at: int) -> bytes | None:
    header = content[at : at + record.HEADER_BYTES]
    if len(header) < record.HEADER_BYTES:
        return None
    length, offset = length_and_offset(header)
    value = content[at : at + record.HEADER_BYTES + length]
    try:
        opened(value, offset)
    except RecordCorruptError:
        return None
    return value


def _fact_at(content: mmap.mmap, at: int) -> bytes | None:
    header = content[at : at + facts.HEADER_BYTES]
    if len(header) < facts.HEADER_BYTES:
        return None
    value = content[at : at + facts.stored_bytes(header)]
    return None if facts.decoded(value) is None else value


def _later(present: bytes | None, value: bytes, offset: int) -> bytes:
    if present is None or present == value:
        return value
    both = (present, value)
    return max(both, key=lambda each: opened(each, offset).received_at)
