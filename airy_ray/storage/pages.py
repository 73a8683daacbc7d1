"""The pages of an LMDB file, read as bytes: LMDB itself would abort the process on a bad one.

`lmdb.verify` walks the whole file; here are the checks that are cheap enough for every start.
"""

import struct
from pathlib import Path

from lmdb import verify as lmdb_verify

from airy_ray.errors import DamagedError

PAGE_BYTES = 4_096
_MAGIC = 0xBEEFC0DE
_HEADER_BYTES = 16
_LAST_PAGE_AT = _HEADER_BYTES + 24 + 2 * 48
"""In a meta page, behind magic, version, map address and size, and two databases."""


def check_length(file: Path) -> None:
    """Check that a file holds every page that is in use, as its newest whole meta page tells.

    Raises:
        DamagedError: neither meta page is whole, or the file is too short.
    """
    with file.open("rb") as opened:
        metas = [_meta(opened.read(PAGE_BYTES)) for _ in range(2)]
        length = opened.seek(0, 2)
    whole = [meta for meta in metas if meta is not None]
    if not whole:
        raise DamagedError(str(file), "no meta page is whole")
    _, last_page = max(whole)
    if length >= (last_page + 1) * PAGE_BYTES:
        return
    # a page that was allocated and freed again in the newest transaction is never written
    found = problems(file.parent)
    if found:
        raise DamagedError(str(file), f"it ends before page {last_page}: {found[0]}")


def problems(path: Path) -> list[str]:
    """Return what is wrong with the structure of the LMDB file in `path`; nobody may write it."""
    try:
        found: list[str] = lmdb_verify.verify(str(path))  # type: ignore[no-untyped-call]  # no stubs
    except lmdb_verify.VerifyError as error:
        return [str(error)]
    return found


def _meta(page: bytes) -> tuple[int, int] | None:
    """Return (transaction, last page) of a meta page, or None if it is none."""
    if len(page) < PAGE_BYTES:
        return None
    magic, version = struct.unpack_from("<II", page, _HEADER_BYTES)
    last_page, transaction = struct.unpack_from("<QQ", page, _LAST_PAGE_AT)
    return (transaction, last_page) if magic == _MAGIC and version == 1 else None
