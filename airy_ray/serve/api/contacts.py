"""`contacts.*` (contract: platform API §7.8), and `contacts.unmerge`, which is ours.

The id of a contact that was merged leads to the one that took it over. Answers come once what was
done can be read everywhere: by contact and by conversation.
"""

import asyncio
import os
from collections.abc import Mapping
from hashlib import blake2b

import msgspec
from pydantic import Field, RootModel

from airy_ray.errors import RequestError
from airy_ray.model import commands, contact, json_text
from airy_ray.model.commands import ContactFields
from airy_ray.model.contact import Snapshot
from airy_ray.model.ids import ContactId, ConversationId, format_id, parse_id
from airy_ray.projections import keys
from airy_ray.serve.api import examples, shapes
from airy_ray.serve.api.endpoint import Body, Endpoint, Id, OptionalId, OptionalText
from airy_ray.serve.api.examples import example
from airy_ray.serve.api.messages import message_page
from airy_ray.serve.api.paging import items, page, size_of
from airy_ray.serve.api.platform import Caller, Platform
from airy_ray.serve.http import Response

_NOT_FOUND = "Contact not found"
_MERGES_TRIED_MAX = 3
"""How often a merge is tried into a contact that is merged itself meanwhile."""

_HOURS = Field(None, ge=-(2**31), lt=2**31, description="Relative to GMT.")


class Address(Body):
    """Where a contact lives."""

    organization_name: str | None = None
    address_line1: str | None = None
    address_line2: str | None = None
    postal_code: str | None = None
    city: str | None = None
    state: str | None = None
    country: str | None = None


class NewContact(Body):
    """What is known of a person."""

    model_config = example(examples.NEW_CONTACT)
    display_name: str | None = None
    avatar_url: str | None = None
    title: str | None = None
    gender: str | None = None
    timezone: int | None = _HOURS
    locale: str | None = None
    organization_name: str | None = None
    via: dict[str, str | None] | None = Field(None, description="Such as `phone` and `email`.")
    address: Address | None = None
    conversations: dict[Id, str | None] | None = Field(None, description="Id to source.")
    metadata: object = Field(None, description="Any JSON.")


class ChangedContact(NewContact):
    """What is to be different of a contact; null or absent stays, an empty text deletes."""

    model_config = example(
        id=examples.CONTACT_ID, via={"phone": "+442079460000"}, address={"city": ""}
    )
    id: Id


class NewContacts(RootModel[list[NewContact]]):
    """Many contacts."""

    model_config = example([examples.NEW_CONTACT])


class ListContacts(Body):
    """Which page of contacts."""

    model_config = example(page_size=50)
    cursor: OptionalText = Field(None, description="`next_cursor` of the page before.")
    page_size: int | None = 20


class WhichContact(Body):
    """Which contact: by its id, or by one of its conversations."""

    model_config = example(conversation_id=examples.CONVERSATION_ID)
    id: OptionalId = None
    conversation_id: OptionalId = None


class OneContact(Body):
    """Which contact."""

    model_config = example(id=examples.CONTACT_ID)
    id: Id


class TwoContacts(Body):
    """Which two contacts: `source_id` is taken over by `destination_id`."""

    model_config = example(source_id=examples.OTHER_CONTACT_ID, destination_id=examples.CONTACT_ID)
    source_id: Id
    destination_id: Id


class RecentMessages(Body):
    """Which messages of a contact."""

    model_config = example(contact_id=examples.CONTACT_ID, page_size=10)
    contact_id: Id
    include_sources: list[str] | None = Field(None, description="Of these sources only, if any.")
    page_size: int | None = 20
    cursors: dict[Id, str | None] | None = Field(
        None, description="Conversation id to `next_cursor` of its page before."
    )


async def create(platform: Platform, caller: Caller, asked: NewContact) -> Response:
    """Make a contact. Conversations that it names become its own, whoever had them."""
    given = json_text.decode_with(_one_decoder, caller.body)
    return await _create(platform, caller, asked, given, "")


