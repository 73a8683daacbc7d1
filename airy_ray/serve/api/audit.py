"""`audit.list`: who had what done, newest first, over all partitions.

A page begins at a position of its own in each partition, which its cursor holds: what is written
meanwhile moves nothing. Of many entries that a filter leaves out only some are looked at for one
page, which is then short; the list is at its end when there is no next cursor.
"""

from datetime import datetime
from typing import NamedTuple

from pydantic import AwareDatetime

from airy_ray.clock import Millis
from airy_ray.cluster.access import PartitionAccess
from airy_ray.errors import RequestError
from airy_ray.model import json_text
from airy_ray.projections.view import AuditEntry
from airy_ray.serve.api import shapes
from airy_ray.serve.api.endpoint import Body, Endpoint, OptionalText
from airy_ray.serve.api.examples import example
from airy_ray.serve.api.paging import size_of
from airy_ray.serve.api.platform import Caller, Platform
from airy_ray.serve.http import Response
from airy_ray.state.queries import Reading

_PAGE_SIZE = 20
_LOOKED_AT_MAX = 5_000
_STEP = 500
_CLOCKS_APART_MS = 3_600_000
"""How far from the order of time the order of a partition's log may be."""
_POSITION_MAX = 1 << 63


class ListAudit(Body):
    """Which entries."""

    model_config = example(action="conversations.mark-read", since="2025-11-21T00:00:00Z")
    principal: OptionalText = None
    action: OptionalText = None
    since: AwareDatetime | None = None
    until: AwareDatetime | None = None
    cursor: OptionalText = None
    page_size: int | None = _PAGE_SIZE


class Found(NamedTuple):
    """What one partition has for a page.

    Attributes:
        entries: with their offsets, newest first.
        end: the offset before which to go on once they are taken; None if that is the end.
    """

    entries: list[tuple[int, AuditEntry]]
    end: int | None


async def list_audit(platform: Platform, _: Caller, asked: ListAudit) -> Response:
    """Return who had what done, newest first, without what messages say."""
    accesses = list(platform.machine.partitions.values())
    positions = _positions(asked.cursor, len(accesses))
    limit = platform.settings.limits.page_size
    size = size_of(asked.page_size, limit=limit, default=_PAGE_SIZE)
    found = [
        Found([], None) if position == 0 else await _find(access, asked, position, size)
        for access, position in zip(accesses, positions, strict=True)
    ]
    entries, following = merged(found, positions, size)
    shown = b",".join(_rendered(entry) for entry in entries)
    cursor = ".".join(map(str, following)) if any(following) else None
    told = json_text.encode({"next_cursor": cursor})
    return Response(body=b'{"data":[%b],"pagination_data":%b}' % (shown, told))


def merged(
    found: list[Found], positions: list[int], size: int
) -> tuple[list[AuditEntry], list[int]]:
    """Return the newest entries of all partitions, and before which offset of each to go on.

    Where a partition was not looked through to its end, nothing older than what it has is taken.
    """
    taken: list[AuditEntry] = []
    nexts = [0] * len(found)
    following = list(positions)
    while len(taken) < size:
        heads = [
            (-each.entries[nexts[index]][1].at, index)
            for index, each in enumerate(found)
            if nexts[index] < len(each.entries)
        ]
        is_cut = any(
            nexts[index] == len(each.entries) and each.end is not None
            for index, each in enumerate(found)
        )
        if not heads or is_cut:
            break
        _, index = min(heads)
        following[index], entry = found[index].entries[nexts[index]]
        nexts[index] += 1
        taken.append(entry)
    for index, each in enumerate(found):
        if nexts[index] == len(each.entries):
            following[index] = each.end or 0
    return taken, following


async def _find(access: PartitionAccess, asked: ListAudit, position: int, size: int) -> Found:
    """Return up to `size` entries of one partition that are asked for."""
    since = None if asked.since is None else _millis(asked.since)
    until = None if asked.until is None else _millis(asked.until)
    entries: list[tuple[int, AuditEntry]] = []
    looked_at = 0
    while looked_at < _LOOKED_AT_MAX and len(entries) < size:
        step = min(_STEP, _LOOKED_AT_MAX - looked_at)
        rows = await access.ask(Reading.audit, position, step)
        for offset, entry in rows:
            position = offset
            if since is not None and entry.at < since - _CLOCKS_APART_MS:
                return Found(entries, None)
            if _is_asked_for(entry, asked, since, until):
                entries.append((offset, entry))
                if len(entries) == size:
                    return Found(entries, position)
        looked_at += len(rows)
        if len(rows) < step:
            return Found(entries, None)
    return Found(entries, position)


def _is_asked_for(
    entry: AuditEntry, asked: ListAudit, since: Millis | None, until: Millis | None
) -> bool:
    return (
        asked.principal in (None, entry.principal)
        and asked.action in (None, entry.action)
        and (since is None or entry.at >= since)
        and (until is None or entry.at < until)
    )


def _positions(cursor: str | None, partitions: int) -> list[int]:
    """Return the offset of each partition before which a page begins; 0 where nothing is left."""
    if cursor is None:
        return [_POSITION_MAX] * partitions
    parts = cursor.split(".")
    if len(parts) != partitions or not all(_is_offset(part) for part in parts):
        raise RequestError(400, "cursor: not a cursor of this list")
    return [int(part) for part in parts]


def _is_offset(part: str) -> bool:
    return part.isascii() and part.isdecimal() and len(part) <= 19 and int(part) <= _POSITION_MAX


def _millis(at: datetime) -> Millis:
    return Millis(int(at.timestamp() * 1_000))


def _rendered(entry: AuditEntry) -> bytes:
    shown = {
        "at": json_text.instant(entry.at),
        "principal": entry.principal,
        "action": entry.action,
        "subject": entry.subject,
        "status": entry.status,
    }
    return json_text.unshield(json_text.encode(shown))


ENDPOINTS = [
    Endpoint(
        "/audit.list",
        list_audit,
        ListAudit,
        "List who had what done",
        shapes.AuditPage,
        may_be_empty=True,
    ),
]
