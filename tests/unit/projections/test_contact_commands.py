"""Contacts made, changed, deleted, merged and parted (contract: platform API §7.8)."""

import json
from typing import Any

import msgspec
import pytest

from airy_ray.clock import Millis
from airy_ray.model import contact as model
from airy_ray.model import ids
from airy_ray.model.commands import (
    AnyCommand,
    ContactFields,
    CreateContact,
    DeleteContact,
    MergeContacts,
    UnmergeContacts,
    UpdateContact,
)
from airy_ray.model.contact import Contact
from airy_ray.model.ids import ContactId, ConversationId, contact_id, format_id, parse_id
from airy_ray.partition.fold import decode_event
from airy_ray.projections import merges
from airy_ray.projections.commands import carry_out
from airy_ray.projections.project import project
from airy_ray.projections.view import Answer
from tests import builders
from tests.builders import NOW, conversation_described, message_received
from tests.fakes import MemoryView, folded

ADA, BOB = builders.conversation_id("ada"), builders.conversation_id("bob")
ADDRESS = {"address_line1": "12 Square", "city": "London", "state": "England"}


class Story:
    """A view of all partitions in one, in which what they tell one another arrives at once."""

    def __init__(self, view: MemoryView | None = None) -> None:
        self.view = MemoryView() if view is None else view
        self.now = Millis(NOW)
        self.commands = 0

    def id(self) -> str:
        self.commands += 1
        return format_id(builders.command_id(str(self.commands), slot=self.commands))

    def does(self, command: AnyCommand) -> Answer:
        carry_out(self.view, command, b"", self.now)
        self.view.begin(self.view.position + 1)
        self.hears()
        answer = self.view.requests.get(parse_id(command.id))
        assert answer is not None
        return answer

    def hears(self) -> None:
        while self.view.outgoing:
            project(self.view, decode_event(self.view.outgoing.pop(0).body), self.now)
            self.view.begin(self.view.position + 1)

    def writes(self, contact: str = "ada", name: str = "m1", **fields: Any) -> None:
        folded(message_received(name, contact=contact, **fields), onto=self.view, at=self.now)
        self.hears()

    def names(self, contact: str, **values: str) -> None:
        told = {f"contact.{key}": json.dumps(value).encode() for key, value in values.items()}
        folded(conversation_described(told, contact=contact), onto=self.view, at=self.now)
        self.hears()

    def creates(self, **fields: Any) -> ContactId:
        answer = self.does(CreateContact(id=self.id(), fields=ContactFields(**fields)))
        assert answer.status == 201
        return ContactId(parse_id(json.loads(answer.body)["id"]))

    def updates(self, contact: ContactId, **fields: Any) -> Answer:
        fields_ = ContactFields(**fields)
        command = UpdateContact(id=self.id(), contact_id=format_id(contact), fields=fields_)
        return self.does(command)

    def deletes(self, contact: ContactId) -> Answer:
        return self.does(DeleteContact(id=self.id(), contact_id=format_id(contact)))

    def merges(self, source: ContactId, destination: ContactId) -> Answer:
        snapshot = merges.snapshot(self.view, self.contact(source))
        told = {"id": self.id(), "destination_id": format_id(destination)}
        return self.does(MergeContacts(**told, source=snapshot))

    def parts(self, source: ContactId, destination: ContactId) -> Answer:
        told = {"source_id": format_id(source), "destination_id": format_id(destination)}
        return self.does(UnmergeContacts(id=self.id(), **told))

    def contact(self, identifier: ContactId) -> Contact:
        found = self.view.contacts.get(identifier)
        assert found is not None
        return found

    def holder(self, conversation: ConversationId) -> ContactId | None:
        held = self.view.contact_of.get(conversation)
        return None if held is None else ContactId(held[:16])

    def conversations(self, contact: ContactId) -> set[bytes]:
        return {key[16:] for key, _ in self.view.identities.under(contact)}

    def listed(self) -> set[bytes]:
        return {key[-16:] for key, _ in self.view.contacts_by_name.under(b"")}


def shown(answer: Answer) -> Any:
    return json.loads(answer.body)


@pytest.fixture
def story() -> Story:
    return Story()


