"""What goes of records about contacts: what holds a person, never what others go by."""

from typing import Any

import msgspec
import pytest

from airy_ray.clock import Micros, Millis
from airy_ray.model import commands
from airy_ray.model.commands import AnyCommand, ContactFields
from airy_ray.model.contact import Contact, Identity, Merge, Snapshot
from airy_ray.model.contact_events import (
    ContactEvent,
    ContactKept,
    ContactMerged,
    ContactRestored,
    ConversationClaimed,
    ConversationGranted,
    ConversationLeft,
    ConversationLost,
    ConversationPassed,
    LoopFound,
    MergeFollowed,
)
from airy_ray.model.ids import CommandId, ContactId, contact_id, derived_id, format_id
from airy_ray.partition.fold import body_of_erased, decode_event, encode_event
from airy_ray.partition.forgetting import Forgotten
from airy_ray.projections.view import AuditEntry, Erasure
from airy_ray.rawlog.record import Record, payload_id
from tests import builders
from tests.builders import NOW

EVAS, BOBS = builders.conversation_id("eva"), builders.conversation_id("bob")
EVA, BOB, CY = (contact_id(builders.conversation_id(each)) for each in ("eva", "bob", "cy"))
OFFSET = 50
SECRET = "Not to be known"
ERASURE = Erasure(((EVAS, OFFSET),), (EVA,), Millis(NOW), Millis(NOW))


def snapshot(contact: ContactId, *history: ContactId) -> Snapshot:
    taken = tuple(Merge(Contact(each, SECRET, Millis(NOW)), contact) for each in history)
    identities = ((EVAS, Identity("facebook", "eva")), (BOBS, Identity("facebook", "bob")))
    return Snapshot(Contact(contact, SECRET, Millis(NOW)), identities, taken)


def told(event: ContactEvent) -> Record:
    body = encode_event(event)
    return Record(Micros(NOW * 1_000), "forward", "contacts", body, payload_id(body))


def cut(record: Record, offset: int = 1) -> Record | None:
    return Forgotten([(OFFSET, ERASURE)]).cut(offset, record)


IDS_ONLY: list[ContactEvent] = [
    ConversationClaimed(EVAS, EVA, "facebook"),
    ConversationPassed(EVAS, EVA, BOB),
    ConversationLeft(EVAS, EVA, Millis(NOW)),
    ConversationLost(EVA, EVAS),
    ContactMerged(EVA, BOB),
    LoopFound(EVA, BOB),
]


@pytest.mark.parametrize("event", IDS_ONLY, ids=lambda each: type(each).__name__)
def test_what_holds_ids_only_stays(event: ContactEvent) -> None:
    assert cut(told(event)) is None


WITH_A_PERSON: list[ContactEvent] = [
    ConversationGranted(EVA, BOBS, "facebook", "bob", "x", "Bob", None),
    ConversationGranted(BOB, EVAS, "facebook", "eva", "x", "Eva", None),
    MergeFollowed(BOB, (EVA,), snapshot(EVA)),
    ContactRestored(BOB, snapshot(EVA)),
    ContactKept(snapshot(EVA)),
]


@pytest.mark.parametrize("event", WITH_A_PERSON, ids=lambda each: type(each).__name__)
def test_of_what_holds_the_person_ids_stay(event: ContactEvent) -> None:
    left = cut(told(event))
    assert left is not None

    assert type(decode_event(left.body)) is type(event)
    for said in (b"eva", b"Eva", b"bob", b"Bob", SECRET.encode()):
        assert said not in left.body
    assert cut(left) is None


@pytest.mark.parametrize("event", WITH_A_PERSON, ids=lambda each: type(each).__name__)
def test_what_came_after_the_erasure_stays(event: ContactEvent) -> None:
    assert cut(told(event), OFFSET) is None


@pytest.mark.parametrize(
    ("event", "field"),
    [
        (MergeFollowed(CY, (BOB,), snapshot(BOB, EVA, CY)), "merged"),
        (ContactRestored(EVA, snapshot(BOB, EVA, CY)), "restored"),
        (ContactKept(snapshot(BOB, EVA, CY)), "kept"),
    ],
)
def test_somebody_else_keeps_all_but_what_is_said_of_the_person(
    event: ContactEvent, field: str
) -> None:
    left = cut(told(event))
    assert left is not None
    whole: Any = getattr(decode_event(left.body), field)
    before = snapshot(BOB, EVA, CY)

    assert whole.contact == before.contact
    assert whole.identities == ((EVAS, Identity("facebook", None)), before.identities[1])
    assert [entry.source.id for entry in whole.history] == [EVA, CY]
    assert [entry.source.display_name for entry in whole.history] == [None, SECRET]


def command(told: AnyCommand) -> Record:
    return builders.command_record(told, at=NOW)


def test_of_commands_about_the_person_ids_stay() -> None:
    made = builders.command_id("create")
    person = ContactId(derived_id(CommandId(made), "contact"))
    erasure = msgspec.structs.replace(ERASURE, contacts=(person,))
    identifier = format_id(builders.command_id("x"))
    claimed = {format_id(BOBS): "facebook"}
    fields = ContactFields(title=SECRET, via={"phone": SECRET}, conversations=claimed)
    about: list[AnyCommand] = [
        commands.CreateContact(id=format_id(made), fields=fields),
        commands.UpdateContact(id=identifier, contact_id=format_id(person), fields=fields),
        commands.MergeContacts(
            id=identifier, destination_id=format_id(BOB), source=snapshot(person)
        ),
    ]
    forgotten = Forgotten([(OFFSET, erasure)])

    for each in about:
        left = forgotten.cut(1, command(each))
        assert left is not None
        again = commands.decode(left.body)
        assert (type(again), again.id) == (type(each), each.id)
        assert SECRET.encode() not in left.body
        if not isinstance(again, commands.MergeContacts):
            assert again.fields == ContactFields(conversations=claimed)


def test_a_merge_of_others_keeps_them() -> None:
    merge = commands.MergeContacts(
        id=format_id(builders.command_id()),
        destination_id=format_id(CY),
        source=snapshot(BOB, EVA),
    )
    left = cut(command(merge))
    assert left is not None
    again = commands.decode(left.body)
    assert isinstance(again, commands.MergeContacts)
    [entry] = again.source.history

    assert again.source.contact == merge.source.contact
    assert (entry.source.id, entry.source.display_name) == (EVA, None)
    assert cut(command(again)) is None


def test_an_erased_command_of_which_somebody_is_known_is_not_cut_again() -> None:
    entry = AuditEntry(Millis(NOW), "github:1", "contacts.update", format_id(EVA), 202)
    update = commands.UpdateContact(
        id=format_id(builders.command_id()), contact_id=format_id(EVA), fields=ContactFields()
    )
    record = msgspec.structs.replace(command(update), body=body_of_erased(entry))

    assert cut(record) is None


def test_an_export_tells_nothing_of_somebody_who_was_parted_from_the_person() -> None:
    person = Forgotten([(OFFSET, ERASURE)])

    assert person.said_of(told(ContactRestored(EVA, snapshot(BOB, EVA)))) is None
    assert person.said_of(told(ContactRestored(BOB, snapshot(EVA)))) is not None
