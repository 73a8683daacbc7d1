"""A machine that may stop at any operation on its disk, and a disk that then forgets.

1. What an operation is: a commit, a sync, and whatever changes a directory. Before each the process
   may die, the disk may be full, a sync may fail, or another thread may have its turn.
2. A file survives a power cut as it was synced last. Pages written since then may be there or not,
   each by itself; so may the names that were given or taken in a directory since that was synced.
3. LMDB writes the pages of a commit, syncs them, writes a meta page: a commit that was cut short
   leaves some pages, or all, and perhaps the meta page too. Synced commits stay.
4. Nothing is really synced, so nothing waits for a disk.
"""

from __future__ import annotations

import importlib
import logging
import os
import random
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, redirect_stdout
from io import StringIO
from pathlib import Path
from typing import Any
from unittest.mock import patch

import lmdb
import pyarrow.parquet as pq

from airy_ray.storage import environments
from airy_ray.storage.beacon import Beacon
from airy_ray.storage.environments import Environment
from airy_ray.storage.pages import PAGE_BYTES

_META_PAGES = 2
_DATA = "data.mdb"

Tree = dict[str, "bytes | Tree"]
"""A directory: names to the bytes of files, or to directories."""


class Crash(BaseException):
    """The process stops here; nothing after this happens."""


