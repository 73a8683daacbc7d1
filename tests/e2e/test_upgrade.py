"""A platform starts on what an earlier release has written: it serves that, and makes it anew."""

from collections.abc import Iterator

import pytest

from airy_ray.state.tables import PROJECTION_VERSION, READABLE_SINCE
from tests.e2e.client import Client
from tests.e2e.program import Running, home, started, until
from tests.upgrading import unpack

CONVERSATIONS = 24
WITHIN_S = 60.0


@pytest.fixture
def running() -> Iterator[Running]:
    with home({"replay": {"on_upgrade": "run"}}) as at:
        unpack(READABLE_SINCE, at.root)
        with started(at) as program:
            yield program


def projections(client: Client) -> set[int]:
    partitions = client.call("/replay.generations")["partitions"]
    return {each["present"]["projection"] for each in partitions}


def listed(client: Client) -> list[str]:
    asked = {"page_size": 1_000}
    return sorted(each["id"] for each in client.call("/conversations.list", asked)["data"])


def test_what_an_earlier_release_has_written_is_served_and_made_anew(running: Running) -> None:
    with Client(running.url) as client:
        before = listed(client)
        until(lambda: projections(client) == {PROJECTION_VERSION}, WITHIN_S, every_s=0.5)
        (part, *_) = client.call("/replay.generations")["partitions"]

        assert f"of version {READABLE_SINCE} of the projection" in running.output
        assert listed(client) == before
        assert len(before) == CONVERSATIONS
        assert part["present"]["origin"]["kind"] == "replay"
        assert [each["projection"] for each in part["former"]] == [READABLE_SINCE]
