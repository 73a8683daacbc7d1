"""Every recorded payload, from its signature to the rows that it makes."""

import json
from base64 import b64decode
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pytest

from airy_ray.clock import Micros, Millis
from airy_ray.errors import SignatureError
from airy_ray.model import events
from airy_ray.model.ids import (
    PartitionIndex,
    channel_id,
    conversation_id,
    message_id,
    parse_id,
)
from airy_ray.model.message import Message
from airy_ray.model.metadata import Namespace
from airy_ray.partition.interpret import interpret
from airy_ray.partition.routing import partitions_of, record_of
from airy_ray.projections import keys
from airy_ray.projections.messages import ECHO_GRACE_MS
from airy_ray.sources.facebook import Facebook
from airy_ray.sources.google import Google
from airy_ray.sources.meta import handshake
from airy_ray.sources.source import Source, Webhook
from airy_ray.sources.telegram import Telegram
from airy_ray.sources.twilio import FORM, JSON, Twilio
from airy_ray.sources.viber import Viber
from airy_ray.sources.whatsapp import Whatsapp
from airy_ray.state.tables import LedgerEntry
from tests import builders, manifests
from tests.fakes import MemoryPartition
from tests.manifests import Case

INGESTED = Millis(1_763_800_000_000)
WEBHOOKS = [
    case
    for case in manifests.cases(*manifests.SOURCES)
    if case.expected.get("ignored") not in ("handshake", "forbidden")
]
FORBIDDEN = [
    case
    for case in manifests.cases(*manifests.SOURCES)
    if case.expected.get("ignored") == "forbidden"
]

CASES = {(case.source, case.file): case for case in WEBHOOKS}
NO_RECEIPTS = [
    case
    for case in WEBHOOKS
    if "source.delivery_state" not in {item["key"] for item in case.expected.get("metadata", [])}
]
"""A receipt speaks of what was sent before it: its place in the order matters."""


def source_of(name: str) -> Source:
    config = manifests.manifest(name)["config"]
    if name == "google":
        return Google(config["partnerKey"])
    if name == "viber":
        return viber(config["authToken"], welcome=config["welcomeMessage"])
    if name == "telegram":
        return Telegram(config["webhook_secrets"].get)
    if name.startswith("twilio"):
        return Twilio(config["authToken"])
    if name == "whatsapp":
        return Whatsapp(config["appSecret"])
    return Facebook(config["appSecret"], app_id=config["appId"])


def viber(auth_token: str, *, welcome: str) -> Viber:
    message = json.loads(welcome)
    return Viber(auth_token, lambda: manifests.VIBER_ACCOUNT, welcome_message=message)


class Ingestion:
    """A source's webhooks on their way through everything but disk and network."""

    def __init__(self, source: str) -> None:
        self.partition = MemoryPartition()
        self._source = source_of(source)
        self._channels = manifests.channels(source)

    def prepare(self, case: Case) -> None:
        """Bring about what a case takes for granted."""
        for file in case.precondition.get("files", []):
            self.take(CASES[case.source, file])
        for known in case.precondition.get("messages", []):
            self._send(case.source, known)

    def take(self, case: Case) -> LedgerEntry:
        """Take a webhook in, and wait until nothing is put off any more."""
        webhook = case.webhook()
        self._source.verify(webhook)
        record = record_of(self._source, webhook, self._channels.get, Micros(INGESTED * 1_000))
        entry = self.partition.append(record)
        self.partition.fall_due(Millis(INGESTED + ECHO_GRACE_MS + 1))
        return entry

    def messages(self) -> dict[bytes, Message]:
        """Return all messages there are, by id."""
        return {stored.id: stored for _, stored in self.partition.view.messages.under(b"")}

    def _send(self, source: str, known: dict[str, Any]) -> None:
        channel = channel_id(source, known["source_channel_id"])
        contact = known["source_conversation_id"]
        place = events.Place(conversation_id(channel, contact), channel, source, contact)
        message = builders.sent_message()
        sent = {
            "id": parse_id(known["message_id"]),
            "conversation_id": place.conversation_id,
            "channel_id": channel,
            "source": source,
            "sent_at": known["sent_at"],
        }
        message = builders.changed(message, **sent)
        at = Millis(known["sent_at"])
        self.partition.tell(events.MessageSent(place, message), at)
        delivered = events.MessageDelivered(message.id, known["source_message_id"], at)
        self.partition.tell(delivered, at)


