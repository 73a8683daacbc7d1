"""An index kept up to date with its state: built from its rows, then fed from its change feed.

Everything is done in steps of some milliseconds, so that who calls decides when, and how often.
"""

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

from airy_ray.projections import keys
from airy_ray.state.queries import reading
from airy_ray.state.search.documents import conversation_document, message_document
from airy_ray.state.search.index import (
    CONVERSATIONS,
    MESSAGES,
    directory_of,
    distrust,
    explaining,
    open_index,
    position_file,
    read_position,
    write_position,
)
from airy_ray.state.search.writing import IndexWriter
from airy_ray.storage.environments import Environment

_CHANGES = 1_000
"""How many entries of the feed one step takes."""
_ROWS = 500
"""How many rows one step takes while all of them are written."""
_BUILT_STEPS = 100
_FOLLOWED_STEPS = 10
"""How many steps a commit takes at most; less if there is nothing more to write."""


class Indexed(Protocol):
    """A state: where it is, and its environment."""

    @property
    def path(self) -> Path:
        """The directory of the state."""
        ...

    @property
    def environment(self) -> Environment:
        """The state's environment, open."""
        ...


class Indexer:
    """Keeps the index of one state. One thread uses it."""

    def __init__(self, state: Indexed) -> None:
        self.state = state
        self.directory: Path = directory_of(state.path)
        self._writer = IndexWriter(self.directory)
        self._sequence: int | None = None
        self._building: _Building | None = None
        self._uncommitted = 0
        self.taken = 0
        """How many entries of the feed the last step took."""

    def step(self) -> bool:
        """Do the next piece of work; return whether there is more.

        Raises:
            RowCorruptError, DamagedError: the state is damaged.
            IndexingError: the index is damaged; `rebuild` helps.
            DiskFullError: nothing was lost; try again when there is space.
        """
        if not self.is_trusted:
            self._sequence = None
        if self._sequence is None and self._building is None:
            self._begin()
        if self._building is not None:
            return self._build(self._building)
        return self._follow()

    @property
    def is_trusted(self) -> bool:
        """Whether nobody found the index damaged, if there is one."""
        return self._sequence is None or position_file(self.directory).exists()

    def give_up(self) -> None:
        """Forget what was not committed; the next step begins where the last commit was."""
        self._writer.close()
        self._sequence, self._building, self._uncommitted = None, None, 0

    def rest(self) -> None:
        """Give back what takes memory, until there is more to do; say how far the index is."""
        if self._uncommitted:
            self.give_up()
            return
        self._writer.close()
        written = read_position(self.directory)
        if self._sequence is not None and written not in (None, self._sequence):
            write_position(self.directory, self._sequence)

    def rebuild(self) -> None:
        """Begin again with nothing."""
        self.give_up()
        distrust(self.directory)
        shutil.rmtree(self.directory, ignore_errors=True)

    def _begin(self) -> None:
        """Go on where the index was left, or begin one."""
        left_at = read_position(self.directory)
        if left_at is not None and self._has_feed_since(left_at):
            for name in (CONVERSATIONS, MESSAGES):
                with explaining(self.directory):
                    open_index(self.directory, name, create=False).searcher()
            self._sequence = left_at
            return
        self.rebuild()
        for name in (CONVERSATIONS, MESSAGES):
            open_index(self.directory, name, create=True)
        with reading(self.state.environment) as view:
            self._building = _Building(keys.sequence(view.applied()))

    def _has_feed_since(self, sequence: int) -> bool:
        with reading(self.state.environment) as view:
            if sequence >= keys.sequence(view.applied()):
                return sequence == keys.sequence(view.applied())
            first = view.first_change()
            return first is not None and first <= sequence

    def _build(self, building: "_Building") -> bool:
        """Write the next rows, conversations first; at the end the index counts."""
        with reading(self.state.environment) as view:
            if building.table == CONVERSATIONS:
                conversations = view.conversations_after(building.last, _ROWS)
                rows = [(key, conversation_document(row)) for key, row in conversations]
                for _, document in rows:
                    self._writer.put_conversation(document, is_new=True)
                last = rows[-1][0] if rows else None
            else:
                messages = view.messages_after(building.last, _ROWS)
                for _, message in messages:
                    self._writer.put_message(message_document(message), is_new=True)
                last = messages[-1][0] if messages else None
        building.steps += 1
        if last is not None:
            building.last = last
            if building.steps % _BUILT_STEPS == 0:
                self._writer.commit()
            return True
        if building.table == CONVERSATIONS:
            building.table, building.last = MESSAGES, b""
            return True
        self._commit(building.sequence)
        self._sequence, self._building = building.sequence, None
        return True

    def _follow(self) -> bool:
        """Write what changed next; commit it if that is all, or much."""
        assert self._sequence is not None  # there is an index by now
        with reading(self.state.environment) as view:
            touched = view.touched(self._sequence, _CHANGES)
            end = keys.sequence(view.applied())
            conversations = {
                identifier: view.conversation(identifier) for identifier in touched.conversations
            }
            messages = {identifier: view.message(identifier) for identifier in touched.messages}
        self._writer.delete_messages_of(touched.erased)  # before what came since is written
        for row in filter(None, conversations.values()):
            self._writer.put_conversation(conversation_document(row))
        for message in filter(None, messages.values()):
            self._writer.put_message(message_document(message))
        self._writer.delete(CONVERSATIONS, _gone(conversations))
        self._writer.delete(MESSAGES, _gone(messages))
        self.taken = touched.entries
        has_more = touched.entries == _CHANGES
        if has_more and touched.last is not None:
            self._sequence = touched.last + 1
        else:
            self._sequence = max(end, self._sequence)
        if conversations or messages:
            self._uncommitted += 1
        if self._uncommitted and (self._uncommitted == _FOLLOWED_STEPS or not has_more):
            self._commit(self._sequence)
        return has_more

    def _commit(self, sequence: int) -> None:
        self._writer.commit()
        write_position(self.directory, sequence)
        self._uncommitted = 0


class _Building:
    """How far an index is that is being built.

    Attributes:
        sequence: what changed from here on comes from the feed.
        last: the key of the row written last.
    """

    def __init__(self, sequence: int) -> None:
        self.sequence = sequence
        self.table = CONVERSATIONS
        self.last = b""
        self.steps = 0


def _gone(rows: Mapping[Any, object]) -> list[bytes]:
    return [identifier for identifier, row in rows.items() if row is None]
