"""How played platforms take messages of ours: what they took, and what goes wrong next.

Each platform refuses in its own form; what is the same for all is here.
"""

import asyncio
from collections import defaultdict, deque
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any, TypeVar

from starlette.background import BackgroundTask
from starlette.responses import JSONResponse, Response
from starlette.types import Receive, Scope, Send

_Noted = TypeVar("_Noted")


class Trouble(Enum):
    """What may go wrong with a message that is in order itself."""

    OUTSIDE_WINDOW = auto()
    """The contact wrote too long ago, or does not want any."""
    RATE_LIMITED = auto()
    DOWN = auto()
    TOKEN_EXPIRED = auto()
    SILENT = auto()
    """It is taken, and the connection ends before that is told."""


@dataclass(frozen=True, slots=True)
class Taken:
    """A message as it was taken: of which channel, for whom, what; and what it is called."""

    channel: str
    to: str
    content: Any
    known_as: str


class Intake:
    """Messages for the people on one platform; used from any thread.

    Attributes:
        asked: for whom messages came, taken or not, oldest first.
        taken: those that were taken, oldest first.
        answered: for whom taking one was told, oldest first.
        count: how many were taken.
    """

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.taken: list[Taken] = []
        self.answered: list[str] = []
        self.count = 0
        self._listener: Callable[[Taken], None] | None = None
        self._troubles: dict[str, deque[Trouble]] = defaultdict(deque)
        self._silent: set[str] = set()
        self._held: dict[str, Future[None]] = {}

    def listen(self, listener: Callable[[Taken], None]) -> None:
        """Tell somebody of each message that is taken from now on, and keep none any more."""
        self._listener = listener

    def trouble(self, to: str, *troubles: Trouble) -> None:
        """Have something go wrong with the next messages for somebody, each once."""
        self._troubles[to].extend(troubles)

    def hold(self, to: str) -> Future[None]:
        """Keep the next answer about a message for somebody until what is returned is done."""
        self._held[to] = held = Future[None]()
        return held

    def meet(self, to: str) -> Trouble | None:
        """Note that a message came; return why it is refused, if it is."""
        self._keep(self.asked, to)
        waiting = self._troubles[to]
        trouble = waiting.popleft() if waiting else None
        if trouble is Trouble.SILENT:
            self._silent.add(to)
            return None
        return trouble

    def take(self, channel: str, to: str, content: Any, known_as: str) -> None:
        """Take a message."""
        taken = Taken(channel, to, content, known_as)
        self.count += 1
        self._keep(self.taken, taken)
        if self._listener is not None:
            self._listener(taken)

    async def answer(self, to: str, told: Any, status: int = 200) -> Response:
        """Return what is told of a message that was taken, when and if it is told."""
        held = self._held.pop(to, None)
        if held is not None:
            await asyncio.wrap_future(held)
        if to in self._silent:
            self._silent.discard(to)
            return _BrokenOff()
        noting = BackgroundTask(self._keep, self.answered, to)
        return JSONResponse(told, status, background=noting)

    def _keep(self, kept: list[_Noted], noted: _Noted) -> None:
        if self._listener is None:
            kept.append(noted)


class _BrokenOff(Response):
    """An answer of which only the beginning arrives."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        head = [(b"content-type", b"application/json"), (b"content-length", b"100")]
        await send({"type": "http.response.start", "status": 200, "headers": head})
        await send({"type": "http.response.body", "body": b"{", "more_body": True})
