"""How far a consumer is in the change feed of a partition: a small file beside its log.

It is written seldom, for reading some of a feed again does no harm to who keeps its place here.
"""

import asyncio
import logging
from collections.abc import Iterable
from pathlib import Path

from airy_ray.errors import DiskFullError
from airy_ray.storage.files import remove_synced, write_synced

logger = logging.getLogger(__name__)

_FILE = "{}.place"


class FeedPlace:
    """The place of one consumer in one partition's feed; used in one event loop.

    Attributes:
        place: where it goes on; None if it never began.
    """

    def __init__(self, directory: Path, consumer: str, *, every_s: float) -> None:
        self._path = directory / _FILE.format(consumer)
        self._every_s = every_s
        self._keep_at = 0.0
        self.place: int | None = None
        try:
            self.place = int(self._path.read_bytes())
        except (FileNotFoundError, ValueError):
            return

    async def keep(self, place: int) -> None:
        """Keep where to go on: at once if it is the first, else every now and then."""
        now = asyncio.get_running_loop().time()
        is_time = self.place is None or now > self._keep_at
        if place == self.place or not is_time:
            return
        self._keep_at = now + self._every_s
        try:
            await asyncio.to_thread(write_synced, self._path, b"%d" % place)
        except DiskFullError:
            logger.warning("%s: no space to keep how far that is", self._path)
        else:
            self.place = place


def forget_others(directory: Path, beginning: str, consumers: Iterable[str]) -> None:
    """Have all consumers so called but some begin anew if they come again."""
    kept = {_FILE.format(each) for each in consumers}
    for file in directory.glob(_FILE.format(f"{beginning}*")):
        if file.name not in kept:
            remove_synced(file)
