"""Backups taken and restored as the commands do, without their output."""

import os
import shutil
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from airy_ray.backup.manifest import Manifest
from airy_ray.backup.restoring import restore
from airy_ray.backup.taking import Step, Taken, take
from airy_ray.backup.target import open_target, private_files
from airy_ray.clock import now_millis
from airy_ray.cluster.layout import Layout
from airy_ray.cluster.webhook_backlog import TABLES
from airy_ray.storage.shelf import Shelf
from tests.unit.backup.machine import settings_of

PLACE = b"a webhook" + bytes(17)


def quiet(_: Step) -> None:
    """Be told of a step."""


def taken(data: Path, target: Path, *, tell: Callable[[Step], object] = quiet) -> Taken:
    """Take a backup."""
    scratch = data / f".backup-{os.getpid()}"
    shutil.rmtree(scratch, ignore_errors=True)
    scratch.mkdir()
    with private_files():
        place = open_target(str(target), create=True)
        return take(settings_of(data), place, scratch, now_millis(), tell)


def newest(target: Path) -> Manifest:
    """Return what the newest backup holds."""
    found = open_target(str(target)).newest()
    assert found is not None
    return found


def restored(
    target: Path, data: Path, *, tell: Callable[[Step], object] = quiet, **asked: int
) -> Layout:
    """Restore the newest backup."""
    with private_files():
        return restore(settings_of(data), open_target(str(target)), newest(target), tell, **asked)


def put_places(data: Path, place: int) -> None:
    """Write down how far consumers of the first partition's feed are."""
    (data / "partitions" / "00" / "files.place").write_bytes(b"%d" % place)
    with closing(Shelf(data / "webhooks", TABLES)) as shelf:
        shelf.put("places", PLACE, place.to_bytes(8, "big"))
        shelf.write(shelf.unwritten())


def places(data: Path) -> tuple[int, int]:
    """Return how far they are."""
    with closing(Shelf(data / "webhooks", TABLES, create=False)) as shelf:
        row = shelf.get("places", PLACE)
    assert row is not None
    file = data / "partitions" / "00" / "files.place"
    return int(file.read_bytes()), int.from_bytes(row, "big")
