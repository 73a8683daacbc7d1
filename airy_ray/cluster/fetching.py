"""Files of contacts' messages, fetched from their platforms before these forget them.

1. What came is read from the change feeds. How far that is done is kept in a file for each
   partition: the place before which each file is kept, or given up.
2. The message's metadata names the copy, or tells why there is none; who begins anew reads on from
   the place and leaves these out. A file that is fetched twice is one: it is called by its digest.
3. What fails and may pass is tried again for an hour, later and later.
4. How many files are on their way is bounded, and so is how many messages wait in memory. Who sends
   messages waits for nothing here.
5. While nothing changes, a partition costs one look at a number in memory each second.
"""

import asyncio
import logging
from collections import defaultdict
from collections.abc import Mapping
from contextlib import suppress

from airy_ray.cluster.access import Appends, LocalAccess
from airy_ray.cluster.feed_places import FeedPlace
from airy_ray.cluster.fetching_spec import FetchingSpec
from airy_ray.cluster.file_keeping import FileKeeping
from airy_ray.cluster.own_partitions import OwnPartitions
from airy_ray.cluster.registry import Registry
from airy_ray.errors import AiryError
from airy_ray.model import json_text
from airy_ray.model.events import Event, FilesKept, FilesLeft
from airy_ray.model.ids import REGISTRY, MessageId, PartitionIndex, format_id
from airy_ray.model.media_links import files_in
from airy_ray.model.message import Message
from airy_ray.model.persistent_copies import OPAQUE
from airy_ray.sources.files import Link, links
from airy_ray.state.feed import feed_head
from airy_ray.state.file_news import file_news
from airy_ray.state.queries import Reading

logger = logging.getLogger(__name__)

_LOOK_S = 1.0
"""How often the feeds are looked at: files have time, and so no owner is hurried."""
_REST_S = 0.01
"""How long it rests between two pages of a feed: messages to send come first."""
_PAGE_CHANGES = 200
_KEEP_PLACE_S = 10.0
_AGAIN_S = 10.0
_WAITS_S = (5.0, 30.0, 120.0, 600.0, 1_800.0)
_AT_ONCE = 4
_MESSAGES_MAX = 1_000


async def fetch(
    spec: FetchingSpec,
    accesses: Mapping[PartitionIndex, LocalAccess],
    appender: Appends,
    registry: Registry,
) -> None:
    """Fetch until cancelled, whatever happens: it must not end who sends messages beside it."""
    while True:
        try:
            fetching = Fetching(spec, accesses, appender, registry)
            try:
                await fetching.run()
            finally:
                await fetching.close()
        except Exception:  # the disk is full, say, or the store is none
            logger.exception("files of messages are not fetched now")
            await asyncio.sleep(_AGAIN_S)


