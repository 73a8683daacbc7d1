"""Commands about contacts: carried out by the partition of the contact."""

import msgspec

from airy_ray.model.commands.base import Command
from airy_ray.model.contact import Snapshot


class ContactFields(msgspec.Struct, frozen=True, gc=False, kw_only=True, omit_defaults=True):
    """What is said of a contact; None says nothing, an empty text takes away.

    Attributes:
        address: of `model.contact.ADDRESS_FIELDS`.
        conversations: id to source.
        metadata: any JSON but null.
    """

    display_name: str | None = None
    avatar_url: str | None = None
    title: str | None = None
    gender: str | None = None
    timezone: int | None = None
    locale: str | None = None
    organization_name: str | None = None
    via: dict[str, str] = {}
    address: dict[str, str] = {}
    conversations: dict[str, str] = {}
    metadata: msgspec.Raw = msgspec.Raw(b"null")


class CreateContact(Command, frozen=True, kw_only=True, tag="contacts.create"):
    """A contact is to be had."""

    fields: ContactFields


class UpdateContact(Command, frozen=True, kw_only=True, tag="contacts.update"):
    """A contact is to be changed; what is not said stays."""

    contact_id: str
    fields: ContactFields


class DeleteContact(Command, frozen=True, kw_only=True, tag="contacts.delete"):
    """A contact is to be had no more; its conversations stay."""

    contact_id: str


class MergeContacts(Command, frozen=True, kw_only=True, tag="contacts.merge"):
    """A contact, here whole as the caller found it, is the same person as another one."""

    destination_id: str
    source: Snapshot


class UnmergeContacts(Command, frozen=True, kw_only=True, tag="contacts.unmerge"):
    """A contact that was taken over is another person after all."""

    destination_id: str
    source_id: str


ContactCommand = CreateContact | UpdateContact | DeleteContact | MergeContacts | UnmergeContacts