class Disk:
    """What is below `root`, what of it is synced, and what goes wrong.

    Attributes:
        crash_in: after how many operations the process stops; None for never.
        may_tear: whether it may stop in the middle of a commit.
        full_share: of all commits, how many find the disk full.
        failing_share: of all commits, how many fail in a way that leaves doubt.
        meanwhile: runs what other threads do at this moment.
        synced: is told which environment was synced.
    """

    def __init__(self, root: Path, rng: random.Random) -> None:
        self.root = root
        self.crash_in: int | None = None
        self.may_tear = True
        self.full_share = 0.0
        self.failing_share = 0.0
        self.meanwhile: Callable[[], None] = _nothing
        self.synced: Callable[[Environment], None] = _ignore
        self.operations = 0
        self.failures = 0
        self._rng = rng
        self._scratch = Path(tempfile.mkdtemp(dir=root.parent, prefix="airy-scratch-"))
        self._opened: list[Environment] = []
        self._ids: dict[int, int] = {}
        self._last_id = 0
        self._contents: dict[int, bytes] = {}
        self._names: dict[int, dict[str, int]] = {}
        self._write_through: set[int] = set()
        self._doubtful: dict[int, tuple[bytes, bytes]] = {}
        self._torn: tuple[Path, bytes] | None = None
        self._transactions = 0
        self._is_paused = False

    @contextmanager
    def installed(self) -> Iterator[None]:
        """Let all of this process's storage go through this disk."""
        with ExitStack() as stack:
            for name in ("fsync", "replace", "rename", "unlink", "mkdir", "rmdir"):
                hook = getattr(self, f"_{name}")
                stack.enter_context(patch.object(os, name, _hooked(getattr(os, name), hook)))
            stack.enter_context(patch.object(pq, "write_table", self._written(pq.write_table)))
            stack.enter_context(self._environments())
            stack.enter_context(patch.object(subprocess, "run", self._run))
            logging.disable(logging.CRITICAL)
            stack.callback(logging.disable, logging.NOTSET)
            stack.callback(self._remove_scratch)
            yield

    def _remove_scratch(self) -> None:
        with self._paused():
            shutil.rmtree(self._scratch, ignore_errors=True)

    def survives(self, path: Path) -> bytes | None:
        """Return what is surely left of a file after a power cut, if it is."""
        known = self._id(os.stat(self.root))
        for part in path.relative_to(self.root).parts:
            below = self._names.get(known, {}).get(part)
            if below is None:
                return None
            known = below
        return self._contents.get(known)

    def kill(self) -> None:
        """End every process: what they gave to the kernel is still there."""
        for environment in self._opened:
            environment.lmdb.close()
        self._opened.clear()
        environments._open.clear()
        if self._torn is not None:
            path, before = self._torn
            path.write_bytes(self._cut_short(before, path.read_bytes()))
            self._torn = None

    def lose_power(self) -> None:
        """End the machine, after `kill`: only what was synced is surely there."""
        with self._paused():
            tree = self._left_of(self.root)
            for path in self.root.iterdir():
                shutil.rmtree(path) if path.is_dir() else path.unlink()
            _write_tree(self.root, tree)
            self.sync_all()

    def sync_all(self) -> None:
        """Take everything that is there for synced."""
        self._contents.clear()
        self._names.clear()
        self._write_through.clear()
        self._doubtful.clear()
        for directory, _, files in os.walk(self.root):
            self._note_directory(Path(directory))
            for name in files:
                self._note_file(Path(directory, name))

    # --- operations -------------------------------------------------------------------------------

    def point(self) -> None:
        """Come to an operation: stop here, or let others go first."""
        if self._is_paused:
            return
        self.operations += 1
        if self._is_last():
            raise Crash
        if self._transactions == 0 and not environments._lock.locked():
            self.meanwhile()

    def _is_last(self) -> bool:
        if self.crash_in is None:
            return False
        self.crash_in -= 1
        if self.crash_in > 0:
            return False
        self.crash_in = None
        return True

    def _fsync(self, real: Callable[..., None], descriptor: int) -> None:
        path = Path(os.readlink(f"/proc/self/fd/{descriptor}"))
        self.point()
        if not self._is_paused and path.is_relative_to(self.root):
            self._note_directory(path) if path.is_dir() else self._note_file(path)

    def _replace(self, real: Callable[..., None], source: Any, target: Any, **at: Any) -> None:
        self.point()
        if os.path.exists(target):
            self._forget(target)
        real(source, target, **at)

    _rename = _replace

    def _unlink(self, real: Callable[..., None], path: Any, *, dir_fd: int | None = None) -> None:
        self.point()
        if os.path.lexists(path) or dir_fd is not None:
            self._forget(path, dir_fd)
        real(path, dir_fd=dir_fd)

    _rmdir = _unlink

    def _mkdir(self, real: Callable[..., None], path: Any, *args: Any, **named: Any) -> None:
        self.point()
        real(path, *args, **named)

    def _written(self, real: Callable[..., None]) -> Callable[..., None]:
        def write_table(table: Any, file: Path, **options: Any) -> None:
            self.point()
            real(table, file, **options)
            if self._is_last():
                os.truncate(file, self._rng.randrange(file.stat().st_size))
                raise Crash

        return write_table

    # --- commits ----------------------------------------------------------------------------------

    @contextmanager
    def _environments(self) -> Iterator[None]:
        real_init, real_write, real_sync = Environment.__init__, Environment.write, Environment.sync

        def init(environment: Environment, path: Path, *args: Any, **named: Any) -> None:
            real_init(environment, path, *args, **named)
            self._opened.append(environment)
            if named["durable"] and named["create"]:
                self._write_through.add(self._id(os.stat(path / _DATA)))

        @contextmanager
        def write(
            environment: Environment, beacon: Beacon | None = None
        ) -> Iterator[lmdb.Transaction[bytes]]:
            file = environment.path / _DATA
            with self._one_transaction(), real_write(environment, beacon) as transaction:
                yield transaction
                fate, before = self._fate_of_commit(file)
            if fate == "torn":
                self._torn = (file, before)
                raise Crash
            if fate == "failed":
                self._doubt(file, before)
                raise environment.explained(lmdb.DiskError("a sync failed"))

        def sync(environment: Environment) -> None:
            self.point()
            real_sync(environment)
            if (environment.path / _DATA).exists():  # it may have been given up meanwhile
                self._note_file(environment.path / _DATA)
            self.synced(environment)

        with (
            patch.object(Environment, "__init__", init),
            patch.object(Environment, "write", write),
            patch.object(Environment, "sync", sync),
        ):
            yield

    def _fate_of_commit(self, file: Path) -> tuple[str, bytes]:
        """Come to a commit; return what is to become of it, and the file as it is before."""
        self.operations += 1
        if self._is_last():
            if self.may_tear and self._rng.random() < 0.7:
                return "torn", file.read_bytes()
            raise Crash
        if self._rng.random() < self.full_share:
            raise lmdb.MapFullError("the disk is full")
        if self._rng.random() < self.failing_share:
            return self._failing(file)
        return "done", b""

    def _failing(self, file: Path) -> tuple[str, bytes]:
        """Let the sync of a commit's pages fail, or the one of its meta page."""
        self.failures += 1
        if self._rng.random() < 0.5:
            raise lmdb.DiskError("a sync failed")
        return "failed", file.read_bytes()

    def _doubt(self, file: Path, before: bytes) -> None:
        """Have a commit be there or not; whatever is written to the file later may be lost."""
        known, present = self._id(file.stat()), file.read_bytes()
        if known in self._write_through:
            self._write_through.discard(known)
            is_there = self._rng.random() < 0.5
            metas = (present if is_there else before)[: _META_PAGES * PAGE_BYTES]
            self._doubtful[known] = (metas + present[len(metas) :], present)

    @contextmanager
    def _one_transaction(self) -> Iterator[None]:
        self._transactions += 1
        try:
            yield
        finally:
            self._transactions -= 1

    # --- checks -----------------------------------------------------------------------------------

    def _run(self, command: Sequence[str], **_: Any) -> subprocess.CompletedProcess[str]:
        """Run `python -m module directory …` here: a process for each would take all the time.

        LMDB opens no file twice in a process, so the module is given a copy.
        """
        self.point()
        module, path, *more = command[2:]
        main = importlib.import_module(module).main
        with self._paused(), redirect_stdout(StringIO()) as told:
            shutil.copyfile(Path(path, _DATA), self._scratch / _DATA)
            code = main(self._scratch, *map(Path, more))
        return subprocess.CompletedProcess(command, code, told.getvalue(), "")

    @contextmanager
    def _paused(self) -> Iterator[None]:
        was_paused, self._is_paused = self._is_paused, True
        try:
            yield
        finally:
            self._is_paused = was_paused

    # --- what is synced ---------------------------------------------------------------------------

    def _id(self, status: os.stat_result) -> int:
        """Return what a file is known as: file systems use the numbers of deleted ones again."""
        known = self._ids.get(status.st_ino)
        if known is None:
            self._last_id += 1
            known = self._ids[status.st_ino] = self._last_id
        return known

    def _forget(self, path: Any, dir_fd: int | None = None) -> None:
        self._ids.pop(os.stat(path, dir_fd=dir_fd, follow_symlinks=False).st_ino, None)

    def _note_file(self, path: Path) -> None:
        self._contents[self._id(path.stat())] = path.read_bytes()

    def _note_directory(self, path: Path) -> None:
        names = {entry.name: self._id(entry.stat()) for entry in _entries(path)}
        self._names[self._id(path.stat())] = names

    # --- what is left -----------------------------------------------------------------------------

    def _left_of(self, directory: Path) -> Tree:
        synced = self._names.get(self._id(directory.stat()), {})
        present = {entry.name: self._id(entry.stat()) for entry in _entries(directory)}
        tree: Tree = {}
        for name in sorted(synced.keys() | present.keys()):
            kept = self._rng.choice((synced.get(name), present.get(name)))
            if kept is None:
                continue
            if kept != present.get(name):
                tree[name] = self._synced_under(kept)
            elif (directory / name).is_dir():
                tree[name] = self._left_of(directory / name)
            else:
                tree[name] = self._left_of_file(directory / name)
        return tree

    def _synced_under(self, known: int) -> bytes | Tree:
        """Return what was synced of a file or directory that is not there under its name now."""
        if known in self._names:
            return {name: self._synced_under(below) for name, below in self._names[known].items()}
        return self._contents.get(known, b"")

    def _left_of_file(self, path: Path) -> bytes:
        known = self._id(path.stat())
        present = path.read_bytes()
        if known in self._write_through:
            return present
        if known in self._doubtful:
            surely, last = self._doubtful[known]
            return surely if present == last else _mixed(surely, present, self._rng)
        rng = random.Random(self._rng.getrandbits(64))
        return _mixed(self._contents.get(known, b""), present, rng)

    def _cut_short(self, before: bytes, after: bytes) -> bytes:
        """Return a file as a commit leaves it that the process or the power did not outlive."""
        rng = random.Random(self._rng.getrandbits(64))
        fate = rng.random()
        if fate < 0.2:
            return after
        pages = after if fate < 0.4 else _mixed(before, after, rng)
        metas = _META_PAGES * PAGE_BYTES
        return before[:metas] + pages[metas:]


def _mixed(old: bytes, new: bytes, rng: random.Random) -> bytes:
    """Return a file of which each page is as it was or as it is, and so is its end."""
    fate = rng.random()
    if fate < 0.2:
        return old
    if fate < 0.3:
        return new
    length = max(len(old), rng.randint(0, len(new)))
    mixed = bytearray(length)
    for start in range(0, length, PAGE_BYTES):
        source = new if rng.random() < 0.5 else old
        page = source[start : start + PAGE_BYTES]
        mixed[start : start + len(page)] = page
    return bytes(mixed[:length])


def _entries(path: Path) -> list[os.DirEntry[str]]:
    return sorted(os.scandir(path), key=lambda entry: entry.name)


def _write_tree(path: Path, tree: Tree) -> None:
    for name, below in tree.items():
        if isinstance(below, bytes):
            (path / name).write_bytes(below)
        else:
            (path / name).mkdir()
            _write_tree(path / name, below)


def _hooked(real: Callable[..., None], hook: Callable[..., None]) -> Callable[..., None]:
    def operation(*args: Any, **named: Any) -> None:
        hook(real, *args, **named)

    return operation


def _nothing() -> None:
    return None


def _ignore(environment: Environment) -> None:
    return None
