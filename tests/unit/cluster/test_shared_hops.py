"""Calls on other threads: how many go together, and what each hears of the others."""

import asyncio
import threading
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

import pytest

from airy_ray.cluster import shared_hops
from airy_ray.cluster.shared_hops import SharedHops

T = TypeVar("T")
LONG_S = 30.0


class Threads(ThreadPoolExecutor):
    """The threads of an event loop, which count what they are given."""

    hops = 0

    def submit(self, *asked: Any, **named: Any) -> Any:
        self.hops += 1
        return super().submit(*asked, **named)


def used(use: Callable[[SharedHops], Awaitable[T]]) -> tuple[T, int]:
    """Return what comes of a use in an event loop of its own, and how many hops that took."""
    threads = Threads(3)

    async def main() -> T:
        asyncio.get_running_loop().set_default_executor(threads)
        async with asyncio.timeout(LONG_S):
            return await use(SharedHops())

    return asyncio.run(main()), threads.hops


@pytest.mark.usefixtures("unhurried")
def test_calls_of_one_turn_are_answered_in_order_after_one_hop() -> None:
    async def use(shared: SharedHops) -> list[tuple[int, int]]:
        return await asyncio.gather(*(shared.call(divmod, each, 2) for each in range(9)))

    assert used(use) == ([divmod(each, 2) for each in range(9)], 1)


def test_what_waits_for_a_call_that_takes_long_goes_to_other_threads() -> None:
    together = threading.Barrier(3, timeout=LONG_S)

    async def use(shared: SharedHops) -> list[int]:
        return await asyncio.gather(*(shared.call(together.wait) for _ in range(3)))

    answers, _ = used(use)

    assert sorted(answers) == [0, 1, 2]


def test_all_calls_are_made_though_each_takes_long_and_threads_are_few(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(shared_hops, "_SHORT_S", 0)

    async def use(shared: SharedHops) -> list[tuple[int, int]]:
        return await asyncio.gather(*(shared.call(divmod, each, 2) for each in range(50)))

    assert used(use)[0] == [divmod(each, 2) for each in range(50)]


def test_they_are_made_on_another_thread() -> None:
    async def use(shared: SharedHops) -> bool:
        return await shared.call(threading.get_ident) != threading.get_ident()

    assert used(use) == (True, 1)


@pytest.mark.usefixtures("unhurried")
def test_one_that_fails_tells_who_asked_and_the_others_have_their_answers() -> None:
    async def use(shared: SharedHops) -> list[Any]:
        calls = [shared.call(int, text) for text in ("1", "none", "3")]
        return await asyncio.gather(*calls, return_exceptions=True)

    (first, failed, third), hops = used(use)

    assert (first, third, hops) == (1, 3, 1)
    assert isinstance(failed, ValueError)


def test_who_asks_later_does_not_wait_for_calls_that_take_long() -> None:
    may_end = threading.Event()

    async def use(shared: SharedHops) -> tuple[str, bool]:
        long = asyncio.ensure_future(shared.call(may_end.wait, LONG_S))
        await asyncio.sleep(0)  # that one is on its way now
        later = await shared.call(str, "later")
        may_end.set()
        return later, await long

    assert used(use) == (("later", True), 2)


@pytest.mark.usefixtures("unhurried")
def test_who_goes_away_takes_no_answer_from_the_others() -> None:
    may_end = threading.Event()

    async def use(shared: SharedHops) -> tuple[bool, str]:
        gone = asyncio.ensure_future(shared.call(may_end.wait, LONG_S))
        other = asyncio.ensure_future(shared.call(str, "other"))
        await asyncio.sleep(0)
        gone.cancel()
        may_end.set()
        return gone.cancelled(), await other

    assert used(use) == ((True, "other"), 1)
