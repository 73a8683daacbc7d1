"""Which generations of the state lie there, and where each comes from, found out by looking.

Nothing is written, whoever may be running the partitions. LMDB may abort on damaged pages, so a
process of its own looks: `python -m airy_ray.partition.inventory <directory of a partition>...`.
"""

import subprocess
import sys
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import lmdb
import msgspec

from airy_ray.errors import AiryError
from airy_ray.model import json_text
from airy_ray.partition import generations
from airy_ray.partition.spec import PartitionSpec
from airy_ray.rawlog.tail import LogTail
from airy_ray.state.origin import Origin, decode_origin
from airy_ray.state.tables import PROJECTION_VERSION, READABLE_SINCE, ROW_TYPES, unsealed
from airy_ray.storage import pages


class Made(msgspec.Struct, frozen=True):
    """A generation as it lies there.

    Attributes:
        projection: the version of the code that made it.
        applied: how many records of the log are in it.
        origin: None if the release that made it did not note that.
    """

    number: int
    projection: int
    applied: int
    origin: Origin | None


class Inventory(msgspec.Struct, frozen=True):
    """The generations of one partition.

    Attributes:
        present: the one that is served, or being made to be; None before the first, or if it cannot
            be read.
        former: those that could be rolled back to, oldest first.
    """

    partition: str
    present: Made | None = None
    former: tuple[Made, ...] = ()


def inventories(specs: Sequence[PartitionSpec]) -> list[Inventory]:
    """Return what each partition has, in order; nothing of one that kills who looks."""
    found: list[Inventory] = []
    while len(found) < len(specs):
        looked_at = _looked_at(specs[len(found) :])
        found += looked_at or [Inventory(specs[len(found)].name)]
    return found


def told(found: Sequence[Inventory]) -> dict[str, Any]:
    """Return all of that as JSON shows it."""
    return {
        "projection": PROJECTION_VERSION,
        "readable_since": READABLE_SINCE,
        "partitions": [
            {
                "partition": each.partition,
                "present": None if each.present is None else _told(each.present),
                "former": [_told(former) for former in each.former],
            }
            for each in found
        ],
    }


def _told(made: Made) -> dict[str, Any]:
    origin = made.origin
    return {
        "generation": made.number,
        "projection": made.projection,
        "applied": made.applied,
        "origin": None
        if origin is None
        else msgspec.to_builtins(origin) | {"at": json_text.instant(origin.at)},
    }


def _looked_at(specs: Sequence[PartitionSpec]) -> list[Inventory]:
    """Return what partitions have, of those before one that kills who looks."""
    looking = subprocess.run(  # noqa: S603 - our own module, paths of ours
        [sys.executable, "-m", __name__, *(str(spec.directory) for spec in specs)],
        capture_output=True,
        check=False,
    )
    return [msgspec.json.decode(line, type=Inventory) for line in looking.stdout.splitlines()]


def _inventory(directory: Path) -> Inventory:
    try:
        with closing(LogTail(directory, is_read_only=True)) as tail:
            live = generations.live(tail)
    except (AiryError, FileNotFoundError):
        live = None
    if live is None:
        return Inventory(directory.name)
    former = [number for number in generations.numbers(directory) if number < live.number]
    return Inventory(
        directory.name,
        _made(directory, live.number),
        tuple(made for each in former if (made := _made(directory, each)) is not None),
    )


def _made(directory: Path, number: int) -> Made | None:
    """Return what a generation tells of itself; None if it cannot, or is gone just now."""
    path = generations.path_of(directory, number)
    try:
        pages.check_length(path / "data.mdb")
        with (
            lmdb.open(str(path), readonly=True, max_dbs=len(ROW_TYPES), map_size=1 << 38) as opened,
            opened.begin() as transaction,
        ):
            meta = opened.open_db(b"meta", txn=transaction, create=False)
            held = dict(transaction.cursor(meta))
        version, applied = (
            int.from_bytes(unsealed("meta", name, held[name]), "big")
            for name in (b"version", b"applied")
        )
        origin = held.get(b"origin")
        return Made(
            number,
            version,
            applied,
            None if origin is None else decode_origin(unsealed("meta", b"origin", origin)),
        )
    except (AiryError, OSError, KeyError, lmdb.Error, msgspec.DecodeError):
        return None


if __name__ == "__main__":
    for each in sys.argv[1:]:
        print(msgspec.json.encode(_inventory(Path(each))).decode(), flush=True)
