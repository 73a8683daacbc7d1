"""Messages to contacts on every platform: what tests of the courier send, and find again."""

import asyncio
import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from io import BytesIO
from typing import Any

import msgspec

from airy_ray.clock import now_millis
from airy_ray.cluster.media.store import name_of
from airy_ray.cluster.media.store import opened as opened_store
from airy_ray.cluster.media.store_spec import StoreSpec
from airy_ray.cluster.media.upload import Upload
from airy_ray.cluster.sendings import CUSTOM, Sendings
from airy_ray.errors import StateError
from airy_ray.model.channel import Channel
from airy_ray.model.commands import CreateSource, SendMessage
from airy_ray.model.custom_source import CustomSource, conversation_id
from airy_ray.model.events import ChannelStored, Event, MessageReceived, Place
from airy_ray.model.ids import CommandId, MessageId, format_id, message_of_command
from airy_ray.model.message import Message
from airy_ray.partition.fold import encode_event
from airy_ray.partition.reader import PartitionReader
from airy_ray.partition.spec import PartitionSpec
from airy_ray.rawlog.record import Record, opened
from airy_ray.rawlog.tail import LogTail
from airy_ray.simulator import action_endpoint, google_api, platforms, telegram_api, viber_api
from airy_ray.simulator.graph_api import USER_TOKEN, GraphServer
from airy_ray.simulator.hooks import Secrets
from airy_ray.simulator.intake import Intake
from airy_ray.simulator.traffic import Cast
from airy_ray.sources.custom_sending import CustomSending
from airy_ray.sources.custom_token import token_of
from airy_ray.sources.facebook_sending import FacebookSending, InstagramSending
from airy_ray.sources.google_sending import GoogleSending
from airy_ray.sources.telegram_sending import TelegramSending
from airy_ray.sources.twilio_sending import TwilioSending
from airy_ray.sources.viber_sending import ViberSending
from airy_ray.sources.whatsapp_sending import WhatsappSending
from tests import builders
from tests.log_builders import append
from tests.unit.cluster.test_owner import until

_SOURCE_KEY = b"a key of this installation, long enough"
_PAGE, _IG_PAGE, _NUMBER = "108800000000001", "108800000000002", "106540352242922"
_ACCOUNT_SID, _SECRET = "AC" + "0" * 32, "a secret"
_LOGGED_MAX = 10_000


@dataclass(frozen=True)
class Family:
    """A kind of channel, one of it, and how people are called and written to on it."""

    name: str
    channel: Channel
    intake: Intake
    called: str
    words_of: Callable[[Any], Any] = field(default=lambda content: content.get("text"))
    text: Callable[[str], Any] = field(default=lambda words: {"text": words})
    on_arrival: Callable[[str], object] = field(default=lambda contact: None)

    @property
    def source(self) -> str:
        return self.channel.source

    def contact(self, number: int) -> str:
        return self.called.format(f"4915{number:08}")

    def place(self, number: int) -> Place:
        channel, contact = self.channel, self.contact(number)
        conversation = conversation_id(self.source, channel.id, contact)
        return Place(conversation, channel.id, self.source, contact)

    def taken(self, number: int) -> list[Any]:
        """Return the words that the platform took for a contact, oldest first; None for others."""
        contact = self.contact(number)
        return [self.words_of(each.content) for each in self.intake.taken if each.to == contact]


