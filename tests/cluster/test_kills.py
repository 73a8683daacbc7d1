"""Whatever process is killed: it comes back, nothing acknowledged is lost, nothing is doubled."""

import json
from collections import defaultdict
from collections.abc import Callable, Iterator
from functools import partial

import httpx
import pytest

from airy_ray.model.ids import REGISTRY, PartitionIndex
from tests.cluster.running import BACK_S, Cluster, kill, log_writer, process, until_back
from tests.cluster.traffic import Traffic, traffic
from tests.e2e.client import Agent, Client
from tests.e2e.program import until

Find = Callable[[Cluster], int | None]

OWNERS: dict[str, Find] = {
    "a partition's owner": lambda cluster: cluster.owner(PartitionIndex(0)),
    "the registry's owner": lambda cluster: cluster.owner(REGISTRY),
    "the supervisor": lambda _: process("ray::Supervisor"),
}
DOORS: dict[str, Find] = {
    "a replica that takes webhooks": lambda _: process("ray::ServeReplica:webhooks:Webhooks"),
    "the process that stores them": lambda _: log_writer("ray::ServeReplica:webhooks:Webhooks"),
    "a replica that serves the API": lambda _: process("ray::ServeReplica:api:Api"),
}


@pytest.fixture(scope="module")
def client(cluster: Cluster) -> Iterator[Client]:
    """Who calls the platform."""
    with Client(cluster.url) as caller:
        yield caller


def told_of(cluster: Cluster, agent: Agent) -> dict[str, list[str]]:
    """Return which messages the change feed tells of, by contact, in its order."""
    found: dict[str, list[str]] = defaultdict(list)
    for change in cluster.changes():
        payload = json.loads(change.event)["payload"]
        if change.kind == "message.created" and payload["channel_id"] == agent.channel["id"]:
            message = payload["message"]
            found[message["sender"]["id"]].append(message["content"]["message"]["text"])
    return found


def assert_all_is_there_once_and_in_order(
    cluster: Cluster, client: Client, writing: Traffic
) -> None:
    until(lambda: sum(map(len, told_of(cluster, writing.agent).values())) >= total(writing), BACK_S)
    conversations = client.conversations(writing.agent.channel["id"])
    listed = {
        each["last_message"]["sender"]["id"]: client.messages(each["id"]) for each in conversations
    }
    names = {
        contact: sorted(each["metadata"]["source"]["id"] for each in messages)
        for contact, messages in listed.items()
    }

    assert told_of(cluster, writing.agent) == writing.taken
    assert names == {contact: sorted(taken) for contact, taken in writing.taken.items()}


def total(writing: Traffic) -> int:
    return sum(map(len, writing.taken.values()))


@pytest.mark.parametrize("name", OWNERS)
def test_an_owner_is_killed_and_webhooks_are_acknowledged_meanwhile(
    name: str, cluster: Cluster, client: Client
) -> None:
    with traffic(client) as writing:
        killed = kill(lambda: OWNERS[name](cluster))
        until_back(lambda: OWNERS[name](cluster), killed)
        until(lambda: is_readable(client), BACK_S)

    assert writing.answers == {200}
    assert_all_is_there_once_and_in_order(cluster, client, writing)


def is_readable(client: Client) -> bool:
    response = client.post("/conversations.list", {"page_size": 1})
    return response.status_code == 200


@pytest.mark.parametrize("name", DOORS)
def test_a_door_is_killed_and_opens_again(name: str, cluster: Cluster, client: Client) -> None:
    with traffic(client) as writing:
        killed = kill(lambda: DOORS[name](cluster))
        until_back(lambda: DOORS[name](cluster), killed)
        before = total(writing)
        until(lambda: total(writing) > before + 10, BACK_S)
        until(lambda: is_open(client), BACK_S)

    assert writing.answers <= {0, 200, 500, 502, 503}
    assert_all_is_there_once_and_in_order(cluster, client, writing)


def is_open(client: Client) -> bool:
    try:
        return is_readable(client)
    except httpx.TransportError:
        return False


def test_all_owners_are_killed_at_once_and_take_up_where_they_were(
    cluster: Cluster, client: Client
) -> None:
    finds = [partial(cluster.owner, spec.index) for spec in cluster.machine.partitions]
    with traffic(client) as writing:
        killed = [kill(find) for find in finds]
        for find, pid in zip(finds, killed, strict=True):
            until_back(find, pid)
        until(lambda: is_readable(client), BACK_S)

    assert writing.answers == {200}
    assert_all_is_there_once_and_in_order(cluster, client, writing)


def test_a_command_waits_for_an_owner_that_is_on_its_way_back(
    cluster: Cluster, client: Client
) -> None:
    killed = kill(lambda: cluster.owner(REGISTRY))
    asked = {"name": "A website"}
    connected = until(lambda: connect(client, asked, key=f"connect while {killed} is gone"), BACK_S)
    again = client.call(
        "/channels.chatplugin.connect", asked, idempotency_key=f"connect while {killed} is gone"
    )

    assert connected == again


def connect(client: Client, asked: dict[str, str], *, key: str) -> object:
    response = client.post("/channels.chatplugin.connect", asked, idempotency_key=key)
    assert response.status_code in (200, 503)
    return response.json() if response.status_code == 200 else None