class Fetching:
    """Fetches what comes into the partitions of this machine; used in one event loop."""

    def __init__(
        self,
        spec: FetchingSpec,
        accesses: Mapping[PartitionIndex, LocalAccess],
        appender: Appends,
        registry: Registry,
    ) -> None:
        self._accesses = accesses
        self._partitions = OwnPartitions(accesses, appender)
        self._registry = registry
        self._files = FileKeeping(spec)
        self._at_once = asyncio.Semaphore(_AT_ONCE)
        self._messages = asyncio.Semaphore(_MESSAGES_MAX)
        self._under_way: dict[PartitionIndex, dict[MessageId, int]] = defaultdict(dict)
        self._changed: set[MessageId] = set()

    async def run(self) -> None:
        """Fetch until cancelled."""
        async with asyncio.TaskGroup() as group:
            for index in self._accesses:
                if index != REGISTRY:
                    group.create_task(self._follow(index, group))

    async def close(self) -> None:
        """Close all connections."""
        await self._files.close()

    async def _follow(self, index: PartitionIndex, group: asyncio.TaskGroup) -> None:
        """See to what a partition's feed tells of, from where that was left."""
        reader = self._accesses[index].reader
        directory = self._accesses[index].spec.directory
        kept = FeedPlace(directory, "files", every_s=_KEEP_PLACE_S)
        head = await self._partitions.ask(index, feed_head)
        place = min(kept.place or 0, head)  # the log may be an older one
        seen = -1
        while True:
            version = -1
            with suppress(AiryError):  # it is being rebuilt, say
                version = reader.transaction_id
            has_more = False
            if version != seen:
                page = await self._partitions.ask(index, file_news, place, _PAGE_CHANGES)
                if not page.is_whole:
                    logger.warning("partition %d: files that came long ago are not fetched", index)
                for sequence, message in page.messages:
                    await self._begin(index, message, sequence, group)
                place, has_more = page.place, page.has_more
                seen = seen if has_more else version
            await kept.keep(min(self._under_way[index].values(), default=place))
            await asyncio.sleep(_REST_S if has_more else _LOOK_S)

    async def _begin(
        self, index: PartitionIndex, message: MessageId, sequence: int, group: asyncio.TaskGroup
    ) -> None:
        if message in self._under_way[index]:
            self._changed.add(message)
            return
        await self._messages.acquire()
        self._under_way[index][message] = sequence
        group.create_task(self._see_to(index, message))

    async def _see_to(self, index: PartitionIndex, identifier: MessageId) -> None:
        """Have all files of a message kept or given up, as often as it changes meanwhile."""
        try:
            self._changed.add(identifier)
            while identifier in self._changed:
                self._changed.discard(identifier)
                await self._settle(index, identifier)
        except Exception:  # whatever it is, other messages go on
            logger.exception("message %s: its files are not kept", format_id(identifier))
        finally:
            self._changed.discard(identifier)
            del self._under_way[index][identifier]
            self._messages.release()

    async def _settle(self, index: PartitionIndex, identifier: MessageId) -> None:
        for wait_s in _WAITS_S:
            if await self._try(index, identifier):
                return
            await asyncio.sleep(wait_s)
        await self._try(index, identifier, is_last=True)

    async def _try(
        self, index: PartitionIndex, identifier: MessageId, *, is_last: bool = False
    ) -> bool:
        """Fetch what is neither kept nor given up; return whether nothing is left."""
        message = await self._partitions.ask(index, Reading.message, identifier)
        if message is None or not message.from_contact:
            return True
        known = json_text.decode(message.metadata)
        is_settled = True
        for link in links(message.source, message.content):
            if OPAQUE + link.spelled in known:
                continue
            try:
                async with self._at_once:
                    told = json_text.quote(await self._kept(message, link))
            except (AiryError, OSError) as error:
                name = format_id(identifier)
                if not is_last and getattr(error, "may_pass", True):
                    logger.info("message %s: a file is not kept yet: %s", name, _told(error))
                    is_settled = False
                    continue
                logger.warning("message %s: a file is not kept: %s", name, _told(error))
                told = json_text.encode({"error": _told(error)})
            await self._tell(index, identifier, {OPAQUE + link.spelled: told})
        return is_settled

    async def _kept(self, message: Message, link: Link) -> str:
        """Have a file kept; return the address of the copy."""
        channel = self._registry.channel(message.channel_id)
        token = channel.token if channel is not None and channel.connected else None
        return await self._files.kept(message.source, link, token)

    async def _tell(
        self, index: PartitionIndex, identifier: MessageId, values: dict[str, bytes]
    ) -> None:
        """Have a message name a copy, or why there is none, and wait until it does."""
        event: Event = FilesKept(identifier, values)
        message = await self._partitions.ask(index, Reading.message, identifier)
        if message is None:  # erased meanwhile
            event = FilesLeft(tuple(sorted(files_in(*values.values()))))
        await self._partitions.tell_at_leisure(index, event)
        await self._files.settle(*values.values())


def _told(error: Exception) -> str:
    """Return what went wrong; addresses and tokens are in no error of ours."""
    return str(error) if isinstance(error, AiryError) else type(error).__name__
