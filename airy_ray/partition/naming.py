"""Which ids a record names."""

from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import msgspec

from airy_ray.model import commands
from airy_ray.model.commands import (
    AnyCommand,
    CreateContact,
    EraseContact,
    MergeContacts,
    UpdateContact,
)
from airy_ray.model.commands.contacts import ContactCommand
from airy_ray.model.contact_events import ContactEvent
from airy_ray.model.events import ConversationsErased, ErasureDue, RetentionDue
from airy_ray.model.ids import ID_BYTES, parse_id
from airy_ray.partition.fold import Understood

_ABOUT_PEOPLE = (
    ContactCommand | EraseContact | ContactEvent | ConversationsErased | ErasureDue | RetentionDue
)


def ids_of(understood: Understood) -> Iterator[bytes]:
    """Yield the ids of what a record is about, as far as it could be understood."""
    command = understood.command
    if command is not None:
        yield from _ids_in_command(command)
    for event in understood.events:
        yield from ids_in(event)


def is_about_people(understood: Understood) -> bool:
    """Whether a record may tell whose a conversation is, that two people are one, or none."""
    told = (understood.command, *understood.events)
    return any(isinstance(each, _ABOUT_PEOPLE) for each in told)


def ids_in(value: Any) -> Iterator[bytes]:
    """Yield the ids in an event, or in a part of one."""
    if isinstance(value, bytes):
        if len(value) == ID_BYTES:
            yield value
    elif isinstance(value, msgspec.Struct):
        for name in value.__struct_fields__:
            yield from ids_in(getattr(value, name))
    elif isinstance(value, tuple | list):
        for each in value:
            yield from ids_in(each)


def _ids_in_command(command: AnyCommand) -> Iterator[bytes]:
    yield from commands.subjects(command)
    match command:
        case MergeContacts(source=source):
            yield from ids_in(source)
        case CreateContact(fields=fields) | UpdateContact(fields=fields):
            for conversation in fields.conversations:
                with suppress(ValueError):
                    yield parse_id(conversation)
        case EraseContact(contact_ids=contacts, conversation_ids=conversations):
            yield from map(parse_id, (*contacts, *conversations))
