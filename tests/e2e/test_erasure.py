"""`contacts.erase` and `contacts.export`: everything about a person, then nothing anywhere."""

import io
import json
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from airy_ray.model.ids import contact_id, format_id, parse_id
from tests.e2e import platforms
from tests.e2e.client import Agent, Client, Visitor
from tests.e2e.platforms import GraphApi
from tests.e2e.program import Running, home, started, until
from tests.e2e.receiver import Receiver, Reply
from tests.e2e.stomp_client import StompClient
from tests.erasing import traces_here
from tests.files_server import PICTURE, files_server

UNKNOWN = "6d1d2f0c-1c2e-8f3b-a000-000000000000"
WITHIN_S = 60.0
PARTITIONS = 3


@pytest.fixture(scope="module")
def platform(graph_api: GraphApi) -> Iterator[Running]:
    """A platform that seals its logs and copies its states all the time."""
    facebook = {
        "app_id": platforms.APP_ID,
        "app_secret": platforms.APP_SECRET,
        "api_url": graph_api.url,
    }
    settings = {
        "partitions": PARTITIONS,
        "security": {"jwt_secret": platforms.JWT_SECRET},
        "sources": {"facebook": facebook, "google": {"partner_key": platforms.PARTNER_KEY}},
        "archive": {"segment_age_s": 0.5, "tail_records": 5},
        "state": {"sync_s": 0.5, "snapshot_age_s": 2},
        "media": {"inbound": {"allow_private_networks": True}},
        "webhooks": {"allow_private_networks": True},
    }
    with home(settings) as place, started(place) as running:
        yield running


@pytest.fixture(scope="module")
def client(platform: Running) -> Iterator[Client]:
    with Client(platform.url) as caller:
        yield caller


class Person:
    """Somebody whose every datum holds a mark of their own."""

    def __init__(self, agent: Agent) -> None:
        self.mark = f"QWOX{uuid4().hex[:10]}"
        self.agent = agent
        self.client = agent.client

    def write(self, index: int) -> None:
        """Write to the agent of Google's."""
        self.agent.receive(
            f"{self.mark}-m{index}",
            contact=f"{self.mark}-contact",
            text=f"{self.mark} says {index}",
        )

    def conversation(self) -> Any:
        """Return the conversation, once it is there."""
        found: Any = until(lambda: next(iter(self._conversations()), None))
        return found

    def _conversations(self) -> list[Any]:
        listed = self.client.conversations(self.agent.channel["id"])
        return [each for each in listed if self.mark in json.dumps(each)]

    def contact(self) -> str:
        """Return the contact's id."""
        return format_id(contact_id(parse_id(self.conversation()["id"])))  # type: ignore[arg-type]

    def describe(self) -> None:
        """Have users write, tag and note things about the person."""
        conversation = self.conversation()["id"]
        named = {"conversation_id": conversation, "display_name": f"{self.mark} Smith"}
        self.client.call("/conversations.update-contact", named)
        asked = {"conversation_id": conversation, "message": {"text": f"Dear {self.mark}"}}
        sent = self.client.call("/messages.send", asked)
        noted = {"subject": "message", "id": sent["id"], "data": {"note": f"{self.mark} noted"}}
        self.client.call("/metadata.upsert", noted)

    def erase(self) -> Any:
        """Have the person forgotten, and wait until that is done."""
        contact = self.contact()
        first = self.client.post("/contacts.erase", {"id": contact})
        assert (first.status_code, first.json()["state"]) == (200, "pending")
        return until(lambda: self.is_erased(contact), WITHIN_S)

    def is_erased(self, contact: str) -> Any:
        """Return how far the erasure is, once it is done."""
        told = self.client.call("/contacts.erasure-status", {"id": contact})
        return told if told["state"] == "done" else None


def receive_shared(client: Client, page: str, *contacts: str) -> None:
    """Have several people write to a page, all in one webhook."""
    items = []
    for contact in contacts:
        told = json.loads(platforms.page_body(page, contact, f"mid-{contact}", f"I am {contact}"))
        items += told["entry"][0]["messaging"]
    entry = {"id": page, "time": platforms.SENT_AT, "messaging": items}
    body = json.dumps({"object": "page", "entry": [entry]}).encode()
    sent = client.send("/webhooks/facebook", body, platforms.signed_by_meta(body))
    assert sent.status_code == 200


def connect_page(client: Client) -> tuple[str, str]:
    page = f"page-{uuid4().hex[:10]}"
    asked = {"page_id": page, "page_token": "EAAshort"}
    return page, client.call("/channels.facebook.connect", asked)["id"]


