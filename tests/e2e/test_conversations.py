"""`conversations.*` and `messages.list` (contract: platform API §1.3, §4, §7.1, §7.2)."""

from typing import Any
from uuid import uuid4

import pytest

from tests.e2e.client import Agent, Client
from tests.e2e.program import until

FUTURE = "2100-01-01T00:00:0{}.000Z"
"""Later than all that other tests send: these come first in the list."""


def at(second: int) -> str:
    return f"2025-11-21T08:00:{second:02}.000Z"


@pytest.fixture
def read(agent: Agent) -> Any:
    """Return a conversation of five messages, oldest m0, and its messages, newest first."""
    for index in range(5):
        agent.receive(f"m{index}", sent_at=at(index))
    messages = agent.messages(5)
    return agent.conversations(1)[0] | {"messages": messages}


def test_a_conversation_is_shown_with_its_channel_its_contact_and_its_last_message(
    agent: Agent,
) -> None:
    agent.receive("m1", contact="ada", text="Hi")
    conversation = agent.conversations(1)[0]
    message = conversation["last_message"]

    assert conversation == {
        "id": conversation["id"],
        "created_at": "2025-11-21T08:00:00.000Z",
        "channel": agent.channel,
        "metadata": {
            "contact": {"display_name": f"Google {conversation['id'][-5:]}"},
            "unread_count": 1,
        },
        "last_message": {
            "id": message["id"],
            "content": message["content"],
            "sent_at": "2025-11-21T08:00:00.000Z",
            "delivery_state": "delivered",
            "from_contact": True,
            "source": "google",
            "metadata": {"source": {"id": "m1"}},
            "sender": {"id": "ada", "name": None, "avatar_url": None},
        },
    }
    assert message["content"]["message"]["text"] == "Hi"
    assert message["id"][:4] == conversation["id"][:4]


def test_one_conversation_is_told_as_it_is_listed(agent: Agent) -> None:
    agent.receive("m1")
    conversation = agent.conversations(1)[0]
    asked = {"conversation_id": conversation["id"]}

    assert agent.client.call("/conversations.info", asked) == conversation


def test_a_renamed_channel_shows_in_its_conversations_at_once(agent: Agent) -> None:
    agent.receive("m1")
    before = agent.conversations(1)[0]
    asked = {"channel_id": agent.channel["id"], "name": "New"}
    renamed = agent.client.call("/channels.update", asked)

    assert agent.conversations(1) == [before | {"channel": renamed}]


def test_a_disconnected_channel_keeps_its_conversations(agent: Agent) -> None:
    agent.receive("m1")
    agent.conversations(1)
    agent.client.call("/channels.google.disconnect", {"channel_id": agent.channel["id"]})

    assert agent.conversations(1)[0]["channel"]["connected"] is False


def test_conversations_are_listed_by_their_last_message_newest_first(client: Client) -> None:
    agent = Agent(client)
    for index, contact in enumerate(["ada", "bob", "eve"]):
        agent.receive("m1", contact=contact, sent_at=at(index))
    agent.receive("m2", contact="ada", sent_at=at(9))
    until(lambda: last_messages(agent)[0] == ("ada", "m2"))

    assert last_messages(agent) == [("ada", "m2"), ("eve", "m1"), ("bob", "m1")]


def last_messages(agent: Agent) -> list[tuple[str, str]]:
    found = agent.conversations(3)
    return [
        (each["last_message"]["sender"]["id"], each["last_message"]["metadata"]["source"]["id"])
        for each in found
    ]


def test_messages_come_late_and_the_last_one_stays_the_newest(agent: Agent) -> None:
    agent.receive("newer", sent_at=at(5))
    agent.receive("older", sent_at=at(1))
    messages = agent.messages(2)
    conversation = agent.conversations(1)[0]

    assert names(messages) == ["newer", "older"]
    assert conversation["last_message"]["metadata"]["source"]["id"] == "newer"
    assert conversation["created_at"] == at(5)


def names(messages: list[Any]) -> list[str]:
    return [each["metadata"]["source"]["id"] for each in messages]


def walked(client: Client, cursor: Any, pages: int) -> list[Any]:
    found = []
    for _ in range(pages):
        found.append(client.call("/conversations.list", {"page_size": 2, "cursor": cursor}))
        cursor = found[-1]["pagination_data"]["next_cursor"]
    return found


def contacts_on(pages: list[Any]) -> list[str]:
    return [each["last_message"]["sender"]["id"] for page in pages for each in page["data"]]


@pytest.fixture(scope="module")
def busy(client: Client) -> Agent:
    """Return an agent whose five conversations come first in the list."""
    agent = Agent(client)
    for index in range(5):
        agent.receive("m1", contact=f"contact {index}", sent_at=FUTURE.format(index))
    agent.conversations(5)
    return agent


