"""What a platform has stored, read from another process of its machine, with no HTTP between."""

from collections.abc import Awaitable
from contextlib import closing
from pathlib import Path

from airy_ray.cluster.access import P, Question, T
from airy_ray.cluster.layout import read_layout, specs
from airy_ray.cluster.partitions import Partitions
from airy_ray.cluster.shared_hops import SharedHops
from airy_ray.config import Settings
from airy_ray.filters.fulltext import FullText
from airy_ray.filters.query import Query
from airy_ray.model.ids import REGISTRY, PartitionIndex
from airy_ray.partition.reader import PartitionReader
from airy_ray.projections import keys
from airy_ray.projections.view import Change
from airy_ray.rawlog.tail import LogTail
from airy_ray.state.search.searching import Found, SearchIndex


class StoredPartition:
    """A partition that is only read."""

    def __init__(self, directory: Path, searches: SharedHops) -> None:
        self._reader = PartitionReader(LogTail(directory))
        with self._reader.read() as view:
            self._index = SearchIndex(view.path())
        self._searches = searches

    async def ask(self, query: Question[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Return the answer to a question."""
        with self._reader.read() as view:
            return query(view, *args, **kwargs)

    def search(self, wanted: Query | FullText, limit: int) -> Awaitable[Found]:
        """Find the newest that are wanted."""
        return self._searches.call(self._index.search, wanted, limit)


def stored_partitions(settings: Settings) -> Partitions:
    """Return the partitions of a running platform."""
    layout = read_layout(settings.data)
    searches = SharedHops()
    accesses = {
        each.index: StoredPartition(each.directory, searches) for each in specs(settings, layout)
    }
    return Partitions(accesses, layout.partitions)


def stored_changes(data: Path) -> dict[PartitionIndex, list[tuple[int, Change]]]:
    """Return all changes that clients hear of, with their sequences, by partition."""
    found = {}
    for directory in sorted((data / "partitions").iterdir()):
        index = REGISTRY if directory.name == "registry" else PartitionIndex(int(directory.name))
        with (
            closing(LogTail(directory, is_read_only=True)) as tail,
            closing(PartitionReader(tail)) as reader,
            reader.read() as view,
        ):
            found[index] = list(view.feed(0))
            assert view.feed_start() <= keys.sequence(0)  # nothing is gone
    return found
