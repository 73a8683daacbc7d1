"""A few bytes that all processes of a machine share about one log: who is writing, and is it sound.

The file is mapped: setting a field costs nothing.
"""

import mmap
import os
import struct
from pathlib import Path

_WRITER, _SINCE, _DOUBT, _NUMBER = 0, 8, 16, 24
_WORD = struct.Struct("<Q")
_ENTRY = struct.Struct("<QQ")
_MAP_BYTES = 4_096


def is_alive(pid: int) -> bool:
    """Whether a process runs; one that is dead but not yet waited for does not."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (OSError, IndexError):
        return False
    return state not in ("Z", "X")


class Beacon:
    """Shared marks of one log.

    1. `writer`: the process that holds the log's write lock, since when. A frozen one blocks all.
    2. `doubt`: set when a commit failed in a way that leaves the file in doubt; appends refuse
       until somebody has checked the file and cleared it.
    3. `number`: which of the partition's log directories is in use; repair makes a new one.
    """

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            if os.fstat(descriptor).st_size < _MAP_BYTES:
                os.ftruncate(descriptor, _MAP_BYTES)
            self._map = mmap.mmap(descriptor, _MAP_BYTES)
        finally:
            os.close(descriptor)

    def enter(self, since_ms: int) -> None:
        """Say that this process holds the write lock from now on."""
        _ENTRY.pack_into(self._map, _WRITER, os.getpid(), since_ms)

    def leave(self) -> None:
        """Say that nobody holds the write lock."""
        _WORD.pack_into(self._map, _WRITER, 0)

    @property
    def writer(self) -> tuple[int, int] | None:
        """The process that holds the write lock and since when (ms), if one does."""
        pid = self._word(_WRITER)
        return (pid, self._word(_SINCE)) if pid else None

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
