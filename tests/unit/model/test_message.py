import json

import msgspec
import pytest

from airy_ray.clock import Millis
from airy_ray.model import message
from airy_ray.model.ids import format_id
from tests import builders


def test_a_message_is_shown_as_the_contract_says() -> None:
    stored = builders.message("m1", sent_at=builders.NOW, text="Hi")

    assert json.loads(message.rendered(stored)) == {
        "id": format_id(stored.id),
        "content": {"text": "Hi"},
        "sent_at": "2025-11-21T08:00:00.000Z",
        "delivery_state": "delivered",
        "from_contact": True,
        "source": "facebook",
        "metadata": {"source": {"id": "m1"}},
        "sender": {"id": "ada", "name": None, "avatar_url": None},
    }


def test_the_fields_come_in_the_order_of_the_contract() -> None:
    shown = json.loads(message.rendered(builders.message()))

    assert list(shown) == [
        *("id", "content", "sent_at", "delivery_state", "from_contact", "source"),
        *("metadata", "sender"),
    ]


@pytest.mark.parametrize("state", ["pending", "failed", "delivered"])
@pytest.mark.parametrize("from_contact", [True, False])
def test_state_and_direction_are_shown(state: message.DeliveryState, from_contact: bool) -> None:
    stored = msgspec.structs.replace(
        builders.message(), delivery_state=state, from_contact=from_contact
    )
    shown = json.loads(message.rendered(stored))

    assert (shown["delivery_state"], shown["from_contact"]) == (state, from_contact)


def test_payloads_of_the_message_alone_have_null_metadata() -> None:
    shown = json.loads(message.rendered(builders.message(), with_metadata=False))

    assert shown["metadata"] is None


@pytest.mark.parametrize(
    "content",
    [b'{"mid":1234567890123456789012}', b'"just a string"', b'{"b":1.50,"a":"\\u00e9"}', b"null"],
)
def test_content_is_shown_byte_for_byte(content: bytes) -> None:
    stored = msgspec.structs.replace(builders.message(), content=content)

    assert b'"content":' + content + b',"sent_at"' in message.rendered(stored)


@pytest.mark.parametrize("sender", ['"quoted"', "a\nb", "é😀", "\ud83d", ""])
def test_any_sender_can_be_shown(sender: str) -> None:
    stored = msgspec.structs.replace(builders.message(), sender_id=sender)

    assert json.loads(message.rendered(stored))["sender"]["id"] == sender


def test_a_message_out_of_time_is_shown_all_the_same() -> None:
    stored = msgspec.structs.replace(builders.message(), sent_at=Millis(2**53))

    assert json.loads(message.rendered(stored))["sent_at"] == "9999-12-31T23:59:59.992Z"
