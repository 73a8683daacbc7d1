"""The courier at work with WhatsApp: texts in parts, conversations that we begin, failures told."""

import json
from collections.abc import Iterator
from pathlib import Path
from threading import Event
from typing import Any

import msgspec
import pytest

from airy_ray.clock import now_micros, now_millis
from airy_ray.model.commands import SendMessage
from airy_ray.model.events import ConversationRead
from airy_ray.model.ids import CommandId, MessageId, format_id, message_of_command
from airy_ray.partition.fold import encode_event
from airy_ray.partition.routing import record_of
from airy_ray.sources.source import Webhook
from airy_ray.sources.whatsapp import Whatsapp
from tests import builders, manifests
from tests.e2e.platforms import Answer
from tests.log_builders import append
from tests.unit.cluster.test_delivering import Post, working
from tests.unit.cluster.test_owner import until

NUMBER, CONTACT = "106540352242922", "16505551234"
TOKEN = "EAAnumber"
CHANNEL = builders.channel(NUMBER, source="whatsapp", token=TOKEN)
RATE_LIMIT = manifests.body("whatsapp", "out_error_pair.json")


@pytest.fixture
def post(tmp_path: Path) -> Iterator[Post]:
    """A platform on which a number is connected, and a contact has written to it."""
    with working(tmp_path) as found:
        found.connect(CHANNEL)
        receive(found, manifests.body("whatsapp", "in_text.json"))
        yield found


def receive(post: Post, body: bytes) -> None:
    """Have WhatsApp tell of something."""
    channels = {CHANNEL.id: CHANNEL}
    record = record_of(Whatsapp("secret"), Webhook(body, {}), channels.get, now_micros())
    append(post.own.directory, [record])


def answer(post: Post, text: str) -> MessageId:
    return post.send({"body": text}, contact=CONTACT, source="whatsapp", page=NUMBER)


def status(post: Post, name: str, **told: Any) -> None:
    """Have WhatsApp tell how far a message has got."""
    body = json.loads(manifests.body("whatsapp", "in_status_sent.json"))
    [change] = body["entry"][0]["changes"]
    change["value"]["statuses"][0] |= {"id": name, **told}
    receive(post, json.dumps(body).encode())


def test_an_answer_is_delivered_and_its_fate_is_told(post: Post) -> None:
    post.start()
    sent = answer(post, "Hello")
    told = post.settled(sent)
    [taken] = post.api.sent
    status(post, taken.known_as, status="read")
    until(lambda: post.settled(sent)["source"].get("delivery_state") == "seen")
    status(post, taken.known_as, status="failed", errors=[{"title": "Undeliverable"}])
    until(lambda: post.state(sent) == "failed")

    assert told == {"state": "delivered", "source": {"id": taken.known_as}}
    assert (taken.path, taken.token) == (f"/v25.0/{NUMBER}/messages", TOKEN)
    assert taken.body == {
        "messaging_product": "whatsapp",
        "recipient_type": "individual",
        "to": CONTACT,
        "text": {"body": "Hello"},
    }
    assert post.settled(sent)["error"] == "Undeliverable"


def test_a_text_that_is_too_long_is_sent_in_parts_and_known_as_the_first(post: Post) -> None:
    parts = ["a" * 4_000, "b" * 4_000, "c" * 4_000]
    post.api.answers[parts[1]].append(Answer(400, RATE_LIMIT))
    sent = answer(post, " ".join(parts))
    following = answer(post, "after it")
    post.start()

    assert post.settled(following)["state"] == "delivered"
    assert post.texts() == [parts[0], parts[1], parts[1], parts[2], "after it"]
    assert post.settled(sent)["source"] == {"id": post.api.sent[0].known_as}


def begun(post: Post, content: dict[str, Any]) -> MessageId:
    """Write to somebody who never wrote."""
    command = CommandId(builders.command_id(json.dumps(content)))
    place = builders.place("49157", page=NUMBER, source="whatsapp")
    asked = SendMessage(
        id=format_id(command),
        principal="agent",
        conversation_id=format_id(place.conversation_id),
        message=msgspec.Raw(json.dumps(content).encode()),
        channel_id=format_id(place.channel_id),
        source="whatsapp",
        recipient_id="49157",
    )
    post.tell(asked, now_millis())
    return message_of_command(command, place.conversation_id)


def test_a_conversation_is_begun_with_a_template_only(post: Post) -> None:
    named = {"name": "hello", "language": {"code": "de"}}
    refused = begun(post, {"text": {"body": "Hi"}})
    taken = begun(post, {"type": "template", "template": named, "text": {"body": "template"}})
    post.start()

    assert post.settled(refused) == {
        "state": "failed",
        "error": "WhatsApp conversations can only be opened with a template",
    }
    assert post.settled(taken)["state"] == "delivered"
    [sent] = post.api.sent
    assert (sent.body["to"], sent.body["template"]) == ("49157", named)


CONVERSATION = builders.place(CONTACT, page=NUMBER, source="whatsapp").conversation_id
READ = "read wamid.HBgLMTY1MDU1NTEyMzQVAgASGBQT1"
"""How the played platform knows that the message of the contact was said to be read."""


def read(post: Post) -> None:
    """Have a user read the conversation."""
    body = encode_event(ConversationRead(CONVERSATION, now_millis()))
    append(post.own.directory, [builders.record(body, kind="outcome", source="")])


@pytest.mark.parametrize("status", [200, 400, 503])
def test_the_contact_is_told_once_that_the_message_was_read(status: int, post: Post) -> None:
    post.api.answers[READ].append(Answer(status, b'{"success":true}'))
    post.start()
    read(post)
    until(lambda: post.texts() == [READ] and not post.pending())
    read(post)

    assert post.settled(answer(post, "Hello"))["state"] == "delivered"
    assert post.texts() == [READ, "Hello"]
    assert post.api.sent[0].body["message_id"] in READ


def test_what_was_read_is_told_once_the_courier_is_there_and_not_again(post: Post) -> None:
    read(post)
    killed = post.start()
    until(lambda: post.texts() == [READ] and not post.pending())
    killed.end()
    post.start()

    assert post.settled(answer(post, "Hello"))["state"] == "delivered"
    assert post.texts() == [READ, "Hello"]


def test_a_reading_that_hangs_holds_up_no_answer(post: Post) -> None:
    let_go = Event()
    post.api.answers[READ].append(Answer(200, b"{}", held_until=let_go))
    post.start()
    read(post)
    until(lambda: post.texts() == [READ])

    assert post.settled(answer(post, "Hello"))["state"] == "delivered"
    let_go.set()
    until(lambda: not post.pending())