@pytest.mark.parametrize("case", manifests.params(WEBHOOKS))
def test_a_webhook_makes_the_messages_that_it_tells_of(case: Case) -> None:
    ingestion = Ingestion(case.source)
    ingestion.prepare(case)
    before = ingestion.messages()
    ingestion.take(case)
    after = ingestion.messages()
    new = [stored for key, stored in after.items() if not_same(stored, before.get(key))]

    assert len(new) == case.expected["message_count"]
    assert by_name(map(told, new)) == by_name(map(expected, case.expected["messages"]))


def not_same(one: Message, other: Message | None) -> bool:
    """Whether more than a message's metadata, and how far it has got, has changed."""
    if other is None or one.content != other.content:
        return True
    return one.updated_at != other.updated_at and one.delivery_state == other.delivery_state


def told(stored: Message) -> dict[str, Any]:
    return {
        "channel_id": stored.channel_id,
        "conversation_id": stored.conversation_id,
        "source": stored.source,
        "source_message_id": stored.source_message_id,
        "sent_at": stored.sent_at,
        "is_from_contact": stored.from_contact,
        "sender_id": stored.sender_id,
        "updated_at": stored.updated_at,
        "headers": stored.headers or {},
        "delivery_state": stored.delivery_state,
    }


def expected(message: dict[str, Any]) -> dict[str, Any]:
    channel = channel_id(message["source"], message["source_channel_id"])
    same = ("source", "source_message_id", "is_from_contact", "sender_id")
    return {name: message[name] for name in same} | {
        "channel_id": channel,
        "conversation_id": conversation_id(channel, message["source_conversation_id"]),
        "sent_at": INGESTED if message["sent_at"] is None else message["sent_at"],
        "updated_at": message.get("updated_at"),
        "headers": message.get("headers", {}),
        "delivery_state": "delivered",
    }


def by_name(messages: Iterator[dict[str, Any]]) -> list[dict[str, Any]]:
    return sorted(messages, key=lambda message: str(message["source_message_id"]))


@pytest.mark.parametrize("case", manifests.params(WEBHOOKS))
def test_what_a_message_says_is_what_stood_in_the_body(case: Case) -> None:
    ingestion = Ingestion(case.source)
    ingestion.take(case)
    contents = [json.loads(stored.content) for stored in ingestion.messages().values()]

    assert all(content in list(objects_in(case.body())) for content in contents)
    for message in case.expected["messages"]:
        assert "content" not in message or message["content"] in contents


def objects_in(text: bytes) -> Iterator[Any]:
    """Yield all objects in a body, also those within what was pushed; of a form, all of it."""
    yield text.decode()
    waiting: list[Any] = []
    try:
        waiting.append(json.loads(text))
    except ValueError:
        return
    while waiting:
        value = waiting.pop()
        if isinstance(value, dict):
            yield value
            waiting += value.values()
            if isinstance(value.get("data"), str):
                with suppress(ValueError):  # what a button says is no object
                    waiting.append(json.loads(b64decode(value["data"])))
        elif isinstance(value, list):
            waiting += value


@pytest.mark.parametrize(
    "case", manifests.params([case for case in WEBHOOKS if "metadata" in case.expected])
)
def test_a_webhook_leaves_the_metadata_that_it_tells_of(case: Case) -> None:
    ingestion = Ingestion(case.source)
    ingestion.prepare(case)
    ingestion.take(case)
    stored = {
        key: json.loads(item.value)
        for key, item in ingestion.partition.view.metadata.under(b"")
        if not item.is_removed
    }
    named = manifests.messages_named(case.source)
    told = {metadata_key(item, named): item.get("value") for item in case.expected["metadata"]}

    assert {key: stored.get(key) for key in told} == told
    if case.expected.get("metadata_exact"):
        assert stored == told


