"""`contacts.*` (contract: platform API §7.8 and appendix A.6)."""

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest

from tests.e2e.client import Agent, Client
from tests.e2e.program import PROGRAM, Running, until

NOBODY = "6f2f0e5c-9f4e-4b74-9b33-1f7f4e2a9999"
FIELDS = {
    "id",
    "display_name",
    "avatar_url",
    "title",
    "gender",
    "timezone",
    "locale",
    "organization_name",
    "via",
    "address",
    "conversations",
    "metadata",
    "created_at",
    "updated_at",
}
ADDRESS = {
    "organization_name": "Analytical Engines",
    "address_line1": "12 St James's Square",
    "address_line2": None,
    "postal_code": "SW1Y",
    "city": "London",
    "state": "England",
    "country": "UK",
}
PARTITIONS = 4


def name() -> str:
    return f"name-{uuid4().hex[:12]}"


def create(client: Client, **fields: Any) -> Any:
    return client.call("/contacts.create", fields)


def info(client: Client, **which: str) -> Any:
    return client.call("/contacts.info", which)


def status(client: Client, path: str, **asked: Any) -> int:
    return client.post(path, asked).status_code


def listed(client: Client) -> list[Any]:
    contacts: list[Any] = client.call("/contacts.list", {"page_size": 10_000})["data"]
    return contacts


def partition(identifier: str) -> int:
    return int(identifier[:4], 16) * PARTITIONS >> 16


def conversations_apart(agent: Agent) -> tuple[str, str]:
    """Return two conversations, with a message each, that live in different partitions."""
    for count in range(1, 40):
        agent.receive(f"m{count}", contact=f"contact-{count}")
        found = [each["id"] for each in agent.conversations(count)]
        other = next((each for each in found if partition(each) != partition(found[0])), None)
        if other is not None:
            return found[0], other
    raise AssertionError("all conversations live together")


def contact_of(client: Client, conversation: str) -> Any:
    return info(client, conversation_id=conversation)


def test_a_created_contact_has_every_field(client: Client) -> None:
    created = create(client, display_name="Ada", via={"email": "a@x.org"}, unknown="ignored")

    assert set(created) == FIELDS
    assert (created["display_name"], created["via"]) == ("Ada", {"email": "a@x.org"})
    assert created["updated_at"] is None
    assert isinstance(created["created_at"], int)
    assert {key for key in FIELDS if created[key] is not None} == {
        "id",
        "display_name",
        "via",
        "created_at",
    }


def test_creating_is_answered_with_201_also_if_nothing_is_said(client: Client) -> None:
    response = client.post("/contacts.create", {})

    assert response.status_code == 201
    assert response.json()["display_name"] is None
    assert client.post("/contacts.create").status_code == 400


def test_what_is_said_of_a_contact_is_kept(client: Client) -> None:
    said = {
        "display_name": "Ada",
        "avatar_url": "https://example.org/ada.png",
        "title": "Countess",
        "gender": "female",
        "timezone": -3,
        "locale": "en_UK",
        "organization_name": "Analytical Engines",
        "via": {"phone": "+44", "email": "a@x.org"},
        "address": ADDRESS,
        "conversations": {str(uuid4()): "messenger"},
        "metadata": {"a": [1, 2.5, {"b": None}], "ö": "\\ud83d"},
    }
    created = create(client, **said)

    assert info(client, id=created["id"]) == created
    assert {key: created[key] for key in said} == said


def test_created_contacts_are_listed_for_an_empty_body(client: Client) -> None:
    one, other = create(client, display_name=""), create(client, display_name="\t first of all")
    page = client.call("/contacts.list")

    assert page["data"][0] == other
    assert page["pagination_data"]["total"] >= 2
    assert one in listed(client)


def test_contacts_are_listed_by_name_and_those_without_one_last(client: Client) -> None:
    for each in ("b", "B", "a", "ä", "𝄞", "\uffee", None):
        create(client, display_name=each)
    names = [each["display_name"] for each in listed(client)]
    known = [each for each in names if each is not None]

    assert known == sorted(known)
    assert names == known + [None] * (len(names) - len(known))
    assert None in names