@pytest.fixture
def echo(client: Client) -> Iterator[str]:
    """A webhook that is answered with what it is called with; its id."""
    receiver = Receiver()
    receiver.decide = lambda called: Reply(body=called.raw)
    receiver.start()
    hook: str = client.call("/webhooks.subscribe", {"url": receiver.url})["id"]
    yield hook
    client.call("/webhooks.unsubscribe", {"id": hook})
    receiver.stop()


def test_nothing_of_an_erased_person_can_be_found(
    client: Client, platform: Running, echo: str
) -> None:
    person = Person(Agent(client))
    person.agent.receive("other", contact="other", text="I stay")
    for index in range(12):
        person.write(index)
    person.describe()
    answers = platform.home.data / "answers"
    assert until(lambda: list(traces_here(answers, person.mark))) == [echo]
    attempts = {"id": echo, "page_size": 100}
    assert person.mark in str(client.call("/webhooks.attempts", attempts))
    kept = client.messages(
        next(
            each["id"]
            for each in person.agent.conversations(2)
            if each["id"] != person.conversation()["id"]
        )
    )
    conversation = person.conversation()["id"]
    told = person.erase()

    assert set(told["partitions"].values()) == {"done"}
    assert client.post("/conversations.info", {"conversation_id": conversation}).status_code == 404
    assert list(traces_here(platform.home.data, person.mark)) == []
    assert list(traces_here(platform.home.run_directory, person.mark)) == []
    assert person.mark not in str(client.call("/webhooks.attempts", attempts))
    [other] = person.agent.conversations(1)
    assert client.messages(other["id"]) == kept
    verified = platform.home.run(
        str(platform.home.arguments()[0]), "verify", "--data", str(platform.home.data), "--deep"
    )
    assert verified.code == 0, verified.output


def test_who_shared_webhooks_with_an_erased_person_keeps_theirs(
    client: Client, platform: Running
) -> None:
    page, channel = connect_page(client)
    mark = f"QWOX{uuid4().hex[:10]}"
    others = [f"friend-{index}-{uuid4().hex[:6]}" for index in range(6)]
    receive_shared(client, page, *others[:3], f"{mark}-psid", *others[3:])
    found = until(lambda: _enough(client.conversations(channel), 7))
    before = {
        each["id"]: client.messages(each["id"]) for each in found if mark not in json.dumps(each)
    }
    [erased] = [each["id"] for each in found if mark in json.dumps(each)]
    contact = format_id(contact_id(parse_id(erased)))  # type: ignore[arg-type]
    client.call("/contacts.erase", {"id": contact})
    until(
        lambda: client.call("/contacts.erasure-status", {"id": contact})["state"] == "done",
        WITHIN_S,
    )

    assert list(traces_here(platform.home.data, mark)) == []
    assert {each["id"] for each in client.conversations(channel)} == set(before)
    assert {each: client.messages(each) for each in before} == before


def test_an_erased_person_who_writes_again_begins_anew(client: Client) -> None:
    person = Person(Agent(client))
    person.write(1)
    before = person.conversation()["id"]
    person.erase()
    person.write(1)  # the platform repeats what it was not sure of
    client.settle()
    assert client.conversations(person.agent.channel["id"]) == []
    person.agent.receive(
        f"{person.mark}-new",
        contact=f"{person.mark}-contact",
        text="again",
        sent_at="2100-01-01T00:00:00.000Z",
    )
    again = person.conversation()["id"]

    assert again == before
    assert [each["content"]["message"]["text"] for each in client.messages(again)] == ["again"]


def test_a_visitor_of_a_website_is_erased_and_who_listens_to_it_hears_so(
    client: Client, platform: Running
) -> None:
    website = client.connect_website()
    mark = f"QWOX{uuid4().hex[:10]}"
    visitor = Visitor(client, website)
    for index in range(3):
        visitor.send({"text": f"{mark} {index}"})
    [conversation] = until(lambda: _enough(client.conversations(website["id"]), 1))
    contact = format_id(contact_id(parse_id(conversation["id"])))  # type: ignore[arg-type]
    with StompClient(platform.url) as listening, StompClient(platform.url) as filtering:
        listening.subscribe(f"/channels/{website['id']}")
        filtering.subscribe("/events", filter=f"id:{conversation['id']}")
        client.call("/contacts.erase", {"id": contact})
        told = listening.event()
        assert told in iter(filtering.event, None), "it holds what is to go as well"
    until(
        lambda: client.call("/contacts.erasure-status", {"id": contact})["state"] == "done",
        WITHIN_S,
    )

    assert list(traces_here(platform.home.data, mark)) == []
    assert told["type"] == "conversation.erased"
    assert told["payload"] == {"conversation_id": conversation["id"], "channel_id": website["id"]}


def test_an_erasure_that_is_asked_for_again_tells_how_far_it_is(client: Client) -> None:
    person = Person(Agent(client))
    person.write(1)
    contact = person.contact()
    person.erase()
    again = client.post("/contacts.erase", {"id": contact})

    assert (again.status_code, again.json()["state"]) == (200, "done")


