"""A contact: a person, known by one identity per conversation (contract: platform API §4.5)."""

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from airy_ray.clock import Millis
from airy_ray.model import json_text
from airy_ray.model.ids import ContactId, ConversationId, format_id

ADDRESS_FIELDS = (
    "organization_name",
    "address_line1",
    "address_line2",
    "postal_code",
    "city",
    "state",
    "country",
)

CONVERSATIONS_MAX = 10_000
"""How many conversations a contact may have: each may be a record for another partition."""
MERGES_MAX = 1_000
"""How many contacts one may have taken over: they go along when it is taken over itself."""


class Details(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """What only people tell of a contact; most contacts have none, and their rows stay small.

    Attributes:
        timezone: hours from GMT.
        via: ways to reach the person, such as `phone` and `email`.
        address: of `ADDRESS_FIELDS`, those that are known.
        metadata: JSON, any.
    """

    title: str | None = None
    gender: str | None = None
    timezone: int | None = None
    locale: str | None = None
    organization_name: str | None = None
    via: dict[str, str] = {}
    address: dict[str, str] = {}
    metadata: bytes | None = None


NO_DETAILS = Details()


class Contact(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """What is known of a person. Its identities are rows of their own, one per conversation.

    Attributes:
        is_named: whether `display_name` was given by somebody; if not, it follows the conversation.
        merged_into: the contact that took this one over; then this row is only a redirect, which
            keeps what the contact was.
    """

    id: ContactId
    display_name: str | None
    created_at: Millis
    is_named: bool = False
    updated_at: Millis | None = None
    avatar_url: str | None = None
    merged_into: ContactId | None = None
    details: Details | None = None


class Identity(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """One face of a contact: whom a source calls `source_conversation_id`, once we know it."""

    source: str
    source_conversation_id: str | None


Identities = tuple[tuple[ConversationId, Identity], ...]


class Merge(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """That a contact took another one over, and what it takes to part them again.

    Attributes:
        source: the other one as it was.
        into: who took it over; perhaps not the one that remembers it, but one merged into that.
        filled: what was taken from it; as in `told`.
        unnamed: the name that was shown before a real one was taken from it.
        conversations: those that came with it.
    """

    source: Contact
    into: ContactId
    filled: tuple[str, ...] = ()
    unnamed: str | None = None
    conversations: tuple[ConversationId, ...] = ()


class Snapshot(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """A contact whole: with its identities and with those whom it took over, oldest first."""

    contact: Contact
    identities: Identities = ()
    history: tuple[Merge, ...] = ()


def taken_over(whole: Snapshot) -> list[ContactId]:
    """Return the contacts that a contact took over, itself or through others."""
    found = (each for entry in whole.history for each in (entry.source.id, entry.into))
    return [each for each in dict.fromkeys(found) if each != whole.contact.id]


def told(contact: Contact) -> dict[str, Any]:
    """Return everything that can be known of a contact, flat; what is not known is None."""
    details = contact.details or NO_DETAILS
    return {
        "display_name": contact.display_name,
        "avatar_url": contact.avatar_url,
        "title": details.title,
        "gender": details.gender,
        "timezone": details.timezone,
        "locale": details.locale,
        "organization_name": details.organization_name,
        "via": details.via or None,
        "metadata": details.metadata,
    } | {f"address.{field}": details.address.get(field) for field in ADDRESS_FIELDS}


def with_told(contact: Contact, values: Mapping[str, Any]) -> Contact:
    """Return a contact with some of what `told` returns set otherwise."""
    present = contact.details or NO_DETAILS
    address = dict(present.address)
    plain: dict[str, Any] = {}
    for name, value in values.items():
        group, _, field = name.rpartition(".")
        if not group:
            plain[name] = value
        elif value is None:
            address.pop(field, None)
        else:
            address[field] = value
    name = plain.pop("display_name", contact.display_name)
    avatar_url = plain.pop("avatar_url", contact.avatar_url)
    if plain.get("via", present.via) is None:
        plain["via"] = {}
    details = msgspec.structs.replace(present, address=address, **plain)
    return msgspec.structs.replace(
        contact,
        display_name=name,
        avatar_url=avatar_url,
        details=None if details == NO_DETAILS else details,
    )


def rendered(
    contact: Contact,
    identities: Iterable[tuple[ConversationId, Identity]],
    history: Iterable[Merge] | None = None,
) -> bytes:
    """Return a contact as the API shows it; with `history`, also whom it took over."""
    shown = _shown(contact, identities)
    if history is not None:
        shown["merge_history"] = [_shown(each.source, ()) for each in history]
    return json_text.unshield(json_text.encode(shown))


def _shown(
    contact: Contact, identities: Iterable[tuple[ConversationId, Identity]]
) -> dict[str, Any]:
    details = contact.details or NO_DETAILS
    address = {field: details.address.get(field) for field in ADDRESS_FIELDS}
    return {
        "id": format_id(contact.id),
        "display_name": contact.display_name,
        "avatar_url": contact.avatar_url,
        "title": details.title,
        "gender": details.gender,
        "timezone": details.timezone,
        "locale": details.locale,
        "organization_name": details.organization_name,
        "via": details.via or None,
        "address": address if details.address else None,
        "conversations": {format_id(key): each.source for key, each in identities} or None,
        "metadata": None if details.metadata is None else msgspec.Raw(details.metadata),
        "created_at": contact.created_at,
        "updated_at": contact.updated_at,
    }