def test_contacts_are_walked_by_their_cursors_there_and_back(client: Client) -> None:
    for _ in range(7):
        create(client, display_name=name())
    everybody = [each["id"] for each in listed(client)]
    pages, cursor = [], ""
    while True:
        asked = {"page_size": 3, "cursor": cursor}
        pages.append(client.call("/contacts.list", asked))
        cursor = pages[-1]["pagination_data"]["next_cursor"]
        if cursor is None:
            break

    assert [each["id"] for page in pages for each in page["data"]] == everybody
    assert [each["pagination_data"]["previous_cursor"] for each in pages] == [
        None,
        *everybody[: 3 * (len(pages) - 1) : 3],
    ]
    assert {each["pagination_data"]["total"] for each in pages} == {len(everybody)}


def test_a_page_that_less_than_a_page_precedes_has_no_previous_one(client: Client) -> None:
    for _ in range(5):
        create(client, display_name=name())
    second = listed(client)[1]["id"]
    page = client.call("/contacts.list", {"page_size": 3, "cursor": second})

    assert page["data"][0]["id"] == second
    assert page["pagination_data"]["previous_cursor"] is None


def test_a_page_without_a_size_holds_ten_contacts(client: Client) -> None:
    for _ in range(11):
        create(client)

    for size in (0, -1, None):
        assert len(client.call("/contacts.list", {"page_size": size})["data"]) == 10


def test_a_contact_is_found_by_its_id_and_by_its_conversation(client: Client) -> None:
    conversation = str(uuid4())
    created = create(client, display_name="Ada", conversations={conversation: "shop"})

    assert info(client, id=created["id"]) == created
    assert info(client, conversation_id=conversation) == created
    assert info(client, id=created["id"], conversation_id=str(uuid4())) == created


@pytest.mark.parametrize(
    ("asked", "code", "message"),
    [
        ({}, 400, "Either contact or conversation id must be provided"),
        ({"id": ""}, 400, "Either contact or conversation id must be provided"),
        ({"id": "no id"}, 400, "id: not a UUID"),
        ({"conversation_id": 7}, 400, None),
        ({"id": NOBODY}, 404, "Contact not found"),
        ({"conversation_id": NOBODY}, 404, "Contact not found"),
    ],
)
def test_info_says_what_is_wrong(
    asked: dict[str, Any], code: int, message: str | None, client: Client
) -> None:
    response = client.post("/contacts.info", asked)

    assert response.status_code == code
    assert list(response.json()) == ["message"]
    assert message in (None, response.json()["message"])


@pytest.mark.parametrize(
    ("path", "asked"),
    [
        ("/contacts.update", {"id": NOBODY, "title": "x"}),
        ("/contacts.delete", {"id": NOBODY}),
        ("/contacts.merge", {"source_id": NOBODY, "destination_id": str(uuid4())}),
        ("/contacts.unmerge", {"source_id": NOBODY, "destination_id": str(uuid4())}),
        ("/contacts.recent-messages", {"contact_id": NOBODY}),
    ],
)
def test_a_contact_that_nobody_made_is_not_found(
    path: str, asked: dict[str, Any], client: Client
) -> None:
    response = client.post(path, asked)

    assert (response.status_code, response.json()) == (404, {"message": "Contact not found"})


@pytest.mark.parametrize(
    ("path", "asked"),
    [
        ("/contacts.create", {"timezone": "noon"}),
        ("/contacts.create", {"timezone": 1 << 40}),
        ("/contacts.create", {"conversations": {"no id": "shop"}}),
        ("/contacts.create", {"via": ["phone"]}),
        ("/contacts.create", {"address": "London"}),
        ("/contacts.update", {"title": "x"}),
        ("/contacts.update", {"id": "no id"}),
        ("/contacts.delete", {}),
        ("/contacts.delete", {"id": "no id"}),
        ("/contacts.merge", {"source_id": NOBODY}),
        ("/contacts.merge", {"source_id": NOBODY, "destination_id": NOBODY}),
        ("/contacts.import", {}),
        ("/contacts.import", [1]),
        ("/contacts.list", {"page_size": 1, "cursor": "no id"}),
        ("/contacts.list", {"page_size": 1, "cursor": NOBODY}),
        ("/contacts.recent-messages", {}),
    ],
)
def test_what_cannot_be_meant_is_refused(path: str, asked: Any, client: Client) -> None:
    create(client)
    create(client)
    response = client.post(path, asked)

    assert response.status_code == 400
    assert list(response.json()) == ["message"]


