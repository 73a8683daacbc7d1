"""Profiles: wanted once per conversation, kept when they come, wanted again when somebody asks."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airy_ray.clock import Millis
from airy_ray.model.commands import DescribeConversation
from airy_ray.model.events import (
    ConversationsErased,
    Event,
    ProfileFetched,
    ProfilePutOff,
)
from airy_ray.model.ids import format_id
from airy_ray.projections.commands import carry_out
from airy_ray.projections.project import project
from airy_ray.projections.view import WantedProfile
from tests import builders
from tests.builders import NOW
from tests.fakes import MemoryView, folded
from tests.unit.projections.test_read_receipts import received

PLACE = builders.place()
ADA = {"contact.display_name": b'"Ada"', "contact.avatar_url": b'"https://a"'}
FIRST = builders.message_received()
WANTED = WantedProfile(PLACE, NOW, NOW)


def fetched(values: dict[str, bytes] | None = None, *, since: int = NOW) -> ProfileFetched:
    told = ADA if values is None else values
    return ProfileFetched(PLACE.conversation_id, Millis(since), told, Millis(NOW + 1))


def put_off(tries: int = 1, *, since: int = NOW, due_at: int = NOW + 60_000) -> ProfilePutOff:
    return ProfilePutOff(PLACE.conversation_id, Millis(since), tries, Millis(due_at))


def refetch(view: MemoryView, at: int, *, source: str = "facebook") -> None:
    """Have the profile fetched again, as `conversations.refetch` does."""
    command = DescribeConversation(
        id=format_id(builders.command_id(f"refetch {at}")),
        principal="agent",
        conversation_id=format_id(builders.place(source=source).conversation_id),
        removed=("contact.fetch_state",),
    )
    carry_out(view, command, f"{at}".encode(), Millis(at))


def wanted(view: MemoryView) -> list[WantedProfile]:
    return [row for _, row in view.profiles.under(b"")]


def contact(view: MemoryView) -> Any:
    """Return what a conversation says of its contact."""
    [(_, conversation)] = view.conversations.under(b"")
    return json.loads(conversation.metadata).get("contact", {})


@pytest.mark.parametrize(
    "first",
    [
        pytest.param(FIRST, id="from the contact"),
        pytest.param(builders.message_received(from_contact=False), id="from our side"),
        pytest.param(received("m1", source="instagram"), id="on Instagram"),
        pytest.param(received("m1", source="telegram"), id="on Telegram, for the picture"),
    ],
)
def test_the_first_message_has_the_profile_fetched(first: Event) -> None:
    view = folded(first)

    [row] = wanted(view)
    assert (row.since, row.due_at, row.tries) == (NOW, NOW, 0)
    assert row.place.source_conversation_id == "ada"


def test_later_messages_do_not() -> None:
    view = folded(FIRST, fetched(), builders.message_received("m2"))
    assert wanted(view) == []


@pytest.mark.parametrize("source", ["whatsapp", "google", "viber", "twilio.sms", "crm"])
def test_who_tells_names_unasked_is_not_asked(source: str) -> None:
    assert wanted(folded(received("m1", source=source))) == []


def test_what_is_told_is_kept_and_names_the_contact() -> None:
    view = folded(FIRST, fetched())

    assert wanted(view) == []
    told = {"display_name": "Ada", "avatar_url": "https://a", "fetch_state": "ok"}
    assert contact(view) == told
    [(_, person)] = view.contacts.under(b"")
    assert (person.display_name, person.avatar_url) == ("Ada", "https://a")


def test_where_nothing_is_told_that_is_kept() -> None:
    view = folded(FIRST, fetched({}))

    assert wanted(view) == []
    assert contact(view) == {"fetch_state": "failed"}


def test_what_may_pass_is_put_off() -> None:
    view = folded(FIRST, put_off())
    assert wanted(view) == [WantedProfile(PLACE, NOW, Millis(NOW + 60_000), 1)]

    folded(put_off(due_at=NOW + 99_000), put_off(3), onto=view)
    assert wanted(view) == [WantedProfile(PLACE, NOW, Millis(NOW + 60_000), 1)]

    folded(fetched(), onto=view)
    assert contact(view)["fetch_state"] == "ok"


def test_it_is_fetched_again_if_somebody_asks() -> None:
    view = folded(FIRST, fetched())
    refetch(view, NOW + 10)

    assert wanted(view) == [WantedProfile(PLACE, Millis(NOW + 10), Millis(NOW + 10))]
    assert "fetch_state" not in contact(view)
    project(view, fetched({"contact.display_name": b'"Ada L."'}, since=NOW + 10), NOW)
    assert contact(view)["display_name"] == "Ada L."


def test_what_is_under_way_is_left_alone() -> None:
    view = folded(FIRST)
    refetch(view, NOW + 10)
    assert wanted(view) == [WANTED]


def test_what_was_put_off_is_due_at_once_if_somebody_asks() -> None:
    view = folded(FIRST, put_off())
    told_before = len(view.changes)
    refetch(view, NOW + 10)

    assert wanted(view) == [WantedProfile(PLACE, Millis(NOW + 10), Millis(NOW + 10))]
    assert [each.kind for each in view.changes[told_before:]] == ["metadata.updated"]


def test_who_tells_names_unasked_can_be_asked() -> None:
    view = folded(received("m1", source="viber"))
    told_before = len(view.changes)
    refetch(view, NOW + 10, source="viber")

    assert [each.place.source for each in wanted(view)] == ["viber"]
    assert [each.kind for each in view.changes[told_before:]] == ["metadata.updated"]


def test_where_the_state_is_known_before_the_conversation_nobody_is_asked() -> None:
    known = builders.conversation_described({"contact.fetch_state": b'"ok"'})
    assert wanted(folded(known, FIRST)) == []


def test_who_cannot_be_asked_is_not() -> None:
    view = folded(received("m1", source="google"))
    refetch(view, NOW + 10, source="google")
    assert wanted(view) == []


def test_an_outcome_of_an_earlier_fetch_is_none_of_a_later_one() -> None:
    view = folded(FIRST, put_off())
    refetch(view, NOW + 10)
    folded(fetched(), put_off(), onto=view)

    assert wanted(view) == [WantedProfile(PLACE, Millis(NOW + 10), Millis(NOW + 10))]
    assert contact(view) == {}


def test_a_name_that_somebody_has_given_meanwhile_stays() -> None:
    named = builders.conversation_described({"contact.display_name": b'"Countess"'}, at=NOW + 1)
    view = folded(FIRST, named, fetched())

    assert contact(view) == {
        "display_name": "Countess",
        "avatar_url": "https://a",
        "fetch_state": "ok",
    }


def test_what_comes_of_who_was_erased_is_cut_out_of_the_log() -> None:
    erased = ConversationsErased((PLACE.conversation_id,), (), Millis(NOW + 2))
    view = folded(FIRST, erased)
    assert wanted(view) == []

    effect = project(view, fetched(), Millis(NOW + 3))
    assert effect.verdict == "erased"
    assert dict(view.metadata.under(b"")) == {}
    tombstone = view.tombstones.get(PLACE.conversation_id)
    assert tombstone is not None
    assert tombstone.sweeps_at is not None


STEPS = st.sampled_from(["message", "fetched", "nothing", "put off", "refetch"])


@given(st.lists(STEPS, max_size=12))
def test_it_is_wanted_or_its_state_is_known_never_both(steps: list[str]) -> None:
    view = folded(FIRST)
    for at, step in enumerate(steps, NOW + 1):
        since = wanted(view)[0].since if wanted(view) else NOW
        match step:
            case "message":
                project(view, builders.message_received(f"m{at}"), Millis(at))
            case "fetched":
                project(view, fetched(since=since), Millis(at))
            case "nothing":
                project(view, fetched({}, since=since), Millis(at))
            case "put off":
                tries = wanted(view)[0].tries + 1 if wanted(view) else 1
                project(view, put_off(tries, since=since, due_at=at + 500), Millis(at))
            case "refetch":
                refetch(view, at)
        assert len(wanted(view)) == ("fetch_state" not in contact(view))


def picture(number: int) -> str:
    return f"0b7e9a52-6f1d-8c3e-9a44-5d2f8e1c7b9{number}.jpg"


def with_picture(number: int, *, since: int = NOW) -> ProfileFetched:
    url = f'"https://chat.example.org/media/{picture(number)}"'.encode()
    conversation = PLACE.conversation_id
    return ProfileFetched(conversation, Millis(since), {"contact.avatar_url": url}, Millis(since))


def left(view: MemoryView) -> list[str]:
    return [key.decode() for key, _ in view.left_files.under(b"")]


def test_a_picture_that_another_takes_the_place_of_is_looked_after() -> None:
    view = folded(FIRST, with_picture(1))
    assert left(view) == []
    refetch(view, NOW + 10)
    folded(with_picture(2, since=NOW + 10), onto=view)

    assert left(view) == [picture(1)]


def test_a_picture_that_nobody_wanted_any_more_is_looked_after() -> None:
    view = folded(FIRST, with_picture(1), with_picture(2))
    assert left(view) == [picture(2)]


def test_the_same_picture_again_stays() -> None:
    view = folded(FIRST, with_picture(1))
    refetch(view, NOW + 10)
    folded(with_picture(1, since=NOW + 10), onto=view)

    assert left(view) == []
