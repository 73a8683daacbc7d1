"""The index asked: by any process of the machine, through a memory map."""

import threading
from collections.abc import Iterator
from pathlib import Path
from struct import Struct
from typing import NamedTuple

import tantivy

from airy_ray.errors import FilterError, IndexingError
from airy_ray.filters.fulltext import FullText
from airy_ray.filters.query import Query
from airy_ray.state.search.index import (
    CONVERSATIONS,
    ID_HALVES,
    MESSAGES,
    SORTED_BY,
    directory_of,
    distrust,
    explaining,
    open_index,
    position_file,
    stamp,
)
from airy_ray.state.search.translation import conversations_query, messages_query

_id = Struct(">QQ").pack


class Hit(NamedTuple):
    """One that was found: where it comes in the list, greatest first, and its id."""

    rank: int
    id: bytes


class Found(NamedTuple):
    """How many were found in all, and of the first of them ranks and ids."""

    total: int
    ranks: list[int]
    ids: list[bytes]

    def hits(self) -> Iterator[Hit]:
        """Yield the first of them; of most partitions a page has only some."""
        return map(Hit, self.ranks, self.ids)


class SearchIndex:
    """The index of one state, as its readers see it. Any thread may ask."""

    def __init__(self, state: Path) -> None:
        self._directory = directory_of(state)
        self._position = position_file(self._directory)
        self._lock = threading.Lock()
        self._stamps: dict[str, tuple[int, int]] = {}
        self._indexes: dict[str, tantivy.Index] = {}
        self._searchers: dict[str, tantivy.Searcher] = {}

    def search(self, wanted: Query | FullText, limit: int) -> Found:
        """Return the newest that are wanted, at most `limit`. Blocks for some milliseconds.

        Raises:
            FilterError: it asks for too much.
            IndexingError: the index is being built; or it is damaged, and will be built anew.
        """
        if isinstance(wanted, FullText):
            name, query = MESSAGES, messages_query(wanted)
        else:
            name, query = CONVERSATIONS, conversations_query(wanted)
        searcher = self._searcher(name)
        try:
            with explaining(self._directory):
                return _found(searcher, query, SORTED_BY[name], limit)
        except IndexingError:
            self._check(name)
            raise FilterError("it cannot be searched for") from None

    def _searcher(self, name: str) -> tantivy.Searcher:
        """Return what sees the last commit; looks at one file if there was none since."""
        with self._lock:
            present = stamp(self._position)
            if present is None:
                raise IndexingError("the search index is being built")
            if self._stamps.get(name) != present:
                try:
                    self._searchers[name] = self._renewed(name)
                except IndexingError:
                    distrust(self._directory)
                    raise
                self._stamps[name] = present
            return self._searchers[name]

    def _renewed(self, name: str) -> tantivy.Searcher:
        with explaining(self._directory):
            if name in self._indexes:
                self._indexes[name].reload()
            else:
                index = open_index(self._directory, name, create=False)
                index.config_reader("manual")  # or it would look for commits by itself
                self._indexes[name] = index
            return self._indexes[name].searcher()

    def _check(self, name: str) -> None:
        """See whether it was the index that failed, and not what was asked of it."""
        try:
            with explaining(self._directory):
                index = open_index(self._directory, name, create=False)
                _found(index.searcher(), tantivy.Query.all_query(), SORTED_BY[name], 1)
        except IndexingError:
            distrust(self._directory)
            raise


def _found(searcher: tantivy.Searcher, query: tantivy.Query, order: str, limit: int) -> Found:
    result = searcher.search(query, max(limit, 1), count=True, order_by_field=order)
    hits = result.hits[: max(limit, 0)]
    places = [place for _, place in hits]
    high, low = (searcher.fast_field_values(half, places) for half in ID_HALVES)
    total: int = result.count  # type: ignore[attr-defined]  # its stubs have forgotten it
    return Found(total, [rank for rank, _ in hits], list(map(_id, high, low)))
