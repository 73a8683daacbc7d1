"""What the simulation has found, each as the rule that was broken."""

import errno
import json
from contextlib import closing, suppress
from pathlib import Path
from typing import Any, NoReturn

import pytest

from airy_ray.clock import Millis
from airy_ray.errors import DiskFullError, RebuildingError
from airy_ray.model.commands import MarkRead
from airy_ray.model.ids import format_id
from airy_ray.partition import opening, ownership
from airy_ray.partition.reader import PartitionReader
from airy_ray.partition.upkeep import Caretaker
from airy_ray.rawlog.record import stored
from airy_ray.rawlog.salvage import records_in
from airy_ray.rawlog.tail import LogTail, create
from airy_ray.sources.facebook import Facebook
from airy_ray.sources.source import Webhook
from tests import builders
from tests.log_builders import (
    NOW,
    append,
    kept_rows,
    owned,
    prepared,
    project,
    rows,
    settle,
    spec,
    webhook,
    webhooks,
)

_HOUR_MS = 3_600_000


def test_a_log_s_free_space_holds_no_record_of_another(tmp_path: Path) -> None:
    for name, count in (("big", 200), ("small", 3)):
        with closing(LogTail(tmp_path / name)) as log:
            for number in range(count):
                log.append(prepared([builders.record(b"%d" % number)]))

    assert set(records_in(tmp_path / "small" / "log.1" / "data.mdb")) == {0, 1, 2}


def test_what_was_never_committed_takes_no_place_in_a_log_that_is_written_anew(
    tmp_path: Path,
) -> None:
    own = spec(tmp_path)
    late = prepared([builders.record(b"never committed" * 60, at=NOW + 1)] * 2)
    with owned(own) as opened:
        with suppress(ZeroDivisionError), opened.tail._write() as transaction:
            for offset, each in enumerate(late):
                key = offset.to_bytes(8, "big")
                transaction.lmdb.put(key, stored(each, offset), db=transaction.records)
            raise ZeroDivisionError
        for name in ("0", "1"):
            append(own.directory, [webhook(name)])
        opened.tail.distrust()
        settle(opened)

        assert [opened.history.at(each).body for each in range(2)] == [
            webhook(name).body for name in ("0", "1")
        ]
        assert opened.tail.head == 2


def test_of_a_commit_that_was_cut_short_nothing_takes_the_place_of_what_came_after_it(
    tmp_path: Path,
) -> None:
    own = spec(tmp_path)
    project(own, [webhook("0")])
    [late] = prepared([builders.record(b"never committed", at=NOW + 1)])
    with (own.directory / "log.1" / "data.mdb").open("ab") as file:
        file.write(bytes(16) + stored(late, 0))
    with closing(LogTail(own.directory)) as tail:
        tail.distrust()

    with owned(own) as opened:
        assert opened.tail.number == 2
        assert opened.history.at(0).body == webhook("0").body


def test_a_log_that_cannot_be_moved_to_leaves_nobody_between_two(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with closing(LogTail(tmp_path)) as tail:
        create(tmp_path, 2, [], [], {})
        tail.beacon.use(2)
        with monkeypatch.context() as patched:
            patched.setattr("airy_ray.rawlog.tail.open_environment", _full)
            with pytest.raises(DiskFullError):
                tail.append(prepared([builders.record()]))

        tail.append(prepared([builders.record()]))

        assert records_in(tmp_path / "log.2" / "data.mdb").keys() == {0}


def test_a_rebuild_that_breaks_off_is_begun_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = spec(tmp_path)
    append(own.directory, webhooks(5))
    with owned(own) as opened:
        settle(opened)
        before = rows(opened.state)
        with monkeypatch.context() as patched:
            patched.setattr(opening, "begin_state", _full)
            with pytest.raises(DiskFullError):
                opened.rebuild()
        settle(opened)

        assert rows(opened.state) == before
        with closing(PartitionReader(opened.tail)) as reader, reader.read() as view:
            assert view.applied() == 5


def test_nobody_reads_a_state_of_another_boot_before_its_owner_has_looked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = spec(tmp_path)
    project(own, webhooks(5))
    ownership.mark_running(own.directory, ownership.here(own.directory))
    (tmp_path / "boot").write_text("another")
    monkeypatch.setattr(ownership, "_BOOT_ID", tmp_path / "boot")

    with (
        closing(LogTail(own.directory)) as tail,
        closing(PartitionReader(tail)) as reader,
        pytest.raises(RebuildingError),
        reader.read(),
    ):
        pass


@pytest.mark.parametrize("hours", [1, 23, 25, 49])
def test_a_command_that_comes_again_late_does_the_same_when_it_is_folded_again(
    tmp_path: Path, hours: int
) -> None:
    own = spec(tmp_path)
    with owned(own) as opened:
        caretaker = Caretaker(opened, NOW)
        for at in (NOW, NOW + (hours - 1) * _HOUR_MS, NOW + hours * _HOUR_MS):
            come = [webhook(str(at), at=at - 1), builders.command_record(_READ, at=at)]
            append(own.directory, come)
            settle(opened)
            caretaker.expire(Millis(at + _HOUR_MS // 2))
        before = kept_rows(opened.state) | {"meta": []}  # there it says how far expiry is
        opened.rebuild()
        settle(opened)

        assert kept_rows(opened.state) | {"meta": []} == before


def test_the_places_in_a_body_are_told_in_its_order() -> None:
    items = [{"sender": {"id": str(each)}, "message": {"mid": "m"}} for each in range(9)]
    body = json.dumps({"object": "page", "entry": [{"id": "p", "messaging": items}]})

    keys = Facebook("secret").routes(Webhook(body.encode(), {}))

    assert [key.conversation for key in keys] == [str(each) for each in range(9)]


def _full(*_: Any, **__: Any) -> NoReturn:
    raise DiskFullError(str(errno.ENOSPC))


_READ = MarkRead(
    id=format_id(builders.command_id()), conversation_id=format_id(builders.conversation_id())
)
