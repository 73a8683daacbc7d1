"""`audit.list`: who had what done, newest first, over all partitions; see `partition.newest`."""

from datetime import datetime

from pydantic import AwareDatetime

from airy_ray.clock import Millis
from airy_ray.cluster.access import PartitionAccess
from airy_ray.model import json_text
from airy_ray.partition.newest import (
    CLOCKS_APART_MS,
    LOOKED_AT_MAX,
    LOOKED_AT_ONCE,
    Found,
    merged,
)
from airy_ray.projections.view import AuditEntry
from airy_ray.serve.api import shapes
from airy_ray.serve.api.endpoint import Body, Endpoint, OptionalText
from airy_ray.serve.api.examples import example
from airy_ray.serve.api.paging import newest_page, positions_in, size_of
from airy_ray.serve.api.platform import Caller, Platform
from airy_ray.serve.http import Response
from airy_ray.state.queries import Reading

_PAGE_SIZE = 20


class ListAudit(Body):
    """Which entries."""

    model_config = example(action="conversations.mark-read", since="2025-11-21T00:00:00Z")
    principal: OptionalText = None
    action: OptionalText = None
    since: AwareDatetime | None = None
    until: AwareDatetime | None = None
    cursor: OptionalText = None
    page_size: int | None = _PAGE_SIZE


async def list_audit(platform: Platform, _: Caller, asked: ListAudit) -> Response:
    """Return who had what done, newest first, without what messages say."""
    accesses = list(platform.machine.partitions.values())
    positions = positions_in(asked.cursor, len(accesses))
    limit = platform.settings.limits.page_size
    size = size_of(asked.page_size, limit=limit, default=_PAGE_SIZE)
    found = [
        Found[AuditEntry]([], None) if position == 0 else await _find(access, asked, position, size)
        for access, position in zip(accesses, positions, strict=True)
    ]
    entries, following = merged(found, positions, size, lambda entry: entry.at)
    return newest_page([_rendered(each.row) for each in entries], following)


async def _find(
    access: PartitionAccess, asked: ListAudit, position: int, size: int
) -> Found[AuditEntry]:
    """Return up to `size` entries of one partition that are asked for."""
    since = None if asked.since is None else _millis(asked.since)
    until = None if asked.until is None else _millis(asked.until)
    entries: list[tuple[int, AuditEntry]] = []
    looked_at = 0
    while looked_at < LOOKED_AT_MAX and len(entries) < size:
        step = min(LOOKED_AT_ONCE, LOOKED_AT_MAX - looked_at)
        rows = await access.ask(Reading.audit, position, step)
        for offset, entry in rows:
            position = offset
            if since is not None and entry.at < since - CLOCKS_APART_MS:
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