class Platforms:
    """All platforms, played at one address."""

    def __init__(self) -> None:
        named = Cast("", (_PAGE, _IG_PAGE), "an-agent", "", "1", {"whatsapp": _NUMBER})
        secrets = Secrets("s", "k", twilio_token=_SECRET, viber_token=_SECRET)
        self._played = platforms.Platforms(named, secrets, account_sid=_ACCOUNT_SID)
        self.program = self._played.program
        self.graph, self.telegram = self._played.graph, self._played.telegram
        self.server = GraphServer(self._played.graph, 0, self._played.routes)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server.port}"

    @property
    def sendings(self) -> Sendings:
        twilio = self.url, _ACCOUNT_SID, _SECRET, f"{self.url}/twilio"
        return {
            "facebook": FacebookSending(self.url, "v25.0", False, 300.0),
            "instagram": InstagramSending(self.url, "v25.0", False, 100.0),
            "google": GoogleSending(self.url, self.url, google_api.service_account(self.url)),
            "whatsapp": WhatsappSending(self.url, "v25.0"),
            "twilio.sms": TwilioSending(*twilio),
            "twilio.whatsapp": TwilioSending(*twilio, is_whatsapp=True),
            "viber": ViberSending(self.url, _SECRET),
            "telegram": TelegramSending(self.url),
            CUSTOM: CustomSending(_SOURCE_KEY),
        }

    def families(self) -> dict[str, Family]:
        """Return one of each kind of channel."""
        bot = telegram_api.BOT_TOKEN.partition(":")[0]
        made = [
            Family(
                "facebook",
                _channel("facebook", _PAGE, self._page_token(_PAGE)),
                self._played.graph.intake,
                "fb{}",
            ),
            Family(
                "instagram",
                _channel("instagram", "17841", self._page_token(_IG_PAGE)),
                self._played.graph.intake,
                "ig{}",
                on_arrival=self._played.graph.on_instagram.add,
            ),
            Family(
                "whatsapp",
                _channel("whatsapp", _NUMBER, USER_TOKEN),
                self._played.graph.intake,
                "{}",
                words_of=lambda told: told.get("text", {}).get("body"),
                text=lambda words: {"type": "text", "text": {"body": words}},
            ),
            self._of_twilio("twilio.sms", ""),
            self._of_twilio("twilio.whatsapp", "whatsapp:"),
            Family(
                "viber",
                _channel("viber", viber_api.ACCOUNT, None),
                self._played.viber.intake,
                "{}==",
                text=lambda words: {"type": "text", "text": words},
            ),
            Family(
                "telegram",
                _channel("telegram", bot, telegram_api.BOT_TOKEN),
                self._played.telegram.intake,
                "{}",
            ),
            Family(
                "google", _channel("google", "an-agent", None), self._played.google.intake, "g{}"
            ),
            Family(
                "rcs", _channel("google", "hi@rbm.goog", None), self._played.google.intake, "+{}"
            ),
            Family("custom", _channel("crm", "shop", None), self.program.intake, "c{}"),
        ]
        return {each.name: each for each in made}

    def _of_twilio(self, source: str, prefix: str) -> Family:
        return Family(
            source,
            _channel(source, f"{prefix}+15550001111", None),
            self._played.twilio.intake,
            prefix + "+{}",
            words_of=lambda form: form.get("Body", [None])[0],
            text=lambda words: {"Body": words},
        )

    def _page_token(self, page: str) -> str:
        token: str = self._played.graph.page(page, {"access_token": USER_TOKEN})["access_token"]
        return token


