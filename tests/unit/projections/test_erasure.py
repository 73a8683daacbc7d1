"""Forgetting in the projections: rows, tombstones, late events."""

from typing import Any

import pytest

from airy_ray.clock import Millis
from airy_ray.model.commands import EraseContact
from airy_ray.model.events import ConversationsErased, ErasureDue, Event, RetentionDue
from airy_ray.model.ids import ContactId, contact_id, format_id
from airy_ray.projections.commands import carry_out
from airy_ray.projections.erasure import SWEEP_MS
from airy_ray.projections.project import project
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
    assert format_id(ADA).encode() in view.changes[-1].event


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


def test_retention_of_what_is_gone_already_leaves_the_same_tombstone() -> None:
    whole = folded(message_received("m1"), retention(builders.ADA, before=NOW))
    rest = MemoryView()
    rest.begin(1)
    folded(retention(builders.ADA, before=NOW), onto=rest)

    assert whole.rows()["tombstones"] == rest.rows()["tombstones"]
    assert whole.rows()["erasures"] == rest.rows()["erasures"]


def _people(view: Any) -> set[str]:
    return {row.source_conversation_id for _, row in view.conversations.under(b"")}
