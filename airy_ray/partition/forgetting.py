"""What of a record goes when conversations and people are forgotten. Pure: records in and out.

1. Offset, kind and time stay, and so do ids, which are digests; a record of which nothing is left
   has the body `ERASED`.
2. Of what was in the log before the erasure all goes; of what came later, what was sent before it.
3. Of contacts, who was whose stays: ids only, without anything that is said of them. Others were
   merged with them, or got conversations from them, and folding the log again gives that again.
4. A body about several people keeps the others' events as they came.
5. Records that name messages only, such as outcomes, are known by ids which the log is read for
   first: `learn` everything, then `cut`.
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from airy_ray.clock import Millis
from airy_ray.errors import PayloadError
from airy_ray.model import commands, contact_events, events, json_text
from airy_ray.model.commands import (
    AnyCommand,
    ContactFields,
    CreateContact,
    DeleteContact,
    EraseContact,
    MergeContacts,
    SendMessage,
    UnmergeContacts,
    UpdateContact,
    VisitorSend,
    subjects,
)
from airy_ray.model.contact import Contact, Identity, Merge, Snapshot
from airy_ray.model.ids import (
    CommandId,
    ConversationId,
    message_id,
    message_of_command,
    parse_id,
)
from airy_ray.partition.fold import decode_event, encode_event
from airy_ray.partition.interpret import parser_of, without_of
from airy_ray.partition.naming import ids_in
from airy_ray.projections.view import Erasure
from airy_ray.rawlog.record import ERASED, Record, Route, is_erased
from airy_ray.sources.source import (
    Failed,
    Key,
    Linked,
    Overwritten,
    Reacted,
    Recalled,
    Receipt,
    Received,
    Replaced,
    SourceEvent,
    Webhook,
)

_TOKEN = re.compile(rb'"((?:[^"\\]|\\.)*+)"|\b(\d+)\b', re.DOTALL)
_UNSAID: dict[str, Any] = dict.fromkeys(
    ("source_conversation_id", "default_name", "display_name", "avatar_url")
)
_UUID = re.compile(rb"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")


EVER = 1 << 62
"""An offset, and an instant, that everything is before."""


class Forgotten:
    """Which conversations and people are forgotten, and by which ids and names records tell."""

    def __init__(self, erasures: Iterable[tuple[int, Erasure]]) -> None:
        self._rules: dict[bytes, list[tuple[int, Millis]]] = defaultdict(list)
        self._before: dict[bytes, int] = {}
        self._names: set[bytes] = set()
        self._other_names: set[Key] = set()
        for offset, erasure in erasures:
            for conversation, before in erasure.conversations:
                self._rules[conversation].append((before, erasure.at))
                self._forget_id(conversation, before)
            for contact in erasure.contacts:
                self._forget_id(contact, offset)

    def learn(self, offset: int, record: Record) -> None:
        """Take note of the messages of forgotten conversations, and of how sources call these."""
        if is_erased(record):
            return
        match record.kind:
            case "webhook":
                self._learn_webhook(offset, record)
            case "command":
                command = _command(record)
                if isinstance(command, SendMessage | VisitorSend):
                    self._learn_sent(offset, command)

    def cut(self, offset: int, record: Record) -> Record | None:
        """Return a record without what is to go; None if it stays as it is."""
        if is_erased(record):
            return None
        match record.kind:
            case "webhook":
                return self._cut_webhook(offset, record)
            case "command":
                left = self._left_of_command(offset, record)
            case "outcome" | "forward" | "channel":
                left = self._left_of_event(offset, record)
            case _:
                return None
        return None if left is None else msgspec.structs.replace(record, body=left)

    def said_of(self, record: Record) -> bytes | None:
        """Return of a record's body only what it says of these conversations, or None."""
        if self.cut(0, record) is None or not self._tells(record):
            return None
        without = without_of(record.source)
        if record.kind != "webhook" or without is None:
            return record.body
        return without(record.body, _Others(self, record))

    def gone(self, conversation: bytes, offset: int, at: Millis) -> bool:
        """Whether what happened `at`, and is in the record at `offset`, goes."""
        rules = self._rules.get(conversation, ())
        return any(offset < before or at <= until for before, until in rules)

    def is_named_in(self, text: bytes) -> bool:
        """Whether a source's name of a forgotten conversation is a string or number in a text."""
        if not self._names:
            return False
        return any((text_ or number) in self._names for text_, number in _TOKEN.findall(text))

    def _forget_id(self, identifier: bytes, before: int) -> None:
        self._before[identifier] = max(before, self._before.get(identifier, 0))

    def _is_about(self, offset: int, identifiers: Iterable[bytes]) -> bool:
        return any(offset < self._before.get(each, 0) for each in identifiers)

    def _left_of_command(self, offset: int, record: Record) -> bytes | None:
        """Return what is left of a command; None if that is all."""
        command = _command(record)
        match command:
            case None:  # it went to quarantine
                named = (parse_id(each.decode()) for each in _UUID.findall(record.body))
                return ERASED if self._is_about(offset, named) else None
            case EraseContact() | DeleteContact() | UnmergeContacts():
                return None  # ids only
            case MergeContacts(source=source):
                left: AnyCommand = msgspec.structs.replace(
                    command, source=self._left_of(offset, source)
                )
            case CreateContact(fields=fields) | UpdateContact(fields=fields):
                if not self._is_about(offset, subjects(command)):
                    return None
                if isinstance(command, UpdateContact) and not fields.conversations:
                    return ERASED
                bare = ContactFields(conversations=fields.conversations)
                left = msgspec.structs.replace(command, fields=bare)
            case _:
                return ERASED if self._is_about(offset, subjects(command)) else None
        return None if left == command else commands.encode(left)

    def _left_of_event(self, offset: int, record: Record) -> bytes | None:
        """Return what is left of an event; None if that is all."""
        event = _event(record)
        left: Any = event
        match event:
            case None | events.ConversationsErased() | events.ErasureDue():
                return None
            case events.RetentionDue() | events.FilesLeft():
                return None
            case contact_events.ConversationGranted(
                contact_id=contact, conversation_id=conversation
            ):
                if self._is_about(offset, (contact, conversation)):
                    left = msgspec.structs.replace(event, **_UNSAID)
            case contact_events.MergeFollowed(merged=told):
                left = msgspec.structs.replace(event, merged=self._left_of(offset, told))
            case contact_events.ContactRestored(restored=told):
                left = msgspec.structs.replace(event, restored=self._left_of(offset, told))
            case contact_events.ContactKept(kept=told):
                left = msgspec.structs.replace(event, kept=self._left_of(offset, told))
            case _ if isinstance(event, contact_events.ContactEvent):
                return None  # ids only
            case _:
                return ERASED if self._is_about(offset, ids_in(event)) else None
        return None if left == event else encode_event(left)

    def _left_of(self, offset: int, whole: Snapshot) -> Snapshot:
        """Return a contact without what is said of whom and what is forgotten."""

        def bare(contact: Contact) -> Contact:
            if not self._is_about(offset, [contact.id]):
                return contact
            led = contact.merged_into
            return Contact(contact.id, None, contact.created_at, merged_into=led)

        return Snapshot(
            bare(whole.contact),
            tuple(
                (each, Identity(identity.source, None))
                if self._is_about(offset, (each, whole.contact.id))
                else (each, identity)
                for each, identity in whole.identities
            ),
            tuple(
                Merge(bare(each.source), each.into, conversations=each.conversations)
                if self._is_about(offset, [each.source.id])
                else each
                for each in whole.history
            ),
        )

    def _tells(self, record: Record) -> bool:
        """Whether a record that is to lose something is about these people, and no others."""
        if record.kind != "command":
            event = _event(record)
            match event:
                case (
                    contact_events.MergeFollowed(merged=told)
                    | contact_events.ContactRestored(restored=told)
                    | contact_events.ContactKept(kept=told)
                ):
                    return self._is_about(0, [told.contact.id])
            return True
        command = _command(record)
        if isinstance(command, MergeContacts):
            return self._is_about(0, [command.source.contact.id])
        return True

    def _learn_sent(self, offset: int, command: SendMessage | VisitorSend) -> None:
        conversation = ConversationId(parse_id(command.conversation_id))
        before = self._before.get(conversation, 0)
        if offset < before:
            sent = message_of_command(CommandId(parse_id(command.id)), conversation)
            self._forget_id(sent, before)

    def _learn_webhook(self, offset: int, record: Record) -> None:
        found = [route for route in record.routes if route.conversation_id in self._rules]
        if not found:
            return
        for route in found:
            if route.conversation:
                self._names.add(json_text.quote(route.conversation)[1:-1])
        keys = {_key(route): route.conversation_id for route in found}
        for event in _events(record):
            if isinstance(event, Linked):
                self._learn_link(event, keys)
            conversation = keys.get(event.key)
            if conversation is not None:
                for name in _message_names(event):
                    self._forget_id(message_id(conversation, name), self._before[conversation])
                    if isinstance(event, Overwritten):  # others name the message alone
                        self._names.add(json_text.quote(name)[1:-1])

    def _learn_link(self, event: Linked, keys: Mapping[Key, bytes]) -> None:
        """Take note of the other name of whom is forgotten; more than the name may be to stay."""
        if msgspec.structs.replace(event.key, conversation=event.name) in keys:
            self._other_names.add(event.key)
            self._names.add(json_text.quote(event.key.conversation)[1:-1])

    def _cut_webhook(self, offset: int, record: Record) -> Record | None:
        concerned = [route for route in record.routes if route.conversation_id in self._rules]
        if not concerned and record.routes and not self.is_named_in(record.body):
            return None
        cutting = _Cutting(self, offset, record)
        without = without_of(record.source)
        if without is not None:
            left = without(record.body, cutting)
        else:  # nobody can read it
            left = None if self.is_named_in(record.body) else record.body
        routes = tuple(self._blanked(route, cutting) for route in record.routes)
        if left is not None and left == record.body and routes == record.routes:
            return None
        if left is None:
            return msgspec.structs.replace(record, body=ERASED, routes=routes, headers=None)
        return msgspec.structs.replace(record, body=left, routes=routes)

    def _blanked(self, route: Route, cutting: "_Cutting") -> Route:
        """Return a route that keeps the place of what is gone, without its name."""
        if _key(route) in cutting.kept:
            return route
        was_before = cutting.offset < self._before.get(route.conversation_id, 0)
        if was_before or _key(route) in cutting.taken or _key(route) in self._other_names:
            return msgspec.structs.replace(route, conversation="")
        return route


