"""`contacts.erase`: a person is forgotten; and how far that is."""

from typing import Literal
from uuid import UUID

from airy_ray.errors import RequestError
from airy_ray.model import json_text
from airy_ray.model.commands import EraseContact
from airy_ray.model.ids import ContactId, format_id
from airy_ray.serve.api.endpoint import Body, Endpoint, Id
from airy_ray.serve.api.platform import Caller, Platform
from airy_ray.serve.api.shapes import Shape
from airy_ray.serve.http import Response

_NOT_FOUND = RequestError(404, "Contact not found")


class OneContact(Body):
    """Which contact."""

    id: Id


class Erasure(Shape):
    """How far an erasure is."""

    id: UUID
    state: Literal["pending", "done"]
    """Done once no file of the data directory holds anything of the person."""
    partitions: dict[str, Literal["pending", "done"]]


async def erase(platform: Platform, caller: Caller, asked: OneContact) -> Response:
    """Have a contact forgotten, with all conversations; again, tell how far that is."""
    contact = ContactId(asked.id)
    conversations = await platform.partitions.person(contact)
    if conversations is not None:
        command = EraseContact(
            **caller.signed(contact),
            contact_ids=(format_id(contact),),
            conversation_ids=tuple(format_id(each) for each in conversations),
        )
        answer = await platform.carry_out(command)
        if answer.status != 200:
            return answer
    return await _told(platform, contact)


async def erasure_status(platform: Platform, _: Caller, asked: OneContact) -> Response:
    """Tell how far the erasure of a contact is."""
    return await _told(platform, ContactId(asked.id))


async def _told(platform: Platform, contact: ContactId) -> Response:
    erased = await platform.partitions.erasures(contact)
    if erased is None:
        raise _NOT_FOUND
    is_done = all(erased.values())
    told = {
        "id": format_id(contact),
        "state": _state(is_done),
        "partitions": {f"{index:02}": _state(each) for index, each in erased.items()},
    }
    return Response(200, json_text.encode(told))


def _state(is_done: bool) -> str:
    return "done" if is_done else "pending"


ENDPOINTS = [
    Endpoint(
        "/contacts.erase",
        erase,
        OneContact,
        "Forget a person: contact, conversations, messages, in all files",
        Erasure,
        failures=(404,),
    ),
    Endpoint(
        "/contacts.erasure-status",
        erasure_status,
        OneContact,
        "Tell how far the erasure of a contact is",
        Erasure,
        failures=(404,),
    ),
]
