"""Messages to WhatsApp really leave, and what becomes of them comes back (contract: sources §3)."""

import hmac
import json
from hashlib import sha256
from typing import Any
from uuid import uuid4

import pytest

from airy_ray.model.ids import ChannelId, conversation_id, format_id, parse_id
from tests.e2e import recorded
from tests.e2e.client import Client
from tests.e2e.platforms import Played
from tests.e2e.program import until

TEMPLATE = {"type": "template", "template": {"name": "hello", "language": {"code": "de"}}}


class Number:
    """A phone number that is connected, and a contact who may write to it."""

    def __init__(self, client: Client, played: Played, contact: str) -> None:
        self.client = client
        self.played = played
        self.contact = contact
        asked = {
            "phone_number_id": played.other_phone_number,
            "user_token": played.user_token,
            "name": "A number",
        }
        self.channel = client.call("/channels.whatsapp.connect", asked)

    @property
    def conversation(self) -> str:
        """The conversation with the contact, whether it has begun or not."""
        channel = ChannelId(parse_id(self.channel["id"]))
        return format_id(conversation_id(channel, self.contact))

    def tell(self, **value: Any) -> None:
        """Have Meta tell of something."""
        value["metadata"] = {"phone_number_id": self.played.other_phone_number}
        entry = {"id": "w", "changes": [{"field": "messages", "value": value}]}
        body = json.dumps({"object": "whatsapp_business_account", "entry": [entry]}).encode()
        digest = hmac.new(self.played.app["app_secret"].encode(), body, sha256).hexdigest()
        headers = {"content-type": "application/json", "x-hub-signature-256": f"sha256={digest}"}
        assert self.client.send("/webhooks/whatsapp", body, headers).status_code == 200

    def write(self, text: str, **sender: str) -> None:
        """Have the contact write, under the phone number or other names."""
        message = {"id": f"wamid.{uuid4()}", "type": "text", "text": {"body": text}}
        told = {"timestamp": "1763712000"} | (sender or {"from": self.contact})
        self.tell(messages=[message | told])
        self.client.settle()

    def texts(self) -> list[str]:
        """Return what was said in the conversation, newest first."""
        said = self.client.messages(self.conversation)
        return [each["content"]["text"]["body"] for each in said]

    def answer(self, content: dict[str, Any]) -> Any:
        """Send a message to the contact, who wrote."""
        asked = {"conversation_id": self.conversation, "message": content}
        return self.settled(self.client.call("/messages.send", asked))

    def begin(self, content: dict[str, Any]) -> Any:
        """Send a message to the contact, who never wrote."""
        where = {"channel_id": self.channel["id"], "source_recipient_id": f"+{self.contact}"}
        return self.settled(self.client.call("/messages.send", where | {"message": content}))

    def status(self, sent: Any, status: str, **told: Any) -> None:
        """Have Meta tell how far a message has got."""
        known_as = sent["metadata"]["source"]["id"]
        named = {"id": known_as, "recipient_id": self.contact, "timestamp": "1763712000"}
        self.tell(statuses=[named | {"status": status, **told}])

    def message(self, sent: Any) -> Any:
        """Return a message as it is now."""
        messages = self.client.messages(self.conversation)
        return next(each for each in messages if each["id"] == sent["id"])

    def settled(self, sent: Any) -> Any:
        """Return a message once it is not pending any more."""
        until(lambda: self.message(sent)["delivery_state"] != "pending")
        return self.message(sent)

    def taken(self) -> list[Any]:
        """Return what reached WhatsApp for the contact, oldest first."""
        taken = self.played.graph.intake.taken
        return [each.content for each in taken if each.to == self.contact]


@pytest.fixture
def number(client: Client, played: Played) -> Number:
    return Number(client, played, new_contact())


def new_contact() -> str:
    return f"49{uuid4().int % 10**12}"


def test_an_answer_is_delivered_and_then_seen(number: Number) -> None:
    content = {"type": "text", "text": {"body": "Hello", "preview_url": False}}
    number.write("Hi")
    sent = number.answer(content)
    number.status(sent, "delivered")
    until(lambda: number.message(sent)["metadata"]["source"].get("delivery_state") == "delivered")
    number.status(sent, "read")
    until(lambda: number.message(sent)["metadata"]["source"]["delivery_state"] == "seen")

    addressed = {"messaging_product": "whatsapp", "recipient_type": "individual"}
    assert number.taken() == [addressed | {"to": number.contact} | content]
    assert sent["delivery_state"] == "delivered"


