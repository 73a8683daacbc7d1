"""Messages of the past: shown and found like all others, and news to nobody."""

import json
from typing import Any

import pytest

from airy_ray.clock import Millis
from airy_ray.model.channel import Backfill, Channel
from airy_ray.model.conversation import Conversation
from airy_ray.model.events import (
    BackfillAdvanced,
    ChannelDisconnected,
    ChannelStored,
    Event,
    FilesKept,
    MessageRecalled,
)
from airy_ray.model.ids import PartitionIndex
from airy_ray.model.message import Message
from airy_ray.projections.changes import RECALLED, SILENT
from airy_ray.projections.messages import ECHO_GRACE_MS, IN_DOUBT_MS
from airy_ray.publishing.events import events_of
from tests import builders
from tests.builders import (
    NOW,
    attempted,
    message_delivered,
    message_recalled,
    message_received,
    message_sent,
    receipt_received,
)
from tests.fakes import MemoryView, folded
from tests.unit.projections.test_messages import fallen

LONG_AGO = NOW - 2 * IN_DOUBT_MS


def ours(name: str, **fields: Any) -> MessageRecalled:
    return message_recalled(name, from_contact=False, sender_id="ada", **fields)


def only(view: MemoryView) -> Message:
    [(_, found)] = view.messages.under(b"")
    return found


def names(view: MemoryView) -> list[str | None]:
    """Return what messages are called, newest first."""
    return [message.source_message_id for _, message in view.messages.under(b"")]


def conversation(view: MemoryView) -> Conversation:
    found = view.conversations.get(builders.conversation_id())
    assert found is not None
    return found


def told(view: MemoryView) -> list[str]:
    """Return what clients, webhooks and bots hear."""
    return [change.kind for change in view.changes if change.event]


def test_it_is_a_message_like_its_webhook_would_have_made() -> None:
    recalled, live = (only(folded(event)) for event in (message_recalled(), message_received()))

    assert builders.changed(recalled, headers=live.headers) == live


@pytest.mark.parametrize("is_recalled_first", [True, False])
def test_it_is_there_once_whichever_way_comes_first(is_recalled_first: bool) -> None:
    both: list[Event] = [message_recalled(is_unread=True), message_received()]
    view = folded(*(both if is_recalled_first else both[::-1]))

    assert names(view) == ["m1"]
    assert conversation(view).unread_count == 1


def test_nobody_hears_of_it_but_the_index_and_who_keeps_files() -> None:
    view = folded(
        message_recalled("m1", sent_at=LONG_AGO, is_unread=True), ours("m2", sent_at=LONG_AGO)
    )

    assert told(view) == []
    assert [(change.kind, change.event) for change in view.changes] == [(RECALLED, SILENT)] * 2
    assert [list(events_of(PartitionIndex(0), 1, each, NOW)) for each in view.changes] == [[], []]


def test_what_is_kept_of_its_files_is_told_to_nobody() -> None:
    kept = FilesKept(builders.message_id("m1"), {"data_https://a": b'"https://b"'})
    of_past, of_now = (folded(event, kept) for event in (message_recalled(), message_received()))

    assert told(of_past) == []
    assert json.loads(only(of_past).metadata)["data_https://a"] == "https://b"
    assert told(of_now)[-1] == "metadata.updated"


def test_what_is_unread_is_counted_and_what_was_answered_is_not() -> None:
    view = folded(
        message_recalled("m1", sent_at=LONG_AGO),
        ours("m2", sent_at=LONG_AGO + 1),
        message_recalled("m3", sent_at=LONG_AGO + 2, is_unread=True),
    )

    assert conversation(view).unread_count == 1
    assert conversation(view).message_count == 3
    assert conversation(view).last_inbound_at == LONG_AGO + 2


def test_a_conversation_begins_with_its_first_message_though_that_comes_last() -> None:
    view = folded(
        message_recalled("m2", sent_at=LONG_AGO + 5), message_recalled("m1", sent_at=LONG_AGO)
    )

    assert conversation(view).created_at == LONG_AGO
    assert conversation(view).last_message_at == LONG_AGO + 5
    assert names(view) == ["m2", "m1"]


def test_what_a_page_wrote_long_ago_takes_no_conversation_from_bots() -> None:
    view = folded(ours("m1", sent_at=LONG_AGO), message_received("m2"))

    assert conversation(view).is_with_people is False
    assert told(view) == ["message.created", "metadata.updated"]