def metadata_key(item: dict[str, Any], named: dict[str, dict[str, Any]]) -> bytes:
    """Return under which key we keep what the reference keeps under its own ids."""
    namespace: Namespace = item["namespace"]
    identifier = parse_id(item["identifier"])
    message = named.get(item["identifier"])
    if namespace == "conversation":
        ours = (
            each for each in named.values() if each.get("conversation_id") == item["identifier"]
        )
        identifier = conversation_of(next(ours))
    elif message is not None and "operation" in message:  # one that came in has an id of ours
        identifier = message_id(conversation_of(message), message["source_message_id"])
    return keys.metadata(namespace, identifier, item["key"])


def conversation_of(message: dict[str, Any]) -> Any:
    channel = channel_id(message["source"], message["source_channel_id"])
    return conversation_id(channel, message["source_conversation_id"])


@pytest.mark.parametrize(
    "case", manifests.params([case for case in WEBHOOKS if "ignored" in case.expected])
)
def test_the_ledger_says_why_nothing_came_of_a_webhook(case: Case) -> None:
    ingestion = Ingestion(case.source)
    ingestion.prepare(case)
    entry = ingestion.take(case)

    assert entry.reasons
    assert entry.message_ids == ()
    assert entry.verdict != "quarantined"


@pytest.mark.parametrize(
    "case",
    manifests.params([case for case in WEBHOOKS if "message_state_changes" in case.expected]),
)
def test_a_callback_says_that_a_message_of_ours_has_failed(case: Case) -> None:
    ingestion = Ingestion(case.source)
    ingestion.prepare(case)
    ingestion.take(case)
    states = {key: stored.delivery_state for key, stored in ingestion.messages().items()}

    for change in case.expected["message_state_changes"]:
        assert states[parse_id(change["message_id"])] == change["delivery_state"].lower()


@pytest.mark.parametrize("case", manifests.params(WEBHOOKS))
def test_a_webhook_that_comes_twice_changes_nothing_and_tells_nobody(case: Case) -> None:
    ingestion = Ingestion(case.source)
    ingestion.prepare(case)
    ingestion.take(case)
    before = ingestion.partition.copy()
    ingestion.take(case)

    assert without_orphans(ingestion.partition) == without_orphans(before)
    assert ingestion.partition.changes() == before.changes()


def without_orphans(partition: MemoryPartition) -> dict[str, dict[bytes, bytes]]:
    """Return the rows of a partition; each record that waits for a channel has one of its own."""
    return {name: rows for name, rows in partition.state().items() if name != "orphans"}


@pytest.mark.parametrize("source", manifests.SOURCES)
def test_all_webhooks_of_a_source_in_any_order_make_the_same_messages(source: str) -> None:
    taken = [case for case in NO_RECEIPTS if case.source == source]
    forwards, backwards = Ingestion(source), Ingestion(source)
    for case, other in zip(taken, reversed(taken), strict=True):
        forwards.take(case)
        backwards.take(other)

    assert undated(forwards.messages()) == undated(backwards.messages())


def undated(messages: dict[bytes, Message]) -> dict[bytes, Message]:
    """Return messages but for when they were sent: of one that is first heard of by its deletion,
    nobody says when.
    """
    return {key: builders.changed(stored, sent_at=0) for key, stored in messages.items()}


@pytest.mark.parametrize("case", manifests.params(WEBHOOKS))
def test_each_event_of_a_body_is_taken_by_one_of_its_partitions(case: Case) -> None:
    source, channels = source_of(case.source), manifests.channels(case.source)
    record = record_of(source, case.webhook(), channels.get, Micros(INGESTED * 1_000))
    whole = interpret(record, PartitionIndex(0), 1)
    parts = [interpret(record, index, 64) for index in partitions_of(record, 64)]

    assert sorted(map(repr, whole.events)) == sorted(
        repr(event) for part in parts for event in part.events
    )
    assert [reason for part in parts for reason in part.ignored] == whole.ignored


