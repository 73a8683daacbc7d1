"""`airy-ray replay`: what it shows of a replay, what it refuses, and what it leaves behind."""

import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import msgspec
import polars as pl
import pytest

from airy_ray.clock import now_millis
from airy_ray.errors import ReplayError
from airy_ray.model.events import ChannelStored
from airy_ray.model.ids import format_id
from airy_ray.partition import interpret
from airy_ray.partition.fold import encode_event
from airy_ray.partition.spec import PartitionSpec
from airy_ray.replay import run as runs
from airy_ray.replay.order import DIFFERENCES
from airy_ray.replay.replayer import Replayer
from airy_ray.replay.selection import Selection
from airy_ray.sources import facebook
from airy_ray.sources.source import Parse, Parsed, Received, Webhook
from tests import builders
from tests.builders import NOW
from tests.log_builders import owned, project, settle, webhooks
from tests.unit.cli.directories import Directory, run, told


def partly_deaf(webhook: Webhook) -> Parsed:
    """Parse as one that does not know three of the messages."""
    is_known = b'"text of 1' not in webhook.body or b'"text of 1"' in webhook.body
    return facebook.parse(webhook) if is_known else Parsed([], ["unknown"])


def seeing_double(webhook: Webhook) -> Parsed:
    """Parse as one that takes each message for two."""
    parsed = facebook.parse(webhook)
    again = [
        msgspec.structs.replace(each, identity=f"{each.identity} again")
        for each in parsed.events
        if isinstance(each, Received)
    ]
    return Parsed([*parsed.events, *again], parsed.ignored)


def lived_through(directory: Directory, parse: Parse) -> Directory:
    """Take in 13 messages with a parser that is wrong."""
    stored = encode_event(ChannelStored(builders.channel(builders.PAGE), {}))
    project(directory.registry, [builders.record(stored, kind="channel")])
    with pytest.MonkeyPatch.context() as planted:
        planted.setitem(interpret.PARSERS, "facebook", parse)
        directory.project(webhooks(13))
    return directory


def _own(specs: list[PartitionSpec], ready: threading.Event, over: threading.Event) -> None:
    """Do what the owners of partitions do about their history, until it is over."""
    with ExitStack() as stack:
        partitions = [stack.enter_context(owned(spec)) for spec in specs]
        replayers = [Replayer(partition) for partition in partitions]
        for partition in partitions:
            settle(partition)
        ready.set()
        while not over.wait(0.01):
            for partition, replayer in zip(partitions, replayers, strict=True):
                replayer.work(now_millis())
                partition.take_offered(now_millis())
                settle(partition)


@contextmanager
def owners(directory: Directory) -> Iterator[None]:
    """Have owners at work on a data directory."""
    ready, over = threading.Event(), threading.Event()
    working = threading.Thread(target=_own, args=(directory.specs, ready, over))
    working.start()
    try:
        assert ready.wait(10)
        yield
    finally:
        over.set()
        working.join()


@pytest.fixture
def bugged(fresh: Directory) -> Directory:
    """A data directory that lacks three messages."""
    return lived_through(fresh, partly_deaf)


@pytest.fixture(scope="module")
def tried(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Directory]:
    """A data directory that lacks three messages, after a dry run, with owners at work on it."""
    directory = Directory(tmp_path_factory.mktemp("tried") / "data")
    with owners(lived_through(directory, partly_deaf)):
        assert run(directory, "replay", "start", "--dry-run").exit_code == 0
        yield directory


def test_what_contradicts_itself_is_refused_and_begins_nothing(directory: Directory) -> None:
    for wrong in (["--dry-run", "--swap"], ["--no-wait", "--swap"], ["--no-wait", "--dry-run"]):
        refused = run(directory, "replay", "start", *wrong)

        assert refused.exit_code == 2
        assert refused.stderr.startswith("airy-ray: --")
    assert run(directory, "replay", "status").stdout == "There was no replay yet.\n"


def test_what_selects_nothing_is_refused_with_what_there_is(bugged: Directory) -> None:
    refused = run(bugged, "replay", "start", "--no-wait", "--source", "facebok")

    assert refused.exit_code == 2
    assert "there never was a channel of facebok, only of facebook" in refused.stderr
    assert told(bugged, "replay", "status") is None


def test_a_stopped_system_is_told_of_and_nothing_is_said_to_be_the_same(bugged: Directory) -> None:
    begun = run(bugged, "replay", "start", "--no-wait", "--source", "facebook")
    status = run(bugged, "replay", "status")

    assert "the system is stopped" in begun.stderr
    assert "the system is stopped" in status.stderr
    assert status.stdout.endswith(', of {"sources": ["facebook"]} is waiting\n')
    too_early = run(bugged, "replay", "diff", str(bugged.path / "diff.arrow"))
    assert (too_early.exit_code, "has not compared" in too_early.stderr) == (2, True)


