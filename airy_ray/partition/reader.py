"""Reading a partition's state where it lies: whichever generation is live at the moment."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import msgspec

from airy_ray.errors import NewerStateError, RebuildingError
from airy_ray.partition import generations, ownership
from airy_ray.partition.generations import Generation
from airy_ray.rawlog.tail import LogTail
from airy_ray.state.lmdb_tables import TABLES
from airy_ray.state.queries import Reading, reading
from airy_ray.state.tables import PROJECTION_VERSION, is_readable
from airy_ray.storage.environments import Environment, close_environment, open_environment


class LiveState(NamedTuple):
    """Where the live generation is, and its environment as this process has it open."""

    path: Path
    environment: Environment


class PartitionReader:
    """One partition's state, read by memory map. All calls must come from one thread."""

    def __init__(self, tail: LogTail) -> None:
        self._tail = tail
        self._seen = -1
        self._row: bytes | None = None
        self._generation = Generation(0)
        self._environment: Environment | None = None

    @contextmanager
    def read(self) -> Iterator[Reading]:
        """Open a consistent view of the live generation, for a moment.

        Raises:
            RebuildingError: it is being rebuilt, or about to be; its text tells how far.
            DamagedError: it cannot be read.
            NewerStateError: a newer release has made it.
        """
        environment = self._live()
        with reading(environment) as view:
            if self._generation.target is not None:
                raise RebuildingError(view.applied(), self._generation.target)
            yield view

    @property
    def transaction_id(self) -> int:
        """Changes with every commit to the live generation, and only then."""
        environment = self._live()
        return self._generation.number << 48 | environment.transaction_id

    def live(self) -> LiveState:
        """Return the live generation, which stays open until another one is.

        Raises:
            RebuildingError: it is being rebuilt, or about to be; its text tells how far.
            DamagedError: it cannot be read.
            NewerStateError: a newer release has made it.
        """
        environment = self._live()
        if self._generation.target is not None:
            raise RebuildingError(0, self._generation.target)
        path = generations.path_of(self._tail.directory, self._generation.number)
        return LiveState(path, environment)

    def close(self) -> None:
        """Give the environment back."""
        if self._environment is not None:
            close_environment(self._environment)
            self._environment = None

    def _live(self) -> Environment:
        seen = self._tail.transaction_id
        if seen == self._seen and self._environment is not None:
            return self._environment  # what says which generation is live cannot have changed
        row = generations.row(self._tail)
        if row == self._row and self._environment is not None:
            self._seen = seen
            return self._environment
        if not ownership.is_trusted(self._tail.directory):
            raise RebuildingError(0, self._tail.head)  # its owner comes and discards it
        row = generations.row(self._tail)  # again: a new one may have come before it was trusted
        if row is None:
            raise RebuildingError(0, self._tail.head)
        generation = msgspec.msgpack.decode(row, type=Generation)
        path = generations.path_of(self._tail.directory, generation.number)
        try:
            fresh = open_environment(path, TABLES, durable=False, create=False)
        except FileNotFoundError:  # its owner has just begun it
            raise RebuildingError(0, generation.target or self._tail.head) from None
        try:
            self._check(fresh, generation)
        except BaseException:
            close_environment(fresh)
            raise
        self.close()
        self._seen, self._row = seen, row
        self._generation, self._environment = generation, fresh
        return fresh

    def _check(self, fresh: Environment, generation: Generation) -> None:
        """Refuse a generation of a release whose rows mean something else in this one."""
        with reading(fresh) as view:
            version = view.fact("version")
        if version > PROJECTION_VERSION:
            raise NewerStateError(version, PROJECTION_VERSION)
        if not is_readable(version):  # its owner comes and makes another
            raise RebuildingError(0, generation.target or self._tail.head)
