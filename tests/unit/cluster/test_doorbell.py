"""Doorbells: heard at once, and nothing depends on their being heard."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from airy_ray.cluster.applied_waiters import AppliedWaiters
from airy_ray.cluster.doorbell import (
    APPENDED,
    Applied,
    Bell,
    Damaged,
    Ringer,
    WakeMe,
    asking_bell,
    decode_asked,
    owner_bell,
    wait_for,
)
from airy_ray.model.ids import PartitionIndex

ONE = PartitionIndex(1)
LONG_S = 20.0


@pytest.fixture
def bell(tmp_path: Path) -> Iterator[Bell]:
    opened = Bell(tmp_path, "owner")
    yield opened
    opened.close()


@pytest.fixture
def ringer(tmp_path: Path) -> Iterator[Ringer]:
    opened = Ringer(tmp_path)
    yield opened
    opened.close()


def test_what_was_said_is_heard_in_order_and_once(bell: Bell, ringer: Ringer) -> None:
    for said in (b"a", b"b", APPENDED):
        assert ringer.ring("owner", said)

    assert bell.drain() == [b"a", b"b", b""]
    assert bell.drain() == []


def test_waiting_ends_when_one_of_several_rings(bell: Bell, ringer: Ringer, tmp_path: Path) -> None:
    other = Bell(tmp_path, "other")
    ringer.ring("other")

    wait_for([bell, other], LONG_S)

    assert (bell.drain(), other.drain()) == ([], [APPENDED])
    other.close()


def test_ringing_where_nobody_listens_is_no_error(ringer: Ringer) -> None:
    assert ringer.ring("nobody") is False


def test_ringing_one_who_does_not_listen_never_blocks(bell: Bell, ringer: Ringer) -> None:
    rung = [ringer.ring("owner") for _ in range(10_000)]

    assert rung[0] is True
    assert rung[-1] is False, "its queue is full"
    assert set(bell.drain()) == {APPENDED}


def test_a_name_is_taken_over_from_one_who_died(bell: Bell, ringer: Ringer, tmp_path: Path) -> None:
    successor = Bell(tmp_path, "owner")
    ringer.ring("owner", b"new")

    assert (successor.drain(), bell.drain()) == ([b"new"], [])
    successor.close()


def test_the_bells_of_partitions_have_names_of_their_own() -> None:
    names = {owner_bell("00"), owner_bell("01"), asking_bell("00"), asking_bell("01")}

    assert len(names) == 4


@pytest.mark.parametrize("asked", [WakeMe("w-1", 7), Damaged()])
def test_what_is_asked_comes_over_as_it_was(asked: WakeMe | Damaged) -> None:
    assert decode_asked(msgspec.msgpack.encode(asked)) == asked


def test_a_waiter_is_woken_once_its_record_is_applied(
    bell: Bell, ringer: Ringer, tmp_path: Path
) -> None:
    async def wait() -> bool:
        waiters = AppliedWaiters(tmp_path)
        waiting = asyncio.create_task(
            waiters.wait(ONE, "owner", 7, lambda: applied, timeout_s=LONG_S, poll_s=LONG_S)
        )
        asked = decode_asked(await _next_said(bell))
        assert isinstance(asked, WakeMe)
        assert asked.offset == 7
        nonlocal_applied(8)
        ringer.ring(asked.reply, b"not what owners say")
        ringer.ring(asked.reply, msgspec.msgpack.encode(Applied(ONE, 8)))
        try:
            return await waiting
        finally:
            waiters.close()

    applied = 0

    def nonlocal_applied(value: int) -> None:
        nonlocal applied
        applied = value

    assert asyncio.run(asyncio.wait_for(wait(), LONG_S / 2)) is True


def test_a_waiter_whose_datagrams_are_lost_finds_out_by_itself(tmp_path: Path) -> None:
    progress = iter([0, 0, 0, 8])

    async def wait() -> bool:
        waiters = AppliedWaiters(tmp_path)
        try:
            return await waiters.wait(
                ONE, "nobody", 7, lambda: next(progress), timeout_s=LONG_S, poll_s=0.001
            )
        finally:
            waiters.close()

    assert asyncio.run(wait()) is True


def test_a_waiter_gives_up_in_time(tmp_path: Path) -> None:
    async def wait() -> bool:
        waiters = AppliedWaiters(tmp_path)
        try:
            return await waiters.wait(ONE, "nobody", 7, lambda: 7, timeout_s=0.01, poll_s=0.001)
        finally:
            waiters.close()

    assert asyncio.run(wait()) is False


def test_news_of_another_partition_or_of_too_little_wakes_nobody(
    bell: Bell, ringer: Ringer, tmp_path: Path
) -> None:
    async def wait() -> bool:
        waiters = AppliedWaiters(tmp_path)
        waiting = asyncio.create_task(
            waiters.wait(ONE, "owner", 7, lambda: 0, timeout_s=LONG_S, poll_s=LONG_S)
        )
        asked = decode_asked(await _next_said(bell))
        assert isinstance(asked, WakeMe)
        for told in (Applied(PartitionIndex(2), 99), Applied(ONE, 7)):
            ringer.ring(asked.reply, msgspec.msgpack.encode(told))
        done, _ = await asyncio.wait([waiting], timeout=0.05)
        waiting.cancel()
        waiters.close()
        return bool(done)

    assert asyncio.run(wait()) is False


async def _next_said(bell: Bell) -> bytes:
    await asyncio.to_thread(wait_for, [bell], LONG_S)
    return bell.drain()[0]