@pytest.mark.parametrize("path", ["/contacts.erase", "/contacts.erasure-status"])
def test_a_contact_that_nobody_knows_is_not_found(path: str, client: Client) -> None:
    response = client.post(path, {"id": UNKNOWN})

    assert (response.status_code, response.json()) == (404, {"message": "Contact not found"})


def test_everything_about_a_contact_is_exported_as_files(client: Client) -> None:
    person = Person(Agent(client))
    for index in range(3):
        person.write(index)
    person.describe()
    response = client.post("/contacts.export", {"id": person.contact()})
    with zipfile.ZipFile(io.BytesIO(response.content)) as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    conversation = person.conversation()
    directory = f"conversations/{conversation['id']}"

    assert response.headers["content-type"] == "application/zip"
    told = json.loads(files["contact.json"])
    assert (told["id"], told["conversations"]) == (
        person.contact(),
        {conversation["id"]: "google"},
    )
    assert told["display_name"] == f"{person.mark} Smith"
    assert json.loads(files[f"{directory}/conversation.json"]) == conversation
    lines = files[f"{directory}/messages.jsonl"].splitlines()
    assert [json.loads(line) for line in lines] == client.messages(conversation["id"])
    records = [
        json.loads(line)
        for name, lines in files.items()
        if name.startswith("log/")
        for line in lines.splitlines()
    ]
    webhooks = [json.loads(each["body"]) for each in records if each["kind"] == "webhook"]
    assert [each["message"]["text"] for each in webhooks] == [
        f"{person.mark} says {index}" for index in range(3)
    ]
    assert {"webhook", "command"} <= {each["kind"] for each in records}


def create(client: Client, mark: str, *conversations: str) -> str:
    """Make a contact of whom everything is known; return its id."""
    fields = {
        "display_name": f"{mark} Smith",
        "title": f"{mark} title",
        "organization_name": f"{mark} Ltd",
        "via": {"phone": f"{mark}-phone"},
        "address": {"city": f"{mark} City"},
        "metadata": {"note": f"{mark} note"},
        "conversations": dict.fromkeys(conversations, "google"),
    }
    made: str = client.call("/contacts.create", fields)["id"]
    return made


def erase(client: Client, contact: str) -> Any:
    """Have a contact forgotten; return how far that is once it is done."""

    def done() -> Any:
        told = client.call("/contacts.erasure-status", {"id": contact})
        return told if told["state"] == "done" else None

    assert client.call("/contacts.erase", {"id": contact})["state"] == "pending"
    return until(done, WITHIN_S)


def upload(client: Client, content: bytes) -> str:
    """Upload a file; return what it is called."""
    sent = client.http.post("/media.upload", files={"file": ("a.png", content)})
    assert sent.status_code == 200, sent.text
    return str(sent.json()["media_url"]).rpartition("/")[2]


def index_files(platform: Running, identifier: str) -> set[Path]:
    """Return the files of the search index of a partition: words in them are no plain text."""
    index = int(identifier[:4], 16) * PARTITIONS >> 16
    found = platform.home.data.glob(f"partitions/{index:02}/state.g*/search/*/*")
    return set(found)


def test_a_person_goes_with_all_who_were_merged_into_it(client: Client, platform: Running) -> None:
    one, other = Person(Agent(client)), Person(Agent(client))
    one.write(1)
    other.write(1)
    mark = f"QWOX{uuid4().hex[:10]}"
    conversations = [each.conversation()["id"] for each in (one, other)]
    source = create(client, mark, conversations[0])
    destination = create(client, mark, conversations[1])
    client.call("/contacts.merge", {"source_id": source, "destination_id": destination})
    client.call("/contacts.update", {"id": destination, "locale": f"{mark}-locale"})
    assert list(traces_here(platform.home.data, mark))
    erase(client, source)  # its id leads to who took it over

    for known in (mark, one.mark, other.mark):
        assert list(traces_here(platform.home.data, known)) == []
    for contact in (source, destination):
        assert client.post("/contacts.info", {"id": contact}).status_code == 404
    for conversation in conversations:
        asked = {"conversation_id": conversation}
        assert client.post("/conversations.info", asked).status_code == 404
    assert mark not in client.post("/contacts.list", {"page_size": 10_000}).text
    audited = client.call("/audit.list", {"page_size": 1_000})["data"]
    assert {"contacts.merge", "contacts.update", "contacts.erase"} <= {
        each["action"] for each in audited if each["subject"] in (source, destination)
    }