def test_a_message_in_a_new_conversation_makes_a_contact_that_is_named_later(
    agent: Agent, client: Client
) -> None:
    agent.receive("m1")
    conversation = agent.conversations(1)[0]
    made = contact_of(client, conversation["id"])
    asked = {"conversation_id": conversation["id"], "display_name": "Ada"}
    client.call("/conversations.update-contact", asked)
    named = contact_of(client, conversation["id"])

    assert made["display_name"] == conversation["metadata"]["contact"]["display_name"]
    assert made["conversations"] == {conversation["id"]: "google"}
    assert (named["id"], named["display_name"]) == (made["id"], "Ada")

    client.call("/conversations.update-contact", asked | {"display_name": "Countess"})
    assert contact_of(client, conversation["id"])["display_name"] == "Ada"


def test_an_update_changes_what_it_says_and_empty_texts_delete(client: Client) -> None:
    via = {"phone": "+44", "email": "a@x.org"}
    before = create(
        client, display_name="Ada", title="Dr", address=ADDRESS, via=via, metadata={"a": 1}
    )
    response = client.post(
        "/contacts.update",
        {
            "id": before["id"],
            "title": "",
            "gender": None,
            "timezone": -3,
            "address": {"address_line1": "Elsewhere", "city": "", "state": "Wales"},
            "via": {"phone": "", "fax": "+45"},
        },
    )
    after = info(client, id=before["id"])

    assert (response.status_code, response.content) == (202, b"")
    assert after == before | {
        "title": None,
        "timezone": -3,
        "address": ADDRESS | {"address_line1": "Elsewhere", "city": None, "state": "Wales"},
        "via": {"email": "a@x.org", "fax": "+45"},
        "updated_at": after["updated_at"],
    }
    assert after["updated_at"] >= before["created_at"]


def test_a_conversation_moves_to_the_contact_that_claims_it(agent: Agent, client: Client) -> None:
    one, other = conversations_apart(agent)
    before = contact_of(client, other)
    claiming = contact_of(client, one)
    client.call("/contacts.update", {"id": claiming["id"], "conversations": {other: "google"}})

    assert contact_of(client, other)["id"] == claiming["id"]
    assert contact_of(client, one)["conversations"] == {one: "google", other: "google"}
    assert info(client, id=before["id"])["conversations"] is None

    client.call("/contacts.update", {"id": claiming["id"], "conversations": {other: ""}})
    assert status(client, "/contacts.info", conversation_id=other) == 404
    assert info(client, id=claiming["id"])["conversations"] == {one: "google"}


def test_many_contacts_are_brought_in_at_once(client: Client) -> None:
    said = [{"display_name": name(), "title": f"{index}"} for index in range(4)]
    response = client.post("/contacts.import", said)
    made = response.json()["data"]

    assert response.status_code == 201
    assert [{key: each[key] for key in said[0]} for each in made] == said
    assert all(each in listed(client) for each in made)
    assert client.post("/contacts.import", []).json() == {"data": []}


def test_nothing_is_brought_in_if_one_contact_is_wrong(client: Client) -> None:
    right = {"display_name": name()}
    response = client.post("/contacts.import", [right, {"timezone": "noon"}])

    assert (response.status_code, list(response.json())) == (400, ["message"])
    assert right["display_name"] not in [each["display_name"] for each in listed(client)]


def test_an_import_that_is_repeated_makes_nobody_twice(client: Client) -> None:
    said = [{"display_name": name(), "conversations": {str(uuid4()): "shop"}} for _ in range(3)]
    first = client.call("/contacts.import", said, idempotency_key=name())
    key = name()
    one = client.call("/contacts.import", said, idempotency_key=key)
    again = client.call("/contacts.import", said, idempotency_key=key)

    assert one == again
    assert {each["id"] for each in one["data"]}.isdisjoint(each["id"] for each in first["data"])
    assert client.post("/contacts.import", said[:1] * 3, idempotency_key=key).status_code == 409


