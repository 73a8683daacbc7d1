"""Erasure of who wrote through Twilio, Viber, Telegram or WhatsApp: what goes, and what stays."""

import json
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlencode

import pytest

from airy_ray.clock import Micros
from airy_ray.model.commands import EraseContact
from airy_ray.model.ids import ConversationId, channel_id, contact_id, conversation_id, format_id
from airy_ray.partition.routing import record_of
from airy_ray.rawlog.record import Record
from airy_ray.sources.source import Source, Webhook
from airy_ray.sources.telegram import Telegram
from airy_ray.sources.twilio import Twilio
from airy_ray.sources.viber import Viber
from airy_ray.sources.whatsapp import Whatsapp
from tests import builders, manifests
from tests.builders import NOW
from tests.erasing import EVA, EVAS_CONTACT, MARK, carry_out, log_of, traces
from tests.log_builders import append, owned, settle, spec

ADA = "ada"
SOURCES: dict[str, tuple[Source, str]] = {
    "twilio.sms": (Twilio("token"), "+1"),
    "twilio.whatsapp": (Twilio("token"), "whatsapp:+1"),
    "viber": (Viber("token", lambda: manifests.VIBER_ACCOUNT), manifests.VIBER_ACCOUNT.id),
    "telegram": (Telegram(lambda _: "secret"), manifests.TELEGRAM_BOT),
    "whatsapp": (Whatsapp("secret"), "1"),
}
URL = f"https://core.example.org/telegram/{manifests.TELEGRAM_BOT}"


def form(**fields: str) -> bytes:
    return urlencode(fields).encode()


def bodies(source: str, contact: str, text: str) -> list[bytes]:
    """Return what tells of a message, of a failed answer to it, and of what no one takes."""
    number = SOURCES[source][1]
    if source == "telegram":
        return list(updates(contact, text))
    if source == "whatsapp":
        return [whatsapp_body(each) for each in whatsapp_values(contact, text)]
    if source != "viber":
        inbound = form(To=number, From=contact, Body=text, MessageSid=text, ProfileName=text)
        answer = {"To": contact, "From": number, "MessageSid": f"to-{text}"}
        failure = form(**answer, MessageStatus="failed", ErrorMessage=text)
        return [inbound, failure, form(From=contact, Body=text)]
    user = {"id": contact, "name": text}
    events: list[dict[str, object]] = [
        {"event": "message", "message_token": 1, "sender": user, "message": {"text": text}},
        {"event": "failed", "message_token": 2, "user_id": contact, "desc": text},
        {"event": "subscribed", "message_token": 3, "user": user},
    ]
    return [json.dumps(event | {"timestamp": NOW}).encode() for event in events]


def updates(contact: str, text: str) -> Iterator[bytes]:
    person = {"id": contact, "first_name": text}
    party: dict[str, object] = {"chat": person | {"type": "private"}, "from": person}
    told: dict[str, dict[str, object]] = {
        "message": party | {"message_id": 1, "text": text},
        "edited_message": party | {"message_id": 1, "edit_date": NOW // 1_000, "text": f"{text}!"},
        "callback_query": {"id": text, "from": person, "message": party | {"message_id": 1}},
        "my_chat_member": party | {"new_chat_member": {"user": person}},
        "inline_query": {"from": person, "query": text},
    }
    for kind, part in told.items():
        yield json.dumps({"update_id": 1, kind: part | {"date": NOW // 1_000}}).encode()


def whatsapp_values(contact: str, text: str) -> list[dict[str, object]]:
    named = {"id": f"m-{text}", "timestamp": f"{NOW // 1_000}", "text": {"body": text}}
    failed = {"recipient_id": contact, "status": "failed", "errors": [{"title": text}]}
    profile = {"wa_id": contact, "profile": {"name": text}}
    return [
        {"messages": [{"from": contact} | named], "contacts": [profile]},
        {"statuses": [named | failed]},
        {"messages": [{"who": contact} | named]},
    ]


def whatsapp_body(value: dict[str, object]) -> bytes:
    told = value | {"metadata": {"phone_number_id": SOURCES["whatsapp"][1]}}
    entry = {"changes": [{"field": "messages", "value": told}]}
    return json.dumps({"object": "whatsapp_business_account", "entry": [entry]}).encode()


def records(source: str, contact: str, text: str) -> Iterator[Record]:
    platform, number = SOURCES[source]
    channel = builders.channel(number, source=source)
    for body in bodies(source, contact, text):
        yield record_of(
            platform, Webhook(body, {}, URL), {channel.id: channel}.get, Micros(NOW * 1_000)
        )


def erasure(conversation: ConversationId) -> Record:
    contacts = (contact_id(conversation), EVAS_CONTACT)  # the second says when all is done
    command = EraseContact(
        id=format_id(builders.command_id("erase")),
        contact_ids=tuple(format_id(each) for each in contacts),
        conversation_ids=(format_id(conversation),),
    )
    return builders.command_record(command, at=NOW + 10_000)


@pytest.mark.parametrize("source", SOURCES)
def test_of_who_is_erased_nothing_is_left_and_others_keep_every_byte(
    source: str, tmp_path: Path
) -> None:
    conversation = conversation_id(channel_id(source, SOURCES[source][1]), EVA)
    own = spec(tmp_path)
    with owned(own) as partition:
        append(own.directory, list(records(source, EVA, f"{MARK} text")))
        append(own.directory, list(records(source, ADA, "a text")))
        settle(partition, NOW)
        assert traces(tmp_path)
        append(own.directory, [erasure(conversation)])
        carry_out(partition, NOW + 60_000)

        assert traces(tmp_path) == []
        kept = [record.body for record in log_of(own)]
        assert all(body in kept for body in bodies(source, ADA, "a text"))
