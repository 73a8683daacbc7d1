"""Following the change feeds: what realtime and delivery processes read, as it comes.

One mechanism for all: a place per partition, pages of bounded size, woken by the owner's datagram
and, should one get lost, by a look every 50 ms. A place stays good when the state is built anew,
another generation takes over, or this process begins again.
"""

import asyncio
import os
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import msgspec

from airy_ray.cluster.access import ReadAccess, access_to
from airy_ray.cluster.doorbell import Bell, Follow, Ringer, asking_bell, decode_applied
from airy_ray.errors import DamagedError, PartitionUnavailableError, StateError
from airy_ray.model.ids import PartitionIndex
from airy_ray.partition.spec import PartitionSpec
from airy_ray.state.feed import FeedPage, read_feed

_POLL_S = 0.05
_RETRY_S = 0.2
_FOLLOW_AGAIN_S = 2.0
_LOOK_S = 1.0
PAGE_CHANGES = 256
PAGE_BYTES = 1 << 18


class Feeds:
    """Follows the feeds of one machine's partitions, in one process."""

    def __init__(
        self,
        partitions: Sequence[PartitionSpec],
        accesses: Mapping[PartitionIndex, ReadAccess],
        run_directory: Path,
    ) -> None:
        self._accesses = accesses
        self._names = {each.index: each.name for each in partitions}
        self._bell = Bell(run_directory, f"f-{os.getpid()}")
        self._ringer = Ringer(run_directory)
        self._news: dict[PartitionIndex, set[asyncio.Event]] = {
            each.index: set() for each in partitions
        }
        self._followed_at: dict[tuple[PartitionIndex, str], float] = {}
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(self._bell.fileno(), self._hear)

    async def pages(self, partition: PartitionIndex, place: int) -> AsyncIterator[FeedPage]:
        """Yield what comes from a place on, as soon as it is applied; never ends.

        A page without changes comes where only the place went on. While the state cannot be read
        nothing comes, and then what came meanwhile.
        """
        access = access_to(self._accesses, partition)
        with self._listening(partition) as news:
            while True:
                self._follow(partition, "changes")
                news.clear()
                try:
                    page = await access.ask(read_feed, place, PAGE_CHANGES, PAGE_BYTES)
                except (StateError, DamagedError, PartitionUnavailableError):
                    await asyncio.sleep(_RETRY_S)
                    continue
                if page.place != place or not page.is_whole:
                    place = page.place
                    yield page
                if not page.has_more:
                    await _rung(news, _POLL_S)

    async def written(self, partition: PartitionIndex, *tables: str) -> AsyncIterator[None]:
        """Yield when a batch has written to one of these tables, and every second; never ends.

        For who has to act only then: unlike `pages` it hurries nobody.
        """
        with self._listening(partition) as news:
            while True:
                for table in tables:
                    self._follow(partition, table)
                await _rung(news, _LOOK_S)
                news.clear()
                yield

    def close(self) -> None:
        """Stop listening."""
        self._loop.remove_reader(self._bell.fileno())
        self._bell.close()
        self._ringer.close()

    @contextmanager
    def _listening(self, partition: PartitionIndex) -> Iterator[asyncio.Event]:
        """Have an event be set by news of a partition: one's own, for others clear theirs."""
        news = asyncio.Event()
        self._news[partition].add(news)
        try:
            yield news
        finally:
            self._news[partition].discard(news)

    def _follow(self, partition: PartitionIndex, table: str) -> None:
        """Ask the owner for its datagrams, now and then: it may be another by now."""
        now = self._loop.time()
        if now > self._followed_at.get((partition, table), -_FOLLOW_AGAIN_S) + _FOLLOW_AGAIN_S:
            self._followed_at[partition, table] = now
            said = msgspec.msgpack.encode(Follow(self._bell.name, table))
            self._ringer.ring(asking_bell(self._names[partition]), said)

    def _hear(self) -> None:
        for said in self._bell.drain():
            with suppress(msgspec.DecodeError):
                for news in self._news.get(decode_applied(said).partition, ()):
                    news.set()


async def _rung(news: asyncio.Event, within_s: float) -> None:
    """Wait for news, for a while at most."""
    with suppress(TimeoutError):
        async with asyncio.timeout(within_s):  # `wait_for` may lose a cancellation
            await news.wait()
