"""What a contact looks like to clients, and what can be known of one."""

import json

import msgspec
import pytest

from airy_ray.clock import Millis
from airy_ray.model.contact import (
    ADDRESS_FIELDS,
    Contact,
    Details,
    Identity,
    Merge,
    rendered,
    told,
    with_told,
)
from airy_ray.model.ids import ContactId, format_id
from tests import builders

PLAIN = Contact(ContactId(bytes(16)), None, Millis(5))
ADA = msgspec.structs.replace(
    PLAIN,
    display_name="Ada",
    is_named=True,
    avatar_url="https://a",
    details=Details(
        title="Countess",
        gender="female",
        timezone=0,
        locale="en",
        organization_name="Engines",
        via={"email": "a@x.org"},
        address={"city": "London"},
        metadata=b'{"n":1}',
    ),
)


def test_a_contact_of_whom_nothing_is_known_is_shown_with_every_key() -> None:
    shown = json.loads(rendered(PLAIN, ()))

    assert shown.pop("id") == format_id(PLAIN.id)
    assert shown.pop("created_at") == 5
    assert list(shown) == [
        "display_name",
        "avatar_url",
        "title",
        "gender",
        "timezone",
        "locale",
        "organization_name",
        "via",
        "address",
        "conversations",
        "metadata",
        "updated_at",
    ]
    assert set(shown.values()) == {None}


def test_all_that_is_known_is_shown() -> None:
    identity = builders.conversation_id(), Identity("facebook", "ada")
    shown = json.loads(rendered(ADA, [identity]))

    assert shown["address"] == dict.fromkeys(ADDRESS_FIELDS) | {"city": "London"}
    assert shown["conversations"] == {format_id(identity[0]): "facebook"}
    assert (shown["metadata"], shown["timezone"]) == ({"n": 1}, 0)
    assert "merge_history" not in shown


def test_a_history_shows_contacts_without_conversations() -> None:
    shown = json.loads(rendered(PLAIN, (), [Merge(ADA, PLAIN.id)]))

    assert shown["merge_history"] == [json.loads(rendered(ADA, ()))]


@pytest.mark.parametrize("metadata", [b"1e400", rb'"\ud83d"', b"[1,2.50]"])
def test_metadata_is_shown_as_it_was_written(metadata: bytes) -> None:
    contact = with_told(PLAIN, {"metadata": metadata})

    assert b'"metadata":' + metadata in rendered(contact, ())


def test_what_is_told_of_a_contact_makes_the_same_contact() -> None:
    assert with_told(PLAIN, told(ADA)) == msgspec.structs.replace(ADA, is_named=False)


def test_a_contact_of_whom_all_is_taken_away_is_as_small_as_a_new_one() -> None:
    assert with_told(ADA, dict.fromkeys(told(ADA))) == msgspec.structs.replace(PLAIN, is_named=True)


def test_a_contact_that_nobody_has_told_of_keeps_its_row_small() -> None:
    assert len(msgspec.msgpack.encode(PLAIN)) < 32
