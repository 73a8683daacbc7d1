"""Every recorded payload, sent as its platform sends it, and read back as a client reads it."""

from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs

import jwt
import pytest
from httpx import Response

from tests import manifests
from tests.e2e import recorded
from tests.e2e.client import Client
from tests.e2e.platforms import JWT_SECRET, Played, signed_by_twilio
from tests.e2e.program import until
from tests.e2e.recorded import Case

Messages = dict[str, dict[str, Any]]
"""What clients can tell of messages and their places, by id."""

WEBHOOKS = [
    case
    for source in manifests.SOURCES
    for case in recorded.cases(source)
    if case.expected.get("ignored") != "handshake"
]
SELF_CONTAINED = [case for case in WEBHOOKS if "messages" not in case.needs]
"""Those that speak of no message sent by us before; nothing can be sent yet."""

ECHO_S = 10.0
"""An echo waits 3 s in case that we sent the message ourselves."""


@pytest.fixture(scope="module")
def connected(client: Client) -> dict[str, list[str]]:
    """The ids of the channels that the manifests speak of, by source."""
    return {source: connect_all(client, source) for source in manifests.SOURCES}


def connect_all(client: Client, source: str) -> list[str]:
    identifiers = []
    for told in recorded.manifest(source)["channels"]:
        name = told["source_channel_id"]
        source = told["source"]
        channel = client.call(f"/channels.{source}.connect", connecting(source, name))
        assert (channel["source"], channel["source_channel_id"]) == (source, name)
        if not told["connected"]:
            client.call(f"/channels.{source}.disconnect", {"channel_id": channel["id"]})
        identifiers.append(channel["id"])
    return identifiers


def connecting(source: str, name: str) -> dict[str, str]:
    if source == "google":
        return {"gbm_id": name, "name": "An agent"}
    if source.startswith("twilio"):
        return {"phone_number": name.removeprefix("whatsapp:"), "name": "A number"}
    if source == "whatsapp":
        return {"phone_number_id": name, "user_token": Played.user_token, "name": "A number"}
    if source == "viber":
        account = recorded.manifest(source)["config"]["account"]
        return {"name": account["name"], "image_url": account["icon"]}
    if source == "telegram":
        return {"bot_token": recorded.BOT_TOKENS[name]}
    if source == "facebook":
        return {"page_id": name, "page_token": "EAAshort"}
    return {"page_id": "108800000000001", "page_token": "EAAshort", "account_id": name}


def read_back(client: Client, channel_ids: list[str]) -> Messages:
    """Return all messages on some channels."""
    found: Messages = {}
    for conversation in client.conversations(*channel_ids):
        messages = client.messages(conversation["id"])
        contacts = {each["sender"]["id"] for each in messages if each["from_contact"]}
        assert len(contacts) <= 1, "two contacts in one conversation"
        place = {"channel": conversation["channel"]["source_channel_id"], "contacts": contacts}
        found |= {each["id"]: each | place for each in messages}
    return found


def ingest(client: Client, case: Case) -> None:
    response = client.send(case.path, case.body, case.headers)
    assert response.status_code == case.told["expected_http_status"]
    assert answered(response) == case.answer
    client.settle()


def answered(response: Response) -> Any:
    """Return the body of an answer, read if it is JSON."""
    is_json = response.headers.get("content-type") == "application/json" and response.content
    return response.json() if is_json else response.text


def ingest_needed(client: Client, case: Case) -> None:
    for needed in WEBHOOKS:
        if needed.source == case.source and needed.file in case.needs.get("files", []):
            ingest(client, needed)


@pytest.mark.parametrize("case", recorded.params(SELF_CONTAINED))
def test_a_webhook_makes_the_messages_and_the_metadata_that_it_tells_of(
    case: Case, client: Client, connected: dict[str, list[str]]
) -> None:
    wanted = sorted(case.expected["messages"], key=lambda each: str(each["source_message_id"]))
    ingest_needed(client, case)
    before = read_back(client, connected[case.source])
    ingest(client, case)

    def new() -> list[dict[str, Any]]:
        after = read_back(client, connected[case.source])
        return [each for key, each in after.items() if is_new(each, before.get(key))]

    until(lambda: len(new()) >= len(wanted), ECHO_S)
    found = sorted(new(), key=lambda each: str(name_of(each)))

    assert [told(each) for each in found] == [
        expected(each, sent_at=one["sent_at"]) for each, one in zip(wanted, found, strict=True)
    ]
    assert all(is_in_its_conversation(*pair) for pair in zip(found, wanted, strict=True))
    assert all(is_as_it_came(*pair, case) for pair in zip(found, wanted, strict=True))
    assert metadata_of(client, connected[case.source], case) == [
        item.get("value") for item in case.expected.get("metadata", [])
    ]


