"""Copies of files of contacts' messages: shown in their place, and gone with the messages."""

import json

import msgspec
import pytest

from airy_ray.model import message
from airy_ray.model.events import FilesKept, MessageReceived
from airy_ray.model.message import Message
from airy_ray.partition.fold import decode_event, encode_event
from tests.builders import message_received
from tests.fakes import MemoryView, folded
from tests.unit.projections.test_erasure import erased, settle

NAME = "0b7e9a52-6f1d-8c3e-9a44-5d2f8e1c7b90.png"
COPY = f"https://chat.example.org/media/{NAME}"
LINK = "https://cdn.example.org/a.png?oh=1&x=2"
KEY = f"data_{LINK}"


def with_picture() -> MessageReceived:
    content = json.dumps({"attachments": [{"type": "image", "payload": {"url": LINK}}]}).encode()
    told = message_received()
    return msgspec.structs.replace(
        told, message=msgspec.structs.replace(told.message, content=content)
    )


KEPT = FilesKept(with_picture().message.id, {KEY: json.dumps(COPY).encode()})
GIVEN_UP = FilesKept(KEPT.message_id, {KEY: b'{"error":"answered with 404"}'})


def stored(view: MemoryView) -> Message:
    [(_, found)] = view.messages.under(b"")
    return found


def test_a_copy_is_shown_where_the_content_links_to_the_platforms() -> None:
    view = folded(with_picture(), KEPT)
    shown = json.loads(message.rendered(stored(view)))

    assert shown["content"]["attachments"][0]["payload"]["url"] == COPY
    assert shown["metadata"][KEY] == COPY
    assert LINK.encode() in stored(view).content  # what came stays as it came


def test_a_copy_is_told_as_metadata_once() -> None:
    view = folded(with_picture(), KEPT, KEPT)
    told = [each for each in view.changes if each.kind == "metadata.updated"]

    assert [COPY.encode() in each.event for each in told if each.message_id] == [True]


def test_a_file_that_cannot_be_had_is_marked_and_its_link_stays() -> None:
    shown = json.loads(message.rendered(stored(folded(with_picture(), GIVEN_UP))))

    assert shown["metadata"][KEY] == {"error": "answered with 404"}
    assert shown["content"]["attachments"][0]["payload"]["url"] == LINK


def test_a_copy_may_come_after_it_was_given_up() -> None:
    shown = json.loads(message.rendered(stored(folded(with_picture(), GIVEN_UP, KEPT))))

    assert shown["content"]["attachments"][0]["payload"]["url"] == COPY


@pytest.mark.parametrize("is_aged", [False, True])  # by a wish, by a rule of retention
def test_a_copy_of_an_erased_message_is_left_to_be_looked_after(is_aged: bool) -> None:
    view = folded(with_picture(), KEPT, msgspec.structs.replace(erased(), is_aged=is_aged))
    settle(view)

    assert [name.decode() for name, _ in view.left_files.under(b"")] == [NAME]


@pytest.mark.parametrize("event", [KEPT, GIVEN_UP])
def test_what_is_kept_of_a_message_that_is_gone_describes_nothing(event: FilesKept) -> None:
    view = folded(event)

    assert list(view.rows()) == (["left_files"] if event is KEPT else [])


def test_events_of_kept_files_come_back_from_the_log() -> None:
    assert decode_event(encode_event(KEPT)) == KEPT
