"""The search index of a real partition: what is found, when, and after which accidents."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from airy_ray.clock import Millis
from airy_ray.errors import FilterError, IndexingError
from airy_ray.filters.fulltext import full_text
from airy_ray.filters.syntax import parse
from airy_ray.model.commands import DescribeConversation, MarkRead
from airy_ray.model.events import ConversationsErased, Event
from airy_ray.model.ids import format_id
from airy_ray.partition.fold import encode_event
from airy_ray.partition.partition import Partition
from airy_ray.rawlog.record import Record
from airy_ray.state.search import index
from airy_ray.state.search.indexer import Indexer
from airy_ray.state.search.searching import SearchIndex
from tests import builders
from tests.log_builders import NOW, append, owned, settle, spec, webhook

TAG = "0ee61a4f-9d9b-8c2d-8000-000000000001"
NAMES = {"ada": "Ada Lovelace", "grace": "Grace Hopper", "alan": "Alan Mathison Turing"}


class Found:
    """A partition whose index follows it, asked by hand."""

    def __init__(self, partition: Partition) -> None:
        self.partition = partition
        self.indexer = Indexer(partition.state)
        self.reader = SearchIndex(partition.state.path)
        self._commands = 0

    def fold(self, *records: Record) -> None:
        append(self.partition.spec.directory, records)
        settle(self.partition)

    def index(self) -> None:
        while self.indexer.step():
            pass

    def describe(self, contact: str, *removed: str, **values: Any) -> Record:
        self._commands += 1
        identifier = format_id(builders.conversation_id(contact))
        described = DescribeConversation(
            id=format_id(builders.command_id(f"{self._commands}")),
            conversation_id=identifier,
            values={key.replace("__", "."): value for key, value in values.items()},
            removed=removed,
        )
        return builders.command_record(described, at=NOW + 1_000 + self._commands)

    def conversations(self, filters: str) -> list[str]:
        known: dict[bytes, str] = {builders.conversation_id(contact): contact for contact in NAMES}
        found = self.reader.search(parse(filters), 100)
        assert found.total == len(found.ids)
        return [known[identifier] for identifier in found.ids]

    def messages(self, query: str) -> list[bytes]:
        wanted = full_text(query)
        assert wanted is not None
        return self.reader.search(wanted, 100).ids


@pytest.fixture
def found(tmp_path: Path) -> Iterator[Found]:
    """Three named conversations, Ada's oldest and Alan's newest, of 1, 2 and 3 messages."""
    with owned(spec(tmp_path)) as partition:
        made = Found(partition)
        for count, (contact, name) in enumerate(NAMES.items(), start=1):
            messages = [
                webhook(f"{contact}{number}", contact=contact, at=NOW + 10 * count + number)
                for number in range(count)
            ]
            made.fold(*messages, made.describe(contact, contact__display_name=name))
        made.index()
        yield made
        made.indexer.rest()


@pytest.mark.parametrize(
    ("filters", "contacts"),
    [
        ("*:*", ["alan", "grace", "ada"]),
        ("id:*", ["alan", "grace", "ada"]),
        (f"id:{format_id(builders.conversation_id('ada'))}", ["ada"]),
        (f'id:"{format_id(builders.conversation_id("ada"))}"', ["ada"]),
        ("display_name:Grace", ["grace"]),
        ("display_name:grace", ["grace"]),
        ("display_name:Gra", []),
        ('display_name:"alan mathison"', ["alan"]),
        ('display_name:"alan turing"', []),
        ('display_name:"alan turing"~1', ["alan"]),
        ("display_name:*LOVE*", ["ada"]),
        ("display_name:*a", ["ada"]),
        ("display_name:a?a*", ["alan", "ada"]),
        ("display_name:/a[dl]a.?/", ["alan", "ada"]),
        ("display_name:hoper~1", ["grace"]),
        ("unread_count:2", ["grace"]),
        ("unread_count:[2 TO *]", ["alan", "grace"]),
        ("unread_count:[* TO 2]", ["grace", "ada"]),
        ("unread_count:0", []),
        (f"created_at:{NOW + 10}", ["ada"]),
        (f"created_at:[{NOW + 20} TO {10**20}]", ["alan", "grace"]),
        ("source:FaceBook", ["alan", "grace", "ada"]),
        (f"channel_id:({format_id(builders.channel().id)} OR x)", ["alan", "grace", "ada"]),
        ("metadata.contact.display_name:turing", ["alan"]),
        ('metadata.contact.display_name:"grace hopper"', ["grace"]),
        ("metadata.contact.display_name:*lan", ["alan"]),
        ("metadata.contact.display_name:turin~1", ["alan"]),
        ("metadata.contact.display_name:*", ["alan", "grace", "ada"]),
        ("metadata.contact.display_name:[* TO *]", ["alan", "grace", "ada"]),
        ("metadata.Contact.display_name:turing", []),
        ("metadata.display_name:turing", []),
        ("metadata.unread_count:3", ["alan"]),
        ("metadata.state:*", []),
        ("tag_ids:*", []),
        ("NOT metadata.state:CLOSED", []),
        ("id:* AND NOT display_name:ada", ["alan", "grace"]),
        ("display_name:ada OR display_name:grace", ["grace", "ada"]),
        ("display_name:(ada AND lovelace) -unread_count:1", []),
        ("unknown:x OR display_name:ada", ["ada"]),
    ],
)
def test_conversations_are_found_by_filters_newest_first(
    found: Found, filters: str, contacts: list[str]
) -> None:
    assert found.conversations(filters) == contacts


def test_tags_and_metadata_are_found_until_they_are_taken_away(found: Found) -> None:
    erp = {"user_data__erp__id": "AbC 12", "user_data__n": 42, "user_data__b": True}
    found.fold(found.describe("ada", **{f"tags__{TAG}": ""}, state="CLOSED", **erp))
    found.index()

    assert found.conversations(f"tag_ids:({TAG})") == ["ada"]
    assert found.conversations("metadata.state:CLOSED") == ["ada"]
    assert found.conversations("id:* AND NOT metadata.state:CLOSED") == ["alan", "grace"]
    for asked in ("erp.id:abc", 'erp.id:"abc 12"', "n:42", "n:42.0", "b:true"):
        assert found.conversations(f"metadata.user_data.{asked}") == ["ada"]

    found.fold(found.describe("ada", f"tags.{TAG}", "state"))
    found.index()

    assert found.conversations(f"tag_ids:{TAG}") == []
    assert found.conversations("metadata.state:*") == []


def test_a_conversation_without_any_metadata_left_is_not_found_by_it(found: Found) -> None:
    sent = builders.message_sent(contact="alan", sent_at=NOW + 90)
    with owned(spec(found.partition.spec.directory / "other")) as partition:
        other = Found(partition)
        other.fold(_told(sent), other.describe("alan", state="OPEN"))
        other.index()
        assert other.conversations("metadata.state:open") == ["alan"]

        other.fold(other.describe("alan", "state"))
        other.index()

        assert other.conversations("metadata.state:open") == []
        assert other.conversations("unread_count:0") == ["alan"]


def test_what_was_read_is_not_found_as_unread(found: Found) -> None:
    read = MarkRead(
        id=format_id(builders.command_id("read")),
        conversation_id=format_id(builders.conversation_id("alan")),
    )
    found.fold(builders.command_record(read, at=NOW + 5_000))
    found.index()

    assert found.conversations("unread_count:0") == ["alan"]
    assert found.conversations("unread_count:[1 TO *]") == ["grace", "ada"]


def test_a_new_message_moves_its_conversation_up(found: Found) -> None:
    found.fold(webhook("late", contact="ada", at=NOW + 500))
    found.index()

    assert found.conversations("*:*") == ["ada", "alan", "grace"]


def test_a_page_holds_the_newest_and_tells_how_many_there_are(found: Found) -> None:
    some = found.reader.search(parse("*:*"), 2)
    none = found.reader.search(parse("*:*"), 0)

    assert (some.total, some.ranks) == (3, [NOW + 32, NOW + 21])
    assert none == (3, [], [])


def test_messages_are_found_by_words_the_last_one_by_its_beginning(found: Found) -> None:
    grace = [builders.message_id(f"grace{number}", contact="grace") for number in (1, 0)]

    assert found.messages("TEXT of grace") == grace
    assert found.messages("grace1") == grace[:1]
    assert found.messages("grac text") == []
    assert len(found.messages("t")) == 6


def test_an_edited_message_is_found_by_what_it_says_now(found: Found) -> None:
    name, contact = "ada0", "ada"
    edited = builders.message_replaced(
        name, contact=contact, at=NOW + 99, text="Etwas Neues", sent_at=NOW + 10
    )
    found.fold(_told(edited))
    found.index()

    assert found.messages("neues") == [builders.message_id(name, contact=contact)]
    assert found.messages("ada0") == []


def test_a_conversation_that_was_erased_and_its_messages_are_not_found(found: Found) -> None:
    conversation = builders.conversation_id("alan")
    erased = ConversationsErased((conversation,), (), Millis(NOW + 5_000))
    anew = webhook("anew", contact="alan", at=NOW + 6_000)
    before = found.messages("text")
    found.fold(_told(erased), anew)
    found.index()
    after = found.messages("text")

    assert found.conversations("display_name:turing") == []
    assert len(after) == len(before) - 3 + 1
    assert builders.message_id("anew", contact="alan") in after


def test_a_filter_that_is_too_complex_is_refused(found: Found) -> None:
    for text in ("a" + "?" * 200, "*a" + "?" * 20 + "b*", "/(/", "/(a{900}){900}/"):
        with pytest.raises(FilterError):
            found.conversations(f"display_name:{text}")
    assert found.conversations("display_name:ada") == ["ada"]


def test_an_index_goes_on_where_the_last_commit_was(found: Found) -> None:
    found.indexer.give_up()  # as if the process had been killed
    found.fold(webhook("late", contact="ada", at=NOW + 500))
    before = index.read_position(found.indexer.directory)
    found.indexer = Indexer(found.partition.state)

    assert found.indexer.step() is False
    assert before == 9 << 16
    assert found.conversations("*:*") == ["ada", "alan", "grace"]
    assert found.messages("late") == [builders.message_id("late", contact="ada")]


def test_what_is_indexed_twice_is_found_once(found: Found) -> None:
    found.indexer.give_up()
    index.write_position(found.indexer.directory, 0)
    found.index()

    assert found.conversations("*:*") == ["alan", "grace", "ada"]
    assert len(found.messages("text")) == 6


def test_an_index_that_is_gone_is_built_from_the_rows_and_not_asked_before(found: Found) -> None:
    found.indexer.give_up()
    shutil.rmtree(found.indexer.directory)
    with pytest.raises(IndexingError):
        found.conversations("*:*")
    assert found.indexer.step()
    with pytest.raises(IndexingError):
        found.conversations("*:*")

    found.index()

    assert found.conversations("*:*") == ["alan", "grace", "ada"]
    assert len(found.messages("text")) == 6


@pytest.mark.parametrize("damage", ["cut", "removed", "meta"])
def test_a_damaged_index_is_built_anew_when_a_reader_notices(found: Found, damage: str) -> None:
    _damage(found, damage)
    found.reader = SearchIndex(found.partition.state.path)
    with pytest.raises(IndexingError):
        found.conversations("*:*")
    assert not found.indexer.is_trusted

    found.index()

    assert found.conversations("*:*") == ["alan", "grace", "ada"]


@pytest.mark.parametrize("damage", ["cut", "removed", "meta"])
def test_a_damaged_index_is_noticed_when_it_is_opened_again(found: Found, damage: str) -> None:
    _damage(found, damage)
    found.indexer = Indexer(found.partition.state)
    with pytest.raises(IndexingError):
        found.indexer.step()
    found.indexer.rebuild()

    found.index()

    assert found.conversations("*:*") == ["alan", "grace", "ada"]


def test_an_index_of_another_version_is_built_anew(
    found: Found, monkeypatch: pytest.MonkeyPatch
) -> None:
    found.indexer.give_up()
    monkeypatch.setattr(index, "INDEX_VERSION", 99)
    found.index()

    assert found.conversations("*:*") == ["alan", "grace", "ada"]


def test_an_index_behind_a_trimmed_feed_is_built_anew(found: Found) -> None:
    found.indexer.give_up()
    index.write_position(found.indexer.directory, 0)
    with found.partition.state.environment.write() as transaction:
        handle = found.partition.state.environment.tables["changes"]
        keys = list(transaction.cursor(handle).iternext(keys=True, values=False))
        for key in keys[:-1]:
            transaction.delete(key, db=handle)
    found.index()

    assert found.conversations("*:*") == ["alan", "grace", "ada"]


def test_a_rebuilt_state_has_an_index_of_its_own(found: Found) -> None:
    found.partition.rebuild()
    settle(found.partition)
    again = Found(found.partition)
    again.index()

    assert again.reader is not found.reader
    assert again.conversations("*:*") == ["alan", "grace", "ada"]


def _told(event: Event) -> Record:
    return builders.record(encode_event(event), kind="outcome", source="", at=NOW + 200)


def _damage(found: Found, damage: str) -> None:
    """Damage the index of conversations, which nobody is writing."""
    found.indexer.rest()
    for file in (found.indexer.directory / index.CONVERSATIONS).iterdir():
        if damage == "meta" and file.name == "meta.json":
            file.write_bytes(b"{}")
        elif damage == "cut" and file.suffix in {".term", ".fast"}:
            file.write_bytes(file.read_bytes()[:-9])
        elif damage == "removed" and file.suffix in {".term", ".fast"}:
            file.unlink()


@pytest.mark.parametrize(
    ("filters", "contacts"),
    [
        ("display_name:*ovel*", ["ada"]),
        ("display_name:*a*", ["ada", "alan", "grace"]),
        ("display_name:*LOVELACE*", ["ada"]),
        ("display_name:*lovelaces*", []),
        ("display_name:*a lov*", ["ada"]),
        ("display_name:*l?n*", ["alan"]),
        ("display_name:*grace", ["grace"]),
        (r"display_name:*\+*", []),
        ("display_name:*" + "x" * 100 + "*", []),
        ("display_name:/.*urin.*/", ["alan"]),
    ],
)
def test_a_search_box_finds_what_names_contain(
    found: Found, filters: str, contacts: list[str]
) -> None:
    assert sorted(found.conversations(filters)) == contacts