def is_new(message: dict[str, Any], before: dict[str, Any] | None) -> bool:
    """Whether a message was not there, or has been edited."""
    return before is None or message["content"] != before["content"]


def name_of(message: dict[str, Any]) -> Any:
    return message["metadata"].get("source", {}).get("id")


def told(message: dict[str, Any]) -> dict[str, Any]:
    same = ("source", "channel", "from_contact", "sent_at", "delivery_state")
    told = {key: message[key] for key in same}
    return told | {"sender": message["sender"]["id"], "name": name_of(message)}


def expected(message: dict[str, Any], *, sent_at: str) -> dict[str, Any]:
    """Return what the manifest says of a message; the platform tells when, or nobody does."""
    told_at = message["sent_at"]
    return {
        "source": message["source"],
        "channel": message["source_channel_id"],
        "from_contact": message["is_from_contact"],
        "sender": message["sender_id"],
        "sent_at": sent_at if told_at is None else iso(told_at),
        "delivery_state": "delivered",
        "name": message["source_message_id"],
    }


def iso(millis: int) -> str:
    at = datetime.fromtimestamp(0, UTC) + timedelta(milliseconds=millis)
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def is_in_its_conversation(found: dict[str, Any], wanted: dict[str, Any]) -> bool:
    """Whether all contacts of the conversation, one at most, are whom the message is with."""
    contact = "sender_id" if wanted["is_from_contact"] else "source_conversation_id"
    return bool(found["contacts"] <= {wanted[contact]})


def is_as_it_came(found: dict[str, Any], wanted: dict[str, Any], case: Case) -> bool:
    """Whether a message's content stood in the body, and is what the manifest says if it does."""
    content = found["content"]
    return content in list(recorded.objects_in(case.body)) and content == wanted.get(
        "content", content
    )


def metadata_of(client: Client, channel_ids: list[str], case: Case) -> list[Any]:
    """Return what is kept under the keys that a manifest names; None for those that are gone."""
    named = messages_named(case.source)
    return [
        at_key(document_of(client, channel_ids, item, named), item["key"])
        for item in case.expected.get("metadata", [])
    ]


def messages_named(source: str) -> dict[str, dict[str, Any]]:
    """Return the messages that a manifest speaks of, by the reference's ids of them."""
    return {
        message["message_id"]: message
        for case in recorded.cases(source)
        for message in case.expected["messages"]
    }


def document_of(
    client: Client, channel_ids: list[str], item: dict[str, Any], named: dict[str, Any]
) -> Any:
    """Return the metadata that we have of what the reference knows by another id."""
    if item["namespace"] == "message":
        name = named[item["identifier"]]["source_message_id"]
        messages = read_back(client, channel_ids).values()
        return next(each["metadata"] for each in messages if name_of(each) == name)
    told_of = [each for each in named.values() if each["conversation_id"] == item["identifier"]]
    names = {each["source_message_id"] for each in told_of} - {None}
    for conversation in client.conversations(*channel_ids):
        if names & {name_of(each) for each in client.messages(conversation["id"])}:
            return conversation["metadata"]
    raise AssertionError("no such conversation")


def at_key(document: Any, key: str) -> Any:
    for part in key.split("."):
        document = document.get(part) if isinstance(document, dict) else None
    return document


def signed_again(case: Case, path: str) -> dict[str, str]:
    """Return the signature over another path, where the path is signed."""
    if not case.source.startswith("twilio"):
        return {}
    is_json = case.headers["content-type"] == "application/json"
    form = {} if is_json else parse_qs(case.body.decode(), True)
    return signed_by_twilio(f"https://core.example.org{path}", form)


@pytest.mark.parametrize("source", manifests.SOURCES)
def test_all_webhooks_of_a_source_come_again_and_nothing_changes(
    source: str, client: Client, connected: dict[str, list[str]]
) -> None:
    cases = [case for case in SELF_CONTAINED if case.source == source]
    before = read_back(client, connected[source])
    for case in cases:
        headers = case.headers | signed_again(case, f"/webhooks{case.path}")
        answered = client.send(f"/webhooks{case.path}", case.body, headers)
        assert answered.status_code == case.told["expected_http_status"]
    client.settle()

    assert before
    assert read_back(client, connected[source]) == before