def test_a_contact_is_made_of_what_is_said(story: Story) -> None:
    answer = story.does(
        CreateContact(
            id=story.id(),
            fields=ContactFields(
                display_name="Ada",
                title="",
                timezone=-3,
                via={"email": "a@x.org", "fax": ""},
                address=ADDRESS,
                conversations={format_id(ADA): "shop"},
                metadata=msgspec.Raw(b'{"a":1}'),
            ),
        )
    )

    assert answer.status == 201
    assert {key: value for key, value in shown(answer).items() if value is not None} == {
        "id": shown(answer)["id"],
        "display_name": "Ada",
        "timezone": -3,
        "via": {"email": "a@x.org"},
        "address": dict.fromkeys(shown(answer)["address"]) | ADDRESS,
        "conversations": {format_id(ADA): "shop"},
        "metadata": {"a": 1},
        "created_at": NOW,
    }


def test_a_contact_of_whom_nothing_is_said_is_made(story: Story) -> None:
    contact = story.creates()

    assert story.contact(contact) == Contact(contact, None, NOW)
    assert story.listed() == {contact}


def test_a_contact_lives_in_the_slot_of_the_command_that_made_it(story: Story) -> None:
    assert ids.slot_of(story.creates()) == 1


def test_a_command_that_is_known_no_more_makes_no_second_contact(story: Story) -> None:
    command = CreateContact(id=story.id(), fields=ContactFields(title="Dr"))
    first = story.does(command)
    story.now = Millis(NOW + 48 * 3_600_000)
    again = story.does(command)

    assert shown(again) == shown(first)
    assert len(story.listed()) == 1


def test_what_is_not_said_stays_and_empty_texts_delete(story: Story) -> None:
    contact = story.creates(
        display_name="Ada", title="Dr", address=ADDRESS, via={"a": "1", "b": "2"}
    )
    story.now = Millis(NOW + 9)
    answer = story.updates(
        contact,
        title="",
        gender="female",
        address={"city": "", "state": "Wales"},
        via={"a": "", "c": "3"},
    )
    found = story.contact(contact)
    details = found.details
    assert details is not None

    assert (answer.status, answer.body) == (202, b"")
    assert (found.display_name, found.updated_at) == ("Ada", NOW + 9)
    assert (details.title, details.gender) == (None, "female")
    assert details.address == {"address_line1": "12 Square", "state": "Wales"}
    assert details.via == {"b": "2", "c": "3"}


@pytest.mark.parametrize(
    ("said", "kept"),
    [
        pytest.param(b"null", b'{"a":1}', id="null stays"),
        pytest.param(b'""', None, id="empty deletes"),
        pytest.param(b"[]", b"[]", id="replaced"),
        pytest.param(b"1e400", b"1e400", id="any number"),
    ],
)
def test_metadata_is_kept_whole(said: bytes, kept: bytes | None, story: Story) -> None:
    contact = story.creates(title="Dr", metadata=msgspec.Raw(b'{"a":1}'))
    story.updates(contact, metadata=msgspec.Raw(said))
    details = story.contact(contact).details

    assert details is not None
    assert details.metadata == kept


def test_contacts_are_listed_by_the_name_that_was_given_last(story: Story) -> None:
    contact = story.creates(display_name="Ada")
    story.updates(contact, display_name="Bob")
    story.updates(contact, display_name="")

    assert [key for key, _ in story.view.contacts_by_name.under(b"")] == [b"\xff" + contact]


def test_only_contacts_that_are_there_can_be_changed(story: Story) -> None:
    nobody = ContactId(bytes(16))
    merged, into = story.creates(), story.creates()
    story.merges(merged, into)

    for answer in (
        story.updates(nobody, title="x"),
        story.updates(merged, title="x"),
        story.deletes(nobody),
        story.deletes(merged),
        story.parts(merged, nobody),
        story.parts(into, merged),
    ):
        assert (answer.status, shown(answer)) == (404, {"message": "Contact not found"})


def test_a_conversation_that_is_claimed_leaves_who_had_it(story: Story) -> None:
    story.writes("ada")
    contact = story.creates(conversations={format_id(ADA): "said wrong"})

    assert story.holder(ADA) == contact
    assert story.conversations(contact) == {ADA}
    assert story.conversations(contact_id(ADA)) == set()
    [(_, identity)] = story.view.identities.under(b"")
    assert (identity.source, identity.source_conversation_id) == ("facebook", "ada")


def test_a_conversation_that_was_claimed_before_its_first_message_gets_no_other_contact(
    story: Story,
) -> None:
    contact = story.creates(conversations={format_id(ADA): "shop"})
    story.writes("ada")

    assert story.holder(ADA) == contact
    assert story.listed() == {contact}
    [(_, identity)] = story.view.identities.under(b"")
    assert (identity.source, identity.source_conversation_id) == ("facebook", "ada")


