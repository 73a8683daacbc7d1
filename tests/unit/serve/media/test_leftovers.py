"""Files that nothing links to go: those of old conversations, and those that were never sent."""

import asyncio
import io
import multiprocessing
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import ParamSpec, TypeVar

import pytest
from obstore.store import LocalStore

from airy_ray.clock import Micros, Millis, now_millis
from airy_ray.cluster.access import Question
from airy_ray.cluster.commands import Commands
from airy_ray.cluster.media.store import NAME, MediaStore
from airy_ray.cluster.media.unlinked import Unlinked
from airy_ray.cluster.media.upload import Upload
from airy_ray.cluster.partitions import Partitions
from airy_ray.filters.fulltext import FullText
from airy_ray.filters.query import Query
from airy_ray.model.commands import CreateTemplate
from airy_ray.model.ids import PartitionIndex, format_id
from airy_ray.partition import forwarding
from airy_ray.partition.interpret import NO_SUCH_CHANNEL
from airy_ray.partition.partition import Partition
from airy_ray.partition.spec import PartitionSpec, Retention, Rule
from airy_ray.partition.upkeep import Caretaker
from airy_ray.rawlog.record import Offset, Record, prepare
from airy_ray.serve.media.leftovers import Leftovers
from airy_ray.state.queries import Reading, reading
from airy_ray.state.search.searching import Found, SearchIndex
from tests import builders
from tests.erasing import shared
from tests.log_builders import append, owned, settle, spec

P = ParamSpec("P")
T = TypeVar("T")

DAY = 86_400_000
LATER = Millis(now_millis() + 30 * DAY)
"""When all files of a test are old."""
ALL = Rule("*", 20 * DAY)
THE_ONLY = PartitionIndex(0)


