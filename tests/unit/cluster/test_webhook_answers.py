"""What endpoints answered: kept as text, and gone with whom it is about, whatever comes when."""

from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest

from airy_ray.clock import Millis
from airy_ray.cluster.access import LocalAccess
from airy_ray.cluster.webhook_answers import Answers, answers_to, heard_of
from airy_ray.cluster.webhook_backlog import Attempt
from airy_ray.cluster.webhook_bodies import erasure_of
from airy_ray.model.ids import PartitionIndex
from airy_ray.partition.partition import Partition
from airy_ray.partition.reader import PartitionReader
from airy_ray.publishing.events import Event
from airy_ray.storage.excerpts import locked
from tests import builders
from tests.builders import NOW
from tests.erasing import EVA, EVAS, MARK, carry_out, erasure, shared, traces
from tests.log_builders import append, owned, settle, spec

HOOK = b"h" * 16
ERASED_AT = NOW + 10_000
FIRST = PartitionIndex(0)


class World:
    """A partition in which Eva and Ada have written, and what is answered to their messages."""

    def __init__(self, partition: Partition, reader: PartitionReader) -> None:
        self.partition = partition
        self.reader = reader
        self.directory = partition.spec.answers
        access = cast(LocalAccess, SimpleNamespace(reader=reader))
        self.answers = Answers(self.directory, {FIRST: access})
        self._slots = 0

    def told(self) -> int | None:
        """Return the last erasure of Eva's conversation, as who calls sees it."""
        with self.reader.read() as view:
            return erasure_of(view, EVAS)

    def answer(self, text: bytes, conversation: bytes, erasure_before: int | None = None) -> None:
        event = Event(FIRST, 1, "message.created", conversation, b"m" * 16, Millis(NOW))
        slot = self._slots
        self.answers.add(heard_of(HOOK, slot, event, erasure_before, 1_000 + slot, text))
        self._slots += 1

    def kept(self) -> list[str | None]:
        """Return what was answered, in order."""
        told = range(self._slots)
        return answers_to(self.directory, [attempt(1_000 + slot, slot) for slot in told])

    def erase(self, seed: str = "erase", at: int = ERASED_AT) -> None:
        append(self.partition.spec.directory, [erasure(at, seed)])
        settle(self.partition, at)


def attempt(at: int, slot: int | None) -> tuple[bytes, Attempt]:
    """Return an attempt, with its key, whose answer is in a slot."""
    made = Attempt("evt", "webhook.test", b"", Millis(NOW), 1, 5, 200, "", "delivered", False, slot)
    return HOOK + at.to_bytes(8, "big") + bytes(2), made


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with ExitStack() as stack:
        partition = stack.enter_context(owned(spec(tmp_path)))
        append(partition.spec.directory, [shared(1, EVA), shared(2, "ada")])
        settle(partition, NOW)
        reader = stack.enter_context(closing(PartitionReader(partition.tail)))
        yield World(partition, reader)


def test_what_was_answered_about_who_is_erased_is_found_nowhere(
    world: World, tmp_path: Path
) -> None:
    ada = builders.conversation_id("ada")
    world.answer(f"got {MARK}".encode(), EVAS)
    world.answer(b"got ada", ada)
    world.answers.save()
    assert world.kept() == [f"got {MARK}", "got ada"]
    assert any(each.startswith("answers/") for each in traces(tmp_path))
    world.erase()
    carry_out(world.partition, ERASED_AT + 60_000)

    assert traces(tmp_path) == []
    assert world.kept() == [None, "got ada"]


def test_an_answer_to_what_was_sent_before_an_erasure_is_not_kept(
    world: World, tmp_path: Path
) -> None:
    before = world.told()
    world.erase()
    carry_out(world.partition, ERASED_AT + 60_000)
    append(world.partition.spec.directory, [shared(3, EVA, at=ERASED_AT + 1)])
    settle(world.partition, ERASED_AT + 1)
    world.answer(b"late", EVAS, before)
    world.answer(b"new", EVAS, world.told())
    world.answers.save()
    assert world.kept() == [None, "new"]
    assert b"late" not in b"".join(each.read_bytes() for each in world.directory.iterdir())

    again = world.told()
    world.erase("erase again", ERASED_AT + 5)
    world.answer(b"late", EVAS, again)
    world.answers.save()
    carry_out(world.partition, ERASED_AT + 120_000)
    assert world.kept() == [None, None, None]


def test_while_somebody_is_erased_answers_wait(world: World) -> None:
    world.answer(b"got it", EVAS)
    with locked(world.directory) as is_ours:
        assert is_ours
        world.answers.save()
        assert world.kept() == [None]
    world.answers.save()

    assert world.kept() == ["got it"]


def test_while_answers_are_written_an_erasure_waits(world: World) -> None:
    world.answer(b"got it", EVAS)
    world.answers.save()
    world.erase()
    with locked(world.directory), pytest.raises(AssertionError, match="does not come to an end"):
        carry_out(world.partition, ERASED_AT + 60_000)
    assert world.kept() == ["got it"]
    carry_out(world.partition, ERASED_AT + 60_000)

    assert world.kept() == [None]


@pytest.mark.parametrize(
    ("answer", "text"),
    [
        pytest.param("grüß dich ✓".encode(), "grüß dich ✓", id="UTF-8"),
        pytest.param(b"\x00\xff\xfeok\x80", "\x00��ok�", id="binary"),
        pytest.param(b"caf\xe9s", "caf�s", id="Latin-1"),
        pytest.param(b"x" * 1_023 + "é".encode(), "x" * 1_023, id="cut within a character"),
    ],
)
def test_answers_are_told_as_text(world: World, answer: bytes, text: str) -> None:
    world.answer(answer, EVAS)
    world.answers.save()

    assert world.kept() == [text]


def test_attempts_without_an_answer_have_none(world: World) -> None:
    assert answers_to(world.directory, []) == []
    assert answers_to(world.directory, [attempt(1, None), attempt(2, 7)]) == [None, None]


def test_a_full_disk_costs_answers_only(world: World) -> None:
    world.answer(b"lost", EVAS)
    (world.directory / "68686868-6868-6868-6868-686868686868").mkdir()  # nothing can be written
    world.answers.save()
    world.answers.save()

    assert world.answers._pending == []