def test_a_message_that_was_taken_may_fail_all_the_same(number: Number) -> None:
    file = recorded.response("whatsapp", "in_status_failed.json")
    errors = file["entry"][0]["changes"][0]["value"]["statuses"][0]["errors"]
    sent = number.begin(TEMPLATE)
    number.status(sent, "failed", errors=errors)
    until(lambda: number.message(sent)["delivery_state"] == "failed")

    reason = f"{errors[0]['message']}: {errors[0]['error_data']['details']}"
    assert number.message(sent)["metadata"]["error"] == reason


def test_a_conversation_is_begun_with_a_template_and_goes_on_once_it_is_answered(
    number: Number,
) -> None:
    refused = number.begin({"type": "text", "text": {"body": "Hi"}})
    begun = number.begin(TEMPLATE)
    number.write("Who is it?")
    answered = number.answer({"type": "text", "text": {"body": "Me"}})

    assert refused["delivery_state"] == "failed"
    assert refused["metadata"]["error"].endswith("only be opened with a template")
    assert begun["delivery_state"] == "delivered"
    assert answered["delivery_state"] == "delivered"


def test_what_whatsapp_refuses_is_told_in_its_words(number: Number) -> None:
    content = {"type": "image", "text": {"body": "no image"}}
    number.write("Hi")
    failed = number.answer(content)

    assert failed["delivery_state"] == "failed"
    assert failed["metadata"]["error"] == "(#100) The parameter image is required."


def test_a_file_that_was_uploaded_here_arrives_though_nobody_can_fetch_it(number: Number) -> None:
    picture = b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 4_000
    uploaded = number.client.http.post("/media.upload", files={"file": ("a.png", picture)})
    number.write("Hi")
    image = {"link": uploaded.json()["media_url"], "caption": "A picture"}
    sent = number.answer({"type": "image", "image": image})
    [taken] = number.taken()
    given = number.played.graph.files.given[taken["image"]["id"]]

    assert image["link"].startswith("http://127.0.0.1:")
    assert sent["delivery_state"] == "delivered"
    assert (given.file.content, given.file.kind) == (picture, "image/png")
    assert taken["image"].keys() == {"id", "caption"}


def test_a_text_of_any_length_arrives(number: Number) -> None:
    text = "\n".join(f"line {each}" for each in range(1_000))
    content = {"type": "text", "text": {"body": text}}
    number.write("Hi")
    sent = number.answer(content)

    assert sent["delivery_state"] == "delivered"
    assert "\n".join(each["text"]["body"] for each in number.taken()) == text


def test_who_hides_the_number_goes_on_in_the_same_conversation(number: Number) -> None:
    """From a moment after it was told with their id: that has to get around."""
    hidden = f"DE.{number.contact}"
    number.write("Hi", **{"from": number.contact, "from_user_id": hidden})

    def has_joined() -> bool:
        number.write("It is me", from_user_id=hidden)
        return number.texts()[0] == "It is me"

    until(has_joined)
    sent = number.answer({"type": "text", "text": {"body": "I know"}})

    assert sent["delivery_state"] == "delivered"
    assert [body["text"]["body"] for body in number.taken()] == ["I know"]


def test_who_never_showed_a_number_is_answered_by_the_id(client: Client, played: Played) -> None:
    number = Number(client, played, f"DE.{new_contact()}")
    number.write("Hi", from_user_id=number.contact)
    number.answer({"type": "text", "text": {"body": "Hello"}})
    [body] = number.taken()

    assert (body["recipient"], "to" in body) == (number.contact, False)


def test_the_contact_is_told_what_was_read(number: Number) -> None:
    number.write("Hi")
    number.client.call("/conversations.mark-read", {"conversation_id": number.conversation})
    [message] = number.client.messages(number.conversation)
    told = (number.played.other_phone_number, message["metadata"]["source"]["id"])

    until(lambda: told in number.played.graph.read)


def test_what_whatsapp_did_not_sign_is_refused(client: Client) -> None:
    [case] = [each for each in recorded.cases("whatsapp") if each.file == "in_text.json"]
    other = {"x-hub-signature-256": f"sha256={'0' * 64}"}

    assert client.send(case.path, case.body, case.headers | other).status_code == 403
    assert client.send(case.path, case.body, {}).status_code == 403
