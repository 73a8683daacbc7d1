"""Forgetting in the projections: rows, tombstones, late events."""

import json
from typing import Any

import msgspec
import pytest

from airy_ray.clock import Millis
from airy_ray.model.commands import (
    AnyCommand,
    ContactFields,
    CreateContact,
    EraseContact,
    MergeContacts,
    SettleFiles,
)
from airy_ray.model.contact import Identity
from airy_ray.model.contact_events import ConversationClaimed, ConversationGranted
from airy_ray.model.events import (
    BotAsked,
    ConversationsErased,
    DialogueKept,
    ErasureDue,
    Event,
    MessageReceived,
    RetentionDue,
)
from airy_ray.model.ids import CommandId, ContactId, contact_id, derived_id, format_id
from airy_ray.partition.fold import decode_event
from airy_ray.projections import keys, merges
from airy_ray.projections.commands import carry_out
from airy_ray.projections.project import project
from airy_ray.projections.tombstones import SWEEP_MS
from airy_ray.projections.view import Outgoing
from tests import builders
from tests.builders import (
    NOW,
    conversation_described,
    conversation_read,
    echo_received,
    message_delivered,
    message_received,
    message_sent,
    reaction_changed,
    receipt_received,
)
from tests.fakes import MemoryView, folded

ADA = builders.conversation_id()
M1 = builders.message_id()
CONTACT = contact_id(ADA)
ERASED_AT = Millis(NOW + 1_000)
KEPT = {"tombstones", "erasures"}

LIVES: list[list[Event]] = [
    [message_received()],
    [message_received(), message_received("m2", sent_at=NOW + 1), conversation_read(at=NOW + 1)],
    [message_received(), message_sent(), message_delivered()],
    [message_received(), conversation_described({"contact.display_name": b'"Ada"'})],
    [message_received(), reaction_changed("!", at=NOW), echo_received()],
    [message_received(), message_sent(), receipt_received("seen", up_to=NOW + 5)],
    [message_received(), BotAsked(M1, ADA, "rasa", 1), DialogueKept(ADA, "rasa", b"{}")],
]


def erased(*contacts: str, at: int = ERASED_AT, is_whole: bool = True) -> ConversationsErased:
    conversations = tuple(builders.conversation_id(each) for each in contacts or (builders.ADA,))
    owners = tuple(contact_id(each) for each in conversations)
    return ConversationsErased(conversations, owners, Millis(at), is_whole)


@pytest.mark.parametrize("life", LIVES)
def test_an_erasure_leaves_a_tombstone_and_nothing_else(life: list[Event]) -> None:
    view = folded(*life, erased())

    assert set(view.rows()) == KEPT
    assert set(view.rows()["tombstones"]) == {ADA, CONTACT}


@pytest.mark.parametrize("life", LIVES)
def test_others_keep_their_rows(life: list[Event]) -> None:
    others = folded(message_received("b1", contact="bob"))
    both = folded(message_received("b1", contact="bob"), *life, erased())

    assert {name: rows for name, rows in both.rows().items() if name not in KEPT} == others.rows()


def test_an_erasure_is_told() -> None:
    view = folded(message_received(), erased())

    assert view.changes[-1].kind == "conversation.erased"
    assert json.loads(view.changes[-1].event)["payload"] == {
        "conversation_id": format_id(ADA),
        "channel_id": format_id(builders.place().channel_id),
    }


def test_a_second_erasure_as_of_the_same_instant_takes_nothing_of_what_began_since() -> None:
    anew = message_received("m9", sent_at=ERASED_AT + 1)
    view = folded(message_received(), erased(), anew)
    before = view.rows()["conversations"]
    folded(erased(), onto=view)

    assert view.rows()["conversations"] == before


LATE: list[Event] = [
    message_received("late", sent_at=ERASED_AT),
    builders.message_replaced("late", sent_at=ERASED_AT, at=ERASED_AT),
    reaction_changed("!", to="late", at=ERASED_AT),
    conversation_described({"contact.display_name": b'"Ada"'}),
]


@pytest.mark.parametrize("late", LATE)
def test_what_was_sent_before_an_erasure_and_comes_late_is_dropped(late: Event) -> None:
    view = folded(message_received(), erased())
    effect = project(view, late, Millis(ERASED_AT + 5))

    assert effect.verdict == "erased"
    assert set(view.rows()) == KEPT | {"timers"}


def test_what_comes_late_is_swept_once_an_hour() -> None:
    view = folded(erased())
    for after_ms in (1, 2, SWEEP_MS, SWEEP_MS + 1):
        project(view, message_received(sent_at=NOW), Millis(ERASED_AT + after_ms))
    due = [key[:8] for key, _ in view.timers.under(b"")]

    assert len(due) == 2


def test_a_sweep_tells_all_partitions() -> None:
    view = folded(erased(), ErasureDue(erased()))
    [outgoing] = view.outgoing

    assert (outgoing.slot, outgoing.kind) == (None, "forward")