class Correspondence:
    """A partition and the registry, channels of all families, and contacts who have written."""

    def __init__(self, own: PartitionSpec, registry: PartitionSpec, played: Platforms) -> None:
        self.own = own
        self.registry = registry
        self.platforms = played
        self.families = played.families()
        self.tail = LogTail(own.directory)
        files, marks = own.directory.parent / "files", own.directory.parent / "unlinked"
        self.files = StoreSpec(str(files), None, {}, None, str(marks))
        self._reader = PartitionReader(self.tail)
        self._commands = 0

    def connect(self) -> None:
        """Connect a channel of each family, and have the custom source made."""
        for family in self.families.values():
            event = ChannelStored(family.channel, {})
            append(self.registry.directory, [_outcome(event)])
        asked = CreateSource(
            id=format_id(builders.command_id("crm")),
            source_id="crm",
            action_endpoint=self.platforms.url + action_endpoint.PATH,
        )
        append(self.registry.directory, [builders.command_record(asked, at=now_millis())])
        self.platforms.program.token = token_of(self._registered("crm"), _SOURCE_KEY)

    def keep(self, content: bytes, name: str) -> None:
        """Keep a file, which is called `called(content, name)` from then on."""
        asyncio.run(opened_store(self.files).keep(_upload(content, name)))

    def begin(self, family: Family, number: int) -> None:
        """Have a contact write."""
        place = family.place(number)
        family.on_arrival(place.source_conversation_id)
        message = msgspec.structs.replace(
            builders.message(f"in-{family.name}-{number}"),
            conversation_id=place.conversation_id,
            channel_id=place.channel_id,
            source=place.source,
        )
        append(self.own.directory, [_outcome(MessageReceived(place, message))])

    def send(self, family: Family, number: int, content: Any) -> MessageId:
        """Have a user write to a contact."""
        self._commands += 1
        command = CommandId(builders.command_id(f"{self._commands}"))
        place = family.place(number)
        asked = SendMessage(
            id=format_id(command),
            principal="agent",
            conversation_id=format_id(place.conversation_id),
            message=msgspec.Raw(json.dumps(content).encode()),
        )
        append(self.own.directory, [builders.command_record(asked, at=now_millis())])
        return message_of_command(command, place.conversation_id)

    def message(self, identifier: MessageId) -> Message | None:
        """Return a message as it is shown, if it is already."""
        try:
            with self._reader.read() as view:
                return view.message(identifier)
        except StateError:  # its owner is on its way back
            return None

    def state(self, identifier: MessageId) -> str:
        """Return how far a message is; nothing while that cannot be told."""
        found = self.message(identifier)
        return "" if found is None else found.delivery_state

    def is_settled(self, identifier: MessageId) -> bool:
        return self.state(identifier) in ("delivered", "failed")

    def told(self, identifier: MessageId) -> Any:
        """Return the metadata of a message, and its state."""
        found = self.message(identifier)
        assert found is not None
        return {"state": found.delivery_state, **json.loads(found.metadata)}

    def logged(self, kind: type[Any]) -> list[MessageId]:
        """Return of which messages the log has events of a kind, oldest first."""
        events = [
            _decode_event(record.body)
            for record in (opened(value, at) for at, value in self.tail.read(0, _LOGGED_MAX))
            if record.kind == "outcome"
        ]
        return [each.message_id for each in events if isinstance(each, kind)]

    def close(self) -> None:
        self._reader.close()
        self.tail.close()

    def _registered(self, source: str) -> CustomSource:
        """Return a custom source as the registry has it, once it does."""
        with ExitStack() as stack:
            tail = stack.enter_context(closing(LogTail(self.registry.directory)))
            reader = stack.enter_context(closing(PartitionReader(tail)))

            def found() -> CustomSource | None:
                with reader.read() as view:
                    return view.source(source)

            until(lambda: found() is not None)
            made = found()
        assert made is not None
        return made


@contextmanager
def corresponding(own: PartitionSpec, registry: PartitionSpec) -> Iterator[Correspondence]:
    """Play the platforms for two partitions that have their owners."""
    played = Platforms()
    with played.server, closing(Correspondence(own, registry, played)) as made:
        made.connect()
        yield made


def called(content: bytes, name: str) -> str:
    """Return what a file is called in the store."""
    return name_of(_upload(content, name))


def _upload(content: bytes, name: str) -> Upload:
    upload = Upload(name, BytesIO())
    upload.write(content)
    return upload


def _channel(source: str, name: str, token: str | None) -> Channel:
    return builders.channel(name, source=source, token=token)


def _outcome(event: Event) -> Record:
    return builders.record(encode_event(event), kind="outcome", source="")


_decode_event = msgspec.msgpack.Decoder(Event).decode
