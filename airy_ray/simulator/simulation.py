"""A run: channels connected, traffic sent, users reading, everything found again."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from itertools import chain
from random import Random

from airy_ray.simulator import viber
from airy_ray.simulator.answers import Answers
from airy_ray.simulator.connecting import Channels
from airy_ray.simulator.gates import Gates
from airy_ray.simulator.hooks import Secrets, hooks
from airy_ray.simulator.http import HttpClient
from airy_ray.simulator.inbox import ApiError, Inbox
from airy_ray.simulator.intake import Intake
from airy_ray.simulator.oracle import FoundConversation, Oracle, Verdict
from airy_ray.simulator.platforms import Platforms
from airy_ray.simulator.postman import Postman
from airy_ray.simulator.reader import Answerer, Newest, Reader
from airy_ray.simulator.report import Report, door
from airy_ray.simulator.retries import Retries
from airy_ray.simulator.story import Delivery, Planned
from airy_ray.simulator.traffic import Cast
from airy_ray.simulator.visitors import Visitors

_UNDERWAY_MAX = 5_000
"""How many requests wait for their acknowledgement before no more are begun."""
_LOOK_S = 0.5


@dataclass(frozen=True)
class Target:
    """The system under test that is called, and the secrets shared with it.

    Attributes:
        token: the system token of its API, if it asks for one.
        called_at: its address as platforms know it, if that is another.
        played_at: where it calls the platforms' APIs, if more than Meta's are played.
        has_twilio: whether it calls Twilio's there too.
    """

    url: str
    secrets: Secrets
    token: str | None = None
    called_at: str | None = None
    played_at: str = ""
    has_twilio: bool = False


@dataclass
class Progress:
    """What has been done so far.

    Attributes:
        begun: requests, repetitions apart.
        underway: those of them that are neither acknowledged nor given up.
        behind_s: how late the newest was begun.
    """

    begun: int = 0
    underway: int = 0
    behind_s: float = 0.0


class Simulation:
    """Everything that a run needs; made inside of its event loop."""

    def __init__(
        self,
        http: HttpClient,
        target: Target,
        named: Cast,
        *,
        seed: int,
        give_up_s: float,
        platforms: Platforms | None = None,
    ) -> None:
        self.named = named
        self.hooks = hooks(target.secrets, target.called_at or target.url)
        self.progress = Progress()
        self.oracle = Oracle()
        random = Random(f"{seed} delivery")  # noqa: S311 - nothing secret comes of it
        self.webhooks = Retries(random, give_up_s=give_up_s)
        self.visits = Retries(random, give_up_s=give_up_s)
        self.calls = Retries(random, give_up_s=give_up_s)
        self.gates = Gates()
        self.inbox = Inbox(http, self.calls, token=target.token)
        self.visitors = Visitors(http, self.visits, self.oracle, self.gates)
        newest = Newest(self.inbox, self.oracle, random)
        self.reader = Reader(self.inbox, self.oracle, self.gates, newest, run=named.run)
        self.answers = Answers(named.run)
        self._intakes: dict[str, Intake] = {}
        if platforms is not None:
            self._intakes = platforms.intakes(named, has_twilio=target.has_twilio)
        self._answerer = Answerer(self.inbox, self.answers, newest, self._intakes)
        self._postman = Postman(http, self.webhooks, self.oracle, self.gates, self.hooks)
        self._channels = Channels(self.inbox, named, self.hooks, platforms, target.played_at)
        self._channel_ids: frozenset[str] = frozenset()
        self._shared_ids: frozenset[str] = frozenset()
        self._tasks: set[asyncio.Task[None]] = set()
        self._is_enough = False
        self._failure: BaseException | None = None
        self._room = asyncio.Semaphore(_UNDERWAY_MAX)

    async def connect(self) -> None:
        """Connect the channels that traffic goes to.

        Raises:
            ApiError: the platform refuses, or does not answer.
        """
        self.visitors.channel_id = await self._channels.website()
        made = await self._channels.connect()
        self._shared_ids = frozenset(made.get(viber.SOURCE, ()))
        self._channel_ids = frozenset([self.visitors.channel_id, *chain(*made.values())])

    async def send(self, planned: Iterable[Planned]) -> None:
        """Send traffic when it is time for it; return when it is all settled."""
        loop = asyncio.get_running_loop()
        began = loop.time()
        for each in planned:
            wait_s = began + each.due_s - loop.time()
            if wait_s > 0:
                await asyncio.sleep(wait_s)
            self.progress.behind_s = max(0.0, -wait_s)
            await self.begin(each)
        await self.settle()

    async def begin(self, planned: Planned) -> None:
        """Begin to send one request; wait first while very many are not acknowledged."""
        await self._room.acquire()
        self.progress.begun += 1
        self.progress.underway += 1
        task = asyncio.create_task(self._see_through(planned))
        self._tasks.add(task)
        task.add_done_callback(self._note_end)

    async def settle(self) -> None:
        """Wait until everything that was begun is acknowledged or given up."""
        while self._tasks:
            await asyncio.wait(self._tasks)
        if self._failure is not None:
            raise self._failure

    async def read_along(self, *, reads_per_s: float) -> None:
        """Mark conversations as read until `stop_reading`."""
        await self._repeatedly(self.reader.read, reads_per_s)

    async def answer_along(self, *, answers_per_s: float) -> None:
        """Answer conversations until `stop_reading`."""
        await self._repeatedly(self._answerer.answer, answers_per_s)

    async def _repeatedly(
        self, use: Callable[[frozenset[str]], Awaitable[None]], per_s: float
    ) -> None:
        while not self._is_enough:
            await asyncio.sleep(1 / per_s)
            with contextlib.suppress(ApiError):
                await use(self._channel_ids)

    def stop_reading(self) -> None:
        """Have no more conversations read or answered; what was begun is seen through."""
        self._is_enough = True

    async def verify(self, *, within_s: float) -> Verdict:
        """Find everything again; what is not as it has to be may become so within some seconds.

        Raises:
            ApiError: the platform does not answer.
        """
        loop = asyncio.get_running_loop()
        deadline = loop.time() + within_s
        while True:
            found = self.answers.set_apart(await self._found())
            verdict = self.oracle.verdict(found)
            self.answers.judge(self._intakes, verdict)
            for key in self.visitors.forgotten:
                verdict.blame("missing", f"{key}, when its visitor came back")
            if verdict.is_clean or loop.time() > deadline:
                return verdict
            await asyncio.sleep(_LOOK_S)

    async def _found(self) -> list[FoundConversation]:
        """Return everything in the channels; of those that runs share what is of this one."""
        own = await self.inbox.walk(self._channel_ids - self._shared_ids)
        shared = await self.inbox.walk(self._shared_ids) if self._shared_ids else []
        return own + [each for each in shared if self._is_of_this_run(each)]

    def _is_of_this_run(self, found: FoundConversation) -> bool:
        return any(self.oracle.thread_of(each.key or "") is not None for each in found.messages)

    def _note_end(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled():
            self._failure = self._failure or task.exception()

    def report(self, seed: int, took_s: float, verdict: Verdict) -> Report:
        """Return what the run came to."""
        doors = {"webhooks": self.webhooks, "chatplugin": self.visits, "api": self.calls}
        return Report(
            seed=seed,
            run=self.named.run,
            began=self.progress.begun,
            took_s=took_s,
            reads=self.reader.count,
            answers=len(self.answers),
            doors={name: door(retries.answers) for name, retries in doors.items()},
            verdict=verdict,
        )

    async def _see_through(self, planned: Planned) -> None:
        try:
            was_taken = await self._make(planned)
        finally:
            self.progress.underway -= 1
            self._room.release()
        if was_taken and planned.repeat_after_s:
            await asyncio.sleep(planned.repeat_after_s)
            await self._repeat(planned)

    async def _make(self, planned: Planned) -> bool:
        if isinstance(planned, Delivery):
            return await self._postman.deliver(planned)
        return await self.visitors.write(planned)

    async def _repeat(self, planned: Planned) -> None:
        if isinstance(planned, Delivery):
            await self._postman.repeat(planned)
        else:
            await self.visitors.repeat(planned)


async def run(
    simulation: Simulation,
    planned: Iterable[Planned],
    *,
    seed: int,
    reads_per_s: float,
    settle_s: float,
    answers_per_s: float = 0.0,
) -> Report:
    """Connect, send all that is planned while users read and answer, and find it again.

    Raises:
        ApiError: the platform does not let channels be connected, or does not answer at the end.
    """
    loop = asyncio.get_running_loop()
    await simulation.connect()
    began = loop.time()
    using = [asyncio.create_task(simulation.read_along(reads_per_s=reads_per_s))]
    if answers_per_s > 0:
        answering = simulation.answer_along(answers_per_s=answers_per_s)
        using.append(asyncio.create_task(answering))
    await simulation.send(planned)
    took_s = loop.time() - began
    simulation.stop_reading()
    await asyncio.gather(*using)
    verdict = await simulation.verify(within_s=settle_s)
    return simulation.report(seed, took_s, verdict)