async def import_contacts(platform: Platform, caller: Caller, asked: NewContacts) -> Response:
    """Make many contacts, each as `contacts.create` does.

    All are checked before the first is made. With an `Idempotency-Key` the request may be repeated
    if its answer did not come: what was made is not made twice.
    """
    count_max = platform.settings.limits.import_contacts
    if len(asked.root) > count_max:
        raise RequestError(400, f"at most {count_max} contacts at once")
    given = json_text.decode_with(_many_decoder, caller.body)
    made = await asyncio.gather(
        *(
            _create(platform, caller, each, given[index], str(index))
            for index, each in enumerate(asked.root)
        )
    )
    return msgspec.structs.replace(items([response.body for response in made]), status=201)


async def list_contacts(platform: Platform, _: Caller, asked: ListContacts) -> Response:
    """Return a page of contacts, by name; those without one come last."""
    size = size_of(asked.page_size, limit=platform.settings.limits.page_size)
    total = await platform.partitions.contact_count()
    cursor = (asked.cursor or "").strip() if total > size else ""
    start = await _place(platform, cursor) if cursor else b""
    rows, following = await platform.partitions.contacts(start, size)
    before = await platform.partitions.contact_page_before(start, size) if cursor else None
    return page(
        [contact.rendered(row.contact, row.identities) for row in rows],
        previous=_cursor(before),
        following=_cursor(following),
        total=total,
    )


async def info(platform: Platform, _: Caller, asked: WhichContact) -> Response:
    """Return a contact; if both are given, `id` says which."""
    if asked.id is not None:
        found = await platform.partitions.contact(ContactId(asked.id))
    elif asked.conversation_id is not None:
        found = await platform.partitions.contact_of(ConversationId(asked.conversation_id))
    else:
        raise RequestError(400, "Either contact or conversation id must be provided")
    if found is None:
        raise RequestError(404, _NOT_FOUND)
    return Response(body=contact.rendered(found.contact, found.identities))


async def update(platform: Platform, caller: Caller, asked: ChangedContact) -> Response:
    """Change a contact. What is null or not given stays; an empty text deletes.

    `via` and `conversations` are changed key by key, `address` field by field.
    """
    identifier = (await _found(platform, asked.id)).contact.id
    command = commands.UpdateContact(
        **caller.signed(identifier),
        contact_id=format_id(identifier),
        fields=_fields(asked, json_text.decode_with(_one_decoder, caller.body)),
    )
    return await platform.carry_out_everywhere(command)


async def delete(platform: Platform, caller: Caller, asked: OneContact) -> Response:
    """Delete a contact. The next message in one of its conversations makes a new one.

    An id that only leads to the contact it was merged into deletes nothing.
    """
    command = commands.DeleteContact(**caller.signed(asked.id), contact_id=format_id(asked.id))
    return await platform.carry_out_everywhere(command)


async def merge(platform: Platform, caller: Caller, asked: TwoContacts) -> Response:
    """Merge a contact into another one, and show that with all whom it ever took over.

    What the destination says of itself stays; what it lacks comes from the source: fields, address
    field by field, `via` and `metadata` as a whole. The conversations of both are its own.
    """
    if asked.source_id == asked.destination_id:
        raise RequestError(400, "source_id and destination_id are the same")
    for _ in range(_MERGES_TRIED_MAX):
        source = await _found(platform, asked.source_id)
        destination = await _found(platform, asked.destination_id)
        identifier = destination.contact.id
        if source.contact.id == identifier:  # they are merged already
            return Response(body=_shown_with_history(destination))
        command = commands.MergeContacts(
            **caller.signed(identifier), destination_id=format_id(identifier), source=source
        )
        response = await platform.carry_out_everywhere(command)
        if response.status != 404:
            break
    return response


async def unmerge(platform: Platform, caller: Caller, asked: TwoContacts) -> Response:
    """Take a contact out of the one that it was merged into, and show it as it was before.

    Its conversations are its own again, and the other one loses what it had from it.
    """
    identifier = (await _found(platform, asked.destination_id)).contact.id
    command = commands.UnmergeContacts(
        **caller.signed(identifier),
        destination_id=format_id(identifier),
        source_id=format_id(asked.source_id),
    )
    return await platform.carry_out_everywhere(command)


async def recent_messages(platform: Platform, _: Caller, asked: RecentMessages) -> Response:
    """Return a page of messages of each of a contact's conversations, newest first."""
    found = await _found(platform, asked.contact_id)
    cursors = asked.cursors or {}
    shown = []
    for identifier, identity in found.identities:
        if asked.include_sources and identity.source not in asked.include_sources:
            continue
        conversation = await platform.partitions.conversation(identifier)
        messages = b"null"
        if conversation is not None:
            cursor = cursors.get(identifier)
            messages = (
                await message_page(
                    platform, conversation, cursor, asked.page_size, with_metadata=False
                )
            ).body
        shown.append(b'"%b":%b' % (format_id(identifier).encode(), messages))
    return Response(body=b"{%b}" % b",".join(shown))


