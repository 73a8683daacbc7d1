"""Lists that come in pages, gone through as one."""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from typing import Protocol, TypeVar

Item_co = TypeVar("Item_co", covariant=True)
Item = TypeVar("Item")


class _PaginationData(Protocol):
    @property
    def next_cursor(self) -> str | None: ...


class Page(Protocol[Item_co]):
    """A page of a list, and where the next one is."""

    @property
    def data(self) -> Sequence[Item_co]:
        """The items of the page."""

    @property
    def pagination_data(self) -> _PaginationData:
        """Where the next page is."""


def each(page: Callable[[str | None], Page[Item]]) -> Iterator[Item]:
    """Yield the items of all pages; each page is fetched when it is come to."""
    cursor = None
    while True:
        found = page(cursor)
        yield from found.data
        cursor = found.pagination_data.next_cursor
        if cursor is None:
            return


async def each_async(page: Callable[[str | None], Awaitable[Page[Item]]]) -> AsyncIterator[Item]:
    """Yield the items of all pages; each page is fetched when it is come to."""
    cursor = None
    while True:
        found = await page(cursor)
        for item in found.data:
            yield item
        cursor = found.pagination_data.next_cursor
        if cursor is None:
            return
