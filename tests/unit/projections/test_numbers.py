"""Whose number is known waits once, from the first message that they wrote."""

import msgspec
import pytest

from airy_ray.clock import Millis
from airy_ray.model.events import ConversationsErased, MessageReceived, NumberSettled
from airy_ray.model.ids import message_id
from tests import builders
from tests.builders import NOW
from tests.fakes import MemoryView, folded

NUMBER = "4915112345678"
PLACE = builders.place(NUMBER, source="whatsapp")


def received(name: str, *, contact: str = NUMBER, from_contact: bool = True) -> MessageReceived:
    place = builders.place(contact, source="whatsapp")
    message = builders.message(name, contact=contact, from_contact=from_contact)
    changed = msgspec.structs.replace(
        message,
        id=message_id(place.conversation_id, name),
        conversation_id=place.conversation_id,
        channel_id=place.channel_id,
        source=place.source,
    )
    return MessageReceived(place, changed)


def waiting(view: MemoryView) -> list[bytes]:
    return [key for key, _ in view.numbers.under(b"")]


def test_who_has_written_waits() -> None:
    assert waiting(folded(received("m1"))) == [PLACE.conversation_id]


def test_who_was_written_to_does_not_yet() -> None:
    view = folded(received("m1", from_contact=False))
    assert waiting(view) == []
    assert waiting(folded(received("m2"), onto=view)) == [PLACE.conversation_id]


def test_it_is_settled_once() -> None:
    settled = NumberSettled(PLACE.conversation_id)
    view = folded(received("m1"), settled, received("m2"), settled)
    assert waiting(view) == []


@pytest.mark.parametrize("contact", ["US.1349120865530274", "ada"])
def test_who_is_not_known_by_a_number_does_not_wait(contact: str) -> None:
    assert waiting(folded(received("m1", contact=contact))) == []


def test_who_was_erased_does_not_wait() -> None:
    erased = ConversationsErased((PLACE.conversation_id,), (), Millis(NOW + 1))
    assert waiting(folded(received("m1"), erased)) == []
