"""The platforms and people around the system: what they send, again and out of order."""

import hmac
import json
import random
from hashlib import sha256
from typing import Any

import msgspec

from airy_ray.model import commands
from airy_ray.model.commands import AnyCommand
from airy_ray.model.ids import (
    ChannelId,
    ConversationId,
    Slot,
    channel_id,
    command_id,
    conversation_id,
    format_id,
    random_id,
)
from airy_ray.sources.facebook import Facebook
from airy_ray.sources.source import Webhook
from tests.simulation.oracle import OWN_APP

SECRET = "app secret"
SOURCE = Facebook(SECRET, app_id=OWN_APP)

STEADY = [("facebook", "page-1"), ("instagram", "gram-1")]
LATE = [("facebook", "page-late"), ("instagram", "gram-late")]
FLAPPING = ("facebook", "page-flapping")
UNKNOWN = ("facebook", "page-unknown")
WEBSITE = ("chatplugin", "website")

_CONTACTS = [f"contact-{number}" for number in range(5)]
_OBJECTS = {"facebook": "page", "instagram": "instagram"}
_DISORDER_MS = 300_000
_BIG_BYTES = 6_000

Item = dict[str, Any]


class Platforms:
    """Makes what comes in; remembers what was not taken yet."""

    def __init__(self, rng: random.Random) -> None:
        self._rng = rng
        self._waiting: list[bytes] = []
        self._names: dict[tuple[str, str], list[str]] = {}
        self._visitors = [ConversationId(random_id(rng.randbytes(16))) for _ in range(3)]
        self._commands: list[AnyCommand] = []
        self._last = 0

    def webhooks(self, now: int) -> list[Webhook]:
        """Return what is posted next: new, late or for the second time."""
        for _ in range(self._rng.randint(1, 3)):
            self._waiting.append(self._body(now))
        count = self._rng.randint(1, min(3, len(self._waiting)))
        return [_signed(self._waiting.pop(self._pick(self._waiting))) for _ in range(count)]

    def again(self, body: bytes) -> None:
        """Post a body again later: it was not taken, or the platform did not notice that it was."""
        self._waiting.append(body)

    def left(self) -> list[Webhook]:
        """Return all that is still to be posted."""
        bodies, self._waiting = self._waiting, []
        return [_signed(body) for body in bodies]

    def command(self) -> AnyCommand:
        """Return what a person wants next, perhaps what was wanted before."""
        if self._commands and self._rng.random() < 0.2:
            return self._rng.choice(self._commands)
        wanted = self._rng.choice([self._mark_read, self._mark_read, self._visit])()
        self._commands.append(wanted)
        return wanted

    def connect(self, channel: tuple[str, str]) -> AnyCommand:
        """Return the command that connects a channel."""
        return commands.ConnectChannel(
            id=self._command_id(0),
            source=channel[0],
            source_channel_id=channel[1],
            channel_id=format_id(id_of(channel)),
            metadata={"name": channel[1], "n": {"connected": self._last}},
        )

    def disconnect(self, channel: tuple[str, str]) -> AnyCommand:
        """Return the command that disconnects a channel."""
        return commands.DisconnectChannel(
            id=self._command_id(0), channel_id=format_id(id_of(channel))
        )

    def _mark_read(self) -> AnyCommand:
        conversation = self._conversation()
        named = "nonsense" if self._rng.random() < 0.1 else format_id(conversation)
        slot = int.from_bytes(conversation[:2], "big")
        return commands.MarkRead(id=self._command_id(slot), conversation_id=named)

    def _visit(self) -> AnyCommand:
        visitor = self._rng.choice(self._visitors)
        text = json.dumps({"text": self._text()}, indent=self._rng.choice([None, 2]))
        return commands.VisitorSend(
            id=self._command_id(int.from_bytes(visitor[:2], "big")),
            conversation_id=format_id(visitor),
            channel_id=format_id(id_of(WEBSITE)),
            message=msgspec.Raw(text.encode()),
        )

    def _conversation(self) -> ConversationId:
        if self._rng.random() < 0.2:
            return self._rng.choice(self._visitors)
        channel = self._rng.choice([*STEADY, *LATE, FLAPPING])
        return conversation_id(id_of(channel), self._rng.choice(_CONTACTS))

    def _command_id(self, slot: int) -> str:
        return format_id(command_id(Slot(slot), self._rng.randbytes(16)))

    def _body(self, now: int) -> bytes:
        if self._rng.random() < 0.03:
            return b'{"object":"page","entry":[' + self._text().encode()
        source = self._rng.choice(["facebook", "facebook", "instagram"])
        accounts = [name for of, name in (*STEADY, *LATE, FLAPPING, UNKNOWN) if of == source]
        entries = [
            self._entry(source, self._rng.choice(accounts), now)
            for _ in range(self._rng.choice([1, 1, 2, 3]))
        ]
        indent = self._rng.choice([None, None, 1])
        return json.dumps({"object": _OBJECTS[source], "entry": entries}, indent=indent).encode()

    def _entry(self, source: str, account: str, now: int) -> Item:
        items = [
            self._item(account, self._rng.choice(_CONTACTS), now)
            for _ in range(self._rng.choice([1, 1, 2, 4]))
        ]
        return {"id": account, "time": now, "messaging": items}

    def _item(self, account: str, contact: str, now: int) -> Item:
        at = now - self._rng.randint(0, _DISORDER_MS)
        make = self._rng.choices(
            [self._message, self._echo, self._deletion, self._reaction, self._receipt],
            [60, 14, 8, 9, 9],
        )[0]
        kind, is_ours, told = make(account, contact, at)
        parties = (account, contact) if is_ours else (contact, account)
        return {
            "sender": {"id": parties[0]},
            "recipient": {"id": parties[1]},
            "timestamp": at,
            kind: told,
        }

    def _message(self, account: str, contact: str, at: int) -> tuple[str, bool, Item]:
        return "message", False, {"mid": self._name(account, contact), "text": self._text()}

    def _echo(self, account: str, contact: str, at: int) -> tuple[str, bool, Item]:
        told = {"mid": self._name(account, contact), "is_echo": True, "text": self._text()}
        app = self._rng.choice([None, None, "another", OWN_APP])
        return "message", True, told if app is None else {**told, "app_id": app}

    def _deletion(self, account: str, contact: str, at: int) -> tuple[str, bool, Item]:
        return "message", False, {"mid": self._known(account, contact), "is_deleted": True}

    def _reaction(self, account: str, contact: str, at: int) -> tuple[str, bool, Item]:
        action = self._rng.choice(["react", "unreact"])
        told = {"mid": self._known(account, contact), "action": action, "reaction": "love"}
        return "reaction", False, told

    def _receipt(self, account: str, contact: str, at: int) -> tuple[str, bool, Item]:
        if self._rng.random() < 0.5:
            return "read", False, {"watermark": at}
        return "delivery", False, {"mids": [self._known(account, contact)], "watermark": at}

    def _name(self, account: str, contact: str) -> str:
        """Return the name of a message: a new one, or now and then one that was told before."""
        names = self._names.setdefault((account, contact), [])
        if names and self._rng.random() < 0.1:
            return self._rng.choice(names)
        self._last += 1
        names.append(f"m_{self._last}")
        return names[-1]

    def _known(self, account: str, contact: str) -> str:
        names = self._names.get((account, contact))
        return self._rng.choice(names) if names else self._name(account, contact)

    def _text(self) -> str:
        if self._rng.random() < 0.04:
            return "é" * self._rng.randint(0, _BIG_BYTES)
        return f"text {self._rng.randint(0, 10**6)} \U0001f600"

    def _pick(self, waiting: list[bytes]) -> int:
        """Return which goes next: mostly the oldest, sometimes any."""
        return 0 if self._rng.random() < 0.6 else self._rng.randrange(len(waiting))


def id_of(channel: tuple[str, str]) -> ChannelId:
    """Return our id of a channel."""
    return channel_id(*channel)


def _signed(body: bytes) -> Webhook:
    digest = hmac.new(SECRET.encode(), body, sha256).hexdigest()
    return Webhook(body, {"x-hub-signature-256": f"sha256={digest}"})
