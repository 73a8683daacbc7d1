import json
from typing import Any

import pytest

from airy_ray.model import events
from tests import builders
from tests.builders import message_delivered, message_received, message_sent, reaction_changed
from tests.fakes import MemoryView, folded


def metadata(view: MemoryView, identifier: bytes = builders.message_id("m1")) -> Any:
    key = view.message_keys.get(identifier)
    assert key is not None
    stored = view.messages.get(key)
    assert stored is not None
    return json.loads(stored.metadata)


@pytest.mark.parametrize(
    ("told", "emoji"),
    [
        pytest.param([reaction_changed("👍", at=10)], "👍", id="put"),
        pytest.param(
            [reaction_changed("👍", at=10), reaction_changed("❤️", at=20)], "❤️", id="newer"
        ),
        pytest.param(
            [reaction_changed("❤️", at=20), reaction_changed("👍", at=10)], "❤️", id="older"
        ),
        pytest.param(
            [reaction_changed("👍", at=10), reaction_changed("❤️", at=10)], "❤️", id="same instant"
        ),
        pytest.param(
            [reaction_changed("👍", at=10), reaction_changed(None, at=20)], None, id="taken back"
        ),
        pytest.param(
            [reaction_changed(None, at=20), reaction_changed("👍", at=10)],
            None,
            id="taken back before it came",
        ),
        pytest.param(
            [
                reaction_changed("👍", at=10),
                reaction_changed(None, at=20),
                reaction_changed(None, at=40),
                reaction_changed("👍", at=30),
            ],
            None,
            id="taken back twice before it came again",
        ),
        pytest.param(
            [
                reaction_changed("👍", at=10),
                reaction_changed(None, at=20),
                reaction_changed("👍", at=30),
            ],
            "👍",
            id="put again",
        ),
    ],
)
@pytest.mark.parametrize("is_early", [True, False], ids=["before its message", "after it"])
def test_the_newest_reaction_by_the_sources_time_is_the_one(
    told: list[events.Event], emoji: str | None, is_early: bool
) -> None:
    message = message_received("m1")
    view = folded(*told, message) if is_early else folded(message, *told)

    assert metadata(view).get("reaction", {}).get("emoji") == emoji


def test_a_reaction_says_when_as_text() -> None:
    view = folded(message_received("m1"), reaction_changed("👍", at=1_763_712_000_300))

    assert metadata(view)["reaction"] == {"emoji": "👍", "sent_at": "1763712000300"}


def test_a_reaction_to_a_message_of_ours_is_put_to_it() -> None:
    view = folded(
        message_sent(),
        message_delivered(known_as="mid-1"),
        reaction_changed("👍", at=1, to="mid-1"),
    )

    assert metadata(view, builders.sent_id())["reaction"]["emoji"] == "👍"


def test_a_reaction_stops_waiting_once_its_message_is_there() -> None:
    view = folded(reaction_changed("👍", at=1), message_received("m1"))

    assert view.early.under(b"") == []
    assert metadata(view)["source"] == {"id": "m1"}


def test_a_reaction_makes_no_message_and_nothing_unread() -> None:
    view = folded(reaction_changed("👍", at=1, to="unknown"))

    assert view.messages.under(b"") == []
    assert view.conversations.under(b"") == []


@pytest.mark.parametrize("emoji", ["👍", None])
def test_a_reaction_that_comes_twice_is_told_once(emoji: str | None) -> None:
    view = folded(message_received("m1"), reaction_changed("❓", at=1))
    folded(reaction_changed(emoji, at=5), onto=view)
    told = len(view.changes)

    assert len(folded(reaction_changed(emoji, at=5), onto=view).changes) == told


@pytest.mark.parametrize("emoji", ["\ud83d", '"', "\x00", ""])
def test_any_emoji_can_be_kept(emoji: str) -> None:
    view = folded(message_received("m1"), reaction_changed(emoji, at=1))

    assert metadata(view)["reaction"]["emoji"] == emoji