def test_who_was_parted_again_before_an_erasure_stays(client: Client, platform: Running) -> None:
    one, other = Person(Agent(client)), Person(Agent(client))
    one.write(1)
    other.write(1)
    mine, theirs = f"QWOX{uuid4().hex[:10]}", f"QWOX{uuid4().hex[:10]}"
    source = create(client, mine, one.conversation()["id"])
    destination = create(client, theirs, other.conversation()["id"])
    ids = {"source_id": source, "destination_id": destination}
    before = client.call("/contacts.info", {"id": destination})
    client.call("/contacts.merge", ids)
    client.call("/contacts.unmerge", ids)
    erase(client, source)
    after = client.call("/contacts.info", {"id": destination})

    assert list(traces_here(platform.home.data, mine)) == []
    assert list(traces_here(platform.home.data, one.mark)) == []
    assert after | {"updated_at": None} == before | {"updated_at": None}
    assert client.messages(other.conversation()["id"])


def test_messages_of_an_erased_person_are_not_found(client: Client, platform: Running) -> None:
    person = Person(Agent(client))
    word = f"quagga{uuid4().hex[:8]}"
    person.agent.receive("m", contact=f"{person.mark}-contact", text=f"{word} once")
    until(lambda: client.call("/messages.search", {"query": word})["data"])
    contact = person.contact()
    before = index_files(platform, contact)
    erase(client, contact)

    def found() -> Any:
        answer = client.post("/messages.search", {"query": word})
        return answer.json() if answer.status_code == 200 else None  # while the index is built

    assert until(found)["pagination_data"]["total"] == 0
    after = index_files(platform, contact)
    assert before
    assert after
    assert not before & after


def test_files_of_an_erased_person_are_deleted_unless_others_link_to_them(
    client: Client, platform: Running
) -> None:
    person, friend = Person(Agent(client)), Person(Agent(client))
    content = b"\x89PNG" + person.mark.encode()
    own, shared = upload(client, content), upload(client, b"\x89PNG shared " + uuid4().bytes)
    person.write(1)
    friend.write(1)
    contact = person.contact()
    theirs, friends = person.conversation()["id"], friend.conversation()["id"]
    for conversation, name in ((theirs, own), (theirs, shared), (friends, shared)):
        text = {"text": f"see {client.url}/media/{name}"}
        client.call("/messages.send", {"conversation_id": conversation, "message": text})
    exported = client.post("/contacts.export", {"id": contact})
    with zipfile.ZipFile(io.BytesIO(exported.content)) as archive:
        assert archive.read(f"files/{own}") == content
    erase(client, contact)

    assert client.http.get(f"/media/{own}").status_code == 404
    assert client.http.get(f"/media/{shared}").status_code == 200
    assert list(traces_here(platform.home.data, person.mark)) == []


def test_a_contact_that_nobody_knows_is_not_exported(client: Client) -> None:
    response = client.post("/contacts.export", {"id": UNKNOWN})

    assert (response.status_code, response.json()) == (404, {"message": "Contact not found"})


def _enough(found: list[Any], count: int) -> list[Any]:
    return found if len(found) == count else []


def receive_picture(client: Client, page: str, contact: str, url: str) -> None:
    """Have somebody send a picture to a page."""
    body = json.loads(platforms.page_body(page, contact, f"mid-{contact}", ""))
    sent = body["entry"][0]["messaging"][0]["message"]
    sent["attachments"] = [{"type": "image", "payload": {"url": url}}]
    told = json.dumps(body).encode()
    assert client.send("/webhooks/facebook", told, platforms.signed_by_meta(told)).is_success


def test_a_picture_stays_when_its_platform_forgets_it_and_goes_with_the_person(
    client: Client, platform: Running
) -> None:
    page, channel = connect_page(client)
    mark = f"QWOX{uuid4().hex[:10]}"

    def picture() -> str:
        [message] = client.messages(conversation["id"])
        url = str(message["content"]["message"]["attachments"][0]["payload"]["url"])
        return url if url.startswith(f"{client.url}/media/") else ""

    with files_server() as files:
        receive_picture(client, page, f"{mark}-psid", f"{files.url}/{mark}.png?oh=1&x=2")
        [conversation] = until(lambda: _enough(client.conversations(channel), 1))
        copy = until(picture)
        name = copy.rpartition("/")[2]
        [message] = client.messages(conversation["id"])
    contact = format_id(contact_id(parse_id(conversation["id"])))  # type: ignore[arg-type]

    assert message["metadata"][f"data_{files.url}/{mark}.png?oh=1&x=2"] == copy
    assert client.http.get(copy).content == PICTURE
    exported = client.post("/contacts.export", {"id": contact})
    with zipfile.ZipFile(io.BytesIO(exported.content)) as archive:
        assert archive.read(f"files/{name}") == PICTURE
    erase(client, contact)
    assert list(traces_here(platform.home.data, mark)) == []
    until(lambda: client.http.get(copy).status_code == 404)
