"""`quarantine.*`: records whose projection failed: why, and what is to become of them.

Who presses second, of two who press at once, gets the same answer, and nothing is done again.
"""

from airy_ray.errors import RequestError
from airy_ray.model import json_text
from airy_ray.model.commands import DropRecord, RetryRecord
from airy_ray.partition import ledger
from airy_ray.partition.ledger import RETRIABLE, Case, Told
from airy_ray.partition.newest import cursor_of
from airy_ray.serve.api import ledger_shapes
from airy_ray.serve.api.endpoint import Body, Endpoint, OptionalText
from airy_ray.serve.api.examples import example
from airy_ray.serve.api.ledger import (
    PAGE_SIZE,
    OneRecord,
    check_readable,
    check_whole,
    described,
    instant,
    looked_up,
    record,
)
from airy_ray.serve.api.paging import positions_in, size_of
from airy_ray.serve.api.platform import Caller, Platform
from airy_ray.serve.http import Response

_ASKED_AGAIN = "who asked for this was told that it failed, and may ask again"
_NOT_AGAIN = "what the platform tells itself of its log is not told again"


class ListQuarantine(Body):
    """Which page."""

    model_config = example(page_size=PAGE_SIZE)
    cursor: OptionalText = None
    page_size: int | None = PAGE_SIZE


async def list_quarantine(platform: Platform, _: Caller, asked: ListQuarantine) -> Response:
    """Return the records whose projection failed, newest first.

    Such a record changed nothing, and those behind it were applied. What came in is kept.
    """
    specs = platform.machine.spec.partitions
    positions = positions_in(asked.cursor, len(specs))
    size = size_of(asked.page_size, limit=platform.settings.limits.page_size, default=PAGE_SIZE)
    docket = await looked_up(ledger.docket, specs, positions, size)
    check_readable(docket.unreadable)
    told = {
        "data": [_listed(case) for case in docket.cases],
        "pagination_data": {"next_cursor": cursor_of(docket.following), "total": docket.count},
    }
    return Response(body=json_text.encode(told))


async def info(platform: Platform, _: Caller, asked: OneRecord) -> Response:
    """Return why a record is in quarantine. What came in, `ledger.info` tells."""
    told = await record(platform, asked.id)
    if told.fault is None:
        raise RequestError(404)
    why = {"error": told.fault.error, "traceback": told.fault.traceback}
    return Response(body=json_text.encode(described(told) | why))


async def retry(platform: Platform, caller: Caller, asked: OneRecord) -> Response:
    """Take a record out of quarantine and have it folded again, as a new record.

    Should it fail again, that one is in quarantine. The ledger has it under the same `payload_id`.
    """
    told = await _quarantined(platform, asked)
    if told.record.kind not in RETRIABLE:
        raise RequestError(409, _ASKED_AGAIN if told.record.kind == "command" else _NOT_AGAIN)
    check_whole(told)
    command = RetryRecord(**caller.signed(), record_id=str(told.place))
    return await platform.carry_out_in(told.partition, command)


async def drop(platform: Platform, caller: Caller, asked: OneRecord) -> Response:
    """Take a record out of quarantine for good. It stays in the log, and in the ledger."""
    told = await _quarantined(platform, asked)
    command = DropRecord(**caller.signed(), record_id=str(told.place))
    return await platform.carry_out_in(told.partition, command)


async def _quarantined(platform: Platform, asked: OneRecord) -> Told:
    """Return a record that is in quarantine, or was.

    Raises:
        RequestError: 404, it never was.
    """
    told = await record(platform, asked.id)
    if not told.was_quarantined:
        raise RequestError(404)
    return told


def _listed(case: Case) -> dict[str, str]:
    return {
        "id": str(case.place),
        "received_at": instant(case.fault.at),
        "error": case.fault.error,
    }


ENDPOINTS = [
    Endpoint(
        "/quarantine.list",
        list_quarantine,
        ListQuarantine,
        "List records that could not be folded",
        ledger_shapes.QuarantinePage,
        may_be_empty=True,
    ),
    Endpoint(
        "/quarantine.info",
        info,
        OneRecord,
        "Get why a record is in quarantine",
        ledger_shapes.QuarantineFault,
        failures=(404,),
    ),
    Endpoint(
        "/quarantine.retry",
        retry,
        OneRecord,
        "Fold a record again",
        status=202,
        failures=(404,),
    ),
    Endpoint(
        "/quarantine.drop",
        drop,
        OneRecord,
        "Give a record up",
        status=204,
        failures=(404,),
    ),
]
