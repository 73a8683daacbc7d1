import json

import pytest

from airy_ray.model import events
from airy_ray.projections.messages import ECHO_GRACE_MS
from airy_ray.projections.receipts import EARLY_RECEIPT_MS
from tests import builders
from tests.builders import (
    echo_received,
    failure_received,
    message_delivered,
    message_received,
    message_sent,
    receipt_received,
)
from tests.fakes import MemoryView, folded


def sent(*sent_at: int) -> MemoryView:
    """Return a view with messages of ours, `s1` known as `mid-1` and so on."""
    view = MemoryView()
    for number, at in enumerate(sent_at, start=1):
        taken = message_delivered(f"s{number}", known_as=f"mid-{number}")
        folded(message_sent(f"s{number}", sent_at=at), taken, onto=view)
    return view


def state(view: MemoryView, identifier: bytes = builders.sent_id("s1")) -> str | None:
    key = view.message_keys.get(identifier)
    stored = None if key is None else view.messages.get(key)
    assert stored is not None
    found: str | None = json.loads(stored.metadata).get("source", {}).get("delivery_state")
    return found


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        pytest.param([receipt_received("delivered", "mid-1")], "delivered", id="delivered"),
        pytest.param([receipt_received("seen", "mid-1")], "seen", id="seen"),
        pytest.param(
            [receipt_received("delivered", "mid-1"), receipt_received("seen", "mid-1")],
            "seen",
            id="one after the other",
        ),
        pytest.param(
            [receipt_received("seen", "mid-1"), receipt_received("delivered", "mid-1")],
            "seen",
            id="never back",
        ),
        pytest.param([receipt_received("seen", "another")], None, id="of another message"),
    ],
)
def test_a_message_of_ours_gets_as_far_as_its_receipts_say(
    told: list[events.Event], expected: str | None
) -> None:
    assert state(folded(*told, onto=sent(10))) == expected


@pytest.mark.parametrize(
    ("up_to", "states"),
    [
        pytest.param(9, [None, None, None], id="before all"),
        pytest.param(10, ["seen", None, None], id="itself included"),
        pytest.param(25, ["seen", "seen", None], id="between"),
        pytest.param(99, ["seen", "seen", "seen"], id="after all"),
    ],
)
def test_a_watermark_means_all_that_we_sent_until_then(
    up_to: int, states: list[str | None]
) -> None:
    view = folded(receipt_received("seen", up_to=up_to), onto=sent(10, 20, 30))

    assert [state(view, builders.sent_id(name)) for name in ("s1", "s2", "s3")] == states


@pytest.mark.parametrize(("and_earlier", "earlier"), [(True, "seen"), (False, None)])
def test_a_named_message_may_stand_for_those_before_it(
    and_earlier: bool, earlier: str | None
) -> None:
    told = receipt_received("seen", "mid-2", and_earlier=and_earlier)
    view = folded(told, onto=sent(10, 20, 30))

    assert [state(view, builders.sent_id(name)) for name in ("s1", "s2", "s3")] == [
        earlier,
        "seen",
        None,
    ]


def test_a_watermark_reaches_only_its_own_conversation() -> None:
    view = folded(receipt_received("seen", up_to=99, contact="bob"), onto=sent(10))

    assert state(view) is None


def test_what_the_contact_wrote_has_no_receipts() -> None:
    view = folded(message_received("m1", sent_at=1), receipt_received("seen", "m1", up_to=99))

    assert state(view, builders.message_id("m1")) is None


def delivery(view: MemoryView) -> tuple[str, str | None]:
    """Return how far a message of ours has got, and why no further."""
    [stored] = [each for _, each in view.messages.under(b"") if not each.from_contact]
    return stored.delivery_state, json.loads(stored.metadata).get("error")


def test_a_message_that_was_taken_may_fail_later() -> None:
    view = folded(failure_received("mid-1"), onto=sent(10))
    [(_, stored)] = view.messages.under(b"")

    assert delivery(view) == ("failed", "unreachable")
    assert json.loads(stored.metadata)["source"]["error"] == "code=1"


def test_a_failure_told_twice_changes_nothing_the_second_time() -> None:
    view = folded(failure_received("mid-1"), onto=sent(10), at=1)
    before = view.messages.under(b"")
    folded(failure_received("mid-1", at=builders.NOW + 1), onto=view, at=2)

    assert view.messages.under(b"") == before


def test_a_failure_of_an_earlier_attempt_is_none_of_the_later_one() -> None:
    again = message_delivered("s1", known_as="mid-again")
    view = folded(again, failure_received("mid-1"), onto=sent(10))

    assert delivery(view) == ("delivered", None)


def test_what_the_contact_wrote_does_not_fail() -> None:
    view = folded(message_received("m1", sent_at=1), failure_received("m1"))
    [(_, stored)] = view.messages.under(b"")

    assert stored.delivery_state == "delivered"


@pytest.mark.parametrize(
    ("after", "expected"),
    [
        pytest.param(0, ("failed", "unreachable"), id="at once"),
        pytest.param(EARLY_RECEIPT_MS, ("failed", "unreachable"), id="within a minute"),
        pytest.param(EARLY_RECEIPT_MS + 1, ("delivered", None), id="too late"),
    ],
)
def test_a_failure_may_overtake_the_answer_to_its_send(
    after: int, expected: tuple[str, str | None]
) -> None:
    late_receipt = receipt_received("delivered", "mid-1")
    view = folded(message_sent(), failure_received("mid-1"), late_receipt, at=1_000)
    folded(message_delivered(known_as="mid-1"), onto=view, at=1_000 + after)

    assert delivery(view) == expected


@pytest.mark.parametrize(
    ("after", "expected"),
    [
        pytest.param(0, "seen", id="at once"),
        pytest.param(EARLY_RECEIPT_MS, "seen", id="within a minute"),
        pytest.param(EARLY_RECEIPT_MS + 1, None, id="too late"),
    ],
)
def test_a_receipt_may_overtake_the_answer_to_its_send(after: int, expected: str | None) -> None:
    view = folded(message_sent(), receipt_received("seen", "mid-1"), at=1_000)
    folded(message_delivered(known_as="mid-1"), onto=view, at=1_000 + after)

    assert state(view) == expected
    assert view.receipts.under(b"") == []


def test_a_receipt_may_overtake_the_echo_that_is_put_off() -> None:
    """A message from the page's inbox is echoed, delivered, and only then no longer put off."""
    echo = echo_received("e1")
    view = folded(echo, receipt_received("delivered", "e1"), at=1_000)
    settled = events.MessageReceived(echo.place, echo.message)
    folded(settled, onto=view, at=1_000 + ECHO_GRACE_MS)

    assert state(view, builders.message_id("e1")) == "delivered"


def test_early_receipts_never_go_back_either() -> None:
    early = receipt_received("seen", "mid-1"), receipt_received("delivered", "mid-1")
    view = folded(message_sent(), *early, message_delivered(known_as="mid-1"))

    assert state(view) == "seen"


def test_a_receipt_that_comes_twice_is_told_once() -> None:
    view = folded(receipt_received("seen", "mid-1"), onto=sent(10))
    told = len(view.changes)

    assert len(folded(receipt_received("seen", "mid-1"), onto=view).changes) == told


def test_what_was_seen_is_not_looked_through_again() -> None:
    view = folded(receipt_received("seen", up_to=99), onto=sent(10, 20))

    assert view.unseen.under(b"") == []