@pytest.mark.parametrize(
    "case", recorded.params([case for case in WEBHOOKS if case not in SELF_CONTAINED])
)
def test_a_webhook_about_what_nobody_knows_is_taken_all_the_same(
    case: Case, client: Client
) -> None:
    ingest(client, case)


@pytest.mark.parametrize(
    ("path", "changed", "status"),
    [
        ("/twilio", {}, 200),
        ("/webhooks/twilio", {}, 403),
        ("/twilio?a=b", {}, 403),
        ("/twilio", {"x-forwarded-host": "elsewhere.example.org"}, 403),
        ("/twilio", {"content-type": "text/plain"}, 415),
    ],
)
def test_a_form_of_twilio_is_signed_for_the_url_that_is_called(
    path: str, changed: dict[str, str], status: int, client: Client
) -> None:
    [case] = [
        each for each in recorded.cases("twilio.sms") if each.file == "in_unknown_number.form"
    ]

    assert client.send(path, case.body, case.headers | changed).status_code == status


@pytest.mark.parametrize("prefix", ["", "/webhooks"])
@pytest.mark.parametrize(("token", "status"), [("wa-verify", 200), ("wrong", 403)])
def test_whatsapps_handshake_has_a_token_of_its_own(
    token: str, status: int, prefix: str, client: Client
) -> None:
    asked = {"hub.mode": "subscribe", "hub.verify_token": token, "hub.challenge": "12a"}
    response = client.http.get(f"{prefix}/whatsapp", params=asked)

    assert (response.status_code, response.text) == (status, "12a" if status == 200 else "")


@pytest.mark.parametrize("told", recorded.manifest("facebook")["handshake"])
@pytest.mark.parametrize("prefix", ["", "/webhooks"])
def test_metas_handshake_is_answered_with_its_challenge(
    told: dict[str, Any], prefix: str, client: Client
) -> None:
    response = client.http.get(prefix + told["request"].removeprefix("GET "))

    assert (response.status_code, response.text) == (told["status"], told["body"])


@pytest.mark.parametrize(
    "case",
    recorded.params([each for each in recorded.cases("google") if each not in WEBHOOKS]),
)
@pytest.mark.parametrize("prefix", ["", "/webhooks"])
def test_googles_handshake_is_answered_with_its_secret(
    case: Case, prefix: str, client: Client
) -> None:
    response = client.send(prefix + case.path, case.body, case.headers)

    assert response.status_code == case.told["expected_http_status"]
    assert response.text == case.told.get("expected_http_body", "")


CHATPLUGIN_KEY = jwt.utils.base64url_decode(JWT_SECRET.replace("+", "-").replace("/", "_"))


@pytest.fixture(scope="module")
def websites(client: Client) -> dict[str, str]:
    """The ids that our websites have, by those that the manifest gives them."""
    ours = {}
    for told in recorded.manifest("chatplugin")["channels"]:
        website = client.connect_website(told["source_channel_id"])
        if not told["connected"]:
            client.call("/channels.chatplugin.disconnect", {"channel_id": website["id"]})
        ours[told["channel_id"]] = website["id"]
    return ours


@pytest.mark.parametrize("case", recorded.params(recorded.cases("chatplugin")))
def test_what_a_visitor_asks_is_answered_as_recorded(
    case: Case, client: Client, websites: dict[str, str]
) -> None:
    headers = {name: ours(value, websites) for name, value in case.headers.items()}
    response = client.send(case.path, ours(case.body.decode(), websites).encode(), headers)

    assert response.status_code == case.told["expected_http_status"]
    for message in case.expected["messages"]:
        shown = response.json()
        assert shown["content"] == message["content"]
        assert shown["sender"]["id"] == message["sender_id"]
        stored = client.messages(message["conversation_id"])
        assert stored[0] == shown | {"metadata": {}}


def ours(text: str, websites: dict[str, str]) -> str:
    """Return a text with our ids of the websites, also within a token that is rightly signed."""
    for theirs, identifier in websites.items():
        text = text.replace(theirs, identifier)
    for told in recorded.manifest("chatplugin")["jwt"]:
        if told["token"] in text and told["kind"] == "auth":
            claims = told["claims"] | {"channel_id": websites[told["claims"]["channel_id"]]}
            text = text.replace(told["token"], jwt.encode(claims, CHATPLUGIN_KEY, "HS256"))
    return text