class _Given(msgspec.Struct):
    """What is kept as it was written."""

    metadata: msgspec.Raw = msgspec.Raw(b"null")


_one_decoder = msgspec.json.Decoder(_Given)
_many_decoder = msgspec.json.Decoder(list[_Given])


async def _create(
    platform: Platform, caller: Caller, asked: NewContact, given: _Given, part: str
) -> Response:
    fields = _fields(asked, given)
    if caller.key is not None:
        near = blake2b(caller.seed(part), digest_size=2).digest()
    else:  # what it claims is then done at once, without other partitions
        near = next(map(parse_id, fields.conversations), os.urandom(2))
    command = commands.CreateContact(**caller.signed(near, part), fields=fields)
    return await platform.carry_out_everywhere(command)


def _fields(asked: NewContact, given: _Given) -> ContactFields:
    address = {} if asked.address is None else asked.address.model_dump()
    conversations = {
        format_id(identifier): source for identifier, source in (asked.conversations or {}).items()
    }
    return ContactFields(
        display_name=asked.display_name,
        avatar_url=asked.avatar_url,
        title=asked.title,
        gender=asked.gender,
        timezone=asked.timezone,
        locale=asked.locale,
        organization_name=asked.organization_name,
        via=_said(asked.via or {}),
        address=_said(address),
        conversations=_said(conversations),
        metadata=msgspec.Raw(json_text.compact(bytes(given.metadata))),
    )


def _said(values: Mapping[str, str | None]) -> dict[str, str]:
    return {key: value for key, value in values.items() if value is not None}


async def _found(platform: Platform, identifier: bytes) -> Snapshot:
    """Return a contact, or the one that it was merged into."""
    found = await platform.partitions.contact(ContactId(identifier))
    if found is None:
        raise RequestError(404, _NOT_FOUND)
    return found


async def _place(platform: Platform, cursor: str) -> bytes:
    """Return the place in the list of the contact that a page begins with."""
    try:
        found = await platform.partitions.contact(ContactId(parse_id(cursor)))
    except ValueError:
        found = None
    if found is None:
        raise RequestError(400, "cursor: no contact")
    return keys.contact_name(found.contact.display_name, found.contact.id)


def _cursor(key: bytes | None) -> str | None:
    return None if key is None else format_id(keys.named_contact(key))


def _shown_with_history(whole: Snapshot) -> bytes:
    return contact.rendered(whole.contact, whole.identities, whole.history)


ENDPOINTS = [
    Endpoint("/contacts.create", create, NewContact, "Make a contact", shapes.Contact, 201),
    Endpoint(
        "/contacts.import",
        import_contacts,
        NewContacts,
        "Make many contacts",
        shapes.Items[shapes.Contact],
        201,
    ),
    Endpoint(
        "/contacts.list",
        list_contacts,
        ListContacts,
        "List contacts",
        shapes.Page[shapes.Contact],
        may_be_empty=True,
    ),
    Endpoint(
        "/contacts.info",
        info,
        WhichContact,
        "Get a contact",
        shapes.Contact,
        failures=(404,),
    ),
    Endpoint(
        "/contacts.update",
        update,
        ChangedContact,
        "Change a contact",
        status=202,
        failures=(404,),
    ),
    Endpoint(
        "/contacts.delete",
        delete,
        OneContact,
        "Delete a contact",
        status=202,
        failures=(404,),
    ),
    Endpoint(
        "/contacts.merge",
        merge,
        TwoContacts,
        "Merge a contact into another",
        shapes.MergedContact,
        failures=(404,),
    ),
    Endpoint(
        "/contacts.unmerge",
        unmerge,
        TwoContacts,
        "Part contacts that were merged",
        shapes.Contact,
        examples={200: examples.OTHER_CONTACT},
        failures=(404,),
    ),
    Endpoint(
        "/contacts.recent-messages",
        recent_messages,
        RecentMessages,
        "List messages of a contact's conversations",
        shapes.MessagesByConversation,
        failures=(404,),
    ),
]
