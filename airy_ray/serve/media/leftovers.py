"""Files that messages linked to which were erased: deleted once nothing else links to them.

1. Erasing leaves their names in the partitions, and they stay there until somebody has looked here,
   so none is forgotten, whoever is killed meanwhile.
2. Links are looked for in the rows of all partitions, for all names together: it costs a reading of
   the states, and only where somebody is erased who had files.
3. Who sends a file again at the very moment at which it is deleted finds it gone.
"""

import asyncio
import logging
import os
from collections.abc import Sequence

from airy_ray.cluster.commands import Commands
from airy_ray.cluster.partitions import Partitions
from airy_ray.errors import AiryError
from airy_ray.model.commands import SettleFiles
from airy_ray.model.ids import PartitionIndex, command_id, first_slot_of, format_id
from airy_ray.partition.links import linked
from airy_ray.partition.spec import PartitionSpec
from airy_ray.serve.media.store import MediaStore
from airy_ray.storage import child

logger = logging.getLogger(__name__)

_EVERY_S = 2.0
_RETRY_S = 30.0
_AT_ONCE = 500


class Leftovers:
    """Looks after files that erased messages linked to."""

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

    async def work(self) -> None:
        """Look again and again, until cancelled."""
        while True:
            wait_s = _EVERY_S
            try:
                await self.look()
            except AiryError as error:
                logger.warning("files of erased messages are not deleted yet: %s", error)
                wait_s = _RETRY_S
            except Exception:  # it must not end before its process does
                logger.exception("files of erased messages are not deleted yet")
                wait_s = _RETRY_S
            await asyncio.sleep(wait_s)

    async def look(self) -> None:
        """Delete files that nothing links to any more; have all that were looked after forgotten.

        Raises:
            StorageError: the store does not answer.
            RebuildingError, PartitionUnavailableError: not now.
        """
        left = await self._partitions.left_files(_AT_ONCE)
        if not left:
            return
        names = sorted({name for files in left.values() for name in files})
        kept = set(await asyncio.to_thread(_linked, self._specs, names))
        for name in names:
            if name not in kept:
                await self._media.delete(name)
        for index, files in left.items():
            await self._commands.carry_out(self._settled(index, files))
        logger.info(
            "%d files of erased messages deleted, %d kept", len(names) - len(kept), len(kept)
        )

    def _settled(self, index: PartitionIndex, files: dict[str, int]) -> SettleFiles:
        slot = first_slot_of(index, self._specs[0].count)
        return SettleFiles(id=format_id(command_id(slot, os.urandom(16))), files=files)


def _linked(specs: Sequence[PartitionSpec], names: list[str]) -> list[str]:
    return list(child.results(linked, specs, names))