def test_too_many_contacts_at_once_are_refused(client: Client) -> None:
    assert client.post("/contacts.import", [{}] * 1_001).status_code == 400


def test_a_file_of_contacts_is_imported_once_however_often_it_is_tried(
    platform: Running, client: Client, tmp_path: Path
) -> None:
    kind, count = name(), 450
    file = tmp_path / "contacts.csv"
    rows = [f"{kind} {index},{index}@x.org,{index % 12}" for index in range(count)]
    file.write_text("\n".join(["display_name,via.email,timezone", *rows]))
    command = [str(PROGRAM), "import-contacts", str(file), "--url", platform.url, "--json"]
    runs = [platform.home.run(*command) for _ in range(2)]
    made = [each for each in listed(client) if str(each["display_name"]).startswith(kind)]

    assert [each.code for each in runs] == [0, 0]
    assert json.loads(runs[0].output)["contacts"] == count
    assert len(made) == count
    assert {each["via"]["email"] for each in made} == {f"{index}@x.org" for index in range(count)}


def test_a_merge_keeps_the_destination_and_fills_its_gaps(client: Client) -> None:
    source = create(
        client,
        display_name="Source",
        title="Countess",
        avatar_url="https://example.org/source.png",
        address={"city": "Paris", "country": "France"},
        via={"phone": "+33"},
    )
    destination = create(
        client, display_name="Destination", address={"city": "London"}, metadata={"b": 1}
    )
    merged = client.call(
        "/contacts.merge", {"source_id": source["id"], "destination_id": destination["id"]}
    )

    assert (merged["id"], merged["display_name"]) == (destination["id"], "Destination")
    assert (merged["title"], merged["via"]) == ("Countess", {"phone": "+33"})
    assert (merged["address"]["city"], merged["address"]["country"]) == ("London", "France")
    assert [each["avatar_url"] for each in merged["merge_history"]] == [source["avatar_url"]]
    assert merged["merge_history"][0]["id"] == source["id"]
    assert set(merged) == FIELDS | {"merge_history"}
    assert info(client, id=source["id"]) == info(client, id=destination["id"])
    assert source["id"] not in [each["id"] for each in listed(client)]


def test_merged_contacts_have_the_conversations_of_both_across_partitions(
    agent: Agent, client: Client
) -> None:
    one, other = conversations_apart(agent)
    source, destination = contact_of(client, one), contact_of(client, other)
    asked = {"source_id": source["id"], "destination_id": destination["id"]}
    merged = client.call("/contacts.merge", asked)

    assert merged["conversations"] == {one: "google", other: "google"}
    assert contact_of(client, one)["id"] == contact_of(client, other)["id"] == destination["id"]
    assert source["id"] not in [each["id"] for each in listed(client)]
    again = client.call("/contacts.merge", asked)
    assert {key: again[key] for key in ("id", "merge_history")} == {
        key: merged[key] for key in ("id", "merge_history")
    }


def test_a_contact_that_is_parted_again_is_as_it_was(agent: Agent, client: Client) -> None:
    one, other = conversations_apart(agent)
    source, destination = contact_of(client, one), contact_of(client, other)
    client.call("/contacts.update", {"id": source["id"], "title": "Countess"})
    source = contact_of(client, one)
    asked = {"source_id": source["id"], "destination_id": destination["id"]}
    client.call("/contacts.merge", asked)
    parted = client.call("/contacts.unmerge", asked)
    left = contact_of(client, other)

    assert parted == source == contact_of(client, one) == info(client, id=source["id"])
    assert left == destination | {"updated_at": left["updated_at"]}
    assert source["id"] in [each["id"] for each in listed(client)]
    assert status(client, "/contacts.unmerge", **asked) == 404


def test_histories_come_along_with_who_is_merged(client: Client) -> None:
    one, two, three = (create(client, display_name=each) for each in "123")
    client.call("/contacts.merge", {"source_id": one["id"], "destination_id": two["id"]})
    merged = client.call("/contacts.merge", {"source_id": two["id"], "destination_id": three["id"]})

    assert [each["id"] for each in merged["merge_history"]] == [one["id"], two["id"]]
    assert info(client, id=one["id"])["id"] == three["id"]


