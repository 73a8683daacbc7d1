import json
from typing import Any

import msgspec
import pytest

from airy_ray.model import conversation, message
from airy_ray.model.ids import format_id
from tests import builders

CHANNEL = b'{"id":"a channel"}'


def shown(**fields: Any) -> Any:
    return json.loads(conversation.rendered(builders.conversation(**fields), CHANNEL))


def test_a_conversation_is_shown_as_the_contract_says() -> None:
    stored = builders.conversation(metadata=b'{"state":"OPEN"}', display_name=None)
    default_name = f"Facebook {format_id(stored.id)[-5:]}"

    assert json.loads(conversation.rendered(stored, CHANNEL)) == {
        "id": format_id(stored.id),
        "created_at": "2025-11-21T08:00:00.000Z",
        "channel": {"id": "a channel"},
        "metadata": {
            "state": "OPEN",
            "contact": {"display_name": default_name},
            "unread_count": 1.0,
        },
        "last_message": {
            "id": "last",
            "metadata": {},
            "sender": {"id": "ada", "name": None, "avatar_url": None},
        },
    }


@pytest.mark.parametrize(
    ("source", "kind"),
    [
        ("facebook", "Facebook"),
        ("twilio.sms", "Sms"),
        ("twilio.whatsapp", "Whatsapp"),
        ("chatplugin", "Chatplugin"),
        ("my.own", "Own"),
        ("iOS", "IOS"),
    ],
)
def test_a_contact_without_a_name_is_called_after_the_source(source: str, kind: str) -> None:
    stored = builders.conversation(source=source)
    last_five = format_id(stored.id)[-5:]

    assert conversation.default_name(source, stored.id) == f"{kind} {last_five}"


def test_a_given_name_is_shown() -> None:
    metadata = b'{"contact":{"display_name":"Ada"}}'

    assert shown(display_name="Ada", metadata=metadata)["metadata"]["contact"] == {
        "display_name": "Ada"
    }


def test_the_default_name_leaves_what_else_is_known_of_the_contact() -> None:
    contact = shown(metadata=b'{"contact":{"lang":"en"}}')["metadata"]["contact"]

    assert contact["lang"] == "en"
    assert contact["display_name"].startswith("Facebook ")


def test_a_contact_that_is_no_object_gives_way_to_the_name() -> None:
    metadata = shown(metadata=b'{"contact":"x","state":"OPEN"}')["metadata"]

    assert metadata["contact"]["display_name"].startswith("Facebook ")
    assert metadata["state"] == "OPEN"


@pytest.mark.parametrize(
    ("count", "text"),
    [
        pytest.param(None, b'"unread_count":0}', id="never counted: the integer 0"),
        pytest.param(0, b'"unread_count":0.0}', id="none left"),
        pytest.param(12, b'"unread_count":12.0}', id="some"),
    ],
)
def test_an_unread_count_is_always_there(count: int | None, text: bytes) -> None:
    stored = builders.conversation(unread_count=count)

    assert conversation.served_metadata(stored).endswith(text)


@pytest.mark.parametrize(
    ("metadata", "told"),
    [
        pytest.param(b"{}", {"unread_count": 3.0}, id="of nothing else"),
        pytest.param(b'{"a":1.0}', {"a": 1.0, "unread_count": 3.0}, id="with the rest"),
    ],
)
def test_events_tell_the_count_but_no_default_name(metadata: bytes, told: dict[str, Any]) -> None:
    assert json.loads(conversation.counted_metadata(metadata, 3)) == told


def test_a_lone_surrogate_in_metadata_stays_one() -> None:
    metadata = rb'{"note":"\ud83d"}'

    assert rb'"note":"\ud83d"' in conversation.served_metadata(
        builders.conversation(metadata=metadata)
    )


@pytest.mark.parametrize("is_so", [True, False])
@pytest.mark.parametrize(
    "content", [b'{"from_contact":1}', rb'"\ud83d"', b"1e400", b"[" * 100 + b"]" * 100]
)
def test_who_wrote_the_last_message_can_be_told(content: bytes, is_so: bool) -> None:
    last = builders.changed(builders.message(from_contact=is_so), content=content)
    row = builders.conversation()
    row = msgspec.structs.replace(row, last_message=message.head(last) + last.metadata)

    assert conversation.is_last_from_contact(row) is is_so
