"""Turns are taken step by step; one that waits can be hurried, and all can be broken off."""

import asyncio

import pytest

from airy_ray.cluster.turns import Turns
from airy_ray.delivery.lanes import Turn
from airy_ray.model.ids import ConversationId, MessageId, PartitionIndex

LONG_S = 30.0
HOUR_S = 3_600.0


def turn(name: bytes = b"m1") -> Turn:
    return Turn(PartitionIndex(0), MessageId(name), ConversationId(name), "facebook")


@pytest.mark.parametrize("waits_for_slot", [False, True])
def test_a_turn_that_waits_is_hurried_unless_it_waits_for_its_slot(waits_for_slot: bool) -> None:
    taken: list[bytes] = []
    has_begun, is_over = asyncio.Event(), asyncio.Event()

    async def step(each: Turn) -> float | None:
        taken.append(each.message_id)
        has_begun.set()
        if each.message_id == b"last":
            is_over.set()
            return None
        each.has_slot = waits_for_slot
        return HOUR_S if len(taken) == 1 else None

    async def main() -> None:
        turns = Turns(step, at_once=1)
        turns.add(turn(), 1)
        turns.begin()
        await has_begun.wait()  # and its step is over by then: it waits
        turns.hurry(MessageId(b"m1"))
        turns.hurry(MessageId(b"nobody"))
        turns.add(turn(b"last"), 2)
        turns.begin()
        async with asyncio.timeout(LONG_S):
            await is_over.wait()
        await turns.stop(LONG_S)

    asyncio.run(main())
    assert taken == ([b"m1", b"last"] if waits_for_slot else [b"m1", b"m1", b"last"])


def test_what_is_broken_off_is_over_and_nothing_begins_after_it() -> None:
    begun: list[bytes] = []
    are_full = asyncio.Event()
    ended: list[bytes] = []

    async def step(each: Turn) -> float | None:
        begun.append(each.message_id)
        if len(begun) == 2:
            are_full.set()
        try:
            await asyncio.sleep(HOUR_S)
        finally:
            ended.append(each.message_id)
        return None

    async def main() -> None:
        turns = Turns(step, at_once=2)
        for number in range(3):
            turns.add(turn(b"m%d" % number), number)
        turns.begin()
        await are_full.wait()
        await turns.cancel()
        turns.begin()

    asyncio.run(main())
    assert begun == sorted(ended) == [b"m0", b"m1"]