class _Cutting:
    """What is cut out of one body."""

    def __init__(self, forgotten: Forgotten, offset: int, record: Record) -> None:
        self.offset = offset
        self.taken: set[Key] = set()
        self.kept: set[Key] = set()
        self.headers = record.headers or {}
        self._forgotten = forgotten
        self._at = record.at
        self._conversations = {_key(route): route.conversation_id for route in record.routes}

    def takes(self, key: Key, at: Millis | None) -> bool:
        conversation = self._conversations.get(key)
        goes = conversation is not None and self._forgotten.gone(
            conversation, self.offset, self._at if at is None else at
        )
        (self.taken if goes else self.kept).add(key)
        return goes

    def names(self, part: bytes) -> bool:
        return self._forgotten.is_named_in(part)


class _Others:
    """What is cut out of a body so that only these conversations are left."""

    def __init__(self, forgotten: Forgotten, record: Record) -> None:
        self.headers = record.headers or {}
        self._forgotten = forgotten
        self._conversations = {_key(route): route.conversation_id for route in record.routes}

    def takes(self, key: Key, at: Millis | None) -> bool:
        conversation = self._conversations.get(key)
        return conversation is None or not self._forgotten.gone(conversation, 0, at or Millis(0))

    def names(self, part: bytes) -> bool:
        return not self._forgotten.is_named_in(part)


def _key(route: Route) -> Key:
    return Key(route.source, route.channel, route.conversation)


def _events(record: Record) -> list[SourceEvent]:
    parse = parser_of(record.source)
    if parse is None:
        return []
    try:
        return parse(Webhook(record.body, record.headers or {})).events
    except PayloadError:
        return []


def _message_names(event: SourceEvent) -> tuple[str, ...]:
    """Return what a source calls the messages that an event speaks of."""
    match event:
        case (
            Received(identity=identity)
            | Replaced(received=Received(identity=identity))
            | Overwritten(received=Received(identity=identity))
            | Recalled(received=Received(identity=identity))
        ):
            return (identity,)
        case Reacted(source_message_id=name) | Failed(source_message_id=name):
            return (name,)
        case Receipt(source_message_ids=names):
            return names
        case _:
            return ()


def _command(record: Record) -> AnyCommand | None:
    try:
        command: AnyCommand = commands.decode(record.body)
    except msgspec.DecodeError:
        return None
    return command


def _event(record: Record) -> Any:
    try:
        return decode_event(record.body)
    except msgspec.DecodeError:
        return None