class OwnAccess:
    """A partition that this process owns, asked as serving processes ask others."""

    def __init__(self, partition: Partition) -> None:
        self._partition = partition

    async def append(self, record: Record) -> Offset:
        offset = self._partition.tail.append([prepare(record)])
        settle(self._partition, LATER)
        return offset

    async def wait(self, offset: Offset, timeout_s: float) -> bool:
        return self._partition.applied > offset

    async def ask(self, query: Question[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        with reading(self._partition.state.environment) as view:
            return query(view, *args, **kwargs)

    async def search(self, wanted: Query | FullText, limit: int) -> Found:
        return SearchIndex(await self.ask(Reading.path)).search(wanted, limit)


class Doomed(MediaStore):
    """Files in a directory, and a process that is killed before one of its steps."""

    def __init__(self, directory: Path, *doom: str) -> None:
        marks = Unlinked(directory.parent / "unlinked")
        super().__init__(LocalStore(directory, mkdir=True), marks, directory=directory)
        self._doom = list(doom)

    def step(self, name: str) -> None:
        """Go on, or die: at the last of some steps."""
        if name in self._doom:
            self._doom.remove(name)
            if not self._doom:
                os.kill(os.getpid(), signal.SIGKILL)

    async def delete(self, name: str) -> None:
        self.step("delete")
        await super().delete(name)

    async def delete_if_older(self, name: str, at: Millis) -> bool:
        self.step("delete an old one")
        return await super().delete_if_older(name, at)


class DoomedAccess(OwnAccess):
    """The same for what is appended."""

    def __init__(self, partition: Partition, store: Doomed) -> None:
        super().__init__(partition)
        self._store = store

    async def append(self, record: Record) -> Offset:
        self._store.step("have them forgotten")
        return await super().append(record)


def leftovers(partition: Partition, store: Doomed) -> Leftovers:
    accesses = {THE_ONLY: DoomedAccess(partition, store)}
    return Leftovers(
        [partition.spec],
        Partitions(accesses, 1),
        Commands(accesses, 1, wait_s=1),
        store,
    )


def ruled(directory: Path, *rules: Rule) -> PartitionSpec:
    return replace(spec(directory), retention=Retention(rules=rules))


@contextmanager
def opened(directory: Path, *rules: Rule) -> Iterator[tuple[Partition, Doomed]]:
    with owned(ruled(directory, *rules)) as partition:
        settle(partition, LATER)
        yield partition, Doomed(directory / "media")


def stored(directory: Path, content: bytes, *, is_settled: bool = True) -> str:
    """Store a file; return what it is called."""
    taken = Upload("a.png", io.BytesIO())
    taken.write(content)
    store = Doomed(directory / "media")
    name = asyncio.run(store.keep(taken))
    if is_settled:
        asyncio.run(store.settle(name))
    return name


def files(directory: Path) -> set[str]:
    return {path.name for path in (directory / "media").iterdir()}


def marks(directory: Path) -> set[str]:
    return {path.name for path in (directory / "unlinked").iterdir()}


class Deadly(io.BytesIO):
    """A file whose reader is killed when it wants more than the beginning."""

    def read(self, size: int | None = -1) -> bytes:
        if self.tell() > 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return super().read(size)


def store_until_killed(directory: Path, *, is_stored: bool) -> None:
    """Store a file, and be killed before anybody is told its name, or before all of it is there."""
    taken = Upload("a.png", io.BytesIO() if is_stored else Deadly())
    taken.write(bytes(12 << 20))
    asyncio.run(Doomed(directory / "media").keep(taken))
    os.kill(os.getpid(), signal.SIGKILL)


def swept(directory: Path, *, at: Millis = LATER) -> set[str]:
    """Return what is left when it has been looked for what killed processes left."""
    with opened(directory) as (partition, store):
        asyncio.run(leftovers(partition, store).sweep(at))
    return files(directory)


def message(contact: str, *names: str) -> Record:
    """Return the record of an old message that links to files."""
    told = shared(1, contact)
    links = " ".join(f"https://a.example/media/{name}" for name in names)
    body = told.body.replace(f"text 1 of {contact}".encode(), links.encode())
    return builders.record(body, routes=told.routes)


def template(name: str) -> Record:
    """Return the record of a template that links to a file, which no age takes away."""
    command = CreateTemplate(
        id=format_id(builders.command_id(name)),
        name="a",
        source="facebook",
        content={"image": f"https://a.example/media/{name}"},
    )
    return builders.command_record(command)


def live(directory: Path, *doom: str) -> None:
    """Do all that an owner and a serving process do about old files, until killed."""
    with owned(ruled(directory, ALL)) as partition:
        settle(partition, LATER)
        store = Doomed(directory / "media", *doom)
        store.step("retain")
        Caretaker(partition, LATER).retain(LATER)
        store.step("fold")
        settle(partition, LATER)
        store.step("tell itself")
        forward(partition, store)
        looking = leftovers(partition, store)
        asyncio.run(looking.look())
        store.step("go through")
        asyncio.run(looking.go_through(LATER))


def _nothing(_: bytes) -> None:
    return None


def forward(partition: Partition, store: Doomed) -> None:
    """Append what a partition has for itself."""
    for sequence, outgoing in forwarding.pending(partition):
        told = forwarding.records_of(
            partition, sequence, outgoing, _nothing, _nothing, Micros(LATER * 1_000)
        )
        append(partition.spec.directory, [each.record for each in told])
        store.step("mark it told")
        forwarding.mark_forwarded(partition, sequence)
    settle(partition, LATER)


def code_of(directory: Path, *doom: str) -> int | None:
    """Return the exit code of a process that lives so."""
    life = multiprocessing.get_context("spawn").Process(target=live, args=(directory, *doom))
    life.start()
    life.join(60)
    return life.exitcode


@pytest.mark.parametrize(
    "doom",
    [
        pytest.param(["retain"], id="before anything"),
        pytest.param(["fold"], id="before conversations go"),
        pytest.param(["tell itself"], id="before their files are noted"),
        pytest.param(["mark it told"], id="when they are noted"),
        pytest.param(["delete"], id="before their files go"),
        pytest.param(["delete", "delete"], id="between two files"),
        pytest.param(["have them forgotten"], id="before they are settled"),
        pytest.param(["go through"], id="before others are looked for"),
        pytest.param(["delete an old one"], id="before others go"),
    ],
)
def test_who_is_killed_between_steps_leaves_the_rest_to_the_next(
    tmp_path: Path, doom: list[str]
) -> None:
    one, two, kept, lone = (stored(tmp_path, each) for each in (b"1", b"2", b"kept", b"lone"))
    with opened(tmp_path, ALL) as (partition, _):
        append(partition.spec.directory, [message("ada", one, two, kept), template(kept)])
        settle(partition)
    assert code_of(tmp_path, *doom) == -signal.SIGKILL
    assert {kept, lone} <= files(tmp_path) <= {one, two, kept, lone}
    assert code_of(tmp_path) == 0

    assert files(tmp_path) == {kept}
    with opened(tmp_path) as (partition, _), reading(partition.state.environment) as view:
        assert view.left_files(10) == {}


def gone_through(directory: Path, *rules: Rule, now: Millis = LATER) -> set[str]:
    """Return what is left when the store has been gone through."""
    with opened(directory, *rules) as (partition, store):
        asyncio.run(leftovers(partition, store).go_through(now))
    return files(directory)


@pytest.mark.parametrize(
    ("rules", "is_kept"),
    [
        pytest.param([ALL], False, id="of that age"),
        pytest.param([Rule("*", 31 * DAY)], True, id="younger"),
        pytest.param([], True, id="no rule"),
        pytest.param([Rule("facebook", DAY)], True, id="for one source only"),
        pytest.param([Rule("*", 31 * DAY), ALL], False, id="the last rule for all"),
    ],
)
def test_a_file_that_was_never_sent_goes_by_the_rule_for_all_sources(
    tmp_path: Path, rules: list[Rule], is_kept: bool
) -> None:
    lone = stored(tmp_path, b"lone")

    assert gone_through(tmp_path, *rules) == ({lone} if is_kept else set())


def test_files_that_are_linked_to_and_what_is_no_file_of_ours_stay(tmp_path: Path) -> None:
    linked, lone = stored(tmp_path, b"linked"), stored(tmp_path, b"lone")
    others = ["readme.txt", "6f2f0e5c-9f4e-4b74-9b33-1f7f4e2a0001.png", f"{lone}.part#1"]
    for name in others:
        (tmp_path / "media" / name).write_bytes(b"not ours")
    with opened(tmp_path) as (partition, _):
        append(partition.spec.directory, [message("ada", linked)])
        settle(partition)

    assert gone_through(tmp_path, ALL) == {linked, *others}


def test_a_file_that_a_waiting_record_links_to_stays(tmp_path: Path) -> None:
    waiting, lone = stored(tmp_path, b"waiting"), stored(tmp_path, b"lone")
    told = message("ada", waiting)
    refused = builders.route("ada", refused=NO_SUCH_CHANNEL)
    with opened(tmp_path) as (partition, _):
        append(partition.spec.directory, [builders.record(told.body, routes=(refused,))])
        settle(partition)
        with reading(partition.state.environment) as view:
            assert view.stored_rows("orphans", b"", 10)[0]

    assert lone not in gone_through(tmp_path, ALL)
    assert files(tmp_path) == {waiting}


def test_the_store_is_gone_through_once_a_day(tmp_path: Path) -> None:
    with opened(tmp_path, ALL) as (partition, store):
        looking = leftovers(partition, store)
        left = []
        for after_ms in (0, DAY - 1, DAY):
            name = stored(tmp_path, str(after_ms).encode())
            asyncio.run(looking.go_through(Millis(LATER + after_ms)))
            left.append(name in files(tmp_path))

    assert left == [False, True, False]


def test_a_file_that_is_uploaded_again_meanwhile_stays(tmp_path: Path) -> None:
    store = Doomed(tmp_path / "media")
    name = stored(tmp_path, b"hello")
    uploaded_at = Millis(int((tmp_path / "media" / name).stat().st_mtime_ns // 1_000_000))

    async def outcomes() -> list[bool]:
        return [
            await store.delete_if_older(name, uploaded_at),
            await store.delete_if_older(name, Millis(uploaded_at + 1)),
            await store.delete_if_older(name, Millis(uploaded_at + 1)),
        ]

    assert asyncio.run(outcomes()) == [False, True, False]


@pytest.mark.parametrize("is_stored", [True, False])
def test_what_a_killed_process_stored_goes_after_a_day(tmp_path: Path, is_stored: bool) -> None:
    known = stored(tmp_path, b"known")
    context = multiprocessing.get_context("spawn")
    life = context.Process(
        target=store_until_killed, args=(tmp_path,), kwargs={"is_stored": is_stored}
    )
    life.start()
    life.join(60)
    [left] = files(tmp_path) - {known}
    soon = Millis(now_millis() + DAY - 60_000)

    assert life.exitcode == -signal.SIGKILL
    assert NAME.fullmatch(left) or not is_stored
    assert (swept(tmp_path, at=soon), len(marks(tmp_path))) == ({left, known}, 1)
    assert (swept(tmp_path), marks(tmp_path)) == ({known}, set())


def test_what_is_marked_and_linked_to_stays(tmp_path: Path) -> None:
    linked = stored(tmp_path, b"linked", is_settled=False)
    with opened(tmp_path) as (partition, _):
        append(partition.spec.directory, [message("ada", linked)])
        settle(partition)

    assert (swept(tmp_path), marks(tmp_path)) == ({linked}, set())


def test_what_is_stored_again_while_it_is_looked_for_stays(tmp_path: Path) -> None:
    name = stored(tmp_path, b"hello", is_settled=False)
    begun_at = Millis(now_millis() - 1_000)
    for path in (tmp_path / "media" / name, tmp_path / "unlinked" / name):
        os.utime(path, (0, 0))
    stored(tmp_path, b"hello", is_settled=False)

    assert (swept(tmp_path, at=Millis(begun_at + DAY)), marks(tmp_path)) == ({name}, {name})
