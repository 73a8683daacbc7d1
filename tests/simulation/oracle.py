"""What conversations must look like, told from the records in the plainest way there is.

One dictionary per thing, nothing stored, nothing batched, no code of the projections: what this and
the state agree on is right, or wrong twice for different reasons.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import msgspec

from airy_ray.model.ids import (
    ConversationId,
    message_id,
    message_of_command,
    owner_of,
    parse_id,
)
from airy_ray.partition.fold import FallenTimer
from airy_ray.rawlog.record import Record

OWN_APP = "4711"
ECHO_GRACE_MS = 3_000
DAY_MS = 86_400_000
_EPOCH = 1 << 63


@dataclass
class Said:
    """A message."""

    id: bytes
    content: bytes
    sent_at: int
    from_contact: bool
    updated_at: int | None = None


@dataclass
class Talk:
    """A conversation."""

    messages: dict[bytes, Said] = field(default_factory=dict)
    unread: set[bytes] = field(default_factory=set)
    unread_count: int | None = None
    last: bytes = b""


@dataclass
class Oracle:
    """One partition of `count`, as its records tell it.

    Attributes:
        refused: offsets of the records that no projection can take.
        channels: connected or not, of the registry.
    """

    index: int
    count: int
    talks: dict[bytes, Talk] = field(default_factory=dict)
    echoes: dict[bytes, tuple[bytes, Said]] = field(default_factory=dict)
    commands: dict[str, int] = field(default_factory=dict)
    refused: set[int] = field(default_factory=set)
    channels: dict[bytes, bool] = field(default_factory=dict)

    def tell(self, offset: int, record: Record) -> None:
        """Tell what the next record says."""
        match record.kind:
            case "webhook":
                for conversation, source_id, item in self._items(record):
                    self._happened(conversation, source_id, item, record.at)
            case "command":
                self._commanded(offset, json.loads(record.body), record.at)
            case "timer":
                key = msgspec.msgpack.decode(record.body, type=FallenTimer).key
                fallen = self.echoes.pop(key, None)
                if fallen is not None:
                    self._said(*fallen)
            case _:
                pass

    def _items(self, record: Record) -> Iterator[tuple[bytes, str, Any]]:
        """Yield what concerns this partition: conversation, the message's name, the item."""
        taken = {
            (route.channel, route.conversation): route.conversation_id
            for route in record.routes
            if route.refused is None
        }
        for account, item in items_of(record.body):
            conversation = taken.get((account, contact_of(account, item)))
            if conversation is None:
                continue
            if owner_of(conversation, self.count) == self.index:
                yield conversation, item.get("message", {}).get("mid", ""), item

    def _happened(self, conversation: bytes, name: str, item: Any, at: int) -> None:
        message = item.get("message")
        if message is None or message.get("app_id") == OWN_APP:
            return
        identifier = message_id(ConversationId(conversation), name)
        is_echo = message.get("is_echo", False)
        said = Said(identifier, text_of(item), item["timestamp"], not is_echo)
        if message.get("is_deleted"):
            self._replaced(conversation, said, item["timestamp"])
        elif is_echo and "app_id" not in message:
            self._parked(conversation, said, at)
        else:
            self._said(conversation, said)

    def _parked(self, conversation: bytes, said: Said, at: int) -> None:
        if said.id not in self._messages(conversation):
            due = (at + ECHO_GRACE_MS + _EPOCH).to_bytes(8, "big")
            self.echoes[due + said.id] = (conversation, said)

    def _said(self, conversation: bytes, said: Said) -> None:
        if said.id in self._messages(conversation):
            return
        talk = self.talks.setdefault(conversation, Talk())
        talk.messages[said.id] = said
        if said.from_contact and said.updated_at is None:
            talk.unread.add(said.id)
            talk.unread_count = (talk.unread_count or 0) + 1
        if not talk.last or said.sent_at >= talk.messages[talk.last].sent_at:
            talk.last = said.id

    def _replaced(self, conversation: bytes, said: Said, at: int) -> None:
        present = self._messages(conversation).get(said.id)
        if present is None:
            said.updated_at = at
            self._said(conversation, said)
        elif present.updated_at is None or present.updated_at <= at:
            present.content, present.updated_at = said.content, at

    def _commanded(self, offset: int, command: Any, at: int) -> None:
        if at - self.commands.get(command["id"], -DAY_MS) < DAY_MS:
            return
        self.commands[command["id"]] = at
        match command["command"]:
            case "conversations.mark-read":
                try:
                    talk = self.talks.get(parse_id(command["conversation_id"]))
                except ValueError:
                    self.refused.add(offset)
                    return
                if talk is not None:
                    _read(talk, at)
            case "chatplugin.send":
                conversation = ConversationId(parse_id(command["conversation_id"]))
                identifier = message_of_command(parse_id(command["id"]), conversation)  # type: ignore[arg-type]
                self._said(conversation, Said(identifier, _compact(command["message"]), at, True))
            case "channels.connect":
                self.channels[parse_id(command["channel_id"])] = True
            case "channels.disconnect":
                if parse_id(command["channel_id"]) in self.channels:
                    self.channels[parse_id(command["channel_id"])] = False

    def _messages(self, conversation: bytes) -> dict[bytes, Said]:
        talk = self.talks.get(conversation)
        return {} if talk is None else talk.messages


def items_of(body: bytes) -> Iterator[tuple[str, Any]]:
    """Yield the items of a webhook's body and the account each is of."""
    try:
        told = json.loads(body)
    except ValueError:
        return
    for entry in told["entry"]:
        for item in entry["messaging"]:
            yield entry["id"], item


def contact_of(account: str, item: Any) -> str:
    """Return with whom an item is."""
    is_ours = item["sender"]["id"] == account or item.get("message", {}).get("is_echo", False)
    party: str = (item["recipient"] if is_ours else item["sender"])["id"]
    return party


def text_of(item: Any) -> bytes:
    """Return the text that the content of an item's message must have."""
    return _compact(item)


def _compact(value: Any) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()


def _read(talk: Talk, at: int) -> None:
    talk.unread = {each for each in talk.unread if talk.messages[each].sent_at >= at}
    talk.unread_count = len(talk.unread)