def test_who_stops_watching_is_told_that_it_goes_on(
    bugged: Directory, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(_: float) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(time, "sleep", interrupted)
    left = run(bugged, "replay", "start")

    assert left.exit_code == 130
    assert "this waits until `airy-ray up` runs" in left.stderr
    assert "goes on: airy-ray replay status tells how far it is" in left.stderr


def test_a_dry_run_shows_what_differs_and_keeps_nothing_of_it(tried: Directory) -> None:
    shown = run(tried, "replay", "status")

    assert shown.exit_code == 0
    assert " is cancelled\n" in shown.stdout
    assert "messages               facebook  0            3           0" in shown.stdout
    assert "replay swap" not in shown.stdout
    assert run(tried, "replay", "swap").exit_code == 2


def test_a_swap_says_how_long_there_is_a_way_back(bugged: Directory) -> None:
    with owners(bugged):
        ready = run(bugged, "replay", "start", "--source", "facebook")
        swapped = run(bugged, "replay", "swap")
        status = told(bugged, "replay", "status")
        back = run(bugged, "replay", "rollback")

    assert ready.stdout.endswith("airy-ray replay swap puts it in place\n")
    first, second = swapped.stdout.splitlines()
    assert first.endswith("is swapped")
    assert second.startswith("airy-ray replay rollback brings back what was before, until 20")
    assert (status["phase"], status["selection"]) == ("swapped", {"sources": ["facebook"]})
    assert status["rollback_until"] is not None
    assert all(each["done"] == each["total"] for each in status["partitions"])
    assert back.stdout.splitlines()[-1].endswith("is rolled back")
    assert told(bugged, "replay", "status")["rollback_until"] is None


def test_a_conversation_that_there_is_not_is_seen_to_be_none(bugged: Directory) -> None:
    nobody = format_id(builders.conversation_id("nobody"))
    with owners(bugged):
        ready = run(bugged, "replay", "start", "--conversation", nobody)

    assert "conversations selected, with all others of the same people: 0\n" in ready.stdout
    assert told(bugged, "replay", "status")["conversations"] == 0


def test_all_that_differs_is_an_arrow_file_for_its_owner_alone(
    tried: Directory, tmp_path: Path
) -> None:
    file = tmp_path / "differences.arrow"
    file.write_bytes(b"something else" * 10_000)
    file.chmod(0o644)
    written = run(tried, "replay", "diff", str(file))

    table = pl.read_ipc(file)
    assert written.stdout == f"{table.height:,} rows that differ are in {file}\n"
    assert file.stat().st_mode & 0o777 == 0o600
    new = table.filter(pl.col("table") == "messages", pl.col("change") == "only after")
    assert (new.height, new["source"].unique().to_list()) == (3, ["facebook"])


def test_what_an_earlier_replay_found_in_other_partitions_is_left_out(
    tried: Directory, tmp_path: Path
) -> None:
    stale = tried.registry.directory / DIFFERENCES
    stale.write_bytes(b"of an earlier replay, and not even whole")
    run(tried, "replay", "start", "--dry-run", "--source", "facebook")

    written = run(tried, "replay", "diff", str(tmp_path / "differences.arrow"))

    assert written.exit_code == 0, written.stderr


def test_how_many_messages_would_vanish_is_told_and_their_swap_refused(fresh: Directory) -> None:
    with owners(lived_through(fresh, seeing_double)):
        shown = run(fresh, "replay", "start", "--swap")

        assert shown.exit_code == 1
        assert "messages that vanish: 13, 50.00% of all: a swap needs --force" in shown.stdout
        assert run(fresh, "replay", "swap", "--force").exit_code == 0


def test_what_can_be_ordered_is_found_out_without_ordering_it(bugged: Directory) -> None:
    number = runs.check_start(bugged.specs, Selection(), NOW)
    assert told(bugged, "replay", "status") is None
    runs.start(bugged.specs, Selection(), NOW)

    assert runs.check_cancel(bugged.specs).number == number
    assert told(bugged, "replay", "status")["phase"] == "waiting"
    with pytest.raises(ReplayError, match="is waiting, not ready"):
        runs.check_swap(bugged.specs)
    with pytest.raises(ReplayError, match="nothing to roll back"):
        runs.check_roll_back(bugged.specs)
