"""`contacts.erase`: a person is forgotten; and how far that is."""

from airy_ray.errors import RequestError
from airy_ray.model import json_text
from airy_ray.model.commands import EraseContact
from airy_ray.model.contact import taken_over
from airy_ray.model.ids import ContactId, format_id
from airy_ray.serve.api import shapes
from airy_ray.serve.api.contacts import OneContact
from airy_ray.serve.api.endpoint import Endpoint
from airy_ray.serve.api.platform import Caller, Platform
from airy_ray.serve.http import Response


async def erase(platform: Platform, caller: Caller, asked: OneContact) -> Response:
    """Forget a person: the contact, those merged into it, all conversations and messages.

    They are gone from all answers at once, and from all files a while later. Asked again, it tells
    how far that is. There is no way back.
    """
    asked_for = ContactId(asked.id)
    found = await platform.partitions.contact(asked_for)
    if found is not None:
        contact = found.contact.id
        contacts = dict.fromkeys((contact, asked_for, *taken_over(found)))
        command = EraseContact(
            **caller.signed(contact),
            contact_ids=tuple(format_id(each) for each in contacts),
            conversation_ids=tuple(format_id(each) for each, _ in found.identities),
        )
        answer = await platform.carry_out_everywhere(command)
        if answer.status != 200:
            return answer
    return await _told(platform, asked_for)


async def erasure_status(platform: Platform, _: Caller, asked: OneContact) -> Response:
    """Tell how far the erasure of a contact is."""
    return await _told(platform, ContactId(asked.id))


async def _told(platform: Platform, contact: ContactId) -> Response:
    erased = await platform.partitions.erasures(contact)
    if erased is None:
        raise RequestError(404, "Contact not found")
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
        shapes.Erasure,
        failures=(404,),
    ),
    Endpoint(
        "/contacts.erasure-status",
        erasure_status,
        OneContact,
        "Tell how far the erasure of a contact is",
        shapes.Erasure,
        failures=(404,),
    ),
]