def test_a_receipt_for_what_is_new_says_nothing_of_the_past() -> None:
    view = folded(ours("m1", sent_at=LONG_AGO), receipt_received("seen", up_to=NOW))

    assert told(view) == []
    assert "source" in json.loads(only(view).metadata)
    assert "delivery_state" not in json.loads(only(view).metadata)["source"]


def test_nothing_is_to_be_sent_of_it() -> None:
    view = folded(ours("m1", sent_at=LONG_AGO), ours("m2", sent_at=NOW))
    fallen(view, at=NOW + ECHO_GRACE_MS)

    assert names(view) == ["m2", "m1"]
    assert view.sends.under(b"") == []


def test_a_message_that_we_sent_is_no_other_one() -> None:
    sent: list[Event] = [
        message_received(),
        message_sent("s1"),
        message_delivered("s1", known_as="m2"),
    ]
    for recalled in (ours("m2", sent_at=NOW), ours("m2", sent_at=LONG_AGO)):
        view = folded(*sent, recalled)

        assert sorted(each or "" for each in names(view)) == ["m1", "m2"]
        assert view.timers.under(b"") == []


def test_a_message_that_we_may_be_sending_waits_for_the_answer() -> None:
    view = folded(message_received(), message_sent("s1"), attempted("s1"), ours("m2", sent_at=NOW))
    fallen(view, at=NOW + ECHO_GRACE_MS)
    assert len(names(view)) == 2

    folded(message_delivered("s1", known_as="m2"), onto=view)
    fallen(view, at=NOW + 2 * ECHO_GRACE_MS)
    assert sorted(each or "" for each in names(view)) == ["m1", "m2"]
    assert view.timers.under(b"") == []


def stored(since: int = NOW) -> ChannelStored:
    channel = builders.channel(metadata=b"{}")
    return ChannelStored(
        Channel(
            channel.id,
            channel.source,
            channel.source_channel_id,
            connected=True,
            changed_at=channel.changed_at,
            token=channel.token,
            backfill=Backfill(Millis(since)),
        ),
        {"name": b'"Shop"'},
    )


def advanced(
    after: str, *, since: int = NOW, is_over: bool = False, problem: str | None = None
) -> BackfillAdvanced:
    backfill = Backfill(Millis(since), after, conversations=2, messages=5)
    return BackfillAdvanced(builders.channel().id, backfill, is_over, problem)


def shop(view: MemoryView) -> tuple[Backfill | None, Any]:
    [(_, found)] = view.registry_channels.under(b"")
    return found.backfill, json.loads(found.metadata)


def test_a_channel_shows_how_much_of_its_past_is_here() -> None:
    view = folded(stored(), advanced("c"))
    counted = {"conversations": 2.0, "messages": 5.0}

    assert shop(view) == (
        advanced("c").backfill,
        {"name": "Shop", "backfill": {"state": "fetching"} | counted},
    )
    assert told(view)[-1] == "metadata.updated"
    folded(advanced("", is_over=True), onto=view)
    assert shop(view) == (None, {"name": "Shop", "backfill": {"state": "done"} | counted})


def test_a_channel_shows_why_the_rest_of_its_past_is_not_here() -> None:
    view = folded(stored(), advanced("c", is_over=True, problem="no permission"))
    backfill, metadata = shop(view)

    assert backfill is None
    assert metadata["backfill"]["state"] == "failed"
    assert metadata["backfill"]["error"] == "no permission"
    folded(stored(NOW + 1), advanced("c", since=NOW + 1), onto=view)
    assert "error" not in shop(view)[1]["backfill"]


@pytest.mark.parametrize("late", [advanced("c"), advanced("c", is_over=True)])
def test_who_fetched_for_a_connection_that_is_over_changes_nothing(late: BackfillAdvanced) -> None:
    disconnected = ChannelDisconnected(builders.channel().id, Millis(NOW + 5))
    view = folded(stored(), advanced("b"), disconnected, late)
    assert shop(view)[0] is None
    assert shop(view)[1]["backfill"]["state"] == "stopped"

    folded(stored(NOW + 9), late, onto=view)
    assert shop(view)[0] == Backfill(Millis(NOW + 9))
