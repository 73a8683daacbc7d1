"""Files in a store that nothing may link to yet: a mark for each, in a directory of this machine.

A mark is there before its file, and goes once a record links to the file, or whoever sent it is
told its name. What a killed process leaves behind has one, so that it is found.
"""

import os
from contextlib import suppress
from pathlib import Path

from airy_ray.clock import Millis
from airy_ray.storage.files import remove_synced, sync_directory


class Unlinked:
    """The marks. All of it blocks."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def note(self, name: str) -> None:
        """Mark a file that is going to be stored; on disk after return."""
        self._directory.mkdir(mode=0o700, exist_ok=True)
        (self._directory / name).touch(mode=0o600)
        sync_directory(self._directory)

    def renew(self, name: str) -> None:
        """Have a mark be as young as a new one, if there is one."""
        with suppress(FileNotFoundError):
            os.utime(self._directory / name)

    def settle(self, name: str) -> None:
        """Take a mark away; it does not come back."""
        with suppress(FileNotFoundError):
            remove_synced(self._directory / name)

    def settle_if_older(self, name: str, at: Millis) -> None:
        """Do so unless it was made, or renewed, since an instant."""
        with suppress(FileNotFoundError):
            if _is_before(self._directory / name, at):
                self.settle(name)

    def made_before(self, at: Millis) -> list[str]:
        """Return the names of files whose marks are older than an instant."""
        with suppress(FileNotFoundError):
            return sorted(each.name for each in self._directory.iterdir() if _is_before(each, at))
        return []


def _is_before(mark: Path, at: Millis) -> bool:
    return mark.stat().st_mtime_ns < at * 1_000_000
