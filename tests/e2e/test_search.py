"""Filtered conversations and full text (contract: platform API §8, appendix A.1, appendix F)."""

from typing import Any
from uuid import uuid4

import pytest

from tests.e2e.client import Agent, Client, Visitor
from tests.e2e.program import until

CONTACTS = {"ada": 1, "grace": 2, "alan": 5}
"""Who writes, and how many messages."""
TAGS = str(uuid4()), str(uuid4())


class Inbox:
    """Conversations on one channel, as they are filtered there."""

    def __init__(self, client: Client, channel_id: str) -> None:
        self.client = client
        self.channel_id = channel_id

    def page(self, filters: str, **asked: Any) -> Any:
        """Return a page of those conversations of the channel that a filter finds."""
        own = f"channel_id:{self.channel_id} AND ({filters})"
        return self.client.call("/conversations.list", {"filters": own} | asked)

    def found(self, filters: str) -> list[str]:
        """Return the ids of what a filter finds."""
        page = self.page(filters)
        assert page["pagination_data"]["total"] == len(page["data"])
        return [each["id"] for each in page["data"]]


class Conversations(Inbox):
    """Three conversations with named contacts, Alan's the newest."""

    def __init__(self, client: Client) -> None:
        agent = Agent(client)
        super().__init__(client, agent.channel["id"])
        self.agent = agent
        for minute, (contact, count) in enumerate(CONTACTS.items()):
            for number in range(count):
                at = f"2025-11-21T08:0{minute}:0{number}.000Z"
                agent.receive(f"{contact}{number}", contact=contact, text="Hi there", sent_at=at)
        listed = agent.conversations(len(CONTACTS))
        self.ids = {each["last_message"]["sender"]["id"]: each["id"] for each in listed}
        for contact, name in {"grace": "Grace Hopper", "alan": "Alan Turing"}.items():
            self.call("update-contact", contact, display_name=name)
        self.call("tag", "grace", tag_id=TAGS[0])
        self.call("tag", "alan", tag_id=TAGS[0])
        self.call("tag", "alan", tag_id=TAGS[1])
        erp = {"subject": "conversation", "id": self.ids["ada"], "data": {"erp": {"id": "abc"}}}
        client.call("/metadata.upsert", erp)
        until(self._is_indexed)

    def _is_indexed(self) -> bool:
        """Whether all that was done is found: each partition has an index of its own."""
        counts = {
            "metadata.user_data.erp.id:abc": 1,
            f"tag_ids:({TAGS[0]})": 2,
            f"tag_ids:({TAGS[1]})": 1,
            "display_name:grace": 1,
            "display_name:alan": 1,
        } | {f"unread_count:{count}": 1 for count in CONTACTS.values()}
        return all(len(self.found(filters)) == count for filters, count in counts.items())

    def call(self, verb: str, contact: str, **asked: str) -> None:
        identifier = {"conversation_id": self.ids[contact]}
        self.client.call(f"/conversations.{verb}", identifier | asked)

    def contacts(self, filters: str) -> list[str]:
        """Return whose conversations a filter finds."""
        names = {identifier: contact for contact, identifier in self.ids.items()}
        return [names[identifier] for identifier in self.found(filters)]


@pytest.fixture(scope="module")
def conversations(client: Client) -> Conversations:
    """Return three conversations, which no test changes."""
    return Conversations(client)


