"""The form of WhatsApp's webhooks: what a body tells of whom (contract: sources §3.2).

```
{"object": "whatsapp_business_account", "entry": [{"changes": [CHANGE, …]}]}
CHANGE  = {"field": "messages", "value": {
           "metadata": {"phone_number_id"},
           "contacts": [CONTACT, …], "messages": [MESSAGE, …], "statuses": [STATUS, …]}}
CONTACT = {"wa_id" and/or "user_id", "profile": {"name", "username"}}
MESSAGE = {"from" or "from_user_id", "id", "timestamp": "<s>", "type", <type>: {…}}
STATUS  = {"recipient_id" and/or "recipient_user_id", "id", "status", "timestamp": "<s>", "errors"}
```

A contact is known by the phone number or, if that is hidden, by an id that holds for one business
only; a body may tell, wherever in it, which number an id belongs to.
"""

from collections.abc import Callable, Iterator
from typing import Any

import msgspec

from airy_ray.errors import PayloadError
from airy_ray.model import json_text
from airy_ray.sources.json_parts import elements, scalar
from airy_ray.sources.source import Key, Linked, text_id

SOURCE = "whatsapp"
"""What its channels and conversations are of."""
WRAPPED = "whatsapp_business_api_data"
"""What some business partners wrap a value in."""

_OBJECT = "whatsapp_business_account"
_FIELD = "messages"
_ABSENT = msgspec.Raw()


class Message(msgspec.Struct, gc=False):
    """A message, with the phone number and the id of whom it is from."""

    number: Any = msgspec.field(default=None, name="from")
    known_as: Any = msgspec.field(default=None, name="from_user_id")
    id: Any = None
    timestamp: Any = None
    type: Any = None
    group_id: Any = None
    reaction: msgspec.Raw = _ABSENT
    edit: msgspec.Raw = _ABSENT
    revoke: msgspec.Raw = _ABSENT


class Status(msgspec.Struct, gc=False):
    """How far a message of ours has got, with the number and the id of whom it is to."""

    number: Any = msgspec.field(default=None, name="recipient_id")
    known_as: Any = msgspec.field(default=None, name="recipient_user_id")
    id: Any = None
    timestamp: Any = None
    status: Any = None
    errors: msgspec.Raw = _ABSENT


class Contact(msgspec.Struct, gc=False):
    """Who somebody is."""

    number: Any = msgspec.field(default=None, name="wa_id")
    known_as: Any = msgspec.field(default=None, name="user_id")
    timestamp: Any = None
    profile: msgspec.Raw = _ABSENT


Told = Message | Status | Contact


class _Profile(msgspec.Struct, gc=False):
    name: msgspec.Raw = _ABSENT
    username: msgspec.Raw = _ABSENT


class _Metadata(msgspec.Struct, gc=False):
    phone_number_id: msgspec.Raw = _ABSENT


class _Value(msgspec.Struct, gc=False):
    metadata: msgspec.Raw = _ABSENT
    phone_number_id: Any = None
    messages: msgspec.Raw = _ABSENT
    statuses: msgspec.Raw = _ABSENT
    contacts: msgspec.Raw = _ABSENT
    wrapped: msgspec.Raw = msgspec.field(default=_ABSENT, name=WRAPPED)


class _RawChange(msgspec.Struct, gc=False):
    field: Any = None
    value: msgspec.Raw = _ABSENT


class _Entry(msgspec.Struct, gc=False):
    changes: list[msgspec.Raw]


class _Body(msgspec.Struct, gc=False):
    object: Any = None
    entry: msgspec.Raw = _ABSENT


_decode_body = msgspec.json.Decoder(_Body).decode
_decode_entry = msgspec.json.Decoder(_Entry).decode
_decode_change = msgspec.json.Decoder(_RawChange).decode
_decode_value = msgspec.json.Decoder(_Value).decode
_decode_profile = msgspec.json.Decoder(_Profile).decode
_decode_metadata = msgspec.json.Decoder(_Metadata).decode
PARTS: dict[str, tuple[type[Told], Callable[[bytes], Told]]] = {
    "messages": (Message, msgspec.json.Decoder(Message).decode),
    "statuses": (Status, msgspec.json.Decoder(Status).decode),
    "contacts": (Contact, msgspec.json.Decoder(Contact).decode),
}
"""What a value tells of, in the order in which it is taken, and how each is read."""


Numbers = dict[tuple[str, str], str]
"""The phone numbers of contacts, by ours and by their ids there."""


