"""How far a bot is in the change feed of a partition: a small file beside its log.

It may be a second behind. That a bot is asked once about a message is not up to it: the log says
which messages it was asked about.
"""

from collections.abc import Iterable
from pathlib import Path

from airy_ray.storage.files import remove_synced, write_synced

_NAME = "bot-{}.place"


def read_place(directory: Path, bot: str) -> int | None:
    """Return where a bot goes on; None if it begins with what comes."""
    try:
        return int((directory / _NAME.format(bot)).read_bytes())
    except (FileNotFoundError, ValueError):
        return None


def keep_place(directory: Path, bot: str, place: int) -> None:
    """Keep where a bot goes on.

    Raises:
        DiskFullError: there is no space; what was kept before still is.
    """
    write_synced(directory / _NAME.format(bot), b"%d" % place)


def forget_others(directory: Path, bots: Iterable[str]) -> None:
    """Have all bots but some begin with what comes after they are configured again."""
    kept = {_NAME.format(bot) for bot in bots}
    for file in directory.glob(_NAME.format("*")):
        if file.name not in kept:
            remove_synced(file)