def test_what_comes_late_is_dropped_too_when_the_conversation_has_begun_anew() -> None:
    view = folded(erased(), message_received("new", sent_at=ERASED_AT + 1))
    effect = project(view, message_received("late", sent_at=ERASED_AT), Millis(ERASED_AT + 5))

    assert effect.verdict == "erased"
    [(_, conversation)] = view.conversations.under(b"")
    assert (conversation.message_count, conversation.erased_at) == (1, ERASED_AT)


def test_who_writes_again_has_a_contact_again() -> None:
    view = folded(message_received(), erased(), message_received("new", sent_at=ERASED_AT + 1))

    assert view.contacts.get(CONTACT) is not None


def test_the_command_erases_at_once_and_tells_all_partitions() -> None:
    view = folded(message_received())
    command = EraseContact(
        id=format_id(builders.command_id()),
        contact_ids=(format_id(CONTACT),),
        conversation_ids=(format_id(ADA),),
    )
    effect = carry_out(view, command, b"asked", ERASED_AT)

    assert effect.verdict == "applied"
    assert set(view.rows()) == KEPT | {"requests"}
    assert [outgoing.slot for outgoing in view.outgoing] == [None]


def retention(*contacts: str, before: int) -> RetentionDue:
    conversations = [builders.conversation_id(each) for each in contacts]
    return RetentionDue(
        tuple((each, ContactId(contact_id(each))) for each in conversations), Millis(before)
    )


def test_retention_takes_what_is_as_old_as_was_thought() -> None:
    view = folded(
        message_received("m1", contact="old", sent_at=NOW),
        message_received("m2", contact="new", sent_at=NOW + 1),
        retention("old", "new", before=NOW),
    )

    assert _people(view) == {"new"}


def test_retention_of_what_is_gone_already_leaves_the_same_tombstones() -> None:
    whole = folded(message_received("m1"), retention(builders.ADA, before=NOW))
    rest = MemoryView()
    rest.begin(1)
    folded(retention(builders.ADA, before=NOW), onto=rest)
    for told in [told_of(outgoing) for outgoing in whole.outgoing]:
        for view in (whole, rest):
            folded(told, onto=view)
    buried = [{key: row.at for key, row in view.tombstones.under(b"")} for view in (whole, rest)]

    assert buried == [{ADA: NOW, CONTACT: NOW}] * 2
    assert whole.tombstones.get(ADA) == rest.tombstones.get(ADA)


def test_a_contact_stays_known_though_what_it_came_with_is_cut_out_of_the_log() -> None:
    whole = folded(message_received("m1"), message_received("b1", contact="bob", sent_at=NOW + 1))
    bob = builders.conversation_id("bob")
    folded(ConversationClaimed(bob, CONTACT, "facebook"), onto=whole)
    settle(whole)
    folded(retention(builders.ADA, before=NOW), onto=whole)
    kept = whole.contacts.get(CONTACT)
    rest = folded(message_received("b1", contact="bob", sent_at=NOW + 1))
    folded(ConversationClaimed(bob, CONTACT, "facebook"), onto=rest)
    rest.outgoing.clear()
    folded(retention(builders.ADA, before=NOW), onto=rest)
    folded(*[told_of(outgoing) for outgoing in whole.outgoing], onto=rest)

    assert kept is not None
    assert rest.contacts.get(CONTACT) == kept
    for view in (whole, rest):
        assert [key[16:] for key, _ in view.identities.under(CONTACT)] == [bob]


def test_retention_leaves_a_contact_in_another_partition_that_may_have_others() -> None:
    elsewhere = contact_id(builders.conversation_id("bob"))
    view = folded(message_received("m1"))
    view.contact_of.put(ADA, elsewhere)
    folded(RetentionDue(((ADA, elsewhere),), Millis(NOW)), onto=view)
    told = [told_of(outgoing) for outgoing in view.outgoing]
    other = folded(message_received("b1", contact="bob"), message_received("c1", contact="cat"))
    folded(ConversationClaimed(ADA, elsewhere, "facebook"), onto=other)
    other.identities.put(keys.identity(elsewhere, ADA), Identity("facebook", "ada"))
    folded(*told, onto=other)

    assert other.contacts.get(elsewhere) is not None
    assert [key[16:] for key, _ in other.identities.under(elsewhere)] == [
        builders.conversation_id("bob")
    ]


def create(name: str, *people: str) -> CreateContact:
    """Return the command that makes a contact who has conversations."""
    claimed = {format_id(builders.conversation_id(each)): "facebook" for each in people}
    return CreateContact(
        id=format_id(builders.command_id(name)),
        fields=ContactFields(display_name=name, title="Dr", conversations=claimed),
    )


def made(name: str) -> ContactId:
    return ContactId(derived_id(CommandId(builders.command_id(name)), "contact"))


