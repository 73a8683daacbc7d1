"""The rows of one partition: all of them, or those that changed since a place in its feed.

1. What is read at once is little, so that no transaction pins pages for long; the next goes on from
   the last key. So a table is not read as of one moment: each row tells the place in the feed as of
   which it was read (`change`), and of several with one id the one with the greatest holds.
2. What changes while a table is read is in the feed behind the place that the run began at, and is
   read again by the next run.
3. Conversations and messages go by erasures only, and then all of the partition is exported anew.
"""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from itertools import islice
from typing import TypeVar

from airy_ray.analytics.rows import (
    Row,
    contact_row,
    conversation_row,
    deleted_contact_row,
    event_row,
    message_row,
)
from airy_ray.errors import FeedTrimmedError
from airy_ray.model.ids import ContactId, ConversationId, MessageId
from airy_ray.partition import generations
from airy_ray.partition.history import History
from airy_ray.partition.reader import PartitionReader
from airy_ray.partition.spec import PartitionSpec
from airy_ray.rawlog.tail import LogTail
from airy_ray.state.feed import feed_head
from airy_ray.state.queries import Reading
from airy_ray.state.row_news import RowNews, row_news

_ROWS_AT_ONCE = 32
"""Few, for a contact may have thousands of identities, and a message megabytes of content."""
_CHANGES_AT_ONCE = 200
_CHANGES_TOGETHER = 50_000
"""What changed more than once among so many changes is read once."""
_BYTES_AT_ONCE = 4 << 20

T = TypeVar("T", bound=bytes)
TableRow = tuple[str, Row]


class PartitionRows:
    """Reads one partition; yields tables with their rows."""

    def __init__(self, spec: PartitionSpec, tail: LogTail) -> None:
        self.spec = spec
        self._tail = tail
        self._reader = PartitionReader(tail)
        self._history = History(tail, spec.archive)

    def read(self) -> AbstractContextManager[Reading]:
        """Open a consistent view of the partition's state, for a moment."""
        return self._reader.read()

    def generation(self) -> int:
        """Return which generation of the state is read; 0 if there is none yet."""
        live = generations.live(self._tail)
        return 0 if live is None else live.number

    def close(self) -> None:
        """Give the state back."""
        self._reader.close()

    def everything(self) -> Iterator[TableRow]:
        """Yield all conversations, messages and contacts."""
        yield from self._walk("conversations", _conversations_after)
        yield from self._walk("messages", _messages_after)
        yield from self._walk("contacts", _contacts_after)

    def changed(self, place: int) -> Iterator[TableRow]:
        """Yield the conversations, messages and contacts that changed from a place on.

        Raises:
            FeedTrimmedError: the feed does not tell all of them any more.
        """
        has_more = True
        while has_more:
            conversations: set[ConversationId] = set()
            messages: set[MessageId] = set()
            contacts: set[ContactId] = set()
            entries = 0
            while has_more and entries < _CHANGES_TOGETHER:
                news = self._news(place)
                conversations |= news.conversations
                messages |= news.messages
                contacts |= news.contacts
                entries += news.entries
                place, has_more = news.place, news.has_more
            yield from self._pick("conversations", _conversations_of, conversations)
            yield from self._pick("messages", _messages_of, messages)
            yield from self._pick("contacts", _contacts_of, contacts)

    def events(self, first: int, end: int) -> Iterator[TableRow]:
        """Yield the records of the log from offset `first` on before `end`."""
        for offset, record in self._history.records(first, end, _BYTES_AT_ONCE):
            yield "events", self._of(event_row(self.spec.index, offset, record))

    def _news(self, place: int) -> RowNews:
        with self.read() as view:
            news = row_news(view, place, _CHANGES_AT_ONCE)
        if not news.is_whole:
            raise FeedTrimmedError
        return news

    def _walk(
        self, table: str, rows_after: Callable[[Reading, bytes], list[tuple[bytes, Row]]]
    ) -> Iterator[TableRow]:
        key: bytes | None = b""
        while key is not None:
            with self.read() as view:
                found = rows_after(view, key)
                change = feed_head(view)
            for _, row in found:
                yield table, self._as_of(change, row)
            key = found[-1][0] if len(found) == _ROWS_AT_ONCE else None

    def _pick(
        self, table: str, rows_of: Callable[[Reading, list[T]], list[Row]], wanted: set[T]
    ) -> Iterator[TableRow]:
        remaining = iter(sorted(wanted))
        while some := list(islice(remaining, _ROWS_AT_ONCE)):
            with self.read() as view:
                found = rows_of(view, some)
                change = feed_head(view)
            for row in found:
                yield table, self._as_of(change, row)

    def _as_of(self, change: int, row: Row) -> Row:
        row["change"] = change
        return self._of(row)

    def _of(self, row: Row) -> Row:
        row["partition"] = self.spec.index
        return row


def _conversations_after(view: Reading, key: bytes) -> list[tuple[bytes, Row]]:
    found = view.conversations_after(key, _ROWS_AT_ONCE)
    return [(key, conversation_row(each, view.contact_of(each.id))) for key, each in found]


def _messages_after(view: Reading, key: bytes) -> list[tuple[bytes, Row]]:
    return [(key, message_row(each)) for key, each in view.messages_after(key, _ROWS_AT_ONCE)]


def _contacts_after(view: Reading, key: bytes) -> list[tuple[bytes, Row]]:
    found = view.contacts_after(key, _ROWS_AT_ONCE)
    return [(each.contact.id, contact_row(each)) for each in found]


def _conversations_of(view: Reading, wanted: list[ConversationId]) -> list[Row]:
    found = view.found_conversations(wanted)
    return [conversation_row(each, view.contact_of(each.id)) for each in found if each is not None]


def _messages_of(view: Reading, wanted: list[MessageId]) -> list[Row]:
    return [message_row(each) for each in view.found_messages(wanted) if each is not None]


def _contacts_of(view: Reading, wanted: list[ContactId]) -> list[Row]:
    found = zip(wanted, view.whole_contacts(wanted), strict=True)
    return [
        deleted_contact_row(identifier) if each is None else contact_row(each)
        for identifier, each in found
    ]
