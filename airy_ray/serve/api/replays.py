"""`replay.*`: history processed again, held against what there is, and put in its place.

What is asked for is written down beside each partition, and its owner does it; see `replay.run`.
"""

import asyncio
from collections.abc import Callable

from pydantic import AwareDatetime, Field

from airy_ray.clock import Millis, now_millis
from airy_ray.errors import ReplayError, RequestError
from airy_ray.model import json_text
from airy_ray.model.commands import (
    CancelReplay,
    ReplayCommand,
    RollBackReplay,
    StartReplay,
    SwapReplay,
)
from airy_ray.model.ids import ChannelId, ConversationId
from airy_ray.partition.inventory import inventories, told
from airy_ray.replay import run as runs
from airy_ray.replay.selection import Selection, obstacle_to
from airy_ray.serve.api.endpoint import Body, Endpoint, Id, Nothing
from airy_ray.serve.api.examples import ANSWERED_AT, example
from airy_ray.serve.api.platform import Caller, Platform
from airy_ray.serve.api.shapes import Shape
from airy_ray.serve.http import Response

_RUN = 1_764_288_000_000
_LISTED_MAX = 1_000


class StartsReplay(Body):
    """Which conversations: those for which all that is said holds; all, if nothing is."""

    model_config = example(sources=["telegram"], since="2026-11-21T00:00:00Z")
    sources: list[str] | None = Field(None, max_length=_LISTED_MAX)
    channels: list[Id] | None = Field(None, max_length=_LISTED_MAX)
    conversations: list[Id] | None = Field(None, max_length=_LISTED_MAX)
    since: AwareDatetime | None = Field(None, description="Something was received since.")
    until: AwareDatetime | None = Field(None, description="Something was received before.")
    quarantined: bool = Field(default=False, description="Something is in quarantine.")


class SwapsReplay(Body):
    """Whether to swap although a large share of the messages would vanish."""

    model_config = example(force=False)
    force: bool = False


class ReplaySelection(Shape):
    """What part of history was taken; all of it, if this says nothing."""

    sources: list[str] | None = None
    channels: list[Id] | None = None
    conversations: list[Id] | None = None
    since: str | None = None
    until: str | None = None
    quarantined: bool | None = None


class ReplayPart(Shape):
    """How far one partition is."""

    partition: str
    phase: str
    done: int | None = Field(None, description="Records; a part of the history is read twice.")
    total: int | None = None
    per_second: float | None = None
    conversations: int | None = Field(
        None, description="Of how many the history was folded again; null if of all."
    )
    messages: int | None = None
    vanishing: int | None = Field(None, description="Messages that would be gone.")
    unsent: int | None = Field(None, description="Messages that would have been sent, and are not.")
    misrouted: int | None = Field(None, description="Bodies that belong elsewhere.")
    pause_ms: float | None = Field(None, description="How long its owner paused for the swap.")
    error: str | None = None


class Differing(Shape):
    """How many rows of a table differ."""

    table: str
    source: str
    only_before: int
    only_after: int
    changed: int


class DifferingRow(Shape):
    """A row that differs; `before` and `after` are JSON text, of a changed row its `fields`."""

    table: str
    source: str
    id: str
    fields: list[str]
    before: str | None
    after: str | None


class ReplayStatus(Shape):
    """How far a replay is, and what differs."""

    model_config = example(
        run=_RUN,
        phase="ready",
        selection={"sources": ["telegram"]},
        rollback_until=None,
        conversations=3,
        vanishing=0.0,
        partitions=[{"partition": "00", "phase": "ready", "done": 1746, "total": 1746}],
        differences=[
            {
                "table": "messages",
                "source": "telegram",
                "only_before": 0,
                "only_after": 12,
                "changed": 0,
            }
        ],
        samples=[],
    )
    run: int = Field(description="Its number.")
    phase: str = Field(description="That of the slowest partition.")
    selection: ReplaySelection
    rollback_until: str | None = Field(
        description="How long what was before the swap is kept; null if nothing is."
    )
    conversations: int | None = Field(
        description="How many are of what was selected; null if all, or not known yet."
    )
    vanishing: float = Field(description="The share of all messages that would be gone.")
    partitions: list[ReplayPart]
    differences: list[Differing]
    samples: list[DifferingRow]


class GenerationOrigin(Shape):
    """What a generation was made of, and by whom."""

    kind: str = Field(description="live, replay, upgrade, restore, repair or erasure.")
    release: str = Field(description="Of airy-ray.")
    at: str
    until: int = Field(description="The offset up to which it was made of history, at once.")
    run: int | None = Field(None, description="The number of the replay.")
    selection: ReplaySelection | None = None


class Generation(Shape):
    """A generation of a partition's rows."""

    generation: int
    projection: int = Field(description="The version of the code that made its rows.")
    applied: int = Field(description="How many records of the log are in it.")
    origin: GenerationOrigin | None = Field(description="null if its release did not note it.")


class PartitionGenerations(Shape):
    """The generations of one partition."""

    partition: str
    present: Generation | None = Field(description="The one that is served.")
    former: list[Generation] = Field(description="Those that are kept to roll back to.")


