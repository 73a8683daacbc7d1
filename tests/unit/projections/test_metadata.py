import json
from typing import Any

import pytest

from airy_ray.clock import Millis
from airy_ray.model import message as messages
from airy_ray.model.ids import format_id
from airy_ray.projections import metadata
from tests import builders
from tests.builders import conversation_described, message_received, message_sent
from tests.fakes import MemoryView, folded


def document(view: MemoryView) -> Any:
    found = view.conversations.get(builders.conversation_id())
    assert found is not None
    return json.loads(found.metadata)


def told(view: MemoryView) -> list[Any]:
    """Return the metadata that subscribers heard of, in order."""
    return [
        json.loads(change.event) for change in view.changes if change.kind == "metadata.updated"
    ]


def test_what_is_not_named_stays() -> None:
    view = folded(
        message_sent(),
        conversation_described({"state": b'"OPEN"'}),
        conversation_described({"contact.lang": b'"en"'}),
    )

    assert document(view) == {"state": "OPEN", "contact": {"lang": "en"}}


@pytest.mark.parametrize(
    ("first", "second", "shown"),
    [
        pytest.param({"a": b'"x"'}, {"a": b'"y"'}, {"a": "y"}, id="the same key"),
        pytest.param({"a": b'"x"'}, {"a.b": b'"y"'}, {"a": {"b": "y"}}, id="a nested key later"),
        pytest.param({"a.b": b'"x"'}, {"a": b'"y"'}, {"a": "y"}, id="a scalar later"),
        pytest.param({"a": b'"x"'}, {"a": b"null"}, {"a": None}, id="null does not delete"),
    ],
)
def test_a_later_value_wins(
    first: dict[str, bytes], second: dict[str, bytes], shown: dict[str, Any]
) -> None:
    view = folded(
        message_sent(),
        conversation_described(first, at=1),
        conversation_described(second, at=2),
    )

    assert document(view) == shown


def test_what_is_different_is_told_with_the_whole_document() -> None:
    view = folded(conversation_described({"a": b"1.0"}), conversation_described({"b": b"2.0"}))
    identifier = format_id(builders.conversation_id())

    assert told(view)[-1] == {
        "type": "metadata.updated",
        "timestamp": builders.NOW,
        "payload": {
            "subject": "conversation",
            "identifier": identifier,
            "metadata": {"a": 1.0, "b": 2.0},
        },
    }


def test_what_is_told_of_a_conversation_has_its_unread_count_and_no_default_name() -> None:
    view = folded(message_received(), conversation_described({"state": b'"OPEN"'}))

    assert told(view)[-1]["payload"]["metadata"] == {"state": "OPEN", "unread_count": 1.0}


def test_what_is_as_it_was_is_not_told() -> None:
    view = folded(
        conversation_described({"a": b"1.0"}), conversation_described({"a": b"1.0"}, at=9)
    )

    assert len(told(view)) == 1


@pytest.mark.parametrize("length", [199, 200, 201, 500, 5_000])
@pytest.mark.parametrize("letter", ["k", "é"])
def test_a_long_key_is_shown_whole(letter: str, length: int) -> None:
    name = letter * length
    view = folded(message_sent(), conversation_described({name: b"1.0", name + "x": b"2.0"}))

    assert document(view) == {name: 1.0, name + "x": 2.0}
    assert all(len(key) <= 511 for key, _ in view.metadata.under(b""))


@pytest.mark.parametrize(
    ("document", "shown"),
    [
        pytest.param(b"{}", {"source": {"id": "m"}}, id="nothing else"),
        pytest.param(b'{"a":1.0}', {"source": {"id": "m"}, "a": 1.0}, id="beside others"),
        pytest.param(
            b'{"source":{"error":"e"}}', {"source": {"id": "m", "error": "e"}}, id="beside its kind"
        ),
        pytest.param(b'{"source":"x"}', {"source": {"id": "m"}}, id="instead of a scalar"),
    ],
)
def test_a_message_shows_what_its_source_calls_it(document: bytes, shown: dict[str, Any]) -> None:
    assert json.loads(metadata.with_source_id(document, "m")) == shown


def test_a_message_that_its_source_calls_nothing_shows_nothing() -> None:
    assert metadata.with_source_id(b'{"a":1.0}', None) == b'{"a":1.0}'


def test_a_name_that_is_no_text_is_none() -> None:
    view = folded(message_sent(), conversation_described({"contact.display_name": b"5.0"}))
    found = view.conversations.get(builders.conversation_id())

    assert found is not None
    assert found.display_name is None


def test_metadata_of_one_subject_is_not_that_of_another() -> None:
    view = folded(
        conversation_described({"a": b"1.0"}, contact="bob"),
        message_sent(),
        conversation_described({"b": b"1.0"}),
    )

    assert document(view) == {"b": 1.0}


@pytest.mark.parametrize("comes_first", ["message", "copy"])
def test_a_copy_of_a_file_is_shown_in_its_place(comes_first: str) -> None:
    original = "https://cdn.example.org/a.jpg?x=1&y=2#z" + "w" * 300
    values = {f"data_{original}": b'"https://ours/1.jpg"'}
    conversation, identifier = builders.conversation_id(), builders.message_id()
    view = MemoryView()
    if comes_first == "copy":
        metadata.describe_message(view, conversation, identifier, values, Millis(1))
    folded(message_received("m1", text=original), onto=view)
    if comes_first == "message":
        metadata.describe_message(view, conversation, identifier, values, Millis(1))
    key = view.message_keys.get(identifier)
    stored = view.messages.get(key or b"")
    listed = view.conversations.get(conversation)

    assert stored is not None
    assert listed is not None
    shown = json.loads(messages.rendered(stored))
    assert shown["content"] == {"text": "https://ours/1.jpg"}
    assert shown["metadata"][f"data_{original}"] == "https://ours/1.jpg"
    assert original.encode() in stored.content
    last = json.loads(listed.last_message + b"}")
    assert last["content"] == {"text": "https://ours/1.jpg"}
