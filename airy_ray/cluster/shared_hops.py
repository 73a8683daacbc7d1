"""Calls made on other threads, together while they are short: a hop there and back costs more.

Whoever asks for several at once, as for one of each partition, waits for one hop. When that takes
long, what has not begun yet is shared out among threads.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from functools import partial
from time import monotonic
from typing import Any, NamedTuple, ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")

_SHORT_S = 0.001
"""How long one thread goes on taking calls: some times as long as a hop."""


class _Call(NamedTuple):
    call: Callable[[], Any]
    made: asyncio.Future[Any]


class _Outcome(NamedTuple):
    made: asyncio.Future[Any]
    answer: Any
    error: BaseException | None


class SharedHops:
    """Calls that wait for the end of this turn of the event loop, to be made together."""

    def __init__(self) -> None:
        self._waiting: deque[_Call] = deque()

    def call(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> Awaitable[T]:
        """Call a function on another thread; it must end by itself, since none can be stopped."""
        loop = asyncio.get_running_loop()
        if not self._waiting:
            loop.call_soon(self._begin, loop)
        made: asyncio.Future[T] = loop.create_future()
        self._waiting.append(_Call(partial(function, *args, **kwargs), made))
        return made

    def _begin(self, loop: asyncio.AbstractEventLoop) -> None:
        calls, self._waiting = self._waiting, deque()
        if len(calls) > 1:
            loop.call_later(_SHORT_S, _share_out, loop, calls)
        _hop(loop, calls)


def _share_out(loop: asyncio.AbstractEventLoop, calls: deque[_Call]) -> None:
    """Give each call that has not begun a thread, as far as there are threads."""
    for _ in range(len(calls)):
        _hop(loop, calls)


def _hop(loop: asyncio.AbstractEventLoop, calls: deque[_Call]) -> None:
    loop.run_in_executor(None, _outcomes, calls).add_done_callback(_deliver)


def _outcomes(calls: deque[_Call]) -> list[_Outcome]:
    """Make calls while they are short; at least one, if another thread has left any."""
    until = monotonic() + _SHORT_S
    outcomes: list[_Outcome] = []
    while calls and (not outcomes or monotonic() < until):
        try:
            call, made = calls.popleft()
        except IndexError:  # another thread was quicker
            break
        outcomes.append(_outcome(call, made))
    return outcomes


def _outcome(call: Callable[[], Any], made: asyncio.Future[Any]) -> _Outcome:
    try:
        return _Outcome(made, call(), None)
    except BaseException as error:  # it belongs to one of those who asked, and to no other
        return _Outcome(made, None, error)


def _deliver(hop: asyncio.Future[list[_Outcome]]) -> None:
    for made, answer, error in hop.result():
        if made.done():  # who asked has been cancelled
            continue
        if error is None:
            made.set_result(answer)
        else:
            made.set_exception(error)