@pytest.mark.parametrize(
    ("filters", "contacts"),
    [
        pytest.param('id:"{escaped}"', ["grace"], id="by conversation id"),
        pytest.param("display_name:Grace", ["grace"], id="by display name"),
        pytest.param("display_name:grace", ["grace"], id="ignoring case"),
        pytest.param("display_name:*urin*", ["alan"], id="by a part of a name"),
        pytest.param("display_name:*Grace Hopper*", ["grace"], id="as the search box asks"),
        pytest.param(f"tag_ids:({TAGS[0]})", ["alan", "grace"], id="by tag"),
        pytest.param(f"tag_ids:({TAGS[0]} AND {TAGS[1]})", ["alan"], id="by tags"),
        pytest.param("unread_count:[2 TO *]", ["alan", "grace"], id="unread range"),
        pytest.param("unread_count:2", ["grace"], id="unread exact"),
        pytest.param("source:google", ["alan", "grace", "ada"], id="by source"),
        pytest.param("source:GOOGLE", ["alan", "grace", "ada"], id="by source, ignoring case"),
        pytest.param("source:(facebook OR twilio.sms)", [], id="by other sources"),
        pytest.param('display_name:Alan OR id:"{escaped}"', ["alan", "grace"], id="combined"),
        pytest.param("display_name:Ada", [], id="unknown name"),
        pytest.param("display_name:Google", ["ada"], id="default name"),
        pytest.param("metadata.user_data.erp.id:abc", ["ada"], id="by metadata"),
        pytest.param("created_at:[1600000000000 TO *]", ["alan", "grace", "ada"], id="by time"),
    ],
)
def test_conversations_are_filtered(
    filters: str, contacts: list[str], conversations: Conversations
) -> None:
    escaped = conversations.ids["grace"].replace("-", "\\-")

    assert conversations.contacts(filters.replace("{escaped}", escaped)) == contacts


def test_filtered_conversations_are_shown_as_all_are(conversations: Conversations) -> None:
    asked = {"conversation_id": conversations.ids["grace"]}
    shown = conversations.client.call("/conversations.info", asked)

    assert conversations.page("display_name:grace")["data"] == [shown]


def test_filtered_conversations_are_paged(conversations: Conversations) -> None:
    first = conversations.page("id:*", page_size=2, cursor=0)
    second = conversations.page("id:*", page_size=2, cursor=2)
    past = conversations.page("id:*", cursor="6")
    one = conversations.page("display_name:grace", page_size=1)
    all_at_once = conversations.page("display_name:grace", page_size=10_000)

    assert len(first["data"]) == 2
    assert first["pagination_data"] == {"previous_cursor": "0", "next_cursor": "2", "total": 3}
    assert len(second["data"]) == 1
    assert second["pagination_data"] == {"previous_cursor": "2", "next_cursor": None, "total": 3}
    assert past["data"] == []
    assert past["pagination_data"] == {"previous_cursor": "6", "next_cursor": None, "total": 3}
    assert one == all_at_once
    assert one["pagination_data"]["total"] == 1


def test_filtered_conversations_are_walked_while_messages_arrive(
    conversations: Conversations,
) -> None:
    whole = conversations.page("id:*")["data"]
    first = conversations.page("id:*", page_size=2)
    following = first["pagination_data"]["next_cursor"]
    rest = conversations.page("id:*", page_size=2, cursor=following)

    assert [each["id"] for each in first["data"] + rest["data"]] == [each["id"] for each in whole]
    assert first["pagination_data"]["previous_cursor"] == "0"
    assert rest["pagination_data"] == {
        "previous_cursor": following,
        "next_cursor": None,
        "total": 3,
    }


@pytest.mark.parametrize(
    "asked", [{"cursor": -1}, {"cursor": 10**30}, {"page_size": 0}, {"page_size": -1}]
)
def test_a_filtered_page_of_nothing_is_empty(
    asked: dict[str, int], conversations: Conversations
) -> None:
    page = conversations.page("id:*", **asked)

    assert (page["data"], page["pagination_data"]["total"]) == ([], 3)
    assert page["pagination_data"]["next_cursor"] is None


@pytest.mark.parametrize("filters", ["", "(", "unread_count:x", "NOT", "a:b:c", "(" * 10_000])
def test_a_filter_that_cannot_be_understood_is_refused(filters: str, client: Client) -> None:
    refused = client.post("/conversations.list", {"filters": filters})

    assert refused.status_code == 400
    assert list(refused.json()) == ["message"]
    assert refused.json()["message"].startswith("Failed to parse Lucene query: ")