def merged(view: MemoryView, source: ContactId, destination: ContactId) -> MergeContacts:
    present = view.contacts.get(source)
    assert present is not None
    return MergeContacts(
        id=format_id(builders.command_id("merge")),
        destination_id=format_id(destination),
        source=merges.snapshot(view, present),
    )


def with_commands(*told: AnyCommand, at: int = NOW, onto: MemoryView | None = None) -> MemoryView:
    """Return a view in which commands were carried out and all that they told is known."""
    view = MemoryView() if onto is None else onto
    for command in told:
        carry_out(view, command, b"asked", Millis(at))
        view.begin(view.position + 1)
    settle(view, at)
    return view


def settle(view: MemoryView, at: int = NOW) -> None:
    while view.outgoing:
        folded(told_of(view.outgoing.pop(0)), onto=view, at=at)


def two_who_are_one() -> MemoryView:
    view = folded(message_received("a1"), message_received("b1", contact="bob"))
    with_commands(create("Ada", "ada"), create("Bob", "bob"), onto=view)
    return with_commands(merged(view, made("Ada"), made("Bob")), onto=view)


@pytest.mark.parametrize("named", ["Ada", "Bob"])
def test_a_person_goes_with_all_who_were_merged(named: str) -> None:
    view = two_who_are_one()
    erased = ConversationsErased((), (made(named),), ERASED_AT, is_whole=True)
    folded(erased, onto=view, at=ERASED_AT)
    settle(view, ERASED_AT)

    assert set(view.rows()) == KEPT | {"requests"}
    assert {made("Ada"), made("Bob"), ADA, builders.conversation_id("bob")} <= set(
        view.rows()["tombstones"]
    )


def test_what_a_merge_brings_late_of_somebody_erased_is_dropped_and_swept() -> None:
    view = folded(message_received("a1"), message_received("b1", contact="bob"))
    with_commands(create("Ada", "ada"), create("Bob", "bob"), onto=view)
    late = merged(view, made("Ada"), made("Bob"))
    folded(ConversationsErased((ADA,), (made("Ada"),), ERASED_AT, is_whole=True), onto=view)
    offset = view.position
    with_commands(late, at=ERASED_AT + 1, onto=view)
    bob = view.contacts.get(made("Bob"))
    [tombstone] = [row for key, row in view.tombstones.under(made("Ada"))]

    assert bob is not None
    assert not view.merges.under(made("Bob"))
    assert (tombstone.late, tombstone.sweeps_at) == (offset + 1, ERASED_AT + 1 + SWEEP_MS)


def test_who_took_over_somebody_who_was_erased_meanwhile_goes_too() -> None:
    view = folded(message_received("a1"), message_received("b1", contact="bob"))
    with_commands(create("Ada", "ada"), create("Bob", "bob"), onto=view)
    carry_out(view, merged(view, made("Ada"), made("Bob")), b"asked", Millis(NOW))
    folded(ConversationsErased((ADA,), (made("Ada"),), ERASED_AT, is_whole=True), onto=view)
    settle(view, ERASED_AT)

    assert not view.contacts.under(b"")
    assert not view.conversations.under(b"")


def test_a_late_grant_of_an_erased_conversation_is_dropped() -> None:
    view = folded(erased(), message_received("b1", contact="bob"))
    bob = contact_id(builders.conversation_id("bob"))
    granted = ConversationGranted(bob, ADA, "facebook", "ada", "", "Ada", None, Millis(NOW))
    folded(granted, onto=view, at=ERASED_AT)
    contact = view.contacts.get(bob)

    assert contact is not None
    assert contact.display_name != "Ada"
    assert view.identities.get(keys.identity(bob, ADA)) is None


NAME = "0b7e9a52-6f1d-8c3e-9a44-5d2f8e1c7b90.png"


def named_file() -> MessageReceived:
    link = json.dumps({"text": "", "url": f"https://cdn.example.org/media/{NAME}"}).encode()
    told = message_received("m1")
    message = msgspec.structs.replace(told.message, content=link)
    return msgspec.structs.replace(told, message=message)


def test_files_of_erased_messages_are_left_to_be_looked_after() -> None:
    view = folded(named_file(), erased())
    settle(view)
    [(name, offset)] = view.left_files.under(b"")
    command = SettleFiles(id=format_id(builders.command_id("files")), files={NAME: 0})
    again = with_commands(command, onto=view)

    assert name.decode() == NAME
    assert again.left_files.under(b"") == [(name, offset)]  # it was left at another offset
    left_at = int.from_bytes(offset, "big")
    settled = msgspec.structs.replace(
        command, id=format_id(builders.command_id("more")), files={NAME: left_at}
    )
    assert not with_commands(settled, onto=view).left_files.under(b"")


def _people(view: Any) -> set[str]:
    return {row.source_conversation_id for _, row in view.conversations.under(b"")}


def told_of(outgoing: Outgoing) -> Event:
    event: Event = decode_event(outgoing.body)
    return event
