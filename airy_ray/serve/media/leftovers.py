"""Files that nothing links to any more, or never did: deleted, by three ways.

1. Erasing, by a wish or by a rule of retention, leaves the names of the files that its messages
   linked to in the partitions, and they stay there until somebody has looked here: none is
   forgotten, whoever is killed meanwhile.
2. Once a day, where there is a rule for all sources, the store is gone through for files that are
   as old as that: uploaded and never sent, or of messages that were changed. Who is killed
   meanwhile begins anew.
3. What was stored by who was killed before anything linked to it, or before whoever sent it was
   told its name, is marked (`cluster.media.unlinked`), and goes after a day.
4. Links are looked for in all that the partitions keep, for all names together, and once more for
   those without: what is on its way from one partition to another may be in neither for a moment.
   It costs a reading of the states.
5. Who sends a file again at the very moment at which it is deleted finds it gone. One that is
   uploaded again stays.
"""

import asyncio
import logging
import os
from collections.abc import AsyncIterator, Sequence

from airy_ray.clock import Millis, now_millis
from airy_ray.cluster.commands import Commands
from airy_ray.cluster.media.store import MediaStore
from airy_ray.cluster.partitions import Partitions
from airy_ray.errors import AiryError
from airy_ray.model.commands import SettleFiles
from airy_ray.model.ids import PartitionIndex, command_id, first_slot_of, format_id
from airy_ray.partition.links import linked
from airy_ray.partition.spec import PartitionSpec
from airy_ray.storage import child

logger = logging.getLogger(__name__)

_EVERY_S = 2.0
_RETRY_S = 30.0
_AT_ONCE = 500
_OLD_AT_ONCE = 100_000
"""Each time the states are read; so many names are some ten megabytes."""
_DAY_MS = 86_400_000
_HOUR_MS = 3_600_000


class Leftovers:
    """Looks after files that nothing may link to any more."""

    def __init__(
        self,
        specs: Sequence[PartitionSpec],
        partitions: Partitions,
        commands: Commands,
        media: MediaStore,
    ) -> None:
        self._specs = specs
        self._partitions = partitions
        self._commands = commands
        self._media = media
        self._goes_through_at = Millis(0)
        self._sweeps_at = Millis(0)

    async def work(self) -> None:
        """Look again and again, until cancelled."""
        while True:
            wait_s = _EVERY_S
            try:
                await self.look()
                await self.sweep(now_millis())
                await self.go_through(now_millis())
            except AiryError as error:
                logger.warning("files that nothing links to are not deleted yet: %s", error)
                wait_s = _RETRY_S
            except Exception:  # it must not end before its process does
                logger.exception("files that nothing links to are not deleted yet")
                wait_s = _RETRY_S
            await asyncio.sleep(wait_s)

    async def look(self) -> None:
        """Delete files that only erased messages linked to; have all looked after forgotten.

        Raises:
            StorageError: the store does not answer.
            RebuildingError, PartitionUnavailableError: not now.
        """
        left = await self._partitions.left_files(_AT_ONCE)
        if not left:
            return
        names = sorted({name for files in left.values() for name in files})
        unlinked = await asyncio.to_thread(_unlinked, self._specs, names)
        for name in unlinked:
            await self._media.delete(name)
        for index, files in left.items():
            await self._commands.carry_out(self._settled(index, files))
        logger.info(
            "%d files of erased messages deleted, %d kept",
            len(unlinked),
            len(names) - len(unlinked),
        )

    async def go_through(self, now: Millis) -> None:
        """Delete files of the whole store that are old and that nothing links to: once a day.

        Raises:
            StorageError: the store does not answer.
            RebuildingError: not now.
        """
        kept_ms = self._specs[0].retention.unlinked_ms
        if kept_ms is None or now < self._goes_through_at:
            return
        before = Millis(now - kept_ms)
        count = 0
        async for names in self._old(before):
            for name in await asyncio.to_thread(_unlinked, self._specs, names):
                count += await self._media.delete_if_older(name, before)
        self._goes_through_at = Millis(now + _DAY_MS)
        if count:
            logger.info("%d old files that nothing links to deleted", count)

    async def sweep(self, now: Millis) -> None:
        """Delete what killed processes stored more than a day ago and left: once an hour.

        Raises:
            StorageError: the store does not do it.
            RebuildingError: not now.
        """
        if now < self._sweeps_at:
            return
        before = Millis(now - _DAY_MS)
        await self._media.delete_unfinished(before)
        marks = self._media.unlinked
        marked = await asyncio.to_thread(marks.made_before, before)
        for name in await asyncio.to_thread(_unlinked, self._specs, marked):
            await self._media.delete_if_older(name, before)
        for name in marked:
            await asyncio.to_thread(marks.settle_if_older, name, before)
        self._sweeps_at = Millis(now + _HOUR_MS)

    async def _old(self, before: Millis) -> AsyncIterator[list[str]]:
        """Yield the names of old files, as many at once as links are looked for together."""
        names: list[str] = []
        async for found in self._media.stored_before(before):
            names += found
            if len(names) >= _OLD_AT_ONCE:
                yield names
                names = []
        if names:
            yield names

    def _settled(self, index: PartitionIndex, files: dict[str, int]) -> SettleFiles:
        slot = first_slot_of(index, self._specs[0].count)
        return SettleFiles(id=format_id(command_id(slot, os.urandom(16))), files=files)


def _unlinked(specs: Sequence[PartitionSpec], names: list[str]) -> list[str]:
    """Return those of some names that two looks find no link to."""
    for _ in range(2):
        if names:
            kept = set(child.results(linked, specs, names))
            names = [name for name in names if name not in kept]
    return names