def test_merges_that_race_lose_no_conversation(agent: Agent, client: Client) -> None:
    one, other = conversations_apart(agent)
    first, second = contact_of(client, one)["id"], contact_of(client, other)["id"]
    asked = [
        {"source_id": first, "destination_id": second},
        {"source_id": second, "destination_id": first},
    ]
    with ThreadPoolExecutor(2) as racing:
        codes = [
            each.status_code
            for each in racing.map(lambda said: client.post("/contacts.merge", said), asked)
        ]

    def together() -> bool:
        found = [client.post("/contacts.info", {"conversation_id": each}) for each in (one, other)]
        told = [each.json() for each in found if each.status_code == 200]
        return len(told) == 2 and told[0] == told[1] and len(told[0]["conversations"]) == 2

    assert set(codes) <= {200, 404}
    until(together)
    ids = [each["id"] for each in listed(client)]
    assert (first in ids) != (second in ids)


def test_a_deleted_contact_is_gone_until_its_conversation_goes_on(
    agent: Agent, client: Client
) -> None:
    agent.receive("m1")
    conversation = agent.conversations(1)[0]["id"]
    contact = contact_of(client, conversation)
    response = client.post("/contacts.delete", {"id": contact["id"]})

    assert (response.status_code, response.content) == (202, b"")
    assert contact["id"] not in [each["id"] for each in listed(client)]
    assert status(client, "/contacts.info", id=contact["id"]) == 404
    assert status(client, "/contacts.info", conversation_id=conversation) == 404
    assert status(client, "/contacts.delete", id=contact["id"]) == 404

    agent.receive("m2", sent_at="2025-11-21T09:00:00.000Z")
    agent.messages(2)
    assert contact_of(client, conversation)["id"] == contact["id"]


def test_recent_messages_are_told_for_each_conversation_of_some_sources(
    agent: Agent, client: Client
) -> None:
    one, other = conversations_apart(agent)
    unheard, elsewhere = str(uuid4()), str(uuid4())
    contact = create(
        client,
        conversations={one: "google", other: "google", unheard: "shop", elsewhere: "leave out"},
    )
    asked = {"contact_id": contact["id"], "include_sources": ["google", "shop"]}
    told = client.call("/contacts.recent-messages", asked)
    [message] = told[one]["data"]

    assert set(told) == {one, other, unheard}
    assert told[unheard] is None
    assert (message["content"], message["metadata"]) != (None, {})
    assert message["metadata"] is None
    assert set(client.call("/contacts.recent-messages", {"contact_id": contact["id"]})) == {
        one,
        other,
        unheard,
        elsewhere,
    }


def test_recent_messages_are_walked_in_each_conversation_by_itself(
    agent: Agent, client: Client
) -> None:
    one, other = conversations_apart(agent)
    contact = create(client, conversations={one: "google", other: "google"})
    writes = {
        each["id"]: each["last_message"] for each in client.conversations(agent.channel["id"])
    }
    person = str(writes[one]["sender"]["id"])
    agent.receive("late", contact=person, sent_at="2025-11-21T09:00:00.000Z")
    agent.messages(2, one)
    asked = {"contact_id": contact["id"], "page_size": 1}
    first = client.call("/contacts.recent-messages", asked)
    cursor = first[one]["pagination_data"]["next_cursor"]
    second = client.call("/contacts.recent-messages", asked | {"cursors": {one: cursor}})

    assert first[one]["pagination_data"] == {
        "previous_cursor": None,
        "next_cursor": writes[one]["id"],
        "total": 2,
    }
    assert second[one]["data"][0]["id"] == writes[one]["id"]
    assert second[one]["pagination_data"]["previous_cursor"] == cursor
    assert second[other] == first[other]


def test_clients_are_told_that_there_are_contacts(client: Client) -> None:
    services = client.call("/client.config")["services"]

    assert services["api-contacts"] == {
        "enabled": True,
        "healthy": True,
        "component": "api-contacts",
    }


def test_ids_of_contacts_are_uuids(client: Client) -> None:
    assert UUID(create(client)["id"]).version == 8