NEWEST_FIRST = [f"contact {index}" for index in (4, 3, 2, 1, 0)]


def test_the_list_is_read_by_offsets(client: Client, busy: Agent) -> None:
    pages = walked(client, 0, 3)
    told = [page["pagination_data"] for page in pages]

    assert contacts_on(pages)[:5] == NEWEST_FIRST
    assert [each["previous_cursor"] for each in told] == ["0", "2", "4"]
    assert [each["next_cursor"] for each in told][:2] == ["2", "4"]
    assert len({each["total"] for each in told}) == 1
    assert told[0]["total"] >= 5


def test_the_list_is_walked_without_gap_or_repetition_while_messages_arrive(
    client: Client, busy: Agent
) -> None:
    [first] = walked(client, None, 1)
    busy.receive("m2", contact="contact 0", sent_at="2101-01-01T00:00:00.000Z")
    until(lambda: contacts_on(walked(client, None, 1))[0] == "contact 0")
    rest = walked(client, first["pagination_data"]["next_cursor"], 2)

    assert contacts_on([first, *rest])[:5] == NEWEST_FIRST
    assert first["pagination_data"]["previous_cursor"] == "0"
    following = first["pagination_data"]["next_cursor"]
    assert rest[0]["pagination_data"]["previous_cursor"] == following


@pytest.mark.parametrize("cursor", ["not a cursor", "AAAA", "-", "1.5"])
def test_what_is_no_cursor_is_refused(client: Client, cursor: str) -> None:
    refused = client.post("/conversations.list", {"cursor": cursor})

    assert (refused.status_code, refused.json()) == (400, {"message": "cursor: not a cursor"})


@pytest.mark.parametrize(
    ("asked", "previous"),
    [
        pytest.param({"cursor": "100000"}, "100000", id="past the end"),
        pytest.param({"cursor": 10**30}, str(10**30), id="far past the end"),
        pytest.param({"cursor": -1}, "-1", id="negative"),
        pytest.param({"page_size": 0}, "0", id="no size"),
        pytest.param({"page_size": None}, "0", id="null size"),
        pytest.param({"page_size": -3}, "0", id="negative size"),
    ],
)
def test_a_page_of_nothing_is_empty(asked: dict[str, Any], previous: str, agent: Agent) -> None:
    agent.receive("m1")
    agent.conversations(1)
    page = agent.client.call("/conversations.list", asked)

    assert page["data"] == []
    assert page["pagination_data"]["previous_cursor"] == previous
    assert page["pagination_data"]["next_cursor"] is None
    assert page["pagination_data"]["total"] >= 1


@pytest.mark.parametrize(
    "asked",
    [
        pytest.param(None, id="empty body"),
        pytest.param({}, id="nothing"),
        pytest.param({"cursor": None, "page_size": 20}, id="null"),
        pytest.param({"cursor": 0}, id="number"),
        pytest.param({"cursor": "0", "unknown": {"a": [1]}, "pageSize": 1}, id="unknown fields"),
        pytest.param({"filters": None}, id="no filters"),
    ],
)
def test_the_first_page_is_asked_for_in_many_ways(asked: Any, client: Client) -> None:
    plain = client.call("/conversations.list", {"page_size": 20, "cursor": "0"})

    assert client.call("/conversations.list", asked)["data"] == plain["data"]


def test_the_last_page_has_no_next(client: Client) -> None:
    page = client.call("/conversations.list", {"page_size": 10_000})["pagination_data"]

    assert page["next_cursor"] is None


def test_what_the_contact_wrote_is_unread_until_it_is_marked(agent: Agent) -> None:
    for index in range(3):
        agent.receive(f"m{index}", sent_at=at(index))
    agent.messages(3)
    conversation = agent.conversations(1)[0]
    asked = {"conversation_id": conversation["id"]}
    marked = agent.client.post("/conversations.mark-read", asked)
    after = agent.client.call("/conversations.info", asked)

    assert conversation["metadata"]["unread_count"] == 3
    assert (marked.status_code, marked.content) == (204, b"")
    assert after["metadata"]["unread_count"] == 0
    assert {each["metadata"]["user_read"] for each in agent.messages(3)} == {
        1_763_712_000_000.0 + 1_000 * index for index in range(3)
    }


def test_what_comes_after_the_mark_is_unread_again(agent: Agent) -> None:
    agent.receive("m1")
    conversation = agent.conversations(1)[0]
    agent.client.call("/conversations.mark-read", {"conversation_id": conversation["id"]})
    agent.receive("m2", sent_at=at(1))
    agent.messages(2)

    assert agent.conversations(1)[0]["metadata"]["unread_count"] == 1