@pytest.mark.parametrize(
    "filters", ["\ud83d", "id:\ud83d*", "\u0000", "/(/", "display_name:*" + "?" * 200, "\\ud83d"]
)
def test_no_filter_hurts(filters: str, client: Client) -> None:
    assert client.post("/conversations.list", {"filters": filters}).status_code in {200, 400}


def test_a_visitor_is_found_as_the_conformance_walk_says(client: Client) -> None:
    website = client.connect_website()
    Visitor(client, website).send({"text": "Hi"})
    inbox = Inbox(client, website["id"])
    until(lambda: inbox.found("id:*"))
    (conversation,) = client.conversations(website["id"])
    one = [conversation["id"]]

    assert inbox.found("unread_count:[1 TO *]") == one
    assert inbox.found("unread_count:0") == []
    assert inbox.found("display_name:*chat*") == one
    assert inbox.found("id:* AND NOT metadata.state:CLOSED") == one
    assert (
        client.call("/conversations.list", {"filters": "NOT metadata.state:CLOSED"})["data"] == []
    )

    client.call("/conversations.mark-read", {"conversation_id": one[0]})
    until(lambda: inbox.found("unread_count:0") == one)
    client.call("/conversations.set-state", {"conversation_id": one[0], "state": "CLOSED"})
    until(lambda: inbox.found("metadata.state:CLOSED") == one)
    assert inbox.found("id:* AND NOT metadata.state:CLOSED") == []
    client.call("/conversations.remove-state", {"conversation_id": one[0]})
    until(lambda: inbox.found("id:* AND NOT metadata.state:CLOSED") == one)


def test_messages_are_found_by_their_words(client: Client) -> None:
    agent = Agent(client)
    word = f"zebra{uuid4().hex[:8]}"
    for number in range(5):
        at = f"2025-11-21T08:00:0{number}.000Z"
        text = f"My <b>{word}</b> number {number}, please!"
        agent.receive(f"m{number}", text=text, sent_at=at, contact=f"contact {number % 2}")
    until(lambda: client.call("/messages.search", {"query": word})["data"][4:])
    pages, cursor = [], None
    for _ in range(3):
        asked = {"query": f"MY {word}", "page_size": 2, "cursor": cursor}
        pages.append(client.call("/messages.search", asked))
        cursor = pages[-1]["pagination_data"]["next_cursor"]
    found = [each for page in pages for each in page["data"]]
    numbers = [each["message"]["metadata"]["source"]["id"] for each in found]

    assert numbers == ["m4", "m3", "m2", "m1", "m0"]
    assert cursor is None
    assert [page["pagination_data"]["total"] for page in pages] == [5, 5, 5]
    assert found[0]["snippet"] == (
        f"<em>My</em> &lt;b&gt;<em>{word}</em>&lt;/b&gt; number 4, please!"
    )
    assert found[0]["message"] in client.messages(found[0]["conversation_id"])

    within = {"query": word[:-3], "conversation_id": found[0]["conversation_id"]}
    narrowed = client.call("/messages.search", within)
    assert narrowed["pagination_data"]["total"] == 3
    assert {each["conversation_id"] for each in narrowed["data"]} == {found[0]["conversation_id"]}


@pytest.mark.parametrize(
    "asked",
    [
        {},
        {"query": ""},
        {"query": " !? "},
        {"query": "a" * 1_001},
        {"query": "a", "cursor": "b"},
        {"query": "a", "cursor": "ffffffffffffffff.1"},
        {"query": "a", "conversation_id": "x"},
    ],
)
def test_a_search_for_nothing_is_refused(asked: dict[str, str], client: Client) -> None:
    assert client.post("/messages.search", asked).status_code == 400