SIGNATURES = [
    pytest.param(source, vector, id=f"{source}: {vector['name']}")
    for source in manifests.SOURCES
    for vector in manifests.manifest(source)["signatures"]
]


def verifier(source: str, secret: str) -> Source:
    if source.startswith("twilio"):
        return Twilio(secret)
    if source == "telegram":
        return Telegram({manifests.TELEGRAM_BOT: secret}.get)
    if source == "viber":
        return viber(secret, welcome="{}")
    if source == "whatsapp":
        return Whatsapp(secret)
    return Google(secret) if source == "google" else Facebook(secret)


@pytest.mark.parametrize(("source", "vector"), SIGNATURES)
def test_only_what_the_platform_signed_is_taken(source: str, vector: dict[str, Any]) -> None:
    secret = vector["secret"]

    assert accepts(verifier(source, secret), signed(source, vector)) is vector["valid"]


@pytest.mark.parametrize("case", manifests.params(FORBIDDEN))
def test_what_is_forbidden_is_refused(case: Case) -> None:
    assert not accepts(source_of(case.source), case.webhook())


@pytest.mark.parametrize(
    ("source", "vector"),
    [each for each in SIGNATURES if each.values[0] in ("facebook", "instagram", "whatsapp")],
)
def test_an_old_signature_is_taken_where_that_is_allowed(
    source: str, vector: dict[str, Any]
) -> None:
    kind = Whatsapp if source == "whatsapp" else Facebook
    verifier = kind(vector["secret"], allow_legacy_sha1=True)
    is_valid = vector.get("valid_with_allowLegacySha1", vector["valid"])

    assert accepts(verifier, signed(source, vector)) is is_valid


def signed(source: str, vector: dict[str, Any]) -> Webhook:
    file = vector.get("body_file")
    body = manifests.body(source, file) if file else vector["body"].encode()
    headers = {} if vector["header"] is None else {vector["header"].lower(): vector["value"]}
    headers["content-type"] = JSON if str(file).endswith(".json") else FORM
    return Webhook(body, headers, vector["url"])


def accepts(verifier: Source, webhook: Webhook) -> bool:
    try:
        verifier.verify(webhook)
    except SignatureError:
        return False
    return True


@pytest.mark.parametrize("vector", manifests.manifest("facebook")["handshake"])
def test_metas_handshake_is_answered_with_its_challenge(vector: dict[str, Any]) -> None:
    query = dict(part.split("=") for part in vector["request"].partition("?")[2].split("&"))
    answer = handshake(query, manifests.manifest("facebook")["config"]["webhookSecret"])

    assert (answer is not None) is (vector["status"] == 200)
    assert (answer or "") == vector["body"]


@pytest.mark.parametrize(
    ("file", "answer"), [("handshake.json", "1234567890"), ("in_text.json", None)]
)
def test_googles_handshake_is_answered_with_its_secret(file: str, answer: str | None) -> None:
    source = source_of("google")

    assert isinstance(source, Google)
    assert source.handshake(manifests.body("google", file)) == answer


def test_a_handshake_of_another_token_is_refused() -> None:
    source = source_of("google")

    assert isinstance(source, Google)
    with pytest.raises(SignatureError):
        source.handshake(manifests.body("google", "handshake_wrong.json"))


def test_who_opens_a_conversation_with_the_viber_bot_is_welcomed() -> None:
    [case] = [each for each in WEBHOOKS if each.file == "seed_conversation_started.json"]
    source = source_of("viber")

    assert isinstance(source, Viber)
    assert json.loads(source.welcome(case.webhook()) or b"") == case.inbound["expected_http_body"]


@pytest.mark.parametrize("file", ["in_picture.json", "in_malformed.json", "in_subscribed.json"])
def test_nothing_else_is_answered_with_a_welcome(file: str) -> None:
    source = source_of("viber")

    assert isinstance(source, Viber)
    assert source.welcome(Webhook(manifests.body("viber", file), {})) is None
