"""Turns are taken step by step, and all can be broken off."""

import asyncio

from airy_ray.cluster.turns import Turns
from airy_ray.delivery.lanes import Turn
from airy_ray.model.ids import ConversationId, MessageId, PartitionIndex

HOUR_S = 3_600.0


def turn(name: bytes = b"m1") -> Turn:
    return Turn(PartitionIndex(0), MessageId(name), ConversationId(name), "facebook")


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
