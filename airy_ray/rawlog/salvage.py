"""Records found in the bytes of a damaged log, whatever became of the tree that led to them.

A stored value tells where it begins, how long it is, which offset it has, and whether it is whole.
So the file is searched from end to end without asking LMDB, which would abort on a bad page.
"""

import mmap
import re
from pathlib import Path

from airy_ray.errors import RecordCorruptError
from airy_ray.rawlog.record import HEADER_BYTES, VALUE_START, length_and_offset, opened


def records_in(file: Path) -> dict[int, bytes]:
    """Return the whole stored values in an LMDB file, by offset.

    Pages that are free now may hold records that were trimmed, and one that was never committed and
    whose offset another took: of two for one offset the one received later counts.
    """
    if not file.exists() or file.stat().st_size == 0:
        return {}
    found: dict[int, bytes] = {}
    with file.open("rb") as source, mmap.mmap(source.fileno(), 0, prot=mmap.PROT_READ) as content:
        for start in re.finditer(re.escape(VALUE_START), content):
            value = _value_at(content, start.start())
            if value is not None:
                offset = length_and_offset(value)[1]
                found[offset] = _later(found.get(offset), value, offset)
    return found


def _value_at(content: mmap.mmap, at: int) -> bytes | None:
    header = content[at : at + HEADER_BYTES]
    if len(header) < HEADER_BYTES:
        return None
    length, offset = length_and_offset(header)
    value = content[at : at + HEADER_BYTES + length]
    try:
        opened(value, offset)
    except RecordCorruptError:
        return None
    return value


def _later(present: bytes | None, value: bytes, offset: int) -> bytes:
    if present is None or present == value:
        return value
    both = (present, value)
    return max(both, key=lambda each: opened(each, offset).received_at)