def test_a_conversation_that_is_taken_away_has_no_contact_until_the_next_message(
    story: Story,
) -> None:
    story.writes("ada")
    story.updates(contact_id(ADA), conversations={format_id(ADA): ""})

    assert story.holder(ADA) is None
    assert story.conversations(contact_id(ADA)) == set()

    story.writes("ada", "m2")
    assert story.holder(ADA) == contact_id(ADA)
    assert story.conversations(contact_id(ADA)) == {ADA}


def test_a_deleted_contact_is_made_anew_by_the_next_message(story: Story) -> None:
    story.writes("ada")
    story.updates(contact_id(ADA), title="Dr")
    answer = story.deletes(contact_id(ADA))

    assert (answer.status, answer.body) == (202, b"")
    assert (story.listed(), story.holder(ADA)) == (set(), None)
    assert story.view.identities.under(b"") == []

    story.writes("ada", "m2")
    assert story.contact(contact_id(ADA)).details is None
    assert story.holder(ADA) == contact_id(ADA)


def test_a_message_that_came_before_the_deletion_was_heard_of_counts_as_the_next(
    story: Story,
) -> None:
    story.writes("ada")
    contact = story.creates(conversations={format_id(ADA): "facebook"})
    carry_out(
        story.view, DeleteContact(id=story.id(), contact_id=format_id(contact)), b"", story.now
    )
    waiting = list(story.view.outgoing)
    story.view.outgoing.clear()
    story.writes("ada", "m2", sent_at=NOW + 1)
    story.view.outgoing.extend(waiting)
    story.hears()

    assert story.holder(ADA) == contact_id(ADA)


def test_a_contact_elsewhere_follows_its_conversation_until_it_is_named(story: Story) -> None:
    contact = story.creates(conversations={format_id(ADA): "facebook"})
    story.writes("ada")
    assert story.contact(contact).display_name == f"Facebook {format_id(ADA)[-5:]}"

    story.names("ada", display_name="Ada", avatar_url="https://a")
    found = story.contact(contact)
    assert (found.display_name, found.avatar_url, found.is_named) == ("Ada", "https://a", True)

    story.names("ada", display_name="Other", avatar_url="https://b")
    assert story.contact(contact) == found


def test_a_name_given_by_hand_is_not_overwritten(story: Story) -> None:
    story.writes("ada")
    story.updates(contact_id(ADA), display_name="By hand", avatar_url="https://hand")
    story.names("ada", display_name="Ada", avatar_url="https://a")
    found = story.contact(contact_id(ADA))

    assert (found.display_name, found.avatar_url) == ("By hand", "https://hand")


def test_a_new_contact_has_the_avatar_that_its_conversation_had_before(story: Story) -> None:
    story.names("ada", avatar_url="https://a")
    story.writes("ada")

    assert story.contact(contact_id(ADA)).avatar_url == "https://a"


def test_the_destination_of_a_merge_wins_and_its_gaps_are_filled(story: Story) -> None:
    source = story.creates(
        display_name="Source",
        title="Dr",
        timezone=0,
        avatar_url="https://s",
        via={"phone": "1"},
        address={"city": "Paris", "country": "France"},
    )
    destination = story.creates(
        display_name="Destination", via={"email": "d"}, address={"city": "London"}
    )
    answer = story.merges(source, destination)
    told = shown(answer)

    assert (answer.status, told["id"]) == (200, format_id(destination))
    assert (told["display_name"], told["title"], told["timezone"]) == ("Destination", "Dr", 0)
    assert told["via"] == {"email": "d"}
    assert (told["address"]["city"], told["address"]["country"]) == ("London", "France")
    assert [each["avatar_url"] for each in told["merge_history"]] == ["https://s"]
    assert story.listed() == {destination}
    assert story.contact(source).merged_into == destination


def test_a_real_name_fills_the_place_of_one_that_is_shown_for_want_of_any(story: Story) -> None:
    story.writes("ada")
    source = story.creates(display_name="Ada")
    before = story.contact(contact_id(ADA))
    story.merges(source, before.id)
    assert story.contact(before.id).display_name == "Ada"

    story.parts(source, before.id)
    after = story.contact(before.id)
    assert (after.display_name, after.is_named) == (before.display_name, False)


def test_a_merge_brings_conversations_along(story: Story) -> None:
    story.writes("ada")
    story.writes("bob")
    story.merges(contact_id(ADA), contact_id(BOB))

    assert story.holder(ADA) == story.holder(BOB) == contact_id(BOB)
    assert story.conversations(contact_id(BOB)) == {ADA, BOB}
    assert story.conversations(contact_id(ADA)) == set()


