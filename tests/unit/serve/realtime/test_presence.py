"""Agents are there while they have a connection to any process, and a little longer."""

from collections.abc import Callable

import msgspec
import pytest

from airy_ray.cluster.ephemeral import Presence
from airy_ray.model.ids import ConversationId
from airy_ray.serve.api.tokens import Profile
from airy_ray.serve.realtime.presence import PresenceTracker

ADA = Profile("github:1", "Ada")
CONVERSATION = ConversationId(bytes(15) + b"\1")
ID = "00000000-0000-0000-0000-000000000001"


class World:
    """Processes that hear one another, and what the clients of each are told."""

    def __init__(self, *processes: str) -> None:
        self.now = 0.0
        self.told: dict[str, list[tuple[bool, list[str]]]] = {each: [] for each in processes}
        self.process = {
            each: PresenceTracker(each, self._tell, self._client(each)) for each in processes
        }

    def later(self, seconds: int) -> None:
        for _ in range(seconds):
            self.now += 1
            for each in self.process.values():
                each.tick(self.now)

    def _tell(self, told: Presence) -> None:
        for each in self.process.values():
            each.hear(told, self.now)

    def _client(self, process: str) -> Callable[[bytes], None]:
        def hear(event: bytes) -> None:
            payload = msgspec.json.decode(event)["payload"]
            assert payload["user"]["id"] == ADA.id
            self.told[process].append((payload["online"], payload["conversation_ids"]))

        return hear


@pytest.fixture
def world() -> World:
    return World("a", "b")


def test_everybody_is_told_once_who_comes_and_who_is_gone(world: World) -> None:
    world.process["a"].enter(ADA, world.now)
    world.later(60)
    world.process["a"].leave(ADA, world.now)
    world.later(10)

    assert world.told["a"] == world.told["b"] == [(True, []), (False, [])]
    assert list(world.process["b"].all()) == []


def test_who_comes_back_soon_was_never_gone(world: World) -> None:
    world.process["a"].enter(ADA, world.now)
    world.process["a"].leave(ADA, world.now)
    world.later(3)
    world.process["b"].enter(ADA, world.now)
    world.later(20)

    assert world.told["a"] == [(True, [])]


def test_who_has_two_connections_is_there_while_one_is(world: World) -> None:
    world.process["a"].enter(ADA, world.now)
    world.process["a"].enter(ADA, world.now)
    world.process["a"].leave(ADA, world.now)
    world.later(60)

    assert world.told["b"] == [(True, [])]


def test_it_is_told_which_conversations_somebody_has_open(world: World) -> None:
    tracker = world.process["a"]
    tracker.enter(ADA, world.now)
    tracker.view(ADA, CONVERSATION, world.now)
    tracker.view(ADA, CONVERSATION, world.now)
    tracker.unview(ADA, CONVERSATION, world.now)
    tracker.unview(ADA, CONVERSATION, world.now)

    assert world.told["b"] == [(True, []), (True, [ID]), (True, [])]


def test_the_connections_of_a_process_that_was_killed_are_forgotten(world: World) -> None:
    world.process["a"].enter(ADA, world.now)
    del world.process["a"]
    world.later(40)

    assert world.told["b"] == [(True, []), (False, [])]


def test_who_asks_later_is_told_who_is_there(world: World) -> None:
    world.process["a"].enter(ADA, world.now)

    (event,) = world.process["b"].all()
    assert msgspec.json.decode(event)["payload"]["user"] == {
        "id": ADA.id,
        "name": "Ada",
        "avatar_url": None,
    }
