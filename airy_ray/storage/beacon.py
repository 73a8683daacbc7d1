"""A few bytes that all processes of a machine share about one log: who is writing, and is it sound.

The file is mapped: setting a field costs nothing.
"""

import mmap
import os
import struct
from pathlib import Path

from airy_ray.storage.files import reserve

_WRITER, _SINCE, _STARTED, _DOUBT, _NUMBER, _HEAD = 0, 8, 16, 24, 32, 40
_WORD = struct.Struct("<Q")
_PAIR = struct.Struct("<QQ")
_ENTRY = struct.Struct("<QQQ")
_MAP_BYTES = 4_096
_ALL_BITS = (1 << 64) - 1


def is_alive(pid: int) -> bool:
    """Whether a process runs; one that is dead but not yet waited for does not."""
    return started(pid) is not None


def started(pid: int) -> int | None:
    """Return when a process was started, in ticks since boot; None if it does not run.

    By this a later process that got the same id is told from it.
    """
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return None if fields[0] in ("Z", "X") else int(fields[19])
    except (OSError, IndexError):
        return None


def _mapped(path: Path) -> mmap.mmap:
    path.parent.mkdir(parents=True, exist_ok=True)
    reserve(path, _MAP_BYTES)
    descriptor = os.open(path, os.O_RDWR)
    try:
        return mmap.mmap(descriptor, _MAP_BYTES)
    finally:
        os.close(descriptor)


def _seen(path: Path) -> mmap.mmap:
    """Return the marks to look at; none are set where there is no file."""
    if not path.exists() or path.stat().st_size < _MAP_BYTES:
        return mmap.mmap(-1, _MAP_BYTES)
    with path.open("rb") as opened:
        return mmap.mmap(opened.fileno(), _MAP_BYTES, access=mmap.ACCESS_READ)


class Beacon:
    """Shared marks of one log.

    1. `writer`: the process that holds the log's write lock, since when. A frozen one blocks all.
       The file outlives processes and boots: one that is gone, or whose id is another's, is none.
    2. `doubt`: set when a commit failed in a way that leaves the file in doubt; appends refuse
       until somebody has checked the file and cleared it.
    3. `number`: changes when a repair has made a new log directory. The names of the directories
       say which is in use; this only says that it is time to look.
    4. `head`: how long the log was after the last append: a log that is shorter has lost its end.
       It is kept twice, the second time inverted, so that a damaged one is not believed.
    """

    def __init__(self, path: Path, *, is_read_only: bool = False) -> None:
        self._map = _seen(path) if is_read_only else _mapped(path)
        self._pid = os.getpid()
        self._started = started(self._pid) or 0

    def enter(self, since_ms: int) -> None:
        """Say that this process holds the write lock from now on."""
        _ENTRY.pack_into(self._map, _WRITER, self._pid, since_ms, self._started)

    def leave(self) -> None:
        """Say that this process does not hold the write lock any more; the next may have it."""
        if self._word(_WRITER) == self._pid:
            _WORD.pack_into(self._map, _WRITER, 0)

    @property
    def writer(self) -> tuple[int, int] | None:
        """The living process that holds the write lock and since when (ms), if one does."""
        pid, since, known = _ENTRY.unpack_from(self._map, _WRITER)
        return (pid, since) if pid and started(pid) == known else None

    @property
    def head(self) -> int:
        """How long the log was at least; 0 while nobody can tell."""
        head, inverted = _PAIR.unpack_from(self._map, _HEAD)
        return head if head ^ inverted == _ALL_BITS else 0

    def reach(self, head: int) -> None:
        """Say how long the log is now; who comes late with less has been overtaken."""
        if head > self.head:
            _PAIR.pack_into(self._map, _HEAD, head, head ^ _ALL_BITS)

    @property
    def is_in_doubt(self) -> bool:
        """Whether the log must be checked before anything is appended."""
        return self._word(_DOUBT) != 0

    def doubt(self, *, is_in_doubt: bool) -> None:
        """Set or clear the mark that the log must be checked."""
        _WORD.pack_into(self._map, _DOUBT, int(is_in_doubt))

    @property
    def number(self) -> int:
        """The log directory in use; 0 while nobody has said."""
        return self._word(_NUMBER)

    def use(self, number: int) -> None:
        """Say which log directory is in use from now on."""
        _WORD.pack_into(self._map, _NUMBER, number)

    def close(self) -> None:
        """Unmap the file."""
        self._map.close()

    def _word(self, at: int) -> int:
        word: int = _WORD.unpack_from(self._map, at)[0]
        return word