class Change:
    """What is told of one of our phone numbers.

    Attributes:
        numbers: of contacts whose ids stand beside them; those of the whole body, once told.
    """

    def __init__(self, phone_number: str, value: _Value) -> None:
        self._phone_number = phone_number
        self._parts = [
            (text, part(kind, text))
            for kind in PARTS
            if (listed := getattr(value, kind)) is not _ABSENT
            for text in elements(listed) or ()
        ]
        self._own_numbers = self.numbers = self._found_numbers()

    def parts(self) -> list[tuple[bytes, Told]]:
        """Return the messages, then the statuses, then the contacts, each with its text."""
        return self._parts

    def keys(self, told: Told) -> list[Key]:
        """Return the conversations that a part may belong to, the likelier one first.

        That is one, but for statuses: the message was sent to the number, or to the id.
        """
        number, known_as = text_id(told.number), text_id(told.known_as)
        if known_as is None:
            return [] if number is None else [self._key(number)]
        linked = self.numbers.get((self._phone_number, known_as))
        contacts = [each for each in (number, linked, known_as) if each is not None]
        found = [self._key(each) for each in dict.fromkeys(contacts)]
        return found if isinstance(told, Status) else found[:1]

    def links(self) -> list[Linked]:
        """Return which contacts are known by id and by number, as is told here."""
        return [
            Linked(self._key(known_as), number)
            for (_, known_as), number in self._own_numbers.items()
        ]

    def _key(self, contact: str) -> Key:
        return Key(SOURCE, self._phone_number, contact)

    def _found_numbers(self) -> Numbers:
        found = {}
        for _, told in self._parts:
            if told.number is not None and told.known_as is not None:
                number, known_as = text_id(told.number), text_id(told.known_as)
                if number is not None and known_as is not None:
                    found[self._phone_number, known_as] = number
        return found


def part(kind: str, text: bytes) -> Told:
    """Return a part; one that cannot be read tells nothing."""
    empty, decode = PARTS[kind]
    try:
        return decode(text)
    except (msgspec.DecodeError, RecursionError):
        return empty()


def name_of(contact: Contact) -> str | None:
    """Return what somebody is called; who hides that has a user name."""
    try:
        profile = _decode_profile(contact.profile)
    except (msgspec.DecodeError, RecursionError):
        return None
    for text in (profile.name, profile.username):
        name = None if text is _ABSENT else scalar(bytes(text))
        if isinstance(name, str) and name:
            return name
    return None


def changes(text: bytes, ignored: list[str]) -> list[Change]:
    """Return the changes that we read, adding to `ignored` why others are left out."""
    found = list(_changes(text, ignored))
    numbers = {known: number for change in found for known, number in change.numbers.items()}
    for change in found:
        change.numbers = numbers
    return found


def numbers_in(text: bytes) -> Numbers:
    """Return the numbers of contacts that a body tells beside their ids."""
    try:
        return next((change.numbers for change in changes(text, [])), {})
    except PayloadError:
        return {}


def _changes(text: bytes, ignored: list[str]) -> Iterator[Change]:
    body = _body(text)
    if body.object != _OBJECT:
        ignored.append("object")
        return
    entries = elements(body.entry)
    if not entries:
        ignored.append("no entry")
    for entry in entries or ():
        listed = _listed_in(entry)
        if listed is None:
            ignored.append("malformed entry")
        for told in listed or ():
            change = change_of(told)
            if isinstance(change, str):
                ignored.append(change)
            else:
                yield change


def _body(text: bytes) -> _Body:
    if not json_text.is_utf8(text):
        raise PayloadError("not UTF-8")
    if json_text.nests_too_deep(text):
        raise PayloadError("nested too deep")
    try:
        return _decode_body(_shielded(text))
    except msgspec.ValidationError:
        raise PayloadError("not an object") from None
    except (msgspec.DecodeError, RecursionError):
        raise PayloadError("not JSON") from None


def _shielded(text: bytes) -> bytes:
    """Return a body that any parser takes; most are such."""
    return json_text.shield(text) if b"\\ud" in text or b"\\uD" in text else text


def _listed_in(entry: bytes) -> list[msgspec.Raw] | None:
    try:
        return _decode_entry(entry).changes
    except (msgspec.DecodeError, RecursionError):
        return None


def change_of(text: bytes | msgspec.Raw) -> Change | str:
    """Return a change, or why it is left out."""
    try:
        told = _decode_change(text)
        if told.field != _FIELD:
            return "field"
        value = _unwrapped(_decode_value(told.value))
    except (msgspec.DecodeError, RecursionError):
        return "malformed change"
    phone_number = text_id(_phone_number_id(value))
    return "no phone number" if phone_number is None else Change(phone_number, value)


def _unwrapped(value: _Value) -> _Value:
    try:
        return value if value.wrapped is _ABSENT else _decode_value(value.wrapped)
    except (msgspec.DecodeError, RecursionError):
        return value


def _phone_number_id(value: _Value) -> object:
    try:
        told = scalar(bytes(_decode_metadata(value.metadata).phone_number_id))
    except (msgspec.DecodeError, RecursionError):
        told = None
    return told or value.phone_number_id