def test_a_contact_is_not_merged_into_itself(story: Story) -> None:
    contact = story.creates()

    assert story.merges(contact, contact).status == 400


def test_histories_are_those_of_both_and_then_the_source(story: Story) -> None:
    one, two, three, four = (story.creates(title=each) for each in "1234")
    story.merges(one, two)
    story.merges(three, four)
    told = shown(story.merges(two, four))

    assert [each["title"] for each in told["merge_history"]] == ["3", "1", "2"]


def test_who_is_parted_takes_back_conversations_history_and_what_it_gave(story: Story) -> None:
    story.writes("ada")
    story.writes("bob")
    first = story.creates(gender="female")
    source, destination = contact_id(ADA), contact_id(BOB)
    story.updates(source, title="Dr", locale="en")
    story.merges(first, source)
    before, kept = story.contact(source), story.contact(destination)
    story.merges(source, destination)
    story.updates(destination, locale="de")
    answer = story.parts(source, destination)
    left = story.contact(destination)

    assert answer.status == 200
    assert shown(answer)["conversations"] == {format_id(ADA): "facebook"}
    assert story.contact(source) == before
    assert story.conversations(source) == {ADA}
    assert story.conversations(destination) == {BOB}
    assert story.holder(ADA) == source
    assert [entry.source.id for _, entry in story.view.merges.under(b"")] == [first]
    assert [key[:16] for key, _ in story.view.merges.under(b"")] == [source]
    assert left.details is not None
    assert (left.details.title, left.details.gender, left.details.locale) == (None, None, "de")
    assert (left.display_name, left.avatar_url) == (kept.display_name, kept.avatar_url)


def test_what_was_never_merged_cannot_be_parted(story: Story) -> None:
    one, other = story.creates(), story.creates()

    assert story.parts(one, other).status == 404


def test_a_redirect_goes_on_leading_where_it_leads(story: Story) -> None:
    """Also when the conversation that first showed the contact needs another one."""
    story.writes("ada")
    other = story.creates()
    story.merges(contact_id(ADA), other)
    story.updates(other, conversations={format_id(ADA): ""})
    story.writes("ada", "m2")
    holder = story.holder(ADA)

    assert holder not in (None, other, contact_id(ADA))
    assert story.contact(contact_id(ADA)).merged_into == other


def test_what_changed_while_a_merge_was_on_its_way_comes_along(story: Story) -> None:
    source, destination = story.creates(title="Dr"), story.creates()
    snapshot = merges.snapshot(story.view, story.contact(source))
    story.updates(source, locale="en", conversations={format_id(ADA): "shop"})
    told = {"id": story.id(), "destination_id": format_id(destination)}
    story.does(MergeContacts(**told, source=snapshot))
    details = story.contact(destination).details

    assert details is not None
    assert (details.title, details.locale) == ("Dr", "en")
    assert story.holder(ADA) == destination
    story.parts(source, destination)
    assert story.holder(ADA) == source
    parted = story.contact(destination)
    assert parted.details is None


def test_merges_in_a_circle_end_with_one_contact(story: Story) -> None:
    """Each was asked for by somebody who did not know of the others."""
    contacts = [story.creates(title=each) for each in "abc"]
    snapshots = [merges.snapshot(story.view, story.contact(each)) for each in contacts]
    for index, snapshot in enumerate(snapshots):
        destination = contacts[(index + 1) % 3]
        told = {"id": story.id(), "destination_id": format_id(destination)}
        carry_out(story.view, MergeContacts(**told, source=snapshot), b"", story.now)
        story.view.begin(story.view.position + 1)
    story.hears()

    assert story.listed() == {min(contacts)}


def test_nobody_gets_more_conversations_or_merges_than_can_be_told_of(
    story: Story, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(model, "CONVERSATIONS_MAX", 2)
    monkeypatch.setattr(model, "MERGES_MAX", 1)
    three = {format_id(builders.conversation_id(each)): "shop" for each in "abc"}
    two = dict(list(three.items())[:2])
    contact, other = story.creates(conversations=two), story.creates()
    one_more = story.creates(conversations=dict(list(three.items())[2:]))
    command = CreateContact(id=story.id(), fields=ContactFields(conversations=three))

    assert story.does(command).status == 400
    assert story.updates(contact, conversations=three).status == 400
    assert story.updates(contact, conversations=two).status == 202
    assert story.merges(one_more, contact).status == 400
    assert story.merges(other, contact).status == 200
    assert story.merges(story.creates(), contact).status == 400