class Generations(Shape):
    """The generations of all partitions, and of which version this release is."""

    model_config = example(
        projection=6,
        readable_since=5,
        partitions=[
            {
                "partition": "00",
                "present": {
                    "generation": 2,
                    "projection": 6,
                    "applied": 1746,
                    "origin": {
                        "kind": "replay",
                        "release": "0.1.0",
                        "at": ANSWERED_AT,
                        "until": 1732,
                        "run": _RUN,
                        "selection": {"sources": ["telegram"]},
                    },
                },
                "former": [{"generation": 1, "projection": 6, "applied": 1746, "origin": None}],
            }
        ],
    )
    projection: int = Field(description="The version that this release makes.")
    readable_since: int = Field(description="The oldest one that it serves and goes on with.")
    partitions: list[PartitionGenerations]


async def start(platform: Platform, caller: Caller, asked: StartsReplay) -> Response:
    """Process history again, beside what there is; it ends with what differs, and changes nothing.

    Whole conversations, with all that belongs to the same people.
    """
    selection = Selection(
        sources=tuple(asked.sources or ()),
        channels=tuple(map(ChannelId, asked.channels or ())),
        conversations=tuple(map(ConversationId, asked.conversations or ())),
        since=_millis(asked.since),
        until=_millis(asked.until),
        is_quarantined=asked.quarantined,
    )
    known = {each.id: each.source for each in platform.machine.registry.channels()}
    if (obstacle := obstacle_to(selection, known)) is not None:
        raise RequestError(400, obstacle)
    specs, now = platform.machine.spec.partitions, now_millis()
    return await _ordered(
        platform,
        StartReplay(**caller.signed()),
        lambda: runs.check_start(specs, selection, now),
        lambda: runs.start(specs, selection, now),
    )


async def status(platform: Platform, _: Caller, __: Nothing) -> Response:
    """Tell how far the newest replay is, and what differs."""
    return await _told(platform)


async def generations(platform: Platform, _: Caller, __: Nothing) -> Response:
    """List the generations of the rows that there are, and what each was made of."""
    specs = platform.machine.spec.partitions
    found = await asyncio.to_thread(inventories, specs)
    return Response(200, json_text.encode(told(found)))


async def swap(platform: Platform, caller: Caller, asked: SwapsReplay) -> Response:
    """Put what a replay made in place of what there is; who listens hears of what is different.

    Nothing is sent again and no webhook is called, but those that ask for corrections.
    """
    specs = platform.machine.spec.partitions
    return await _ordered(
        platform,
        SwapReplay(**caller.signed()),
        lambda: runs.check_swap(specs, is_forced=asked.force),
        lambda: runs.swap(specs, is_forced=asked.force),
    )


async def cancel(platform: Platform, caller: Caller, _: Nothing) -> Response:
    """Throw away what a replay has made so far."""
    specs = platform.machine.spec.partitions
    return await _ordered(
        platform,
        CancelReplay(**caller.signed()),
        lambda: runs.check_cancel(specs),
        lambda: runs.cancel(specs),
    )


async def rollback(platform: Platform, caller: Caller, _: Nothing) -> Response:
    """Bring back what was before the swap, with all that came in since; for a day."""
    specs = platform.machine.spec.partitions
    return await _ordered(
        platform,
        RollBackReplay(**caller.signed()),
        lambda: runs.check_roll_back(specs),
        lambda: runs.roll_back(specs),
    )


async def _ordered(
    platform: Platform,
    command: ReplayCommand,
    check: Callable[[], object],
    order: Callable[[], object],
) -> Response:
    """Note who wishes what can be done, and tell the owners; return how far that is."""
    try:
        await asyncio.to_thread(check)  # what is refused is not noted as done
        noted = await platform.register(command)
        if noted.status >= 400:
            return noted
        await asyncio.to_thread(order)
    except ReplayError as error:
        raise RequestError(409, str(error)) from None
    return await _told(platform)


async def _told(platform: Platform) -> Response:
    run = await asyncio.to_thread(runs.status, platform.machine.spec.partitions)
    if run is None:
        raise RequestError(404, "There was no replay yet")
    return Response(200, json_text.encode(run.told()))


def _millis(at: AwareDatetime | None) -> Millis | None:
    return None if at is None else Millis(int(at.timestamp() * 1_000))


ENDPOINTS = [
    Endpoint(
        "/replay.start",
        start,
        StartsReplay,
        "Process history again, to see what differs",
        ReplayStatus,
        failures=(409,),
        may_be_empty=True,
    ),
    Endpoint(
        "/replay.status",
        status,
        Nothing,
        "Tell how far a replay is, and what differs",
        ReplayStatus,
        failures=(404,),
        may_be_empty=True,
    ),
    Endpoint(
        "/replay.generations",
        generations,
        Nothing,
        "List the generations of the rows, and what each was made of",
        Generations,
        may_be_empty=True,
    ),
    Endpoint(
        "/replay.swap",
        swap,
        SwapsReplay,
        "Put what a replay made in its place",
        ReplayStatus,
        failures=(409,),
        may_be_empty=True,
    ),
    Endpoint(
        "/replay.cancel",
        cancel,
        Nothing,
        "Throw away what a replay made",
        ReplayStatus,
        failures=(409,),
        may_be_empty=True,
    ),
    Endpoint(
        "/replay.rollback",
        rollback,
        Nothing,
        "Bring back what was before the swap",
        ReplayStatus,
        failures=(409,),
        may_be_empty=True,
    ),
]