def test_marking_what_nobody_knows_is_fine(client: Client) -> None:
    marked = client.post("/conversations.mark-read", {"conversation_id": str(uuid4())})

    assert (marked.status_code, marked.content) == (204, b"")


@pytest.mark.parametrize("path", ["/conversations.info", "/messages.list"])
def test_a_conversation_that_does_not_exist_is_not_found(path: str, client: Client) -> None:
    response = client.post(path, {"conversation_id": str(uuid4())})

    assert (response.status_code, response.content) == (404, b"")


def test_messages_are_listed_newest_first(read: Any) -> None:
    assert names(read["messages"]) == ["m4", "m3", "m2", "m1", "m0"]
    assert read["messages"][0] == read["last_message"]


def test_messages_of_one_instant_are_all_kept(agent: Agent) -> None:
    for index in range(3):
        agent.receive(f"m{index}", sent_at=at(0))
    messages = agent.messages(3)

    assert sorted(names(messages)) == ["m0", "m1", "m2"]
    assert messages == sorted(messages, key=lambda each: str(each["id"]))


def test_messages_are_walked_by_their_cursors_without_gap_or_repetition(
    read: Any, client: Client
) -> None:
    pages, cursor = [], None
    for _ in range(3):
        asked = {"conversation_id": read["id"], "page_size": 2, "cursor": cursor}
        pages.append(client.call("/messages.list", asked))
        cursor = pages[-1]["pagination_data"]["next_cursor"]
    first, second, third = (page["pagination_data"] for page in pages)

    assert [each for page in pages for each in page["data"]] == read["messages"]
    assert first == {"previous_cursor": None, "next_cursor": read["messages"][2]["id"], "total": 5}
    assert second["previous_cursor"] == first["next_cursor"]
    assert second["next_cursor"] == read["messages"][4]["id"]
    assert third == {"previous_cursor": second["next_cursor"], "next_cursor": None, "total": 5}


def test_a_cursor_stays_where_it_is_when_new_messages_come(read: Any, agent: Agent) -> None:
    cursor = read["messages"][2]["id"]
    agent.receive("newest", sent_at=at(30))
    agent.messages(6)
    asked = {"conversation_id": read["id"], "page_size": 2, "cursor": cursor}

    assert agent.client.call("/messages.list", asked)["data"] == read["messages"][2:4]


@pytest.mark.parametrize("size", [0, -1, None])
def test_a_page_of_messages_without_a_size_holds_ten(size: int | None, agent: Agent) -> None:
    for index in range(12):
        agent.receive(f"m{index}", sent_at=at(index))
    identifier = agent.conversations(1)[0]["id"]
    agent.messages(12)
    page = agent.client.call("/messages.list", {"conversation_id": identifier, "page_size": size})

    assert len(page["data"]) == 10
    assert page["pagination_data"]["next_cursor"] is not None


@pytest.mark.parametrize("cursor", [None, "", "  "])
def test_a_blank_cursor_means_the_first_page(cursor: str | None, read: Any, client: Client) -> None:
    asked = {"conversation_id": read["id"], "page_size": 2, "cursor": cursor}

    assert client.call("/messages.list", asked)["data"] == read["messages"][:2]


def test_a_cursor_does_not_matter_if_all_fits_one_page(read: Any, client: Client) -> None:
    cursor = read["messages"][3]["id"]
    page = client.call("/messages.list", {"conversation_id": read["id"], "cursor": cursor})

    assert page["data"] == read["messages"]
    assert page["pagination_data"] == {"previous_cursor": None, "next_cursor": None, "total": 5}


@pytest.mark.parametrize(
    "cursor",
    [
        pytest.param("no id", id="no id"),
        pytest.param("6f2f0e5c-9f4e-4b74-9b33-1f7f4e2a9999", id="nobody's"),
        pytest.param(7, id="number"),
    ],
)
def test_a_cursor_that_is_no_message_of_the_conversation_is_refused(
    cursor: str | int, read: Any, client: Client
) -> None:
    asked = {"conversation_id": read["id"], "page_size": 2, "cursor": cursor}
    response = client.post("/messages.list", asked)

    assert response.status_code == 400
    assert list(response.json()) == ["message"]


def test_a_cursor_of_another_conversation_is_refused(read: Any, client: Client) -> None:
    other = Agent(client)
    other.receive("m1")
    cursor = other.messages(1)[0]["id"]
    asked = {"conversation_id": read["id"], "page_size": 2, "cursor": cursor}

    assert client.post("/messages.list", asked).status_code == 400
