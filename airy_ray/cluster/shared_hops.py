"""Calls made on other threads, a few at a time: the way there and back costs more than most do.

Whoever asks for several of them at once, as for one of each partition, waits for one hop. More than
a few are shared out among threads, so that one that takes long holds up few others.
"""

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any, ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")

_CALLS_MAX = 4
"""How many calls are made in one hop; it costs about as much as two small searches."""

_Call = Callable[[], Any]
_Made = asyncio.Future[Any]
_Outcome = tuple[Any, BaseException | None]


class SharedHops:
    """Calls that wait for the end of this turn of the event loop, to be made together."""

    def __init__(self) -> None:
        self._waiting: list[tuple[_Call, _Made]] = []

    def call(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> Awaitable[T]:
        """Call a function on another thread; it must end by itself, since none can be stopped."""
        loop = asyncio.get_running_loop()
        if not self._waiting:
            loop.call_soon(self._hop, loop)
        made: asyncio.Future[T] = loop.create_future()
        self._waiting.append((partial(function, *args, **kwargs), made))
        return made

    def _hop(self, loop: asyncio.AbstractEventLoop) -> None:
        waiting, self._waiting = self._waiting, []
        for first in range(0, len(waiting), _CALLS_MAX):
            calls, made = zip(*waiting[first : first + _CALLS_MAX], strict=True)
            hop = loop.run_in_executor(None, _outcomes, calls)
            hop.add_done_callback(partial(_deliver, made))


def _outcomes(calls: tuple[_Call, ...]) -> list[_Outcome]:
    return [_outcome(call) for call in calls]


def _outcome(call: _Call) -> _Outcome:
    try:
        return call(), None
    except BaseException as error:  # it belongs to one of those who asked, and to no other
        return None, error


def _deliver(made: tuple[_Made, ...], hop: asyncio.Future[list[_Outcome]]) -> None:
    for each, (answer, error) in zip(made, hop.result(), strict=True):
        if each.done():  # who asked has been cancelled
            continue
        if error is None:
            each.set_result(answer)
        else:
            each.set_exception(error)
